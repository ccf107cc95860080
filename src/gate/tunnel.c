#include "gate/tunnel.h"

#include "base/log.h"
#include "base/mem.h"
#include "gate/acks.h"
#include "gate/tls.h"
#include "gate/tls_socket.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

/* Asked of a service at a time: what it sends fits into four TLS records. */
#define SCRATCH_BYTES         ((size_t)64 * 1024)
/* Of one client before the others get their turn. */
#define CLIENT_BYTES_PER_TURN ((size_t)256 * 1024)

/* Bytes that their receiver did not take yet. */
struct leftover {
    char *p; /* NULL: none */
    size_t at, n;
};

enum state {
    HANDSHAKE,
    RELAYING,
    LINGERING, /* everything was sent and the service is gone: waits for the client to close */
};

struct tunnel {
    struct tunnels *all;
    struct tunnel *next, **back;
    enum state state;
    struct tls_socket tls;
    int client, service; /* service: -1 before the handshake of a tunnel_accept, and after its end */
    struct loop_watch *client_watch, *service_watch; /* NULL: not waiting for anything there */
    uint32_t client_events, service_events;
    struct loop_timer *timer;      /* the handshake's or the lingering's end; NULL: none */
    struct loop_timer *turn;       /* there is more that was read already; NULL: no */
    struct connection *connection; /* to be delivered after the handshake; NULL: STARTTLS */
    struct leftover to_client, to_service;
    struct ack ack;
    bool service_done; /* no more will come from there */
    bool service_deaf; /* it takes no more, or was told that no more comes */
    char peer[CONNECTION_ADDRESS_MAX];
};

struct tunnels {
    struct loop *loop;
    struct tunnels_user user;
    struct acks *acks;
    struct tunnel *list;
    size_t count;
    char scratch[SCRATCH_BYTES];
};

struct tunnels *tunnels_new(struct loop *l, const struct tunnels_user *user)
{
    struct tunnels *all = MEM_NEW(struct tunnels);
    all->loop = l;
    all->user = *user;
    all->acks = acks_new(l);
    return all;
}

size_t tunnels_count(const struct tunnels *all)
{
    return all->count;
}

/* --- what a tunnel waits for --- */

static void client_ready(void *tunnel, uint32_t events);
static void service_ready(void *tunnel, uint32_t events);

/* Waiting for nothing is not watching at all: epoll tells of errors and hang-ups even then, over and over. */
static void wait_for(struct tunnel *t, struct loop_watch **watch, uint32_t *now, int fd, uint32_t events,
                     loop_ready_fn *ready)
{
    if (events == *now)
        return;
    *now = events;
    if (events == 0) {
        loop_unwatch(*watch);
        *watch = NULL;
    } else if (*watch) {
        loop_watch_change(*watch, events);
    } else {
        *watch = loop_watch(t->all->loop, fd, events, ready, t);
    }
}

static void wait_for_client(struct tunnel *t, uint32_t events)
{
    wait_for(t, &t->client_watch, &t->client_events, t->client, events, client_ready);
}

static void wait_for_service(struct tunnel *t, uint32_t events)
{
    wait_for(t, &t->service_watch, &t->service_events, t->service, events, service_ready);
}

static void stop_timer(struct loop_timer **timer)
{
    if (*timer)
        loop_timer_cancel(*timer);
    *timer = NULL;
}

/* --- the end --- */

static void close_service(struct tunnel *t)
{
    if (t->service < 0)
        return;
    wait_for_service(t, 0);
    close(t->service);
    t->service = -1;
}

static void end(struct tunnel *t)
{
    struct tunnels *all = t->all;
    stop_timer(&t->timer);
    stop_timer(&t->turn);
    ack_end(&t->ack);
    close_service(t);
    wait_for_client(t, 0);
    tls_socket_free(&t->tls);
    close(t->client);
    free(t->to_client.p);
    free(t->to_service.p);
    free(t->connection);
    *t->back = t->next;
    if (t->next)
        t->next->back = t->back;
    all->count--;
    char peer[CONNECTION_ADDRESS_MAX];
    memcpy(peer, t->peer, sizeof peer);
    free(t);
    all->user.ended(all->user.context, peer);
}

void tunnels_free(struct tunnels *all)
{
    while (all->list)
        end(all->list);
    acks_free(all->acks);
    free(all);
}

/* The handshake is given up: a service that asked for it by STARTTLS is told. */
static void fail_handshake(struct tunnel *t, const char *why)
{
    LOG_INFO("gate.tls-failed", F_C("peer", t->peer), F_C("error", why));
    if (t->service >= 0)
        connection_starttls_failed(t->service); /* if it is still there */
    end(t);
}

static void timed_out(void *tunnel)
{
    struct tunnel *t = tunnel;
    t->timer = NULL;
    if (t->state == HANDSHAKE)
        fail_handshake(t, "the handshake took too long");
    else
        end(t);
}

static void start_timer(struct tunnel *t, int64_t ms)
{
    if (!t->timer)
        t->timer = loop_timer(t->all->loop, ms, timed_out, t);
}

/* Closing a socket that holds unread bytes resets the connection, and the client could lose the last answer:
 * so say that we are done, and throw away what still comes until it closes too. */
static void linger(struct tunnel *t)
{
    tls_socket_say_end(&t->tls);
    if (t->tls.ended || shutdown(t->client, SHUT_WR) < 0) {
        end(t);
        return;
    }
    tls_socket_free(&t->tls);
    close_service(t);
    stop_timer(&t->turn);
    ack_end(&t->ack);
    t->state = LINGERING;
    wait_for_client(t, EPOLLIN);
    start_timer(t, TUNNEL_LINGER_MS);
}

static void drain_client(struct tunnel *t)
{
    ssize_t n = recv(t->client, t->all->scratch, SCRATCH_BYTES, MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        end(t);
}

/* --- relaying --- */

static void keep(struct leftover *l, const char *p, size_t n)
{
    l->p = mem_resize(NULL, n, 1);
    memcpy(l->p, p, n);
    l->at = 0;
    l->n = n;
}

static void drop(struct leftover *l)
{
    free(l->p);
    *l = (struct leftover){NULL, 0, 0};
}

/* Writes what the service takes now: how many bytes. What a deaf service does not want counts as taken: what
 * it has sent before still goes to the client. */
static size_t write_service(struct tunnel *t, const char *p, size_t n)
{
    size_t at = 0;
    while (at < n && !t->service_deaf) {
        ssize_t sent = send(t->service, p + at, n - at, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent >= 0)
            at += (size_t)sent;
        else if (errno == EAGAIN)
            return at;
        else if (errno != EINTR)
            t->service_deaf = true;
    }
    return n;
}

static size_t write_client(struct tunnel *t, const char *p, size_t n)
{
    size_t sent = tls_socket_write(&t->tls, p, n);
    if (sent > 0)
        ack_sent(&t->ack);
    return sent;
}

typedef size_t write_fn(struct tunnel *t, const char *p, size_t n);

static void pass(struct tunnel *t, write_fn *write, struct leftover *rest, const char *p, size_t n)
{
    size_t taken = write(t, p, n);
    if (taken < n)
        keep(rest, p + taken, n - taken);
}

static void pass_rest(struct tunnel *t, write_fn *write, struct leftover *rest)
{
    if (!rest->p)
        return;
    rest->at += write(t, rest->p + rest->at, rest->n - rest->at);
    if (rest->at == rest->n)
        drop(rest);
}

static void another_turn(void *tunnel);

/* Until nothing more is held of what was read, or the service takes no more. */
static void relay_from_client(struct tunnel *t)
{
    size_t relayed = 0;
    while (!t->tls.ended && !t->to_service.p && !t->turn) {
        size_t n = tls_socket_read(&t->tls, t->all->scratch, SCRATCH_BYTES);
        pass(t, write_service, &t->to_service, t->all->scratch, n);
        if (n > 0)
            ack_came(&t->ack);
        relayed += n;
        if (!tls_socket_holds_some(&t->tls))
            break;
        if (n == 0) { /* a piece of a record */
            ack_part(&t->ack);
            break;
        }
        if (relayed >= CLIENT_BYTES_PER_TURN) /* epoll does not see what was read already */
            t->turn = loop_timer(t->all->loop, 0, another_turn, t);
    }
}

/* `events`: what was said of it before anything was read. Who had hung up has sent all that there is. */
static void relay_from_service(struct tunnel *t, uint32_t events)
{
    if (t->service_done || t->to_client.p)
        return;
    ssize_t n = recv(t->service, t->all->scratch, SCRATCH_BYTES, MSG_DONTWAIT);
    if (n > 0) {
        t->service_done = events & EPOLLHUP && (size_t)n < SCRATCH_BYTES;
        t->tls.says_end = t->service_done;
        pass(t, write_client, &t->to_client, t->all->scratch, (size_t)n);
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        t->service_done = true;
    }
}

/* After anything has moved: what to wait for now, or that this was the end. `t` may be gone afterwards. */
static void settle(struct tunnel *t)
{
    if (t->tls.broken) {
        end(t);
        return;
    }
    if (t->service_done && !t->to_client.p) {
        linger(t);
        return;
    }
    if (t->service_done)
        start_timer(t, TUNNEL_LINGER_MS); /* the client has to read now */
    if (t->tls.ended && !t->to_service.p && !t->service_deaf) {
        t->service_deaf = true;
        shutdown(t->service, SHUT_WR); /* it may still answer */
    }
    bool reads = !t->tls.ended && !t->to_service.p && !t->turn;
    wait_for_client(t, (reads ? t->tls.read_wants : 0) | (t->to_client.p ? t->tls.write_wants : 0));
    wait_for_service(t, (!t->service_done && !t->to_client.p ? (uint32_t)EPOLLIN : 0) |
                            (t->to_service.p ? (uint32_t)EPOLLOUT : 0));
}

static void another_turn(void *tunnel)
{
    struct tunnel *t = tunnel;
    t->turn = NULL;
    relay_from_client(t);
    settle(t);
}

static void service_ready(void *tunnel, uint32_t events)
{
    struct tunnel *t = tunnel;
    if (t->to_service.p) {
        pass_rest(t, write_service, &t->to_service);
        relay_from_client(t); /* what OpenSSL had read meanwhile */
    }
    relay_from_service(t, events);
    settle(t);
}

/* --- the handshake --- */

/* Makes the socketpair and hands its other end to the service. */
static bool deliver(struct tunnel *t, const struct tls_info *tls)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0) {
        LOG_WARNING("gate.no-socketpair", F_C("error", strerror(errno)));
        return false;
    }
    t->service = ends[0];
    t->connection->fd = ends[1];
    t->connection->tls = *tls;
    bool ok = t->all->user.deliver(t->all->user.context, t->connection);
    close(ends[1]);
    free(t->connection);
    t->connection = NULL;
    return ok;
}

static void finish_handshake(struct tunnel *t)
{
    struct tls_info tls;
    tls_describe(t->tls.ssl, &tls);
    stop_timer(&t->timer);
    t->state = RELAYING;
    if (!(t->connection ? deliver(t, &tls) : connection_starttls_done(t->service, &tls))) {
        end(t);
        return;
    }
    if (tls_socket_holds_some(&t->tls)) /* its first command has come with the end of the handshake */
        relay_from_client(t);
    settle(t);
}

static void advance_handshake(struct tunnel *t)
{
    switch (tls_socket_accept(&t->tls)) {
    case TLS_HANDSHAKE_DONE: finish_handshake(t); break;
    case TLS_HANDSHAKE_WAITS:
        if (tls_socket_holds_some(&t->tls)) /* a piece of a record: a large ClientHello takes two packets */
            ack_part(&t->ack);
        wait_for_client(t, t->tls.read_wants);
        break;
    case TLS_HANDSHAKE_FAILED: fail_handshake(t, tls_error("the client closed the connection"));
    }
}

static void client_ready(void *tunnel, uint32_t events)
{
    (void)events;
    struct tunnel *t = tunnel;
    switch (t->state) {
    case HANDSHAKE: advance_handshake(t); break;
    case LINGERING: drain_client(t); break;
    case RELAYING:
        pass_rest(t, write_client, &t->to_client);
        relay_from_client(t);
        settle(t);
        break;
    }
}

static struct tunnel *start(struct tunnels *all, SSL_CTX *context, int client, int service, const char *peer)
{
    struct tunnel *t = MEM_NEW(struct tunnel);
    *t = (struct tunnel){.all = all,
                         .state = HANDSHAKE,
                         .client = client,
                         .service = service,
                         .next = all->list,
                         .back = &all->list};
    tls_socket_start(&t->tls, context, client);
    ack_start(&t->ack, all->acks, client);
    snprintf(t->peer, sizeof t->peer, "%s", peer);
    if (t->next)
        t->next->back = &t->next;
    all->list = t;
    all->count++;
    start_timer(t, TUNNEL_HANDSHAKE_MS);
    return t;
}

void tunnel_accept(struct tunnels *all, SSL_CTX *context, const struct connection *c)
{
    struct tunnel *t = start(all, context, c->fd, -1, c->peer);
    t->tls.speaks_first = true; /* SMTP, IMAP and POP3 alike: the greeting */
    t->connection = MEM_NEW(struct connection);
    *t->connection = *c;
    wait_for_client(t, EPOLLIN); /* its first bytes are still on their way */
}

void tunnel_starttls(struct tunnels *all, SSL_CTX *context, int client, int service, const char *peer)
{
    struct tunnel *t = start(all, context, client, service, peer);
    wait_for_client(t, EPOLLIN);
}
