/* A file of the trace, with anything in it: no byte of it may do harm; what is read as a block comes back the
 * same from a block that is written of its lines; and a line's values are found by what the line says. */
#include "trace/block.h"

#include <stdlib.h>
#include <string.h>

struct check {
    const struct trace_line *line;
};

static void check_token(void *context, uint64_t token)
{
    const struct check *c = context;
    struct trace_tokens one = {.v = &token, .n = 1};
    if (!trace_tokens_match(&one, c->line))
        abort();
}

static void check_lines(struct str lines, struct arena *a)
{
    struct trace_line *l = ARENA_NEW(a, struct trace_line);
    struct str text;
    while (str_cut(&lines, '\n', &text))
        if (trace_line_read(text, a, l)) {
            struct check c = {l};
            trace_tokens(l, check_token, &c);
            if (l->count > TRACE_FIELDS_MAX || trace_line_delivery(l).n > 32)
                abort();
        }
}

static void write_and_read(struct str lines, bool packed, struct arena *a)
{
    struct buf out;
    struct trace_block b;
    struct str back;
    buf_init(&out, TRACE_BLOCK_MAX);
    trace_block_write(lines, packed, 1, a, &out);
    if (!trace_block_read(buf_str(&out), &b) || trace_block_size(&b) != out.n ||
        !trace_block_lines(&b, buf_str(&out), a, &back) || !str_eq(back, lines))
        abort();
    buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str in = str_from(data, size), lines;
    struct trace_block b;
    struct arena a = ARENA_INIT;
    struct trace_tokens wanted = {0};
    trace_tokens_of_question(str_slice(in, 0, 64), &wanted);
    if (trace_block_read(in, &b)) {
        struct str rest = str_from_offset(in, TRACE_BLOCK_HEADER);
        if (rest.n >= b.filter)
            trace_block_may_have(&b, rest, &wanted);
        if (trace_block_lines(&b, str_slice(in, 0, trace_block_size(&b)), &a, &lines))
            check_lines(lines, &a);
    }
    trace_tokens_free(&wanted);
    lines = str_slice(in, 0, 4096);
    check_lines(lines, &a);
    write_and_read(lines, true, &a);
    write_and_read(lines, false, &a);
    arena_free(&a);
    return 0;
}
