/* The threads of queue that deliver to local accounts and look up where reports go: such calls block. Each
 * thread takes one job at a time; there are as many as jobs that are given. */
#ifndef QUEUE_LOCAL_H
#define QUEUE_LOCAL_H
#include "base/loop.h"
#include "queue/outcome.h"

/* Jobs at once. A few, so that one account that does not answer (DELIVERY_TIMEOUT_MS) does not hold up the
 * others. */
#define LOCAL_JOBS_MAX 4

struct role;
struct local;
/* `done` is called in the loop's thread and takes the outcome over. */
struct local *local_new(struct role *r, struct loop *l, void (*done)(void *context, struct outcome *o),
                        void *context);
/* The caller leaves the job and its letter, with the message's descriptor, alone until it is done. At most
 * LOCAL_JOBS_MAX at once. */
void local_start(struct local *l, struct job *j);

#endif
