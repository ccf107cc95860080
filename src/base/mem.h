/* Memory that never fails: an allocation that cannot be had ends the process with a log line. The
 * supervisor starts the role anew, and what was acknowledged is on disk. */
#ifndef BASE_MEM_H
#define BASE_MEM_H
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

/* Zeroed. `count * size` is checked for overflow. Free with free(). */
void *mem_new(size_t count, size_t size) __attribute__((malloc, returns_nonnull));
#define MEM_NEW(type) ((type *)mem_new(1, sizeof(type)))

/* Zeroed, at a multiple of `alignment` (a power of two, a multiple of a pointer's size). Free with free(). */
void *mem_new_aligned(size_t alignment, size_t size) __attribute__((malloc, returns_nonnull));

/* The block at `p` (NULL for none) grown or shrunk to `count * size` bytes; new bytes are not zeroed. */
void *mem_resize(void *p, size_t count, size_t size) __attribute__((returns_nonnull));

/* A NUL-terminated copy of n bytes. */
char *mem_copy_c(const char *p, size_t n) __attribute__((malloc, returns_nonnull));

/* Overwrites secrets in a way that the compiler keeps. */
void mem_wipe(void *p, size_t n);

/* `CLEAN_FREE char *p = ...`, `CLEAN_CLOSE int fd = ...`: released at the end of the scope. */
void mem_clean_free(void *pointer_to_pointer);
void mem_clean_close(int *fd); /* closes if >= 0 */
#define CLEAN_FREE  __attribute__((cleanup(mem_clean_free)))
#define CLEAN_CLOSE __attribute__((cleanup(mem_clean_close)))

#endif
