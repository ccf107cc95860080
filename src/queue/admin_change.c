/* Holding, releasing, retrying, dropping and redirecting, by an administrator. */
#include "base/clock.h"
#include "base/mem.h"
#include "queue/admin.h"
#include "queue/transit.h"

#define PAGE_ROWS 500 /* read at once, and changed in one transaction: others wait meanwhile */

QUEUE_STATEMENT(
    CHANGE_PAGE,
    "SELECT r.id, r.message, r.address, r.domain, r.account, r.flow, r.original, r.notify, r.orcpt,"
    " m.sender, m.delivery FROM recipient r JOIN message m ON m.id = r.message"
    " WHERE r.id >= $1 AND r.id < $2 AND r.state IN (0, 3) ORDER BY r.id LIMIT $3");
QUEUE_STATEMENT(CHANGE_HOLD, "UPDATE recipient SET state = 3, at_hand = 0 WHERE id = $1 AND state = 0");
QUEUE_STATEMENT(CHANGE_RELEASE,
                "UPDATE recipient SET state = 0, next_attempt = $2 WHERE id = $1 AND state = 3");
/* What is due already may be in the server's hands at this moment, and is left to it. */
QUEUE_STATEMENT(
    CHANGE_RETRY,
    "UPDATE recipient SET next_attempt = CASE WHEN next_attempt > $2 THEN $2 ELSE next_attempt END"
    " WHERE id = $1 AND state = 0");
QUEUE_STATEMENT(CHANGE_REMOVE, "DELETE FROM recipient WHERE id = $1 AND state IN (0, 3)");
QUEUE_STATEMENT(
    CHANGE_IS_THERE,
    "SELECT count(*) FROM recipient WHERE message = $3 AND id >= $1 AND id < $2 AND state IN (0, 3)"
    " AND account = -2 AND address = $4");

static const struct {
    const struct sql_statement *statement;
    bool takes_now;
} CHANGES[QUEUE_ADMIN_ACTIONS] = {
    [QUEUE_ADMIN_HOLD] = {&CHANGE_HOLD, false},       [QUEUE_ADMIN_RELEASE] = {&CHANGE_RELEASE, true},
    [QUEUE_ADMIN_RETRY] = {&CHANGE_RETRY, true},      [QUEUE_ADMIN_DROP] = {&CHANGE_REMOVE, false},
    [QUEUE_ADMIN_REDIRECT] = {&CHANGE_REMOVE, false},
};

struct row {
    struct queue_admin_change change;
    struct queue_row_recipient recipient;
    bool done;
};

struct changing {
    struct sql *db;
    enum queue_admin_action action;
    const struct queue_admin_filter *filter;
    struct str to;
    int64_t now;
    struct row *rows; /* of a page: those that match */
    size_t count;
    struct arena arena; /* of a page */
};

static bool is_wanted(const struct changing *c, const struct row *r)
{
    const struct queue_admin_filter *f = c->filter;
    /* What has been redirected just now stands behind, and is met again. */
    bool is_ours = c->action == QUEUE_ADMIN_REDIRECT && r->recipient.account == QUEUE_RESOLVE &&
                   str_eq(r->recipient.address, c->to);
    return !is_ours && (!f->sender || queue_admin_matches(f->sender, r->change.sender)) &&
           (!f->recipient || queue_admin_matches(f->recipient, r->change.address)) &&
           (!f->destination || queue_admin_matches(f->destination, r->recipient.domain));
}

static struct row read_row(const struct sql_rows *rows, struct arena *a)
{
    struct row r = {.recipient = {.id = sql_get_int(rows, 0),
                                  .message = sql_get_int(rows, 1),
                                  .address = arena_copy(a, sql_get_str(rows, 2)),
                                  .domain = arena_copy(a, sql_get_str(rows, 3)),
                                  .account = sql_get_int(rows, 4),
                                  .flow = sql_get_int(rows, 5),
                                  .original = arena_copy(a, sql_get_str(rows, 6)),
                                  .detail = STR(""),
                                  .asked = {.notify = (unsigned)sql_get_int(rows, 7),
                                            .original = arena_copy(a, sql_get_str(rows, 8))}}};
    r.change = (struct queue_admin_change){.message = r.recipient.message,
                                           .address = r.recipient.address,
                                           .sender = arena_copy(a, sql_get_str(rows, 9)),
                                           .delivery = arena_copy(a, sql_get_str(rows, 10))};
    return r;
}

/* Returns how many rows there were, -1 for an error; *last is the key of the last one. */
static int64_t read_page(struct changing *c, int64_t from, int64_t past, int64_t *last, struct err *e)
{
    struct sql_rows rows;
    int64_t n = 0;
    arena_reset(&c->arena);
    c->count = 0;
    c->rows = ARENA_ARRAY(&c->arena, struct row, PAGE_ROWS);
    if (!sql_query(c->db, &CHANGE_PAGE, SQL(sql_int(from), sql_int(past), sql_int(PAGE_ROWS)), &rows, e))
        return -1;
    for (; sql_next(&rows); n++) {
        *last = sql_get_int(&rows, 0);
        c->rows[c->count] = read_row(&rows, &c->arena);
        c->count += is_wanted(c, &c->rows[c->count]);
    }
    return sql_end(&rows, e) ? n : -1;
}

/* Several recipients of a message that are redirected to one address become one. Where it leads is asked of
 * the directory when its turn comes, as for a report of ours (QUEUE_RESOLVE). */
static bool add_target(struct changing *c, const struct queue_row_recipient *old, struct err *e)
{
    int64_t there = 0;
    struct queue_row_recipient r = *old;
    if (sql_one_int(c->db, &CHANGE_IS_THERE,
                    SQL(sql_int(queue_db_first_recipient(old->message)),
                        sql_int(queue_db_past_recipient(old->message)), sql_int(old->message),
                        sql_text(c->to)),
                    &there, e) < 0)
        return false;
    if (there > 0)
        return true;
    r.id = 0;
    r.account = QUEUE_RESOLVE;
    r.address = c->to;
    r.original = old->original.n > 0 ? old->original : old->address;
    r.domain = QUEUE_LOCAL_DOMAIN;
    r.next_attempt = c->now;
    return queue_db_add_recipient(c->db, &r, e);
}

static bool change_row(struct changing *c, struct row *r, struct err *e)
{
    int64_t changed = 0;
    bool gone;
    struct sql_params params = SQL(sql_int(r->recipient.id), sql_int(c->now));
    if (!CHANGES[c->action].takes_now)
        params.n--;
    if (!sql_exec(c->db, CHANGES[c->action].statement, params, &changed, e))
        return false;
    r->done = changed > 0;
    if (r->done && c->action == QUEUE_ADMIN_REDIRECT)
        return add_target(c, &r->recipient, e);
    if (r->done && c->action == QUEUE_ADMIN_DROP)
        return queue_db_finish(c->db, r->recipient.message, &gone, e);
    return true;
}

static bool change_page(struct changing *c, struct err *e)
{
    if (c->count == 0)
        return true;
    bool good = sql_begin_write(c->db, e);
    for (size_t i = 0; good && i < c->count; i++)
        good = change_row(c, &c->rows[i], e);
    if (good && sql_commit(c->db, e))
        return true;
    sql_rollback(c->db);
    return false;
}

static bool change(struct changing *c, void (*each)(void *, const struct queue_admin_change *), void *context,
                   struct queue_admin_counts *counts, struct err *e)
{
    int64_t id = c->filter->id, n = PAGE_ROWS, last = 0, last_message = 0;
    int64_t from = id == QUEUE_ADMIN_ANY ? 0 : queue_db_first_recipient(id);
    int64_t past = id == QUEUE_ADMIN_ANY ? INT64_MAX : queue_db_past_recipient(id);
    while (n == PAGE_ROWS) {
        n = read_page(c, from, past, &last, e);
        if (n < 0 || !change_page(c, e))
            return false;
        from = last + 1;
        for (size_t i = 0; i < c->count; i++) {
            const struct row *r = &c->rows[i];
            if (!r->done)
                continue;
            counts->recipients++;
            counts->messages += r->change.message != last_message;
            last_message = r->change.message;
            each(context, &r->change);
        }
    }
    return counts->recipients > 0 || id == QUEUE_ADMIN_ANY ||
           err_set(e, ERR_PERMANENT,
                   "there is no message %lld in the queue, or nobody of it to whom this could be "
                   "done",
                   (long long)id);
}

bool queue_admin_change(const struct config *c, enum queue_admin_action action,
                        const struct queue_admin_filter *f, struct str to,
                        void (*each)(void *context, const struct queue_admin_change *change), void *context,
                        struct queue_admin_counts *counts, struct err *e)
{
    CLEAN_CLOSE int lock = -1;
    CLEAN_SQL struct sql *db = transit_beside(c, &lock, e);
    struct changing w = {.db = db, .action = action, .filter = f, .to = to, .now = clock_wall()};
    *counts = (struct queue_admin_counts){0};
    bool good = db && change(&w, each, context, counts, e);
    arena_free(&w.arena);
    return good;
}
