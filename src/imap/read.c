#include "imap/read.h"

static enum imap_read_result result_of(enum stream_result r)
{
    switch (r) {
    case STREAM_OK:
    case STREAM_WOKEN: return IMAP_READ_DONE;
    case STREAM_TIMEOUT: return IMAP_READ_TIMEOUT;
    case STREAM_TOO_LONG: return IMAP_READ_TOO_LONG;
    case STREAM_EOF:
    case STREAM_ERROR: break;
    }
    return IMAP_READ_CLOSED;
}

void imap_reader_init(struct imap_reader *r, struct stream *s, size_t command_max)
{
    *r = (struct imap_reader){.stream = s};
    buf_init(&r->command, command_max);
}

void imap_reader_free(struct imap_reader *r)
{
    buf_free(&r->command);
}

void imap_read_begin(struct imap_reader *r)
{
    if (r->command.cap > IMAP_LINE_MAX)
        buf_free(&r->command); /* an idle session keeps no megabyte */
    else
        buf_reset(&r->command);
    r->has_literal = false;
}

enum imap_read_result imap_read_line(struct imap_reader *r, struct deadline d)
{
    struct str line;
    bool bare_lf;
    enum stream_result got = stream_read_line(r->stream, IMAP_LINE_MAX, d, &line, &bare_lf);
    if (got != STREAM_OK)
        return result_of(got);
    r->has_literal = imap_line_literal(line, &r->literal);
    if (!buf_add(&r->command, line))
        return IMAP_READ_TOO_BIG;
    if (bare_lf)
        return IMAP_READ_BARE_LF;
    return r->has_literal ? IMAP_READ_LITERAL : IMAP_READ_DONE;
}

enum imap_read_result imap_read_go_ahead(struct imap_reader *r, struct deadline d)
{
    if (!r->literal.is_sync)
        return IMAP_READ_DONE;
    stream_write(r->stream, STR("+ OK\r\n"));
    return result_of(stream_flush(r->stream, d));
}

enum imap_read_result imap_read_literal(struct imap_reader *r, struct deadline d)
{
    size_t left = r->literal.size;
    if (left + 2 > r->command.max - r->command.n)
        return IMAP_READ_TOO_BIG;
    buf_add(&r->command, STR("\r\n"));
    enum imap_read_result go = imap_read_go_ahead(r, d);
    if (go != IMAP_READ_DONE)
        return go;
    while (left > 0) {
        struct str bytes;
        enum stream_result got = stream_peek(r->stream, d, &bytes);
        if (got != STREAM_OK)
            return result_of(got);
        bytes = str_slice(bytes, 0, left);
        buf_add(&r->command, bytes);
        stream_take(r->stream, bytes.n);
        left -= bytes.n;
    }
    r->has_literal = false;
    return IMAP_READ_DONE;
}

enum imap_read_result imap_read_command(struct imap_reader *r, struct deadline d)
{
    imap_read_begin(r);
    for (;;) {
        enum imap_read_result got = imap_read_line(r, d);
        if (got == IMAP_READ_LITERAL)
            got = imap_read_literal(r, d);
        else
            return got;
        if (got != IMAP_READ_DONE)
            return got;
    }
}

static enum imap_read_result drop_bytes(struct imap_reader *r, uint64_t n, struct deadline d)
{
    while (n > 0) {
        struct str bytes;
        enum stream_result got = stream_peek(r->stream, d, &bytes);
        if (got != STREAM_OK)
            return result_of(got);
        size_t take = bytes.n < n ? bytes.n : (size_t)n;
        stream_take(r->stream, take);
        n -= take;
    }
    return IMAP_READ_DONE;
}

enum imap_read_result imap_read_skip(struct imap_reader *r, uint64_t drop_max, struct deadline d)
{
    uint64_t dropped = 0;
    while (r->has_literal && !r->literal.is_sync) {
        dropped += r->literal.size;
        if (dropped > drop_max)
            return IMAP_READ_TOO_LONG;
        enum imap_read_result got = drop_bytes(r, r->literal.size, d);
        if (got != IMAP_READ_DONE)
            return got;
        struct str line;
        enum stream_result read = stream_read_line(r->stream, IMAP_LINE_MAX, d, &line, NULL);
        if (read != STREAM_OK)
            return result_of(read);
        r->has_literal = imap_line_literal(line, &r->literal);
    }
    r->has_literal = false;
    return IMAP_READ_DONE;
}
