#include "imap/parse.h"

#include <string.h>

static bool fail(struct imap_cursor *c, const char *problem)
{
    c->problem = problem;
    return false;
}

/* ATOM-CHAR: printable ASCII but atom-specials. */
static bool is_atom_char(char byte)
{
    switch (byte) {
    case '(':
    case ')':
    case '{':
    case '%':
    case '*':
    case '"':
    case '\\':
    case ']': return false;
    default: return byte > 0x20 && byte < 0x7f;
    }
}

static bool is_astring_char(char byte)
{
    return is_atom_char(byte) || byte == ']'; /* resp-specials */
}

static bool is_tag_char(char byte)
{
    return is_astring_char(byte) && byte != '+';
}

static bool is_list_char(char byte)
{
    return is_astring_char(byte) || byte == '%' || byte == '*';
}

static struct str rest(const struct imap_cursor *c)
{
    return str_from_offset(c->in, c->at);
}

static bool take_run(struct imap_cursor *c, bool (*belongs)(char), const char *problem, struct str *out)
{
    struct str r = rest(c);
    size_t n = 0;
    while (n < r.n && belongs(r.p[n]))
        n++;
    if (n == 0)
        return fail(c, problem);
    *out = str_slice(r, 0, n);
    c->at += n;
    return true;
}

int imap_peek(const struct imap_cursor *c)
{
    return c->at < c->in.n ? (unsigned char)c->in.p[c->at] : -1;
}

bool imap_take_byte(struct imap_cursor *c, char byte)
{
    if (imap_peek(c) != (unsigned char)byte) {
        switch (byte) {
        case '(': return fail(c, "expected \"(\"");
        case ')': return fail(c, "expected \")\"");
        case '[': return fail(c, "expected \"[\"");
        case ']': return fail(c, "expected \"]\"");
        default: return fail(c, "unexpected character");
        }
    }
    c->at++;
    return true;
}

bool imap_take_space(struct imap_cursor *c)
{
    if (imap_peek(c) != ' ')
        return fail(c, imap_peek(c) < 0 ? "arguments are missing" : "expected a space");
    c->at++;
    return true;
}

bool imap_take_end(struct imap_cursor *c)
{
    return c->at == c->in.n || fail(c, "unexpected text behind the arguments");
}

bool imap_take_word(struct imap_cursor *c, struct str word)
{
    struct imap_cursor ahead = *c;
    struct str atom;
    if (!take_run(&ahead, is_atom_char, "", &atom) || !str_eq_nocase(atom, word))
        return fail(c, "unexpected word");
    c->at = ahead.at;
    return true;
}

static bool take_tag(struct imap_cursor *c, struct str *tag)
{
    struct imap_cursor ahead = *c;
    struct str taken;
    if (!take_run(&ahead, is_tag_char, "", &taken))
        return fail(c, "a command starts with a tag");
    if (taken.n > IMAP_TAG_MAX)
        return fail(c, "the tag is too long");
    *tag = taken;
    c->at = ahead.at;
    return true;
}

bool imap_take_atom(struct imap_cursor *c, struct str *atom)
{
    return take_run(c, is_atom_char, "expected a word", atom);
}

/* Finds the closing quote; *escapes says how many bytes are backslashes that quote another. */
static bool quoted_extent(struct str in, size_t *end, size_t *escapes, const char **problem)
{
    *escapes = 0;
    for (size_t i = 1; i < in.n; i++) {
        switch (in.p[i]) {
        case '"': *end = i; return true;
        case '\\':
            if (i + 1 >= in.n || (in.p[i + 1] != '"' && in.p[i + 1] != '\\')) {
                *problem = "a backslash may only quote itself or a quote";
                return false;
            }
            *escapes += 1;
            i++;
            break;
        case '\0':
        case '\r':
        case '\n': *problem = "a quoted string may not hold NUL, CR or LF"; return false;
        default: break;
        }
    }
    *problem = "the closing quote is missing";
    return false;
}

static bool take_quoted(struct imap_cursor *c, struct arena *a, struct str *s)
{
    struct str in = rest(c);
    size_t end, escapes;
    const char *problem;
    if (!quoted_extent(in, &end, &escapes, &problem))
        return fail(c, problem);
    struct str raw = str_slice(in, 1, end - 1);
    c->at += end + 1;
    if (escapes == 0) {
        *s = raw;
        return true;
    }
    char *plain = arena_new(a, raw.n - escapes, 1);
    size_t n = 0;
    for (size_t i = 0; i < raw.n; i++) {
        if (raw.p[i] == '\\')
            i++;
        plain[n++] = raw.p[i];
    }
    *s = str_from(plain, n);
    return true;
}

static bool take_literal(struct imap_cursor *c, struct str *s)
{
    struct str in = rest(c), line = in;
    size_t line_end = str_find(in, STR("\r\n"));
    if (line_end == STR_NONE)
        return fail(c, "expected a literal {n} at the end of the line");
    line.n = line_end;
    struct imap_literal literal;
    if (!imap_line_literal(line, &literal) || literal.at != 0 || literal.is_binary)
        return fail(c, "expected a literal {n} at the end of the line");
    struct str bytes = str_from_offset(in, line_end + 2);
    if (bytes.n < literal.size)
        return fail(c, "the literal is not whole");
    bytes.n = literal.size;
    if (str_find_byte(bytes, '\0') != STR_NONE)
        return fail(c, "a literal may not hold NUL");
    c->at += line_end + 2 + literal.size;
    *s = bytes;
    return true;
}

bool imap_take_string(struct imap_cursor *c, struct arena *a, struct str *s)
{
    switch (imap_peek(c)) {
    case '"': return take_quoted(c, a, s);
    case '{': return take_literal(c, s);
    default: return fail(c, "expected a string");
    }
}

bool imap_take_nstring(struct imap_cursor *c, struct arena *a, struct str *s, bool *is_nil)
{
    *is_nil = imap_take_word(c, STR("NIL"));
    if (*is_nil)
        *s = STR("");
    return *is_nil || imap_take_string(c, a, s);
}

static bool is_string_start(const struct imap_cursor *c)
{
    return imap_peek(c) == '"' || imap_peek(c) == '{';
}

bool imap_take_astring(struct imap_cursor *c, struct arena *a, struct str *s)
{
    return is_string_start(c) ? imap_take_string(c, a, s)
                              : take_run(c, is_astring_char, "expected a word or a string", s);
}

bool imap_take_list_mailbox(struct imap_cursor *c, struct arena *a, struct str *s)
{
    return is_string_start(c) ? imap_take_string(c, a, s)
                              : take_run(c, is_list_char, "expected a mailbox name or pattern", s);
}

static bool take_number(struct imap_cursor *c, uint64_t max, uint64_t *n)
{
    struct str r = rest(c);
    size_t digits = 0;
    uint64_t number;
    while (digits < r.n && ascii_is_digit(r.p[digits]))
        digits++;
    if (digits == 0)
        return fail(c, "expected a number");
    if (!str_to_u64(str_slice(r, 0, digits), &number) || number > max)
        return fail(c, "the number is too large");
    c->at += digits;
    *n = number;
    return true;
}

bool imap_take_number(struct imap_cursor *c, uint32_t *n)
{
    uint64_t number;
    if (!take_number(c, UINT32_MAX, &number))
        return false;
    *n = (uint32_t)number;
    return true;
}

bool imap_take_number64(struct imap_cursor *c, uint64_t *n)
{
    return take_number(c, INT64_MAX, n);
}

bool imap_take_nz_number(struct imap_cursor *c, uint32_t *n)
{
    size_t start = c->at;
    if (!imap_take_number(c, n))
        return false;
    if (*n == 0) {
        c->at = start;
        return fail(c, "the number may not be 0");
    }
    return true;
}

bool imap_line_literal(struct str line, struct imap_literal *out)
{
    if (!str_ends(line, STR("}")))
        return false;
    size_t open = str_rfind_byte(line, '{');
    if (open == STR_NONE)
        return false;
    struct str digits = str_slice(line, open + 1, line.n - open - 2);
    out->is_binary = open > 0 && line.p[open - 1] == '~';
    out->at = open - out->is_binary;
    out->is_sync = !str_ends(digits, STR("+"));
    if (!out->is_sync)
        digits.n--;
    if (digits.n == 0)
        return false;
    for (size_t i = 0; i < digits.n; i++)
        if (!ascii_is_digit(digits.p[i]))
            return false;
    if (!str_to_u32(digits, &out->size))
        out->size = UINT32_MAX;
    return true;
}

bool imap_parse_command(struct str text, struct imap_command *out)
{
    *out = (struct imap_command){.tag = STR(""), .name = STR(""), .args = {.in = text}};
    struct imap_cursor *c = &out->args;
    if (!take_tag(c, &out->tag))
        return false;
    if (!imap_take_space(c))
        return false;
    if (!imap_take_atom(c, &out->name))
        return fail(c, "a command's name is missing");
    if (str_eq_nocase(out->name, STR("UID"))) {
        out->by_uid = true;
        if (!imap_take_space(c) || !imap_take_atom(c, &out->name))
            return fail(c, "UID is followed by the name of a command");
    }
    return true;
}

static bool is_quotable(struct str s, bool utf8)
{
    bool quotable = s.n <= 1000; /* longer ones are kept out of the lines of clients with small buffers */
    for (size_t i = 0; quotable && i < s.n; i++) {
        unsigned char byte = (unsigned char)s.p[i];
        quotable = byte >= 0x20 && byte != 0x7f && (utf8 || byte < 0x7f);
    }
    return quotable;
}

static void add_string(struct buf *out, struct str s, bool utf8)
{
    if (!is_quotable(s, utf8)) {
        buf_addf(out, "{%zu}\r\n", s.n);
        buf_add(out, s);
        return;
    }
    buf_add_byte(out, '"');
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '"' || s.p[i] == '\\')
            buf_add_byte(out, '\\');
        buf_add_byte(out, s.p[i]);
    }
    buf_add_byte(out, '"');
}

static void add_astring(struct buf *out, struct str s, bool utf8)
{
    bool is_atom = s.n > 0 && !str_eq_nocase(s, STR("NIL"));
    for (size_t i = 0; is_atom && i < s.n; i++)
        is_atom = is_astring_char(s.p[i]);
    if (is_atom)
        buf_add(out, s);
    else
        add_string(out, s, utf8);
}

void imap_add_astring(struct buf *out, struct str s)
{
    add_astring(out, s, false);
}

void imap_add_astring_utf8(struct buf *out, struct str s)
{
    add_astring(out, s, true);
}
