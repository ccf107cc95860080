/* The sessions of this account: a thread each, over one store. */
#ifndef ACCOUNT_SESSIONS_H
#define ACCOUNT_SESSIONS_H
#include "account/host.h"

/* Of one person, over all devices: Dovecot's bound is 10 an address; a dozen devices with several IDLEs each
 * are real. Each is a thread with its stack. */
#define SESSIONS_PER_ACCOUNT_MAX 100

struct sessions;
struct sessions *sessions_new(struct host *h); /* lives as long as the process */

/* Starts the one in an ACCOUNT_FRAME_SESSION. One that cannot be served is told so in its protocol's words.
 * False: the frame is none. */
bool sessions_start(struct sessions *all, struct ipc_frame *f);
/* The same for one that slept, in an ACCOUNT_FRAME_THAW: keeper is told that it is taken. */
bool sessions_thaw(struct sessions *all, struct ipc_frame *f);
size_t sessions_count(const struct sessions *all);
void sessions_stop(struct sessions *all); /* each says goodbye at its next command boundary */

/* --- sleeping --- */
/* In how many milliseconds all of them could have been quiet for long enough to sleep; 0: now; -1: there are
 * some that never will. */
int64_t sessions_quiet_in(const struct sessions *all);
/* Freezes all, gives them to keeper and offers to leave; or goes on, when one of them is at work again or the
 * store has changed meanwhile. */
void sessions_park(struct sessions *all);
/* Something else has come: those that are frozen already go on. */
void sessions_stay(struct sessions *all);

#endif
