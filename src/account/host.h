/* What the parts of an account process share: the loop of its main thread, its store, and who it is. */
#ifndef ACCOUNT_HOST_H
#define ACCOUNT_HOST_H
#include "account/account.h"
#include "base/loop.h"
#include "mailbox/store.h"

#include <pthread.h>

struct host {
    const struct account_start *start;
    struct loop *loop;
    struct link *link;
    uint64_t received;             /* things that keeper has handed to this process */
    bool stopping;                 /* the server is going down */
    int control;                   /* the channel to keeper */
    struct loop_timer *linger;     /* NULL: not waiting; it rings at linger_ms or before */
    int64_t linger_ms;             /* when to ask keeper whether to leave */
    pthread_mutex_t store_channel; /* over start->store, on which further channels are asked for */
    struct store *store;           /* NULL until it is needed, or while it cannot be opened */
    int64_t store_failed_ms;
    struct err store_error;
    struct upkeep *upkeep;
};

/* The store, opened by the first who needs it; main thread only. NULL: it cannot be opened now (disk full, a
 * restore holds it); what wanted it is told to come again, and the next who asks tries again. */
struct store *host_store(struct host *h, struct err *e);

/* Tells keeper that there is nothing here that could not sleep, so that it says whether to leave. */
void host_offer_to_leave(struct host *h);

/* Something began or ended: the time until this process asks to leave counts anew. */
void host_touch(struct host *h);

#endif
