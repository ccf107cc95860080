/* Writes down what became of a job: who has it, who is tried again and when, who never will, and what the
 * sender is told about it. */
#ifndef QUEUE_RECORD_H
#define QUEUE_RECORD_H
#include "queue/outcome.h"
#include "queue/report.h"

/* Within a transaction. On true, o->wakes are the destinations that have somebody waiting now, to be told to
 * the plan after the commit. May be repeated after a rollback. */
bool record_outcome(const struct queue_round *q, struct outcome *o, struct err *e);

/* As most messages go: everybody has it at the first attempt, and nobody wants to know. Then there is nothing
 * to write down but that it is gone. */
bool record_is_whole(const struct outcome *o);

#endif
