/* Where account processes come from: a process that keeper forks before it holds anything of anybody's. A
 * fork of keeper itself would take along the descriptors of all sessions that sleep (closing 10,000 takes 5
 * to 10 ms), and bytes that are no business of the account's. Calls block for as long as a fork takes. */
#ifndef KEEPER_NURSERY_H
#define KEEPER_NURSERY_H
#include "base/err.h"

#include <sys/types.h>

struct role;
struct sandbox_filter;

struct nursery;
/* `dir` holds the accounts' folders; `filter` is theirs. Should it have to be started again, `forget` is
 * called in the new process, which is then a fork of keeper as it is: it wipes what belongs to others. Lives
 * as long as keeper. */
struct nursery *nursery_new(struct role *r, const char *dir, const struct sandbox_filter *filter,
                            void (*forget)(void *context), void *context);

/* From now on accounts are born with r->config. */
void nursery_reconfigure(struct nursery *n);

/* A new account process (account/account.h). Both descriptors are lent; `store` is -1 where the mail is in
 * files. */
struct nursery_birth {
    int64_t account;
    const char *address;
    int control, store;
};
bool nursery_bear(struct nursery *n, const struct nursery_birth *b, pid_t *pid, struct err *e);

/* Kills it, if it has not ended, and returns its status as waitpid has it. Once for each that was born: until
 * then nobody else gets its number. */
int nursery_bury(struct nursery *n, pid_t pid);

#endif
