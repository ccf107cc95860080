/* Another mail server for tests of relay: a thread on a loopback port that speaks just enough SMTP and
 * behaves as told. Local parts of recipients tell it more: "perm..." is refused for good, "temp..." for now,
 * "once..." for now the first time, "drop..." makes it hang up after the final dot the first time. */
#ifndef TEST_UNIT_SMTP_PEER_H
#define TEST_UNIT_SMTP_PEER_H
#include "base/buf.h"

#include <pthread.h>
#include <stdbool.h>

#define PEER_MESSAGES_MAX 64

struct smtp_peer {
    /* in, before smtp_peer_start */
    bool no_ehlo, no_pipelining;
    enum { PEER_NO_TLS, PEER_TLS, PEER_BROKEN_TLS } tls;
    unsigned size_max;            /* 0: SIZE is not offered */
    const char *offer;            /* a further line of the answer to EHLO; NULL: none */
    const char *_Atomic greeting; /* NULL: 220 */
    enum { PEER_ANSWERS, PEER_HANGS_AT_ONCE, PEER_HANGS_AFTER_EHLO, PEER_HANGS_IN_DATA } hangs;
    /* out, under the lock */
    pthread_mutex_t lock;
    _Atomic unsigned hanging; /* connections in which it says nothing more */
    _Atomic unsigned connections, tls_connections, resumed, hellos, once, drops;
    struct {
        char sender[200], recipients[500];
        struct buf body; /* as it came, dots taken away */
        bool over_tls;
    } messages[PEER_MESSAGES_MAX];
    size_t count;
    /* its own */
    int listener;
    uint16_t port;
    pthread_t thread;
    unsigned sessions;
    void *context; /* SSL_CTX */
};

/* Binds, so that p->port is known. Other processes may still be forked before smtp_peer_run. */
void smtp_peer_start(struct smtp_peer *p);
void smtp_peer_run(struct smtp_peer *p);
void smtp_peer_stop(struct smtp_peer *p);
/* Waits until so many messages have come; false after 20 seconds. */
bool smtp_peer_wait(struct smtp_peer *p, size_t count);

#endif
