#include "gate/proxied.h"

#include "base/log.h"
#include "base/mem.h"
#include "gate/proxy.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

struct arrival {
    struct proxied *all;
    struct arrival *next, **back;
    struct connection connection;
    struct loop_watch *watch;
    struct loop_timer *timer;
    struct buf header; /* what has come of it */
};

struct proxied {
    struct loop *loop;
    proxied_fn *ready;
    void *context;
    struct arrival *list;
    size_t count;
};

struct proxied *proxied_new(struct loop *l, proxied_fn *ready, void *context)
{
    struct proxied *all = MEM_NEW(struct proxied);
    *all = (struct proxied){.loop = l, .ready = ready, .context = context};
    return all;
}

/* Returns its descriptor, which is the caller's. */
static int forget(struct arrival *a)
{
    int fd = a->connection.fd;
    loop_unwatch(a->watch);
    if (a->timer)
        loop_timer_cancel(a->timer);
    *a->back = a->next;
    if (a->next)
        a->next->back = a->back;
    a->all->count--;
    buf_free(&a->header);
    free(a);
    return fd;
}

static void refuse(struct arrival *a, const char *why)
{
    LOG_WARNING("gate.no-proxy-header", F_C("peer", a->connection.peer), F_C("why", why),
                F_C("service", service_name(a->connection.service)));
    close(forget(a));
}

static void timed_out(void *arrival)
{
    struct arrival *a = arrival;
    a->timer = NULL;
    refuse(a, "it did not come in time");
}

static void hand_on(struct arrival *a, const struct proxy_header *h)
{
    struct proxied *all = a->all;
    struct connection c = a->connection;
    forget(a);
    if (h->has_addresses) {
        LOG_DEBUG("gate.proxied", F_C("by", c.peer), F_C("peer", h->peer), F_INT("port", h->peer_port));
        memcpy(c.peer, h->peer, sizeof c.peer);
        memcpy(c.local, h->local, sizeof c.local);
        c.peer_port = h->peer_port;
        c.local_port = h->local_port;
    }
    c.tls = h->tls;
    all->ready(all->context, &c);
}

/* Bytes behind the header are the service's: they are looked at first, and only what belongs to the header is
 * taken out of the socket. */
static void client_ready(void *arrival, uint32_t events)
{
    (void)events;
    struct arrival *a = arrival;
    struct proxy_header h;
    size_t had = a->header.n;
    char *room = buf_room(&a->header, PROXY_BYTES_MAX - had);
    ssize_t n = room ? recv(a->connection.fd, room, PROXY_BYTES_MAX - had, MSG_PEEK | MSG_DONTWAIT) : 0;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        refuse(a, "the connection ended");
        return;
    }
    buf_grew(&a->header, (size_t)n);
    enum proxy_result r = proxy_read(buf_str(&a->header), &h);
    size_t whole = r == PROXY_DONE ? h.bytes : a->header.n;
    if (r == PROXY_BAD) {
        refuse(a, "what came is none");
        return;
    }
    if (recv(a->connection.fd, a->header.p + had, whole - had, MSG_DONTWAIT) != (ssize_t)(whole - had))
        refuse(a, "the connection broke");
    else if (r == PROXY_DONE)
        hand_on(a, &h);
}

void proxied_accept(struct proxied *all, const struct connection *c)
{
    if (all->count == PROXIED_MAX) {
        LOG_WARNING("gate.no-proxy-header", F_C("peer", c->peer), F_C("why", "too many wait for theirs"));
        close(c->fd);
        return;
    }
    struct arrival *a = MEM_NEW(struct arrival);
    *a = (struct arrival){.all = all, .connection = *c, .next = all->list, .back = &all->list};
    buf_init(&a->header, PROXY_BYTES_MAX);
    if (a->next)
        a->next->back = &a->next;
    all->list = a;
    all->count++;
    a->watch = loop_watch(all->loop, c->fd, EPOLLIN, client_ready, a);
    a->timer = loop_timer(all->loop, PROXIED_MS, timed_out, a);
}
