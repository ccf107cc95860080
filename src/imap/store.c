/* STORE (RFC 9051 section 6.4.6), with UNCHANGEDSINCE (RFC 7162 section 3.1.3). */
#include "imap/flags.h"
#include "imap/progress.h"
#include "imap/rights.h"

struct store_request {
    bool is_conditional;
    struct flag_store change;
    bool is_silent;
};

static const struct {
    struct str name;
    enum flag_change how;
    bool is_silent;
} STORE_ITEMS[] = {
    {STR_INIT("FLAGS"), FLAGS_REPLACE, false}, {STR_INIT("FLAGS.SILENT"), FLAGS_REPLACE, true},
    {STR_INIT("+FLAGS"), FLAGS_ADD, false},    {STR_INIT("+FLAGS.SILENT"), FLAGS_ADD, true},
    {STR_INIT("-FLAGS"), FLAGS_REMOVE, false}, {STR_INIT("-FLAGS.SILENT"), FLAGS_REMOVE, true},
};

/* "(" "UNCHANGEDSINCE" SP mod-sequence-valzer ")" SP */
static bool take_modifiers(struct imap_cursor *c, struct store_request *out)
{
    out->is_conditional = true;
    return imap_take_byte(c, '(') && imap_take_word(c, STR("UNCHANGEDSINCE")) && imap_take_space(c) &&
           imap_take_number64(c, &out->change.unchanged_since) && imap_take_byte(c, ')') &&
           imap_take_space(c);
}

/* [store-modifiers] store-att-flags */
static bool take_request(struct imap_cursor *c, struct arena *a, struct store_request *out)
{
    *out = (struct store_request){.change.unchanged_since = UINT64_MAX};
    if (imap_peek(c) == '(' && !take_modifiers(c, out))
        return false;
    for (size_t i = 0; i < sizeof STORE_ITEMS / sizeof *STORE_ITEMS; i++) {
        if (!imap_take_word(c, STORE_ITEMS[i].name))
            continue;
        struct imap_flags flags;
        if (!imap_take_space(c) || !imap_take_store_flags(c, a, &flags))
            return false;
        out->change.how = STORE_ITEMS[i].how;
        out->change.flags = flags.system;
        out->change.keywords = flags.keywords;
        out->is_silent = STORE_ITEMS[i].is_silent;
        return true;
    }
    c->problem = "expected FLAGS, +FLAGS or -FLAGS, with .SILENT or without";
    return false;
}

static uint32_t flags_after(const struct flag_store *change, uint32_t before)
{
    uint32_t flags = change->flags & ~change->locked;
    switch (change->how) {
    case FLAGS_REPLACE: return flags | (before & change->locked);
    case FLAGS_ADD: return before | flags;
    case FLAGS_REMOVE: return before & ~flags;
    }
    return before;
}

/* One STORE under way. */
struct storing {
    struct imap_session *session;
    const struct store_request *q;
    uint32_t *uids;
    size_t n;
    struct view_changes changed;
    uint32_t *modified; /* not stored: they have changed since */
    size_t modified_count;
};

/* Whether another session had a hand in what a row has become: it is something else than this command alone
 * explains. Then the client is told even when it asked for silence. */
static bool is_surprise(const struct storing *g, const struct changed_row *new)
{
    const struct imap_view *v = &g->session->view;
    ptrdiff_t row = imap_view_find(v, new->uid);
    return row >= 0 && (new->flags &FLAG_ALL) != flags_after(&g->q->change, v->rows.v[row].flags & FLAG_ALL);
}

/* Marks in *surprises, if there are any, those of `changed` that are. Before the view takes them. */
static bool *find_surprises(const struct storing *g)
{
    bool *surprises = NULL;
    for (size_t i = 0; g->q->is_silent && i < g->changed.changed_count; i++) {
        if (!is_surprise(g, &g->changed.changed[i]))
            continue;
        if (!surprises)
            surprises = ARENA_ARRAY(&g->session->arena, bool, g->changed.changed_count);
        surprises[i] = true;
    }
    return surprises;
}

/* What the client is told of each message: its flags, unless it asked for silence; with CONDSTORE its modseq
 * also then (RFC 7162 section 3.1.3). Those that were not stored are told as they are. */
static void tell_rows(const struct storing *g, const bool *surprises)
{
    struct imap_session *s = g->session;
    const struct imap_view *v = &s->view;
    bool tells_modseq = v->rows.modseqs != NULL;
    if (g->q->is_silent && !tells_modseq && !surprises)
        return;
    CLEAN_BUF struct buf out;
    buf_init(&out, BUF_MAX_DEFAULT);
    size_t row = 0, change = 0, modified = 0;
    for (size_t i = 0; i < g->n; i++, row++) {
        if (row >= v->rows.n || v->rows.v[row].uid != g->uids[i])
            row = view_place(&v->rows, g->uids[i]);
        while (change < g->changed.changed_count && g->changed.changed[change].uid < g->uids[i])
            change++;
        while (modified < g->modified_count && g->modified[modified] < g->uids[i])
            modified++;
        bool flags = !g->q->is_silent ||
                     (surprises && change < g->changed.changed_count &&
                      g->changed.changed[change].uid == g->uids[i] && surprises[change]) ||
                     (modified < g->modified_count && g->modified[modified] == g->uids[i]);
        if (flags || tells_modseq)
            imap_view_add_row(v, row, s->by_uid, flags, &out);
        if (out.n < STREAM_OUT_FLUSH)
            continue;
        stream_write(s->stream, buf_str(&out));
        buf_reset(&out);
    }
    stream_write(s->stream, buf_str(&out));
}

/* "[MODIFIED 7,9]": numbers, or uids in a UID command. */
static enum imap_status modified(const struct storing *g)
{
    struct imap_session *s = g->session;
    for (size_t i = 0; !s->by_uid && i < g->modified_count; i++)
        g->modified[i] = (uint32_t)view_place(&s->view.rows, g->modified[i]) + 1;
    CLEAN_BUF struct buf set;
    buf_init(&set, BUF_MAX_DEFAULT);
    imap_add_set(&set, g->modified, g->modified_count);
    return imap_ok(s, "[MODIFIED %.*s] Some have changed since and were left alone", STR_ARGS(buf_str(&set)));
}

/* Whether a message would become another, as far as the view knows. Keywords are left to the store. */
static bool would_change(const struct store_request *q, const struct view *rows, size_t row)
{
    uint32_t flags = rows->v[row].flags & FLAG_ALL;
    bool has_keywords = q->change.how == FLAGS_REPLACE && rows->v[row].flags >> VIEW_KEYWORDS_SHIFT != 0;
    return q->change.keywords.n > 0 || has_keywords || flags_after(&q->change, flags) != flags;
}

/* The uids that are worth asking the store about: clients mark what is marked already. The view was brought
 * up to date before the command; a condition is checked by the store alone. */
static uint32_t *choose(const struct storing *g, size_t *n)
{
    struct imap_session *s = g->session;
    uint32_t *chosen = ARENA_ARRAY(&s->arena, uint32_t, g->n);
    *n = 0;
    for (size_t i = 0, row = 0; i < g->n; i++, row++) {
        if (row >= s->view.rows.n || s->view.rows.v[row].uid != g->uids[i])
            row = view_place(&s->view.rows, g->uids[i]);
        if (g->q->is_conditional || would_change(g->q, &s->view.rows, row))
            chosen[(*n)++] = g->uids[i];
    }
    return chosen;
}

static enum store_result change_flags(struct storing *g, struct err *e)
{
    struct imap_session *s = g->session;
    size_t n;
    const uint32_t *uids = choose(g, &n);
    if (n == 0)
        return STORE_OK;
    struct imap_progress seen;
    const struct store_progress progress = imap_progress_start(&seen, s);
    struct flag_store change = g->q->change;
    change.progress = &progress;
    return store_flags(s->store, s->mailbox, uids, n, &change, &s->arena, &g->changed, &g->modified,
                       &g->modified_count, e);
}

static enum imap_status store(struct storing *g)
{
    struct imap_session *s = g->session;
    struct err e = ERR_INIT;
    enum store_result r = STORE_OK;
    if (g->q->is_conditional)
        r = imap_enable(s, ENABLED_CONDSTORE, &e);
    if (r == STORE_OK)
        r = change_flags(g, &e);
    if (r != STORE_OK)
        return imap_no_store(s, r, &e);
    const bool *surprises = find_surprises(g);
    if (g->changed.changed_count > 0)
        imap_view_take_own(&s->view, &g->changed);
    if (g->modified_count > 0) /* what was changed by others while we waited: told before it is referred to */
        imap_sync(s, false);
    imap_view_learn(&s->view, s->stream);
    tell_rows(g, surprises);
    return g->modified_count > 0 ? modified(g) : imap_ok(s, "Flags stored");
}

/* Whether the user may change at least one of the flags that the command names (RFC 4314 section 4); the
 * others stay as they are. */
static bool may_store(struct imap_session *s, struct flag_store *change)
{
    bool keywords;
    uint32_t allowed = imap_flags_allowed(s->rights, &keywords);
    change->locked = FLAG_ALL & ~allowed;
    change->keywords_locked = !keywords;
    if (change->how == FLAGS_REPLACE)
        return allowed != 0;
    bool names_none = change->flags == 0 && change->keywords.n == 0;
    return names_none || change->flags & allowed || (keywords && change->keywords.n > 0);
}

enum imap_status imap_do_store(struct imap_session *s, struct imap_cursor *c)
{
    struct imap_set set;
    struct store_request q;
    if (!imap_take_space(c) || !imap_take_messages(s, c, &set) || !imap_take_space(c) ||
        !take_request(c, &s->arena, &q) || !imap_take_end(c))
        return imap_bad_syntax(s, c);
    enum imap_status status;
    if (!imap_may(s, 0, &status))
        return status;
    if (!may_store(s, &q.change))
        return imap_no(s, "[NOPERM] You do not have the rights to change those flags");
    struct storing g = {.session = s, .q = &q};
    g.uids = imap_view_uids(&s->view, &set, s->by_uid, &s->arena, &g.n);
    imap_limit(s, &g.uids, &g.n);
    return store(&g);
}
