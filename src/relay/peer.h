/* A conversation with another mail server: SMTP as a client (RFC 5321), with STARTTLS (RFC 3207), PIPELINING
 * (RFC 2920), SIZE (RFC 1870) and 8BITMIME (RFC 6152) where they are offered. A thread has one at a time. */
#ifndef RELAY_PEER_H
#define RELAY_PEER_H
#include "relay/reply.h"
#include "relay/tls_policy.h"

#include <stdatomic.h>

#define PEER_HOST_MAX 256

struct peer {
    struct stream stream;
    struct tls *tls;                /* NULL: plain */
    enum tls_rpt_result tls_result; /* of the attempt to have TLS, after PEER_OPEN and PEER_TLS_FAILED */
    struct ehlo ehlo;
    char host[PEER_HOST_MAX]; /* its name, or its address where it has none */
    char address[64];         /* numeric */
    uint16_t port;
    unsigned messages; /* sent in this connection */
    bool is_open;
    bool needs_reset; /* a transaction was left half-way: RSET before the next one */
};

enum peer_result {
    PEER_OPEN,
    PEER_NOT_OPEN,   /* *e says why; another server may be better */
    PEER_TLS_FAILED, /* no TLS as the policy wants it: with TLS_LEVEL_MAY it can be opened again with NEVER */
};
struct peer_target {
    struct str host, address;
    uint16_t port;
    struct str hostname; /* ours, for EHLO */
    const struct tls_policy *tls;
};
/* From connecting to the answer to EHLO. */
enum peer_result peer_open(struct peer *p, const struct peer_target *t, struct err *e);
/* Says QUIT and leaves, whatever the answer. Harmless when it is not open. */
void peer_close(struct peer *p);

struct peer_recipient {
    struct str path; /* as it stands between < and > */
    /* out */
    bool answered;
    enum queue_fate fate;
    struct str reply;
};
struct peer_message {
    struct str sender; /* path; "" for <> */
    bool is_8bit;
    bool requires_tls; /* the connection was opened so */
    struct str bytes;
    struct peer_recipient *recipients;
    size_t count;
    const atomic_bool *is_orphan; /* nobody waits for the result any more: do not end DATA */
    struct arena *arena;          /* for replies */
};
/* One transaction. False: the connection cannot be used any more, and is closed. Recipients without an answer
 * then were not tried: a connection that was kept open had ended before it took anything of this message. */
bool peer_send(struct peer *p, struct peer_message *m);

#endif
