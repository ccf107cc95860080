/* LIST (RFC 9051 section 6.3.9, RFC 5258) with what it can tell beside (RFC 5819, RFC 8440, RFC 9590), and
 * LSUB (RFC 3501 section 6.3.9), which is LIST (SUBSCRIBED RECURSIVEMATCH) in the words of its time. */
#include "imap/list_parse.h"
#include "imap/metadata.h"
#include "imap/pattern.h"
#include "imap/rights.h"
#include "imap/roles.h"
#include "imap/shared.h"
#include "imap/status.h"

#include <stdlib.h>
#include <string.h>

/* A name that may be told: of a mailbox, of a subscription, or a level above one of these. */
struct name {
    struct str text;
    const struct mailbox *m; /* NULL: there is none that the user may know of */
    unsigned rights;
    bool is_subscribed;
    bool is_level;     /* it is here only for what is below it */
    bool is_selected;  /* by the selection options */
    bool is_matched;   /* by a pattern */
    bool has_children; /* mailboxes below it */
    bool has_selected; /* something below it is selected */
    bool has_hidden;   /* and some of that is matched by no pattern */
};

struct listing {
    struct imap_session *session;
    const struct list_request *request;
    bool is_lsub;
    struct imap_pattern *patterns;
    size_t pattern_count;
    bool wants_levels;  /* a pattern ends in "%" */
    struct name *names; /* in the order of their bytes */
    size_t n, cap;
    unsigned status; /* items; 0: not asked for */
    struct metadata_list metadata;
};

/* --- which names there are --- */

static int by_text(const void *a, const void *b)
{
    return str_compare(((const struct name *)a)->text, ((const struct name *)b)->text);
}

static struct name *add_name(struct listing *l, struct str text)
{
    if (l->n == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 64;
        struct name *v = ARENA_ARRAY(&l->session->arena, struct name, cap);
        if (l->n > 0)
            memcpy(v, l->names, l->n * sizeof *v);
        l->names = v;
        l->cap = cap;
    }
    l->names[l->n] = (struct name){.text = text};
    return &l->names[l->n++];
}

static struct name *find_name(const struct listing *l, size_t n, struct str text)
{
    const struct name key = {.text = text};
    return n > 0 ? bsearch(&key, l->names, n, sizeof key, by_text) : NULL;
}

static void sort_names(struct listing *l)
{
    if (l->n > 0)
        qsort(l->names, l->n, sizeof *l->names, by_text);
}

static enum store_result add_mailboxes(struct listing *l, struct err *e)
{
    struct imap_mailboxes list;
    enum store_result r = imap_list_mailboxes(l->session, &list, e);
    for (size_t i = 0; r == STORE_OK && i < list.n; i++) {
        struct name *name = add_name(l, imap_shown_name(l->session, list.v[i].name));
        name->m = &list.v[i];
        name->rights = list.rights[i];
        name->is_subscribed = imap_is_subscribed(l->session, &list.v[i]);
        name->has_children = list.v[i].has_children;
    }
    sort_names(l);
    return r;
}

/* Those that are no mailboxes. Of other people's, their owners' sessions tell. */
static enum store_result add_subscriptions(struct listing *l, struct err *e)
{
    struct imap_session *s = l->session;
    struct str *v;
    size_t n, mailboxes = l->n;
    if (!s->is_owner)
        return STORE_OK;
    enum store_result r = store_subscriptions(s->store, &s->arena, &v, &n, e);
    for (size_t i = 0; r == STORE_OK && i < n; i++)
        if (!find_name(l, mailboxes, v[i]) && !imap_is_shared_name(s, v[i]))
            add_name(l, v[i])->is_subscribed = true;
    sort_names(l);
    return r;
}

/* The levels above `name` that are names themselves, the nearest first; *at is where the last was cut. */
static bool next_level(struct str name, size_t *at, struct str *level)
{
    while (*at > 0 && name.p[*at - 1] != MAILBOX_DELIMITER)
        --*at;
    if (*at <= 1)
        return false;
    --*at;
    *level = str_slice(name, 0, *at);
    return true;
}

/* Levels that are neither mailboxes nor subscribed. Every level above a mailbox is one, but a user may be
 * allowed to look up less than that. */
static void add_levels(struct listing *l)
{
    size_t known = l->n, kept = 0;
    for (size_t i = 0; i < known; i++) {
        struct str level;
        for (size_t at = l->names[i].text.n; next_level(l->names[i].text, &at, &level);)
            if (!find_name(l, known, level))
                add_name(l, level)->is_level = true;
    }
    if (l->n == known)
        return;
    sort_names(l);
    for (size_t i = 0; i < l->n; i++)
        if (kept == 0 || !str_eq(l->names[kept - 1].text, l->names[i].text))
            l->names[kept++] = l->names[i];
    l->n = kept;
}

/* --- which of them are told --- */

static bool matches_any(struct listing *l, struct str name)
{
    for (size_t i = 0; i < l->pattern_count; i++)
        if (imap_pattern_matches(&l->patterns[i], name))
            return true;
    return false;
}

/* What a mailbox is for is its owner's business: a guest must not take it for its own Sent or Trash. */
static struct str use_of(const struct listing *l, const struct name *name)
{
    return name->m && l->session->is_owner ? imap_use_of_role(name->m->role) : STR("");
}

static bool is_selected(const struct listing *l, const struct name *name)
{
    unsigned selects = l->request->selects;
    if (name->is_level || (selects & LIST_SUBSCRIBED && !name->is_subscribed) ||
        (!(selects & LIST_SUBSCRIBED) && !name->m))
        return false;
    return !(selects & LIST_SPECIAL_USE) || use_of(l, name).n > 0;
}

static void judge(struct listing *l)
{
    for (size_t i = 0; i < l->n; i++) {
        l->names[i].is_selected = is_selected(l, &l->names[i]);
        l->names[i].is_matched = matches_any(l, l->names[i].text);
    }
    for (size_t i = 0; i < l->n; i++) {
        const struct name *name = &l->names[i];
        struct str level;
        for (size_t at = name->text.n; next_level(name->text, &at, &level);) {
            struct name *above = find_name(l, l->n, level);
            if (!above)
                continue;
            above->has_children |= name->m != NULL;
            above->has_selected |= name->is_selected;
            above->has_hidden |= name->is_selected && !name->is_matched;
        }
    }
}

/* A name that is not selected itself is told for what is below it: with RECURSIVEMATCH, unless all of that is
 * told too (RFC 5258 section 5, example 9); for "%" where it is a level and no mailbox (RFC 3501 section
 * 6.3.8). */
static bool is_told(const struct listing *l, const struct name *name)
{
    if (!name->is_matched || name->is_selected)
        return name->is_matched;
    if (l->request->selects & LIST_RECURSIVEMATCH)
        return name->has_hidden;
    return name->is_level && l->wants_levels && name->has_selected;
}

/* --- telling --- */

static void add_attribute(struct buf *out, struct str attribute)
{
    if (out->n > 0 && out->p[out->n - 1] != '(')
        buf_add_byte(out, ' ');
    buf_add(out, attribute);
}

/* \NonExistent is of RFC 5258; who speaks RFC 3501 knows \Noselect. */
static void add_attributes(const struct listing *l, const struct name *name, struct buf *out)
{
    bool is_rev2 = l->request->is_extended || l->session->enabled & ENABLED_IMAP4REV2;
    if (l->is_lsub && !name->is_selected) {
        add_attribute(out, STR("\\Noselect"));
        return;
    }
    if (l->is_lsub && !name->m)
        return;
    add_attribute(out, name->has_children ? STR("\\HasChildren") : STR("\\HasNoChildren"));
    if (!name->m)
        add_attribute(out, is_rev2 ? STR("\\NonExistent") : STR("\\Noselect"));
    else if (!name->m->selectable)
        add_attribute(out, STR("\\Noselect"));
    struct str use = use_of(l, name);
    if (use.n > 0)
        add_attribute(out, use);
    if (name->is_subscribed && l->request->returns & LIST_RETURN_SUBSCRIBED)
        add_attribute(out, STR("\\Subscribed"));
}

static void tell_line(const struct listing *l, const struct name *name)
{
    CLEAN_BUF struct buf line;
    buf_init(&line, BUF_MAX_DEFAULT);
    buf_addf(&line, "* %s (", l->is_lsub ? "LSUB" : "LIST");
    add_attributes(l, name, &line);
    buf_addf(&line, ") \"%c\" ", MAILBOX_DELIMITER);
    imap_add_shown(l->session, &line, name->text);
    if (!l->is_lsub && l->request->selects & LIST_RECURSIVEMATCH && name->has_selected)
        buf_add(&line, STR(" (\"CHILDINFO\" (\"SUBSCRIBED\"))"));
    buf_add(&line, STR("\r\n"));
    stream_write(l->session->stream, buf_str(&line));
}

static struct metadata_list metadata_of(const struct listing *l, int64_t mailbox)
{
    size_t low = 0, high = l->metadata.n, n = 0;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (l->metadata.v[middle].mailbox < mailbox)
            low = middle + 1;
        else
            high = middle;
    }
    while (low + n < l->metadata.n && l->metadata.v[low + n].mailbox == mailbox)
        n++;
    return (struct metadata_list){.v = n > 0 ? l->metadata.v + low : NULL, .n = n};
}

/* Of a mailbox that is told for itself. What its rights do not let one see is left out, as is what cannot be
 * had just now (RFC 5819 section 2). */
static void tell_more(const struct listing *l, const struct name *name)
{
    struct err e = ERR_INIT;
    if (!name->m || !name->is_selected)
        return;
    if (l->request->returns & LIST_RETURN_MYRIGHTS)
        imap_tell_myrights(l->session, name->m->name, name->rights);
    if (l->request->entry_count > 0 && imap_may_read_metadata(name->rights)) {
        struct metadata_list has = metadata_of(l, name->m->id);
        imap_tell_metadata(l->session, name->m, &has, l->request->entries, l->request->entry_count);
    }
    if (l->status && name->m->selectable && name->rights & RIGHT_READ)
        imap_tell_status(l->session, name->m, l->status, &e);
}

/* INBOX first, as most clients show it. */
static void tell_all(const struct listing *l)
{
    const struct name *inbox = find_name(l, l->n, STR("INBOX"));
    if (inbox && is_told(l, inbox)) {
        tell_line(l, inbox);
        tell_more(l, inbox);
    }
    for (size_t i = 0; i < l->n; i++) {
        if (&l->names[i] == inbox || !is_told(l, &l->names[i]))
            continue;
        tell_line(l, &l->names[i]);
        tell_more(l, &l->names[i]);
    }
}

/* --- the commands --- */

/* A pattern that is not valid, or longer than any name, matches nothing: LIST has no error for that. */
static void make_patterns(struct listing *l)
{
    struct imap_session *s = l->session;
    const struct list_request *q = l->request;
    l->patterns = ARENA_ARRAY(&s->arena, struct imap_pattern, q->pattern_count);
    for (size_t i = 0; i < q->pattern_count; i++) {
        CLEAN_BUF struct buf utf8;
        buf_init(&utf8, IMAP_COMMAND_MAX);
        struct imap_pattern *made = &l->patterns[l->pattern_count];
        if (imap_decode_mailbox(s, q->patterns[i], &utf8) &&
            imap_pattern_make(made, arena_copy(&s->arena, buf_str(&utf8)), &s->arena))
            l->pattern_count++;
        l->wants_levels |= str_ends(q->patterns[i], STR("%"));
    }
}

static enum imap_status list(struct listing *l)
{
    struct err e = ERR_INIT;
    make_patterns(l);
    enum store_result r = imap_enable_for_status(l->session, l->status, &e);
    if (r == STORE_OK)
        r = add_mailboxes(l, &e);
    if (r == STORE_OK && l->request->selects & LIST_SUBSCRIBED)
        r = add_subscriptions(l, &e);
    if (r == STORE_OK && l->request->entry_count > 0)
        r = store_metadata_list(l->session->store, METADATA_ALL, l->session->user, &l->session->arena,
                                &l->metadata, &e);
    if (r != STORE_OK)
        return imap_no_store(l->session, r, &e);
    if (l->wants_levels || l->request->selects & LIST_RECURSIVEMATCH)
        add_levels(l);
    judge(l);
    tell_all(l);
    return imap_ok(l->session, "Listed");
}

enum imap_status imap_do_list(struct imap_session *s, struct imap_cursor *c)
{
    struct list_request q;
    struct listing l = {.session = s, .request = &q};
    if (!imap_take_list_request(c, &s->arena, &q))
        return imap_bad_syntax(s, c);
    struct imap_cursor items = {.in = q.status};
    if (q.status.n > 0 && !imap_take_status_items(&items, &l.status))
        return imap_bad_syntax(s, &items);
    if (q.is_empty) {
        stream_writef(s->stream, "* LIST (\\Noselect) \"%c\" \"\"\r\n", MAILBOX_DELIMITER);
        return imap_ok(s, "Listed");
    }
    return list(&l);
}

enum imap_status imap_do_lsub(struct imap_session *s, struct imap_cursor *c)
{
    struct list_request q;
    struct listing l = {.session = s, .request = &q, .is_lsub = true};
    if (!imap_take_list_request(c, &s->arena, &q))
        return imap_bad_syntax(s, c);
    if (q.is_extended)
        return imap_bad(s, "LSUB has no options; use LIST (SUBSCRIBED)");
    q.selects = LIST_SUBSCRIBED | LIST_RECURSIVEMATCH;
    return list(&l);
}
