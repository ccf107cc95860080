#include "trace/trace_role.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/sandbox.h"
#include "config/config.h"
#include "role/role.h"
#include "trace/writer.h"

#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

#define SOURCES_MAX 64 /* every role but two has one, gate and smtp one a worker */
#define AT_ONCE     32 /* lines taken with one call */
#define ROUNDS_MAX  64 /* calls in a row on one source, before others get their turn */
/* After all is read nothing is looked at for so long: each line by itself would cost a wake-up, which is more
 * than all else that is done with it. Meanwhile a source holds some thousands (supervisor/supervisor.c). */
#define REST_MS     20
#define SAVE_MS     1000
#define EXPIRE_MS   ((int64_t)3600 * 1000)
#define COMPLAIN_MS ((int64_t)60 * 1000) /* a full disk is said once in so long */

struct source {
    enum role_kind kind;
    int fd;
};

struct trace {
    struct role *role;
    struct loop *loop;
    struct trace_writer *writer;
    struct source sources[SOURCES_MAX];
    size_t count;
    int ready; /* an epoll descriptor over the sources */
    struct loop_watch *watch;
    bool save_is_due; /* its timer runs */
    struct deadline complain_again;
    uint64_t lost;
    char lines[AT_ONCE][TRACE_LINE_MAX];
};

static int64_t now_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void complain(struct trace *t, const struct err *e)
{
    if (!deadline_passed(t->complain_again))
        return;
    t->complain_again = deadline_in(COMPLAIN_MS);
    LOG_ERROR("trace.not_written", F_C("error", e->text), F_C("now", "some of what happens is not kept"));
}

/* --- saving --- */

static void save(void *context)
{
    struct trace *t = context;
    struct err e = ERR_INIT;
    t->save_is_due = false;
    if (!trace_writer_save(t->writer, now_ms(), &e))
        complain(t, &e);
    if (t->lost > 0)
        LOG_WARNING("trace.lost", F_INT("lines", t->lost),
                    F_C("why", "more was said than could be taken; net.core.wmem_max bounds how much waits"));
    t->lost = 0;
}

static void save_soon(struct trace *t)
{
    if (t->save_is_due || !trace_writer_has_unsaved(t->writer))
        return;
    t->save_is_due = true;
    loop_timer(t->loop, SAVE_MS, save, t);
}

static void expire(void *context)
{
    struct trace *t = context;
    trace_writer_expire(t->writer, now_ms());
    loop_timer(t->loop, EXPIRE_MS, expire, t);
}

/* --- taking lines --- */

/* A role that was taken over may say what it likes, but not in another's name: reports of accounts come
 * through keeper, whose children they are. */
static bool may_say(enum role_kind kind, struct str line)
{
    struct str rest = line, word = STR("");
    for (int i = 0; i < 3; i++) /* time, level, speaker */
        if (!str_cut(&rest, ' ', &word))
            return false;
    word = str_slice(word, 0, str_find_byte(word, '['));
    return str_eq(word, str_from_c(role_name(kind))) ||
           (kind == ROLE_KEEPER && str_eq(word, str_from_c(role_name(ROLE_ACCOUNT))));
}

static void count_lost(struct trace *t, struct str line)
{
    static const struct str MARK = STR_INIT(" " LOG_TRACE_LOST "=");
    uint64_t lost;
    size_t at = str_find(str_from_offset(line, line.n > 40 ? line.n - 40 : 0), MARK);
    if (at == STR_NONE)
        return;
    at += (line.n > 40 ? line.n - 40 : 0) + MARK.n;
    if (str_to_u64(str_from_offset(line, at), &lost))
        t->lost += lost;
}

static void take_line(struct trace *t, enum role_kind kind, struct str line, int64_t now)
{
    struct err e = ERR_INIT;
    if (!may_say(kind, line))
        return;
    count_lost(t, line);
    if (!trace_writer_add(t->writer, line, now, &e))
        complain(t, &e);
}

/* Returns how many lines there were. */
static size_t take_some(struct trace *t, const struct source *s, int64_t now)
{
    struct mmsghdr messages[AT_ONCE];
    struct iovec parts[AT_ONCE];
    memset(messages, 0, sizeof messages);
    for (size_t i = 0; i < AT_ONCE; i++) {
        parts[i] = (struct iovec){t->lines[i], sizeof t->lines[i]};
        messages[i].msg_hdr.msg_iov = &parts[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    int n = recvmmsg(s->fd, messages, AT_ONCE, MSG_DONTWAIT, NULL);
    for (int i = 0; i < n; i++)
        if (!(messages[i].msg_hdr.msg_flags & MSG_TRUNC))
            take_line(t, s->kind, str_from(t->lines[i], messages[i].msg_len), now);
    return n > 0 ? (size_t)n : 0;
}

static void drain(struct trace *t)
{
    int64_t now = now_ms();
    bool more = true;
    for (int round = 0; more && round < ROUNDS_MAX; round++) {
        more = false;
        for (size_t i = 0; i < t->count; i++)
            more |= take_some(t, &t->sources[i], now) == AT_ONCE;
    }
    save_soon(t);
}

static void listen_again(void *context);

static void sources_ready(void *context, uint32_t events)
{
    struct trace *t = context;
    (void)events;
    drain(t);
    loop_unwatch(t->watch);
    t->watch = NULL;
    loop_timer(t->loop, REST_MS, listen_again, t);
}

static void listen_again(void *context)
{
    struct trace *t = context;
    t->watch = loop_watch(t->loop, t->ready, EPOLLIN, sources_ready, t);
}

/* --- the role --- */

static void take_frame(void *context, struct ipc_frame *f)
{
    struct trace *t = context;
    struct ipc_reader in = ipc_read(f);
    uint32_t kind = ipc_get_u32(&in);
    int fd = ipc_frame_take_fd(f, 0);
    struct epoll_event event = {.events = EPOLLIN};
    if (fd < 0)
        return;
    if (f->type != ROLE_FRAME_TRACE || !ipc_done(&in) || kind >= ROLE_COUNT || t->count == SOURCES_MAX ||
        epoll_ctl(t->ready, EPOLL_CTL_ADD, fd, &event) < 0) {
        close(fd);
        return;
    }
    t->sources[t->count++] = (struct source){(enum role_kind)kind, fd};
}

static struct trace_limits limits_of(const struct config *c)
{
    return (struct trace_limits){.days = c->trace_days, .bytes = c->trace_bytes};
}

static void reconfigure(void *context)
{
    struct trace *t = context;
    trace_writer_limit(t->writer, limits_of(t->role->config));
    trace_writer_expire(t->writer, now_ms());
}

/* The last to go: what the others said at their end is there by now. */
static void stop(void *context)
{
    struct trace *t = context;
    drain(t);
    save(t);
    loop_stop(t->loop);
}

static void no_clients(void *context, int channel, enum role_kind client, uint32_t index)
{
    (void)context, (void)client, (void)index;
    close(channel);
}

static void start(struct trace *t)
{
    struct err e = ERR_INIT;
    struct role *r = t->role;
    CLEAN_FREE char *folder = trace_folder(r->config->data);
    struct sandbox_profile profile = {
        .name = "trace",
        .rights = SANDBOX_FILES,
        .write_dirs = {folder},
        .landlock_required = r->config->sandbox_required,
    };
    if (!role_drop_user(r, &e) ||
        !(t->writer = trace_writer_open(folder, limits_of(r->config), now_ms(), &e)) ||
        !sandbox_enter(&profile, NULL, &e))
        log_die("trace.start", "%s", e.text);
}

int trace_main(struct role *r)
{
    struct trace *t = MEM_NEW(struct trace);
    t->role = r;
    start(t);
    t->loop = loop_new();
    t->ready = epoll_create1(EPOLL_CLOEXEC);
    if (t->ready < 0)
        log_die("trace.start", "no epoll descriptor");
    listen_again(t);
    loop_timer(t->loop, EXPIRE_MS, expire, t);
    struct role_handlers handlers = {
        .channel = no_clients, .config = reconfigure, .frame = take_frame, .stop = stop};
    role_attach(r, t->loop, &handlers, t);
    loop_run(t->loop);
    trace_writer_close(t->writer);
    free(t);
    return 0;
}
