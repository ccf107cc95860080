/* BODY[...] and its older names: the bytes of a message, or of a part of it (RFC 3501 section 6.4.5). */
#include "imap/fetch.h"
#include "imap/section.h"
#include "message/parts.h"

bool fetch_read(struct fetch *f, uint64_t at, uint64_t n, struct buf *out)
{
    size_t before = out->n;
    f->result = store_fetch_body(f->rows, at, n, out, &f->err);
    if (f->result == STORE_OK && out->n - before == n)
        return true;
    f->is_lost = true;
    return false;
}

/* The bytes as a literal, piece by piece: a body is never in memory whole. Pieces end where the stored
 * chunks end, so that none is read twice. */
static bool add_extent(struct fetch *f, uint64_t at, uint64_t n)
{
    buf_add_byte(&f->out, '{');
    buf_add_u64(&f->out, n);
    buf_add(&f->out, STR("}\r\n"));
    while (n > 0) {
        uint64_t piece = BODY_CHUNK - at % BODY_CHUNK;
        if (piece > n)
            piece = n;
        if (!fetch_read(f, at, piece, &f->out))
            return false;
        at += piece;
        n -= piece;
        if (f->out.n >= FETCH_GATHER)
            fetch_send(f);
        if (f->is_lost)
            return false;
    }
    return true;
}

static bool add_fields(struct fetch *f, const struct fetch_section *s, const struct section_extent *header)
{
    buf_reset(&f->header);
    if (!fetch_read(f, header->at, header->size, &f->header))
        return false;
    CLEAN_BUF struct buf chosen;
    buf_init(&chosen, BUF_MAX_DEFAULT);
    section_choose_fields(s, buf_str(&f->header), &chosen);
    fetch_add_name(f, s->label);
    if (s->form == SECTION_BINARY_SIZE)
        return buf_add_u64(&f->out, chosen.n);
    uint64_t skip, n;
    section_clamp(s, chosen.n, &skip, &n);
    buf_addf(&f->out, "{%llu}\r\n", (unsigned long long)n);
    return buf_add(&f->out, str_slice(buf_str(&chosen), (size_t)skip, (size_t)n));
}

static bool add_section(struct fetch *f, const struct fetch_section *s, struct mime_part *root, uint64_t size)
{
    struct section_extent e = section_locate(s, root, size);
    if (e.exists && section_has_fields(s)) /* BINARY too: a header has no encoding */
        return add_fields(f, s, &e);
    if (s->form != SECTION_BODY)
        return fetch_add_binary(f, s, &e);
    fetch_add_name(f, s->label);
    if (!e.exists)
        return buf_add(&f->out, STR("NIL"));
    uint64_t skip, n;
    section_clamp(s, e.size, &skip, &n);
    return add_extent(f, e.at + skip, n);
}

bool fetch_add_sections(struct fetch *f)
{
    uint64_t size = f->row->row.size;
    struct mime_part *root = NULL;
    if (f->wants & WANT_PARTS)
        root = parts_unpack(f->row->parts, &f->message);
    for (size_t i = 0; i < f->request->section_count; i++)
        if (!add_section(f, &f->request->sections[i], root, size))
            return false;
    return true;
}
