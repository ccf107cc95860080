#include "account/sessions_parts.h"

#include "account/link.h"
#include "account/park.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "keeper/keeper.h"
#include "keeper/parked.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

/* A POP3 client that comes back at once after QUIT must find its maildrop unlocked; the end of the session
 * before is under way. */
#define POP3_LOCK_MS  2000
#define LAST_FLUSH_MS 5000 /* for a client that takes its goodbye */
#define TAG_BYTES_MAX 1024 /* login allows fewer */

/* --- the maildrop's lock --- */

static bool take_maildrop(struct sessions *all)
{
    struct deadline d = deadline_in(POP3_LOCK_MS);
    struct timespec until = {.tv_sec = d.at_ms / 1000, .tv_nsec = d.at_ms % 1000 * 1000000};
    int r = 0;
    pthread_mutex_lock(&all->maildrop_lock);
    while (all->maildrop_taken && r == 0)
        r = pthread_cond_timedwait(&all->maildrop_free, &all->maildrop_lock, &until);
    bool taken = !all->maildrop_taken;
    all->maildrop_taken = true;
    pthread_mutex_unlock(&all->maildrop_lock);
    return taken;
}

static void give_maildrop(struct sessions *all)
{
    pthread_mutex_lock(&all->maildrop_lock);
    all->maildrop_taken = false;
    pthread_cond_signal(&all->maildrop_free);
    pthread_mutex_unlock(&all->maildrop_lock);
}

/* --- one session --- */

static void session_free(struct session *s)
{
    if (s->s.wake_fd >= 0)
        close(s->s.wake_fd);
    free((void *)(uintptr_t)s->already.p);
    free(s->s.unauthenticated);
    free((void *)(uintptr_t)s->thawed.p);
    buf_free(&s->s.frozen.state);
    free(s->tag);
    free(s->guest);
    free(s);
}

/* The connection of one that is nobody's any more, to login. A keeper that does not take it is gone. */
static void give_back(struct session *s)
{
    CLEAN_FRAME struct ipc_frame f;
    ipc_frame_init(&f, ACCOUNT_FRAME_UNAUTHENTICATED);
    ipc_put_str(&f, str_from_c(s->s.unauthenticated));
    ipc_put_str(&f, s->already);
    connection_put(&f, &s->s.connection);
    if (ipc_send(s->all->host->start->control, &f, deadline_in(SESSION_SEND_MS)) != IPC_OK)
        LOG_ERROR("session.lost", F_C("address", s->all->host->start->address), F_C("why", "keeper is gone"));
    close(s->s.connection.fd);
}

static void add_session(struct session *s)
{
    struct sessions *all = s->all;
    s->next = all->first; /* only this thread looks at the list */
    s->back = &all->first;
    if (s->next)
        s->next->back = &s->next;
    all->first = s;
    all->count++;
}

static void take_out(struct session *s)
{
    *s->back = s->next;
    if (s->next)
        s->next->back = s->back;
    s->all->count--;
}

void sessions_remove(struct session *s)
{
    take_out(s);
    session_free(s);
}

/* In the main thread: it has ended. */
static void session_over(void *context)
{
    struct session *s = context;
    struct sessions *all = s->all;
    if (s->s.unauthenticated)
        give_back(s);
    sessions_remove(s);
    host_touch(all->host);
    sessions_park_if_all_are_frozen(all);
}

/* Its stream ends and the connection stays, with what the client has sent already. */
static void keep_connection(struct session *s)
{
    struct str rest = stream_buffered(&s->s.stream);
    stream_wait_in_polls(&s->s.stream);
    free((void *)(uintptr_t)s->already.p);
    s->already = str_from(mem_copy_c(rest.p, rest.n), rest.n);
    s->s.stream.fd = -1;
    stream_close(&s->s.stream);
}

static void run(void *context)
{
    struct session *s = context;
    struct sessions *all = s->all;
    stream_open(&s->s.stream, s->s.connection.fd, s->already);
    if (s->is_pop3) {
        s->has_maildrop = take_maildrop(all);
        s->pop3_locked = !s->has_maildrop;
        pop3_session_run(&s->s);
        if (s->has_maildrop)
            give_maildrop(all);
    } else {
        imap_session_run(&s->s);
    }
    if (s->s.frozen.is_frozen) {
        stream_wait_in_polls(&s->s.stream);
        s->s.stream.fd = -1; /* it stays open */
        stream_close(&s->s.stream);
        loop_post(all->host->loop, sessions_frozen, s);
        return;
    }
    if (s->s.unauthenticated)
        keep_connection(s);
    else
        stream_hang_up(&s->s.stream, deadline_in(LAST_FLUSH_MS));
    loop_post(all->host->loop, session_over, s);
}

/* --- starting --- */

/* For one that cannot be served. The socket's buffer is empty, so this fits; if not, the client sees the
 * connection end. */
static void turn_away(struct session *s, const char *code, const char *words)
{
    struct arena a = ARENA_INIT;
    struct str text = s->is_pop3 ? arena_printf(&a, "-ERR [%s] %s\r\n", code, words)
                      : !s->tag
                          ? arena_printf(&a, "* BYE [%s] %s\r\n", code, words)
                          : arena_printf(&a, "* BYE %s\r\n%s NO [%s] %s\r\n", words, s->tag, code, words);
    LOG_WARNING("session.refused", F_C("address", s->all->host->start->address),
                F_C("peer", s->s.connection.peer), F_C("why", words));
    (void)!send(s->s.connection.fd, text.p, text.n, MSG_NOSIGNAL | MSG_DONTWAIT);
    close(s->s.connection.fd);
    arena_free(&a);
    session_free(s);
}

static struct session *parse(struct sessions *all, struct ipc_frame *f)
{
    struct ipc_reader in = ipc_read(f);
    struct session *s = MEM_NEW(struct session);
    s->all = all;
    s->s.wake_fd = -1;
    uint8_t is_pop3 = ipc_get_u8(&in);
    struct str tag = ipc_get_str(&in), already = ipc_get_str(&in), guest = ipc_get_str(&in);
    if (is_pop3 > 1 || tag.n > TAG_BYTES_MAX || !connection_get(f, &in, &s->s.connection)) {
        session_free(s);
        return NULL;
    }
    s->is_pop3 = is_pop3;
    s->tag = mem_copy_c(tag.p, tag.n);
    s->already = str_from(mem_copy_c(already.p, already.n), already.n);
    s->guest = mem_copy_c(guest.p, guest.n);
    s->s.tag = str_from(s->tag, tag.n);
    s->s.user = str_from(s->guest, guest.n);
    s->s.is_from_afar = guest.n > 0;
    if (ipc_done(&in))
        return s;
    close(s->s.connection.fd);
    session_free(s);
    return NULL;
}

/* What every session gets, new or thawed. */
static void furnish(struct session *s)
{
    struct sessions *all = s->all;
    s->s.config = all->host->start->config;
    s->s.address = str_from_c(all->host->start->address);
    s->s.account = all->host->start->id;
    s->s.link = link_of_sessions(all->host->link);
    s->s.stopping = &all->stopping;
    s->s.freezing = &all->freezing;
    s->s.pop3_locked = &s->pop3_locked;
}

bool sessions_run(struct session *s)
{
    if (s->s.wake_fd < 0)
        s->s.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return s->s.wake_fd >= 0 && threads_start(s->all->threads, run, s);
}

void sessions_lose(struct session *s, const char *why)
{
    LOG_ERROR("session.lost", F_C("address", s->all->host->start->address), F_C("why", why));
    close(s->s.connection.fd);
    sessions_remove(s);
}

static void start(struct session *s)
{
    struct err e = ERR_INIT;
    const char *temporary = s->is_pop3 ? "SYS/TEMP" : "UNAVAILABLE"; /* RFC 3206, RFC 5530 */
    s->s.store = host_store(s->all->host, &e);
    if (!s->s.store)
        turn_away(s, temporary, "The mailbox cannot be opened now; try again later");
    else if (s->tag && s->all->count >= SESSIONS_PER_ACCOUNT_MAX)
        turn_away(s, s->is_pop3 ? "SYS/TEMP" : "LIMIT", "Too many sessions of this account; close some");
    else if (!sessions_run(s))
        turn_away(s, temporary, "No room for another session; try again later");
    else
        add_session(s);
}

bool sessions_start(struct sessions *all, struct ipc_frame *f)
{
    struct session *s = parse(all, f);
    if (!s)
        return false;
    sessions_stay(all);
    s->patience_ms = sessions_least_patience(all);
    furnish(s);
    start(s);
    return true;
}

/* --- waking --- */

static void say_taken(const struct sessions *all, uint64_t number)
{
    CLEAN_FRAME struct ipc_frame f;
    ipc_frame_init(&f, ACCOUNT_FRAME_TAKEN);
    ipc_put_u64(&f, number);
    ipc_send(all->host->control, &f, deadline_in(SESSION_SEND_MS));
}

bool sessions_thaw(struct sessions *all, struct ipc_frame *f)
{
    struct ipc_reader in = ipc_read(f);
    uint64_t number = ipc_get_u64(&in);
    struct str state = ipc_get_str(&in);
    struct account_parked p;
    say_taken(all, number); /* before its first byte */
    if (!ipc_done(&in) || !account_parked_get(f, state, &p))
        return false;
    sessions_stay(all);
    struct session *s = MEM_NEW(struct session);
    s->all = all;
    s->s.wake_fd = -1;
    s->s.connection = p.connection;
    s->patience_ms = account_patience(&p, clock_ms(), sessions_least_patience(all));
    s->thawed = s->s.thawed = str_from(mem_copy_c(p.protocol.p, p.protocol.n), p.protocol.n);
    furnish(s);
    s->s.store = host_store(all->host, NULL);
    add_session(s);
    if (s->s.store && sessions_doze(s))
        return true;
    take_out(s);
    start(s);
    return true;
}

size_t sessions_count(const struct sessions *all)
{
    return all->count;
}

void sessions_stop(struct sessions *all)
{
    atomic_store(&all->stopping, true);
    sessions_stay(all);
    for (struct session *s = all->first, *next; s; s = next) {
        next = s->next;
        if (s->dozes)
            sessions_wake(s); /* to say goodbye */
        else
            eventfd_write(s->s.wake_fd, 1);
    }
}

struct sessions *sessions_new(struct host *h)
{
    struct sessions *all = MEM_NEW(struct sessions);
    all->host = h;
    all->threads = threads_new();
    all->commits = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (all->commits < 0)
        log_die("account.start", "eventfd: %s", strerror(errno));
    loop_watch(h->loop, all->commits, EPOLLIN, sessions_hear_of_commit, all);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC); /* as struct deadline */
    pthread_cond_init(&all->maildrop_free, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&all->maildrop_lock, NULL);
    return all;
}
