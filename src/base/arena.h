/* Memory of one command or one message: taken piece by piece, given back all at once, so that most code
 * never frees. Pieces are aligned for any type. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H
#include "base/str.h"

struct arena_block;
struct arena {
    struct arena_block *blocks; /* the newest first */
    size_t used;                /* bytes handed out since the last reset */
};

#define ARENA_INIT \
    {              \
        0          \
    }
#define CLEAN_ARENA __attribute__((cleanup(arena_free)))

void *arena_new(struct arena *a, size_t count, size_t size); /* zeroed; never NULL */
#define ARENA_NEW(a, type)          ((type *)arena_new((a), 1, sizeof(type)))
#define ARENA_ARRAY(a, type, count) ((type *)arena_new((a), (count), sizeof(type)))

struct str arena_copy(struct arena *a, struct str s);    /* a copy that lives as long as the arena */
const char *arena_copy_c(struct arena *a, struct str s); /* the same, NUL-terminated */
struct str arena_join(struct arena *a, const struct str *pieces, size_t n); /* one after the other */
struct str arena_printf(struct arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));

void arena_reset(struct arena *a); /* everything handed out is invalid; keeps one block for next time */
void arena_free(struct arena *a);

#endif
