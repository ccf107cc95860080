#include "relay/dial.h"

#include "base/mem.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
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

/* 0, or errno's number for why not. */
static int finish(int fd, struct deadline d)
{
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    int n;
    while ((n = poll(&p, 1, deadline_left_ms(d))) < 0 && errno == EINTR)
        ;
    if (n == 0)
        return ETIMEDOUT;
    int error = 0;
    socklen_t size = sizeof error;
    return n < 0 || getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0 ? errno : error;
}

int dial(const char *address, uint16_t port, struct deadline d, struct err *e)
{
    union endpoint to;
    socklen_t size = parse(address, port, &to);
    if (size == 0) {
        err_set(e, ERR_PERMANENT, "%s is not an address", address);
        return -1;
    }
    CLEAN_CLOSE int fd = socket(to.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int error = fd < 0 ? errno : 0;
    if (fd >= 0 && connect(fd, &to.any, size) != 0)
        error = errno == EINPROGRESS ? finish(fd, d) : errno;
    if (error != 0) {
        err_set(e, ERR_TEMPORARY, "%s", strerror(error));
        return -1;
    }
    int on =
        1; /* we write whole pieces; waiting for more only delays them. If refused, it is merely slower */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    int result = fd;
    fd = -1;
    return result;
}
