/* The accounts that are awake: their processes, and what waits to be handed to them; and those that have
 * sessions asleep (keeper/parked.h). What is handed to an account either reaches its process or is refused to
 * whoever asked; nothing gets lost between:
 *
 *   asleep  -> awake    something is to be handed over: the process is forked, and gets all parked sessions
 *   awake   -> leaving  it has parked its sessions, said that it is idle, and seen all that was handed to it;
 *                       without any it may have stayed for a while, if there is room
 *   leaving -> asleep   it is gone; what came meanwhile wakes it again
 *   awake   -> asleep   it died; what it had not taken wakes it again, after a pause if it dies at once */
#ifndef KEEPER_AWAKE_H
#define KEEPER_AWAKE_H
#include "base/loop.h"
#include "role/role.h"

/* Processes. Each costs one to two megabytes; more people than that are served by more machines. */
#define AWAKE_MAX 4096

struct errand {
    struct errand *next;
    uint64_t client; /* serial of the channel that gets the answer */
    uint32_t request;
    struct deadline until;
    char *address;          /* of the account, for its title */
    struct ipc_frame frame; /* for the account */
    int handed_fd;          /* the descriptor in it; owned */
    int answer_fd;          /* goes back with the answer; owned, -1: none */
};
struct errand *errand_new(uint16_t account_frame, const struct loop_channel *client, uint32_t request,
                          struct str address);

struct awake;
struct sandbox_filter;
struct awake_handlers {
    void (*gone)(void *context); /* a process has ended */
    /* an account's process has sent a frame that is not about waking and sleeping */
    void (*asks)(void *context, int64_t account, const char *address, struct loop_channel *c,
                 struct ipc_frame *f);
};
/* `dir` holds the accounts' folders; `filter` is theirs. At most `parked_max` sessions sleep. Lives as
 * long as the process. */
struct awake *awake_new(struct role *r, struct loop *l, const char *dir, const struct sandbox_filter *filter,
                        size_t parked_max, const struct awake_handlers *handlers, void *context);

/* The role has a new config: whoever wakes from now on has it too. */
void awake_reconfigure(struct awake *a);

/* Takes the errand over: it is carried out, or refused, now or before its deadline. */
void awake_hand(struct awake *a, int64_t account, struct errand *errand);

size_t awake_count(const struct awake *a); /* processes */
void awake_stop(struct awake *a); /* tells all, and whoever wakes from now on, that the end is near */
void awake_kill(struct awake *a); /* those that did not go */

#endif
