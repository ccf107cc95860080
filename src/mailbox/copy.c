/* COPY and MOVE: new rows on the same bodies. */
#include "base/clock.h"
#include "mailbox/internal.h"

MAIL_STATEMENT(INSERT, "INSERT INTO message(id, flags, modseq, keywords, received, zone, size, body, saved)"
                       " VALUES($1, $2, $3, $4, $5, $6, $7, $8, $9)");

/* The row as its copy will be. */
static struct message_row without(const struct message_row *row, unsigned how)
{
    struct message_row copy = *row;
    if (how & COPY_WITHOUT_SEEN)
        copy.flags &= ~(uint32_t)FLAG_SEEN;
    if (how & COPY_WITHOUT_DELETED)
        copy.flags &= ~(uint32_t)FLAG_DELETED;
    if (how & COPY_WITHOUT_OTHERS) {
        copy.flags &= (uint32_t)(FLAG_SEEN | FLAG_DELETED);
        copy.keywords = STR("");
    }
    return copy;
}

static bool insert(struct change *ch, int64_t id, const struct message_row *row, struct err *e)
{
    return sql_exec(ch->db, &INSERT,
                    SQL(sql_int(id), sql_int(row->flags), sql_int((int64_t)ch->modseq),
                        sql_text(row->keywords), sql_int(row->received), sql_int(row->zone),
                        sql_int((int64_t)row->size), sql_int(row->body), sql_int(clock_wall())),
                    NULL, e);
}

enum store_result copy_rows(struct change *ch, struct counters *to, const struct read_row *rows, size_t n,
                            unsigned how, struct err *e)
{
    for (size_t i = 0; i < n; i++) {
        const struct message_row row = without(&rows[i].fetch.row, how);
        uint32_t uid;
        enum store_result r = counters_take_uid(to, &uid, e);
        if (r != STORE_OK)
            return r;
        if (!insert(ch, message_id(to->mailbox, uid), &row, e))
            return STORE_FAILED;
        counters_add(to, row.flags, row.size);
        change_mark(ch, to);
    }
    return STORE_OK;
}

struct copying {
    struct change ch;
    struct counters *from, *to;
    unsigned how;
    const struct store_progress *progress; /* NULL: none */
    struct arena *a;
    uint32_t *from_uids, *to_uids;
    size_t n, from_cap, to_cap;
};

/* A copy counts like any other message, though its body is kept once. */
static enum store_result check_quota(struct copying *c, const struct reader *r, struct err *e)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < r->count; i++)
        bytes += r->rows[i].fetch.row.size;
    return quota_check(&c->ch, r->count, bytes, e);
}

static enum store_result copy_batch(struct copying *c, const struct reader *r, struct err *e)
{
    uint32_t uid = c->to->uidnext;
    bool adds = !(c->how & COPY_MOVE) || c->from->is_recently_deleted;
    enum store_result result = adds ? check_quota(c, r, e) : STORE_OK;
    if (result != STORE_OK)
        return result;
    result = copy_rows(&c->ch, c->to, r->rows, r->count, c->how, e);
    if (result != STORE_OK)
        return result;
    if (c->how & COPY_MOVE && !expunge_rows(&c->ch, c->from, r->rows, r->count, e))
        return STORE_FAILED;
    for (size_t i = 0; i < r->count; i++, c->n++) {
        c->from_uids = list_room(c->a, c->from_uids, c->n, &c->from_cap, sizeof *c->from_uids);
        c->to_uids = list_room(c->a, c->to_uids, c->n, &c->to_cap, sizeof *c->to_uids);
        c->from_uids[c->n] = r->rows[i].fetch.row.uid;
        c->to_uids[c->n] = uid++;
    }
    return STORE_OK;
}

static enum store_result copy_all(struct copying *c, const uint32_t *uids, size_t n, struct err *e)
{
    enum store_result result = STORE_OK;
    struct reader r;
    reader_open(&r, c->from->mailbox, uids, n, 0);
    r.to = c->from->uidnext - 1; /* of a mailbox onto itself: not what was just made */
    r.is_done |= r.to == 0;
    while (result == STORE_OK) {
        if (!reader_next(&r, c->ch.db, e))
            result = STORE_FAILED;
        else if (r.count == 0)
            break;
        else
            result = copy_batch(c, &r, e);
        if (result == STORE_OK && c->progress)
            c->progress->tell(c->progress->context, c->n, uids ? n : c->from->messages);
    }
    reader_close(&r);
    return result;
}

enum store_result store_copy(struct store *s, int64_t from, const uint32_t *uids, size_t n, int64_t to,
                             unsigned how, const struct store_progress *progress, struct arena *a,
                             uint32_t **from_uids, uint32_t **to_uids, size_t *count, uint32_t *uidvalidity,
                             struct err *e)
{
    struct copying c = {.how = how, .progress = progress, .a = a};
    enum store_result r = change_open(s, &c.ch, e);
    if (r != STORE_OK)
        return r;
    r = change_mailbox(&c.ch, from, &c.from, e);
    if (r == STORE_OK)
        r = change_mailbox(&c.ch, to, &c.to, e);
    if (r == STORE_OK)
        r = may_add(c.to, e);
    if (r == STORE_OK)
        r = copy_all(&c, uids, n, e);
    if (r != STORE_OK) {
        change_cancel(&c.ch);
        return r;
    }
    *from_uids = c.from_uids;
    *to_uids = c.to_uids;
    *count = c.n;
    *uidvalidity = c.to->uidvalidity;
    return change_commit(&c.ch, e);
}
