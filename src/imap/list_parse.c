#include "imap/list_parse.h"

#include "imap/metadata_parse.h"

struct option {
    struct str name;
    unsigned selects, returns;
};

static const struct option SELECTIONS[] = {
    {STR_INIT("SUBSCRIBED"), LIST_SUBSCRIBED, LIST_RETURN_SUBSCRIBED},
    {STR_INIT("REMOTE"), LIST_REMOTE, 0},
    {STR_INIT("RECURSIVEMATCH"), LIST_RECURSIVEMATCH, 0},
    {STR_INIT("SPECIAL-USE"), LIST_SPECIAL_USE, LIST_RETURN_SPECIAL_USE},
};

static const struct option RETURNS[] = {
    {STR_INIT("SUBSCRIBED"), 0, LIST_RETURN_SUBSCRIBED},
    {STR_INIT("CHILDREN"), 0, LIST_RETURN_CHILDREN},
    {STR_INIT("SPECIAL-USE"), 0, LIST_RETURN_SPECIAL_USE},
    {STR_INIT("MYRIGHTS"), 0, LIST_RETURN_MYRIGHTS},
};
#define COUNT(table) (sizeof(table) / sizeof *(table))

static bool fail(struct imap_cursor *c, size_t at, const char *problem)
{
    c->at = at;
    c->problem = problem;
    return false;
}

static bool take_option(struct imap_cursor *c, const struct option *options, size_t n,
                        struct list_request *out)
{
    for (size_t i = 0; i < n; i++) {
        if (!imap_take_word(c, options[i].name))
            continue;
        out->selects |= options[i].selects;
        out->returns |= options[i].returns;
        return true;
    }
    return false;
}

/* "(" [option *(SP option)] ")". RECURSIVEMATCH says how others are meant: it needs one, and SPECIAL-USE and
 * REMOTE are none that it could apply to (section 3.1). */
static bool take_selections(struct imap_cursor *c, struct list_request *out)
{
    size_t start = c->at;
    out->is_extended = true;
    if (!imap_take_byte(c, '('))
        return false;
    while (imap_peek(c) != ')') {
        if (c->in.p[c->at - 1] != '(' && !imap_take_space(c))
            return false;
        if (!take_option(c, SELECTIONS, COUNT(SELECTIONS), out))
            return fail(c, c->at, "expected SUBSCRIBED, REMOTE, RECURSIVEMATCH or SPECIAL-USE");
    }
    if (out->selects & LIST_RECURSIVEMATCH && !(out->selects & LIST_SUBSCRIBED))
        return fail(c, start, "RECURSIVEMATCH needs SUBSCRIBED beside it");
    return imap_take_byte(c, ')') && imap_take_space(c);
}

static bool take_pattern(struct imap_cursor *c, struct arena *a, struct str reference,
                         struct list_request *out)
{
    struct str pattern;
    if (out->pattern_count == LIST_PATTERNS_MAX)
        return fail(c, c->at, "too many patterns in one LIST");
    if (!imap_take_list_mailbox(c, a, &pattern))
        return false;
    out->is_empty = pattern.n == 0;
    out->patterns[out->pattern_count++] = arena_printf(a, "%.*s%.*s", STR_ARGS(reference), STR_ARGS(pattern));
    return true;
}

/* mbox-or-pat: list-mailbox / "(" list-mailbox *(SP list-mailbox) ")" */
static bool take_patterns(struct imap_cursor *c, struct arena *a, struct str reference,
                          struct list_request *out)
{
    out->patterns = ARENA_ARRAY(a, struct str, LIST_PATTERNS_MAX);
    if (imap_peek(c) != '(')
        return take_pattern(c, a, reference, out);
    out->is_extended = true;
    imap_take_byte(c, '(');
    do {
        if (!take_pattern(c, a, reference, out))
            return false;
    } while (imap_peek(c) == ' ' && imap_take_space(c));
    return imap_take_byte(c, ')');
}

/* Up to the parenthesis that closes it; what stands in it is read by who knows the items. */
static bool take_status(struct imap_cursor *c, struct list_request *out)
{
    if (!imap_take_space(c))
        return false;
    size_t start = c->at, end = str_find_byte(str_from_offset(c->in, start), ')');
    if (imap_peek(c) != '(' || end == STR_NONE)
        return fail(c, start, "expected items of STATUS in parentheses");
    out->status = str_slice(c->in, start, end + 1);
    c->at += end + 1;
    return true;
}

/* entries of RFC 5464 section 5: one, or several in parentheses. */
static bool take_entries(struct imap_cursor *c, struct arena *a, struct list_request *out)
{
    if (!imap_take_space(c))
        return false;
    bool is_list = imap_peek(c) == '(' && imap_take_byte(c, '(');
    if (!out->entries)
        out->entries = ARENA_ARRAY(a, struct str, LIST_ENTRIES_MAX);
    do {
        if (out->entry_count == LIST_ENTRIES_MAX)
            return fail(c, c->at, "too many metadata entries in one LIST");
        if (!imap_take_metadata_name(c, a, false, &out->entries[out->entry_count]))
            return false;
        out->entry_count++;
    } while (is_list && imap_peek(c) == ' ' && imap_take_space(c));
    return !is_list || imap_take_byte(c, ')');
}

static bool take_return(struct imap_cursor *c, struct arena *a, struct list_request *out)
{
    if (imap_take_word(c, STR("STATUS")))
        return take_status(c, out);
    if (imap_take_word(c, STR("METADATA")))
        return take_entries(c, a, out);
    if (take_option(c, RETURNS, COUNT(RETURNS), out))
        return true;
    return fail(c, c->at, "expected SUBSCRIBED, CHILDREN, SPECIAL-USE, MYRIGHTS, STATUS or METADATA");
}

/* "RETURN" SP "(" [return-option *(SP return-option)] ")" */
static bool take_returns(struct imap_cursor *c, struct arena *a, struct list_request *out)
{
    out->is_extended = true;
    if (!imap_take_word(c, STR("RETURN")) || !imap_take_space(c) || !imap_take_byte(c, '('))
        return false;
    while (imap_peek(c) != ')') {
        if (c->in.p[c->at - 1] != '(' && !imap_take_space(c))
            return false;
        if (!take_return(c, a, out))
            return false;
    }
    return imap_take_byte(c, ')');
}

bool imap_take_list_request(struct imap_cursor *c, struct arena *a, struct list_request *out)
{
    struct str reference;
    *out = (struct list_request){0};
    if (!imap_take_space(c))
        return false;
    if (imap_peek(c) == '(' && !take_selections(c, out))
        return false;
    if (!imap_take_astring(c, a, &reference) || !imap_take_space(c) || !take_patterns(c, a, reference, out))
        return false;
    if (imap_peek(c) == ' ' && (!imap_take_space(c) || !take_returns(c, a, out)))
        return false;
    out->is_empty &= !out->is_extended; /* section 3: only where LIST is as it was */
    return imap_take_end(c);
}
