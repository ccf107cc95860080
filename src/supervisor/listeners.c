#include "supervisor/listeners.h"

#include "base/mem.h"

#include <errno.h>
#include <grp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG \
    4096 /* the kernel cuts it to net.core.somaxconn; a burst of clients waits here, not at their side */

static int close_failed(int fd)
{
    int why = errno;
    close(fd);
    errno = why;
    return -1;
}

static int bind_inet(const struct config_listener *w)
{
    struct sockaddr_storage at;
    socklen_t n = config_listener_address(w, &at);
    int one = 1, fd = socket(at.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    /* Each connection has it from its listener. Answers leave in whole writes already. */
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (at.ss_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one); /* 0.0.0.0 has a socket of its own */
    if (bind(fd, (struct sockaddr *)&at, n) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    return close_failed(fd);
}

/* Of a server that was killed: a socket on which nobody listens. */
static void remove_stale(const struct sockaddr_un *at)
{
    struct stat st;
    if (lstat(at->sun_path, &st) < 0 || !S_ISSOCK(st.st_mode))
        return;
    CLEAN_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)at, sizeof *at) < 0 && errno == ECONNREFUSED)
        unlink(at->sun_path);
}

/* Any program may send mail; who it is, the kernel says. */
#define SUBMISSION_SOCKET_MODE 0666

static mode_t mode_of(const struct config_listener *w, const struct config *c)
{
    return w->service == SERVICE_LOCAL ? SUBMISSION_SOCKET_MODE : (mode_t)c->lmtp_mode;
}

/* Nobody may connect before the socket has its owner and permissions: until then it has none. */
static int bind_unix(const struct config_listener *w, const struct config *c)
{
    struct sockaddr_storage storage;
    socklen_t n = config_listener_address(w, &storage);
    const struct sockaddr_un *at = (const struct sockaddr_un *)&storage;
    CLEAN_FREE char *group_name = mem_copy_c(c->lmtp_group.p, c->lmtp_group.n);
    bool has_group = w->service == SERVICE_LMTP && c->lmtp_group.n > 0;
    const struct group *group = has_group ? getgrnam(group_name) : NULL;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    if (has_group && !group) {
        errno = ESRCH;
        return close_failed(fd);
    }
    remove_stale(at);
    mode_t before = umask(0777);
    int bound = bind(fd, (const struct sockaddr *)at, n);
    umask(before);
    if (bound < 0)
        return close_failed(fd);
    if ((!group || chown(at->sun_path, (uid_t)-1, group->gr_gid) == 0) &&
        chmod(at->sun_path, mode_of(w, c)) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int why = errno;
    unlink(at->sun_path);
    errno = why;
    return close_failed(fd);
}

static int bind_one(const struct config_listener *w, const struct config *c)
{
    return w->path.n > 0 ? bind_unix(w, c) : bind_inet(w);
}

static bool is_same(const struct config_listener *a, const struct config_listener *b)
{
    return a->port == b->port && str_eq(a->address, b->address) && str_eq(a->path, b->path);
}

/* The place in `old` of a socket bound where `w` asks for one; old->n: there is none. */
static size_t find(const struct listeners *old, const struct config_listener *w)
{
    size_t i = 0;
    while (i < old->n && !is_same(&old->v[i].where, w))
        i++;
    return i;
}

static void close_one(int fd, const struct config_listener *where)
{
    struct sockaddr_storage storage;
    close(fd);
    if (where->path.n > 0) {
        config_listener_address(where, &storage);
        unlink(((const struct sockaddr_un *)&storage)->sun_path);
    }
}

static void close_new(struct listeners *l, const struct listeners *old)
{
    for (size_t i = 0; i < l->n; i++)
        if (!old || find(old, &l->v[i].where) == old->n)
            close_one(l->v[i].fd, &l->v[i].where);
    l->n = 0;
}

void listeners_close(struct listeners *l)
{
    close_new(l, NULL);
}

/* What to do about it; "" where the error says all. */
static const char *help_for(int error, const struct config_listener *w)
{
    if (error == EADDRINUSE)
        return "; another server has it: stop that one, or change [listen]";
    if (error == EACCES && w->path.n == 0)
        return "; ports under 1024 need root, or [listen] port_base";
    if (error == ENOENT)
        return "; make the folder";
    return error == ESRCH ? "; there is no group of the name in [listen] lmtp_group" : "";
}

bool listeners_bind(struct listeners *l, struct listeners *old, const struct config *c, struct err *e)
{
    l->n = 0;
    for (size_t i = 0; i < c->listener_count; i++) {
        const struct config_listener *w = &c->listeners[i];
        size_t at = old ? find(old, w) : 0;
        int fd = old && at < old->n ? old->v[at].fd : bind_one(w, c);
        if (fd < 0 && errno == EAFNOSUPPORT && str_eq(w->address, STR("::")))
            continue; /* a machine without IPv6 */
        if (fd < 0) {
            int why = errno;
            char where[CONFIG_LISTENER_WORDS_MAX];
            config_listener_words(w, where);
            close_new(l, old);
            return err_set(e, ERR_PERMANENT, "cannot listen on %s (%s): %s%s", where,
                           service_name(w->service), strerror(why), help_for(why, w));
        }
        l->v[l->n].fd = fd;
        l->v[l->n++].where = *w;
    }
    for (size_t i = 0; old && i < old->n; i++)
        if (find(l, &old->v[i].where) == l->n)
            close_one(old->v[i].fd, &old->v[i].where);
    return true;
}
