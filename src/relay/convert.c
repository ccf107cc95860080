#include "relay/convert.h"

#include "message/header.h"
#include "message/mime.h"
#include "message/utf8.h"

#include <string.h>

#define LINE_BYTES_MAX 998 /* without CRLF: RFC 5321 section 4.5.3.1.6 */
#define QP_LINE_MAX    76  /* RFC 2045 section 6.7, with the "=" of a soft line break */
#define BASE64_BYTES   57  /* 76 characters: RFC 2045 section 6.8 */

/* --- what bytes need --- */

static bool is_binary(struct str s)
{
    size_t line = 0;
    if (s.n > 0 && memchr(s.p, '\0', s.n))
        return true;
    for (size_t i = 0; i < s.n; i++) {
        bool is_crlf = s.p[i] == '\r' && i + 1 < s.n && s.p[i + 1] == '\n';
        if (i - line > LINE_BYTES_MAX - 1u && !is_crlf)
            return true;
        if (!is_crlf && (s.p[i] == '\r' || s.p[i] == '\n'))
            return true;
        i += is_crlf;
        line = is_crlf ? i + 1 : line;
    }
    return false;
}

enum envelope_body convert_needs(struct str s)
{
    return is_binary(s) ? ENVELOPE_BINARY : !utf8_is_ascii(s) ? ENVELOPE_8BIT : ENVELOPE_7BIT;
}

/* --- encodings --- */

/* A space or tab at the end of a line would be lost on the way: RFC 2045 section 6.7 (3). */
static bool is_literal(struct str s, size_t i)
{
    unsigned char c = (unsigned char)s.p[i];
    if (c == ' ' || c == '\t')
        return i + 1 < s.n && s.p[i + 1] != '\r' && s.p[i + 1] != '\n';
    return c > ' ' && c < 127 && c != '=';
}

static void add_quoted_printable(struct buf *out, struct str s)
{
    size_t column = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\r' && i + 1 < s.n && s.p[i + 1] == '\n') {
            buf_add_c(out, "\r\n");
            column = 0;
            i++;
            continue;
        }
        bool literal = is_literal(s, i);
        size_t width = literal ? 1 : 3;
        if (column + width > QP_LINE_MAX - 1) {
            buf_add_c(out, "=\r\n");
            column = 0;
        }
        column += width;
        if (literal)
            buf_add_byte(out, s.p[i]);
        else
            buf_addf(out, "=%02X", (unsigned char)s.p[i]);
    }
}

/* Lines joined by CRLF; the last one ends like the part itself. */
static void add_base64(struct buf *out, struct str s)
{
    for (size_t at = 0; at < s.n; at += BASE64_BYTES) {
        if (at > 0)
            buf_add_c(out, "\r\n");
        buf_add_base64(out, str_slice(s, at, BASE64_BYTES));
    }
}

/* --- parts --- */

struct conversion {
    struct str message;
    enum envelope_body to;
    struct buf *out;
    struct err *error;
};

static struct str header_of(const struct conversion *c, const struct mime_part *p)
{
    return str_slice(c->message, p->header_at, p->header_size);
}

static struct str body_of_part(const struct conversion *c, const struct mime_part *p)
{
    return str_slice(c->message, p->body_at, p->body_size);
}

static bool is_beyond(const struct conversion *c, struct str bytes)
{
    return is_binary(bytes) || (c->to == ENVELOPE_7BIT && !utf8_is_ascii(bytes));
}

static bool is_type(const struct mime_part *p, const char *type, const char *subtype)
{
    return str_eq(p->type, str_from_c(type)) && (!subtype || str_eq(p->subtype, str_from_c(subtype)));
}

static bool refuse(const struct conversion *c, const char *what)
{
    return err_set(c->error, ERR_PERMANENT, "5.6.3 this server takes no %s, and %s",
                   c->to == ENVELOPE_7BIT ? "8-bit text (8BITMIME)" : "binary parts (BINARYMIME)", what);
}

/* The header with another Content-Transfer-Encoding. A message that says nothing of MIME is said to be text
 * in an unknown charset (RFC 1428 section 3). */
static bool add_header(const struct conversion *c, const struct mime_part *p, const char *encoding)
{
    struct str rest = header_of(c, p);
    struct header_field f;
    bool is_mime = p->parent != NULL, has_type = false;
    if (!str_ends(rest, STR("\r\n\r\n")) && !str_eq(rest, STR("\r\n")))
        return refuse(c, "a part of it has a header without an end");
    rest.n -= 2;
    while (header_next(&rest, &f)) {
        if (str_eq_nocase(f.name, STR("Content-Transfer-Encoding")))
            continue;
        is_mime |= str_eq_nocase(f.name, STR("MIME-Version"));
        has_type |= str_eq_nocase(f.name, STR("Content-Type"));
        buf_add(c->out, f.whole);
    }
    if (!is_mime)
        buf_add_c(c->out, "MIME-Version: 1.0\r\n");
    if (!is_mime && !has_type)
        buf_add_c(c->out, "Content-Type: text/plain; charset=unknown-8bit\r\n");
    buf_addf(c->out, "Content-Transfer-Encoding: %s\r\n\r\n", encoding);
    return true;
}

/* What stands between parts: boundaries, and text before and after them that nobody is shown. */
static void add_glue(const struct conversion *c, uint64_t from, uint64_t to)
{
    struct str s = str_slice(c->message, from, to - from);
    if (!is_beyond(c, s)) {
        buf_add(c->out, s);
        return;
    }
    for (size_t i = 0; i < s.n; i++) {
        bool is_bad = s.p[i] == '\0' || (c->to == ENVELOPE_7BIT && (unsigned char)s.p[i] > 127);
        buf_add_byte(c->out, is_bad ? '?' : s.p[i]);
    }
}

static bool convert_leaf(const struct conversion *c, const struct mime_part *p)
{
    struct str body = body_of_part(c, p);
    if (!is_beyond(c, body)) {
        buf_add(c->out, header_of(c, p));
        buf_add(c->out, body);
        return true;
    }
    bool is_plain = p->encoding == MIME_7BIT || p->encoding == MIME_8BIT || p->encoding == MIME_BINARY;
    if (p->header_size == 0 || is_type(p, "message", NULL)) /* RFC 2046 section 5.2: no encoding there */
        return refuse(c, "a part of it has no header or may not be encoded");
    if (!is_plain)
        return refuse(c, "a part of it is not what its Content-Transfer-Encoding says");
    bool is_text = is_type(p, "text", NULL);
    if (!add_header(c, p, is_text ? "quoted-printable" : "base64"))
        return false;
    if (is_text)
        add_quoted_printable(c->out, body);
    else
        add_base64(c->out, body);
    return true;
}

static bool convert_part(const struct conversion *c, const struct mime_part *p); /* parts hold parts */

static bool convert_children(const struct conversion *c, const struct mime_part *p)
{
    uint64_t at = p->body_at;
    for (size_t i = 0; i < p->child_count; i++) {
        const struct mime_part *child = p->children[i];
        add_glue(c, at, child->header_at);
        if (!convert_part(c, child))
            return false;
        at = child->body_at + child->body_size;
    }
    add_glue(c, at, p->body_at + p->body_size);
    return true;
}

/* A multipart or a message: it says of itself what its parts need (RFC 2045 section 6.4). */
static bool convert_container(const struct conversion *c, const struct mime_part *p)
{
    if (!is_beyond(c, body_of_part(c, p))) {
        buf_add(c->out, header_of(c, p));
        buf_add(c->out, body_of_part(c, p));
        return true;
    }
    if (is_type(p, "multipart", "signed") || is_type(p, "multipart", "encrypted")) /* RFC 1847 section 2 */
        return refuse(c, "it is signed or encrypted: changing it would break that");
    if (p->encoding == MIME_QUOTED_PRINTABLE || p->encoding == MIME_BASE64 || p->encoding == MIME_OTHER)
        return refuse(c, "a multipart of it is encoded, which must not be");
    return add_header(c, p, c->to == ENVELOPE_7BIT ? "7bit" : "8bit") && convert_children(c, p);
}

static bool convert_part(const struct conversion *c, const struct mime_part *p)
{
    return p->child_count > 0 ? convert_container(c, p) : convert_leaf(c, p);
}

bool convert_message(struct str message, enum envelope_body to, struct buf *out, struct err *e)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct conversion c = {.message = message, .to = to, .out = out, .error = e};
    const struct mime_part *root = mime_parse(message, &a);
    add_glue(&c, 0, root->header_at);
    if (!convert_part(&c, root))
        return false;
    add_glue(&c, root->body_at + root->body_size, message.n);
    return !out->overflow || err_set(e, ERR_PERMANENT, "5.3.4 the message is too large to be converted");
}
