#include "supervisor/listeners.h"

#include "base/mem.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#define BACKLOG \
    4096 /* the kernel cuts it to net.core.somaxconn; a burst of clients waits here, not at their side */

static int bind_one(const struct config_listener *w)
{
    struct sockaddr_storage at;
    socklen_t n = config_listener_address(w, &at);
    int one = 1, fd = socket(at.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (at.ss_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one); /* 0.0.0.0 has a socket of its own */
    if (bind(fd, (struct sockaddr *)&at, n) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int why = errno;
    close(fd);
    errno = why;
    return -1;
}

/* The place in `old` of a socket bound where `w` asks for one; old->n: there is none. */
static size_t find(const struct listeners *old, const struct config_listener *w)
{
    size_t i = 0;
    while (i < old->n && !(old->v[i].where.port == w->port && str_eq(old->v[i].where.address, w->address)))
        i++;
    return i;
}

static void close_new(struct listeners *l, const struct listeners *old)
{
    for (size_t i = 0; i < l->n; i++)
        if (!old || find(old, &l->v[i].where) == old->n)
            close(l->v[i].fd);
    l->n = 0;
}

bool listeners_bind(struct listeners *l, struct listeners *old, const struct config *c, struct err *e)
{
    l->n = 0;
    for (size_t i = 0; i < c->listener_count; i++) {
        const struct config_listener *w = &c->listeners[i];
        size_t at = old ? find(old, w) : 0;
        int fd = old && at < old->n ? old->v[at].fd : bind_one(w);
        if (fd < 0 && errno == EAFNOSUPPORT && str_eq(w->address, STR("::")))
            continue; /* a machine without IPv6 */
        if (fd < 0) {
            const char *why = strerror(errno);
            const char *help = errno == EADDRINUSE
                                   ? "; another server has it: stop that one, or change [listen]"
                               : errno == EACCES ? "; ports under 1024 need root, or [listen] port_base"
                                                 : "";
            close_new(l, old);
            return err_set(e, ERR_PERMANENT, "cannot listen on %.*s port %u (%s): %s%s", STR_ARGS(w->address),
                           w->port, service_name(w->service), why, help);
        }
        l->v[l->n].fd = fd;
        l->v[l->n++].where = *w;
    }
    for (size_t i = 0; old && i < old->n; i++)
        if (find(l, &old->v[i].where) == l->n)
            close(old->v[i].fd);
    return true;
}
