/* A pattern, a local part and a target, a line each: what is a pattern compiles again from its key, a
 * wildcard fits exactly what a simple matcher says, and a target grows by no more than its groups. */
#include "directory/pattern.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_ascii(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] > 127 || s.p[i] == '\n')
            return false;
    return true;
}

/* The last star takes back what follows it. */
static bool fits(struct str p, struct str s)
{
    size_t i = 0, k = 0, star = STR_NONE, mark = 0;
    while (k < s.n) {
        if (i < p.n && p.p[i] == '*') {
            star = i++;
            mark = k;
        } else if (i < p.n && (p.p[i] == '?' || ascii_lower(p.p[i]) == ascii_lower(s.p[k]))) {
            i++;
            k++;
        } else if (star != STR_NONE) {
            i = star + 1;
            k = ++mark;
        } else {
            return false;
        }
    }
    while (i < p.n && p.p[i] == '*')
        i++;
    return i == p.n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct directory_address read, again;
    enum directory_alias_kind kind, same;
    struct pattern_match m;
    struct err e = ERR_INIT;
    struct str rest = str_from(data, size), text, local;
    str_cut(&rest, '\n', &text);
    str_cut(&rest, '\n', &local);
    if (!pattern_address_read(text, &a, &read, &kind, &e)) {
        if (e.kind == ERR_NONE || !e.text[0])
            abort();
        return 0;
    }
    if (!pattern_address_read(read.key, &a, &again, &same, &e) || same != kind ||
        !str_eq(read.key, again.key))
        abort();
    if (kind == DIRECTORY_ALIAS_EXACT || local.n > LOCAL_PART_MAX)
        return 0;
    struct pattern *p = pattern_new(read.local, kind, &e);
    if (!p)
        abort();
    enum pattern_result r = pattern_match(p, local, &m);
    if (kind == DIRECTORY_ALIAS_WILDCARD && is_ascii(read.local) && is_ascii(local) &&
        r != PATTERN_TOO_HARD && (r == PATTERN_FITS) != fits(read.local, local))
        abort();
    if (r == PATTERN_FITS && pattern_expand(rest, &m, &a).n > rest.n * (LOCAL_PART_MAX + 1))
        abort();
    pattern_free(p);
    return 0;
}
