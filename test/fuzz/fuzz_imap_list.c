/* The arguments of LIST: whatever is taken was all of it, within the bounds; what is refused has its reason.
 * And rights as text, which come back as they were. */
#include "imap/list_parse.h"
#include "imap/rights_text.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void check_list(struct str text)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct imap_cursor c = {.in = text};
    struct list_request q;
    if (!imap_take_list_request(&c, &a, &q)) {
        check(c.problem != NULL && c.at <= text.n);
        return;
    }
    check(c.at == text.n);
    check(q.pattern_count > 0 && q.pattern_count <= LIST_PATTERNS_MAX && q.entry_count <= LIST_ENTRIES_MAX);
    check(!(q.selects & LIST_RECURSIVEMATCH) || q.selects & LIST_SUBSCRIBED);
    check(!(q.selects & LIST_SUBSCRIBED) || q.returns & LIST_RETURN_SUBSCRIBED);
    check(!q.is_empty || !q.is_extended);
    check(q.status.n == 0 || (str_starts(q.status, STR("(")) && str_ends(q.status, STR(")"))));
    for (size_t i = 0; i < q.pattern_count; i++)
        check(q.patterns[i].n <= text.n);
}

static void check_rights(struct str text)
{
    enum rights_change how;
    unsigned rights, again;
    if (!imap_read_rights(text, &how, &rights))
        return;
    check((rights & ~RIGHTS_ALL) == 0);
    CLEAN_BUF struct buf out;
    buf_init(&out, BUF_MAX_DEFAULT);
    imap_add_rights(&out, rights);
    if (rights == 0) {
        check(str_eq(buf_str(&out), STR("\"\"")));
        return;
    }
    /* "c" and "d" are told where one of their members is there: they are not to be read back (RFC 4314
     * section 2.1.1) */
    for (size_t i = 0; i < out.n; i++)
        if (out.p[i] == 'c' || out.p[i] == 'd')
            out.p[i] = 'a';
    check(imap_read_rights(buf_str(&out), &how, &again));
    check((again | (unsigned)RIGHT_ADMINISTER) == (rights | (unsigned)RIGHT_ADMINISTER));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_list(str_from(data, size));
    check_rights(str_from(data, size));
    return 0;
}
