#include "smtp/smtp.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/sandbox.h"
#include "base/thread.h"
#include "role/role.h"
#include "smtp/admission.h"
#include "smtp/recent.h"
#include "smtp/session.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

/* Of a session: its socket, the message, and two more in the moment of STARTTLS. */
#define FILES_PER_SESSION 4
#define FILES_BESIDE      512 /* channels to gates, directory, keeper, accounts and queue */

#define COMPLAIN_MS 1000 /* between two lines about clients that were turned away */

/* A session gathers a header in memory, rarely near its bound; the allocator reserves 64 MiB of addresses for
 * each of its arenas, of which there are 8 a core. */
#define ADDRESSES_PER_SESSION (THREAD_STACK_BYTES + ((size_t)2 << 20))
#define ADDRESSES_BESIDE      ((size_t)16 << 30)

/* The process. */
struct smtp {
    struct smtp_server server; /* what sessions see */
    struct role *role;
    struct loop *loop;
    struct threads *threads;        /* of the sessions: many are as short as one message */
    struct deadline complain_again; /* the loop's, as the next one */
    unsigned turned_away;           /* since the last line about it */
    pthread_mutex_t lock;           /* over what follows */
    unsigned sessions;              /* running */
    bool has_ended;                 /* it is to stop, and the last session is gone */
};

/* A channel to a gate. STARTTLS of a session needs it, so it stays open until the last one of them is gone.
 */
struct gate {
    struct smtp *smtp;
    int channel; /* a duplicate of the loop's, whose lifetime is its own */
    _Atomic unsigned users;
    bool is_pickup; /* no gate, but the role that brings what local programs left in the maildrop */
};

static void gate_release(struct gate *g)
{
    if (atomic_fetch_sub(&g->users, 1) > 1)
        return;
    close(g->channel);
    free(g);
}

/* --- sessions --- */

struct start {
    struct gate *gate;
    const struct config *config; /* one for the whole session, whatever is reloaded meanwhile */
    struct connection connection;
    struct limits seat;
};

/* All smtp processes together have config's number of sessions. */
static unsigned sessions_max(const struct config *c)
{
    return (c->smtp_sessions_max + c->workers - 1) / c->workers;
}

static void stop_loop(void *context)
{
    struct smtp *p = context;
    loop_stop(p->loop);
}

static void count_sessions(struct smtp *p, unsigned sessions)
{
    p->sessions = sessions;
    p->server.is_short = admission_is_short(sessions, sessions_max(p->role->config));
}

/* NULL, or the reply with which the client is turned away. */
static const char *session_begins(struct smtp *p, const struct connection *c, struct limits *seat)
{
    pthread_mutex_lock(&p->lock);
    const char *why = "421 4.3.2 The server is being stopped; try again later\r\n";
    if (!p->server.is_stopping)
        why = admission_enter(seat, c, p->sessions, sessions_max(p->role->config));
    if (!why)
        count_sessions(p, p->sessions + 1);
    pthread_mutex_unlock(&p->lock);
    return why;
}

/* Also says, under the lock and once, that the process may end. */
static void check_end(struct smtp *p)
{
    if (p->server.is_stopping && p->sessions == 0 && !p->has_ended) {
        p->has_ended = true;
        loop_post(p->loop, stop_loop, p);
    }
}

static void session_ended(struct smtp *p, struct limits *seat)
{
    admission_leave(seat);
    pthread_mutex_lock(&p->lock);
    count_sessions(p, p->sessions - 1);
    check_end(p);
    pthread_mutex_unlock(&p->lock);
}

static void session_thread(void *context)
{
    struct start s = *(struct start *)context;
    struct smtp *p = s.gate->smtp;
    free(context);
    session_run(&p->server, s.config, &s.connection, s.gate->channel);
    gate_release(s.gate);
    session_ended(p, &s.seat);
}

/* Of a flood one in a while stands in the log, with how many there were since the one before. */
static void log_turned_away(struct smtp *p, const struct connection *c, const char *reply)
{
    p->turned_away++;
    if (!deadline_passed(p->complain_again))
        return;
    LOG_WARNING("smtp.turned_away", F_C("peer", c->peer), F_STR("reply", str_trim(str_from_c(reply))),
                F_INT("count", p->turned_away));
    p->complain_again = deadline_in(COMPLAIN_MS);
    p->turned_away = 0;
}

/* Says so, if the client listens, and closes. */
static void turn_away(struct smtp *p, const struct connection *c, const char *reply)
{
    log_turned_away(p, c, reply);
    if (send(c->fd, reply, strlen(reply), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        LOG_DEBUG("smtp.not_heard", F_C("peer", c->peer));
    close(c->fd);
}

static void start_session(struct gate *g, const struct connection *c)
{
    struct smtp *p = g->smtp;
    const struct config *config = p->role->config;
    bool is_filter = networks_hold(&config->smtp_xclient, c->peer); /* it speaks for others */
    struct limits seat;
    limits_init(&seat, is_filter ? NULL : p->server.tally, p->server.holder, config, c->peer);
    const char *why = session_begins(p, c, &seat);
    if (why) {
        turn_away(p, c, why);
        return;
    }
    struct start *s = MEM_NEW(struct start);
    *s = (struct start){.gate = g, .config = config, .connection = *c, .seat = seat};
    atomic_fetch_add(&g->users, 1);
    if (threads_start(g->smtp->threads, session_thread, s))
        return;
    free(s);
    session_ended(p, &seat);
    gate_release(g);
    turn_away(p, c, "421 4.3.2 No room for another session; try again later\r\n");
}

/* --- gates --- */

static void take_frame(void *context, struct loop_channel *channel, struct ipc_frame *f)
{
    struct gate *g = context;
    struct ipc_reader r = ipc_read(f);
    struct connection c = {.fd = -1};
    bool good = f->type == GATE_FRAME_CONNECTION && connection_get(f, &r, &c) &&
                (!g->is_pickup || c.service == SERVICE_LOCAL);
    if (good && ipc_done(&r) && service_is_smtp(c.service)) {
        start_session(g, &c);
        return;
    }
    LOG_ERROR("smtp.bad_frame", F_INT("type", f->type));
    if (c.fd >= 0)
        close(c.fd);
    loop_channel_close(channel);
}

/* Nobody reads the channel any more: the gate must see that, though a session may still hold our duplicate.
 */
static void gate_closed(void *context, struct loop_channel *channel)
{
    struct gate *g = context;
    (void)channel;
    shutdown(g->channel, SHUT_RDWR);
    gate_release(g);
}

static void take_channel(void *context, int channel, enum role_kind client, uint32_t index)
{
    struct smtp *p = context;
    (void)index;
    if (client != ROLE_GATE && client != ROLE_PICKUP) {
        LOG_ERROR("smtp.bad_client", F_C("role", role_name(client)));
        close(channel);
        return;
    }
    struct gate *g = MEM_NEW(struct gate);
    g->smtp = p;
    g->users = 1; /* the loop's */
    g->is_pickup = client == ROLE_PICKUP;
    g->channel = fcntl(channel, F_DUPFD_CLOEXEC, 0);
    if (g->channel < 0)
        log_die("smtp.no_descriptors", "a channel to gate: %s", strerror(errno));
    /* Another connection is seldom there at once: a look for it would cost each one a system call. */
    loop_channel_asks(loop_channel(p->loop, channel, take_frame, gate_closed, g));
}

/* --- the role --- */

static void stop(void *context)
{
    struct smtp *p = context;
    pthread_mutex_lock(&p->lock);
    p->server.is_stopping = true;
    if (eventfd_write(p->server.stop_fd, 1) < 0)
        log_die("smtp.stop", "waking the sessions: %s", strerror(errno));
    check_end(p);
    pthread_mutex_unlock(&p->lock);
}

static void enter_sandbox(struct role *r)
{
    struct err e = ERR_INIT;
    size_t sessions = sessions_max(r->config);
    struct sandbox_profile profile = {
        .name = "smtp",
        .memory_max = ADDRESSES_BESIDE + sessions * ADDRESSES_PER_SESSION,
        .files_max = (unsigned)(FILES_BESIDE + sessions * FILES_PER_SESSION),
        .landlock_required = r->config->sandbox_required,
    };
    if (!role_drop_user(r, &e) || !sandbox_enter(&profile, NULL, &e))
        log_die("smtp.start", "%s", e.text);
}

int smtp_main(struct role *r)
{
    struct smtp p = {.role = r, .lock = PTHREAD_MUTEX_INITIALIZER};
    p.server.uid = r->uid ? r->uid : geteuid();
    enter_sandbox(r);
    p.loop = loop_new();
    p.server.directory = directory_client(r);
    p.server.recent = recent_new();
    p.server.changes = r->changes;
    p.threads = threads_new();
    p.server.delivery = delivery_client(r);
    p.server.queue = queue_client(r);
    p.server.tls_memory = queue_tls_client(r);
    p.server.tally = r->tally;
    p.server.holder = r->index;
    if (r->tally)
        tally_join(r->tally, r->index);
    p.server.stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (p.server.stop_fd < 0)
        log_die("smtp.start", "eventfd: %s", strerror(errno));
    struct role_handlers handlers = {.channel = take_channel, .stop = stop};
    role_attach(r, p.loop, &handlers, &p);
    loop_run(p.loop);
    return 0;
}
