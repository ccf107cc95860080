#include "base/mem.h"

#include "base/log.h"

#include <stdint.h>
#include <string.h>

static void *must_have(void *p, size_t bytes)
{
    if (!p)
        log_die("memory.exhausted", "no memory for %zu bytes; raise the limit of this process", bytes);
    return p;
}

void *mem_new(size_t count, size_t size)
{
    return must_have(calloc(count ? count : 1, size ? size : 1), count * size);
}

void *mem_new_aligned(size_t alignment, size_t size)
{
    void *p = NULL;
    if (posix_memalign(&p, alignment, size ? size : 1) != 0)
        p = NULL;
    return memset(must_have(p, size), 0, size);
}

void *mem_resize(void *p, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes))
        bytes = SIZE_MAX;
    return must_have(bytes == SIZE_MAX ? NULL : realloc(p, bytes ? bytes : 1), bytes);
}

char *mem_copy_c(const char *p, size_t n)
{
    char *copy = must_have(malloc(n + 1), n + 1);
    if (n > 0)
        memcpy(copy, p, n);
    copy[n] = '\0';
    return copy;
}

void mem_wipe(void *p, size_t n)
{
    explicit_bzero(p, n);
}

void mem_clean_free(void *pointer_to_pointer)
{
    free(*(void **)pointer_to_pointer);
}

void mem_clean_close(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}
