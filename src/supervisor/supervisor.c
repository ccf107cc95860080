#include "supervisor/supervisor.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/sandbox.h"
#include "base/sealed.h"
#include "base/tally.h"
#include "config/config.h"
#include "supervisor/child.h"
#include "supervisor/listeners.h"
#include "supervisor/local_socket.h"
#include "supervisor/material.h"
#include "supervisor/notify.h"
#include "supervisor/places.h"

#include <errno.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define CHILDREN_MAX (2 * CONFIG_WORKERS_MAX + ROLE_COUNT)
/* How long a step of stopping may take: a large message over a slow line may be half way. Four steps, so less
 * than the 90 s that systemd gives. */
#define STOP_STEP_MS (10 * 1000)
#define FILES_WANTED 65536
#define TRACE_ROOM   ((int)4 << 20) /* bytes of a role's lines on their way to trace: some 3,000 lines */

/* The order of starting; and of stopping, in steps: first who takes and makes work, then the accounts, which
 * their last deliveries still needed, then who served all of them, and then who kept what all of them wrote
 * and said. */
enum stop_step { STOP_FIRST, STOP_ACCOUNTS, STOP_LAST, STOP_STORE, STOP_STEPS };
static const struct {
    enum role_kind kind;
    bool per_worker;
    enum stop_step stops;
} ROLES[] = {
    {ROLE_STORE, false, STOP_STORE}, /* only where there is something for it: has_role */
    {ROLE_TRACE, false, STOP_STORE},     {ROLE_DIRECTORY, false, STOP_LAST}, {ROLE_DNS, false, STOP_LAST},
    {ROLE_KEEPER, false, STOP_ACCOUNTS}, {ROLE_QUEUE, false, STOP_LAST},     {ROLE_RELAY, false, STOP_FIRST},
    {ROLE_SMTP, true, STOP_FIRST},       {ROLE_LOGIN, false, STOP_FIRST},    {ROLE_GATE, true, STOP_LAST},
    {ROLE_PICKUP, false, STOP_FIRST},
};

struct supervisor {
    const char *config_path;
    role_main_fn *const *mains;
    const struct config *config;
    struct loop *loop;
    int signals;
    struct listeners listeners;
    struct material material;
    struct tally *tally; /* outlives every smtp process */
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

/* What a broker channel and a restart timer are about. */
struct child_of {
    struct supervisor *s;
    struct child *c;
};

static void start_child(struct supervisor *s, struct child *c);

/* --- gates get sockets and certificates --- */

static void send_listeners(struct supervisor *s, struct child *gate)
{
    for (size_t at = 0; at < s->listeners.n || at == 0;) {
        size_t n = s->listeners.n - at < IPC_FDS_MAX ? s->listeners.n - at : IPC_FDS_MAX;
        CLEAN_FRAME struct ipc_frame f;
        ipc_frame_init(&f, ROLE_FRAME_LISTENERS);
        ipc_put_u8(&f, at == 0);
        ipc_put_u32(&f, (uint32_t)n);
        for (size_t i = at; i < at + n; i++) {
            ipc_put_u32(&f, s->listeners.v[i].where.service);
            ipc_put_fd(&f, s->listeners.v[i].fd);
        }
        child_send(gate, &f);
        if (n == 0)
            return;
        at += n;
    }
}

static void send_material(struct supervisor *s, struct child *gate)
{
    CLEAN_FRAME struct ipc_frame f;
    ipc_frame_init(&f, ROLE_FRAME_TLS);
    ipc_put_str(&f, str_from(s->material.ticket_key, sizeof s->material.ticket_key));
    ipc_put_fd(&f, s->material.certificate);
    ipc_put_fd(&f, s->material.key);
    child_send(gate, &f);
}

/* --- the trace gets what the others say --- */

static void send_traces(struct supervisor *s, struct child *trace)
{
    for (size_t i = 0; i < s->count; i++) {
        if (s->children[i].trace[0] < 0)
            continue;
        CLEAN_FRAME struct ipc_frame f;
        ipc_frame_init(&f, ROLE_FRAME_TRACE);
        ipc_put_u32(&f, s->children[i].kind);
        ipc_put_fd(&f, s->children[i].trace[0]);
        child_send(trace, &f);
    }
}

/* Room for what is said while trace starts or writes: as much as the kernel gives, and as root all of it. */
static void make_trace(struct child *c)
{
    int wanted = TRACE_ROOM;
    c->trace[0] = c->trace[1] = -1;
    if (c->kind == ROLE_TRACE || c->kind == ROLE_STORE || !ipc_pair(c->trace))
        return;
    if (setsockopt(c->trace[1], SOL_SOCKET, SO_SNDBUFFORCE, &wanted, sizeof wanted) < 0)
        setsockopt(c->trace[1], SOL_SOCKET, SO_SNDBUF, &wanted, sizeof wanted);
}

static void send_config(struct supervisor *s, struct child *c)
{
    struct err e = ERR_INIT;
    CLEAN_CLOSE int fd = sealed_from("golub.conf", s->config->text, &e);
    if (fd < 0) {
        LOG_ERROR("config.not_sent", F_C("to", role_name(c->kind)), F_C("error", e.text));
        return;
    }
    CLEAN_FRAME struct ipc_frame f;
    ipc_frame_init(&f, ROLE_FRAME_CONFIG);
    ipc_put_str(&f, str_from_c(s->config_path));
    ipc_put_fd(&f, fd);
    child_send(c, &f);
}

static enum stop_step step_of(const struct child *c)
{
    for (size_t r = 0; r < sizeof ROLES / sizeof *ROLES; r++)
        if (ROLES[r].kind == c->kind)
            return ROLES[r].stops;
    return STOP_LAST;
}

/* --- connecting roles --- */

static struct child *choose(struct supervisor *s, uint32_t kind, uint32_t index)
{
    static uint32_t turn;
    struct child *of_kind[CHILDREN_MAX];
    size_t n = 0;
    for (size_t i = 0; i < s->count; i++)
        if ((uint32_t)s->children[i].kind == kind)
            of_kind[n++] = &s->children[i];
    if (n == 0 || (index != ROLE_ANY && index >= n))
        return NULL;
    return of_kind[index == ROLE_ANY ? turn++ % n : index];
}

static void connect_child(struct supervisor *s, struct child *asking, struct loop_channel *broker,
                          struct ipc_frame *f)
{
    struct ipc_reader in = ipc_read(f);
    uint32_t kind = ipc_get_u32(&in), index = ipc_get_u32(&in);
    bool may = ipc_done(&in) && kind < ROLE_COUNT && role_may_connect(asking->kind, (enum role_kind)kind);
    struct child *to = may ? choose(s, kind, index) : NULL;
    int ends[2] = {-1, -1};
    CLEAN_FRAME struct ipc_frame answer;
    ipc_frame_init(&answer, ROLE_FRAME_CHANNEL);
    answer.id = f->id;
    if (!may)
        LOG_ERROR("role.connect.refused", F_C("from", role_name(asking->kind)), F_INT("to", kind));
    else if (to && (!s->stopping || step_of(to) > s->step) && ipc_pair(ends))
        ipc_put_fd(&answer, ends[0]);
    if (ends[1] >= 0)
        child_give_channel(to, ends[1], asking->kind, asking->index);
    ipc_send(loop_channel_fd(broker), &answer, deadline_in(1000));
    mem_clean_close(&ends[0]);
}

static void connect_socket(struct supervisor *s, const struct child *asking, struct loop_channel *broker,
                           const struct ipc_frame *f)
{
    struct ipc_reader in = ipc_read(f);
    struct str path = ipc_get_str(&in);
    struct err e = ERR_INIT;
    CLEAN_FRAME struct ipc_frame answer;
    bool may = ipc_done(&in) && asking->kind == ROLE_RELAY;
    CLEAN_CLOSE int fd = may ? local_socket_connect(s->config, path, &e) : -1;
    ipc_frame_init(&answer, ROLE_FRAME_CHANNEL);
    answer.id = f->id;
    if (!may)
        LOG_ERROR("role.connect.refused", F_C("from", role_name(asking->kind)), F_STR("to", path));
    if (fd >= 0)
        ipc_put_fd(&answer, fd);
    else
        ipc_put_str(&answer, str_from_c(may ? e.text : "only relay may ask"));
    ipc_send(loop_channel_fd(broker), &answer, deadline_in(1000));
}

static void all_are_ready(struct supervisor *s)
{
    for (size_t i = 0; i < s->count; i++)
        if (!s->children[i].ready)
            return;
    if (!s->has_started) {
        LOG_INFO("ready", F_STR("hostname", s->config->hostname), F_INT("listeners", s->listeners.n));
        notify("READY=1");
    }
    s->has_started = true;
}

static void broker_frame(void *context, struct loop_channel *broker, struct ipc_frame *f)
{
    struct child_of *of = context;
    if (f->type == ROLE_FRAME_CONNECT) {
        connect_child(of->s, of->c, broker, f);
    } else if (f->type == ROLE_FRAME_SOCKET) {
        connect_socket(of->s, of->c, broker, f);
    } else if (f->type == ROLE_FRAME_READY) {
        of->c->ready = true;
        all_are_ready(of->s);
    }
}

static void broker_closed(void *context, struct loop_channel *broker)
{
    struct child_of *of = context;
    if (of->c->broker == broker)
        of->c->broker = NULL;
    free(of);
}

static void start_child(struct supervisor *s, struct child *c)
{
    struct err e = ERR_INIT;
    int broker;
    struct child_start start = {s->mains[c->kind], s->config, s->tally, s->uid, s->gid};
    if (!child_start(c, &start, &broker, &e)) {
        LOG_ERROR("role.start", F_C("role", role_name(c->kind)), F_C("error", e.text));
        s->exit_code = 1;
        loop_stop(s->loop);
        return;
    }
    struct child_of *of = MEM_NEW(struct child_of);
    *of = (struct child_of){s, c};
    c->broker = loop_channel(s->loop, broker, broker_frame, broker_closed, of);
    if (c->kind == ROLE_GATE) {
        send_material(s, c);
        send_listeners(s, c);
    }
    if (c->kind == ROLE_TRACE)
        send_traces(s, c);
    child_give_waiting(c);
}

/* --- dying and stopping --- */

static void start_again(void *context)
{
    struct child_of *of = context;
    if (!of->s->stopping && of->c->pid == 0)
        start_child(of->s, of->c);
    free(of);
}

static void kill_step(void *context)
{
    struct supervisor *s = context;
    s->step_timer = NULL;
    for (size_t i = 0; i < s->count; i++)
        if (s->children[i].pid > 0 && step_of(&s->children[i]) == s->step) {
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
            if (s->children[i].pid > 0 && step_of(&s->children[i]) == s->step) {
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
        if (s->children[i].pid > 0 && step_of(&s->children[i]) == s->step)
            return false;
    return true;
}

static void stop(struct supervisor *s)
{
    if (s->stopping)
        return;
    s->stopping = true;
    LOG_INFO("stopping", F_INT("roles", s->count));
    notify("STOPPING=1");
    listeners_close(&s->listeners);
    for (size_t i = 0; i < s->count; i++)
        if (s->children[i].kind == ROLE_GATE)
            send_listeners(s, &s->children[i]); /* an empty set: nobody new comes in */
    stop_step(s);
}

static void child_ended(struct supervisor *s, struct child *c, int status)
{
    bool was_ready = c->ready;
    bool was_asked = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (!s->stopping && was_asked)
        LOG_INFO("role.renewed", F_C("role", role_name(c->kind)), F_INT("pid", c->pid));
    else if (!s->stopping)
        LOG_ERROR("role.died", F_C("role", role_name(c->kind)), F_INT("pid", c->pid),
                  F_INT("signal", WIFSIGNALED(status) ? WTERMSIG(status) : 0),
                  F_INT("status", WIFEXITED(status) ? WEXITSTATUS(status) : 0));
    if (c->broker)
        loop_channel_close(c->broker);
    c->ready = false;
    int64_t pause = child_died(c);
    if (s->stopping) {
        if (!step_is_done(s))
            return;
        if (s->step_timer)
            loop_timer_cancel(s->step_timer);
        s->step_timer = NULL;
        s->step++;
        stop_step(s);
    } else if (!s->has_started && !was_ready) {
        LOG_ERROR("start.failed", F_C("role", role_name(c->kind)), F_C("why", "see its last log line"));
        s->exit_code = 1;
        stop(s);
    } else {
        struct child_of *of = MEM_NEW(struct child_of);
        *of = (struct child_of){s, c};
        loop_timer(s->loop, pause, start_again, of);
    }
}

static void reap(struct supervisor *s)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        for (size_t i = 0; i < s->count; i++)
            if (s->children[i].pid == pid)
                child_ended(s, &s->children[i], status);
}

/* --- reloading --- */

/* libunbound reads its files before the sandbox closes, so a dns role with other settings is a new one. */
static void renew_dns(struct supervisor *s, const struct config *old)
{
    if (str_eq(old->dns_server, s->config->dns_server) &&
        str_eq(old->dns_trust_anchor, s->config->dns_trust_anchor))
        return;
    CLEAN_FRAME struct ipc_frame f;
    ipc_frame_init(&f, ROLE_FRAME_STOP);
    for (size_t i = 0; i < s->count; i++)
        if (s->children[i].kind == ROLE_DNS)
            child_send(&s->children[i], &f); /* and is started again when it has ended */
}

/* What the roles have open they keep. */
static bool keeps_storage(const struct config *old, const struct config *new, struct err *e)
{
    return str_eq(old->storage_postgresql, new->storage_postgresql) ||
           err_set(e, ERR_PERMANENT, "[storage] has changed: stop the server and start it again");
}

static void reload(struct supervisor *s)
{
    struct err e = ERR_INIT;
    struct listeners fresh;
    const struct config *c = config_load(s->config_path, &e);
    if (!c || !keeps_storage(s->config, c, &e) || !material_read(&s->material, c, &e) ||
        !listeners_bind(&fresh, &s->listeners, c, &e)) {
        LOG_ERROR("reload.refused", F_C("error", e.text), F_C("now", "going on with the old config"));
        if (c)
            config_free(c);
        return;
    }
    const struct config *old = s->config;
    s->config = c;
    s->listeners = fresh;
    renew_dns(s, old);
    config_free(old); /* the roles have their own */
    log_configure(c->log_level, c->log_format);
    for (size_t i = 0; i < s->count; i++) {
        send_config(s, &s->children[i]);
        if (s->children[i].kind == ROLE_GATE) {
            send_material(s, &s->children[i]);
            send_listeners(s, &s->children[i]);
        }
    }
    LOG_INFO("reloaded", F_C("config", s->config_path));
}

static void signal_ready(void *context, uint32_t events)
{
    struct supervisor *s = context;
    struct signalfd_siginfo info;
    (void)events;
    while (read(s->signals, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGCHLD)
            reap(s);
        else if (info.ssi_signo == SIGHUP)
            reload(s);
        else
            stop(s);
    }
}

/* --- starting --- */

static bool has_role(const struct config *c, enum role_kind kind)
{
    return kind != ROLE_STORE || c->storage_postgresql.n > 0;
}

/* Whom the roles become when the server was started as root: the user of the config, or else whoever owns the
 * data. */
static bool choose_user(struct supervisor *s, struct err *e)
{
    if (geteuid() != 0)
        return true;
    CLEAN_FREE char *name = mem_copy_c(s->config->user.p, s->config->user.n);
    CLEAN_FREE char *data = mem_copy_c(s->config->data.p, s->config->data.n);
    struct stat st;
    if (stat(data, &st) < 0)
        return err_set(e, ERR_PERMANENT, "data directory %s: %s; `golub init` makes one", data,
                       strerror(errno));
    const struct passwd *user = getpwnam(name);
    s->uid = user && user->pw_uid == st.st_uid ? user->pw_uid : st.st_uid;
    s->gid = user && user->pw_uid == st.st_uid ? user->pw_gid : st.st_gid;
    if (s->uid == 0)
        LOG_WARNING("server.stays-root", F_C("why", "the data directory belongs to root"),
                    F_C("do", "make a system user golub and give it the data directory: chown -R golub"));
    return true;
}

/* A TLS connection takes two descriptors of a gate, and one of keeper while its session sleeps; the roles
 * take no more than this. Only root may go beyond the hard limit that it was started with. */
static void raise_file_limit(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) < 0)
        return;
    struct rlimit wanted = {FILES_WANTED, FILES_WANTED};
    if (files.rlim_max >= FILES_WANTED || setrlimit(RLIMIT_NOFILE, &wanted) < 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
        if (files.rlim_max < FILES_WANTED)
            LOG_WARNING("limits.files", F_INT("descriptors", files.rlim_max),
                        F_C("why", "a role serves no more TLS connections than half of that"),
                        F_C("do", "raise the hard limit of open files to 65536 (LimitNOFILE=, ulimit -Hn)"));
    }
}

static void take_signals(struct supervisor *s)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    s->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    loop_watch(s->loop, s->signals, EPOLLIN, signal_ready, s);
}

static bool prepare(struct supervisor *s, struct err *e)
{
    s->config = config_load(s->config_path, e);
    if (!s->config)
        return false;
    log_configure(s->config->log_level, s->config->log_format);
    int abi = sandbox_landlock_abi();
    if (abi == 0 && s->config->sandbox_required)
        return err_set(e, ERR_PERMANENT, "[server] sandbox = require, but this kernel has no Landlock");
    if (abi == 0)
        LOG_WARNING("sandbox.no-landlock", F_C("now", "seccomp alone"),
                    F_C("do", "use a kernel from 5.13 on"));
    s->tally = tally_new();
    if (!s->tally)
        return err_set(e, ERR_TEMPORARY, "no memory to count clients in: %s", strerror(errno));
    return choose_user(s, e) && places_make(s->config, s->uid, s->gid, e) &&
           material_read(&s->material, s->config, e) && listeners_bind(&s->listeners, NULL, s->config, e);
}

int supervisor_main(const char *config_path, role_main_fn *const mains[ROLE_COUNT])
{
    struct supervisor *s = MEM_NEW(struct supervisor);
    struct err e = ERR_INIT;
    CLEAN_FREE char *path = realpath(config_path, NULL);
    *s = (struct supervisor){
        .config_path = path ? path : config_path, .mains = mains, .material = {.certificate = -1, .key = -1}};
    umask(077);
    log_identify("supervisor");
    raise_file_limit();
    if (!prepare(s, &e)) {
        LOG_ERROR("start.failed", F_C("error", e.text));
        if (s->config)
            config_free(s->config);
        free(s);
        return 1;
    }
    role_title(ROLE_SUPERVISOR, NULL);
    s->loop = loop_new();
    take_signals(s);
    for (size_t r = 0; r < sizeof ROLES / sizeof *ROLES; r++)
        for (uint32_t i = 0;
             has_role(s->config, ROLES[r].kind) && i < (ROLES[r].per_worker ? s->config->workers : 1); i++) {
            s->children[s->count] = (struct child){.kind = ROLES[r].kind, .index = i, .control = -1};
            make_trace(&s->children[s->count++]);
        }
    for (size_t i = 0; i < s->count; i++)
        start_child(s, &s->children[i]);
    loop_run(s->loop);
    LOG_INFO("stopped", F_INT("code", s->exit_code));
    int code = s->exit_code;
    loop_free(s->loop);
    config_free(s->config);
    free(s);
    return code;
}
