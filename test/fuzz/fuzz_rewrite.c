/* A field, an address in it and what it becomes, a line each: without a map nothing changes, an address that
 * becomes itself changes nothing but its case, and the result is no longer than all of it replaced. */
#include "message/rewrite.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t rewritten(struct str field, struct str from, struct str to, size_t maps, struct arena *a,
                        struct str *text)
{
    CLEAN_BUF struct buf out;
    const struct rewrite map = {REWRITE_SENDERS, from, to};
    buf_init(&out, BUF_MAX_DEFAULT);
    rewrite_field(field, REWRITE_SENDERS, &map, maps, &out);
    *text = arena_copy(a, buf_str(&out));
    return out.n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct str rest = str_from(data, size), field, from, text;
    str_cut(&rest, '\n', &field);
    str_cut(&rest, '\n', &from);
    rewritten(field, from, rest, 0, &a, &text);
    if (!str_eq(text, field))
        abort();
    rewritten(field, from, from, 1, &a, &text);
    if (!str_eq_nocase(text, field))
        abort();
    if (from.n > 0 && rewritten(field, from, rest, 1, &a, &text) > field.n + (field.n / from.n + 1) * rest.n)
        abort();
    return 0;
}
