/* What the sender must be told of though nobody tried: mail for a destination that is left alone grows old,
 * and its deadline passes, without an attempt that would bring it up. Messages stand in the table in the
 * order in which they came, so that a cursor there comes by each of them once when it is late, and once when
 * it is over. */
#ifndef QUEUE_OVERDUE_H
#define QUEUE_OVERDUE_H
#include "queue/outcome.h"
#include "queue/schedule.h"

struct overdue {              /* zeroed memory begins with the oldest message */
    int64_t late, over;       /* recipients up to here have been told of a delay; given up */
    int64_t late_at, over_at; /* the next one is not before that moment */
};

struct overdue_round {
    struct plan *plan;
    struct sql *db;
    const struct schedule *schedule;
    int64_t now;
    void (*add)(void *context, struct outcome *o); /* takes it over; its `is_overdue` is set */
    void *context;
};
/* A bounded piece of work. False: the table could not be read; try again later. */
bool overdue_look(struct overdue *w, const struct overdue_round *q, struct err *e);

/* Its last attempt should have been a while ago: it is not to be tried any more. */
bool overdue_is_over(const struct schedule *s, int64_t arrived, int64_t now);

#endif
