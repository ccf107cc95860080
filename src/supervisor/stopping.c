#include "base/log.h"
#include "supervisor/notify.h"
#include "supervisor/parts.h"

#include <signal.h>

/* How long a step of stopping may take: a large message over a slow line may be half way. Four steps, so less
 * than the 90 s that systemd gives. */
#define STOP_STEP_MS (10 * 1000)

static void kill_step(void *context)
{
    struct supervisor *s = context;
    s->step_timer = NULL;
    for (size_t i = 0; i < s->count; i++)
        if (s->children[i].pid > 0 && order_stops(s->children[i].kind) == s->step) {
            LOG_WARNING("role.killed", F_C("role", role_name(s->children[i].kind)),
                        F_C("why", "did not stop in time"));
            kill(s->children[i].pid, SIGKILL);
        }
}

/* Tells the roles of the current step to stop; goes on to the next where none is left, and after the last one
 * ends. */
static void stop_step(struct supervisor *s)
{
    CLEAN_FRAME struct ipc_frame f;
    ipc_frame_init(&f, ROLE_FRAME_STOP);
    for (size_t told = 0; s->step < STOP_STEPS; s->step++) {
        for (size_t i = 0; i < s->count; i++)
            if (s->children[i].pid > 0 && order_stops(s->children[i].kind) == s->step) {
                child_send(&s->children[i], &f);
                told++;
            }
        if (told > 0) {
            s->step_timer = loop_timer(s->loop, STOP_STEP_MS, kill_step, s);
            return;
        }
    }
    loop_stop(s->loop);
}

static bool step_is_done(const struct supervisor *s)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->children[i].pid > 0 && order_stops(s->children[i].kind) == s->step)
            return false;
    return true;
}

void stopping_begin(struct supervisor *s)
{
    if (s->stopping)
        return;
    s->stopping = true;
    LOG_INFO("stopping", F_INT("roles", s->count));
    notify("STOPPING=1");
    listeners_close(&s->listeners);
    for (size_t i = 0; i < s->count; i++)
        if (s->children[i].kind == ROLE_GATE)
            provide_listeners(s, &s->children[i]); /* an empty set: nobody new comes in */
    stop_step(s);
}

void stopping_go_on(struct supervisor *s)
{
    if (!step_is_done(s))
        return;
    if (s->step_timer)
        loop_timer_cancel(s->step_timer);
    s->step_timer = NULL;
    s->step++;
    stop_step(s);
}
