/* BINARY[...] and BINARY.SIZE[...]: a part without its Content-Transfer-Encoding (RFC 3516, RFC 9051 section
 * 6.4.5). What is decoded is never in memory whole: its length, which stands in front of it, is counted by
 * decoding it once without keeping it. */
#include "imap/fetch.h"
#include "imap/section.h"
#include "message/decode.h"

#include <string.h>

/* Read and decoded at a time. */
#define BINARY_PIECE ((size_t)64 * 1024)
/* Of the first decoding so much is kept: most parts need no second one. */
#define BINARY_KEPT  ((size_t)128 * 1024)

/* One decoding of a part's bytes, piece by piece. */
struct decoding {
    struct fetch *f;
    struct decode_stream stream;
    struct buf raw, piece; /* piece: what came out last */
    uint64_t at, left;     /* encoded bytes still to be read */
    bool is_over;
};

static void start(struct decoding *d, struct fetch *f, enum mime_encoding encoding,
                  const struct section_extent *e)
{
    *d = (struct decoding){.f = f, .at = e->at, .left = e->size};
    decode_stream_init(&d->stream, encoding);
    buf_init(&d->raw, BUF_MAX_DEFAULT);
    buf_init(&d->piece, BUF_MAX_DEFAULT);
}

static void stop(struct decoding *d)
{
    decode_stream_free(&d->stream);
    buf_free(&d->raw);
    buf_free(&d->piece);
}

/* False: there is no more, or reading failed (f->is_lost). */
static bool next(struct decoding *d)
{
    buf_reset(&d->piece);
    while (d->piece.n == 0 && !d->is_over) {
        uint64_t n = d->left < BINARY_PIECE ? d->left : BINARY_PIECE;
        buf_reset(&d->raw);
        if (!fetch_read(d->f, d->at, n, &d->raw))
            return false;
        d->at += n;
        d->left -= n;
        decode_stream_add(&d->stream, buf_str(&d->raw), &d->piece);
        d->is_over = d->left == 0;
        if (d->is_over)
            decode_stream_end(&d->stream, &d->piece);
    }
    return d->piece.n > 0;
}

/* The decoded bytes that were asked for. */
struct window {
    uint64_t from, to; /* of the decoded bytes; `to` may lie behind their end */
    uint64_t seen;     /* decoded bytes so far */
    uint64_t n;        /* of those, in the window */
};

/* What of the piece that came next lies in the window. */
static struct str cut(struct window *w, struct str piece)
{
    uint64_t start = w->seen, end = w->seen + piece.n;
    w->seen = end;
    if (end <= w->from || start >= w->to)
        return STR("");
    size_t skip = w->from > start ? (size_t)(w->from - start) : 0;
    size_t behind = end > w->to ? (size_t)(end - w->to) : 0;
    struct str in = str_slice(piece, skip, piece.n - skip - behind);
    w->n += in.n;
    return in;
}

static struct window window_of(const struct fetch_section *s)
{
    if (!s->is_partial)
        return (struct window){.to = UINT64_MAX};
    return (struct window){.from = s->from, .to = (uint64_t)s->from + s->length};
}

/* Counts, looks for NUL, and keeps what fits into `kept`. */
static bool measure(struct fetch *f, enum mime_encoding encoding, const struct section_extent *e,
                    struct window *w, bool *has_nul, struct buf *kept)
{
    struct decoding d;
    start(&d, f, encoding, e);
    *has_nul = false;
    while (w->seen < w->to && next(&d)) {
        struct str in = cut(w, buf_str(&d.piece));
        *has_nul |= in.n > 0 && memchr(in.p, '\0', in.n) != NULL;
        if (kept)
            buf_add(kept, in); /* when it is full, `overflow` tells */
    }
    stop(&d);
    return !f->is_lost;
}

static bool send_again(struct fetch *f, enum mime_encoding encoding, const struct section_extent *e,
                       struct window w)
{
    struct decoding d;
    start(&d, f, encoding, e);
    while (w.seen < w.to && !f->is_lost && next(&d)) {
        buf_add(&f->out, cut(&w, buf_str(&d.piece)));
        if (f->out.n >= FETCH_GATHER)
            fetch_send(f);
    }
    stop(&d);
    return !f->is_lost;
}

static bool add_bytes(struct fetch *f, const struct fetch_section *s, enum mime_encoding encoding,
                      const struct section_extent *e)
{
    CLEAN_BUF struct buf kept;
    buf_init(&kept, BINARY_KEPT);
    struct window w = window_of(s);
    bool has_nul;
    if (!measure(f, encoding, e, &w, &has_nul, &kept))
        return false;
    /* literal8 only where it must be: not all clients know it (RFC 3516 section 4.3). */
    buf_addf(&f->out, has_nul ? "~{%llu}\r\n" : "{%llu}\r\n", (unsigned long long)w.n);
    if (kept.n == w.n)
        return buf_add(&f->out, buf_str(&kept));
    return send_again(f, encoding, e, window_of(s));
}

static bool add_size(struct fetch *f, enum mime_encoding encoding, const struct section_extent *e)
{
    struct window w = {.to = UINT64_MAX};
    bool has_nul;
    if (encoding != MIME_QUOTED_PRINTABLE && encoding != MIME_BASE64)
        return buf_add_u64(&f->out, e->size);
    return measure(f, encoding, e, &w, &has_nul, NULL) && buf_add_u64(&f->out, w.n);
}

bool fetch_add_binary(struct fetch *f, const struct fetch_section *s, const struct section_extent *e)
{
    /* A message as a whole, a multipart and a message in a message have no encoding but those that leave the
     * bytes as they are (RFC 2045 section 6.4), whatever their header says. */
    enum mime_encoding encoding = MIME_BINARY;
    if (e->part && !e->part->is_multipart && !e->part->is_message)
        encoding = e->part->encoding;
    if (encoding == MIME_OTHER) {
        f->has_unknown_encoding = true;
        return true;
    }
    fetch_add_name(f, s->label);
    if (s->form == SECTION_BINARY_SIZE)
        return e->exists ? add_size(f, encoding, e) : buf_add_byte(&f->out, '0');
    return e->exists ? add_bytes(f, s, encoding, e) : buf_add(&f->out, STR("NIL"));
}
