#include "message/parts.h"

/* Layout: one version byte, then the parts in the order in which they begin, each as
 *
 *   start    bytes from the start of the parent's body to the part's header (the root: 0)
 *   header   bytes of the header
 *   body     bytes of the body
 *   lines
 *   kind     encoding, is_multipart, is_message in one byte
 *   type, subtype, charset: length and bytes
 *   children how many follow
 *
 * Numbers are LEB128: seven bits a byte, the lowest first, the high bit on all but the last. */

#define VERSION        1
#define KIND_MULTIPART 0x10
#define KIND_MESSAGE   0x20
#define KIND_ENCODING  0x0f

/* What a broken table could ask for; a parser's tree has at most one part more on each level. */
#define PARTS_MAX (MIME_PARTS_MAX + MIME_DEPTH_MAX)

static void put_number(struct buf *out, uint64_t n)
{
    while (n >= 0x80) {
        buf_add_byte(out, (char)(n | 0x80));
        n >>= 7;
    }
    buf_add_byte(out, (char)n);
}

static void put_text(struct buf *out, struct str s)
{
    put_number(out, s.n);
    buf_add(out, s);
}

static void pack_part(const struct mime_part *part, struct buf *out)
{
    put_number(out, part->header_at - (part->parent ? part->parent->body_at : 0));
    put_number(out, part->header_size);
    put_number(out, part->body_size);
    put_number(out, part->lines);
    buf_add_byte(out, (char)((unsigned)part->encoding | (part->is_multipart ? KIND_MULTIPART : 0) |
                             (part->is_message ? KIND_MESSAGE : 0)));
    put_text(out, part->type);
    put_text(out, part->subtype);
    put_text(out, mime_param(part->params, part->param_count, STR("charset")));
    put_number(out, part->child_count);
    for (size_t i = 0; i < part->child_count; i++)
        pack_part(part->children[i], out);
}

void parts_pack(const struct mime_part *root, struct buf *out)
{
    buf_add_byte(out, VERSION);
    pack_part(root, out);
}

struct reader {
    struct str rest;
    struct arena *arena;
    size_t parts;
    bool is_bad; /* set by the first thing that is not there */
};

static uint64_t take_number(struct reader *r)
{
    uint64_t n = 0;
    for (unsigned shift = 0; shift < 63 && r->rest.n > 0; shift += 7) {
        unsigned char byte = (unsigned char)r->rest.p[0];
        r->rest = str_from_offset(r->rest, 1);
        n |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return n;
    }
    r->is_bad = true;
    return 0;
}

static struct str take_text(struct reader *r)
{
    uint64_t n = take_number(r);
    if (n > r->rest.n) {
        r->is_bad = true;
        n = 0;
    }
    struct str s = arena_copy(r->arena, str_slice(r->rest, 0, n));
    r->rest = str_from_offset(r->rest, n);
    return s;
}

static void take_charset(struct reader *r, struct mime_part *part)
{
    struct str charset = take_text(r);
    if (charset.n == 0)
        return;
    part->params = ARENA_NEW(r->arena, struct mime_param);
    part->params[0] = (struct mime_param){STR("charset"), charset};
    part->param_count = 1;
}

/* A child that does not lie inside its parent makes the table bad, so that no offset leads out of the
 * message; the message's own length is for the caller to check, who clamps. */
static bool lies_inside(const struct mime_part *part, const struct mime_part *parent)
{
    return part->header_at >= parent->body_at &&
           part->body_at + part->body_size <= parent->body_at + parent->body_size;
}

static struct mime_part *unpack_part(struct reader *r, struct mime_part *parent, unsigned depth)
{
    struct mime_part *part = ARENA_NEW(r->arena, struct mime_part);
    part->parent = parent;
    part->header_at = take_number(r) + (parent ? parent->body_at : 0);
    part->header_size = take_number(r);
    part->body_size = take_number(r);
    uint64_t lines = take_number(r);
    unsigned kind = (unsigned)take_number(r);
    part->type = take_text(r);
    part->subtype = take_text(r);
    take_charset(r, part);
    uint64_t children = take_number(r);

    if (__builtin_add_overflow(part->header_at, part->header_size, &part->body_at) ||
        part->body_at > SIZE_MAX / 4 || part->body_size > SIZE_MAX / 4 || lines > UINT32_MAX ||
        (kind & KIND_ENCODING) > MIME_OTHER || (parent && !lies_inside(part, parent)) ||
        ++r->parts > PARTS_MAX || depth >= MIME_DEPTH_MAX || children > PARTS_MAX - r->parts)
        r->is_bad = true;
    if (r->is_bad)
        return NULL;
    part->lines = (uint32_t)lines;
    part->encoding = kind & KIND_ENCODING;
    part->is_multipart = kind & KIND_MULTIPART;
    part->is_message = kind & KIND_MESSAGE;
    part->children = children > 0 ? ARENA_ARRAY(r->arena, struct mime_part *, children) : NULL;
    part->child_count = children;
    for (uint64_t i = 0; i < children && !r->is_bad; i++)
        part->children[i] = unpack_part(r, part, depth + 1);
    return part;
}

struct mime_part *parts_unpack(struct str packed, struct arena *a)
{
    if (packed.n == 0 || packed.p[0] != VERSION)
        return NULL;
    struct reader r = {.rest = str_from_offset(packed, 1), .arena = a};
    struct mime_part *root = unpack_part(&r, NULL, 0);
    return r.is_bad || r.rest.n > 0 ? NULL : root;
}
