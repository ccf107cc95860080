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

/* A message of at most so many bytes stands in its own row. */
#define INLINE_MAX ((size_t)16 * 1024)

/* Of `message` alone, or with `recipient` beside it: no column of that has one of these names. */
#define MESSAGE_COLUMNS                                                                               \
    "delivery, sender, size, is_8bit, arrived, body, ret, by_mode, by_trace, is_utf8, requires_tls, " \
    "priority,"                                                                                       \
    " deliver_by, hold_until, submitter, uid, language, envid"

#define MESSAGE_VALUES "$1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19"
QUEUE_INSERT(MESSAGE_ADD, "INSERT INTO message (" MESSAGE_COLUMNS ", bytes) VALUES (" MESSAGE_VALUES ")");
QUEUE_STATEMENT(MESSAGE_PUT,
                "INSERT INTO message (" MESSAGE_COLUMNS ", bytes, id) VALUES (" MESSAGE_VALUES ", $20)");
/* Of SQLite's own: there is no journal beside PostgreSQL, and so nobody who would name them by a number. */
#define SQLITE_STATEMENT(name, words) static const struct sql_statement name = {.text = (words)}
SQLITE_STATEMENT(JOURNAL, "SELECT j.generation, s.seq FROM journal j, sqlite_sequence s"
                          " WHERE j.id = 1 AND s.name = 'message'");
SQLITE_STATEMENT(JOURNAL_SET, "UPDATE journal SET generation = $1 WHERE id = 1");
SQLITE_STATEMENT(SEQUENCE_SET, "UPDATE sqlite_sequence SET seq = $1 WHERE name = 'message' AND seq < $1");
QUEUE_STATEMENT(CHUNK_ADD, "INSERT INTO chunk (id, bytes) VALUES ($1, $2)");
QUEUE_STATEMENT(RECIPIENT_ADD,
                "INSERT INTO recipient (id, message, address, account, original, detail, domain, flow, state,"
                " attempts, warned, next_attempt, notify, orcpt, at_hand, host, reply)"
                " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, $9, $10, $11, $12, $13, $14, '', '')");
QUEUE_STATEMENT(RECIPIENT_LAST,
                "SELECT id FROM recipient WHERE id >= $1 AND id < $2 ORDER BY id DESC LIMIT 1");
#define ROW_COLUMNS                                                                                        \
    "r.id, r.message, r.address, r.account, r.original, r.detail, r.domain, r.flow, r.attempts, r.warned," \
    " r.next_attempt, r.notify, r.orcpt, r.host, r.reply, " MESSAGE_COLUMNS
QUEUE_STATEMENT(DUE, "SELECT " ROW_COLUMNS " FROM recipient r JOIN message m ON m.id = r.message"
                     " WHERE r.state = 0 AND r.at_hand = 0 AND r.domain = $1 AND r.flow = $2"
                     " AND r.next_attempt >= $3 AND (r.next_attempt > $3 OR r.id > $4)"
                     " ORDER BY r.next_attempt, r.id LIMIT $5");
QUEUE_STATEMENT(NEXT_FLOW, "SELECT domain, flow, next_attempt FROM recipient WHERE state = 0 AND at_hand = 0"
                           " AND (domain, flow) > ($1, $2) ORDER BY domain, flow, next_attempt LIMIT 1");
QUEUE_STATEMENT(FIRST_DUE, "SELECT next_attempt FROM recipient WHERE state = 0 AND at_hand = 0"
                           " AND domain = $1 AND flow = $2 ORDER BY next_attempt LIMIT 1");
QUEUE_STATEMENT(PUT_DOWN, "UPDATE recipient SET at_hand = 0 WHERE at_hand = 1");
QUEUE_STATEMENT(WAITING, "SELECT " ROW_COLUMNS " FROM recipient r JOIN message m ON m.id = r.message"
                         " WHERE r.id > $1 AND r.id < $2 AND r.state = 0 AND r.warned < $3"
                         " ORDER BY r.id LIMIT $4");
QUEUE_STATEMENT(DEADLINES, "SELECT id, by_mode FROM message WHERE by_mode > 0 AND deliver_by <= $1"
                           " ORDER BY deliver_by LIMIT $2");
QUEUE_STATEMENT(DEADLINE_PASSED, "UPDATE message SET by_mode = 0 WHERE id = $1");
QUEUE_STATEMENT(SET_WARNED, "UPDATE recipient SET at_hand = 0, warned = $2 WHERE id = $1 AND state = 0");
QUEUE_STATEMENT(BYTES, "SELECT bytes FROM message WHERE id = $1");
QUEUE_STATEMENT(CHUNK, "SELECT bytes FROM chunk WHERE id = $1");
QUEUE_STATEMENT(SET_ENDED,
                "UPDATE recipient SET state = $2, at_hand = 0, attempts = attempts + 1, host = $3, reply = $4"
                " WHERE id = $1 AND state IN (0, 3)"); /* held while it was under way */
QUEUE_STATEMENT(
    SET_DEFERRED,
    "UPDATE recipient SET at_hand = 0, attempts = attempts + 1, next_attempt = $2, warned = $3, host = $4,"
    " reply = $5"
    " WHERE id = $1 AND state IN (0, 3)");
QUEUE_STATEMENT(ATTEMPT_ADD, "INSERT INTO attempt (message, recipient, at, fate, host, reply, transcript)"
                             " VALUES ($1, $2, $3, $4, $5, $6, $7)");
QUEUE_STATEMENT(RECIPIENT_REMOVE, "DELETE FROM recipient WHERE id = $1 AND state = 0");
/* State 0 is waiting, 3 held. */
QUEUE_STATEMENT(FINISH, "DELETE FROM message WHERE id = $1 AND NOT EXISTS"
                        " (SELECT 1 FROM recipient r WHERE r.id >= $2 AND r.id < $3 AND r.state IN (0, 3))");
QUEUE_STATEMENT(IS_THERE, "SELECT 1 FROM message WHERE id = $1");
QUEUE_STATEMENT(REMOVE, "DELETE FROM message WHERE id = $1");
QUEUE_STATEMENT(RECIPIENTS_REMOVE, "DELETE FROM recipient WHERE id >= $1 AND id < $2");
QUEUE_STATEMENT(RECIPIENTS_SENT, "DELETE FROM recipient WHERE id >= $1 AND id < $2 AND state = 0");
QUEUE_STATEMENT(CHUNKS_REMOVE, "DELETE FROM chunk WHERE id >= $1 AND id < $2");

int64_t queue_db_first_recipient(int64_t message)
{
    return (int64_t)((uint64_t)message << QUEUE_RECIPIENT_BITS);
}

int64_t queue_db_past_recipient(int64_t message)
{
    return queue_db_first_recipient(message + 1);
}

struct str queue_db_destination(struct str address, struct arena *a)
{
    size_t at = str_rfind_byte(address, '@');
    struct str domain = at == STR_NONE ? STR("") : str_from_offset(address, at + 1);
    char *lower = arena_new(a, domain.n + 1, 1);
    for (size_t i = 0; i < domain.n; i++)
        lower[i] = ascii_lower(domain.p[i]);
    return str_from(lower, domain.n);
}

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

/* The row. Of MESSAGE_ADD's parameters there is one less than of MESSAGE_PUT's: the id. */
static bool insert_message(struct sql *db, const struct sql_statement *s, const struct queue_row_message *m,
                           struct str bytes, struct err *e)
{
    if (bytes.n / CHUNK_BYTES >= CHUNKS_MAX)
        return err_set(e, ERR_PERMANENT, "5.3.4 the message is too large for the queue");
    const struct envelope *x = &m->asked;
    struct sql_params params =
        SQL(sql_blob(m->delivery), sql_text(m->sender), sql_int((int64_t)m->size), sql_int(m->is_8bit),
            sql_int(m->arrived), sql_int(x->body), sql_int(x->ret), sql_int(x->by), sql_int(x->by_trace),
            sql_int(x->is_utf8), sql_int(x->requires_tls), sql_int(x->priority), sql_int(x->deliver_by),
            sql_int(x->hold_until), sql_int(x->submitter), sql_int(x->uid), sql_int(x->language),
            sql_text(x->id), bytes.n <= INLINE_MAX ? sql_blob(bytes) : sql_null(), sql_int(m->id));
    params.n -= s == &MESSAGE_ADD;
    return sql_exec(db, s, params, NULL, e);
}

/* The bytes that have no place in the row. */
static bool add_chunks(struct sql *db, int64_t message, struct str bytes, struct err *e)
{
    for (uint64_t number = 0; bytes.n > INLINE_MAX && number * CHUNK_BYTES < bytes.n; number++) {
        struct str piece = str_slice(bytes, number * CHUNK_BYTES, CHUNK_BYTES);
        if (!sql_exec(db, &CHUNK_ADD, SQL(sql_int(chunk_id(message, number)), sql_blob(piece)), NULL, e))
            return false;
    }
    return true;
}

bool queue_db_add_message(struct sql *db, struct queue_row_message *m, struct str bytes, struct err *e)
{
    if (!insert_message(db, &MESSAGE_ADD, m, bytes, e))
        return false;
    m->id = sql_last_id(db);
    return add_chunks(db, m->id, bytes, e);
}

bool queue_db_put_message(struct sql *db, const struct queue_row_message *m, struct str bytes, struct err *e)
{
    return insert_message(db, &MESSAGE_PUT, m, bytes, e) && add_chunks(db, m->id, bytes, e);
}

bool queue_db_journal(struct sql *db, int64_t *generation, int64_t *last, struct err *e)
{
    struct sql_rows rows;
    bool there = false;
    if (!sql_query(db, &JOURNAL, SQL_NONE, &rows, e))
        return false;
    if ((there = sql_next(&rows))) {
        *generation = sql_get_int(&rows, 0);
        *last = sql_get_int(&rows, 1);
    }
    return sql_end(&rows, e) && (there || err_set(e, ERR_INTERNAL, "the queue's table journal is empty"));
}

bool queue_db_set_journal(struct sql *db, int64_t generation, int64_t last, struct err *e)
{
    return sql_exec(db, &JOURNAL_SET, SQL(sql_int(generation)), NULL, e) &&
           sql_exec(db, &SEQUENCE_SET, SQL(sql_int(last)), NULL, e);
}

/* The number after the last that the message has. */
static bool next_recipient(struct sql *db, int64_t message, int64_t *id, struct err *e)
{
    int64_t past = queue_db_past_recipient(message);
    *id = queue_db_first_recipient(message);
    if (sql_one_int(db, &RECIPIENT_LAST, SQL(sql_int(*id), sql_int(past)), id, e) < 0)
        return false;
    return ++*id < past ||
           err_set(e, ERR_PERMANENT, "message %lld has too many recipients", (long long)message);
}

bool queue_db_add_recipient(struct sql *db, struct queue_row_recipient *r, struct err *e)
{
    if (r->id == 0 && !next_recipient(db, r->message, &r->id, e))
        return false;
    return sql_exec(db, &RECIPIENT_ADD,
                    SQL(sql_int(r->id), sql_int(r->message), sql_text(r->address), sql_int(r->account),
                        sql_text(r->original), sql_text(r->detail), sql_text(r->domain), sql_int(r->flow),
                        sql_int(r->attempts), sql_int(r->warned), sql_int(r->next_attempt),
                        sql_int(r->asked.notify), sql_text(r->asked.original), sql_int(r->at_hand)),
                    NULL, e);
}

/* --- out --- */

static struct envelope read_envelope(const struct sql_rows *rows, int column)
{
    return (struct envelope){
        .body = (enum envelope_body)sql_get_int(rows, column),
        .ret = (enum envelope_return)sql_get_int(rows, column + 1),
        .by = (enum envelope_by)sql_get_int(rows, column + 2),
        .by_trace = sql_get_int(rows, column + 3) != 0,
        .is_utf8 = sql_get_int(rows, column + 4) != 0,
        .requires_tls = sql_get_int(rows, column + 5) != 0,
        .priority = (int)sql_get_int(rows, column + 6),
        .deliver_by = sql_get_int(rows, column + 7),
        .hold_until = sql_get_int(rows, column + 8),
        .submitter = sql_get_int(rows, column + 9),
        .uid = sql_get_int(rows, column + 10),
        .language = (enum config_language)sql_get_int(rows, column + 11),
        .id = sql_get_str(rows, column + 12),
    };
}

/* One row of ROW_COLUMNS. */
static void read_row(const struct sql_rows *rows, struct queue_row_message *m, struct queue_row_recipient *r)
{
    *r = (struct queue_row_recipient){
        .id = sql_get_int(rows, 0),
        .message = sql_get_int(rows, 1),
        .address = sql_get_str(rows, 2),
        .account = sql_get_int(rows, 3),
        .original = sql_get_str(rows, 4),
        .detail = sql_get_str(rows, 5),
        .domain = sql_get_str(rows, 6),
        .flow = sql_get_int(rows, 7),
        .attempts = (unsigned)sql_get_int(rows, 8),
        .warned = (unsigned)sql_get_int(rows, 9),
        .next_attempt = sql_get_int(rows, 10),
        .asked = {.notify = (unsigned)sql_get_int(rows, 11), .original = sql_get_str(rows, 12)},
        .host = sql_get_str(rows, 13),
        .reply = sql_get_str(rows, 14),
    };
    *m = (struct queue_row_message){
        .id = r->message,
        .delivery = sql_get_str(rows, 15),
        .sender = sql_get_str(rows, 16),
        .size = (uint64_t)sql_get_int(rows, 17),
        .is_8bit = sql_get_int(rows, 18) != 0,
        .arrived = sql_get_int(rows, 19),
        .asked = read_envelope(rows, 20),
    };
}

bool queue_db_due(struct sql *db, struct queue_due *q, queue_db_row_fn *each, void *context, struct err *e)
{
    struct sql_rows rows;
    struct queue_row_message m;
    struct queue_row_recipient r;
    if (!sql_query(db, &DUE,
                   SQL(sql_text(q->domain), sql_int(q->flow), sql_int(q->after_at), sql_int(q->after_id),
                       sql_int(q->limit)),
                   &rows, e))
        return false;
    while (sql_next(&rows)) {
        read_row(&rows, &m, &r);
        if (r.next_attempt > q->now) {
            q->later = r.next_attempt;
            break;
        }
        each(context, &m, &r);
    }
    return sql_end(&rows, e);
}

bool queue_db_waiting(struct sql *db, const struct queue_waiting *w, queue_db_row_fn *each, void *context,
                      struct err *e)
{
    struct sql_rows rows;
    struct queue_row_message m;
    struct queue_row_recipient r;
    if (!sql_query(db, &WAITING,
                   SQL(sql_int(w->after), sql_int(w->before), sql_int(w->warned_below), sql_int(w->limit)),
                   &rows, e))
        return false;
    while (sql_next(&rows)) {
        read_row(&rows, &m, &r);
        each(context, &m, &r);
    }
    return sql_end(&rows, e);
}

bool queue_db_deadlines(struct sql *db, int64_t now, struct queue_deadline *list, size_t max, size_t *count,
                        struct err *e)
{
    struct sql_rows rows;
    if (!sql_query(db, &DEADLINES, SQL(sql_int(now), sql_int((int64_t)max)), &rows, e))
        return false;
    while (*count < max && sql_next(&rows))
        list[(*count)++] = (struct queue_deadline){.message = sql_get_int(&rows, 0),
                                                   .by = (enum envelope_by)sql_get_int(&rows, 1)};
    return sql_end(&rows, e);
}

bool queue_db_deadline_passed(struct sql *db, int64_t message, struct err *e)
{
    return sql_exec(db, &DEADLINE_PASSED, SQL(sql_int(message)), NULL, e);
}

int queue_db_next_flow(struct sql *db, struct str after, int64_t after_flow, struct buf *domain,
                       int64_t *flow, int64_t *at, struct err *e)
{
    struct sql_rows rows;
    if (!sql_query(db, &NEXT_FLOW, SQL(sql_text(after), sql_int(after_flow)), &rows, e))
        return -1;
    int found = 0;
    if (sql_next(&rows)) {
        buf_add(domain, sql_get_str(&rows, 0));
        *flow = sql_get_int(&rows, 1);
        *at = sql_get_int(&rows, 2);
        found = 1;
    }
    return sql_end(&rows, e) ? found : -1;
}

int queue_db_first_due(struct sql *db, struct str domain, int64_t flow, int64_t *at, struct err *e)
{
    return sql_one_int(db, &FIRST_DUE, SQL(sql_text(domain), sql_int(flow)), at, e);
}

bool queue_db_put_down(struct sql *db, struct err *e)
{
    return sql_exec(db, &PUT_DOWN, SQL_NONE, NULL, e);
}

/* Where the bytes of a message go as they are read: into memory if they are few, else into a memfd. */
struct pouring {
    int fd; /* -1: */
    struct buf bytes;
    uint64_t poured;
};

static bool pour(struct pouring *to, struct str piece, struct err *e)
{
    to->poured += piece.n;
    if (to->fd >= 0)
        return sealed_write(to->fd, piece, e);
    buf_add(&to->bytes, piece);
    return !to->bytes.overflow || err_set(e, ERR_INTERNAL, "a message is longer on disk than it says");
}

/* The value that `s` finds. *there: it is one, and not NULL. */
static bool pour_value(struct sql *db, const struct sql_statement *s, int64_t id, struct pouring *to,
                       bool *there, struct err *e)
{
    struct sql_rows rows;
    bool ok = true;
    *there = false;
    if (!sql_query(db, s, SQL(sql_int(id)), &rows, e))
        return false;
    if (sql_next(&rows) && !sql_get_null(&rows, 0)) {
        *there = true;
        ok = pour(to, sql_get_str(&rows, 0), e);
    }
    return sql_end(&rows, ok ? e : NULL) && ok;
}

static bool pour_all(struct sql *db, int64_t message, uint64_t size, struct pouring *to, struct err *e)
{
    bool there;
    if (!pour_value(db, &BYTES, message, to, &there, e))
        return false;
    for (uint64_t number = 0; to->poured < size; number++) {
        if (!pour_value(db, &CHUNK, chunk_id(message, number), to, &there, e))
            return false;
        if (!there)
            break;
    }
    return to->poured == size ||
           err_set(e, ERR_INTERNAL, "message %lld has %llu bytes on disk instead of %llu", (long long)message,
                   (unsigned long long)to->poured, (unsigned long long)size);
}

bool queue_db_bytes(struct sql *db, int64_t message, uint64_t size, struct parcel *out, struct err *e)
{
    struct pouring to = {.fd = -1};
    buf_init(&to.bytes, PARCEL_INLINE_MAX);
    if (size > PARCEL_INLINE_MAX && (to.fd = sealed_open("golub-queue", e)) < 0)
        return false;
    bool ok = pour_all(db, message, size, &to, e) && (to.fd < 0 || sealed_close_writing(to.fd, e));
    *out = (struct parcel){.fd = to.fd, .size = size};
    if (to.fd < 0)
        out->bytes = str_from(mem_copy_c(to.bytes.p, to.bytes.n), to.bytes.n);
    buf_free(&to.bytes);
    if (!ok)
        parcel_free(out);
    return ok;
}

static bool add_start(struct sql *db, const struct sql_statement *s, int64_t id, struct buf *out,
                      struct err *e)
{
    struct sql_rows rows;
    if (!sql_query(db, s, SQL(sql_int(id)), &rows, e))
        return false;
    if (sql_next(&rows))
        buf_add(out, str_slice(sql_get_str(&rows, 0), 0, out->max - out->n));
    return sql_end(&rows, e);
}

bool queue_db_start(struct sql *db, int64_t message, struct buf *out, struct err *e)
{
    size_t before = out->n;
    return add_start(db, &BYTES, message, out, e) &&
           (out->n > before || add_start(db, &CHUNK, chunk_id(message, 0), out, e));
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

bool queue_db_deferred(struct sql *db, const struct queue_row_attempt *a, int64_t next_attempt,
                       unsigned warned, bool *there, struct err *e)
{
    int64_t changed = 0;
    bool ok = sql_exec(db, &SET_DEFERRED,
                       SQL(sql_int(a->recipient), sql_int(next_attempt), sql_int(warned), sql_text(a->host),
                           sql_text(a->reply)),
                       &changed, e);
    *there = changed > 0;
    return ok;
}

bool queue_db_warned(struct sql *db, int64_t recipient, unsigned warned, bool *there, struct err *e)
{
    int64_t changed = 0;
    bool ok = sql_exec(db, &SET_WARNED, SQL(sql_int(recipient), sql_int(warned)), &changed, e);
    *there = changed > 0;
    return ok;
}

bool queue_db_add_attempt(struct sql *db, const struct queue_row_attempt *a, struct err *e)
{
    return sql_exec(db, &ATTEMPT_ADD,
                    SQL(sql_int(a->message), sql_int(a->recipient), sql_int(a->at), sql_int(a->fate),
                        sql_text(a->host), sql_text(a->reply), sql_text(a->transcript)),
                    NULL, e);
}

bool queue_db_replace(struct sql *db, int64_t recipient, bool *there, struct err *e)
{
    int64_t changed = 0;
    bool ok = sql_exec(db, &RECIPIENT_REMOVE, SQL(sql_int(recipient)), &changed, e);
    *there = changed > 0;
    return ok;
}

/* Its attempts go with its row: a foreign key sees to that. */
static bool remove_parts(struct sql *db, int64_t message, struct err *e)
{
    return sql_exec(
               db, &RECIPIENTS_REMOVE,
               SQL(sql_int(queue_db_first_recipient(message)), sql_int(queue_db_past_recipient(message))),
               NULL, e) &&
           sql_exec(db, &CHUNKS_REMOVE, SQL(sql_int(chunk_id(message, 0)), sql_int(chunk_id(message + 1, 0))),
                    NULL, e);
}

bool queue_db_finish(struct sql *db, int64_t message, bool *gone, struct err *e)
{
    int64_t changed = 0;
    if (!sql_exec(db, &FINISH,
                  SQL(sql_int(message), sql_int(queue_db_first_recipient(message)),
                      sql_int(queue_db_past_recipient(message))),
                  &changed, e))
        return false;
    *gone = changed > 0;
    return !*gone || remove_parts(db, message, e);
}

bool queue_db_is_there(struct sql *db, int64_t message, bool *there, struct err *e)
{
    int64_t one;
    int found = sql_one_int(db, &IS_THERE, SQL(sql_int(message)), &one, e);
    *there = found > 0;
    return found >= 0;
}

bool queue_db_remove(struct sql *db, int64_t message, bool *there, struct err *e)
{
    int64_t changed = 0;
    if (!sql_exec(db, &REMOVE, SQL(sql_int(message)), &changed, e))
        return false;
    *there = changed > 0;
    return !*there || remove_parts(db, message, e);
}

bool queue_db_remove_sent(struct sql *db, int64_t message, size_t count, uint64_t size, struct err *e)
{
    int64_t first = queue_db_first_recipient(message) + 1, gone = 0;
    return sql_exec(db, &RECIPIENTS_SENT, SQL(sql_int(first), sql_int(first + (int64_t)count)), NULL, e) &&
           sql_exec(db, &FINISH,
                    SQL(sql_int(message), sql_int(first), sql_int(queue_db_past_recipient(message))), &gone,
                    e) &&
           (gone == 0 || size <= INLINE_MAX || remove_parts(db, message, e));
}
