/* Keywords as a list of names, sorted without case, separated by one space. Lists are short: everything is a
 * merge of two of them. */
#include "mailbox/internal.h"

#include <stdlib.h>
#include <string.h>

/* ATOM-CHAR of RFC 9051 section 9. */
static bool is_atom(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ' || s.p[i] >= 0x7f || memchr("(){%*\"\\]", s.p[i], 8))
            return false;
    return s.n > 0;
}

static int compare_nocase(struct str a, struct str b)
{
    for (size_t i = 0; i < a.n && i < b.n; i++) {
        char x = ascii_lower(a.p[i]), y = ascii_lower(b.p[i]);
        if (x != y)
            return (unsigned char)x < (unsigned char)y ? -1 : 1;
    }
    return a.n < b.n ? -1 : a.n > b.n;
}

static int compare_slots(const void *a, const void *b)
{
    return compare_nocase(*(const struct str *)a, *(const struct str *)b);
}

/* The next name of a list; false at its end. */
static bool take(struct str *rest, struct str *name)
{
    struct str all = *rest;
    if (all.n == 0)
        return false;
    if (!str_cut(rest, ' ', name))
        *name = all;
    return true;
}

static enum store_result too_many(struct err *e)
{
    err_set(e, ERR_PERMANENT, "a message has at most %d keywords", KEYWORDS_MAX);
    return STORE_LIMIT;
}

static struct str join(const struct str *names, size_t n, struct arena *a)
{
    size_t bytes = 0;
    for (size_t i = 0; i < n; i++)
        bytes += names[i].n + 1;
    if (bytes == 0)
        return STR("");
    char *p = ARENA_ARRAY(a, char, bytes), *at = p;
    for (size_t i = 0; i < n; i++) {
        memcpy(at, names[i].p, names[i].n);
        at += names[i].n;
        *at++ = ' ';
    }
    return str_from(p, bytes - 1);
}

enum store_result keywords_normal(struct str in, struct arena *a, struct str *out, struct err *e)
{
    struct str names[KEYWORDS_MAX], name;
    size_t n = 0, kept = 0;
    while (take(&in, &name)) {
        if (name.n == 0)
            continue;
        if (!is_atom(name) || name.n > KEYWORD_MAX) {
            err_set(e, ERR_PERMANENT, "\"%.*s\" cannot be a keyword: it must be an atom of at most %d bytes",
                    STR_ARGS(str_slice(name, 0, KEYWORD_MAX)), KEYWORD_MAX);
            return STORE_INVALID;
        }
        if (n == KEYWORDS_MAX)
            return too_many(e);
        names[n++] = name;
    }
    qsort(names, n, sizeof *names, compare_slots);
    for (size_t i = 0; i < n; i++)
        if (kept == 0 || compare_nocase(names[kept - 1], names[i]) != 0)
            names[kept++] = names[i];
    *out = join(names, kept, a);
    return STORE_OK;
}

/* Which names of two merged lists stay: those only in the first, only in the second. Those in both stay
 * unless they are to be removed, in the first's spelling. */
static bool stays(enum flag_change how, int side)
{
    if (side < 0)
        return how != FLAGS_REPLACE;
    if (side > 0)
        return how != FLAGS_REMOVE;
    return how != FLAGS_REMOVE;
}

enum store_result keywords_change(struct str have, enum flag_change how, struct str with, struct arena *a,
                                  struct str *out, struct err *e)
{
    *out = have;
    if (with.n == 0 && (how != FLAGS_REPLACE || have.n == 0))
        return STORE_OK;
    struct str names[2 * KEYWORDS_MAX], x = {0}, y = {0}, have_rest = have;
    size_t n = 0;
    bool is_changed = false, has_x = take(&have_rest, &x), has_y = take(&with, &y);
    while (has_x || has_y) {
        int side = !has_y ? -1 : !has_x ? 1 : compare_nocase(x, y);
        bool stay = stays(how, side);
        if (stay && n < 2 * KEYWORDS_MAX)
            names[n++] = side <= 0 ? x : y;
        is_changed |= stay != (side <= 0);
        if (side <= 0)
            has_x = take(&have_rest, &x);
        if (side >= 0)
            has_y = take(&with, &y);
    }
    if (!is_changed)
        return STORE_OK;
    if (n > KEYWORDS_MAX)
        return too_many(e);
    *out = join(names, n, a);
    return STORE_OK;
}

bool keywords_has(struct str list, struct str keyword)
{
    for (struct str name; take(&list, &name);)
        if (str_eq_nocase(name, keyword))
            return true;
    return false;
}
