#include "message/html.h"

#include "message/html_entities.h"
#include "message/utf8.h"

#include <string.h>

#define TAG_NAME_MAX      16 /* longer ones are none that matter here */
#define ENTITY_DIGITS_MAX 8  /* &#x10FFFF; with a leading zero */

/* Tags within a line: what they enclose goes on in the same word. */
static const struct str INLINE_TAGS[] = {
    STR_INIT("a"),     STR_INIT("abbr"),  STR_INIT("acronym"), STR_INIT("b"),      STR_INIT("bdo"),
    STR_INIT("big"),   STR_INIT("cite"),  STR_INIT("code"),    STR_INIT("del"),    STR_INIT("dfn"),
    STR_INIT("em"),    STR_INIT("font"),  STR_INIT("i"),       STR_INIT("ins"),    STR_INIT("kbd"),
    STR_INIT("label"), STR_INIT("mark"),  STR_INIT("o:p"),     STR_INIT("q"),      STR_INIT("s"),
    STR_INIT("samp"),  STR_INIT("small"), STR_INIT("span"),    STR_INIT("strike"), STR_INIT("strong"),
    STR_INIT("sub"),   STR_INIT("sup"),   STR_INIT("tt"),      STR_INIT("u"),      STR_INIT("var"),
    STR_INIT("wbr"),
};

static bool is_inline(struct str name)
{
    for (size_t i = 0; i < sizeof INLINE_TAGS / sizeof *INLINE_TAGS; i++)
        if (str_eq_nocase(name, INLINE_TAGS[i]))
            return true;
    return false;
}

static void add_character(struct buf *out, uint32_t c)
{
    if (c == 0 || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        c = 0xfffd;
    utf8_add(out, c);
}

/* "&#233;", "&#xe9;": the number and what it takes; 0 bytes: it is none. */
static size_t read_numeric(struct str in, uint32_t *c)
{
    bool is_hex = in.n > 2 && ascii_lower(in.p[2]) == 'x';
    size_t start = is_hex ? 3 : 2, i = start;
    *c = 0;
    for (; i < in.n && i < start + ENTITY_DIGITS_MAX; i++) {
        char d = ascii_lower(in.p[i]);
        if (ascii_is_digit(d))
            *c = *c * (is_hex ? 16 : 10) + (uint32_t)(d - '0');
        else if (is_hex && d >= 'a' && d <= 'f')
            *c = *c * 16 + (uint32_t)(d - 'a' + 10);
        else
            break;
    }
    if (i == start)
        return 0;
    return i < in.n && in.p[i] == ';' ? i + 1 : i;
}

static size_t read_named(struct str in, uint32_t *c)
{
    size_t n = 1;
    while (n < in.n && n <= HTML_ENTITY_MAX && (ascii_is_alpha(in.p[n]) || ascii_is_digit(in.p[n])))
        n++;
    *c = html_entity(str_slice(in, 1, n - 1));
    if (*c == 0)
        return 0;
    return n < in.n && in.p[n] == ';' ? n + 1 : n;
}

/* Takes an entity, or the "&" that begins none. */
static void take_entity(struct str *in, struct buf *text)
{
    uint32_t c = '&';
    bool is_numeric = in->n > 1 && in->p[1] == '#';
    size_t n = is_numeric ? read_numeric(*in, &c) : read_named(*in, &c);
    if (n == 0) {
        n = 1;
        c = '&';
    }
    add_character(text, c);
    *in = str_from_offset(*in, n);
}

/* The position behind the ">" that closes the tag at the front; one in a quoted attribute does not. An
 * attribute whose quote is never closed is read without quotes. */
static size_t tag_length(struct str in, bool *no_more_quotes)
{
    for (size_t i = 1; i < in.n; i++) {
        char c = in.p[i];
        if (c == '>')
            return i + 1;
        if ((c == '"' || c == '\'') && in.p[i - 1] == '=' && !*no_more_quotes) {
            size_t end = str_find_byte(str_from_offset(in, i + 1), c);
            *no_more_quotes = end == STR_NONE;
            if (end != STR_NONE)
                i += end + 1;
        }
    }
    return in.n;
}

/* Where `</name` begins; the end if it never comes. */
static size_t find_closing_tag(struct str in, struct str name)
{
    for (size_t at = 0;;) {
        size_t next = str_find(str_from_offset(in, at), STR("</"));
        if (next == STR_NONE)
            return in.n;
        at += next + 2;
        if (str_starts_nocase(str_from_offset(in, at), name))
            return at - 2;
    }
}

static bool is_name_byte(char c)
{
    return ascii_is_alpha(c) || ascii_is_digit(c) || c == ':';
}

struct page {
    struct buf *text;
    bool no_more_quotes; /* of attributes: see tag_length */
    bool own_only;
    size_t depth; /* with own_only: of the blockquotes that are open */
};

/* Those whose content is no text, and the title, which is none of the page's own. */
static bool hides_content(const struct page *p, struct str name)
{
    return str_eq_nocase(name, STR("script")) || str_eq_nocase(name, STR("style")) ||
           (p->own_only && str_eq_nocase(name, STR("title")));
}

static void enter_or_leave_quote(struct page *p, bool enters)
{
    if (enters && p->depth++ == 0)
        buf_add(p->text, STR("\n>\n"));
    else if (!enters && p->depth > 0)
        p->depth--;
}

/* Steps over what begins with "<": a comment, a declaration, a tag, and content that is no text. */
static void take_tag(struct str *in, struct page *p)
{
    if (str_starts(*in, STR("<!--"))) {
        size_t end = str_find(str_from_offset(*in, 4), STR("-->"));
        *in = str_from_offset(*in, end == STR_NONE ? in->n : end + 7);
        return;
    }
    size_t at = in->n > 1 && in->p[1] == '/' ? 2 : 1, n = 0;
    if (at < in->n && ascii_is_alpha(in->p[at]))
        while (n < TAG_NAME_MAX && at + n < in->n && is_name_byte(in->p[at + n]))
            n++;
    struct str name = str_slice(*in, at, n);
    bool is_declaration = at < in->n && (in->p[at] == '!' || in->p[at] == '?');
    if (n == 0 && !is_declaration) { /* "a < b", "I <3 mail" */
        if (p->depth == 0)
            buf_add_byte(p->text, '<');
        *in = str_from_offset(*in, 1);
        return;
    }
    *in = str_from_offset(*in, tag_length(*in, &p->no_more_quotes));
    if (at == 1 && hides_content(p, name))
        *in = str_from_offset(*in, find_closing_tag(*in, name));
    if (p->own_only && str_eq_nocase(name, STR("blockquote")))
        enter_or_leave_quote(p, at == 1);
    if (!is_inline(name) && p->depth == 0)
        buf_add_byte(p->text, '\n');
}

static void read_page(struct str html, struct page *p)
{
    while (html.n > 0) {
        size_t plain = 0;
        while (plain < html.n && html.p[plain] != '<' && html.p[plain] != '&')
            plain++;
        if (p->depth == 0)
            buf_add(p->text, str_slice(html, 0, plain));
        html = str_from_offset(html, plain);
        if (html.n == 0)
            break;
        if (html.p[0] == '<')
            take_tag(&html, p);
        else if (p->depth == 0)
            take_entity(&html, p->text);
        else
            html = str_from_offset(html, 1);
    }
}

void html_to_text(struct str html, struct buf *text)
{
    struct page p = {.text = text};
    read_page(html, &p);
}

void html_to_own_text(struct str html, struct buf *text)
{
    struct page p = {.text = text, .own_only = true};
    read_page(html, &p);
}
