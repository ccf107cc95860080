/* STORE (RFC 3501 section 6.4.6). */
#include "imap/flags.h"
#include "imap/session.h"

struct store_request {
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

/* store-att-flags */
static bool take_request(struct imap_cursor *c, struct arena *a, struct store_request *out)
{
    for (size_t i = 0; i < sizeof STORE_ITEMS / sizeof *STORE_ITEMS; i++) {
        if (!imap_take_word(c, STORE_ITEMS[i].name))
            continue;
        struct imap_flags flags;
        if (!imap_take_space(c) || !imap_take_store_flags(c, a, &flags))
            return false;
        *out = (struct store_request){.change = {.how = STORE_ITEMS[i].how,
                                                 .flags = flags.system,
                                                 .keywords = flags.keywords,
                                                 .unchanged_since = UINT64_MAX},
                                      .is_silent = STORE_ITEMS[i].is_silent};
        return true;
    }
    c->problem = "expected FLAGS, +FLAGS or -FLAGS, with .SILENT or without";
    return false;
}

static uint32_t flags_after(const struct flag_store *change, uint32_t before)
{
    switch (change->how) {
    case FLAGS_REPLACE: return change->flags;
    case FLAGS_ADD: return before | change->flags;
    case FLAGS_REMOVE: return before & ~change->flags;
    }
    return before;
}

/* The rows that changed, into the view. Where one became something else than this command alone explains,
 * another session had a hand in it, and the client is told even when it asked for silence. */
static void take_changed(struct imap_session *s, const struct store_request *q,
                         const struct view_changes *changed)
{
    for (size_t i = 0; i < changed->changed_count; i++) {
        const struct view_row *new = &changed->changed[i];
        ptrdiff_t row = imap_view_find(&s->view, new->uid);
        if (row < 0)
            continue;
        uint32_t expected = flags_after(&q->change, s->view.rows.v[row].flags & FLAG_ALL);
        imap_view_learn(&s->view, new->keywords, s->stream);
        imap_view_update(&s->view, (size_t)row, new->flags, new->keywords, new->modseq);
        if (q->is_silent && (new->flags &FLAG_ALL) != expected)
            imap_view_tell_row(&s->view, (size_t)row, s->by_uid, s->stream);
    }
}

enum imap_status imap_do_store(struct imap_session *s, struct imap_cursor *c)
{
    struct imap_set set;
    struct store_request q;
    if (!imap_take_space(c) || !imap_take_messages(s, c, &set) || !imap_take_space(c) ||
        !take_request(c, &s->arena, &q) || !imap_take_end(c))
        return imap_bad_syntax(s, c);
    if (s->is_read_only)
        return imap_no(s, "[READ-ONLY] The mailbox was opened with EXAMINE");
    size_t n;
    uint32_t *uids = imap_view_uids(&s->view, &set, s->by_uid, &s->arena, &n);
    struct view_changes changed = {0};
    struct err e = ERR_INIT;
    enum store_result r = STORE_OK;
    if (n > 0)
        r = store_flags(s->store, s->mailbox, uids, n, &q.change, &s->arena, &changed, NULL, NULL, &e);
    if (r != STORE_OK)
        return imap_no_store(s, r, &e);
    take_changed(s, &q, &changed);
    for (size_t i = 0; !q.is_silent && i < n; i++) {
        ptrdiff_t row = imap_view_find(&s->view, uids[i]);
        if (row >= 0)
            imap_view_tell_row(&s->view, (size_t)row, s->by_uid, s->stream);
    }
    return imap_ok(s, "Flags stored");
}
