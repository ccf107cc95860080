#include "imap/view.h"

#include "base/mem.h"
#include "imap/flags.h"

/* The arena of keywords is packed when this much more than the live ones has gathered in it. */
#define KEYWORDS_SLACK ((size_t)65536)

/* --- keywords --- */

static bool is_known(const struct imap_view *v, struct str keyword)
{
    for (size_t i = 0; i < v->known_count; i++)
        if (str_eq_nocase(v->known[i], keyword))
            return true;
    return false;
}

/* True when one of them had not been listed before. */
static bool learn_keywords(struct imap_view *v, struct str keywords)
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

void imap_view_tell_flags(const struct imap_view *v, struct stream *out)
{
    stream_write(out, STR("* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft"));
    for (size_t i = 0; i < v->known_count; i++) {
        stream_write(out, STR(" "));
        stream_write(out, v->known[i]);
    }
    stream_write(out, STR(")\r\n"));
}

void imap_view_learn(struct imap_view *v, struct str keywords, struct stream *out)
{
    if (learn_keywords(v, keywords))
        imap_view_tell_flags(v, out);
}

static struct str keep_keywords(struct arena *a, struct str keywords)
{
    return keywords.n > 0 ? arena_copy(a, keywords) : STR("");
}

/* Changed keywords leave their old text behind in the arena: copies the live ones to a new one when that has
 * become much. */
static void pack_keywords(struct imap_view *v)
{
    if (v->keywords.used < 2 * v->keywords_live + KEYWORDS_SLACK)
        return;
    struct arena packed = ARENA_INIT;
    for (size_t i = 0; i < v->rows.n; i++)
        v->rows.v[i].keywords = keep_keywords(&packed, v->rows.v[i].keywords);
    arena_free(&v->keywords);
    v->keywords = packed;
    v->keywords_live = packed.used;
}

/* --- rows --- */

enum store_result imap_view_open(struct imap_view *v, struct store *s, int64_t mailbox, uint32_t first_recent,
                                 struct err *e)
{
    *v = (struct imap_view){0};
    enum store_result r = store_view_load(s, mailbox, &v->keywords, &v->rows, e);
    if (r != STORE_OK) {
        imap_view_close(v);
        return r;
    }
    v->keywords_live = v->keywords.used;
    struct str last = STR("");
    for (size_t i = 0; i < v->rows.n; i++) {
        struct view_row *row = &v->rows.v[i];
        if (row->uid >= first_recent) {
            row->flags |= VIEW_RECENT;
            v->recent++;
        }
        if (row->keywords.n > 0 && !str_eq(row->keywords, last)) {
            learn_keywords(v, row->keywords);
            last = row->keywords; /* neighbours mostly carry the same */
        }
    }
    return STORE_OK;
}

void imap_view_close(struct imap_view *v)
{
    view_free(&v->rows);
    arena_free(&v->keywords);
    arena_free(&v->names);
    *v = (struct imap_view){0};
}

uint32_t imap_view_last_uid(const struct imap_view *v)
{
    return v->rows.n > 0 ? v->rows.v[v->rows.n - 1].uid : 0;
}

/* The first row whose uid is at least this. */
static size_t row_from(const struct imap_view *v, uint32_t uid)
{
    size_t low = 0, high = v->rows.n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (v->rows.v[middle].uid < uid)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

ptrdiff_t imap_view_find(const struct imap_view *v, uint32_t uid)
{
    size_t row = row_from(v, uid);
    return row < v->rows.n && v->rows.v[row].uid == uid ? (ptrdiff_t)row : -1;
}

bool imap_view_update(struct imap_view *v, size_t row, uint32_t flags, struct str keywords, uint64_t modseq)
{
    struct view_row *r = &v->rows.v[row];
    bool other_keywords = !str_eq(r->keywords, keywords);
    if (modseq > r->modseq)
        r->modseq = modseq;
    if ((r->flags & FLAG_ALL) == (flags & FLAG_ALL) && !other_keywords)
        return false;
    r->flags = (r->flags & ~FLAG_ALL) | (flags & FLAG_ALL);
    if (other_keywords)
        r->keywords = keep_keywords(&v->keywords, keywords);
    return true;
}

static void add_row(struct imap_view *v, const struct view_row *new)
{
    if (v->rows.n == v->rows.cap) {
        v->rows.cap = v->rows.cap ? v->rows.cap * 2 : 16;
        v->rows.v = mem_resize(v->rows.v, v->rows.cap, sizeof *v->rows.v);
    }
    struct view_row *row = &v->rows.v[v->rows.n++];
    *row = *new;
    row->keywords = keep_keywords(&v->keywords, new->keywords);
}

uint32_t *imap_view_uids(const struct imap_view *v, const struct imap_set *resolved, bool by_uid,
                         struct arena *a, size_t *n)
{
    size_t most = 0;
    for (int pass = 0;; pass++) { /* first count, then fill */
        uint32_t *uids = pass ? ARENA_ARRAY(a, uint32_t, most) : NULL;
        *n = 0;
        for (size_t i = 0; i < resolved->n; i++) {
            struct imap_range r = resolved->v[i];
            size_t row = by_uid ? row_from(v, r.from) : r.from - 1;
            for (; row < v->rows.n && (by_uid ? v->rows.v[row].uid : row + 1) <= r.to; row++) {
                if (v->rows.v[row].flags & VIEW_GONE)
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

/* --- telling the client --- */

void imap_view_tell_row(const struct imap_view *v, size_t row, bool uid, struct stream *out)
{
    CLEAN_BUF struct buf text;
    buf_init(&text, BUF_MAX_DEFAULT);
    buf_add(&text, STR("* "));
    buf_add_u64(&text, row + 1);
    buf_add(&text, STR(" FETCH ("));
    if (uid) {
        buf_add(&text, STR("UID "));
        buf_add_u64(&text, v->rows.v[row].uid);
        buf_add_byte(&text, ' ');
    }
    buf_add(&text, STR("FLAGS "));
    imap_add_flags(&text, v->rows.v[row].flags, v->rows.v[row].keywords);
    buf_add(&text, STR(")\r\n"));
    stream_write(out, buf_str(&text));
}

/* A row that is new to us, or whose flags another session changed. */
static void take_changed(struct imap_view *v, const struct view_row *changed, struct stream *out)
{
    imap_view_learn(v, changed->keywords, out);
    ptrdiff_t row = imap_view_find(v, changed->uid);
    if (row < 0) {
        if (changed->uid > imap_view_last_uid(v))
            add_row(v, changed);
        return;
    }
    if (imap_view_update(v, (size_t)row, changed->flags, changed->keywords, changed->modseq) &&
        !(v->rows.v[row].flags & VIEW_GONE))
        imap_view_tell_row(v, (size_t)row, false, out);
}

static void take_expunged(struct imap_view *v, uint32_t uid)
{
    ptrdiff_t row = imap_view_find(v, uid);
    if (row < 0 || (v->rows.v[row].flags & VIEW_GONE))
        return;
    v->rows.v[row].flags |= VIEW_GONE;
    v->gone++;
}

/* Each EXPUNGE renumbers what follows it: the number is that of the moment (section 7.4.1). */
static void tell_expunged(struct imap_view *v, struct stream *out)
{
    size_t kept = 0;
    for (size_t i = 0; i < v->rows.n; i++) {
        const struct view_row *row = &v->rows.v[i];
        if (!(row->flags & VIEW_GONE)) {
            v->rows.v[kept++] = *row;
            continue;
        }
        if (row->flags & VIEW_RECENT)
            v->recent--;
        stream_writef(out, "* %zu EXPUNGE\r\n", kept + 1);
    }
    v->rows.n = kept;
    v->gone = 0;
}

/* Whether the rows from `first_new` on are \Recent: those that no other session has claimed. A session that
 * may not claim (EXAMINE) shows them as such, as section 2.3.2 says where it cannot be known. */
static enum store_result mark_recent(struct imap_view *v, size_t first_new, struct store *s, int64_t mailbox,
                                     bool claims, struct err *e)
{
    uint32_t first_recent = 0;
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
    pack_keywords(v);
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
        told -= v->gone; /* only messages that it knows of can be gone */
        tell_expunged(v, out);
    }
    if (v->rows.n != told)
        stream_writef(out, "* %zu EXISTS\r\n* %zu RECENT\r\n", v->rows.n, v->recent);
    return r;
}
