#include "base/arena.h"

#include "base/format.h"
#include "base/mem.h"

#include <string.h>

#define ARENA_BLOCK 4096 /* small enough that an idle session costs a page */
#define TEXT_SHORT  256  /* most formatted texts, which are then made once */

struct arena_block {
    struct arena_block *next;
    size_t used, cap;
    _Alignas(max_align_t) char bytes[];
};

static void *take(struct arena *a, size_t n)
{
    size_t room = (n + _Alignof(max_align_t) - 1) & ~(_Alignof(max_align_t) - 1);
    struct arena_block *b = a->blocks;
    if (!b || b->cap - b->used < room) {
        size_t cap = room > ARENA_BLOCK ? room : ARENA_BLOCK;
        b = mem_resize(NULL, sizeof *b + cap, 1);
        b->next = a->blocks;
        b->used = 0;
        b->cap = cap;
        a->blocks = b;
    }
    void *p = b->bytes + b->used;
    b->used += room;
    a->used += room;
    return p;
}

void *arena_new(struct arena *a, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) || bytes > SIZE_MAX / 2)
        return mem_resize(NULL, SIZE_MAX, 2); /* ends the process with words */
    void *p = take(a, bytes ? bytes : 1);
    memset(p, 0, bytes);
    return p;
}

const char *arena_copy_c(struct arena *a, struct str s)
{
    char *p = take(a, s.n + 1);
    if (s.n > 0)
        memcpy(p, s.p, s.n);
    p[s.n] = '\0';
    return p;
}

struct str arena_copy(struct arena *a, struct str s)
{
    return str_from(arena_copy_c(a, s), s.n);
}

struct str arena_join(struct arena *a, const struct str *pieces, size_t n)
{
    size_t bytes = 0;
    for (size_t i = 0; i < n; i++)
        bytes += pieces[i].n;
    char *p = take(a, bytes ? bytes : 1), *to = p;
    for (size_t i = 0; i < n; i++) {
        if (pieces[i].n > 0)
            memcpy(to, pieces[i].p, pieces[i].n);
        to += pieces[i].n;
    }
    return str_from(p, bytes);
}

struct str arena_printf(struct arena *a, const char *format, ...)
{
    va_list args, again;
    char text[TEXT_SHORT];
    va_start(args, format);
    va_copy(again, args);
    size_t n = format_text(text, sizeof text, format, args);
    char *p = take(a, n + 1);
    if (n < sizeof text)
        memcpy(p, text, n + 1);
    else
        format_text(p, n + 1, format, again);
    va_end(again);
    va_end(args);
    return str_from(p, n);
}

void arena_reset(struct arena *a)
{
    struct arena_block *keep = NULL;
    for (struct arena_block *b = a->blocks, *next; b; b = next) {
        next = b->next;
        if (!keep && b->cap == ARENA_BLOCK)
            keep = b;
        else
            free(b);
    }
    if (keep) {
        keep->next = NULL;
        keep->used = 0;
    }
    a->blocks = keep;
    a->used = 0;
}

void arena_free(struct arena *a)
{
    for (struct arena_block *b = a->blocks, *next; b; b = next) {
        next = b->next;
        free(b);
    }
    *a = (struct arena){0};
}
