/* STORE: flags of many messages at once, in one transaction and with one modseq. */
#include "mailbox/internal.h"

/* Neighbours whose keywords stay change together; the others one by one. */
MAIL_STATEMENT(SET_RUN,
               "UPDATE message SET flags = (flags & $1) | $2, modseq = $3 WHERE id BETWEEN $4 AND $5");
MAIL_STATEMENT(SET_ONE, "UPDATE message SET flags = $1, keywords = $2, modseq = $3 WHERE id = $4");

struct flagging {
    struct change ch;
    struct counters *counters;
    const struct flag_store *f;
    struct str keywords; /* f's, in their normal form */
    enum flag_change keywords_how;
    uint32_t keep, set; /* flags = (flags & keep) | set */
    struct arena *a;    /* of the results */
    struct view_changes *changed;
    size_t changed_cap;
    uint32_t *modified;
    size_t modified_count, modified_cap;
};

static void set_masks(struct flagging *g, const struct flag_store *f)
{
    uint32_t flags = f->flags & FLAG_ALL;
    g->keep = f->how == FLAGS_ADD ? FLAG_ALL : f->how == FLAGS_REMOVE ? FLAG_ALL & ~flags : 0;
    g->set = f->how == FLAGS_REMOVE ? 0 : flags;
    g->keep |= f->locked & FLAG_ALL;
    g->set &= ~f->locked;
}

static void tell_changed(struct flagging *g, const struct message_row *row)
{
    struct view_changes *out = g->changed;
    if (!out)
        return;
    out->changed = list_room(g->a, out->changed, out->changed_count, &g->changed_cap, sizeof *out->changed);
    out->changed[out->changed_count++] = (struct changed_row){
        .uid = row->uid,
        .flags = row->flags,
        .modseq = row->modseq,
        .keywords = row->keywords.n > 0 ? arena_copy(g->a, row->keywords) : STR(""),
    };
}

/* Changes `row` itself to what it will be. *is_run: a statement for many messages does it. */
static enum store_result change_row(struct flagging *g, struct message_row *row, bool *is_changed,
                                    bool *is_run, struct err *e)
{
    uint32_t flags = (row->flags & g->keep) | g->set;
    struct str keywords;
    enum store_result r =
        keywords_change(row->keywords, g->keywords_how, g->keywords, &g->ch.arena, &keywords, e);
    if (r != STORE_OK)
        return r;
    *is_run = keywords.p == row->keywords.p;
    *is_changed = flags != row->flags || !*is_run;
    if (!*is_changed)
        return STORE_OK;
    counters_reflag(g->counters, row->flags, flags, row->size);
    row->flags = flags;
    row->keywords = keywords;
    row->modseq = g->ch.modseq;
    tell_changed(g, row);
    return STORE_OK;
}

static bool write_run(struct flagging *g, const struct read_row *rows, size_t n, struct err *e)
{
    return sql_exec(g->ch.db, &SET_RUN,
                    SQL(sql_int(g->keep), sql_int(g->set), sql_int((int64_t)g->ch.modseq),
                        sql_int(rows[0].fetch.row.id), sql_int(rows[n - 1].fetch.row.id)),
                    NULL, e);
}

static bool write_one(struct flagging *g, const struct message_row *row, struct err *e)
{
    return sql_exec(
        g->ch.db, &SET_ONE,
        SQL(sql_int(row->flags), sql_text(row->keywords), sql_int((int64_t)row->modseq), sql_int(row->id)),
        NULL, e);
}

static void tell_modified(struct flagging *g, uint32_t uid)
{
    g->modified = list_room(g->a, g->modified, g->modified_count, &g->modified_cap, sizeof *g->modified);
    g->modified[g->modified_count++] = uid;
}

static bool write_runs(struct flagging *g, const struct read_row *rows, size_t n, struct err *e)
{
    for (size_t at = 0, length; at < n; at += length) {
        length = run_length(rows, n, at);
        if (!write_run(g, rows + at, length, e))
            return false;
    }
    return true;
}

/* One batch. The rows that a run will change are moved together at the front of it. */
static enum store_result flag_batch(struct flagging *g, struct read_row *rows, size_t n, struct err *e)
{
    size_t run = 0;
    bool any = false;
    for (size_t i = 0; i < n; i++) {
        struct message_row *row = &rows[i].fetch.row;
        if (row->modseq > g->f->unchanged_since) {
            tell_modified(g, row->uid);
            continue;
        }
        bool is_changed, is_run;
        enum store_result r = change_row(g, row, &is_changed, &is_run, e);
        if (r != STORE_OK)
            return r;
        if (is_changed && !is_run && !write_one(g, row, e))
            return STORE_FAILED;
        if (is_changed && is_run)
            rows[run++] = rows[i];
        any |= is_changed;
    }
    if (any)
        change_mark(&g->ch, g->counters);
    return write_runs(g, rows, run, e) ? STORE_OK : STORE_FAILED;
}

static enum store_result flag_all(struct flagging *g, int64_t mailbox, const uint32_t *uids, size_t n,
                                  struct err *e)
{
    enum store_result r = change_mailbox(&g->ch, mailbox, &g->counters, e);
    if (r == STORE_OK && g->changed)
        g->changed->since = g->counters->highestmodseq;
    struct reader reader;
    reader_open(&reader, mailbox, uids, n, 0);
    for (size_t done = 0; r == STORE_OK; done += reader.count) {
        if (!reader_next(&reader, g->ch.db, e))
            r = STORE_FAILED;
        else if (reader.count == 0)
            break;
        else
            r = flag_batch(g, reader.rows, reader.count, e);
        if (r == STORE_OK && g->f->progress)
            g->f->progress->tell(g->f->progress->context, done + reader.count,
                                 uids ? n : g->counters->messages);
    }
    reader_close(&reader);
    return r;
}

enum store_result store_flags(struct store *s, int64_t mailbox, const uint32_t *uids, size_t n,
                              const struct flag_store *f, struct arena *a, struct view_changes *changed,
                              uint32_t **modified, size_t *modified_count, struct err *e)
{
    struct flagging g = {.f = f, .a = a, .changed = changed};
    set_masks(&g, f);
    if (changed)
        *changed = (struct view_changes){0};
    /* locked keywords: adding none */
    g.keywords_how = f->keywords_locked ? FLAGS_ADD : f->how;
    enum store_result r = keywords_normal(f->keywords_locked ? STR("") : f->keywords, a, &g.keywords, e);
    if (r == STORE_OK)
        r = change_open(s, &g.ch, e);
    if (r != STORE_OK)
        return r;
    r = flag_all(&g, mailbox, uids, n, e);
    if (r != STORE_OK) {
        change_cancel(&g.ch);
        return r;
    }
    if (changed)
        changed->modseq = g.counters->highestmodseq;
    if (modified) {
        *modified = g.modified;
        *modified_count = g.modified_count;
    }
    return change_commit(&g.ch, e);
}
