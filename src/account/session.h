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
    bool *pop3_locked; /* POP3: set by the host when another POP3 session holds the maildrop (RFC 1939 section
                          8) */
};

/* The protocols. Each answers the login first (IMAP: "tag OK [CAPABILITY ...]", POP3: "+OK"). */
void imap_session_run(struct account_session *s);
void pop3_session_run(struct account_session *s);

#endif
