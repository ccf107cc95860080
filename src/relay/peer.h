/* A conversation with another mail server: SMTP as a client (RFC 5321), or LMTP (RFC 2033), with what the
 * server offers (relay/ehlo.h). A thread has one at a time. */
#ifndef RELAY_PEER_H
#define RELAY_PEER_H
#include "queue/envelope.h"
#include "relay/ehlo.h"
#include "relay/reply.h"
#include "relay/tls_policy.h"
#include "relay/transcript.h"

#include <stdatomic.h>

#define PEER_HOST_MAX 256

struct peer {
    struct stream stream;
    struct tls *tls;                /* NULL: plain */
    char tls_words[200];            /* why the certificate failed, where that does not matter */
    enum tls_rpt_result tls_result; /* of the attempt to have TLS, after PEER_OPEN and PEER_TLS_FAILED */
    struct ehlo ehlo;
    char host[PEER_HOST_MAX]; /* its name, or its address where it has none */
    char address[108];        /* numeric; or a unix socket's path */
    uint16_t port;
    unsigned messages; /* sent in this connection */
    bool is_open, is_lmtp;
    bool is_authenticated;
    bool no_chunking;              /* it offers BDAT, but does not know it */
    bool needs_reset;              /* a transaction was left half-way: RSET before the next one */
    bool is_busy;                  /* it said 421, or that there are too many connections */
    struct transcript *transcript; /* of the attempt under way; NULL: none is kept */
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
    bool is_lmtp;
    struct str user, password; /* "" for no login */
};
/* Over a connected socket, which it takes over: from the greeting to the answer to EHLO. */
enum peer_result peer_open(struct peer *p, int fd, const struct peer_target *t, struct transcript *log,
                           struct err *e);
/* Says QUIT and leaves, whatever the answer. Harmless when it is not open. */
void peer_close(struct peer *p);
/* May it carry another message (RFC 9422: MAILMAX)? */
bool peer_is_used_up(const struct peer *p);

struct peer_recipient {
    struct str path; /* as it stands between < and > */
    const struct envelope_recipient *asked;
    /* out */
    bool answered;
    enum queue_fate fate;
    struct str reply;
};
struct peer_message {
    struct str sender; /* path; "" for <> */
    const struct envelope *asked;
    enum envelope_body body; /* what the bytes are */
    struct str bytes;
    struct peer_recipient *recipients; /* at most the server's RCPTMAX of them are served in one call */
    size_t count;
    const atomic_bool *is_orphan; /* nobody waits for the result any more: do not end DATA */
    struct arena *arena;          /* for replies */
};
enum peer_sent {
    PEER_SENT,   /* those who were served have their answers */
    PEER_STALE,  /* the connection is closed: it had ended before it took anything of this message */
    PEER_BROKEN, /* the connection is closed. Who has no answer was surely not served; *e says what happened
                  */
    PEER_LOST,   /* the connection is closed. The message may have arrived: all have answers */
};
/* One transaction. */
enum peer_sent peer_send(struct peer *p, struct peer_message *m, struct err *e);

#endif
