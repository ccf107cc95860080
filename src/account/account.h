/* The account process as keeper forks it: one a mailbox owner who is awake. It serves that person's sessions
 * and takes deliveries, over one store; it can open its own folder and nothing else. */
#ifndef ACCOUNT_ACCOUNT_H
#define ACCOUNT_ACCOUNT_H
#include "base/sandbox.h"
#include "config/config.h"

struct account_start {
    int64_t id;
    const char *address; /* canonical, for the title, the log and the sessions */
    const char *dir;     /* its folder; made if missing */
    int store; /* a channel to the store role, where that keeps the mail; then there is no folder. Else -1 */
    int control; /* to keeper: frames of enum keeper_account_frame */
    const struct config *config;
    const struct sandbox_filter *filter; /* of ACCOUNT_RIGHTS, compiled once by keeper */
};
#define ACCOUNT_RIGHTS            SANDBOX_FILES
#define ACCOUNT_RIGHTS_WITH_STORE 0u

/* With nothing to do it asks keeper whether to leave, again and again, so often in [mailbox] stay_awake.
 * keeper lets it go at the last, or at the first where there is no room for it (keeper/awake.c): that is long
 * enough for a client that opens several sessions one after another, or a burst of mail, to meet a process
 * that runs. */
#define ACCOUNT_OFFERS 6

/* Once, in the process that forks accounts: what would be the same work in each of them. */
void account_prepare(void);

/* Runs until keeper says leave, or is gone. Returns the exit code. Call in a fresh process with one thread.
 */
int account_main(const struct account_start *start);

#endif
