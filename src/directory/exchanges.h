/* SCRAM exchanges between their first and their second message (RFC 5802 section 3). Each can be finished
 * once, and only for a while, so that what somebody saw of one is of no use later. For one thread. */
#ifndef DIRECTORY_EXCHANGES_H
#define DIRECTORY_EXCHANGES_H
#include "base/arena.h"

/* At once: more than sessions of login and smtp together; then the oldest is forgotten. A kilobyte each. */
#define EXCHANGES_MAX 8192
#define EXCHANGE_MS   ((int64_t)60 * 1000) /* as long as login gives a client to log in */

struct exchange {
    struct arena arena; /* of the strings */
    uint64_t id;        /* 0: none */
    int64_t until_ms;
    struct str user;         /* as the client wrote it */
    struct str account;      /* address; "" if nobody can log in with this name */
    struct str verifier;     /* as stored: a new password since ends the exchange */
    struct str nonce;        /* the client's and ours */
    struct str client_first; /* client-first-message-bare */
    struct str server_first;
};

struct exchanges;
struct exchanges *exchanges_new(void);
void exchanges_free(struct exchanges *all);

/* A new one, to be filled in; strings go into its arena. Valid until the next call. */
struct exchange *exchanges_add(struct exchanges *all, int64_t now_ms);
/* The one with that id, which from now on is the caller's to exchange_free. False: there is none, or it is
 * too late. */
bool exchanges_take(struct exchanges *all, uint64_t id, int64_t now_ms, struct exchange *out);
void exchange_free(struct exchange *x);
#define CLEAN_EXCHANGE __attribute__((cleanup(exchange_free)))

#endif
