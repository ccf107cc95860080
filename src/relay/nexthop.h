/* Where jobs go that may share connections (route_key), and those that wait for a thread there. Not safe from
 * several threads: the crew's lock is held. */
#ifndef RELAY_NEXTHOP_H
#define RELAY_NEXTHOP_H
#include "base/clock.h"
#include "relay/job.h"

struct member; /* a thread: relay/crew.c */

/* Exists while it has a job or a thread. */
struct nexthop {
    struct nexthop *next;
    struct str key; /* owned */
    struct relay_job *first, **last;
    unsigned waiting;       /* jobs; while there are any, nobody rests */
    unsigned threads;       /* that are here */
    struct member *resting; /* those of them that have nothing to do, the last one first */
    struct deadline failing_until;
    enum queue_fate failing_fate;
    char failing_reply[QUEUE_REPLY_MAX + 1];
};

/* Made where there is none yet. */
struct nexthop *nexthop_find(struct nexthop **all, struct str key);
void nexthop_drop_if_unused(struct nexthop **all, struct nexthop *n);

void nexthop_add(struct nexthop *n, struct relay_job *j);
struct relay_job *nexthop_take(struct nexthop *n); /* NULL: none waits */

/* Whether one more thread would have something to do, and `most` allow it. */
bool nexthop_may_grow(const struct nexthop *n, unsigned most);
/* One with jobs that only wants for a thread; NULL: none. */
struct nexthop *nexthop_find_starving(struct nexthop *all, unsigned most);

#endif
