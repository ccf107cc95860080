#include "queue/sealed.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEALS (F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW)

bool sealed_map(int fd, uint64_t size, struct str *bytes, struct err *e)
{
    struct stat st;
    *bytes = STR("");
    int seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0 || (seals & SEALS) != SEALS)
        return err_set(e, ERR_INTERNAL, "the message is not in a sealed memfd");
    if (fstat(fd, &st) != 0 || (uint64_t)st.st_size != size)
        return err_set(e, ERR_INTERNAL, "the message is not as large as it was said to be");
    if (size == 0)
        return true;
    void *p = mmap(NULL, (size_t)size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (p == MAP_FAILED)
        return err_set(e, ERR_TEMPORARY, "cannot map the message: %s", strerror(errno));
    *bytes = str_from(p, (size_t)size);
    return true;
}

void sealed_unmap(struct str bytes)
{
    if (bytes.n > 0)
        munmap((void *)(uintptr_t)bytes.p, bytes.n);
}

int sealed_open(const char *name, struct err *e)
{
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        err_set(e, ERR_TEMPORARY, "no memory for a message: %s", strerror(errno));
    return fd;
}

bool sealed_write(int fd, struct str bytes, struct err *e)
{
    while (bytes.n > 0) {
        ssize_t n = write(fd, bytes.p, bytes.n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return err_set(e, ERR_TEMPORARY, "no memory for a message: %s", strerror(errno));
        bytes = str_from_offset(bytes, (size_t)n);
    }
    return true;
}

bool sealed_close_writing(int fd, struct err *e)
{
    return fcntl(fd, F_ADD_SEALS, SEALS | F_SEAL_SEAL) == 0 ||
           err_set(e, ERR_TEMPORARY, "cannot seal a message: %s", strerror(errno));
}
