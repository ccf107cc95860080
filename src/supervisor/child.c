#include "supervisor/child.h"

#include "base/generation.h"
#include "base/log.h"
#include "base/tally.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONTROL_SEND_MS 1000 /* a role that does not read its control socket for so long is stuck */
#define EARLY_DEATH_MS \
    (10 * (int64_t)1000) /* a role that lived shorter than this waits before it starts again */
#define RESTART_FIRST_MS   200
#define RESTART_LONGEST_MS (30 * (int64_t)1000)

/* The descriptors of a role: 0 and 1 /dev/null, 2 the log, and these. */
enum { CONTROL_FD = 3, BROKER_FD = 4, TRACE_FD = 5, FIRST_FREE_FD = 6 };
#define MOVED_FD 10 /* and over: where those are moved to first, so that none is overwritten */

static _Noreturn void run(struct child *c, const struct child_start *s, int control, int broker)
{
    int high_control = fcntl(control, F_DUPFD_CLOEXEC, MOVED_FD);
    int high_broker = fcntl(broker, F_DUPFD_CLOEXEC, MOVED_FD);
    int high_trace = c->trace[1] < 0 ? -1 : fcntl(c->trace[1], F_DUPFD_CLOEXEC, MOVED_FD);
    bool traces = high_trace >= 0;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 ||
        dup3(high_control, CONTROL_FD, O_CLOEXEC) < 0 || dup3(high_broker, BROKER_FD, O_CLOEXEC) < 0 ||
        (traces && dup3(high_trace, TRACE_FD, O_CLOEXEC) < 0) ||
        close_range(traces ? FIRST_FREE_FD : TRACE_FD, ~0u, 0) < 0)
        log_die("role.start", "cannot arrange descriptors: %s", strerror(errno));
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGINT, SIG_IGN); /* Ctrl-C and systemd tell the whole group; the supervisor tells us, in order */
    signal(SIGTERM, SIG_IGN);
    struct role role = {.kind = c->kind,
                        .index = c->index,
                        .config = s->config,
                        .tally = s->tally,
                        .changes = s->changes,
                        .control = CONTROL_FD,
                        .broker = BROKER_FD,
                        .uid = s->uid,
                        .gid = s->gid};
    if (c->kind != ROLE_SMTP) {
        tally_free(role.tally);
        role.tally = NULL;
    }
    if (c->kind != ROLE_SMTP && c->kind != ROLE_DIRECTORY) {
        generation_free(role.changes);
        role.changes = NULL;
    }
    log_identify(role_name(c->kind));
    log_trace(traces ? TRACE_FD : -1);
    role_title(c->kind, NULL);
    exit(s->main(&role));
}

bool child_start(struct child *c, const struct child_start *s, int *broker_end, struct err *e)
{
    int control[2], broker[2];
    if (!ipc_pair(control))
        return err_set(e, ERR_TEMPORARY, "no socketpair for %s: %s", role_name(c->kind), strerror(errno));
    if (!ipc_pair(broker)) {
        close(control[0]);
        close(control[1]);
        return err_set(e, ERR_TEMPORARY, "no socketpair for %s: %s", role_name(c->kind), strerror(errno));
    }
    pid_t pid = fork();
    if (pid == 0)
        run(c, s, control[1], broker[1]);
    close(control[1]);
    close(broker[1]);
    if (pid < 0) {
        close(control[0]);
        close(broker[0]);
        return err_set(e, ERR_TEMPORARY, "cannot fork %s: %s", role_name(c->kind), strerror(errno));
    }
    c->pid = pid;
    c->control = control[0];
    c->started_ms = clock_ms();
    c->ready = false;
    *broker_end = broker[0];
    return true;
}

bool child_send(struct child *c, const struct ipc_frame *f)
{
    return c->pid > 0 && ipc_send(c->control, f, deadline_in(CONTROL_SEND_MS)) == IPC_OK;
}

static bool give_now(struct child *c, const struct waiting_channel *w)
{
    CLEAN_FRAME struct ipc_frame f;
    ipc_frame_init(&f, ROLE_FRAME_CHANNEL);
    ipc_put_u32(&f, w->client);
    ipc_put_u32(&f, w->index);
    ipc_put_fd(&f, w->channel);
    return child_send(c, &f);
}

void child_give_channel(struct child *c, int channel, enum role_kind client, uint32_t index)
{
    struct waiting_channel w = {channel, client, index};
    if (c->pid == 0 && c->waiting_count < CHILD_WAITING_MAX) {
        c->waiting[c->waiting_count++] = w;
        return;
    }
    if (!give_now(c, &w))
        LOG_WARNING("role.channel.lost", F_C("to", role_name(c->kind)), F_C("from", role_name(client)));
    close(channel); /* ours; the role has its own now, or the client sees the end and asks again */
}

void child_give_waiting(struct child *c)
{
    for (size_t i = 0; i < c->waiting_count; i++) {
        give_now(c, &c->waiting[i]);
        close(c->waiting[i].channel);
    }
    c->waiting_count = 0;
}

int64_t child_died(struct child *c)
{
    close(c->control);
    c->control = -1;
    c->pid = 0;
    if (clock_ms() - c->started_ms >= EARLY_DEATH_MS) {
        c->early_deaths = 0;
        return 0;
    }
    int64_t pause =
        c->early_deaths == 0 ? 0 : RESTART_FIRST_MS << (c->early_deaths < 10 ? c->early_deaths : 10);
    c->early_deaths++;
    return pause < RESTART_LONGEST_MS ? pause : RESTART_LONGEST_MS;
}
