#include "base/clock.h"
#include "mailbox/internal.h"

MAIL_STATEMENT(
    KEEP_RUN,
    "INSERT INTO expunged(modseq, id, expunged_at, flags, keywords, received, zone, size, body)"
    " SELECT $1, id, $2, flags, keywords, received, zone, size, body FROM message WHERE id BETWEEN $3 AND "
    "$4");
MAIL_STATEMENT(
    KEEP_UIDS,
    "INSERT INTO expunged(modseq, id, expunged_at, flags, keywords, received, zone, size, body)"
    " SELECT $1, id, $2, flags, keywords, received, zone, size, 0 FROM message WHERE id BETWEEN $3 AND $4");
MAIL_STATEMENT(DELETE_RUN, "DELETE FROM message WHERE id BETWEEN $1 AND $2");

bool expunge_rows(struct change *ch, struct counters *c, const struct read_row *rows, size_t n, struct err *e)
{
    int64_t now = clock_wall();
    const struct sql_statement *keep = c->is_recently_deleted ? &KEEP_UIDS : &KEEP_RUN;
    for (size_t at = 0, length; at < n; at += length) {
        length = run_length(rows, n, at);
        struct sql_value first = sql_int(rows[at].fetch.row.id),
                         last = sql_int(rows[at + length - 1].fetch.row.id);
        if (!sql_exec(ch->db, keep, SQL(sql_int((int64_t)ch->modseq), sql_int(now), first, last), NULL, e) ||
            !sql_exec(ch->db, &DELETE_RUN, SQL(first, last), NULL, e))
            return false;
    }
    for (size_t i = 0; i < n; i++)
        counters_remove(c, rows[i].fetch.row.flags, rows[i].fetch.row.size);
    if (n > 0)
        change_mark(ch, c);
    return true;
}

struct uid_list {
    struct arena *a;
    uint32_t *v;
    size_t n, cap;
};

static void add_uid(struct uid_list *l, uint32_t uid)
{
    l->v = list_room(l->a, l->v, l->n, &l->cap, sizeof *l->v);
    l->v[l->n++] = uid;
}

static bool expunge_batch(struct change *ch, struct counters *c, struct reader *r, bool regardless,
                          struct uid_list *gone, struct err *e)
{
    size_t n = 0; /* those that go, moved together at the front */
    for (size_t i = 0; i < r->count; i++)
        if (regardless || r->rows[i].fetch.row.flags & FLAG_DELETED) {
            add_uid(gone, r->rows[i].fetch.row.uid);
            r->rows[n++] = r->rows[i];
        }
    return lose_rows(ch, c, r->rows, n, e);
}

static enum store_result expunge(struct change *ch, int64_t mailbox, const uint32_t *uids, size_t n,
                                 bool regardless, struct uid_list *gone, struct err *e)
{
    struct counters *c;
    enum store_result r = change_mailbox(ch, mailbox, &c, e);
    if (r != STORE_OK || c->messages == 0 || (!regardless && c->deleted == 0))
        return r;
    struct reader reader;
    reader_open(&reader, mailbox, uids, n, 0);
    while (r == STORE_OK) {
        if (!reader_next(&reader, ch->db, e))
            r = STORE_FAILED;
        else if (reader.count == 0)
            break;
        else if (!expunge_batch(ch, c, &reader, regardless, gone, e))
            r = STORE_FAILED;
    }
    reader_close(&reader);
    return r;
}

enum store_result store_expunge(struct store *s, int64_t mailbox, const uint32_t *uids, size_t n,
                                bool regardless, struct arena *a, uint32_t **expunged, size_t *expunged_count,
                                struct err *e)
{
    struct change ch;
    struct uid_list gone = {.a = a};
    enum store_result r = change_open(s, &ch, e);
    if (r != STORE_OK)
        return r;
    r = expunge(&ch, mailbox, uids, n, regardless, &gone, e);
    if (r != STORE_OK) {
        change_cancel(&ch);
        return r;
    }
    *expunged = gone.v;
    *expunged_count = gone.n;
    return change_commit(&ch, e);
}

enum store_result expunge_one(struct change *ch, int64_t mailbox, uint32_t uid, struct err *e)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct uid_list gone = {.a = &a};
    enum store_result r = expunge(ch, mailbox, &uid, 1, true, &gone, e);
    if (r == STORE_OK && gone.n == 0) {
        err_set(e, ERR_PERMANENT, "there is no message with uid %u", uid);
        return STORE_NONE;
    }
    return r;
}
