/* When a message is tried again, and when that ends. Pure arithmetic; times are seconds since 1970. */
#ifndef QUEUE_SCHEDULE_H
#define QUEUE_SCHEDULE_H
#include <stdbool.h>
#include <stdint.h>

struct config;
struct schedule {
    int64_t first_s, most_s; /* the first pause; each is double the one before it, up to the most */
    int64_t lifetime_s;      /* RFC 5321 section 4.5.4.1: at least 4 to 5 days */
    int64_t warn_s;          /* the sender is told of a delay after this; 0: never */
};
struct schedule schedule_of(const struct config *c);

/* The next attempt after one that ended at `now`, the `attempts`-th (from 1). Up to an eighth is added to the
 * pause, by `random`, so that messages which failed together do not come back together. Never after the
 * message's end: the last attempt is made then. */
int64_t schedule_next(const struct schedule *s, int64_t arrived, unsigned attempts, int64_t now,
                      uint32_t random);

bool schedule_is_over(const struct schedule *s, int64_t arrived, int64_t now);
bool schedule_is_late(const struct schedule *s, int64_t arrived, int64_t now); /* time to warn */

#endif
