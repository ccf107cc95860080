#include "trace/block.h"

#include <string.h>
#include <zlib.h>
#include <zstd.h>

#define MAGIC          UINT32_C(0x52544c47) /* "GLTR" */
#define CRC_AT         8
#define PROBES         6
#define BITS_PER_TOKEN 16
#define FILTER_LEAST   64 /* bytes */
#define ZSTD_LEVEL     1  /* 400 MB/s; level 3 makes them 5 % smaller in twice the time */

/* --- numbers --- */

static void put(unsigned char *at, uint64_t v, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        at[i] = (unsigned char)(v >> (8 * i));
}

static uint64_t get(struct str s, size_t at, size_t bytes)
{
    uint64_t v = 0;
    for (size_t i = 0; i < bytes; i++)
        v |= (uint64_t)(unsigned char)s.p[at + i] << (8 * i);
    return v;
}

/* --- the filter: its size in bits is a power of two --- */

static uint64_t probe(uint64_t token, unsigned i, size_t bytes)
{
    uint64_t step = token >> 32 | 1;
    return (token + i * step) & (bytes * 8 - 1);
}

static size_t filter_size(size_t tokens)
{
    size_t bytes = FILTER_LEAST;
    while (bytes * 8 < tokens * BITS_PER_TOKEN && bytes < TRACE_FILTER_MAX)
        bytes *= 2;
    return bytes;
}

static void add(unsigned char *filter, size_t bytes, uint64_t token)
{
    for (unsigned i = 0; i < PROBES; i++) {
        uint64_t bit = probe(token, i, bytes);
        filter[bit / 8] |= (unsigned char)(1u << bit % 8);
    }
}

static bool has(struct str filter, uint64_t token)
{
    for (unsigned i = 0; i < PROBES; i++) {
        uint64_t bit = probe(token, i, filter.n);
        if (!((unsigned char)filter.p[bit / 8] >> bit % 8 & 1))
            return false;
    }
    return true;
}

/* --- writing --- */

/* What a block says of its lines. */
struct summary {
    struct trace_tokens tokens;
    int64_t first, last;
    uint64_t lost;
};

static void note_token(void *tokens, uint64_t token)
{
    trace_tokens_add(tokens, token);
}

static void note_line(struct summary *s, const struct trace_line *l)
{
    uint64_t lost;
    if (str_to_u64(trace_line_get(l, STR(LOG_TRACE_LOST)), &lost))
        s->lost += lost;
    s->first = s->first == 0 || l->at < s->first ? l->at : s->first;
    s->last = l->at > s->last ? l->at : s->last;
    trace_tokens(l, note_token, &s->tokens);
}

static void summarise(struct str lines, struct arena *a, struct summary *s)
{
    struct trace_line *l = ARENA_NEW(a, struct trace_line);
    struct str text;
    while (str_cut(&lines, '\n', &text))
        if (trace_line_read(text, a, l))
            note_line(s, l);
}

static void pack(struct str lines, struct buf *out)
{
    size_t most = ZSTD_compressBound(lines.n);
    char *to = buf_room(out, most);
    size_t n = ZSTD_compress(to, most, lines.p, lines.n, ZSTD_LEVEL);
    buf_grew(out, ZSTD_isError(n) ? 0 : n); /* it cannot be one: there is room */
}

static void write_header(const struct trace_block *b, unsigned char *at, struct str rest)
{
    put(at, MAGIC, 4);
    put(at + 4, b->number, 4);
    put(at + CRC_AT, 0, 4);
    put(at + 12, b->is_packed, 4);
    put(at + 16, b->filter, 4);
    put(at + 20, b->body, 4);
    put(at + 24, b->lines, 4);
    put(at + 28, b->lost, 4);
    put(at + 32, (uint64_t)b->first, 8);
    put(at + 40, (uint64_t)b->last, 8);
    uLong crc = crc32(0, at, TRACE_BLOCK_HEADER);
    put(at + CRC_AT, crc32(crc, (const unsigned char *)rest.p, (uInt)rest.n), 4);
}

void trace_block_write(struct str lines, bool packed, uint32_t number, struct arena *a, struct buf *out)
{
    struct summary s = {0};
    size_t start = out->n;
    summarise(lines, a, &s); /* a token that comes twice sets the same bits */
    size_t filter = packed ? filter_size(s.tokens.n) : 0;
    unsigned char *at = (unsigned char *)buf_room(out, TRACE_BLOCK_HEADER + filter);
    memset(at, 0, TRACE_BLOCK_HEADER + filter);
    for (size_t i = 0; packed && i < s.tokens.n; i++)
        add(at + TRACE_BLOCK_HEADER, filter, s.tokens.v[i]);
    buf_grew(out, TRACE_BLOCK_HEADER + filter);
    if (packed)
        pack(lines, out);
    else
        buf_add(out, lines);
    struct str whole = str_from_offset(buf_str(out), start);
    struct trace_block b = {.number = number,
                            .lost = (uint32_t)(s.lost < UINT32_MAX ? s.lost : UINT32_MAX),
                            .is_packed = packed,
                            .first = s.first,
                            .last = s.last,
                            .filter = filter,
                            .body = whole.n - TRACE_BLOCK_HEADER - filter,
                            .lines = lines.n};
    write_header(&b, (unsigned char *)out->p + start, str_from_offset(whole, TRACE_BLOCK_HEADER));
    trace_tokens_free(&s.tokens);
}

/* --- reading --- */

bool trace_block_read(struct str bytes, struct trace_block *b)
{
    if (bytes.n < TRACE_BLOCK_HEADER || get(bytes, 0, 4) != MAGIC || get(bytes, 12, 4) > 1)
        return false;
    *b = (struct trace_block){.number = (uint32_t)get(bytes, 4, 4),
                              .lost = (uint32_t)get(bytes, 28, 4),
                              .is_packed = get(bytes, 12, 4) == 1,
                              .first = (int64_t)get(bytes, 32, 8),
                              .last = (int64_t)get(bytes, 40, 8),
                              .filter = get(bytes, 16, 4),
                              .body = get(bytes, 20, 4),
                              .lines = get(bytes, 24, 4)};
    bool is_power = b->filter >= FILTER_LEAST && (b->filter & (b->filter - 1)) == 0;
    return b->lines <= TRACE_BLOCK_LINES_MAX && b->filter <= TRACE_FILTER_MAX &&
           (b->is_packed ? is_power : b->filter == 0 && b->body == b->lines) &&
           trace_block_size(b) <= TRACE_BLOCK_MAX;
}

size_t trace_block_size(const struct trace_block *b)
{
    return TRACE_BLOCK_HEADER + b->filter + b->body;
}

bool trace_block_may_have(const struct trace_block *b, struct str filter, const struct trace_tokens *wanted)
{
    if (b->filter == 0)
        return true;
    for (size_t i = 0; i < wanted->n; i++)
        if (has(str_slice(filter, 0, b->filter), wanted->v[i]))
            return true;
    return false;
}

static bool is_intact(struct str whole)
{
    unsigned char header[TRACE_BLOCK_HEADER];
    memcpy(header, whole.p, sizeof header);
    put(header + CRC_AT, 0, 4);
    struct str rest = str_from_offset(whole, TRACE_BLOCK_HEADER);
    uLong crc = crc32(crc32(0, header, sizeof header), (const unsigned char *)rest.p, (uInt)rest.n);
    return crc == get(whole, CRC_AT, 4);
}

bool trace_block_lines(const struct trace_block *b, struct str whole, struct arena *a, struct str *lines)
{
    if (whole.n != trace_block_size(b) || !is_intact(whole))
        return false;
    struct str body = str_from_offset(whole, TRACE_BLOCK_HEADER + b->filter);
    if (!b->is_packed) {
        *lines = body;
        return true;
    }
    char *to = arena_new(a, b->lines + 1, 1);
    size_t n = ZSTD_decompress(to, b->lines, body.p, body.n);
    *lines = str_from(to, b->lines);
    return !ZSTD_isError(n) && n == b->lines;
}
