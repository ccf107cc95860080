/* A logged-in session inside an account process: what the host (account/host.c) gives to the protocol that
 * serves it. The session runs in a thread of its own until it returns; the host then closes the stream. */
#ifndef ACCOUNT_SESSION_H
#define ACCOUNT_SESSION_H
#include "base/stream.h"
#include "gate/connection.h"
#include "mailbox/store.h"

#include <stdatomic.h>

/* Other accounts' processes as a session reaches them: shared mailboxes. Calls block for some seconds at
 * most and are safe from any thread. */
struct account_link {
    /* A session in the process of the account `owner`, in the name of this account's owner, who may do there
     * what the owner's ACLs say: the socket on which it speaks IMAP, from the greeting "guest OK" on. -1:
     * nobody of that address shares anything with us (ERR_PERMANENT), or it cannot be reached now
     * (ERR_TEMPORARY). */
    int (*open_shared)(struct account_link *l, struct str owner, struct err *e);
    /* The addresses of those who share something with us, sorted. */
    bool (*list_shared)(struct account_link *l, struct arena *a, struct str **owners, size_t *n,
                        struct err *e);
    /* From now on we share with these: addresses, or "anyone". */
    bool (*share)(struct account_link *l, const struct str *guests, size_t n, struct err *e);
};

/* What a session leaves that is to sleep (keeper/parked.h), for the one that goes on in its place. */
struct account_frozen {
    bool is_frozen;
    struct buf state;   /* bytes that the protocol alone understands */
    int64_t wake_at_ms; /* on the monotonic clock */
    struct str still;   /* "" or a line to be sent every still_every_ms; static */
    uint32_t still_every_ms;
    struct str bye; /* the last words, should the server stop meanwhile; static */
};

struct account_session {
    struct stream stream;         /* holds whatever the client sent after its login command already */
    struct connection connection; /* its fd is the stream's */
    const struct config *config;
    struct store *store;
    struct str address; /* the account's canonical address; lives as long as the process */
    struct str user;    /* who is logged in: the same, or a guest to whom the owner has given rights; "" means
                           the    same */
    bool is_from_afar;  /* the user's own session is in another process, where our mailboxes have other names:
                           imap/shared.h */
    int64_t account;
    struct account_link *link; /* NULL: there is nobody else */
    struct str tag;            /* IMAP: of the LOGIN or AUTHENTICATE command, still to be answered OK */
    int wake_fd; /* eventfd: readable when the server goes down. A session that wants to know of commits at
                    once has    the store write to it too (store_watch), for as long as it wants */
    atomic_bool *stopping; /* the server is going down: say goodbye at the next command boundary */
    char *unauthenticated; /* IMAP: set by the session when it ends in UNAUTHENTICATE: that command's tag,
                              malloc'd. The connection then goes back to login, which answers */
    const atomic_bool *freezing;    /* see below */
    _Atomic int64_t quiet_since_ms; /* see below */
    struct str thawed;              /* the state of the session that this one goes on with; "": none */
    struct account_frozen frozen;   /* out */
    bool *pop3_locked; /* POP3: set by the host when another POP3 session holds the maildrop (RFC 1939 section
                          8) */
};

/* How a session sleeps. It says where it waits that it could (quiet_since_ms) or that it is at work (0). Once
 * `freezing` is set, and wake_fd written to, it returns from there with `frozen` filled in and the stream
 * open. A session that goes on has `thawed`, and answers no login. A protocol that does none of this keeps
 * the process awake. */

/* The protocols. Each answers the login first (IMAP: "tag OK [CAPABILITY ...]", POP3: "+OK"). */
void imap_session_run(struct account_session *s);
void pop3_session_run(struct account_session *s);

#endif
