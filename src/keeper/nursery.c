#include "keeper/nursery.h"

#include "account/account.h"
#include "base/ipc.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/sealed.h"
#include "role/role.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define CALL_MS (5 * 1000) /* a fork takes less than a millisecond; a machine that swaps takes its time */

/* What is open: 0 and 1 are /dev/null, 2 is the log. */
enum { CONTROL_FD = 3, STORE_FD = 4, TRACE_FD = 5, FIRST_FREE_FD = 6 }; /* of an account */
enum { KEEPER_FD = 3 };                                                 /* of the nursery, and TRACE_FD */

enum frame {
    FRAME_BEAR = 1, /* u64 account, str address; fds: control, perhaps store */
    FRAME_BORN,     /* u64 pid; 0: str why */
    FRAME_BURY,     /* u64 pid */
    FRAME_BURIED,   /* u64 status */
    FRAME_CONFIG,   /* u64 size; fd: memfd with its text. No answer */
};

struct nursery {
    struct role *role;
    const char *dir;
    const struct sandbox_filter *filter;
    void (*forget)(void *context);
    void *context;
    int channel; /* to the process; -1: it is not there */
    pid_t pid;
};

/* --- the process --- */

/* What its accounts will say to the trace goes where keeper's goes, from a descriptor that stays. */
static bool keep_trace(void)
{
    int trace = log_trace_fd(), high = trace < 0 ? -1 : fcntl(trace, F_DUPFD_CLOEXEC, FIRST_FREE_FD);
    if (trace < 0)
        return true;
    log_trace(TRACE_FD);
    return dup3(high, TRACE_FD, O_CLOEXEC) >= 0;
}

/* All but those below `first` and the trace's. */
static void close_all_but(int first)
{
    bool traces = log_trace_fd() == TRACE_FD;
    if (traces && first < TRACE_FD)
        close_range((unsigned)first, TRACE_FD - 1, 0);
    close_range(traces ? FIRST_FREE_FD : (unsigned)first, ~0u, 0);
}

/* Drops what is not the account's own, then is the account. */
static _Noreturn void become_account(const struct nursery *n, int64_t id, const char *address, int control,
                                     int store)
{
    char dir[4096];
    int high = fcntl(control, F_DUPFD_CLOEXEC, FIRST_FREE_FD); /* neither stands where the other shall be */
    int high_store = store < 0 ? -1 : fcntl(store, F_DUPFD_CLOEXEC, FIRST_FREE_FD);
    if (dup3(high, CONTROL_FD, O_CLOEXEC) < 0 || (store >= 0 && dup3(high_store, STORE_FD, O_CLOEXEC) < 0))
        log_die("account.start", "cannot arrange descriptors: %s", strerror(errno));
    close_all_but(store >= 0 ? STORE_FD + 1 : STORE_FD);
    if (snprintf(dir, sizeof dir, "%s/%lld", n->dir, (long long)id) >= (int)sizeof dir)
        log_die("account.start", "the path of the data directory is too long");
    struct account_start start = {.id = id,
                                  .address = address,
                                  .dir = dir,
                                  .store = store >= 0 ? STORE_FD : -1,
                                  .control = CONTROL_FD,
                                  .config = n->role->config,
                                  .filter = n->filter};
    _exit(account_main(&start));
}

/* PR_SET_PDEATHSIG, so that a new keeper never meets a process of the old one. */
static void die_with(pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(0);
}

static void bear(const struct nursery *n, struct ipc_frame *f, struct ipc_frame *reply)
{
    struct ipc_reader in = ipc_read(f);
    int64_t id = (int64_t)ipc_get_u64(&in);
    struct str text = ipc_get_str(&in);
    CLEAN_FREE char *address = mem_copy_c(text.p, text.n);
    CLEAN_CLOSE int control = ipc_frame_take_fd(f, 0), store = ipc_frame_take_fd(f, 1);
    pid_t nursery = getpid(), pid = fork();
    if (pid == 0) {
        die_with(nursery);
        become_account(n, id, address, control, store);
    }
    ipc_put_u64(reply, pid < 0 ? 0 : (uint64_t)pid);
    if (pid < 0)
        ipc_put_str(reply, str_from_c(strerror(errno)));
}

static void bury(const struct ipc_frame *f, struct ipc_frame *reply)
{
    struct ipc_reader in = ipc_read(f);
    pid_t pid = (pid_t)ipc_get_u64(&in);
    int status = SIGKILL; /* of one that was born in a nursery before this, and went with it */
    pid_t found = pid > 0 ? waitpid(pid, &status, WNOHANG) : -1;
    if (found == 0 && kill(pid, SIGKILL) == 0) /* else it has ended, or its number may be another's by now */
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
        }
    ipc_put_u64(reply, (uint32_t)status);
}

static void configure(struct nursery *n, struct ipc_frame *f)
{
    struct ipc_reader in = ipc_read(f);
    struct str text;
    struct err e = ERR_INIT;
    uint64_t size = ipc_get_u64(&in);
    CLEAN_CLOSE int fd = ipc_frame_take_fd(f, 0);
    if (!sealed_read(fd, size, &text, &e)) {
        LOG_ERROR("nursery.config", F_C("error", e.text));
        return;
    }
    const struct config *c = config_parse(text, "golub.conf", &e); /* accounts open none of its paths */
    sealed_release(text);
    if (!c) {
        LOG_ERROR("nursery.config", F_C("error", e.text)); /* keeper has parsed it: cannot happen */
        return;
    }
    log_configure(c->log_level, c->log_format);
    n->role->config = c;
}

/* False: keeper is gone. */
static bool serve(struct nursery *n)
{
    CLEAN_FRAME struct ipc_frame ask = {0}, reply = {0};
    enum ipc_result r = ipc_receive(KEEPER_FD, &ask, deadline_in(INT32_MAX));
    if (r == IPC_TIMEOUT)
        return true;
    if (r != IPC_OK)
        return false;
    if (ask.type == FRAME_CONFIG) {
        configure(n, &ask);
        return true;
    }
    ipc_frame_init(&reply, ask.type == FRAME_BEAR ? FRAME_BORN : FRAME_BURIED);
    reply.id = ask.id;
    if (ask.type == FRAME_BEAR)
        bear(n, &ask, &reply);
    else
        bury(&ask, &reply);
    return ipc_send(KEEPER_FD, &reply, deadline_in(CALL_MS)) == IPC_OK;
}

static _Noreturn void run(struct nursery *n, int channel, bool is_first)
{
    log_identify(role_name(ROLE_KEEPER));
    int high = fcntl(channel, F_DUPFD_CLOEXEC, FIRST_FREE_FD);
    if (!keep_trace() || dup3(high, KEEPER_FD, O_CLOEXEC) < 0)
        log_die("nursery.start", "cannot arrange descriptors: %s", strerror(errno));
    close_all_but(KEEPER_FD + 1);
    if (!is_first)
        n->forget(n->context);
    role_title(ROLE_KEEPER, "nursery");
    account_prepare();
    while (serve(n)) {
    }
    _exit(0);
}

/* --- keeper's side --- */

static bool start(struct nursery *n, struct err *e)
{
    int ends[2];
    bool is_first = n->pid == 0;
    if (!ipc_pair(ends))
        return err_set(e, ERR_TEMPORARY, "no socketpair: %s", strerror(errno));
    pid_t keeper = getpid(), pid = fork();
    if (pid == 0) {
        die_with(keeper);
        run(n, ends[1], is_first);
    }
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return err_set(e, ERR_TEMPORARY, "cannot fork: %s", strerror(errno));
    }
    n->channel = ends[0];
    n->pid = pid;
    return true;
}

/* The process is gone, or does not answer: its accounts go with it. */
static void lose(struct nursery *n)
{
    mem_clean_close(&n->channel);
    n->channel = -1;
    kill(n->pid, SIGKILL);
    while (waitpid(n->pid, NULL, 0) < 0 && errno == EINTR) {
    }
    LOG_ERROR("nursery.died", F_INT("pid", n->pid));
}

static bool call(struct nursery *n, struct ipc_frame *ask, struct ipc_frame *reply)
{
    if (n->channel >= 0 && ipc_call(n->channel, ask, reply, deadline_in(CALL_MS)) == IPC_OK)
        return true;
    if (n->channel >= 0)
        lose(n);
    return false;
}

struct nursery *nursery_new(struct role *r, const char *dir, const struct sandbox_filter *filter,
                            void (*forget)(void *context), void *context)
{
    struct err e = ERR_INIT;
    struct nursery *n = MEM_NEW(struct nursery);
    *n = (struct nursery){
        .role = r, .dir = dir, .filter = filter, .forget = forget, .context = context, .channel = -1};
    if (!start(n, &e))
        log_die("keeper.start", "%s", e.text);
    return n;
}

void nursery_reconfigure(struct nursery *n)
{
    struct err e = ERR_INIT;
    struct str text = n->role->config->text;
    CLEAN_FRAME struct ipc_frame f;
    CLEAN_CLOSE int fd = sealed_from("golub-config", text, &e);
    ipc_frame_init(&f, FRAME_CONFIG);
    ipc_put_u64(&f, text.n);
    ipc_put_fd(&f, fd);
    if (n->channel >= 0 && (fd < 0 || ipc_send(n->channel, &f, deadline_in(CALL_MS)) != IPC_OK))
        lose(n); /* the next one is a fork of this process, and knows */
}

bool nursery_bear(struct nursery *n, const struct nursery_birth *b, pid_t *pid, struct err *e)
{
    CLEAN_FRAME struct ipc_frame ask, reply = {0};
    ipc_frame_init(&ask, FRAME_BEAR);
    ipc_put_u64(&ask, (uint64_t)b->account);
    ipc_put_str(&ask, str_from_c(b->address));
    ipc_put_fd(&ask, b->control);
    if (b->store >= 0)
        ipc_put_fd(&ask, b->store);
    if (n->channel < 0 && !start(n, e))
        return false;
    if (!call(n, &ask, &reply))
        return err_set(e, ERR_TEMPORARY, "the process that forks accounts died");
    struct ipc_reader in = ipc_read(&reply);
    *pid = (pid_t)ipc_get_u64(&in);
    return *pid > 0 || err_set(e, ERR_TEMPORARY, "cannot fork: %.*s", STR_ARGS(ipc_get_str(&in)));
}

int nursery_bury(struct nursery *n, pid_t pid)
{
    CLEAN_FRAME struct ipc_frame ask, reply = {0};
    ipc_frame_init(&ask, FRAME_BURY);
    ipc_put_u64(&ask, (uint64_t)pid);
    if (!call(n, &ask, &reply))
        return SIGKILL; /* it went with the nursery */
    struct ipc_reader in = ipc_read(&reply);
    return (int)ipc_get_u64(&in);
}
