/* LIST and LSUB (RFC 3501 sections 6.3.8 and 6.3.9) with the attributes of CHILDREN (RFC 3348) and
 * SPECIAL-USE (RFC 6154), whose RETURN options of LIST are taken too. */
#include "imap/pattern.h"
#include "imap/rights.h"
#include "imap/roles.h"

#include <stdlib.h>

struct list_request {
    struct str pattern; /* UTF-8, the reference in front */
    bool is_empty;      /* LIST "" "": only the delimiter is asked for */
    bool only_special;  /* LIST (SPECIAL-USE) ... */
    bool returns_subscribed;
};

/* A valid pattern in the store's spelling. One that is not valid matches nothing: LIST has no error for
 * that. */
static struct str to_utf8(struct imap_session *s, struct str pattern)
{
    CLEAN_BUF struct buf utf8;
    buf_init(&utf8, IMAP_COMMAND_MAX);
    if (!imap_decode_mailbox(s, pattern, &utf8))
        return STR("\n");
    return arena_copy(&s->arena, buf_str(&utf8));
}

/* reference SP pattern */
static bool take_pattern(struct imap_session *s, struct imap_cursor *c, struct list_request *out)
{
    struct str reference, pattern;
    if (!imap_take_astring(c, &s->arena, &reference) || !imap_take_space(c) ||
        !imap_take_list_mailbox(c, &s->arena, &pattern))
        return false;
    out->is_empty = pattern.n == 0;
    struct str whole = arena_printf(&s->arena, "%.*s%.*s", STR_ARGS(reference), STR_ARGS(pattern));
    out->pattern = to_utf8(s, whole);
    return true;
}

static bool take_selection(struct imap_cursor *c, struct list_request *out)
{
    out->only_special = true;
    return imap_take_byte(c, '(') && imap_take_word(c, STR("SPECIAL-USE")) && imap_take_byte(c, ')') &&
           imap_take_space(c);
}

/* RETURN "(" option *(SP option) ")". SPECIAL-USE and CHILDREN come unasked too. */
static bool take_return(struct imap_cursor *c, struct list_request *out)
{
    if (!imap_take_word(c, STR("RETURN")) || !imap_take_space(c) || !imap_take_byte(c, '('))
        return false;
    while (imap_peek(c) != ')') {
        if (imap_take_word(c, STR("SUBSCRIBED")))
            out->returns_subscribed = true;
        else if (!imap_take_word(c, STR("SPECIAL-USE")) && !imap_take_word(c, STR("CHILDREN")))
            return false;
        if (imap_peek(c) != ')' && !imap_take_space(c))
            return false;
    }
    return imap_take_byte(c, ')');
}

static bool take_list(struct imap_session *s, struct imap_cursor *c, struct list_request *out)
{
    *out = (struct list_request){0};
    if (!imap_take_space(c))
        return false;
    if (imap_peek(c) == '(' && !take_selection(c, out))
        return false;
    if (!take_pattern(s, c, out))
        return false;
    if (imap_peek(c) == ' ' && (!imap_take_space(c) || !take_return(c, out)))
        return false;
    return imap_take_end(c);
}

static void tell(struct imap_session *s, struct str command, struct str attributes, struct str name)
{
    CLEAN_BUF struct buf line;
    buf_init(&line, BUF_MAX_DEFAULT);
    buf_addf(&line, "* %.*s (%.*s) \"%c\" ", STR_ARGS(command), STR_ARGS(attributes), MAILBOX_DELIMITER);
    imap_add_mailbox(s, &line, name);
    buf_add(&line, STR("\r\n"));
    stream_write(s->stream, buf_str(&line));
}

static struct str attributes_of(const struct mailbox *m, bool subscribed, struct arena *a)
{
    CLEAN_BUF struct buf text;
    buf_init(&text, BUF_MAX_DEFAULT);
    buf_add_c(&text, m->has_children ? "\\HasChildren" : "\\HasNoChildren");
    if (!m->selectable)
        buf_add(&text, STR(" \\Noselect"));
    struct str use = imap_use_of_role(m->role);
    if (use.n > 0) {
        buf_add_byte(&text, ' ');
        buf_add(&text, use);
    }
    if (subscribed && m->subscribed)
        buf_add(&text, STR(" \\Subscribed"));
    return arena_copy(a, buf_str(&text));
}

enum imap_status imap_do_list(struct imap_session *s, struct imap_cursor *c)
{
    struct list_request q;
    if (!take_list(s, c, &q))
        return imap_bad_syntax(s, c);
    if (q.is_empty) {
        tell(s, STR("LIST"), STR("\\Noselect"), STR(""));
        return imap_ok(s, "Listed");
    }
    struct imap_pattern pattern;
    struct imap_mailboxes list;
    struct err e = ERR_INIT;
    enum store_result r = imap_list_mailboxes(s, &list, &e);
    if (r != STORE_OK)
        return imap_no_store(s, r, &e);
    if (!imap_pattern_make(&pattern, q.pattern, &s->arena))
        return imap_ok(s, "Listed");
    for (size_t i = 0; i < list.n; i++) {
        const struct mailbox *m = &list.v[i];
        if (q.only_special && imap_use_of_role(m->role).n == 0)
            continue;
        if (imap_pattern_matches(&pattern, m->name))
            tell(s, STR("LIST"), attributes_of(m, q.returns_subscribed, &s->arena), m->name);
    }
    return imap_ok(s, "Listed");
}

/* --- LSUB --- */

static int by_name(const void *a, const void *b)
{
    return str_compare(*(const struct str *)a, *(const struct str *)b);
}

static int mailbox_by_name(const void *a, const void *b)
{
    return str_compare(((const struct mailbox *)a)->name, ((const struct mailbox *)b)->name);
}

struct subscriptions {
    struct str *names;
    size_t n;
    struct imap_mailboxes mailboxes; /* both by name */
    struct str told_above;           /* the last level told for mailboxes below it */
};

static enum store_result load_subscriptions(struct imap_session *s, struct subscriptions *out, struct err *e)
{
    *out = (struct subscriptions){.told_above = STR("")};
    enum store_result r = STORE_OK;
    if (s->is_owner) /* see SUBSCRIBE */
        r = store_subscriptions(s->store, &s->arena, &out->names, &out->n, e);
    if (r == STORE_OK)
        r = imap_list_mailboxes(s, &out->mailboxes, e);
    if (r != STORE_OK)
        return r;
    if (out->n > 0)
        qsort(out->names, out->n, sizeof *out->names, by_name);
    if (out->mailboxes.n > 0)
        qsort(out->mailboxes.v, out->mailboxes.n, sizeof *out->mailboxes.v, mailbox_by_name);
    return STORE_OK;
}

/* A subscribed mailbox that the pattern does not reach, but a level above it (section 6.3.9): "foo" for
 * "foo/bar" and "%". Names come in order, so all below one level come together: it is told for the first. */
static void tell_level_above(struct imap_session *s, struct imap_pattern *pattern, struct str name,
                             struct subscriptions *all)
{
    for (size_t at = 1; at < name.n; at++) {
        struct str above = str_slice(name, 0, at);
        if (name.p[at] != MAILBOX_DELIMITER || !imap_pattern_matches(pattern, above))
            continue;
        bool is_told = str_eq(above, all->told_above) ||
                       bsearch(&above, all->names, all->n, sizeof *all->names, by_name) != NULL;
        if (!is_told)
            tell(s, STR("LSUB"), STR("\\Noselect"), above);
        all->told_above = above;
        return;
    }
}

static void tell_subscribed(struct imap_session *s, struct str name, const struct imap_mailboxes *mailboxes)
{
    const struct mailbox key = {.name = name};
    const struct mailbox *m = NULL;
    if (mailboxes->n > 0)
        m = bsearch(&key, mailboxes->v, mailboxes->n, sizeof key, mailbox_by_name);
    tell(s, STR("LSUB"), m ? attributes_of(m, false, &s->arena) : STR(""), name);
}

enum imap_status imap_do_lsub(struct imap_session *s, struct imap_cursor *c)
{
    struct list_request q = {0};
    if (!imap_take_space(c) || !take_pattern(s, c, &q) || !imap_take_end(c))
        return imap_bad_syntax(s, c);
    struct imap_pattern pattern;
    struct subscriptions all;
    struct err e = ERR_INIT;
    enum store_result r = load_subscriptions(s, &all, &e);
    if (r != STORE_OK)
        return imap_no_store(s, r, &e);
    if (!imap_pattern_make(&pattern, q.pattern, &s->arena))
        return imap_ok(s, "Listed");
    for (size_t i = 0; i < all.n; i++) {
        if (imap_pattern_matches(&pattern, all.names[i]))
            tell_subscribed(s, all.names[i], &all.mailboxes);
        else
            tell_level_above(s, &pattern, all.names[i], &all);
    }
    return imap_ok(s, "Listed");
}
