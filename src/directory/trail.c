#include "directory/trail.h"

#include "base/buf.h"
#include "directory/db_parts.h"

#define LINE_MAX ((size_t)4096) /* two addresses and words */

void directory_trail_add(struct directory_trail *t, const char *format, ...)
{
    if (!t)
        return;
    CLEAN_BUF struct buf line;
    va_list args;
    buf_init(&line, LINE_MAX);
    for (unsigned i = 0; i < t->depth; i++)
        buf_add_c(&line, "  ");
    va_start(args, format);
    buf_addv(&line, format, args);
    va_end(args);
    t->lines = directory_db_grow(t->arena, t->lines, t->count, sizeof *t->lines);
    t->lines[t->count++] = arena_copy(t->arena, buf_str(&line));
}

void directory_trail_down(struct directory_trail *t)
{
    if (t)
        t->depth++;
}

void directory_trail_up(struct directory_trail *t)
{
    if (t && t->depth > 0)
        t->depth--;
}
