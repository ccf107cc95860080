/* What the supervisor's files share: its state. */
#ifndef SUPERVISOR_PARTS_H
#define SUPERVISOR_PARTS_H
#include "base/loop.h"
#include "config/config.h"
#include "supervisor/child.h"
#include "supervisor/listeners.h"
#include "supervisor/material.h"
#include "supervisor/order.h"

#define CHILDREN_MAX (2 * CONFIG_WORKERS_MAX + ROLE_COUNT)

struct supervisor {
    const char *config_path;
    role_main_fn *const *mains;
    const struct config *config;
    struct loop *loop;
    int signals;
    struct listeners listeners;
    struct material material;
    struct tally *tally;        /* outlives every smtp process */
    uint64_t counts_saved;      /* of it: counts.h */
    struct generation *changes; /* of the directory */
    uid_t uid;
    gid_t gid;
    struct child children[CHILDREN_MAX];
    size_t count;
    bool has_started; /* every role was ready once */
    bool stopping;
    enum stop_step step; /* while stopping */
    struct loop_timer *step_timer;
    int exit_code;
};

/* Whom a broker channel or a timer is about. */
struct child_of {
    struct supervisor *s;
    struct child *c;
};

/* --- provide.c: what roles are given. What a child cannot take now it gets when it starts again. --- */

/* A gate: all listening sockets, which replace what it has; none after they are closed. */
void provide_listeners(struct supervisor *s, struct child *gate);
/* A gate: certificate, key, and the key of TLS tickets. */
void provide_material(struct supervisor *s, struct child *gate);
/* trace: the ends where it reads what each of the others says. */
void provide_traces(struct supervisor *s, struct child *trace);
/* Makes the pair over which c says it; both ends -1 for roles that say nothing. */
void provide_trace_of(struct child *c);
void provide_config(struct supervisor *s, struct child *c);

/* --- broker.c: who may talk with whom --- */

/* Answers what c asks for over `broker` from now on. */
void broker_serve(struct supervisor *s, struct child *c, int broker);

/* --- stopping.c --- */

/* Nobody new comes in, and the steps of stopping begin. Again: nothing. */
void stopping_begin(struct supervisor *s);
/* A role has ended while all stop: goes on to the next step when it was the last of its own; ends the loop
 * after the last step. */
void stopping_go_on(struct supervisor *s);

#endif
