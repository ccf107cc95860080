#include "imap/view.h"

#include "imap/flags.h"

/* --- keywords --- */

static bool is_known(const struct imap_view *v, struct str keyword)
{
    for (size_t i = 0; i < v->known_count; i++)
        if (str_eq_nocase(v->known[i], keyword))
            return true;
    return false;
}

/* Those of one list. True when one of them had not been listed before. */
static bool learn_list(struct imap_view *v, struct str keywords)
{
    bool learnt = false;
    while (keywords.n > 0) {
        struct str keyword;
        str_cut(&keywords, ' ', &keyword); /* the last one: all that is left */
        if (keyword.n == 0 || is_known(v, keyword) || v->known_count == VIEW_KEYWORDS_MAX)
            continue;
        if (!v->known)
            v->known = ARENA_ARRAY(&v->names, struct str, VIEW_KEYWORDS_MAX);
        v->known[v->known_count++] = arena_copy(&v->names, keyword);
        learnt = true;
    }
    return learnt;
}

static bool learn_keywords(struct imap_view *v)
{
    bool learnt = false;
    while (v->learnt < view_list_count(&v->rows))
        learnt |= learn_list(v, view_list(&v->rows, ++v->learnt));
    return learnt;
}

void imap_view_tell_flags(const struct imap_view *v, struct stream *out)
{
    stream_write(out, STR("* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft"));
    for (size_t i = 0; i < v->known_count; i++) {
        stream_write(out, STR(" "));
        stream_write(out, v->known[i]);
    }
    stream_write(out, STR(")\r\n"));
}

void imap_view_learn(struct imap_view *v, struct stream *out)
{
    if (learn_keywords(v))
        imap_view_tell_flags(v, out);
}

/* --- rows --- */

enum store_result imap_view_open(struct imap_view *v, struct store *s, int64_t mailbox, unsigned enabled,
                                 uint32_t first_recent, struct err *e)
{
    *v = (struct imap_view){.enabled = enabled};
    enum store_result r = store_view_load(s, mailbox, enabled & ENABLED_CONDSTORE, &v->rows, e);
    if (r != STORE_OK) {
        imap_view_close(v);
        return r;
    }
    for (size_t i = view_place(&v->rows, first_recent); i < v->rows.n; i++) {
        v->rows.v[i].flags |= VIEW_RECENT;
        v->recent++;
    }
    learn_keywords(v);
    return STORE_OK;
}

static void mark_range(struct imap_view *v, struct imap_range uids, uint32_t flag, size_t *count)
{
    for (size_t i = view_place(&v->rows, uids.from); i < v->rows.n && v->rows.v[i].uid <= uids.to; i++) {
        v->rows.v[i].flags |= flag;
        ++*count;
    }
}

/* What FLAGS had listed: of messages that have changed since it is not known any more, and told anew. */
static void learn_again(struct imap_view *v)
{
    uint32_t last = 0;
    for (size_t i = 0; i < v->rows.n; i++) {
        uint32_t list = v->rows.v[i].flags >> VIEW_KEYWORDS_SHIFT;
        if (list == last || v->rows.v[i].flags & VIEW_STALE)
            continue;
        learn_list(v, view_list(&v->rows, list));
        last = list; /* neighbours mostly carry the same */
    }
}

enum store_result imap_view_restore(struct imap_view *v, struct store *s, const struct view_past *past,
                                    unsigned enabled, uint64_t told_modseq, const struct imap_range *recent,
                                    size_t recent_count, struct err *e)
{
    *v = (struct imap_view){.enabled = enabled, .told_modseq = told_modseq};
    enum store_result r = store_view_past(s, past, enabled & ENABLED_CONDSTORE, VIEW_STALE, &v->rows, e);
    if (r != STORE_OK) {
        imap_view_close(v);
        return r;
    }
    for (size_t i = 0; i < recent_count; i++)
        mark_range(v, recent[i], VIEW_RECENT, &v->recent);
    for (size_t i = 0; i < past->gone_count; i++)
        mark_range(v, (struct imap_range){past->gone[i], past->gone[i]}, VIEW_GONE, &v->gone);
    learn_again(v);
    return STORE_OK;
}

void imap_view_close(struct imap_view *v)
{
    view_free(&v->rows);
    arena_free(&v->names);
    *v = (struct imap_view){0};
}

enum store_result imap_view_enable(struct imap_view *v, struct store *s, int64_t mailbox, unsigned enabled,
                                   struct err *e)
{
    v->enabled = enabled;
    if (enabled & ENABLED_IMAP4REV2) { /* it has no \Recent */
        for (size_t i = 0; i < v->rows.n; i++)
            v->rows.v[i].flags &= ~VIEW_RECENT;
        v->recent = 0;
    }
    return enabled & ENABLED_CONDSTORE ? store_view_keep_modseqs(s, mailbox, &v->rows, e) : STORE_OK;
}

uint32_t imap_view_last_uid(const struct imap_view *v)
{
    return v->rows.n > 0 ? v->rows.v[v->rows.n - 1].uid : 0;
}

ptrdiff_t imap_view_find(const struct imap_view *v, uint32_t uid)
{
    size_t row = view_place(&v->rows, uid);
    return row < v->rows.n && v->rows.v[row].uid == uid ? (ptrdiff_t)row : -1;
}

uint64_t imap_view_modseq(const struct imap_view *v)
{
    uint64_t modseq = v->gone > 0 ? v->told_modseq : v->rows.modseq;
    return modseq > 0 ? modseq : 1;
}

bool imap_view_update(struct imap_view *v, size_t row, const struct changed_row *to)
{
    return view_change(&v->rows, row, to);
}

void imap_view_take_own(struct imap_view *v, const struct view_changes *own)
{
    for (size_t i = 0, row = 0; i < own->changed_count; i++, row++) {
        /* Most often all are changed, or neighbours. */
        if (row >= v->rows.n || v->rows.v[row].uid != own->changed[i].uid)
            row = view_place(&v->rows, own->changed[i].uid);
        if (row < v->rows.n && v->rows.v[row].uid == own->changed[i].uid)
            view_change(&v->rows, row, &own->changed[i]);
    }
    if (v->rows.modseq >= own->since && v->rows.modseq < own->modseq)
        v->rows.modseq = own->modseq;
}

/* Without the rows that have one of the flags of `without`. */
static uint32_t *collect_uids(const struct imap_view *v, const struct imap_set *resolved, bool by_uid,
                              uint32_t without, struct arena *a, size_t *n)
{
    size_t most = 0;
    for (int pass = 0;; pass++) { /* first count, then fill */
        uint32_t *uids = pass ? ARENA_ARRAY(a, uint32_t, most) : NULL;
        *n = 0;
        for (size_t i = 0; i < resolved->n; i++) {
            struct imap_range r = resolved->v[i];
            size_t row = by_uid ? view_place(&v->rows, r.from) : r.from - 1;
            for (; row < v->rows.n && (by_uid ? v->rows.v[row].uid : row + 1) <= r.to; row++) {
                if (v->rows.v[row].flags & without)
                    continue;
                if (uids)
                    uids[*n] = v->rows.v[row].uid;
                ++*n;
            }
        }
        if (pass)
            return uids;
        most = *n;
    }
}

uint32_t *imap_view_uids(const struct imap_view *v, const struct imap_set *resolved, bool by_uid,
                         struct arena *a, size_t *n)
{
    return collect_uids(v, resolved, by_uid, VIEW_GONE, a, n);
}

uint32_t *imap_view_uids_untold(const struct imap_view *v, const struct imap_set *numbers, struct arena *a,
                                size_t *n)
{
    return collect_uids(v, numbers, false, 0, a, n);
}

/* --- telling the client --- */

void imap_view_add_start(const struct imap_view *v, size_t row, struct buf *out)
{
    bool uid_only = v->enabled & ENABLED_UIDONLY;
    buf_add(out, STR("* "));
    buf_add_u64(out, uid_only ? v->rows.v[row].uid : row + 1);
    buf_add(out, uid_only ? STR(" UIDFETCH (") : STR(" FETCH ("));
}

void imap_view_add_flags(const struct imap_view *v, size_t row, struct buf *out)
{
    buf_add(out, STR("FLAGS "));
    imap_add_flags(out, v->rows.v[row].flags, view_keywords(&v->rows, row));
}

void imap_view_add_modseq(const struct imap_view *v, size_t row, struct buf *out)
{
    buf_add(out, STR("MODSEQ ("));
    buf_add_u64(out, v->rows.modseqs[row]);
    buf_add_byte(out, ')');
}

void imap_view_add_row(const struct imap_view *v, size_t row, bool uid, bool flags, struct buf *out)
{
    imap_view_add_start(v, row, out);
    /* QRESYNC wants the UID with every change of flags (RFC 7162 section 3.2.4); UIDFETCH has it in front. */
    if ((uid || v->enabled & ENABLED_QRESYNC) && !(v->enabled & ENABLED_UIDONLY)) {
        buf_add(out, STR("UID "));
        buf_add_u64(out, v->rows.v[row].uid);
        buf_add_byte(out, ' ');
    }
    if (flags)
        imap_view_add_flags(v, row, out);
    if (flags && v->rows.modseqs)
        buf_add_byte(out, ' ');
    if (v->rows.modseqs)
        imap_view_add_modseq(v, row, out);
    buf_add(out, STR(")\r\n"));
}

void imap_view_tell_row(const struct imap_view *v, size_t row, bool uid, struct stream *out)
{
    CLEAN_BUF struct buf text;
    buf_init(&text, BUF_MAX_DEFAULT);
    imap_view_add_row(v, row, uid, true, &text);
    stream_write(out, buf_str(&text));
}

/* A row that is new to us, or whose flags another session changed. Where modseqs are kept the client is told
 * of a new one also when the flags have become what they were: a conditional STORE would fail by it. */
static void take_changed(struct imap_view *v, const struct changed_row *changed, struct stream *out)
{
    ptrdiff_t row = imap_view_find(v, changed->uid);
    if (row < 0) {
        if (changed->uid > imap_view_last_uid(v))
            view_add(&v->rows, changed);
        imap_view_learn(v, out);
        return;
    }
    bool is_other =
        v->rows.v[row].flags & VIEW_STALE || (v->rows.modseqs && changed->modseq > v->rows.modseqs[row]);
    v->rows.v[row].flags &= ~VIEW_STALE;
    is_other |= view_change(&v->rows, (size_t)row, changed);
    imap_view_learn(v, out);
    if (is_other && !(v->rows.v[row].flags & VIEW_GONE) && !v->hides_flags)
        imap_view_tell_row(v, (size_t)row, v->tells_uid, out);
}

static void take_expunged(struct imap_view *v, uint32_t uid)
{
    ptrdiff_t row = imap_view_find(v, uid);
    if (row < 0 || (v->rows.v[row].flags & VIEW_GONE))
        return;
    v->rows.v[row].flags |= VIEW_GONE;
    if (v->gone++ == 0)
        v->told_modseq = v->rows.modseq;
}

/* Takes the rows that are gone out of the view. `each` is told the number of the moment: an EXPUNGE renumbers
 * what follows it (section 7.4.1). */
static void drop_gone(struct imap_view *v, void (*each)(void *context, size_t number, uint32_t uid),
                      void *context)
{
    size_t kept = 0;
    for (size_t i = 0; i < v->rows.n; i++) {
        const struct view_row *row = &v->rows.v[i];
        if (!(row->flags & VIEW_GONE)) {
            view_move(&v->rows, kept++, i);
            continue;
        }
        if (row->flags & VIEW_RECENT)
            v->recent--;
        each(context, kept + 1, row->uid);
    }
    v->rows.n = kept;
    v->gone = 0;
}

static void tell_expunge(void *context, size_t number, uint32_t uid)
{
    (void)uid;
    stream_writef(context, "* %zu EXPUNGE\r\n", number);
}

struct uid_list {
    uint32_t *v;
    size_t n;
};

static void note_uid(void *context, size_t number, uint32_t uid)
{
    struct uid_list *list = context;
    (void)number;
    list->v[list->n++] = uid;
}

static void tell_expunged(struct imap_view *v, struct arena *scratch, struct stream *out)
{
    if (!(v->enabled & (ENABLED_QRESYNC | ENABLED_UIDONLY))) {
        drop_gone(v, tell_expunge, out);
        return;
    }
    struct uid_list list = {.v = ARENA_ARRAY(scratch, uint32_t, v->gone)};
    drop_gone(v, note_uid, &list);
    CLEAN_BUF struct buf text;
    buf_init(&text, BUF_MAX_DEFAULT);
    buf_add(&text, STR("* VANISHED "));
    imap_add_set(&text, list.v, list.n);
    buf_add(&text, STR("\r\n"));
    stream_write(out, buf_str(&text));
}

/* Whether the rows from `first_new` on are \Recent: those that no other session has claimed. A session that
 * may not claim (EXAMINE) shows them as such, as section 2.3.2 says where it cannot be known. */
static enum store_result mark_recent(struct imap_view *v, size_t first_new, struct store *s, int64_t mailbox,
                                     bool claims, struct err *e)
{
    uint32_t first_recent = 0;
    if (v->enabled & ENABLED_IMAP4REV2)
        return STORE_OK; /* it has no \Recent, and leaves it to others */
    if (claims) {
        enum store_result r = store_claim_recent(s, mailbox, &first_recent, e);
        if (r != STORE_OK)
            return r;
    }
    for (size_t i = first_new; i < v->rows.n; i++) {
        if (v->rows.v[i].uid < first_recent)
            continue;
        v->rows.v[i].flags |= VIEW_RECENT;
        v->recent++;
    }
    return STORE_OK;
}

static enum store_result take_changes(struct imap_view *v, struct store *s, int64_t mailbox,
                                      struct arena *scratch, struct stream *out, struct err *e)
{
    uint64_t newest = store_highestmodseq(s, mailbox);
    if (newest != 0 && newest <= v->rows.modseq)
        return STORE_OK;
    struct view_changes changes;
    enum store_result r = store_view_changes(s, mailbox, v->rows.modseq, scratch, &changes, e);
    if (r != STORE_OK)
        return r;
    for (size_t i = 0; i < changes.changed_count; i++)
        take_changed(v, &changes.changed[i], out);
    for (size_t i = 0; i < changes.expunged_count; i++)
        take_expunged(v, changes.expunged[i]);
    v->rows.modseq = changes.modseq;
    uint32_t lists = view_list_count(&v->rows);
    view_pack(&v->rows);
    if (view_list_count(&v->rows) < lists) /* they have other numbers now; what they hold is known */
        v->learnt = view_list_count(&v->rows);
    return STORE_OK;
}

enum store_result imap_view_sync(struct imap_view *v, struct store *s, int64_t mailbox, bool may_expunge,
                                 bool claims_recent, struct arena *scratch, struct stream *out, struct err *e)
{
    size_t told = v->rows.n; /* what EXISTS said */
    enum store_result r = take_changes(v, s, mailbox, scratch, out, e);
    if (r != STORE_OK)
        return r;
    if (v->rows.n > told)
        r = mark_recent(v, told, s, mailbox, claims_recent, e);
    if (may_expunge && v->gone > 0) {
        if (v->before_expunge)
            v->before_expunge(v->context);
        told -= v->gone; /* only messages that it knows of can be gone */
        tell_expunged(v, scratch, out);
    }
    if (v->rows.n != told)
        stream_writef(out, "* %zu EXISTS\r\n", v->rows.n);
    if (v->rows.n != told && !(v->enabled & ENABLED_IMAP4REV2))
        stream_writef(out, "* %zu RECENT\r\n", v->recent);
    return r;
}
