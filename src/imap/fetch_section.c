/* BODY[...] and its older names: the bytes of a message, or of a part of it (RFC 3501 section 6.4.5). */
#include "imap/fetch.h"
#include "message/header.h"
#include "message/mime.h"
#include "message/parts.h"

struct extent {
    bool exists; /* false: NIL */
    uint64_t at, size;
};

static struct extent header_of(const struct mime_part *part)
{
    return (struct extent){true, part->header_at, part->header_size};
}

static struct extent body_of(const struct mime_part *part)
{
    return (struct extent){true, part->body_at, part->body_size};
}

/* Where the section's bytes lie. HEADER and TEXT behind a number are those of a message/rfc822 part. */
static struct extent locate(const struct fetch_section *s, struct mime_part *root, uint64_t size)
{
    const struct extent none = {0};
    if (s->path_count == 0) {
        if (s->text == SECTION_WHOLE)
            return (struct extent){true, 0, size};
        if (!root)
            return none;
        if (s->text == SECTION_TEXT)
            return (struct extent){true, root->body_at, size - root->body_at};
        return header_of(root);
    }
    struct mime_part *part = root ? mime_find(root, s->path, s->path_count) : NULL;
    if (!part)
        return none;
    if (s->text == SECTION_WHOLE)
        return body_of(part);
    if (s->text == SECTION_MIME)
        return header_of(part);
    if (!part->is_message || part->child_count != 1)
        return none;
    return s->text == SECTION_TEXT ? body_of(part->children[0]) : header_of(part->children[0]);
}

/* The bytes that were asked for of `size` that there are. */
static void clamp(const struct fetch_section *s, uint64_t size, uint64_t *skip, uint64_t *n)
{
    *skip = 0;
    *n = size;
    if (!s->is_partial)
        return;
    *skip = s->from < size ? s->from : size;
    *n = size - *skip;
    if (*n > s->length)
        *n = s->length;
}

/* Reads bytes [at, at + n) of the message to `out`: all of them, or the answer cannot be finished. */
static bool read_body(struct fetch *f, uint64_t at, uint64_t n, struct buf *out)
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
    buf_addf(&f->out, "{%llu}\r\n", (unsigned long long)n);
    while (n > 0) {
        uint64_t piece = BODY_CHUNK - at % BODY_CHUNK;
        if (piece > n)
            piece = n;
        if (!read_body(f, at, piece, &f->out))
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

static bool is_listed(const struct fetch_section *s, struct str name)
{
    for (size_t i = 0; i < s->field_count; i++)
        if (str_eq_nocase(s->fields[i], name))
            return true;
    return false;
}

/* HEADER.FIELDS and HEADER.FIELDS.NOT: the fields as they stand, and the empty line. */
static bool add_fields(struct fetch *f, const struct fetch_section *s, struct extent header)
{
    buf_reset(&f->header);
    if (!read_body(f, header.at, header.size, &f->header))
        return false;
    CLEAN_BUF struct buf chosen;
    buf_init(&chosen, BUF_MAX_DEFAULT);
    struct str rest = buf_str(&f->header);
    struct header_field field;
    while (header_next(&rest, &field))
        if (is_listed(s, field.name) == (s->text == SECTION_FIELDS))
            buf_add(&chosen, field.whole);
    if (chosen.n > 0 && !str_ends(buf_str(&chosen), STR("\n")))
        buf_add(&chosen, STR("\r\n")); /* a message that ends within its header */
    buf_add(&chosen, STR("\r\n"));
    uint64_t skip, n;
    clamp(s, chosen.n, &skip, &n);
    buf_addf(&f->out, "{%llu}\r\n", (unsigned long long)n);
    return buf_add(&f->out, str_slice(buf_str(&chosen), (size_t)skip, (size_t)n));
}

static bool add_section(struct fetch *f, const struct fetch_section *s, struct mime_part *root, uint64_t size)
{
    struct extent e = locate(s, root, size);
    fetch_add_name(f, s->label);
    if (!e.exists)
        return buf_add(&f->out, STR("NIL"));
    if (s->text == SECTION_FIELDS || s->text == SECTION_FIELDS_NOT)
        return add_fields(f, s, e);
    uint64_t skip, n;
    clamp(s, e.size, &skip, &n);
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
