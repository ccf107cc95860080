#include "message/mime_value.h"

#include "message/decode.h"
#include "message/header.h"
#include "message/hex.h"

#define SECTION_NONE      UINT32_MAX
#define SECTION_DIGITS    4                   /* RFC 2231 counts pieces from 0; far above MIME_PARAMS_MAX */
#define PARAM_VALUE_MAX   ((size_t)64 * 1024) /* of a decoded value; a file name has 255 bytes */
#define COMMENT_LOOKAHEAD 256 /* of a comment inside an unquoted value; keeps nested ones linear */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* The comment at the front of `in` with its parentheses (RFC 5322 section 3.2.2). */
static size_t comment_length(struct str in)
{
    size_t depth = 0;
    for (size_t i = 0; i < in.n; i++) {
        if (in.p[i] == '\\')
            i++;
        else if (in.p[i] == '(')
            depth++;
        else if (in.p[i] == ')' && --depth == 0)
            return i + 1;
    }
    return in.n;
}

/* Steps over white space, line ends and (nested) comments. An unclosed comment reaches to the end. */
static void skip_space(struct str *in)
{
    while (in->n > 0) {
        if (is_blank(in->p[0]))
            *in = str_from_offset(*in, 1);
        else if (in->p[0] == '(')
            *in = str_from_offset(*in, comment_length(*in));
        else
            break;
    }
}

struct str mime_take_value(struct str *in, struct arena *a)
{
    struct str all = *in;
    size_t end = str_find_byte(all, ';');
    struct str head = str_trim(str_slice(all, 0, end));
    bool plain = true;
    for (size_t i = 0; i < head.n && plain; i++)
        plain = !is_blank(head.p[i]) && head.p[i] != '(';
    if (plain) {
        *in = str_from_offset(all, end);
        return head;
    }
    /* Space and comments are dropped; a word after the first, without a slash between, ends the value. The
     * parameters of some senders follow without ';', so what comes then is left to the parameters. */
    char *to = ARENA_ARRAY(a, char, all.n);
    size_t n = 0;
    bool after_space = false, after_slash = true;
    while (in->n > 0 && in->p[0] != ';') {
        size_t before = in->n;
        skip_space(in);
        after_space = after_space || in->n != before;
        if (in->n == 0 || in->p[0] == ';')
            break;
        if (after_space && !after_slash && in->p[0] != '/')
            break;
        after_space = false;
        after_slash = in->p[0] == '/';
        to[n++] = in->p[0];
        *in = str_from_offset(*in, 1);
    }
    return str_from(to, n);
}

/* A quoted-string (RFC 5322 section 3.2.4) from its opening quote; one that is never closed reaches to the
 * end. Line ends of folding are dropped. */
static struct str take_quoted(struct str *in, struct arena *a)
{
    struct str rest = str_from_offset(*in, 1);
    size_t end = 0;
    bool plain = true;
    while (end < rest.n && rest.p[end] != '"') {
        char c = rest.p[end];
        plain = plain && c != '\\' && c != '\r' && c != '\n';
        end += c == '\\' && end + 1 < rest.n ? 2 : 1;
    }
    struct str raw = str_slice(rest, 0, end);
    *in = str_from_offset(rest, end + 1);
    if (plain)
        return raw;
    char *to = ARENA_ARRAY(a, char, raw.n);
    size_t n = 0;
    for (size_t i = 0; i < raw.n; i++) {
        if (raw.p[i] == '\r' || raw.p[i] == '\n')
            continue;
        if (raw.p[i] == '\\' && i + 1 < raw.n)
            i++;
        to[n++] = raw.p[i];
    }
    return str_from(to, n);
}

static size_t word_length(struct str in)
{
    size_t n = 0;
    while (n < in.n && in.p[n] != ';' && !is_blank(in.p[n]))
        n++;
    return n;
}

/* Whether a word that follows an unquoted value still belongs to it, as in `filename=my file.pdf`, or is a
 * comment or a parameter whose ';' is missing. */
static bool word_continues_value(struct str word, struct str rest)
{
    if (word.n == 0)
        return false;
    if (str_starts(word, STR("=?")))
        return true; /* encoded words side by side */
    if (word.p[0] == '(') {
        rest = str_slice(rest, 0, COMMENT_LOOKAHEAD);
        size_t n = comment_length(rest);
        return n < rest.n && rest.p[n] != ';' && !is_blank(rest.p[n]);
    }
    size_t equals = str_find_byte(word, '=');
    return equals == STR_NONE || equals == 0;
}

static struct str take_unquoted(struct str *in)
{
    size_t end = word_length(*in);
    for (;;) {
        size_t next = end;
        while (next < in->n && is_blank(in->p[next]))
            next++;
        struct str rest = str_from_offset(*in, next);
        size_t n = word_length(rest);
        if (next == end || !word_continues_value(str_slice(rest, 0, n), rest))
            break;
        end = next + n;
    }
    struct str value = str_slice(*in, 0, end);
    *in = str_from_offset(*in, end);
    return value;
}

/* Takes the attribute name; false when there is no '=' behind it. */
static bool take_name(struct str *in, struct str *name)
{
    size_t n = 0;
    while (n < in->n && in->p[n] != '=' && in->p[n] != ';' && in->p[n] != '(' && !is_blank(in->p[n]))
        n++;
    *name = str_slice(*in, 0, n);
    *in = str_from_offset(*in, n);
    skip_space(in);
    if (in->n == 0 || in->p[0] != '=')
        return false;
    *in = str_from_offset(*in, 1);
    return true;
}

bool mime_take_param(struct str *in, struct arena *a, struct mime_param *out)
{
    for (;;) {
        skip_space(in);
        while (in->n > 0 && in->p[0] == ';') {
            *in = str_from_offset(*in, 1);
            skip_space(in);
        }
        if (in->n == 0)
            return false;
        size_t before = in->n;
        bool has_value = take_name(in, &out->name);
        if (has_value) {
            while (in->n > 0 && is_blank(in->p[0]))
                *in = str_from_offset(*in, 1);
            if (in->n > 0 && in->p[0] == '"')
                out->value = take_quoted(in, a);
            else
                out->value = header_unfold(take_unquoted(in), a);
            if (out->name.n > 0)
                return true;
        }
        if (in->n == before)
            *in = str_from_offset(*in, 1); /* a stray byte that is no name */
    }
}

/* --- RFC 2231 --- */

struct piece {
    struct str name; /* without the stars */
    uint32_t section;
    bool is_encoded; /* charset'language'%41%42 */
    bool is_used;
    struct str value;
};

/* Splits `name*3*` (RFC 2231 section 7). What has stars in other places is a name like another. */
static struct piece read_piece(const struct mime_param *raw)
{
    struct piece p = {.name = raw->name, .section = SECTION_NONE, .value = raw->value};
    size_t star = str_find_byte(raw->name, '*');
    if (star == STR_NONE || star == 0)
        return p;
    struct str suffix = str_from_offset(raw->name, star + 1);
    bool is_encoded = suffix.n == 0 || suffix.p[suffix.n - 1] == '*';
    if (is_encoded && suffix.n > 0)
        suffix.n--;
    if (suffix.n > 0 && (suffix.n > SECTION_DIGITS || !str_to_u32(suffix, &p.section)))
        return p;
    p.name = str_slice(raw->name, 0, star);
    p.is_encoded = is_encoded;
    return p;
}

static void add_percent_decoded(struct buf *out, struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        int byte = s.p[i] == '%' ? hex_byte(s, i + 1) : -1;
        buf_add_byte(out, byte >= 0 ? (char)byte : s.p[i]);
        if (byte >= 0)
            i += 2;
    }
}

/* charset'language'text of RFC 2231 section 4. Some senders repeat the charset in later pieces: there
 * *charset is known, and only the very same is taken off. */
static struct str take_charset(struct str value, struct str *charset)
{
    if (charset->n > 0) {
        if (str_starts_nocase(value, *charset) && value.n > charset->n && value.p[charset->n] == '\'')
            return str_from_offset(value, charset->n + 1);
        return value;
    }
    struct str rest = value, name, language;
    if (!str_cut(&rest, '\'', &name) || !str_cut(&rest, '\'', &language))
        return value;
    *charset = name;
    return rest;
}

/* The piece of that name with the lowest section that is not used yet. */
static struct piece *next_piece(struct piece *pieces, size_t n, struct str name)
{
    struct piece *best = NULL;
    for (size_t i = 0; i < n; i++) {
        struct piece *p = &pieces[i];
        if (!p->is_used && p->section != SECTION_NONE && (!best || p->section < best->section) &&
            str_eq_nocase(p->name, name))
            best = p;
    }
    return best;
}

static struct piece *whole_piece(struct piece *pieces, size_t n, struct str name, bool is_encoded)
{
    for (size_t i = 0; i < n; i++)
        if (pieces[i].section == SECTION_NONE && pieces[i].is_encoded == is_encoded &&
            str_eq_nocase(pieces[i].name, name))
            return &pieces[i];
    return NULL;
}

static void add_piece(struct piece *p, struct str *charset, struct buf *bytes)
{
    if (p->is_encoded)
        add_percent_decoded(bytes, take_charset(p->value, charset));
    else
        buf_add(bytes, p->value);
    p->is_used = true;
}

static bool needs_decoding(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] >= 0x80)
            return true;
    return str_find(s, STR("=?")) != STR_NONE;
}

/* The value of one name: name*= and name*0= go before the plain name= that old clients are given beside them
 * (as RFC 6266 section 4.3 has it). */
static struct str join_pieces(struct piece *pieces, size_t n, struct str name, struct arena *a)
{
    CLEAN_BUF struct buf bytes, text;
    buf_init(&bytes, PARAM_VALUE_MAX);
    buf_init(&text, PARAM_VALUE_MAX);
    struct str charset = STR("");
    struct piece *p = whole_piece(pieces, n, name, true);
    if (p) {
        add_piece(p, &charset, &bytes);
    } else if ((p = next_piece(pieces, n, name))) {
        for (; p; p = next_piece(pieces, n, name))
            add_piece(p, &charset, &bytes);
    } else {
        p = whole_piece(pieces, n, name, false);
        if (!needs_decoding(p->value))
            return p->value;
        buf_add(&bytes, p->value);
    }
    if (charset.n > 0)
        decode_charset(buf_str(&bytes), charset, &text);
    else
        decode_words(buf_str(&bytes), &text);
    return arena_copy(a, buf_str(&text));
}

static bool has_name(const struct mime_param *params, size_t n, struct str name)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq_nocase(params[i].name, name))
            return true;
    return false;
}

size_t mime_take_params(struct str in, struct arena *a, struct mime_param **out)
{
    struct piece pieces[MIME_PARAMS_MAX];
    struct mime_param raw;
    size_t n = 0, count = 0;
    while (n < MIME_PARAMS_MAX && mime_take_param(&in, a, &raw))
        pieces[n++] = read_piece(&raw);
    *out = n > 0 ? ARENA_ARRAY(a, struct mime_param, n) : NULL;
    for (size_t i = 0; i < n; i++)
        if (!has_name(*out, count, pieces[i].name)) {
            struct str value = join_pieces(pieces, n, pieces[i].name, a);
            (*out)[count++] = (struct mime_param){pieces[i].name, value};
        }
    return count;
}
