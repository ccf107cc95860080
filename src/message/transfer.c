/* Content-Transfer-Encodings: RFC 2045 section 6. */
#include "message/decode.h"
#include "message/hex.h"

#include <string.h>

/* The line without the white space at its end, which transport may have added (section 6.7, rule 3). */
static size_t without_trailing_space(struct str line)
{
    size_t n = line.n;
    while (n > 0 && (line.p[n - 1] == ' ' || line.p[n - 1] == '\t'))
        n--;
    return n;
}

/* One line without its line end, to `to`. True: it ends in a soft line break. */
static bool decode_quoted_line(struct str line, char **to)
{
    line.n = without_trailing_space(line);
    size_t i = 0;
    while (i < line.n) {
        const char *escape = memchr(line.p + i, '=', line.n - i);
        size_t plain = escape ? (size_t)(escape - line.p) - i : line.n - i;
        memcpy(*to, line.p + i, plain);
        *to += plain;
        i += plain;
        if (!escape)
            break;
        if (i + 1 == line.n)
            return true;
        int byte = hex_byte(line, i + 1);
        *(*to)++ = byte >= 0 ? (char)byte : '='; /* what is no escape stays as it is */
        i += byte >= 0 ? 3 : 1;
    }
    return false;
}

void decode_quoted_printable(struct str in, struct buf *out)
{
    char *start = buf_room(out, in.n), *to = start; /* never longer than the input */
    if (!start)
        return;
    while (in.n > 0) {
        size_t lf = str_find_byte(in, '\n');
        struct str line = str_slice(in, 0, lf);
        bool has_cr = lf != STR_NONE && str_ends(line, STR("\r"));
        line.n -= has_cr;
        bool is_soft = decode_quoted_line(line, &to);
        if (lf != STR_NONE && !is_soft) {
            if (has_cr)
                *to++ = '\r';
            *to++ = '\n';
        }
        in = lf == STR_NONE ? str_slice(in, 0, 0) : str_from_offset(in, lf + 1);
    }
    buf_grew(out, (size_t)(to - start));
}

/* Values of the base64 alphabet; 64 is no digit of it. */
static void fill_base64_table(unsigned char table[256])
{
    static const char DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    memset(table, 64, 256);
    for (unsigned char i = 0; i < 64; i++)
        table[(unsigned char)DIGITS[i]] = i;
}

static void add_base64(struct decode_stream *d, struct str in, struct buf *out)
{
    unsigned char table[256];
    fill_base64_table(table);
    char *start = buf_room(out, in.n / 4 * 3 + 3), *to = start;
    if (!start)
        return;
    uint32_t bits = d->bits;
    unsigned digits = d->digits;
    for (size_t i = 0; i < in.n && !d->is_over; i++) {
        unsigned char value = table[(unsigned char)in.p[i]];
        d->is_over = in.p[i] == '=';
        if (value == 64)
            continue; /* line ends, and what does not belong there */
        bits = bits << 6 | value;
        if (++digits == 4) {
            *to++ = (char)(bits >> 16);
            *to++ = (char)(bits >> 8);
            *to++ = (char)bits;
            digits = 0;
        }
    }
    d->bits = bits;
    d->digits = digits;
    buf_grew(out, (size_t)(to - start));
}

static void end_base64(const struct decode_stream *d, struct buf *out)
{
    if (d->digits >= 2)
        buf_add_byte(out, (char)(d->bits >> (d->digits == 3 ? 10 : 4)));
    if (d->digits == 3)
        buf_add_byte(out, (char)(d->bits >> 2));
}

void decode_base64(struct str in, struct buf *out)
{
    struct decode_stream d;
    decode_stream_init(&d, MIME_BASE64);
    add_base64(&d, in, out);
    end_base64(&d, out);
}

/* Where a line that is too long to be kept may be cut so that both pieces decode as the whole does: not
 * within
 * "=XX", nor in white space, which might be the line's end. 0: nowhere. */
static size_t find_cut(struct str line)
{
    size_t n = line.n;
    while (n > 0 && (line.p[n - 1] == ' ' || line.p[n - 1] == '\t' || line.p[n - 1] == '\r' ||
                     line.p[n - 1] == '=' || (n > 1 && line.p[n - 2] == '=')))
        n--;
    return n;
}

static void add_quoted_printable(struct decode_stream *d, struct str in, struct buf *out)
{
    size_t end = str_rfind_byte(in, '\n');
    size_t whole = end == STR_NONE ? 0 : end + 1;
    if (whole > 0 && d->carry.n > 0) {
        size_t first = str_find_byte(in, '\n') + 1;
        buf_add(&d->carry, str_slice(in, 0, first));
        decode_quoted_printable(buf_str(&d->carry), out);
        buf_reset(&d->carry);
        in = str_from_offset(in, first);
        whole -= first;
    }
    decode_quoted_printable(str_slice(in, 0, whole), out);
    buf_add(&d->carry, str_from_offset(in, whole));
    if (d->carry.n <= DECODE_CARRY_MAX)
        return;
    size_t cut = find_cut(buf_str(&d->carry));
    if (cut > 0) {
        decode_quoted_printable(str_slice(buf_str(&d->carry), 0, cut), out);
    } else { /* white space and nothing else */
        cut = d->carry.n;
        buf_add(out, buf_str(&d->carry));
    }
    buf_consume(&d->carry, cut);
}

void decode_stream_init(struct decode_stream *d, enum mime_encoding e)
{
    *d = (struct decode_stream){.encoding = e};
    buf_init(&d->carry, BUF_MAX_DEFAULT); /* DECODE_CARRY_MAX and one piece */
}

void decode_stream_free(struct decode_stream *d)
{
    buf_free(&d->carry);
}

void decode_stream_add(struct decode_stream *d, struct str in, struct buf *out)
{
    switch (d->encoding) {
    case MIME_QUOTED_PRINTABLE: add_quoted_printable(d, in, out); break;
    case MIME_BASE64: add_base64(d, in, out); break;
    case MIME_7BIT:
    case MIME_8BIT:
    case MIME_BINARY:
    case MIME_OTHER: buf_add(out, in); break;
    }
}

void decode_stream_end(struct decode_stream *d, struct buf *out)
{
    if (d->encoding == MIME_BASE64)
        end_base64(d, out);
    decode_quoted_printable(buf_str(&d->carry), out);
    buf_reset(&d->carry);
}

void decode_transfer(struct str in, enum mime_encoding e, struct buf *out)
{
    switch (e) {
    case MIME_QUOTED_PRINTABLE: decode_quoted_printable(in, out); break;
    case MIME_BASE64: decode_base64(in, out); break;
    case MIME_7BIT:
    case MIME_8BIT:
    case MIME_BINARY:
    case MIME_OTHER: buf_add(out, in); break;
    }
}
