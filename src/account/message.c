#include "account/message.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Up to here a read costs less than mapping, faulting and unmapping. */
#define READ_BYTES_MAX ((uint64_t)128 * 1024)

static bool is_as_announced(int memfd, uint64_t size, struct err *e)
{
    const int needed = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW;
    struct stat st;
    int seals = fcntl(memfd, F_GET_SEALS);
    if (seals < 0 || (seals & needed) != needed)
        return err_set(e, ERR_INTERNAL, "the message is not in a sealed memfd");
    if (fstat(memfd, &st) < 0 || st.st_size < 0 || (uint64_t)st.st_size != size)
        return err_set(e, ERR_INTERNAL, "the memfd does not hold the %llu bytes announced",
                       (unsigned long long)size);
    return size <= MESSAGE_BYTES_MAX ||
           err_set(e, ERR_PERMANENT, "a message of %llu bytes is too large", (unsigned long long)size);
}

static bool read_all(int memfd, size_t size, struct message_bytes *out, struct err *e)
{
    char *bytes = mem_resize(NULL, size, 1);
    for (size_t at = 0; at < size;) {
        ssize_t n = pread(memfd, bytes + at, size - at, (off_t)at);
        if (n > 0) {
            at += (size_t)n;
        } else if (n == 0 || errno != EINTR) {
            free(bytes);
            return err_set(e, ERR_TEMPORARY, "reading a memfd: %s", strerror(n < 0 ? errno : EIO));
        }
    }
    *out = (struct message_bytes){.bytes = str_from(bytes, size)};
    return true;
}

bool message_open(int memfd, uint64_t size, struct message_bytes *out, struct err *e)
{
    *out = (struct message_bytes){0};
    if (!is_as_announced(memfd, size, e))
        return false;
    if (size <= READ_BYTES_MAX)
        return read_all(memfd, (size_t)size, out, e);
    void *p = mmap(NULL, (size_t)size, PROT_READ, MAP_PRIVATE, memfd, 0);
    if (p == MAP_FAILED)
        return err_set(e, ERR_TEMPORARY, "cannot map a message of %llu bytes: %s", (unsigned long long)size,
                       strerror(errno));
    *out = (struct message_bytes){.bytes = str_from(p, (size_t)size), .is_mapped = true};
    return true;
}

void message_close(struct message_bytes *m)
{
    if (m->is_mapped)
        munmap((void *)(uintptr_t)m->bytes.p, m->bytes.n);
    else
        free((void *)(uintptr_t)m->bytes.p);
    *m = (struct message_bytes){0};
}
