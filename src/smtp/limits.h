/* How much a client may do: golub.conf's [limit address], [limit network] and [limit account], counted in the
 * table that all smtp processes share (base/tally.h). A client is counted by its address and its network;
 * once it has authenticated, by its account alone, wherever it is, and by what was set of that account where
 * golub account limit or golub domain limit says more. */
#ifndef SMTP_LIMITS_H
#define SMTP_LIMITS_H
#include "config/config.h"
#include "directory/directory.h"

/* An address is known for so long after a message of its was accepted without a refusal, or its user logged
 * in. */
#define LIMITS_KNOWN_S ((int64_t)30 * 86400)

struct limits {
    struct tally *tally; /* NULL: nothing is counted: a trusted client, or no address that can be */
    unsigned holder;
    const struct config *config;
    uint64_t keys[LIMIT_SCOPES];
    int64_t account;                      /* 0: not authenticated */
    const struct directory_settings *own; /* of the account; NULL before there is one */
    unsigned held;                        /* scopes that hold one of `connections`, as bits */
};

/* `tally` may be NULL. A client of [smtp] trusted is not counted. */
void limits_init(struct limits *l, struct tally *tally, unsigned holder, const struct config *config,
                 const char *peer);

/* One more of `connections` in every scope that the client is counted in and does not hold yet. NULL, or the
 * scope that is full, in words ("your address"); what was taken is held until limits_let_go. */
const char *limits_hold(struct limits *l);
void limits_let_go(struct limits *l);

/* One more of a rate: NULL, or as limits_hold; then those that could be counted have been. */
const char *limits_take(struct limits *l, enum limit_rate rate);

/* From here on it is that account that is counted. What *own says counts from the next call on; it stays the
 * caller's, and may change. */
void limits_set_account(struct limits *l, int64_t account, const struct directory_settings *own);

/* What holds for the account. */
struct tally_limit limits_of_account(const struct limits *l, enum limit_rate rate, bool *is_own);

bool limits_is_known(const struct limits *l); /* trusted, or known by its address */
void limits_make_known(struct limits *l);

/* Once for each account and network in an hour: true if that is a further network than the account may log in
 * from
 * ([limit account] networks). */
bool limits_is_everywhere(struct limits *l);

/* True once for each account and day: postmaster is to be told. */
bool limits_tells_today(struct limits *l);

#endif
