/* A role's process as the supervisor sees it: started, connected with others, started again. */
#ifndef SUPERVISOR_CHILD_H
#define SUPERVISOR_CHILD_H
#include "role/role.h"
#include "supervisor/supervisor.h"

#define CHILD_WAITING_MAX 256 /* channels kept for a role that is being restarted */

struct waiting_channel {
    int channel;
    enum role_kind client;
    uint32_t index;
};

struct child {
    enum role_kind kind;
    uint32_t index;
    pid_t pid; /* 0: not running */
    int control;
    /* Its lines for the trace: it has the second end, the role trace the first, each while it runs. Both are
     * also kept here, so that what was said is not lost with either. -1: it has none to say. */
    int trace[2];
    struct loop_channel *broker;
    bool ready;
    int64_t started_ms;
    unsigned early_deaths; /* in a row: what the pause before the next start grows with */
    struct waiting_channel waiting[CHILD_WAITING_MAX];
    size_t waiting_count;
};

struct child_start {
    role_main_fn *main;
    const struct config *config;
    struct tally *tally;        /* the smtp processes' */
    struct generation *changes; /* of the directory */
    uid_t uid;
    gid_t gid;
};

/* Forks it. In the child this never returns. *broker gets the supervisor's end of its broker socket. */
bool child_start(struct child *c, const struct child_start *s, int *broker, struct err *e);

/* Hands a client's channel to the role, or keeps it for when the role runs again. Takes `channel` over. */
void child_give_channel(struct child *c, int channel, enum role_kind client, uint32_t index);
/* What was kept. */
void child_give_waiting(struct child *c);

bool child_send(struct child *c,
                const struct ipc_frame *f); /* on control; false if it is not running or does not read */

/* The role is gone: closes what was held for it. Returns how long to wait before starting it again. */
int64_t child_died(struct child *c);

#endif
