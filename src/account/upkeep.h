/* What an account does for itself, in a thread, while it has nothing better to do: removes what was expunged
 * long ago, and makes the keys and the index of what has come (mailbox/search.h). Main thread only. */
#ifndef ACCOUNT_UPKEEP_H
#define ACCOUNT_UPKEEP_H
#include "account/host.h"

struct upkeep;
/* `over` is called when work that upkeep_before_leaving() waited for has ended. */
struct upkeep *upkeep_new(struct host *h, void (*over)(void *context), void *context);

/* The store was opened. */
void upkeep_start(struct upkeep *u);
bool upkeep_is_busy(const struct upkeep *u); /* a thread uses the store */

/* The process would leave. True: there is something to do first, and it has begun. */
bool upkeep_before_leaving(struct upkeep *u);

#endif
