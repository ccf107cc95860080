/* The login role: its main thread takes connections from the gates; each is served by a thread. */
#include "login/login.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/sandbox.h"
#include "base/thread.h"
#include "login/session.h"
#include "role/role.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

/* At once, all addresses together. A login takes milliseconds, so this many are an attack or a stampede after
 * an outage, and both are served better in turn. */
#define LOGIN_SESSIONS_MAX             2000
/* Of them from one address: an office behind one, or a web mail server; nobody has all places. */
#define LOGIN_SESSIONS_PER_ADDRESS_MAX 500
#define LOGIN_FILES_MAX                8192 /* a session has one or two, gates and services a few */
/* Address space: stacks of all sessions (virtual), their heaps. */
#define LOGIN_MEMORY_MAX               ((size_t)4 << 30)
/* When the server stops: for a hand-over under way. */
#define LOGIN_STOP_MS                  5000

/* A gate's channel as sessions use it for STARTTLS: open as long as one of them may, even if gate is gone. */
struct gate_line {
    int channel;
    unsigned users; /* the loop's channel and sessions; main thread only */
};

struct login {
    struct role *role;
    struct loop *loop;
    struct directory *directory;
    struct keeper *keeper;
    struct login_delays *delays;
    int stop; /* eventfd that all sessions watch */
    bool stopping;
    struct running *first;
    size_t count;
};

struct running {
    struct login_session s; /* first */
    struct login *login;
    struct gate_line *gate;
    struct running *next, **back;
};

struct gate_client {
    struct login *login;
    struct gate_line *line;
};

static void release_line(struct gate_line *l)
{
    if (--l->users > 0)
        return;
    close(l->channel);
    free(l);
}

/* --- sessions --- */

static void session_over(void *context)
{
    struct running *r = context;
    struct login *login = r->login;
    *r->back = r->next;
    if (r->next)
        r->next->back = r->back;
    login->count--;
    release_line(r->gate);
    free(r);
    if (login->stopping && login->count == 0)
        loop_stop(login->loop);
}

static void run(void *context)
{
    struct running *r = context;
    stream_open(&r->s.stream, r->s.connection.fd, STR(""));
    if (login_is_pop3(&r->s))
        login_pop3(&r->s);
    else
        login_imap(&r->s);
    if (r->s.is_given_away)
        stream_close(&r->s.stream); /* the connection goes on; this was our descriptor of it */
    else
        stream_hang_up(&r->s.stream, r->s.until);
    loop_post(r->login->loop, session_over, r);
}

static size_t count_from(const struct login *login, const char *peer)
{
    size_t n = 0;
    for (const struct running *r = login->first; r; r = r->next)
        n += strcmp(r->s.connection.peer, peer) == 0;
    return n;
}

/* The socket's buffer is empty: this fits, or the client sees the end. */
static void turn_away(struct running *r, const char *words)
{
    struct arena a = ARENA_INIT;
    struct str text = arena_printf(
        &a, login_is_pop3(&r->s) ? "-ERR [SYS/TEMP] %s\r\n" : "* BYE [UNAVAILABLE] %s\r\n", words);
    LOG_WARNING("login.refused", F_C("peer", r->s.connection.peer), F_C("why", words));
    (void)!send(r->s.connection.fd, text.p, text.n, MSG_NOSIGNAL | MSG_DONTWAIT);
    close(r->s.connection.fd);
    arena_free(&a);
    free(r);
}

static void start(struct login *login, struct gate_line *gate, const struct connection *c)
{
    struct running *r = MEM_NEW(struct running);
    *r = (struct running){.login = login, .gate = gate};
    r->s = (struct login_session){.role = login->role,
                                  .config = login->role->config,
                                  .directory = login->directory,
                                  .keeper = login->keeper,
                                  .delays = login->delays,
                                  .gate = gate->channel,
                                  .stop = login->stop,
                                  .connection = *c,
                                  .until = deadline_in(LOGIN_MS)};
    if (login->stopping) {
        turn_away(r, "The server is going down");
        return;
    }
    if (login->count >= LOGIN_SESSIONS_MAX || count_from(login, c->peer) >= LOGIN_SESSIONS_PER_ADDRESS_MAX) {
        turn_away(r, "Too many connections, try again later");
        return;
    }
    if (!thread_start(run, r)) {
        turn_away(r, "No room for another connection, try again later");
        return;
    }
    gate->users++; /* session_over runs in this thread: not before we are back in the loop */
    login->count++;
    r->next = login->first;
    r->back = &login->first;
    if (r->next)
        r->next->back = &r->next;
    login->first = r;
}

/* --- gates --- */

static void gate_frame(void *context, struct loop_channel *c, struct ipc_frame *f)
{
    struct gate_client *g = context;
    struct ipc_reader in = ipc_read(f);
    struct connection connection;
    if (f->type != GATE_FRAME_CONNECTION || !connection_get(f, &in, &connection)) {
        LOG_ERROR("login.bad-frame", F_INT("type", f->type));
        loop_channel_close(c);
        return;
    }
    if (!ipc_done(&in) || service_is_smtp(connection.service))
        close(connection.fd);
    else
        start(g->login, g->line, &connection);
}

static void gate_closed(void *context, struct loop_channel *c)
{
    struct gate_client *g = context;
    (void)c;
    release_line(g->line);
    free(g);
}

static void new_gate(void *context, int channel, enum role_kind kind, uint32_t index)
{
    struct login *login = context;
    (void)index;
    int second = kind == ROLE_GATE ? fcntl(channel, F_DUPFD_CLOEXEC, 0) : -1;
    if (second < 0) {
        LOG_ERROR("login.bad-client", F_C("from", role_name(kind)), F_C("error", strerror(errno)));
        close(channel);
        return;
    }
    struct gate_client *g = MEM_NEW(struct gate_client);
    g->login = login;
    g->line = MEM_NEW(struct gate_line);
    *g->line = (struct gate_line){.channel = second, .users = 1};
    loop_channel(login->loop, channel, gate_frame, gate_closed, g);
}

/* --- the role --- */

static void stop_now(void *context)
{
    struct login *login = context;
    loop_stop(login->loop);
}

static void stop(void *context)
{
    struct login *login = context;
    if (login->stopping)
        return;
    login->stopping = true;
    eventfd_write(login->stop, 1);
    loop_timer(login->loop, LOGIN_STOP_MS, stop_now, login);
    if (login->count == 0)
        loop_stop(login->loop);
}

int login_main(struct role *r)
{
    struct err e = ERR_INIT;
    struct sandbox_profile profile = {.name = "login",
                                      .memory_max = LOGIN_MEMORY_MAX,
                                      .files_max = LOGIN_FILES_MAX,
                                      .landlock_required = r->config->sandbox_required};
    if (!role_drop_user(r, &e) || !sandbox_enter(&profile, NULL, &e))
        log_die("login.start", "%s", e.text);
    struct login login = {.role = r,
                          .loop = loop_new(),
                          .directory = directory_client(r),
                          .keeper = keeper_client(r),
                          .delays = login_delays_new(),
                          .stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    if (login.stop < 0)
        log_die("login.start", "eventfd: %s", strerror(errno));
    role_attach(r, login.loop, &(struct role_handlers){.channel = new_gate, .stop = stop}, &login);
    loop_run(login.loop);
    /* Sessions that outlived their time end with the process; `login` lives in this frame until then. */
    _exit(0);
}
