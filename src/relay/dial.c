#include "relay/dial.h"

#include "base/mem.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

union endpoint {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static socklen_t parse(const char *address, uint16_t port, union endpoint *to)
{
    memset(to, 0, sizeof *to);
    if (inet_pton(AF_INET, address, &to->v4.sin_addr) == 1) {
        to->v4.sin_family = AF_INET;
        to->v4.sin_port = htons(port);
        return sizeof to->v4;
    }
    if (inet_pton(AF_INET6, address, &to->v6.sin6_addr) == 1) {
        to->v6.sin6_family = AF_INET6;
        to->v6.sin6_port = htons(port);
        return sizeof to->v6;
    }
    return 0;
}

int dial_family(const char *address)
{
    union endpoint to;
    return parse(address, 0, &to) == 0 ? 0 : to.any.sa_family == AF_INET ? 4 : 6;
}

struct str dial_source(int fd, char text[DIAL_ADDRESS_TEXT])
{
    union endpoint ours;
    socklen_t size = sizeof ours;
    memset(&ours, 0, sizeof ours);
    if (getsockname(fd, &ours.any, &size) != 0)
        return STR("");
    const void *address = ours.any.sa_family == AF_INET    ? (const void *)&ours.v4.sin_addr
                          : ours.any.sa_family == AF_INET6 ? (const void *)&ours.v6.sin6_addr
                                                           : NULL;
    bool has_text = address && inet_ntop(ours.any.sa_family, address, text, DIAL_ADDRESS_TEXT);
    return has_text ? str_from_c(text) : STR("");
}

struct race {
    struct dial_address *list;
    size_t n, begun;
    struct pollfd fds[DIAL_ADDRESSES_MAX]; /* fd -1: not under way */
    struct deadline head_start;            /* of the last one that was begun */
};

static void fail(struct race *r, size_t i, const char *why)
{
    snprintf(r->list[i].failure, sizeof r->list[i].failure, "%s", why);
    mem_clean_close(&r->fds[i].fd);
    r->fds[i].fd = -1;
}

/* The kernel chooses the port when it knows the destination, so that it may serve several. */
static bool bind_source(int fd, const char *source)
{
    union endpoint from;
    socklen_t size = parse(source, 0, &from);
    (void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &(int){1},
                     sizeof(int)); /* else one port each */
    if (size > 0)
        return bind(fd, &from.any, size) == 0;
    errno = EINVAL;
    return false;
}

/* True: it is connected already. */
static bool begin(struct race *r, uint16_t port)
{
    size_t i = r->begun++;
    struct dial_address *a = &r->list[i];
    union endpoint to;
    socklen_t size = parse(a->address, port, &to);
    a->was_tried = true;
    r->head_start = deadline_in(DIAL_DELAY_MS);
    if (size == 0) {
        fail(r, i, "it is not an address");
        return false;
    }
    r->fds[i].fd = socket(to.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (r->fds[i].fd < 0 || (a->source && !bind_source(r->fds[i].fd, a->source))) {
        fail(r, i, strerror(errno));
        return false;
    }
    if (connect(r->fds[i].fd, &to.any, size) == 0)
        return true;
    if (errno != EINPROGRESS)
        fail(r, i, strerror(errno));
    return false;
}

static size_t under_way(const struct race *r)
{
    size_t n = 0;
    for (size_t i = 0; i < r->begun; i++)
        n += r->fds[i].fd >= 0;
    return n;
}

/* The place of one that has connected; r->n: none yet. */
static size_t find_winner(struct race *r)
{
    for (size_t i = 0; i < r->begun; i++) {
        int error = 0;
        socklen_t size = sizeof error;
        if (r->fds[i].fd < 0 || r->fds[i].revents == 0)
            continue;
        if (getsockopt(r->fds[i].fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
            error = errno;
        if (error == 0)
            return i;
        fail(r, i, strerror(error));
    }
    return r->n;
}

static size_t run(struct race *r, uint16_t port, struct deadline d)
{
    while (!deadline_passed(d)) {
        bool may_begin = r->begun < r->n && (under_way(r) == 0 || deadline_passed(r->head_start));
        if (may_begin && begin(r, port))
            return r->begun - 1;
        if (under_way(r) == 0) {
            if (r->begun == r->n)
                return r->n;
            continue;
        }
        struct deadline until = r->begun < r->n ? deadline_sooner(d, r->head_start) : d;
        if (poll(r->fds, (nfds_t)r->begun, deadline_left_ms(until)) <= 0)
            continue; /* time for the next one, or a signal */
        size_t winner = find_winner(r);
        if (winner < r->n)
            return winner;
    }
    return r->n;
}

int dial(struct dial_address *list, size_t n, uint16_t port, struct deadline d, size_t *which)
{
    struct race r = {.list = list, .n = n < DIAL_ADDRESSES_MAX ? n : DIAL_ADDRESSES_MAX};
    for (size_t i = 0; i < DIAL_ADDRESSES_MAX; i++)
        r.fds[i] = (struct pollfd){.fd = -1, .events = POLLOUT};
    for (size_t i = 0; i < r.n; i++) {
        list[i].was_tried = false;
        list[i].failure[0] = '\0';
    }
    *which = run(&r, port, d);
    int result = -1;
    for (size_t i = 0; i < r.begun; i++) {
        if (i == *which) {
            result = r.fds[i].fd;
        } else if (r.fds[i].fd >= 0) {
            fail(&r, i, *which < r.n ? "" : strerror(ETIMEDOUT));
            list[i].was_tried = *which == r.n; /* another one was faster: nothing is known of this one */
        }
    }
    if (result >= 0) /* we write whole pieces; waiting for more only delays them. If refused, it is slower */
        (void)setsockopt(result, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    return result;
}
