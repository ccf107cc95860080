/* The login role: its main thread takes connections from the gates; each is served by a thread. */
#include "login/login.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/sandbox.h"
#include "base/thread.h"
#include "imap/parse.h"
#include "login/session.h"
#include "login/voucher.h"
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
    struct gate_line *next; /* of those whose gate is there */
    int channel;
    unsigned users; /* the loop's channel and sessions; main thread only */
};

struct login {
    struct role *role;
    struct loop *loop;
    struct directory *directory;
    struct keeper *keeper;
    struct login_delays *delays;
    struct threads *threads; /* of sessions: most last no longer than a login takes */
    struct gate_line *lines;
    unsigned char voucher_key[VOUCHER_KEY_BYTES];
    int stop; /* eventfd that all sessions watch */
    bool stopping;
    struct running *first;
    size_t count;
};

struct running {
    struct login_session s; /* first */
    struct login *login;
    struct gate_line *gate; /* NULL: none is there, so there is no STARTTLS */
    char *tag;              /* of UNAUTHENTICATE; NULL: a new connection */
    struct str already;     /* read from the client before; malloc'd */
    struct running *next, **back;
};

struct gate_client {
    struct login *login;
    struct gate_line *line;
};

static void release_line(struct gate_line *l)
{
    if (!l || --l->users > 0)
        return;
    close(l->channel);
    free(l);
}

/* --- sessions --- */

static void running_free(struct running *r)
{
    free(r->tag);
    free((void *)(uintptr_t)r->already.p);
    free(r);
}

static void session_over(void *context)
{
    struct running *r = context;
    struct login *login = r->login;
    *r->back = r->next;
    if (r->next)
        r->next->back = r->back;
    login->count--;
    release_line(r->gate);
    running_free(r);
    if (login->stopping && login->count == 0)
        loop_stop(login->loop);
}

static void run(void *context)
{
    struct running *r = context;
    stream_open(&r->s.stream, r->s.connection.fd, r->already);
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
    running_free(r);
}

static struct running *running_new(struct login *login, struct gate_line *gate, const struct connection *c)
{
    struct running *r = MEM_NEW(struct running);
    *r = (struct running){.login = login, .gate = gate};
    r->s = (struct login_session){.role = login->role,
                                  .config = login->role->config,
                                  .directory = login->directory,
                                  .keeper = login->keeper,
                                  .delays = login->delays,
                                  .gate = gate ? gate->channel : -1,
                                  .stop = login->stop,
                                  .voucher_key = login->voucher_key,
                                  .connection = *c,
                                  .until = deadline_in(LOGIN_MS)};
    return r;
}

static void start(struct login *login, struct running *r)
{
    if (login->stopping) {
        turn_away(r, "The server is going down");
        return;
    }
    if (login->count >= LOGIN_SESSIONS_MAX ||
        count_from(login, r->s.connection.peer) >= LOGIN_SESSIONS_PER_ADDRESS_MAX) {
        turn_away(r, "Too many connections, try again later");
        return;
    }
    if (!threads_start(login->threads, run, r)) {
        turn_away(r, "No room for another connection, try again later");
        return;
    }
    if (r->gate)
        r->gate->users++; /* session_over runs in this thread: not before we are back in the loop */
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
        start(g->login, running_new(g->login, g->line, &connection));
}

static void gate_closed(void *context, struct loop_channel *c)
{
    struct gate_client *g = context;
    (void)c;
    struct gate_line **at = &g->login->lines;
    while (*at != g->line)
        at = &(*at)->next;
    *at = g->line->next;
    release_line(g->line);
    free(g);
}

/* --- keeper: connections that accounts give back --- */

/* True: taken over. */
static bool take_back(struct login *login, struct ipc_frame *f)
{
    struct ipc_reader in = ipc_read(f);
    struct str tag = ipc_get_str(&in), already = ipc_get_str(&in);
    struct connection c;
    if (!connection_get(f, &in, &c))
        return false;
    if (!ipc_done(&in) || tag.n == 0 || tag.n > IMAP_TAG_MAX || c.service == SERVICE_POP3 ||
        c.service == SERVICE_POP3S || !voucher_is_good(&c, login->voucher_key)) {
        close(c.fd);
        return false;
    }
    struct running *r = running_new(login, login->lines, &c);
    r->tag = mem_copy_c(tag.p, tag.n);
    r->s.unauthenticated = str_from(r->tag, tag.n);
    r->already = str_from(mem_copy_c(already.p, already.n), already.n);
    LOG_INFO("login.unauthenticated", F_C("peer", c.peer));
    start(login, r);
    return true;
}

static void keeper_frame(void *context, struct loop_channel *c, struct ipc_frame *f)
{
    (void)c;
    if (f->type != KEEPER_FRAME_UNAUTHENTICATED || !take_back(context, f))
        LOG_ERROR("login.not-taken-back", F_INT("type", f->type),
                  F_C("why", "no connection of ours, or of before a restart"));
}

static void keeper_closed(void *context, struct loop_channel *c)
{
    (void)context, (void)c;
}

/* --- who connects --- */

static void new_gate(struct login *login, int channel)
{
    int second = fcntl(channel, F_DUPFD_CLOEXEC, 0);
    if (second < 0) {
        LOG_ERROR("login.bad-client", F_C("from", "gate"), F_C("error", strerror(errno)));
        close(channel);
        return;
    }
    struct gate_client *g = MEM_NEW(struct gate_client);
    g->login = login;
    g->line = MEM_NEW(struct gate_line);
    *g->line = (struct gate_line){.next = login->lines, .channel = second, .users = 1};
    login->lines = g->line;
    loop_channel(login->loop, channel, gate_frame, gate_closed, g);
}

static void new_client(void *context, int channel, enum role_kind kind, uint32_t index)
{
    struct login *login = context;
    (void)index;
    if (kind == ROLE_GATE) {
        new_gate(login, channel);
    } else if (kind == ROLE_KEEPER) {
        loop_channel(login->loop, channel, keeper_frame, keeper_closed, login);
    } else {
        LOG_ERROR("login.bad-client", F_C("from", role_name(kind)));
        close(channel);
    }
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
                          .threads = threads_new(),
                          .stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    voucher_make_key(login.voucher_key);
    if (login.stop < 0)
        log_die("login.start", "eventfd: %s", strerror(errno));
    role_attach(r, login.loop, &(struct role_handlers){.channel = new_client, .stop = stop}, &login);
    loop_run(login.loop);
    /* Sessions that outlived their time end with the process; `login` lives in this frame until then. */
    _exit(0);
}
