/* What `golub queue` does, straight on the database: the server may run or not. A running queue notices
 * within a second. */
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

struct queue_admin_recipient {
    struct str address;
    enum queue_state state;
    unsigned attempts;
    int64_t
        next_attempt; /* seconds since 1970; a moment that has passed: under way, or as soon as possible */
    struct str host, reply; /* of the last attempt; "" before it */
};

struct queue_admin_attempt { /* one that has to be repeated */
    struct str address, host, reply;
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

/* Calls `each` for every message, oldest first; what it gets is valid during the call. */
bool queue_admin_list(const struct config *c,
                      void (*each)(void *context, const struct queue_admin_message *m), void *context,
                      struct err *e);

/* ERR_PERMANENT: there is no such message (any more). */
bool queue_admin_show(const struct config *c, int64_t id, struct arena *a, struct queue_admin_message *out,
                      struct err *e);

/* QUEUE_ADMIN_ALL for `id` means every message. *count: how many messages it concerned.
 * Retry: what waits is due now. Drop: gone, and the sender is told nothing. */
#define QUEUE_ADMIN_ALL 0
bool queue_admin_retry(const struct config *c, int64_t id, size_t *count, struct err *e);
bool queue_admin_drop(const struct config *c, int64_t id, size_t *count, struct err *e);

#endif
