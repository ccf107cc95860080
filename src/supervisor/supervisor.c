#include "supervisor/supervisor.h"

#include "base/generation.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/sandbox.h"
#include "base/tally.h"
#include "config/config.h"
#include "supervisor/counts.h"
#include "supervisor/parts.h"
#include "supervisor/places.h"

#include <errno.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define FILES_WANTED 65536

static void start_child(struct supervisor *s, struct child *c)
{
    struct err e = ERR_INIT;
    int broker;
    struct child_start start = {s->mains[c->kind], s->config, s->tally, s->changes, s->uid, s->gid};
    if (!child_start(c, &start, &broker, &e)) {
        LOG_ERROR("role.start", F_C("role", role_name(c->kind)), F_C("error", e.text));
        s->exit_code = 1;
        loop_stop(s->loop);
        return;
    }
    broker_serve(s, c, broker);
    if (c->kind == ROLE_GATE) {
        provide_material(s, c);
        provide_listeners(s, c);
    }
    if (c->kind == ROLE_TRACE)
        provide_traces(s, c);
    child_give_waiting(c);
}

/* --- dying --- */

static void start_again(void *context)
{
    struct child_of *of = context;
    if (!of->s->stopping && of->c->pid == 0)
        start_child(of->s, of->c);
    free(of);
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
        stopping_go_on(s);
    } else if (!s->has_started && !was_ready) {
        LOG_ERROR("start.failed", F_C("role", role_name(c->kind)), F_C("why", "see its last log line"));
        s->exit_code = 1;
        stopping_begin(s);
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
        provide_config(s, &s->children[i]);
        if (s->children[i].kind == ROLE_GATE) {
            provide_material(s, &s->children[i]);
            provide_listeners(s, &s->children[i]);
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
            stopping_begin(s);
    }
}

/* --- starting --- */

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
    s->changes = generation_new();
    if (!s->tally || !s->changes)
        return err_set(e, ERR_TEMPORARY, "no memory to share among roles: %s", strerror(errno));
    return choose_user(s, e) && places_make(s->config, s->uid, s->gid, e) &&
           material_read(&s->material, s->config, e) && listeners_bind(&s->listeners, NULL, s->config, e);
}

static void save_counts(void *context)
{
    struct supervisor *s = context;
    counts_save(s->tally, s->config, s->uid, s->gid, &s->counts_saved);
    loop_timer(s->loop, COUNTS_SAVE_MS, save_counts, s);
}

static void add_children(struct supervisor *s)
{
    enum role_kind kind;
    unsigned processes;
    for (size_t at = 0; order_starts(at, s->config, &kind, &processes); at++)
        for (uint32_t i = 0; i < processes; i++) {
            struct child *c = &s->children[s->count++];
            *c = (struct child){.kind = kind, .index = i, .control = -1};
            provide_trace_of(c);
        }
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
    counts_load(s->tally, s->config);
    s->loop = loop_new();
    take_signals(s);
    add_children(s);
    for (size_t i = 0; i < s->count; i++)
        start_child(s, &s->children[i]);
    loop_timer(s->loop, COUNTS_SAVE_MS, save_counts, s);
    loop_run(s->loop);
    counts_save(s->tally, s->config, s->uid, s->gid, &s->counts_saved);
    LOG_INFO("stopped", F_INT("code", s->exit_code));
    int code = s->exit_code;
    loop_free(s->loop);
    config_free(s->config);
    free(s);
    return code;
}
