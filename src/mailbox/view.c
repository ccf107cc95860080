#include "base/mem.h"
#include "mailbox/internal.h"

MAIL_STATEMENT(STATE, "SELECT highestmodseq, messages FROM mailbox WHERE id = $1 AND selectable = 1");
MAIL_STATEMENT(ROWS,
               "SELECT id, flags, modseq, keywords FROM message WHERE id BETWEEN $1 AND $2 ORDER BY id");
/* The plus keeps SQLite from reading the whole mailbox in the order of its key: changes are few, and found by
 * their modseq. */
MAIL_STATEMENT(CHANGED, "SELECT id, flags, modseq, keywords FROM message WHERE modseq > "
                        "$1 AND +id BETWEEN $2 AND $3 ORDER BY +id");
MAIL_STATEMENT(EXPUNGED, "SELECT id FROM expunged WHERE modseq > $1 AND +id BETWEEN $2 AND $3 ORDER BY +id");

#define FIRST(mailbox) sql_int(message_id((mailbox), 0))
#define LAST(mailbox)  sql_int(message_id((mailbox), UID_MAX))

void view_free(struct view *v)
{
    free(v->v);
    *v = (struct view){0};
}

static enum store_result read_state(struct sql *db, int64_t mailbox, uint64_t *modseq, size_t *messages,
                                    struct err *e)
{
    struct sql_rows rows;
    *modseq = *messages = 0;
    if (!sql_query(db, &STATE, SQL(sql_int(mailbox)), &rows, e))
        return STORE_FAILED;
    bool found = sql_next(&rows);
    if (found) {
        *modseq = (uint64_t)sql_get_int(&rows, 0);
        *messages = (size_t)sql_get_int(&rows, 1);
    }
    if (!sql_end(&rows, e))
        return STORE_FAILED;
    if (!found)
        err_set(e, ERR_PERMANENT, "there is no such mailbox any more");
    return found ? STORE_OK : STORE_NONE;
}

static struct view_row view_row(const struct sql_rows *rows, struct arena *a)
{
    struct str keywords = sql_get_str(rows, 3);
    return (struct view_row){
        .uid = message_uid(sql_get_int(rows, 0)),
        .flags = (uint32_t)sql_get_int(rows, 1),
        .modseq = (uint64_t)sql_get_int(rows, 2),
        .keywords = keywords.n > 0 ? arena_copy(a, keywords) : STR(""),
    };
}

static void view_add(struct view *v, struct view_row row)
{
    if (v->n == v->cap) {
        v->cap = v->cap ? v->cap * 2 : 16;
        v->v = mem_resize(v->v, v->cap, sizeof *v->v);
    }
    v->v[v->n++] = row;
}

static enum store_result load(struct sql *db, int64_t mailbox, struct arena *keywords, struct view *v,
                              struct err *e)
{
    size_t messages;
    enum store_result r = read_state(db, mailbox, &v->modseq, &messages, e);
    if (r != STORE_OK)
        return r;
    v->n = 0;
    if (v->cap < messages) {
        v->cap = messages;
        v->v = mem_resize(v->v, v->cap, sizeof *v->v);
    }
    struct sql_rows rows;
    if (!sql_query(db, &ROWS, SQL(FIRST(mailbox), LAST(mailbox)), &rows, e))
        return STORE_FAILED;
    while (sql_next(&rows))
        view_add(v, view_row(&rows, keywords));
    return sql_end(&rows, e) ? STORE_OK : STORE_FAILED;
}

enum store_result store_view_load(struct store *s, int64_t mailbox, struct arena *keywords, struct view *v,
                                  struct err *e)
{
    struct connection *c = pool_take(&s->pool, e);
    if (!c)
        return STORE_FAILED;
    enum store_result r = STORE_FAILED;
    if (sql_begin_read(c->db, e)) {
        r = load(c->db, mailbox, keywords, v, e);
        sql_rollback(c->db); /* it has only read */
    }
    pool_give(&s->pool, c);
    return r;
}

static enum store_result changes(struct sql *db, int64_t mailbox, uint64_t since, struct arena *a,
                                 struct view_changes *out, struct err *e)
{
    size_t messages, cap = 0;
    enum store_result r = read_state(db, mailbox, &out->modseq, &messages, e);
    if (r != STORE_OK || out->modseq <= since)
        return r;
    struct sql_rows rows;
    struct sql_params span = SQL(sql_int((int64_t)since), FIRST(mailbox), LAST(mailbox));
    if (!sql_query(db, &CHANGED, span, &rows, e))
        return STORE_FAILED;
    while (sql_next(&rows)) {
        out->changed = list_room(a, out->changed, out->changed_count, &cap, sizeof *out->changed);
        out->changed[out->changed_count++] = view_row(&rows, a);
    }
    if (!sql_end(&rows, e) || !sql_query(db, &EXPUNGED, span, &rows, e))
        return STORE_FAILED;
    for (cap = 0; sql_next(&rows);) {
        out->expunged = list_room(a, out->expunged, out->expunged_count, &cap, sizeof *out->expunged);
        out->expunged[out->expunged_count++] = message_uid(sql_get_int(&rows, 0));
    }
    return sql_end(&rows, e) ? STORE_OK : STORE_FAILED;
}

enum store_result store_view_changes(struct store *s, int64_t mailbox, uint64_t since, struct arena *a,
                                     struct view_changes *out, struct err *e)
{
    *out = (struct view_changes){0};
    struct connection *c = pool_take(&s->pool, e);
    if (!c)
        return STORE_FAILED;
    enum store_result r = STORE_FAILED;
    if (sql_begin_read(c->db, e)) {
        r = changes(c->db, mailbox, since, a, out, e);
        sql_rollback(c->db);
    }
    pool_give(&s->pool, c);
    return r;
}
