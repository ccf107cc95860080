/* How the sessions of an account reach the processes of other accounts: through keeper, over the control
 * socket that the main thread reads. A session's thread asks and waits; the main thread brings the answer. */
#ifndef ACCOUNT_LINK_H
#define ACCOUNT_LINK_H
#include "account/session.h"

struct link;
struct link *link_new(int control); /* lent; lives as long as the process */
struct account_link *link_of_sessions(struct link *l);

/* Main thread: a frame of keeper that answers a question. False: it answers none. */
bool link_take(struct link *l, struct ipc_frame *f);

#endif
