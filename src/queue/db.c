#include "queue/db.h"

#include "base/mem.h"
#include "base/sealed.h"
#include "storage/source.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* Messages are kept in pieces: one value of 50 MiB would have to be in memory as a whole. The number of a
 * piece stands in the low bits of its key, so that a message's pieces lie side by side without an index. */
#define CHUNK_BYTES ((size_t)256 * 1024)
#define CHUNK_BITS  16
#define CHUNKS_MAX  ((uint64_t)1 << CHUNK_BITS)

static const struct sql_migration MIGRATIONS[] = {
    {"CREATE TABLE message ("
     "  id INTEGER PRIMARY KEY AUTOINCREMENT," /* never used again: it names the message in logs */
     "  delivery BLOB NOT NULL,"
     "  sender TEXT NOT NULL,"
     "  size INTEGER NOT NULL,"
     "  is_8bit INTEGER NOT NULL,"
     "  arrived INTEGER NOT NULL);"
     "CREATE TABLE chunk ("
     "  id INTEGER PRIMARY KEY," /* message << 16 | number */
     "  bytes BLOB NOT NULL);"
     "CREATE TABLE recipient ("
     "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
     "  message INTEGER NOT NULL REFERENCES message (id) ON DELETE CASCADE,"
     "  address TEXT NOT NULL,"
     "  account INTEGER NOT NULL,"
     "  original TEXT NOT NULL,"
     "  detail TEXT NOT NULL,"
     "  domain TEXT NOT NULL,"
     "  state INTEGER NOT NULL," /* enum queue_state */
     "  attempts INTEGER NOT NULL,"
     "  warned INTEGER NOT NULL,"
     "  next_attempt INTEGER NOT NULL,"
     "  host TEXT NOT NULL,"
     "  reply TEXT NOT NULL);"
     "CREATE INDEX recipient_message ON recipient (message);"
     "CREATE INDEX recipient_due ON recipient (domain, next_attempt, id) WHERE state = 0;"
     "CREATE TABLE attempt ("
     "  id INTEGER PRIMARY KEY,"
     "  message INTEGER NOT NULL REFERENCES message (id) ON DELETE CASCADE,"
     "  recipient INTEGER NOT NULL,"
     "  at INTEGER NOT NULL,"
     "  host TEXT NOT NULL,"
     "  reply TEXT NOT NULL);"
     "CREATE INDEX attempt_message ON attempt (message);",
     QUEUE_PGSQL_1},
};
const struct sql_schema QUEUE_SCHEMA = {"queue", MIGRATIONS, sizeof MIGRATIONS / sizeof *MIGRATIONS, "node"};

QUEUE_INSERT(MESSAGE_ADD,
             "INSERT INTO message (delivery, sender, size, is_8bit, arrived) VALUES ($1, $2, $3, $4, $5)");
QUEUE_STATEMENT(CHUNK_ADD, "INSERT INTO chunk (id, bytes) VALUES ($1, $2)");
QUEUE_INSERT(
    RECIPIENT_ADD,
    "INSERT INTO recipient (message, address, account, original, detail, domain, state, attempts, warned,"
    " next_attempt, host, reply) VALUES ($1, $2, $3, $4, $5, $6, 0, $7, $8, $9, '', '')");
QUEUE_STATEMENT(DUE,
                "SELECT r.id, r.message, r.address, r.account, r.original, r.detail, r.attempts, r.warned,"
                " r.next_attempt, m.delivery, m.sender, m.size, m.is_8bit, m.arrived"
                " FROM recipient r JOIN message m ON m.id = r.message"
                " WHERE r.state = 0 AND r.domain = $1 AND r.next_attempt <= $2 AND r.next_attempt >= $3"
                " AND (r.next_attempt > $3 OR r.id > $4)"
                " ORDER BY r.next_attempt, r.id LIMIT $5");
QUEUE_STATEMENT(NEXT_AT,
                "SELECT next_attempt FROM recipient WHERE state = 0 AND domain = $1 AND next_attempt > $2"
                " ORDER BY next_attempt LIMIT 1");
QUEUE_STATEMENT(FIRST_DOMAIN,
                "SELECT domain FROM recipient WHERE state = 0 AND domain >= $1 ORDER BY domain LIMIT 1");
QUEUE_STATEMENT(NEXT_DOMAIN,
                "SELECT domain FROM recipient WHERE state = 0 AND domain > $1 ORDER BY domain LIMIT 1");
QUEUE_STATEMENT(CHUNK, "SELECT bytes FROM chunk WHERE id = $1");
QUEUE_STATEMENT(SET_ENDED, "UPDATE recipient SET state = $2, attempts = attempts + 1, host = $3, reply = $4"
                           " WHERE id = $1 AND state = 0");
QUEUE_STATEMENT(
    SET_DEFERRED,
    "UPDATE recipient SET attempts = attempts + 1, next_attempt = $2, warned = $3, host = $4, reply = $5"
    " WHERE id = $1 AND state = 0");
QUEUE_STATEMENT(ATTEMPT_ADD,
                "INSERT INTO attempt (message, recipient, at, host, reply) VALUES ($1, $2, $3, $4, $5)");
QUEUE_STATEMENT(RECIPIENT_REMOVE, "DELETE FROM recipient WHERE id = $1 AND state = 0");
QUEUE_STATEMENT(FINISH, "DELETE FROM message WHERE id = $1"
                        " AND NOT EXISTS (SELECT 1 FROM recipient WHERE message = $1 AND state = 0)");
QUEUE_STATEMENT(CHUNKS_REMOVE, "DELETE FROM chunk WHERE id >= $1 AND id < $2");

static int64_t chunk_id(int64_t message, uint64_t number)
{
    return (int64_t)((uint64_t)message << CHUNK_BITS | number);
}

/* --- the file --- */

char *queue_db_folder(const struct config *c)
{
    char *path;
    if (asprintf(&path, "%.*s/queue", STR_ARGS(c->data)) < 0)
        abort(); /* out of memory */
    return path;
}

/* In PostgreSQL it is there as soon as somebody asks. */
struct sql *queue_db_open(const struct config *c, bool make, struct err *e)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    if (source_is_postgresql(c)) {
        struct sql_source source = source_of_command(c, NULL, source_node(c, &a), &a);
        return sql_open_at(&source, &QUEUE_SCHEMA, false, e);
    }
    CLEAN_FREE char *folder = queue_db_folder(c);
    CLEAN_FREE char *path = NULL;
    if (asprintf(&path, "%s/queue.db", folder) < 0)
        abort();
    if (!make && access(path, F_OK) != 0) {
        err_set(e, ERR_PERMANENT, "%s is not there: the server has not run yet", path);
        return NULL;
    }
    if (make && mkdir(folder, 0700) != 0 && errno != EEXIST) {
        err_set(e, ERR_INTERNAL, "cannot make the folder %s: %s", folder, strerror(errno));
        return NULL;
    }
    return sql_open(path, &QUEUE_SCHEMA, e);
}

/* --- in --- */

bool queue_db_add_message(struct sql *db, struct queue_row_message *m, struct str bytes, struct err *e)
{
    if (bytes.n / CHUNK_BYTES >= CHUNKS_MAX)
        return err_set(e, ERR_PERMANENT, "5.3.4 the message is too large for the queue");
    if (!sql_exec(db, &MESSAGE_ADD,
                  SQL(sql_blob(m->delivery), sql_text(m->sender), sql_int((int64_t)m->size),
                      sql_int(m->is_8bit), sql_int(m->arrived)),
                  NULL, e))
        return false;
    m->id = sql_last_id(db);
    for (uint64_t number = 0; number * CHUNK_BYTES < bytes.n; number++) {
        struct str piece = str_slice(bytes, number * CHUNK_BYTES, CHUNK_BYTES);
        if (!sql_exec(db, &CHUNK_ADD, SQL(sql_int(chunk_id(m->id, number)), sql_blob(piece)), NULL, e))
            return false;
    }
    return true;
}

bool queue_db_add_recipient(struct sql *db, struct queue_row_recipient *r, struct err *e)
{
    if (!sql_exec(db, &RECIPIENT_ADD,
                  SQL(sql_int(r->message), sql_text(r->address), sql_int(r->account), sql_text(r->original),
                      sql_text(r->detail), sql_text(r->domain), sql_int(r->attempts), sql_int(r->warned),
                      sql_int(r->next_attempt)),
                  NULL, e))
        return false;
    r->id = sql_last_id(db);
    return true;
}

/* --- out --- */

bool queue_db_due(struct sql *db, const struct queue_due *q, queue_db_due_fn *each, void *context,
                  struct err *e)
{
    struct sql_rows rows;
    if (!sql_query(db, &DUE,
                   SQL(sql_text(q->domain), sql_int(q->now), sql_int(q->after_at), sql_int(q->after_id),
                       sql_int(q->limit)),
                   &rows, e))
        return false;
    while (sql_next(&rows)) {
        struct queue_row_recipient r = {
            .id = sql_get_int(&rows, 0),
            .message = sql_get_int(&rows, 1),
            .address = sql_get_str(&rows, 2),
            .account = sql_get_int(&rows, 3),
            .original = sql_get_str(&rows, 4),
            .detail = sql_get_str(&rows, 5),
            .domain = q->domain,
            .attempts = (unsigned)sql_get_int(&rows, 6),
            .warned = sql_get_int(&rows, 7) != 0,
            .next_attempt = sql_get_int(&rows, 8),
        };
        struct queue_row_message m = {
            .id = r.message,
            .delivery = sql_get_str(&rows, 9),
            .sender = sql_get_str(&rows, 10),
            .size = (uint64_t)sql_get_int(&rows, 11),
            .is_8bit = sql_get_int(&rows, 12) != 0,
            .arrived = sql_get_int(&rows, 13),
        };
        each(context, &m, &r);
    }
    return sql_end(&rows, e);
}

int queue_db_next_at(struct sql *db, struct str domain, int64_t after, int64_t *at, struct err *e)
{
    return sql_one_int(db, &NEXT_AT, SQL(sql_text(domain), sql_int(after)), at, e);
}

int queue_db_next_domain(struct sql *db, struct str after, bool first, struct buf *domain, struct err *e)
{
    struct sql_rows rows;
    if (!sql_query(db, first ? &FIRST_DOMAIN : &NEXT_DOMAIN, SQL(sql_text(after)), &rows, e))
        return -1;
    int found = 0;
    if (sql_next(&rows)) {
        buf_add(domain, sql_get_str(&rows, 0));
        found = 1;
    }
    return sql_end(&rows, e) ? found : -1;
}

/* The piece of this number at the end of `fd`: its bytes, 0 for none, -1 for an error. */
static int64_t copy_chunk(struct sql *db, int64_t message, uint64_t number, int fd, struct err *e)
{
    struct sql_rows rows;
    int64_t n = 0;
    bool ok = true;
    if (!sql_query(db, &CHUNK, SQL(sql_int(chunk_id(message, number))), &rows, e))
        return -1;
    if (sql_next(&rows)) {
        struct str piece = sql_get_str(&rows, 0);
        ok = sealed_write(fd, piece, e);
        n = (int64_t)piece.n;
    }
    return sql_end(&rows, ok ? e : NULL) && ok ? n : -1;
}

int queue_db_bytes(struct sql *db, int64_t message, uint64_t size, struct err *e)
{
    CLEAN_CLOSE int fd = sealed_open("golub-queue", e);
    uint64_t written = 0;
    bool ok = fd >= 0;
    int64_t n = 0;
    for (uint64_t number = 0; ok && written < size; number++, written += (uint64_t)n) {
        n = copy_chunk(db, message, number, fd, e);
        ok = n >= 0;
        if (n <= 0)
            break;
    }
    if (ok && written != size)
        ok = err_set(e, ERR_INTERNAL, "message %lld has %llu bytes on disk instead of %llu",
                     (long long)message, (unsigned long long)written, (unsigned long long)size);
    if (!ok || !sealed_close_writing(fd, e))
        return -1;
    int result = fd;
    fd = -1;
    return result;
}

bool queue_db_start(struct sql *db, int64_t message, struct buf *out, struct err *e)
{
    struct sql_rows rows;
    if (!sql_query(db, &CHUNK, SQL(sql_int(chunk_id(message, 0))), &rows, e))
        return false;
    if (sql_next(&rows))
        buf_add(out, str_slice(sql_get_str(&rows, 0), 0, out->max - out->n));
    return sql_end(&rows, e);
}

/* --- what became of a recipient --- */

static bool set_ended(struct sql *db, const struct queue_row_attempt *a, enum queue_state state, bool *there,
                      struct err *e)
{
    int64_t changed = 0;
    bool ok = sql_exec(db, &SET_ENDED,
                       SQL(sql_int(a->recipient), sql_int(state), sql_text(a->host), sql_text(a->reply)),
                       &changed, e);
    *there = changed > 0;
    return ok;
}

bool queue_db_sent(struct sql *db, const struct queue_row_attempt *a, bool *there, struct err *e)
{
    return set_ended(db, a, QUEUE_STATE_SENT, there, e);
}

bool queue_db_failed(struct sql *db, const struct queue_row_attempt *a, bool *there, struct err *e)
{
    return set_ended(db, a, QUEUE_STATE_FAILED, there, e);
}

bool queue_db_deferred(struct sql *db, const struct queue_row_attempt *a, int64_t next_attempt, bool warned,
                       bool *there, struct err *e)
{
    int64_t changed = 0;
    if (!sql_exec(db, &SET_DEFERRED,
                  SQL(sql_int(a->recipient), sql_int(next_attempt), sql_int(warned), sql_text(a->host),
                      sql_text(a->reply)),
                  &changed, e))
        return false;
    *there = changed > 0;
    return !*there || sql_exec(db, &ATTEMPT_ADD,
                               SQL(sql_int(a->message), sql_int(a->recipient), sql_int(a->at),
                                   sql_text(a->host), sql_text(a->reply)),
                               NULL, e);
}

bool queue_db_replace(struct sql *db, int64_t recipient, bool *there, struct err *e)
{
    int64_t changed = 0;
    bool ok = sql_exec(db, &RECIPIENT_REMOVE, SQL(sql_int(recipient)), &changed, e);
    *there = changed > 0;
    return ok;
}

bool queue_db_finish(struct sql *db, int64_t message, struct err *e)
{
    int64_t changed = 0;
    if (!sql_exec(db, &FINISH, SQL(sql_int(message)), &changed, e))
        return false;
    return changed == 0 ||
           sql_exec(db, &CHUNKS_REMOVE, SQL(sql_int(chunk_id(message, 0)), sql_int(chunk_id(message + 1, 0))),
                    NULL, e);
}
