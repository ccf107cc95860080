#include "gate/acceptor.h"

#include "base/log.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

/* Connections taken from one listening socket before others get their turn: more would leave the other gates
 * without work. */
#define ACCEPTS_PER_TURN 16

/* The kernel wakes the gate that has watched a listener for the longest, always the same one as long as it is
 * quick. Who has taken so many goes to the end of that line, so that connections that stay are spread. */
#define ACCEPTS_PER_GATE 4

/* When descriptors run out, accepting rests so long: connections wait in the kernel meanwhile. */
#define REST_MS 200

struct listener {
    struct acceptor *all;
    struct loop_watch *watch; /* NULL while resting */
    int fd;
    enum service service;
    unsigned taken; /* since it came to stand at the end of the line */
};

struct acceptor {
    struct loop *loop;
    struct acceptor_user user;
    struct listener listeners[CONFIG_LISTENERS_MAX];
    size_t count;
    struct loop_timer *rest; /* NULL: does not rest */
};

struct acceptor *acceptor_new(struct loop *l, const struct acceptor_user *user)
{
    struct acceptor *a = MEM_NEW(struct acceptor);
    a->loop = l;
    a->user = *user;
    return a;
}

/* --- watching --- */

static void accept_ready(void *listener, uint32_t events);

/* Each connection wakes one gate, not all. */
static void watch(struct listener *l)
{
    l->taken = 0;
    l->watch = loop_watch(l->all->loop, l->fd, EPOLLIN | EPOLLEXCLUSIVE, accept_ready, l);
}

static void unwatch(struct listener *l)
{
    if (l->watch)
        loop_unwatch(l->watch);
    l->watch = NULL;
}

static void end_rest(void *acceptor)
{
    struct acceptor *a = acceptor;
    a->rest = NULL;
    for (size_t i = 0; i < a->count; i++)
        watch(&a->listeners[i]);
}

static void rest(struct acceptor *a)
{
    for (size_t i = 0; i < a->count; i++)
        unwatch(&a->listeners[i]);
    if (!a->rest)
        a->rest = loop_timer(a->loop, REST_MS, end_rest, a);
}

static bool make_nonblocking_listener(int fd)
{
    int listens = 0, flags = fcntl(fd, F_GETFL);
    socklen_t n = sizeof listens;
    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &n) == 0 && listens && flags >= 0 &&
           fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0;
}

void acceptor_add(struct acceptor *a, int fd, enum service service)
{
    if (a->count == CONFIG_LISTENERS_MAX || !make_nonblocking_listener(fd)) {
        close(fd);
        return;
    }
    struct listener *l = &a->listeners[a->count++];
    *l = (struct listener){.all = a, .fd = fd, .service = service};
    if (!a->rest)
        watch(l);
}

void acceptor_close_all(struct acceptor *a)
{
    if (a->rest)
        loop_timer_cancel(a->rest);
    a->rest = NULL;
    for (size_t i = 0; i < a->count; i++) {
        unwatch(&a->listeners[i]);
        close(a->listeners[i].fd);
    }
    a->count = 0;
}

/* --- accepting --- */

/* Whose program has connected. */
static bool ask_for_user(struct connection *c)
{
    struct ucred who;
    socklen_t n = sizeof who;
    if (c->service != SERVICE_LOCAL)
        return true;
    if (getsockopt(c->fd, SOL_SOCKET, SO_PEERCRED, &who, &n) < 0)
        return false;
    c->uid = who.uid;
    return true;
}

static bool describe(struct connection *c, const struct sockaddr_storage *peer)
{
    struct sockaddr_storage local;
    socklen_t n = sizeof local;
    return ask_for_user(c) && getsockname(c->fd, (struct sockaddr *)&local, &n) == 0 &&
           connection_write_address(peer, c->peer, &c->peer_port) &&
           connection_write_address(&local, c->local, &c->local_port);
}

static void take(struct listener *l, int fd, const struct sockaddr_storage *peer)
{
    struct connection c = {.fd = fd, .service = l->service};
    l->taken++;
    if (!describe(&c, peer)) { /* gone again */
        close(fd);
        return;
    }
    LOG_DEBUG("gate.accept", F_C("service", service_name(c.service)), F_C("peer", c.peer),
              F_INT("port", c.peer_port));
    l->all->user.accepted(l->all->user.context, &c);
}

static void accept_ready(void *listener, uint32_t events)
{
    (void)events;
    struct listener *l = listener;
    for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
        struct sockaddr_storage peer;
        socklen_t n = sizeof peer;
        int fd = accept4(l->fd, (struct sockaddr *)&peer, &n, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) {
            take(l, fd, &peer);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            l->all->user.resting(l->all->user.context, strerror(errno));
            rest(l->all);
            return;
        } else if (errno == EAGAIN) {
            break;
        } /* else: that connection is gone again (accept(2), "Error handling"): the next one */
    }
    if (l->taken >= ACCEPTS_PER_GATE) {
        unwatch(l);
        watch(l);
    }
}
