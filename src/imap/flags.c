#include "imap/flags.h"

#include "imap/view.h"

#include <stdlib.h>
#include <string.h>

/* In the order in which FLAGS lists them. */
static const struct {
    uint32_t bit;
    struct str name;
} SYSTEM_FLAGS[] = {
    {FLAG_ANSWERED, STR_INIT("\\Answered")}, {FLAG_FLAGGED, STR_INIT("\\Flagged")},
    {FLAG_DELETED, STR_INIT("\\Deleted")},   {FLAG_SEEN, STR_INIT("\\Seen")},
    {FLAG_DRAFT, STR_INIT("\\Draft")},       {VIEW_RECENT, STR_INIT("\\Recent")},
};
#define FLAGS_TEXT_MAX 64 /* all of them, with spaces and parentheses */

/* \Recent is the server's alone (section 2.3.2), and no other system flag may be made up. */
static bool take_system_flag(struct imap_cursor *c, uint32_t *bits)
{
    size_t start = c->at;
    struct str name;
    if (!imap_take_byte(c, '\\') || !imap_take_atom(c, &name)) {
        c->problem = "expected a flag";
        return false;
    }
    for (size_t i = 0; i < sizeof SYSTEM_FLAGS / sizeof *SYSTEM_FLAGS; i++) {
        if (SYSTEM_FLAGS[i].bit == VIEW_RECENT)
            continue;
        if (str_eq_nocase(name, str_from_offset(SYSTEM_FLAGS[i].name, 1))) {
            *bits |= SYSTEM_FLAGS[i].bit;
            return true;
        }
    }
    c->at = start;
    c->problem = "no such system flag, or one that clients cannot set";
    return false;
}

static int by_name(const void *a, const void *b)
{
    const struct str *x = a, *y = b;
    size_t shorter = x->n < y->n ? x->n : y->n;
    for (size_t i = 0; i < shorter; i++) {
        int difference = ascii_lower(x->p[i]) - ascii_lower(y->p[i]);
        if (difference != 0)
            return difference;
    }
    return x->n < y->n ? -1 : x->n > y->n;
}

static struct str join(struct str *keywords, size_t n, struct arena *a)
{
    CLEAN_BUF struct buf text;
    buf_init(&text, BUF_MAX_DEFAULT);
    qsort(keywords, n, sizeof *keywords, by_name);
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && str_eq_nocase(keywords[i], keywords[i - 1]))
            continue;
        if (text.n > 0)
            buf_add_byte(&text, ' ');
        buf_add(&text, keywords[i]);
    }
    return arena_copy(a, buf_str(&text));
}

/* Flags with one space between them, up to what is no flag. */
static bool take_flags(struct imap_cursor *c, struct arena *a, struct imap_flags *out)
{
    size_t most = (c->in.n - c->at) / 2 + 1, n = 0;
    struct str *keywords = ARENA_ARRAY(a, struct str, most);
    out->system = 0;
    for (;;) {
        if (imap_peek(c) == '\\') {
            if (!take_system_flag(c, &out->system))
                return false;
        } else if (!imap_take_atom(c, &keywords[n++])) {
            c->problem = "expected a flag";
            return false;
        }
        if (imap_peek(c) != ' ')
            break;
        imap_take_space(c);
    }
    out->keywords = join(keywords, n, a);
    return true;
}

bool imap_take_flag_list(struct imap_cursor *c, struct arena *a, struct imap_flags *out)
{
    *out = (struct imap_flags){.keywords = STR("")};
    if (!imap_take_byte(c, '('))
        return false;
    if (imap_peek(c) != ')' && !take_flags(c, a, out))
        return false;
    return imap_take_byte(c, ')');
}

bool imap_take_store_flags(struct imap_cursor *c, struct arena *a, struct imap_flags *out)
{
    if (imap_peek(c) == '(')
        return imap_take_flag_list(c, a, out);
    return take_flags(c, a, out);
}

void imap_add_flags(struct buf *out, uint32_t flags, struct str keywords)
{
    /* Once a message in FETCH 1:* (FLAGS): written in place, with one check for room. */
    char *to = buf_room(out, FLAGS_TEXT_MAX + keywords.n);
    if (!to)
        return;
    char *p = to;
    *p++ = '(';
    for (size_t i = 0; i < sizeof SYSTEM_FLAGS / sizeof *SYSTEM_FLAGS; i++) {
        if (!(flags & SYSTEM_FLAGS[i].bit))
            continue;
        if (p > to + 1)
            *p++ = ' ';
        memcpy(p, SYSTEM_FLAGS[i].name.p, SYSTEM_FLAGS[i].name.n);
        p += SYSTEM_FLAGS[i].name.n;
    }
    if (keywords.n > 0) {
        if (p > to + 1)
            *p++ = ' ';
        memcpy(p, keywords.p, keywords.n);
        p += keywords.n;
    }
    *p++ = ')';
    buf_grew(out, (size_t)(p - to));
}
