/* golub check: whether the ports are free, or held by this server already. */
#include "base/buf.h"
#include "base/mem.h"
#include "command/check.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define INODES_MAX 256 /* listening sockets of one port, many times over */

/* 0, or why it cannot be bound. */
static int try_bind(const struct config_listener *l)
{
    struct sockaddr_storage address;
    socklen_t n = config_listener_address(l, &address);
    int one = 1;
    CLEAN_CLOSE int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (address.ss_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
    return bind(fd, (struct sockaddr *)&address, n) == 0 ? 0 : errno;
}

/* --- who has it --- from /proc/net/tcp and /proc/PID/fd, as ss(8) does */

static size_t listening_inodes(uint16_t port, unsigned long *inodes, size_t n)
{
    static const char *const TABLES[] = {"/proc/net/tcp", "/proc/net/tcp6"};
    for (int i = 0; i < 2; i++) {
        char line[512];
        FILE *f = fopen(TABLES[i], "re");
        while (f && n < INODES_MAX && fgets(line, sizeof line, f)) {
            unsigned local, state;
            unsigned long inode;
            if (sscanf(line, " %*d: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x %*s %*s %*s %*u %*u %lu", &local,
                       &state, &inode) == 3 &&
                local == port && state == 10 /* TCP_LISTEN */)
                inodes[n++] = inode;
        }
        if (f)
            fclose(f);
    }
    return n;
}

static bool holds_one(int process, const unsigned long *inodes, size_t n)
{
    int folder = openat(process, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *fds = folder >= 0 ? fdopendir(folder) : NULL;
    bool found = false;
    for (struct dirent *entry; fds && !found && (entry = readdir(fds));) {
        char target[64] = "";
        unsigned long inode;
        if (readlinkat(dirfd(fds), entry->d_name, target, sizeof target - 1) > 0 &&
            sscanf(target, "socket:[%lu]", &inode) == 1)
            for (size_t i = 0; i < n; i++)
                found = found || inodes[i] == inode;
    }
    if (fds)
        closedir(fds);
    else if (folder >= 0)
        close(folder);
    return found;
}

/* The name of the process that listens on the port; false: it cannot be seen (another user's). */
static bool find_holder(uint16_t port, char name[32])
{
    unsigned long inodes[INODES_MAX];
    size_t n = listening_inodes(port, inodes, 0);
    DIR *proc = opendir("/proc");
    bool found = false;
    if (!proc)
        return false;
    for (struct dirent *entry; n > 0 && !found && (entry = readdir(proc));) {
        CLEAN_CLOSE int process = ascii_is_digit(entry->d_name[0])
                                      ? openat(dirfd(proc), entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
                                      : -1;
        if (process < 0 || !holds_one(process, inodes, n))
            continue;
        CLEAN_CLOSE int comm = openat(process, "comm", O_RDONLY | O_CLOEXEC);
        ssize_t got = comm >= 0 ? read(comm, name, 31) : -1;
        name[got > 0 ? got : 0] = '\0';
        name[strcspn(name, "\n")] = '\0';
        found = got > 0;
    }
    closedir(proc);
    return found;
}

static void say_taken(const struct config_listener *l, const char *where)
{
    char holder[32] = "";
    bool known = find_holder(l->port, holder);
    if (known && str_starts(str_from_c(holder), STR("golub")))
        check_say(CHECK_OK, "%s is served by golub, which runs", where);
    else
        check_say(CHECK_ERROR, "%s is taken by %s: stop it, or change [listen]", where,
                  known ? holder : "another user's process");
}

/* A unix socket that nobody listens on is no obstacle: serve takes its place. */
static void check_unix(const struct config_listener *l, const char *where)
{
    struct sockaddr_storage at;
    socklen_t n = config_listener_address(l, &at);
    CLEAN_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    CLEAN_FREE char *folder = mem_copy_c(l->path.p, str_rfind_byte(l->path, '/') + 1);
    if (fd >= 0 && (connect(fd, (const struct sockaddr *)&at, n) == 0 || errno == EAGAIN))
        check_say(CHECK_OK, "%s has somebody who listens: golub, if it runs", where);
    else if (errno == EACCES)
        check_say(CHECK_WARNING, "%s may not be opened by you", where);
    else if (errno != ECONNREFUSED && errno != ENOENT)
        check_say(CHECK_ERROR, "%s: %s", where, strerror(errno));
    else if (access(folder, W_OK | X_OK) < 0)
        check_say(CHECK_WARNING, "%s: %s: %s", where, folder, strerror(errno));
    else
        check_say(CHECK_OK, "%s is free", where);
}

void check_listeners(const struct config *c)
{
    for (size_t i = 0; i < c->listener_count; i++) {
        const struct config_listener *l = &c->listeners[i];
        char where[CONFIG_LISTENER_WORDS_MAX + 32], words[CONFIG_LISTENER_WORDS_MAX];
        config_listener_words(l, words);
        snprintf(where, sizeof where, "%s on %s", service_name(l->service), words);
        if (l->path.n > 0) {
            check_unix(l, where);
            continue;
        }
        int why = try_bind(l);
        if (why == 0)
            check_say(CHECK_OK, "%s is free", where);
        else if (why == EADDRINUSE)
            say_taken(l, where);
        else if (why == EACCES)
            check_say(CHECK_WARNING,
                      "%s: ports below 1024 need root, CAP_NET_BIND_SERVICE or [listen] port_base", where);
        else if (why == EAFNOSUPPORT)
            check_say(CHECK_OK, "%s: this machine has no IPv6", where);
        else
            check_say(CHECK_ERROR, "%s: %s", where, strerror(why));
    }
    if (c->listener_count == 0)
        check_say(CHECK_ERROR, "nothing listens: every port in [listen] is none");
}
