#include "message/mime.h"

#include "message/header.h"
#include "message/mime_value.h"

#include <string.h>

/* One pass over the lines of a message. Open multiparts stand on a stack; a line that starts with "--" is
 * compared with the boundary of each, so that an inner multipart that is never closed ends where its outer
 * one goes on. The call depth is at most MIME_DEPTH_MAX, so it fits on a small stack. */
struct parser {
    struct str message;
    struct arena *arena;
    size_t at;      /* the line to look at next */
    uint32_t lines; /* line ends before `at` */
    size_t parts;
    struct str boundaries[MIME_DEPTH_MAX]; /* of the open multiparts, outermost first */
    size_t open;
    size_t depth;
};

/* Where a body ended: at a boundary line of the multipart `level`, or at the end of the message. */
#define LEVEL_END SIZE_MAX
struct stop {
    size_t level;
    bool is_close;       /* --boundary-- */
    size_t content_end;  /* without the line end that belongs to the boundary (RFC 2046 section 5.1.1) */
    uint32_t line_count; /* line ends before content_end */
};

static bool rest_is_blank(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] != ' ' && s.p[i] != '\t' && s.p[i] != '\r' && s.p[i] != '\n')
            return false;
    return true;
}

/* Which open multipart's boundary the line is; LEVEL_END: of none. A line that is a boundary and nothing else
 * goes first, the innermost. Otherwise it is enough that the line begins with one (RFC 2046 section 5.1.1,
 * "note to implementors"), and the longest counts: an outer "abc" with an inner "abc-1" does occur. */
static size_t boundary_level(const struct parser *p, struct str line, bool *is_close)
{
    size_t best = LEVEL_END;
    if (p->parts >= MIME_PARTS_MAX)
        return LEVEL_END;
    line = str_from_offset(line, 2);
    for (size_t i = p->open; i-- > 0;) {
        if (!str_starts(line, p->boundaries[i]))
            continue;
        struct str rest = str_from_offset(line, p->boundaries[i].n);
        bool closes = str_starts(rest, STR("--"));
        bool is_exact = rest_is_blank(closes ? str_from_offset(rest, 2) : rest);
        if (is_exact || best == LEVEL_END || p->boundaries[i].n > p->boundaries[best].n) {
            best = i;
            *is_close = closes;
        }
        if (is_exact)
            break;
    }
    return best;
}

static bool may_be_boundary(const struct parser *p)
{
    const char *line = p->message.p + p->at;
    return p->open > 0 && p->message.n - p->at >= 2 && line[0] == '-' && line[1] == '-';
}

/* The line at p->at with its line end; does not step over it. */
static struct str line_here(const struct parser *p)
{
    const char *from = p->message.p + p->at;
    const char *lf = memchr(from, '\n', p->message.n - p->at);
    return str_from(from, lf ? (size_t)(lf - from) + 1 : p->message.n - p->at);
}

/* If the line at p->at is a boundary: where the content before it ended. Steps over the boundary line. */
static bool stop_at_boundary(struct parser *p, struct stop *stop)
{
    if (!may_be_boundary(p))
        return false;
    struct str line = line_here(p);
    stop->level = boundary_level(p, line, &stop->is_close);
    if (stop->level == LEVEL_END)
        return false;
    bool has_lf = p->at >= 1 && p->message.p[p->at - 1] == '\n';
    bool has_cr = has_lf && p->at >= 2 && p->message.p[p->at - 2] == '\r';
    stop->content_end = p->at - has_lf - has_cr;
    stop->line_count = p->lines - has_lf;
    p->at += line.n;
    p->lines += str_ends(line, STR("\n"));
    return true;
}

static struct stop skip_to_boundary(struct parser *p)
{
    struct stop stop;
    while (p->at < p->message.n) {
        if (stop_at_boundary(p, &stop))
            return stop;
        const char *from = p->message.p + p->at;
        const char *lf = memchr(from, '\n', p->message.n - p->at);
        p->at = lf ? (size_t)(lf - p->message.p) + 1 : p->message.n;
        p->lines += lf != NULL;
    }
    return (struct stop){.level = LEVEL_END, .content_end = p->at, .line_count = p->lines};
}

static uint32_t count_lines(struct str s)
{
    uint32_t n = 0;
    const char *end = s.p + s.n;
    for (const char *at = s.p; (at = memchr(at, '\n', (size_t)(end - at))); at++)
        n++;
    return n;
}

/* --- header fields --- */

static struct str to_lower(struct str s, struct arena *a)
{
    size_t i = 0;
    while (i < s.n && ascii_lower(s.p[i]) == s.p[i])
        i++;
    if (i == s.n)
        return s;
    char *to = ARENA_ARRAY(a, char, s.n);
    for (i = 0; i < s.n; i++)
        to[i] = ascii_lower(s.p[i]);
    return str_from(to, s.n);
}

/* The subtype of a Content-Type without one, as in "Content-Type: text" of old mailers. A value that is no
 * type at all is text/plain (RFC 2045 section 5.2). */
static const struct {
    struct str type, becomes, subtype;
} WITHOUT_SUBTYPE[] = {
    {STR_INIT("text"), STR_INIT("text"), STR_INIT("plain")},
    {STR_INIT("multipart"), STR_INIT("multipart"), STR_INIT("mixed")},
    {STR_INIT("application"), STR_INIT("application"), STR_INIT("octet-stream")},
    {STR_INIT("image"), STR_INIT("application"), STR_INIT("octet-stream")},
    {STR_INIT("audio"), STR_INIT("application"), STR_INIT("octet-stream")},
    {STR_INIT("video"), STR_INIT("application"), STR_INIT("octet-stream")},
};

static void set_type(struct mime_part *part, struct str type, struct str subtype)
{
    part->type = type;
    part->subtype = subtype;
    part->is_multipart = str_eq(type, STR("multipart"));
    part->is_message =
        str_eq(type, STR("message")) && (str_eq(subtype, STR("rfc822")) || str_eq(subtype, STR("global")));
}

void mime_parse_content_type(struct str value, struct arena *a, struct mime_part *out)
{
    struct str subtype = str_trim(value), type;
    out->content_type = subtype;
    struct str params = subtype;
    subtype = to_lower(mime_take_value(&params, a), a);
    str_cut(&subtype, '/', &type);
    set_type(out, STR("text"), STR("plain"));
    if (type.n > 0 && subtype.n > 0)
        set_type(out, type, subtype);
    else
        for (size_t i = 0; i < sizeof WITHOUT_SUBTYPE / sizeof *WITHOUT_SUBTYPE; i++)
            if (str_eq(type, WITHOUT_SUBTYPE[i].type))
                set_type(out, WITHOUT_SUBTYPE[i].becomes, WITHOUT_SUBTYPE[i].subtype);
    out->param_count = mime_take_params(params, a, &out->params);
}

static void read_disposition(struct str value, struct arena *a, struct mime_part *part)
{
    part->content_disposition = str_trim(value);
    struct str params = part->content_disposition;
    part->disposition = to_lower(mime_take_value(&params, a), a);
    part->disposition_param_count = mime_take_params(params, a, &part->disposition_params);
}

static void read_encoding(struct str value, struct arena *a, struct mime_part *part)
{
    static const struct {
        struct str name;
        enum mime_encoding encoding;
    } ENCODINGS[] = {
        {STR_INIT("7bit"), MIME_7BIT},     {STR_INIT("8bit"), MIME_8BIT},
        {STR_INIT("binary"), MIME_BINARY}, {STR_INIT("quoted-printable"), MIME_QUOTED_PRINTABLE},
        {STR_INIT("base64"), MIME_BASE64},
    };
    struct str rest = value;
    part->encoding_text = mime_take_value(&rest, a);
    part->encoding = part->encoding_text.n > 0 ? MIME_OTHER : MIME_7BIT;
    for (size_t i = 0; i < sizeof ENCODINGS / sizeof *ENCODINGS; i++)
        if (str_eq_nocase(part->encoding_text, ENCODINGS[i].name))
            part->encoding = ENCODINGS[i].encoding;
}

/* A Content- field of a part. Of a field that comes twice the first counts. */
static void read_field(const struct header_field *f, struct arena *a, struct mime_part *part)
{
    static const struct {
        struct str name;
        size_t at; /* a struct str of mime_part */
    } PLAIN[] = {
        {STR_INIT("Content-ID"), offsetof(struct mime_part, id)},
        {STR_INIT("Content-Description"), offsetof(struct mime_part, description)},
        {STR_INIT("Content-MD5"), offsetof(struct mime_part, md5)},
        {STR_INIT("Content-Language"), offsetof(struct mime_part, language)},
        {STR_INIT("Content-Location"), offsetof(struct mime_part, location)},
    };
    if (!str_starts_nocase(f->name, STR("Content-")))
        return;
    if (str_eq_nocase(f->name, STR("Content-Type"))) {
        if (part->content_type.n == 0 && str_trim(f->value).n > 0)
            mime_parse_content_type(f->value, a, part);
    } else if (str_eq_nocase(f->name, STR("Content-Transfer-Encoding"))) {
        if (part->encoding_text.n == 0)
            read_encoding(f->value, a, part);
    } else if (str_eq_nocase(f->name, STR("Content-Disposition"))) {
        if (part->disposition.n == 0)
            read_disposition(f->value, a, part);
    } else {
        for (size_t i = 0; i < sizeof PLAIN / sizeof *PLAIN; i++) {
            struct str *to = (struct str *)((char *)part + PLAIN[i].at);
            if (to->n == 0 && str_eq_nocase(f->name, PLAIN[i].name))
                *to = header_unfold(f->value, a);
        }
    }
}

/* The header of a part. True: it was cut off by a boundary line, which *stop tells. */
static bool read_header(struct parser *p, struct mime_part *part, struct stop *stop)
{
    for (;;) {
        if (stop_at_boundary(p, stop))
            return true;
        struct str rest = str_from_offset(p->message, p->at);
        struct header_field f;
        bool is_field = header_next(&rest, &f);
        size_t after = p->message.n - rest.n;
        if (!is_field) {
            p->lines += after != p->at;
            p->at = after;
            return false;
        }
        p->lines += count_lines(f.whole);
        p->at = after;
        f.value = str_slice(f.value, 0, HEADER_VALUE_MAX);
        read_field(&f, p->arena, part);
    }
}

/* --- the tree --- */

static struct mime_part *new_part(struct parser *p, struct mime_part *parent)
{
    struct mime_part *part = ARENA_NEW(p->arena, struct mime_part);
    p->parts++;
    part->parent = parent;
    part->header_at = p->at;
    part->encoding = MIME_7BIT;
    /* RFC 2046 section 5.1.5: a digest is made of messages */
    if (parent && parent->is_multipart && str_eq(parent->subtype, STR("digest")))
        set_type(part, STR("message"), STR("rfc822"));
    else
        set_type(part, STR("text"), STR("plain"));
    return part;
}

/* Children gather here and are copied once their number is known. */
struct children {
    struct mime_part **v;
    size_t n, cap;
};

static void add_child(struct parser *p, struct children *c, struct mime_part *child)
{
    if (c->n == c->cap) {
        size_t cap = c->cap ? c->cap * 2 : 4;
        struct mime_part **v = ARENA_ARRAY(p->arena, struct mime_part *, cap);
        if (c->n > 0)
            memcpy(v, c->v, c->n * sizeof *v);
        c->v = v;
        c->cap = cap;
    }
    c->v[c->n++] = child;
}

static struct stop parse_part(struct parser *p, struct mime_part *part);

/* From behind the header of a multipart to the boundary line of an outer one, or the end. */
static struct stop parse_multipart(struct parser *p, struct mime_part *part, struct str boundary)
{
    struct children children = {0};
    size_t level = p->open;
    p->boundaries[p->open++] = boundary;
    struct stop stop = skip_to_boundary(p); /* the preamble */
    while (stop.level == level && !stop.is_close) {
        struct mime_part *child = new_part(p, part);
        add_child(p, &children, child);
        stop = parse_part(p, child);
    }
    p->open = level;
    if (stop.level == level) /* the epilogue; its own boundary means nothing there */
        stop = skip_to_boundary(p);
    part->children = children.v;
    part->child_count = children.n;
    return stop;
}

static struct stop parse_message(struct parser *p, struct mime_part *part)
{
    struct mime_part *child = new_part(p, part);
    part->children = ARENA_NEW(p->arena, struct mime_part *);
    part->children[0] = child;
    part->child_count = 1;
    return parse_part(p, child);
}

/* What cannot be opened any further is shown as bytes. */
static void make_leaf(struct mime_part *part)
{
    set_type(part, STR("application"), STR("octet-stream"));
}

/* A multipart without a single part is against the grammar of RFC 2046 and of IMAP's body structure, as is a
 * message/rfc822 without a message: its text is then shown as one. */
static void add_missing_child(struct parser *p, struct mime_part *part)
{
    struct mime_part *child = new_part(p, part);
    set_type(child, STR("text"), STR("plain"));
    child->header_at = child->body_at = part->body_at;
    child->body_size = part->body_size;
    child->lines = part->lines;
    part->children = ARENA_NEW(p->arena, struct mime_part *);
    part->children[0] = child;
    part->child_count = 1;
}

/* The boundary as its bytes stand: params are decoded to UTF-8, and lines of the message are compared. */
static struct str take_boundary(const struct mime_part *part, struct arena *a)
{
    struct str boundary = STR(""), value = part->content_type;
    struct mime_param raw;
    mime_take_value(&value, a);
    for (size_t n = 0; n < MIME_PARAMS_MAX && boundary.n == 0 && mime_take_param(&value, a, &raw); n++)
        if (str_eq_nocase(raw.name, STR("boundary")))
            boundary = raw.value;
    if (boundary.n == 0) /* boundary*0=, which RFC 2231 allows */
        boundary = mime_param(part->params, part->param_count, STR("boundary"));
    while (boundary.n > 0 && ascii_is_space(boundary.p[boundary.n - 1]))
        boundary.n--; /* RFC 2046 section 5.1.1: it does not end with white space */
    return boundary;
}

static struct stop parse_body(struct parser *p, struct mime_part *part)
{
    if ((part->is_multipart || part->is_message) &&
        (p->depth + 1 >= MIME_DEPTH_MAX || p->parts >= MIME_PARTS_MAX))
        make_leaf(part);
    struct str boundary = part->is_multipart ? take_boundary(part, p->arena) : STR("");
    struct stop stop;
    p->depth++;
    if (boundary.n > 0)
        stop = parse_multipart(p, part, boundary);
    else if (part->is_message)
        stop = parse_message(p, part);
    else
        stop = skip_to_boundary(p);
    p->depth--;
    return stop;
}

static struct stop parse_part(struct parser *p, struct mime_part *part)
{
    struct stop stop;
    bool is_cut_off = read_header(p, part, &stop);
    size_t body_at = p->at;
    uint32_t lines_before = p->lines;
    if (is_cut_off)
        body_at = stop.content_end;
    else
        stop = parse_body(p, part);

    /* A boundary line straight behind the header takes the line end off the header itself. */
    size_t end = stop.content_end;
    if (part->header_at > end)
        part->header_at = end;
    if (body_at > end)
        body_at = end;
    part->header_size = body_at - part->header_at;
    part->body_at = body_at;
    part->body_size = end - body_at;
    part->lines = stop.line_count > lines_before && !is_cut_off ? stop.line_count - lines_before : 0;
    if ((part->is_multipart || part->is_message) && part->child_count == 0)
        add_missing_child(p, part);
    return stop;
}

struct mime_part *mime_parse(struct str message, struct arena *a)
{
    struct parser p = {.message = message, .arena = a};
    struct mime_part *root = new_part(&p, NULL);
    parse_part(&p, root);
    return root;
}

struct mime_part *mime_find(struct mime_part *root, const uint32_t *numbers, size_t n)
{
    struct mime_part *part = root;
    bool is_top = true; /* of a message: a body that is no multipart has the number 1 there */
    for (size_t i = 0; i < n; i++) {
        if (!is_top && part->is_message && part->child_count > 0) {
            part = part->children[0];
            is_top = true;
        }
        if (part->is_multipart) {
            if (numbers[i] == 0 || numbers[i] > part->child_count)
                return NULL;
            part = part->children[numbers[i] - 1];
        } else if (!is_top || numbers[i] != 1) {
            return NULL;
        }
        is_top = false;
    }
    return part;
}

struct str mime_param(const struct mime_param *params, size_t n, struct str name)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq_nocase(params[i].name, name))
            return params[i].value;
    return STR("");
}
