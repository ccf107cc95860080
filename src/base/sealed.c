#include "base/sealed.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define SEALS (F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW)

/* Up to here a read costs less than mapping, faulting and unmapping. sealed_release goes by it too. */
#define READ_BYTES_MAX ((size_t)128 * 1024)

/* --- making one --- */

int sealed_open(const char *name, struct err *e)
{
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        err_set(e, ERR_TEMPORARY, "no memfd for \"%s\": %s", name, strerror(errno));
    return fd;
}

bool sealed_write(int fd, struct str bytes, struct err *e)
{
    while (bytes.n > 0) {
        ssize_t n = write(fd, bytes.p, bytes.n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return err_set(e, ERR_TEMPORARY, "writing to a memfd: %s", strerror(n < 0 ? errno : ENOSPC));
        bytes = str_from_offset(bytes, (size_t)n);
    }
    return true;
}

bool sealed_close_writing(int fd, struct err *e)
{
    return fcntl(fd, F_ADD_SEALS, SEALS | F_SEAL_SEAL) == 0 ||
           err_set(e, ERR_TEMPORARY, "cannot seal a memfd: %s", strerror(errno));
}

int sealed_from(const char *name, struct str bytes, struct err *e)
{
    CLEAN_CLOSE int fd = sealed_open(name, e);
    if (fd < 0 || !sealed_write(fd, bytes, e) || !sealed_close_writing(fd, e))
        return -1;
    int result = fd;
    fd = -1;
    return result;
}

/* --- reading one --- */

static bool is_as_announced(int fd, uint64_t size, struct err *e)
{
    struct stat st;
    int seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0 || (seals & SEALS) != SEALS)
        return err_set(e, ERR_INTERNAL, "the bytes are not in a sealed memfd");
    if (fstat(fd, &st) < 0 || st.st_size < 0 || (uint64_t)st.st_size != size)
        return err_set(e, ERR_INTERNAL, "the memfd does not hold the %llu bytes announced",
                       (unsigned long long)size);
    return size <= SEALED_BYTES_MAX ||
           err_set(e, ERR_PERMANENT, "a memfd of %llu bytes is too large", (unsigned long long)size);
}

static bool copy_all(int fd, size_t size, struct str *bytes, struct err *e)
{
    char *copy = mem_resize(NULL, size, 1);
    for (size_t at = 0; at < size;) {
        ssize_t n = pread(fd, copy + at, size - at, (off_t)at);
        if (n > 0) {
            at += (size_t)n;
        } else if (n == 0 || errno != EINTR) {
            free(copy);
            return err_set(e, ERR_TEMPORARY, "reading a memfd: %s", strerror(n < 0 ? errno : EIO));
        }
    }
    *bytes = str_from(copy, size);
    return true;
}

bool sealed_read(int fd, uint64_t size, struct str *bytes, struct err *e)
{
    *bytes = STR("");
    if (!is_as_announced(fd, size, e))
        return false;
    if (size == 0)
        return true;
    if (size <= READ_BYTES_MAX)
        return copy_all(fd, (size_t)size, bytes, e);
    void *p = mmap(NULL, (size_t)size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (p == MAP_FAILED)
        return err_set(e, ERR_TEMPORARY, "cannot map %llu bytes: %s", (unsigned long long)size,
                       strerror(errno));
    *bytes = str_from(p, (size_t)size);
    return true;
}

void sealed_release(struct str bytes)
{
    if (bytes.n > READ_BYTES_MAX)
        munmap((void *)(uintptr_t)bytes.p, bytes.n);
    else if (bytes.n > 0)
        free((void *)(uintptr_t)bytes.p);
}
