#include "queue/admin.h"

#include "base/clock.h"
#include "queue/db.h"

QUEUE_STATEMENT(ADMIN_MESSAGES,
                "SELECT id, sender, size, arrived FROM message WHERE $1 = 0 OR id = $1 ORDER BY id");
QUEUE_STATEMENT(ADMIN_COUNT, "SELECT count(*) FROM recipient WHERE id >= $1 AND id < $2");
QUEUE_STATEMENT(ADMIN_RECIPIENTS, "SELECT address, state, attempts, next_attempt, host, "
                                  "reply FROM recipient WHERE id >= $1 AND id < $2 ORDER BY id");
QUEUE_STATEMENT(ADMIN_ATTEMPT_COUNT, "SELECT count(*) FROM attempt WHERE message = $1");
QUEUE_STATEMENT(ADMIN_ATTEMPTS,
                "SELECT coalesce(r.address, ''), a.host, a.reply, a.at FROM attempt a"
                " LEFT JOIN recipient r ON r.id = a.recipient WHERE a.message = $1 ORDER BY a.id");
QUEUE_STATEMENT(ADMIN_WAITING,
                "SELECT count(DISTINCT message) FROM recipient WHERE state = 0 AND id >= $1 AND id < $2");
/* What is due already may be in the server's hands at this moment, and is left to it. */
QUEUE_STATEMENT(ADMIN_RETRY, "UPDATE recipient SET next_attempt = $3 WHERE state = 0 AND next_attempt > $3"
                             " AND id >= $1 AND id < $2");
QUEUE_STATEMENT(ADMIN_DROP, "DELETE FROM message WHERE $1 = 0 OR id = $1");
QUEUE_STATEMENT(ADMIN_DROP_RECIPIENTS, "DELETE FROM recipient WHERE id >= $1 AND id < $2");
QUEUE_STATEMENT(ADMIN_DROP_CHUNKS,
                "DELETE FROM chunk WHERE ($1 = 0 OR id >= $1 * 65536) AND ($1 = 0 OR id < ($1 + 1) * 65536)");

/* The keys of a message's recipients, or of all. */
static int64_t first_of(int64_t id)
{
    return id == QUEUE_ADMIN_ALL ? 0 : queue_db_first_recipient(id);
}

static int64_t past_of(int64_t id)
{
    return id == QUEUE_ADMIN_ALL ? INT64_MAX : queue_db_past_recipient(id);
}

static bool no_such_message(int64_t id, struct err *e)
{
    return err_set(e, ERR_PERMANENT, "there is no message %lld in the queue", (long long)id);
}

static bool read_recipients(struct sql *db, int64_t id, struct arena *a, struct queue_admin_message *m,
                            struct err *e)
{
    struct sql_rows rows;
    int64_t count = 0;
    if (sql_one_int(db, &ADMIN_COUNT, SQL(sql_int(first_of(id)), sql_int(past_of(id))), &count, e) < 0 ||
        !sql_query(db, &ADMIN_RECIPIENTS, SQL(sql_int(first_of(id)), sql_int(past_of(id))), &rows, e))
        return false;
    m->recipients = ARENA_ARRAY(a, struct queue_admin_recipient, (size_t)count);
    while (m->recipient_count < (size_t)count && sql_next(&rows))
        m->recipients[m->recipient_count++] = (struct queue_admin_recipient){
            .address = arena_copy(a, sql_get_str(&rows, 0)),
            .state = (enum queue_state)sql_get_int(&rows, 1),
            .attempts = (unsigned)sql_get_int(&rows, 2),
            .next_attempt = sql_get_int(&rows, 3),
            .host = arena_copy(a, sql_get_str(&rows, 4)),
            .reply = arena_copy(a, sql_get_str(&rows, 5)),
        };
    return sql_end(&rows, e);
}

static bool read_attempts(struct sql *db, int64_t id, struct arena *a, struct queue_admin_message *m,
                          struct err *e)
{
    struct sql_rows rows;
    int64_t count = 0;
    if (sql_one_int(db, &ADMIN_ATTEMPT_COUNT, SQL(sql_int(id)), &count, e) < 0 ||
        !sql_query(db, &ADMIN_ATTEMPTS, SQL(sql_int(id)), &rows, e))
        return false;
    m->attempts = ARENA_ARRAY(a, struct queue_admin_attempt, (size_t)count);
    while (m->attempt_count < (size_t)count && sql_next(&rows))
        m->attempts[m->attempt_count++] = (struct queue_admin_attempt){
            .address = arena_copy(a, sql_get_str(&rows, 0)),
            .host = arena_copy(a, sql_get_str(&rows, 1)),
            .reply = arena_copy(a, sql_get_str(&rows, 2)),
            .at = sql_get_int(&rows, 3),
        };
    return sql_end(&rows, e);
}

static struct queue_admin_message message_of(const struct sql_rows *rows, struct arena *a)
{
    return (struct queue_admin_message){
        .id = sql_get_int(rows, 0),
        .sender = arena_copy(a, sql_get_str(rows, 1)),
        .size = (uint64_t)sql_get_int(rows, 2),
        .arrived = sql_get_int(rows, 3),
    };
}

/* In one read transaction: the queue as it was at one moment. */
bool queue_admin_list(const struct config *c,
                      void (*each)(void *context, const struct queue_admin_message *m), void *context,
                      struct err *e)
{
    CLEAN_SQL struct sql *db = queue_db_open(c, false, e);
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct sql_rows rows;
    if (!db || !sql_begin_read(db, e) || !sql_query(db, &ADMIN_MESSAGES, SQL(sql_int(0)), &rows, e))
        return false;
    bool ok = true;
    while (ok && sql_next(&rows)) {
        arena_reset(&a);
        struct queue_admin_message m = message_of(&rows, &a);
        ok = read_recipients(db, m.id, &a, &m, e);
        if (ok)
            each(context, &m);
    }
    ok = sql_end(&rows, ok ? e : NULL) && ok;
    sql_rollback(db);
    return ok;
}

bool queue_admin_show(const struct config *c, int64_t id, struct arena *a, struct queue_admin_message *out,
                      struct err *e)
{
    CLEAN_SQL struct sql *db = queue_db_open(c, false, e);
    struct sql_rows rows;
    if (id <= 0)
        return no_such_message(id, e);
    if (!db || !sql_begin_read(db, e) || !sql_query(db, &ADMIN_MESSAGES, SQL(sql_int(id)), &rows, e))
        return false;
    bool found = sql_next(&rows);
    if (found)
        *out = message_of(&rows, a);
    if (!sql_end(&rows, e))
        return false;
    if (!found)
        return no_such_message(id, e);
    CLEAN_BUF struct buf start;
    buf_init(&start, QUEUE_ADMIN_HEADER_MAX);
    if (!read_recipients(db, id, a, out, e) || !read_attempts(db, id, a, out, e) ||
        !queue_db_start(db, id, &start, e))
        return false;
    struct str header = buf_str(&start);
    size_t end = str_find(header, STR("\r\n\r\n"));
    out->header = arena_copy(a, end == STR_NONE ? header : str_slice(header, 0, end + 2));
    sql_rollback(db);
    return true;
}

bool queue_admin_retry(const struct config *c, int64_t id, size_t *count, struct err *e)
{
    CLEAN_SQL struct sql *db = queue_db_open(c, false, e);
    int64_t waiting = 0;
    if (!db || !sql_begin_write(db, e) ||
        sql_one_int(db, &ADMIN_WAITING, SQL(sql_int(first_of(id)), sql_int(past_of(id))), &waiting, e) < 0)
        return false;
    if (waiting == 0 && id != QUEUE_ADMIN_ALL)
        return no_such_message(id, e);
    *count = (size_t)waiting;
    return sql_exec(db, &ADMIN_RETRY, SQL(sql_int(first_of(id)), sql_int(past_of(id)), sql_int(clock_wall())),
                    NULL, e) &&
           sql_commit(db, e);
}

bool queue_admin_drop(const struct config *c, int64_t id, size_t *count, struct err *e)
{
    CLEAN_SQL struct sql *db = queue_db_open(c, false, e);
    int64_t dropped = 0;
    if (!db || !sql_begin_write(db, e) || !sql_exec(db, &ADMIN_DROP, SQL(sql_int(id)), &dropped, e) ||
        !sql_exec(db, &ADMIN_DROP_RECIPIENTS, SQL(sql_int(first_of(id)), sql_int(past_of(id))), NULL, e) ||
        !sql_exec(db, &ADMIN_DROP_CHUNKS, SQL(sql_int(id)), NULL, e))
        return false;
    if (dropped == 0 && id != QUEUE_ADMIN_ALL)
        return no_such_message(id, e);
    *count = (size_t)dropped;
    return sql_commit(db, e);
}
