/* What `golub queue` and mailq do, straight on the database: the server may run or not. A running queue
 * notices within a second. However many messages there are, a page of them is in memory. */
#ifndef QUEUE_ADMIN_H
#define QUEUE_ADMIN_H
#include "base/arena.h"
#include "config/config.h"

enum queue_state {
    QUEUE_STATE_WAITING = 0, /* to be tried at next_attempt */
    QUEUE_STATE_SENT = 1,
    QUEUE_STATE_FAILED = 2, /* for good; the sender has been told */
    QUEUE_STATE_HELD = 3,   /* an administrator's hand is on it */
};

/* Which recipients of which messages. Patterns have * for any bytes and ? for one; case does not count. */
struct queue_admin_filter {
    int64_t id;                                   /* of a message; QUEUE_ADMIN_ANY */
    const char *sender, *recipient, *destination; /* NULL: any. The sender <> is "" */
};
#define QUEUE_ADMIN_ANY 0
bool queue_admin_matches(const char *pattern, struct str text);

struct queue_admin_recipient {
    struct str address;
    struct str destination; /* the domain; "" for an account here */
    enum queue_state state;
    unsigned attempts;
    int64_t
        next_attempt; /* seconds since 1970; a moment that has passed: under way, or as soon as possible */
    struct str host, reply; /* of the last attempt; "" before it */
};

struct queue_admin_attempt {
    struct str address, host, reply;
    struct str transcript; /* see queue/queue.h; "" where another recipient's attempt has it */
    int64_t at;
};

struct queue_admin_message {
    int64_t id;
    struct str sender; /* "" for <> */
    uint64_t size;
    int64_t arrived;
    struct queue_admin_recipient *recipients;
    size_t recipient_count;
    /* queue_admin_show only */
    struct queue_admin_attempt *attempts; /* oldest first */
    size_t attempt_count;
    struct str header; /* of the message, at most QUEUE_ADMIN_HEADER_MAX bytes */
};

#define QUEUE_ADMIN_HEADER_MAX ((size_t)64 * 1024)

/* Calls `each` for every message of which a recipient matches, with those that do, oldest first; what it gets
 * is valid during the call. At most `limit` messages; *more says that there are further ones. */
bool queue_admin_list(const struct config *c, const struct queue_admin_filter *f, size_t limit,
                      void (*each)(void *context, const struct queue_admin_message *m), void *context,
                      bool *more, struct err *e);

/* ERR_PERMANENT: there is no such message (any more). */
bool queue_admin_show(const struct config *c, int64_t id, struct arena *a, struct queue_admin_message *out,
                      struct err *e);

struct queue_admin_destination {
    struct str domain; /* "" for accounts here */
    uint64_t waiting, held;
    int64_t next_attempt; /* the soonest of those who wait; 0: none does */
};
/* Every destination that somebody waits for, in the order of their names. */
bool queue_admin_destinations(const struct config *c,
                              void (*each)(void *context, const struct queue_admin_destination *d),
                              void *context, struct err *e);

enum queue_admin_action {
    QUEUE_ADMIN_HOLD,     /* who waits is not tried until released */
    QUEUE_ADMIN_RELEASE,  /* who is held is tried now */
    QUEUE_ADMIN_RETRY,    /* who waits is tried now */
    QUEUE_ADMIN_DROP,     /* gone, and the sender is told nothing */
    QUEUE_ADMIN_REDIRECT, /* to another address, as the directory has it, instead */
    QUEUE_ADMIN_ACTIONS,
};
/* What was done to one recipient. */
struct queue_admin_change {
    int64_t message;
    struct str delivery; /* the id, 16 bytes */
    struct str sender, address;
};
struct queue_admin_counts {
    size_t messages, recipients;
};
/* For every recipient that matches, waits or is held, and to whom it can be done. In transactions of some
 * hundred. `to`: the address of a redirection. `each` is told when it is on disk. ERR_PERMANENT: the filter
 * names a message that is not there. */
bool queue_admin_change(const struct config *c, enum queue_admin_action action,
                        const struct queue_admin_filter *f, struct str to,
                        void (*each)(void *context, const struct queue_admin_change *change), void *context,
                        struct queue_admin_counts *counts, struct err *e);

#endif
