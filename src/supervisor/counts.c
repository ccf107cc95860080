#include "supervisor/counts.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* In the data directory, whose owner may be another than we are, and where a role that was taken over on a
 * kernel without Landlock may have put something: neither links nor anything but a plain file is followed. */
static int open_kept(const char *path)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

static bool read_all(int fd, struct buf *in)
{
    char *to;
    ssize_t n = 1;
    while (n > 0 && (to = buf_room(in, 65536))) {
        n = read(fd, to, 65536);
        if (n > 0)
            buf_grew(in, (size_t)n);
    }
    return n == 0;
}

void counts_load(struct tally *t, const struct config *c)
{
    CLEAN_FREE char *path = NULL;
    CLEAN_BUF struct buf in;
    buf_init(&in, TALLY_SAVED_MAX + 65536);
    if (asprintf(&path, "%.*s/clients", STR_ARGS(c->data)) < 0)
        abort(); /* out of memory */
    CLEAN_CLOSE int fd = open_kept(path);
    if (fd >= 0 && (!read_all(fd, &in) || !tally_restore(t, buf_str(&in), clock_ms(), clock_wall() * 1000)))
        LOG_WARNING("clients.unreadable", F_C("file", path), F_C("now", "counts of clients begin anew"));
}

static bool write_all(const char *path, struct str bytes, uid_t uid, gid_t gid)
{
    unlink(path);
    CLEAN_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd >= 0 && geteuid() == 0 && fchown(fd, uid, gid) != 0) /* like all that lies there */
        return false;
    while (fd >= 0 && bytes.n > 0) {
        ssize_t n = write(fd, bytes.p, bytes.n);
        if (n < 0)
            return false;
        bytes = str_from_offset(bytes, (size_t)n);
    }
    return fd >= 0;
}

/* FNV-1a, of the counts alone: the clocks before them differ each time. */
static uint64_t sum_of(struct str bytes)
{
    uint64_t sum = UINT64_C(0xcbf29ce484222325);
    for (size_t i = TALLY_SAVED_HEAD; i < bytes.n; i++)
        sum = (sum ^ (unsigned char)bytes.p[i]) * UINT64_C(0x100000001b3);
    return sum;
}

void counts_save(const struct tally *t, const struct config *c, uid_t uid, gid_t gid, uint64_t *last)
{
    CLEAN_FREE char *path = NULL, *fresh = NULL;
    CLEAN_BUF struct buf out;
    buf_init(&out, TALLY_SAVED_MAX);
    tally_save(t, &out, clock_ms(), clock_wall() * 1000);
    uint64_t sum = sum_of(buf_str(&out));
    if (sum == *last)
        return;
    if (asprintf(&path, "%.*s/clients", STR_ARGS(c->data)) < 0 || asprintf(&fresh, "%s.new", path) < 0)
        abort(); /* out of memory */
    if (write_all(fresh, buf_str(&out), uid, gid) && rename(fresh, path) == 0)
        *last = sum;
    else
        LOG_WARNING("clients.unsaved", F_C("file", path), F_C("error", strerror(errno)));
}
