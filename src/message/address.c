#include "message/address.h"

#include <string.h>

/* A list is cut into entries at its commas, colons and semicolons; within an entry "<" or "@" says what is
 * name and what is address. Each byte is looked at a bounded number of times. All output goes to one piece of
 * memory of the input's length, for nothing that is written is longer than what was read: an entry is cut
 * only outside of quotes and comments, so that its pieces see them alike. */
struct parser {
    struct str in;
    struct arena *arena;
    char *text; /* where unescaped bytes are written */
    size_t text_n, text_max;
    bool no_more_quotes;   /* one was never closed: further ones are bytes like others */
    bool no_more_comments; /* the same for "(" */
    struct address_list list;
    size_t cap;
};

/* One entry of the list and the places in it that matter; STR_NONE: not there. */
struct entry {
    struct str raw;
    size_t angle, angle_end; /* "<" and ">" (or the end) */
    size_t at;               /* the last "@" outside of angle brackets */
    struct str comment;      /* the first one, without its parentheses */
    char separator;          /* what ended it: one of ",:;", 0 at the end of the list */
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Position of the quote or parenthesis that closes the one at `from`; STR_NONE: it is never closed. */
static size_t find_closing(struct str in, size_t from, char closing)
{
    size_t depth = 1;
    for (size_t i = from + 1; i < in.n; i++) {
        if (in.p[i] == '\\')
            i++;
        else if (in.p[i] == closing && --depth == 0)
            return i;
        else if (in.p[i] == '(' && closing == ')')
            depth++;
    }
    return STR_NONE;
}

/* If a quoted-string or comment starts at `i`: its last position. Else, and if it is never closed, `i`. */
static size_t skip_enclosed(struct str in, size_t i, bool *no_more_quotes, bool *no_more_comments)
{
    bool is_quote = in.p[i] == '"', is_comment = in.p[i] == '(';
    bool *no_more = is_quote ? no_more_quotes : no_more_comments;
    if ((!is_quote && !is_comment) || *no_more)
        return i;
    size_t end = find_closing(in, i, is_quote ? '"' : ')');
    *no_more = end == STR_NONE;
    return end == STR_NONE ? i : end;
}

/* Whether the byte ends the entry. A colon does so only in front of a group (RFC 5322 section 3.4), where no
 * address has begun; elsewhere it is part of something odd, such as "mailto:joe@example.org". */
static bool is_separator(const struct entry *e, struct str in, size_t i, bool in_group)
{
    bool in_angle = e->angle != STR_NONE && e->angle_end == STR_NONE;
    switch (in.p[i]) {
    case ':': return !in_group && e->angle == STR_NONE && e->at == STR_NONE;
    case ';': return !in_angle;
    /* a comma inside of brackets belongs to a source route, "<@a.example,@b.example:joe@c.example>"; else it
     * is the closing bracket that is missing */
    case ',': return !in_angle || i + 1 >= in.n || in.p[i + 1] != '@';
    default: return false;
    }
}

static struct entry take_entry(struct parser *p, bool in_group)
{
    struct entry e = {.angle = STR_NONE, .angle_end = STR_NONE, .at = STR_NONE, .comment = STR("")};
    struct str in = p->in;
    size_t i = 0;
    for (; i < in.n && !is_separator(&e, in, i, in_group); i++) {
        size_t end = skip_enclosed(in, i, &p->no_more_quotes, &p->no_more_comments);
        if (end != i && in.p[i] == '(' && e.comment.n == 0)
            e.comment = str_slice(in, i + 1, end - i - 1);
        if (end != i)
            i = end;
        else if (in.p[i] == '<' && e.angle == STR_NONE)
            e.angle = i;
        else if (in.p[i] == '>' && e.angle != STR_NONE && e.angle_end == STR_NONE)
            e.angle_end = i;
        else if (in.p[i] == '@' && e.angle == STR_NONE)
            e.at = i;
    }
    e.raw = str_slice(in, 0, i);
    e.separator = i < in.n ? in.p[i] : '\0';
    if (e.angle_end == STR_NONE)
        e.angle_end = i;
    p->in = str_from_offset(in, i + 1);
    return e;
}

static void put(struct parser *p, char c)
{
    if (p->text_n < p->text_max)
        p->text[p->text_n++] = c;
}

static void put_unescaped(struct parser *p, struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\r' || s.p[i] == '\n')
            continue;
        if (s.p[i] == '\\' && i + 1 < s.n)
            i++;
        put(p, s.p[i]);
    }
}

/* The words of a phrase with one space between: quotes and comments off, bytes unescaped. With `last_run`,
 * what comes in front of an "@": there space around dots is none (RFC 5322 section 4.4: "joe . public @
 * example.org"), and *last_run is where the last word that is not joined so begins. */
static struct str put_phrase(struct parser *p, struct str raw, size_t *last_run)
{
    bool no_more_quotes = false, no_more_comments = false, after_space = false;
    size_t start = p->text_n;
    if (last_run)
        *last_run = 0;
    for (size_t i = 0; i < raw.n; i++) {
        size_t end = skip_enclosed(raw, i, &no_more_quotes, &no_more_comments);
        if (is_blank(raw.p[i]) || (end != i && raw.p[i] == '(')) {
            after_space = p->text_n > start;
            i = end;
            continue;
        }
        bool joins = last_run && after_space && (raw.p[i] == '.' || p->text[p->text_n - 1] == '.');
        if (after_space && !joins) {
            put(p, ' ');
            if (last_run)
                *last_run = p->text_n - start;
        }
        after_space = false;
        if (end != i)
            put_unescaped(p, str_slice(raw, i + 1, end - i - 1));
        else
            put(p, raw.p[i]);
        i = end;
    }
    return str_from(p->text + start, p->text_n - start);
}

/* A domain from the front of *raw, which then is what follows it: up to a space that no dot joins. */
static struct str put_domain(struct parser *p, struct str *raw)
{
    bool no_more_quotes = false, no_more_comments = false, after_space = false;
    size_t start = p->text_n, i = 0;
    for (; i < raw->n; i++) {
        size_t end = skip_enclosed(*raw, i, &no_more_quotes, &no_more_comments);
        bool is_first = p->text_n == start;
        if (is_blank(raw->p[i]) || end != i) {
            after_space = !is_first;
            i = end;
            continue;
        }
        if (after_space && raw->p[i] != '.' && p->text[p->text_n - 1] != '.')
            break;
        after_space = false;
        put(p, raw->p[i]);
    }
    *raw = str_from_offset(*raw, i);
    return str_from(p->text + start, p->text_n - start);
}

/* The last "@" that is not inside of a quoted-string or a comment. */
static size_t find_at(struct str raw)
{
    bool no_more_quotes = false, no_more_comments = false;
    size_t at = STR_NONE;
    for (size_t i = 0; i < raw.n; i++) {
        if (raw.p[i] == '@')
            at = i;
        i = skip_enclosed(raw, i, &no_more_quotes, &no_more_comments);
    }
    return at;
}

/* The content of angle brackets: [route ":"] local-part "@" domain. */
static void read_angle(struct parser *p, struct str raw, struct address *out)
{
    raw = str_trim(raw);
    if (str_starts(raw, STR("@"))) { /* obs-route, RFC 5322 section 4.4 */
        size_t colon = str_find_byte(raw, ':');
        struct str route = str_slice(raw, 0, colon == STR_NONE ? 0 : colon);
        if (route.n > 0) {
            out->route = put_domain(p, &route);
            raw = str_from_offset(raw, colon + 1);
        }
    }
    size_t at = find_at(raw), run;
    out->local = put_phrase(p, str_slice(raw, 0, at), &run);
    if (at != STR_NONE) {
        raw = str_from_offset(raw, at + 1);
        out->domain = put_domain(p, &raw);
    }
}

static struct address read_entry(struct parser *p, const struct entry *e)
{
    struct address a = {STR(""), STR(""), STR(""), STR(""), false, false};
    struct str rest = STR("");
    if (e->angle != STR_NONE) {
        a.name = put_phrase(p, str_slice(e->raw, 0, e->angle), NULL);
        read_angle(p, str_slice(e->raw, e->angle + 1, e->angle_end - e->angle - 1), &a);
        rest = str_from_offset(e->raw, e->angle_end + 1);
    } else if (e->at != STR_NONE) {
        size_t run;
        struct str words = put_phrase(p, str_slice(e->raw, 0, e->at), &run);
        a.name = str_trim(str_slice(words, 0, run)); /* "Joe joe@example.org" */
        a.local = str_from_offset(words, run);
        rest = str_from_offset(e->raw, e->at + 1);
        a.domain = put_domain(p, &rest);
    } else {
        a.local = put_phrase(p, e->raw, NULL); /* "To: undisclosed" */
    }
    bool is_address = a.local.n > 0 || a.domain.n > 0;
    if (a.name.n == 0 && is_address)
        a.name = put_phrase(p, rest, NULL);
    if (a.name.n == 0 && is_address) {
        size_t start = p->text_n;
        put_unescaped(p, e->comment);
        a.name = str_trim(str_from(p->text + start, p->text_n - start));
    }
    return a;
}

static bool push(struct parser *p, struct address address)
{
    /* the end of a group may pass the bound, lest the group stay open */
    if (p->list.n >= ADDRESSES_MAX && !address.group_end)
        return false;
    if (p->list.n == p->cap) {
        size_t cap = p->cap ? p->cap * 2 : 4;
        struct address *v = ARENA_ARRAY(p->arena, struct address, cap);
        if (p->list.n > 0)
            memcpy(v, p->list.v, p->list.n * sizeof *v);
        p->list.v = v;
        p->cap = cap;
    }
    p->list.v[p->list.n++] = address;
    return true;
}

struct address_list address_parse_list(struct str value, struct arena *a)
{
    static const struct address GROUP_END = {.name = STR_INIT(""),
                                             .route = STR_INIT(""),
                                             .local = STR_INIT(""),
                                             .domain = STR_INIT(""),
                                             .group_end = true};
    struct parser p = {.in = value, .arena = a, .text_max = value.n};
    bool in_group = false;
    p.text = ARENA_ARRAY(a, char, value.n);
    while (p.in.n > 0 && p.list.n < ADDRESSES_MAX) {
        struct entry e = take_entry(&p, in_group);
        if (e.separator == ':') {
            struct address group = GROUP_END;
            group.group_end = false;
            group.group_start = true;
            group.name = put_phrase(&p, e.raw, NULL);
            in_group = push(&p, group);
            continue;
        }
        struct address address = read_entry(&p, &e);
        if (address.name.n > 0 || address.local.n > 0 || address.domain.n > 0)
            push(&p, address);
        if (e.separator == ';' && in_group) {
            push(&p, GROUP_END);
            in_group = false;
        }
    }
    if (in_group)
        push(&p, GROUP_END);
    return p.list;
}
