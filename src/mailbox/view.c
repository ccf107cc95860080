#include "base/mem.h"
#include "mailbox/internal.h"

MAIL_STATEMENT(STATE, "SELECT highestmodseq, messages FROM mailbox WHERE id = $1 AND selectable = 1");
MAIL_STATEMENT(
    ROWS, "SELECT id, flags, modseq, keywords FROM message WHERE id BETWEEN $1 AND $2 ORDER BY id LIMIT $3");
/* The plus keeps SQLite from reading the whole mailbox in the order of its key: changes are few, and found by
 * their modseq. */
MAIL_STATEMENT(CHANGED, "SELECT id, flags, modseq, keywords FROM message WHERE modseq > "
                        "$1 AND +id BETWEEN $2 AND $3 ORDER BY +id");
MAIL_STATEMENT(EXPUNGED, "SELECT id FROM expunged WHERE modseq > $1 AND +id BETWEEN $2 AND $3 ORDER BY +id");

MAIL_STATEMENT(MODSEQS, "SELECT id, modseq FROM message WHERE id BETWEEN $1 AND $2 ORDER BY id LIMIT $3");
MAIL_STATEMENT(PURGED, "SELECT purged_modseq FROM mailbox WHERE id = 0");

/* Of one query over a whole mailbox: a server holds its answer in memory. */
#define PAGE_ROWS 20000

#define FIRST(mailbox) sql_int(message_id((mailbox), 0))
#define LAST(mailbox)  sql_int(message_id((mailbox), UID_MAX))

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

static struct changed_row changed_row(const struct sql_rows *rows, struct arena *a)
{
    struct str keywords = sql_get_str(rows, 3);
    return (struct changed_row){
        .uid = message_uid(sql_get_int(rows, 0)),
        .flags = (uint32_t)sql_get_int(rows, 1),
        .modseq = (uint64_t)sql_get_int(rows, 2),
        .keywords = a && keywords.n > 0 ? arena_copy(a, keywords) : keywords,
    };
}

static enum store_result load(struct sql *db, int64_t mailbox, struct view *v, struct err *e)
{
    size_t messages;
    enum store_result r = read_state(db, mailbox, &v->modseq, &messages, e);
    if (r != STORE_OK)
        return r;
    view_reserve(v, messages);
    size_t read = PAGE_ROWS;
    for (uint32_t from = 0; read == PAGE_ROWS;) {
        struct sql_rows rows;
        read = 0;
        if (!sql_query(db, &ROWS, SQL(sql_int(message_id(mailbox, from)), LAST(mailbox), sql_int(PAGE_ROWS)),
                       &rows, e))
            return STORE_FAILED;
        for (; sql_next(&rows); read++) {
            struct changed_row row = changed_row(&rows, NULL);
            view_add(v, &row);
            from = row.uid + 1;
        }
        if (!sql_end(&rows, e))
            return STORE_FAILED;
    }
    return STORE_OK;
}

enum store_result store_view_load(struct store *s, int64_t mailbox, bool keeps_modseqs, struct view *v,
                                  struct err *e)
{
    view_free(v);
    if (keeps_modseqs)
        v->modseqs = mem_new(1, sizeof *v->modseqs);
    struct connection *c = store_take(s, e);
    if (!c)
        return STORE_FAILED;
    enum store_result r = STORE_FAILED;
    if (sql_begin_read(c->db, e)) {
        r = load(c->db, mailbox, v, e);
        sql_rollback(c->db); /* it has only read */
    }
    pool_give(&s->pool, c);
    return r;
}

/* A page of them into the view, from uid *from on and row *row of the view. */
static bool read_modseqs(struct sql *db, int64_t mailbox, struct view *v, size_t *row, uint32_t *from,
                         size_t *read, struct err *e)
{
    struct sql_rows rows;
    *read = 0;
    if (!sql_query(db, &MODSEQS, SQL(sql_int(message_id(mailbox, *from)), LAST(mailbox), sql_int(PAGE_ROWS)),
                   &rows, e))
        return false;
    for (; *row < v->n && sql_next(&rows); ++*read) {
        uint32_t uid = message_uid(sql_get_int(&rows, 0));
        uint64_t modseq = (uint64_t)sql_get_int(&rows, 1);
        while (*row < v->n && v->v[*row].uid < uid)
            ++*row;
        if (*row < v->n && v->v[*row].uid == uid && modseq < v->modseq)
            v->modseqs[*row] = modseq;
        *from = uid + 1;
    }
    return sql_end(&rows, e);
}

enum store_result store_view_keep_modseqs(struct store *s, int64_t mailbox, struct view *v, struct err *e)
{
    if (v->modseqs)
        return STORE_OK;
    struct connection *c = store_take(s, e);
    if (!c)
        return STORE_FAILED;
    v->modseqs = mem_new(v->cap ? v->cap : 1, sizeof *v->modseqs);
    for (size_t i = 0; i < v->n; i++)
        v->modseqs[i] = v->modseq;
    bool good = true;
    size_t row = 0, read = PAGE_ROWS;
    for (uint32_t from = 0; good && read == PAGE_ROWS;)
        good = read_modseqs(c->db, mailbox, v, &row, &from, &read, e);
    pool_give(&s->pool, c);
    return good ? STORE_OK : STORE_FAILED;
}

static bool read_expunged(struct sql *db, int64_t mailbox, uint64_t since, struct arena *a, uint32_t **uids,
                          size_t *n, struct err *e)
{
    struct sql_rows rows;
    size_t cap = *n = 0;
    *uids = NULL;
    if (!sql_query(db, &EXPUNGED, SQL(sql_int((int64_t)since), FIRST(mailbox), LAST(mailbox)), &rows, e))
        return false;
    while (sql_next(&rows)) {
        *uids = list_room(a, *uids, *n, &cap, sizeof **uids);
        (*uids)[(*n)++] = message_uid(sql_get_int(&rows, 0));
    }
    return sql_end(&rows, e);
}

static enum store_result changes(struct sql *db, int64_t mailbox, uint64_t since, struct arena *a,
                                 struct view_changes *out, struct err *e)
{
    size_t cap = 0;
    enum store_result r = read_state(db, mailbox, &out->modseq, &out->messages, e);
    if (r != STORE_OK || out->modseq <= since)
        return r;
    struct sql_rows rows;
    struct sql_params span = SQL(sql_int((int64_t)since), FIRST(mailbox), LAST(mailbox));
    if (!sql_query(db, &CHANGED, span, &rows, e))
        return STORE_FAILED;
    while (sql_next(&rows)) {
        out->changed = list_room(a, out->changed, out->changed_count, &cap, sizeof *out->changed);
        out->changed[out->changed_count++] = changed_row(&rows, a);
    }
    if (!sql_end(&rows, e) || !read_expunged(db, mailbox, since, a, &out->expunged, &out->expunged_count, e))
        return STORE_FAILED;
    return STORE_OK;
}

enum store_result store_view_changes(struct store *s, int64_t mailbox, uint64_t since, struct arena *a,
                                     struct view_changes *out, struct err *e)
{
    *out = (struct view_changes){0};
    struct connection *c = store_take(s, e);
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

enum store_result store_view_expunged(struct store *s, int64_t mailbox, uint64_t since, struct arena *a,
                                      uint32_t **uids, size_t *n, bool *is_complete, struct err *e)
{
    struct connection *c = store_take(s, e);
    if (!c)
        return STORE_FAILED;
    int64_t purged = 0;
    bool good = sql_begin_read(c->db, e);
    if (good) {
        good = sql_one_int(c->db, &PURGED, SQL_NONE, &purged, e) == 1 &&
               read_expunged(c->db, mailbox, since, a, uids, n, e);
        sql_rollback(c->db);
    }
    pool_give(&s->pool, c);
    *is_complete = (uint64_t)purged <= since;
    return good ? STORE_OK : STORE_FAILED;
}
