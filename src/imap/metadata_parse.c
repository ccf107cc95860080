#include "imap/metadata_parse.h"

/* Longer values go as literals, out of the lines of clients with small buffers. */
#define QUOTED_MAX 1000

static bool fail(struct imap_cursor *c, size_t at, const char *problem)
{
    c->at = at;
    c->problem = problem;
    return false;
}

/* --- names --- */

static bool is_name(struct str name)
{
    if (name.n == 0 || name.n > METADATA_NAME_MAX || name.p[name.n - 1] == '/')
        return false;
    for (size_t i = 0; i < name.n; i++) {
        if (name.p[i] <= ' ' || name.p[i] > '~' || name.p[i] == '*' || name.p[i] == '%')
            return false;
        if (i > 0 && name.p[i] == '/' && name.p[i - 1] == '/')
            return false;
    }
    return true;
}

static bool is_below(struct str name, struct str root, bool may_be_root)
{
    return (may_be_root && str_eq(name, root)) ||
           (str_starts(name, root) && name.n > root.n && name.p[root.n] == '/');
}

bool imap_take_metadata_name(struct imap_cursor *c, struct arena *a, bool may_be_root, struct str *name)
{
    size_t start = c->at;
    struct str sent;
    if (!imap_take_astring(c, a, &sent))
        return false;
    char *lower = arena_new(a, sent.n + 1, 1);
    for (size_t i = 0; i < sent.n; i++)
        lower[i] = ascii_lower(sent.p[i]);
    *name = str_from(lower, sent.n);
    if (is_name(*name) &&
        (is_below(*name, STR("/shared"), may_be_root) || is_below(*name, STR("/private"), may_be_root)))
        return true;
    return fail(c, start, "entries are /shared/... or /private/..., of printable ASCII without * and %");
}

bool imap_take_metadata_names(struct imap_cursor *c, struct arena *a, struct str **names, size_t *n)
{
    bool is_list = imap_peek(c) == '(' && imap_take_byte(c, '(');
    *names = ARENA_ARRAY(a, struct str, is_list ? METADATA_REQUEST_MAX : 1);
    *n = 0;
    do {
        if (*n == METADATA_REQUEST_MAX)
            return fail(c, c->at, "too many entries in one command");
        if (!imap_take_metadata_name(c, a, true, &(*names)[*n]))
            return false;
        ++*n;
    } while (is_list && imap_peek(c) == ' ' && imap_take_space(c));
    return !is_list || imap_take_byte(c, ')');
}

bool imap_metadata_is_within(struct str name, struct str asked, enum metadata_depth depth)
{
    if (str_eq(name, asked))
        return true;
    if (depth == DEPTH_0 || !is_below(name, asked, false))
        return false;
    return depth == DEPTH_INFINITY || str_find_byte(str_from_offset(name, asked.n + 1), '/') == STR_NONE;
}

/* --- GETMETADATA --- */

bool imap_is_getmetadata_options(const struct imap_cursor *c)
{
    struct imap_cursor ahead = *c;
    return imap_take_byte(&ahead, '(') &&
           (imap_take_word(&ahead, STR("MAXSIZE")) || imap_take_word(&ahead, STR("DEPTH")));
}

static bool take_depth(struct imap_cursor *c, enum metadata_depth *depth)
{
    static const struct {
        struct str name;
        enum metadata_depth depth;
    } DEPTHS[] = {{STR_INIT("0"), DEPTH_0}, {STR_INIT("1"), DEPTH_1}, {STR_INIT("infinity"), DEPTH_INFINITY}};
    for (size_t i = 0; i < sizeof DEPTHS / sizeof *DEPTHS; i++) {
        if (!imap_take_word(c, DEPTHS[i].name))
            continue;
        *depth = DEPTHS[i].depth;
        return true;
    }
    return fail(c, c->at, "DEPTH is 0, 1 or infinity");
}

bool imap_take_getmetadata_options(struct imap_cursor *c, struct getmetadata_options *out)
{
    *out = (struct getmetadata_options){.depth = DEPTH_0, .size_max = UINT64_MAX};
    if (!imap_take_byte(c, '('))
        return false;
    do {
        uint32_t size;
        if (imap_take_word(c, STR("MAXSIZE"))) {
            if (!imap_take_space(c) || !imap_take_number(c, &size))
                return false;
            out->size_max = size;
        } else if (!imap_take_word(c, STR("DEPTH"))) {
            return fail(c, c->at, "expected MAXSIZE or DEPTH");
        } else if (!imap_take_space(c) || !take_depth(c, &out->depth)) {
            return false;
        }
    } while (imap_peek(c) == ' ' && imap_take_space(c));
    return imap_take_byte(c, ')');
}

/* --- SETMETADATA --- */

/* "~{n}" CRLF and n bytes, of which any may be NUL (RFC 3516 section 5). */
static bool take_literal8(struct imap_cursor *c, struct str *value)
{
    struct str in = str_from_offset(c->in, c->at), line = in;
    struct imap_literal literal;
    line.n = str_find(in, STR("\r\n"));
    if (line.n == STR_NONE || !imap_line_literal(line, &literal) || literal.at != 0)
        return fail(c, c->at, "expected a literal ~{n} at the end of the line");
    *value = str_from_offset(in, line.n + 2);
    if (value->n < literal.size)
        return fail(c, c->at, "the literal is not whole");
    value->n = literal.size;
    c->at += line.n + 2 + literal.size;
    return true;
}

static bool take_value(struct imap_cursor *c, struct arena *a, struct metadata_entry *out)
{
    if (imap_peek(c) == '~')
        return take_literal8(c, &out->value);
    return imap_take_nstring(c, a, &out->value, &out->is_nil);
}

bool imap_take_metadata_values(struct imap_cursor *c, struct arena *a, struct metadata_list *out)
{
    *out = (struct metadata_list){.v = ARENA_ARRAY(a, struct metadata_entry, METADATA_REQUEST_MAX)};
    if (!imap_take_byte(c, '('))
        return false;
    do {
        struct metadata_entry entry = {.value = STR("")};
        if (out->n == METADATA_REQUEST_MAX)
            return fail(c, c->at, "too many entries in one command");
        if (!imap_take_metadata_name(c, a, false, &entry.name) || !imap_take_space(c) ||
            !take_value(c, a, &entry))
            return false;
        out->v[out->n++] = entry;
    } while (imap_peek(c) == ' ' && imap_take_space(c));
    return imap_take_byte(c, ')');
}

/* --- values --- */

void imap_add_metadata_value(struct buf *out, struct str value, bool is_nil)
{
    bool is_quotable = value.n <= QUOTED_MAX, has_nul = false;
    if (is_nil) {
        buf_add(out, STR("NIL"));
        return;
    }
    for (size_t i = 0; i < value.n; i++) {
        is_quotable &= (unsigned char)value.p[i] >= ' ' && (unsigned char)value.p[i] < 0x7f;
        has_nul |= value.p[i] == '\0';
    }
    if (!is_quotable) {
        buf_addf(out, "%s{%zu}\r\n", has_nul ? "~" : "", value.n);
        buf_add(out, value);
        return;
    }
    buf_add_byte(out, '"');
    for (size_t i = 0; i < value.n; i++) {
        if (value.p[i] == '"' || value.p[i] == '\\')
            buf_add_byte(out, '\\');
        buf_add_byte(out, value.p[i]);
    }
    buf_add_byte(out, '"');
}
