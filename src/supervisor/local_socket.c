#include "supervisor/local_socket.h"

#include "base/mem.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

static bool is_listed(const struct config *c, struct str path)
{
    struct str rest = c->lmtp_sockets, one;
    while (rest.n > 0) {
        str_cut(&rest, ' ', &one);
        if (one.n > 0 && str_eq(one, path))
            return true;
    }
    return false;
}

int local_socket_connect(const struct config *c, struct str path, struct err *e)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    if (!is_listed(c, path) || path.n >= sizeof to.sun_path) {
        err_set(e, ERR_PERMANENT, "golub.conf does not name it in [relay] lmtp_sockets");
        return -1;
    }
    memcpy(to.sun_path, path.p, path.n);
    CLEAN_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) != 0) { /* EAGAIN: its backlog is full */
        err_set(e, ERR_TEMPORARY, "%s", strerror(errno));
        return -1;
    }
    int result = fd;
    fd = -1;
    return result;
}
