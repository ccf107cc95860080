#include "role/role.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/sandbox.h"
#include "config/config.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const NAMES[ROLE_COUNT] = {
    [ROLE_SUPERVISOR] = "supervisor",
    [ROLE_GATE] = "gate",
    [ROLE_SMTP] = "smtp",
    [ROLE_LOGIN] = "login",
    [ROLE_DIRECTORY] = "directory",
    [ROLE_KEEPER] = "keeper",
    [ROLE_ACCOUNT] = "account",
    [ROLE_DNS] = "dns",
    [ROLE_QUEUE] = "queue",
    [ROLE_RELAY] = "relay",
    [ROLE_STORE] = "store",
    [ROLE_TRACE] = "trace",
    [ROLE_PICKUP] = "pickup",
};

#define MAY(kind) (1u << (kind))
static const unsigned CONNECTS[ROLE_COUNT] = {
    [ROLE_GATE] = MAY(ROLE_SMTP) | MAY(ROLE_LOGIN),
    [ROLE_SMTP] = MAY(ROLE_DIRECTORY) | MAY(ROLE_KEEPER) | MAY(ROLE_QUEUE) | MAY(ROLE_DNS),
    [ROLE_LOGIN] = MAY(ROLE_DIRECTORY) | MAY(ROLE_KEEPER),
    [ROLE_DIRECTORY] = MAY(ROLE_STORE),
    /* what accounts give back; who shares with whom */
    [ROLE_KEEPER] = MAY(ROLE_LOGIN) | MAY(ROLE_DIRECTORY) | MAY(ROLE_STORE),
    [ROLE_QUEUE] = MAY(ROLE_DIRECTORY) | MAY(ROLE_KEEPER) | MAY(ROLE_STORE),
    [ROLE_PICKUP] = MAY(ROLE_SMTP),
    [ROLE_RELAY] = MAY(ROLE_DNS) | MAY(ROLE_QUEUE) | MAY(ROLE_DIRECTORY), /* routes */
};

const char *role_name(enum role_kind k)
{
    return (unsigned)k < ROLE_COUNT ? NAMES[k] : "nobody";
}

bool role_may_connect(enum role_kind from, enum role_kind to)
{
    return (unsigned)from < ROLE_COUNT && (unsigned)to < ROLE_COUNT && (CONNECTS[from] & MAY(to));
}

/* --- reaching others --- */

static pthread_mutex_t broker_lock = PTHREAD_MUTEX_INITIALIZER; /* one question at a time */

int role_connect(struct role *r, enum role_kind to, uint32_t index, struct deadline d)
{
    CLEAN_FRAME struct ipc_frame ask, answer = {0};
    ipc_frame_init(&ask, ROLE_FRAME_CONNECT);
    ipc_put_u32(&ask, to);
    ipc_put_u32(&ask, index);
    pthread_mutex_lock(&broker_lock);
    enum ipc_result got = ipc_call(r->broker, &ask, &answer, d);
    pthread_mutex_unlock(&broker_lock);
    return got == IPC_OK ? ipc_frame_take_fd(&answer, 0) : -1;
}

int role_connect_socket(struct role *r, struct str path, struct deadline d, struct err *e)
{
    CLEAN_FRAME struct ipc_frame ask, answer = {0};
    ipc_frame_init(&ask, ROLE_FRAME_SOCKET);
    ipc_put_str(&ask, path);
    pthread_mutex_lock(&broker_lock);
    enum ipc_result got = ipc_call(r->broker, &ask, &answer, d);
    pthread_mutex_unlock(&broker_lock);
    int fd = got == IPC_OK ? ipc_frame_take_fd(&answer, 0) : -1;
    if (fd < 0) {
        struct ipc_reader in = ipc_read(&answer);
        struct str why = got == IPC_OK ? ipc_get_str(&in) : STR("the supervisor does not answer");
        err_set(e, ERR_TEMPORARY, "%.*s", STR_ARGS(why));
    }
    return fd;
}

int role_connect_pool(void *role_target, struct deadline d)
{
    struct role_target *target = role_target;
    return role_connect(target->role, target->to, ROLE_ANY, d);
}

/* --- what the supervisor sends --- */

struct attachment {
    struct role *role;
    struct loop *loop;
    struct role_handlers handlers;
    void *context;
};

static void take_channel(struct attachment *at, struct ipc_frame *f)
{
    struct ipc_reader in = ipc_read(f);
    uint32_t kind = ipc_get_u32(&in), index = ipc_get_u32(&in);
    int channel = ipc_frame_take_fd(f, 0);
    if (channel < 0)
        return;
    if (!ipc_done(&in) || kind >= ROLE_COUNT || !at->handlers.channel)
        close(channel);
    else
        at->handlers.channel(at->context, channel, (enum role_kind)kind, index);
}

static void take_config(struct attachment *at, struct ipc_frame *f)
{
    struct ipc_reader in = ipc_read(f);
    struct str path = ipc_get_str(&in);
    CLEAN_CLOSE int fd = ipc_frame_take_fd(f, 0);
    struct stat st;
    if (fd < 0 || !ipc_done(&in) || fstat(fd, &st) < 0)
        return;
    CLEAN_FREE char *text = mem_new((size_t)st.st_size + 1, 1);
    CLEAN_FREE char *where = mem_copy_c(path.p, path.n);
    ssize_t n = pread(fd, text, (size_t)st.st_size, 0);
    struct err e = ERR_INIT;
    const struct config *c = n < 0 ? NULL : config_parse(str_from(text, (size_t)n), where, &e);
    if (!c) {
        LOG_ERROR("config.refused",
                  F_C("error", e.text)); /* the supervisor has parsed it: cannot happen to a good one */
        return;
    }
    log_configure(c->log_level, c->log_format);
    at->role->config = c;
    if (at->handlers.config)
        at->handlers.config(at->context);
}

static void handle(struct attachment *at, struct ipc_frame *f)
{
    switch (f->type) {
    case ROLE_FRAME_CHANNEL: take_channel(at, f); break;
    case ROLE_FRAME_CONFIG: take_config(at, f); break;
    case ROLE_FRAME_STOP:
        if (at->handlers.stop)
            at->handlers.stop(at->context);
        else
            loop_stop(at->loop);
        break;
    default:
        if (at->handlers.frame)
            at->handlers.frame(at->context, f);
    }
}

static void control_ready(void *context, uint32_t events)
{
    struct attachment *at = context;
    struct ipc_frame f;
    (void)events;
    switch (ipc_receive_now(at->role->control, &f)) {
    case IPC_OK:
        handle(at, &f);
        ipc_frame_free(&f);
        break;
    case IPC_AGAIN:
    case IPC_TIMEOUT: break;
    case IPC_EOF:
    case IPC_BAD: _exit(0); /* nobody left to serve for */
    }
}

void role_attach(struct role *r, struct loop *l, const struct role_handlers *h, void *context)
{
    struct attachment *at = MEM_NEW(struct attachment); /* lives as long as the process */
    *at = (struct attachment){.role = r, .loop = l, .handlers = *h, .context = context};
    loop_watch(l, r->control, EPOLLIN, control_ready, at);
    role_try_escape(r->kind);
    CLEAN_FRAME struct ipc_frame ready;
    ipc_frame_init(&ready, ROLE_FRAME_READY);
    ipc_send(r->broker, &ready, deadline_in(1000));
}

bool role_drop_user(const struct role *r, struct err *e)
{
    return sandbox_drop_user(r->uid, r->gid, e);
}

#ifdef GOLUB_TEST_HOOKS
void role_try_escape(enum role_kind k)
{
    const char *wish = getenv("GOLUB_ESCAPE"), *who = getenv("GOLUB_ESCAPE_ROLE");
    if (!wish || !who || !str_eq(str_from_c(who), str_from_c(role_name(k))))
        return;
    struct str rest = str_from_c(wish), port_text;
    uint32_t port = 0;
    str_cut(&rest, ' ', &port_text);
    if (!str_to_u32(port_text, &port) || port > UINT16_MAX)
        return;
    LOG_INFO("sandbox.escaping", F_C("from", role_name(k)));
    unsigned worked = sandbox_try_escape((uint16_t)port, rest.n ? rest.p : NULL);
    LOG_INFO("sandbox.escaped", F_C("from", role_name(k)), F_INT("worked", worked));
}
#else
void role_try_escape(enum role_kind k)
{
    (void)k;
}
#endif

/* --- the title in ps: Linux shows the memory where argv and environ lay --- */

static char *title_at;
static size_t title_room;

void role_title_init(int argc, char **argv)
{
    extern char **environ;
    char *end = argv[0];
    for (int i = 0; i < argc; i++)
        if (argv[i] == end)
            end = argv[i] + strlen(argv[i]) + 1;
    size_t count = 0;
    while (environ[count])
        count++;
    char **moved = mem_new(count + 1, sizeof *moved); /* the environment lives on elsewhere */
    for (size_t i = 0; i < count; i++) {
        if (environ[i] == end)
            end = environ[i] + strlen(environ[i]) + 1;
        moved[i] = mem_copy_c(environ[i], strlen(environ[i]));
    }
    environ = moved;
    title_at = argv[0];
    title_room = (size_t)(end - argv[0]);
}

void role_title(enum role_kind k, const char *detail)
{
    char title[512];
    int n =
        snprintf(title, sizeof title, "golub: %s%s%s", role_name(k), detail ? " " : "", detail ? detail : "");
    prctl(PR_SET_NAME, title);
    if (title_room == 0 || n < 0)
        return;
    size_t keep = (size_t)n < title_room ? (size_t)n : title_room - 1;
    memset(title_at, 0, title_room);
    memcpy(title_at, title, keep);
}
