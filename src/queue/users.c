#include "queue/users.h"

#include "base/log.h"
#include "queue/db.h"

#define LIST_MESSAGES  100                 /* of a page */
#define LIST_BYTES     ((size_t)32 * 1024) /* of a page; the message that passes it fits in a frame with it */
#define RETRY_MESSAGES 200

QUEUE_STATEMENT(USERS_ALL,
                "SELECT id, sender, size, arrived FROM message WHERE id > $1 ORDER BY id LIMIT $2");
QUEUE_STATEMENT(USERS_OWN, "SELECT id, sender, size, arrived FROM message"
                           " WHERE uid = $3 AND uid >= 0 AND id > $1 ORDER BY id LIMIT $2");
QUEUE_STATEMENT(USERS_RECIPIENTS, "SELECT address, state, next_attempt, reply FROM recipient"
                                  " WHERE id >= $1 AND id < $2 AND state IN (0, 3) ORDER BY id LIMIT $3");
QUEUE_STATEMENT(USERS_LATER,
                "SELECT domain, flow, count(*) FROM recipient"
                " WHERE id >= $1 AND id < $2 AND state = 0 AND next_attempt > $3 GROUP BY domain, flow");
QUEUE_STATEMENT(USERS_NOW, "UPDATE recipient SET next_attempt = $3"
                           " WHERE id >= $1 AND id < $2 AND state = 0 AND next_attempt > $3");

struct asked {
    struct sql *db;
    int64_t uid, after;
};

struct head {
    int64_t id, arrived;
    uint64_t size;
    struct str sender;
};

/* The messages of a page: how many, -1 for an error. */
static int64_t read_heads(const struct asked *q, struct head *v, int64_t most, struct arena *a, struct err *e)
{
    struct sql_rows rows;
    bool is_all = q->uid == QUEUE_EVERYBODYS;
    struct sql_params params = SQL(sql_int(q->after), sql_int(most), sql_int(q->uid));
    params.n -= is_all;
    int64_t n = 0;
    if (!sql_query(q->db, is_all ? &USERS_ALL : &USERS_OWN, params, &rows, e))
        return -1;
    while (sql_next(&rows) && n < most)
        v[n++] = (struct head){.id = sql_get_int(&rows, 0),
                               .sender = arena_copy(a, sql_get_str(&rows, 1)),
                               .size = (uint64_t)sql_get_int(&rows, 2),
                               .arrived = sql_get_int(&rows, 3)};
    return sql_end(&rows, e) ? n : -1;
}

/* --- list --- */

struct waiting {
    struct str address, reply;
    int64_t state, next_attempt;
};

static bool put_message(const struct asked *q, const struct head *m, struct ipc_frame *answer,
                        struct arena *a, struct err *e)
{
    struct waiting *v = ARENA_ARRAY(a, struct waiting, QUEUE_USERS_RECIPIENTS);
    struct sql_rows rows;
    uint32_t n = 0;
    if (!sql_query(q->db, &USERS_RECIPIENTS,
                   SQL(sql_int(queue_db_first_recipient(m->id)), sql_int(queue_db_past_recipient(m->id)),
                       sql_int(QUEUE_USERS_RECIPIENTS)),
                   &rows, e))
        return false;
    while (sql_next(&rows) && n < QUEUE_USERS_RECIPIENTS)
        v[n++] =
            (struct waiting){.address = arena_copy(a, sql_get_str(&rows, 0)),
                             .state = sql_get_int(&rows, 1),
                             .next_attempt = sql_get_int(&rows, 2),
                             .reply = arena_copy(a, str_slice(sql_get_str(&rows, 3), 0, QUEUE_REPLY_MAX))};
    if (!sql_end(&rows, e))
        return false;
    if (n == 0)
        return true; /* it is on its way out */
    ipc_put_u8(answer, 1);
    ipc_put_u64(answer, (uint64_t)m->id);
    ipc_put_str(answer, m->sender);
    ipc_put_u64(answer, m->size);
    ipc_put_u64(answer, (uint64_t)m->arrived);
    ipc_put_u32(answer, n);
    for (uint32_t i = 0; i < n; i++) {
        ipc_put_str(answer, v[i].address);
        ipc_put_u8(answer, (uint8_t)v[i].state);
        ipc_put_u64(answer, (uint64_t)v[i].next_attempt);
        ipc_put_str(answer, v[i].reply);
    }
    return true;
}

static bool list(const struct asked *q, struct ipc_frame *answer, struct err *e)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct head v[LIST_MESSAGES];
    int64_t n = read_heads(q, v, LIST_MESSAGES, &a, e), next = 0;
    for (int64_t i = 0; i < n; i++) {
        if (!put_message(q, &v[i], answer, &a, e))
            return false;
        if (answer->payload.n > LIST_BYTES || i + 1 == LIST_MESSAGES) {
            next = v[i].id;
            break;
        }
    }
    ipc_put_u8(answer, 0);
    ipc_put_u64(answer, (uint64_t)next);
    return n >= 0;
}

/* --- retry --- */

struct retrying {
    struct sql *db;
    int64_t at;
    size_t recipients;
    void (*is_due)(void *context, struct str domain, int64_t flow, int64_t at);
    void *context;
};

static bool retry_message(struct retrying *w, int64_t id, struct err *e)
{
    struct sql_rows rows;
    size_t later = 0;
    struct sql_params range =
        SQL(sql_int(queue_db_first_recipient(id)), sql_int(queue_db_past_recipient(id)), sql_int(w->at));
    if (!sql_query(w->db, &USERS_LATER, range, &rows, e))
        return false;
    for (; sql_next(&rows); later += (size_t)sql_get_int(&rows, 2))
        w->is_due(w->context, sql_get_str(&rows, 0), sql_get_int(&rows, 1), w->at);
    w->recipients += later;
    return sql_end(&rows, e) && (later == 0 || sql_exec(w->db, &USERS_NOW, range, NULL, e));
}

/* Due a second from now: what is due in this one may have been read into memory already, and the rest of its
 * lane after it (queue/plan.h). */
static bool retry(const struct asked *q, struct retrying *w, struct ipc_frame *answer, struct err *e)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct head v[RETRY_MESSAGES];
    w->db = q->db;
    w->at = clock_wall() + 1;
    int64_t n = read_heads(q, v, RETRY_MESSAGES, &a, e);
    bool good = n >= 0 && sql_begin_write(q->db, e);
    for (int64_t i = 0; good && i < n; i++)
        good = retry_message(w, v[i].id, e);
    if (!good || !sql_commit(q->db, e)) {
        sql_rollback(q->db);
        return false;
    }
    ipc_put_u64(answer, w->recipients);
    ipc_put_u64(answer, n == RETRY_MESSAGES ? (uint64_t)v[n - 1].id : 0);
    return true;
}

void queue_users_answer(struct sql *db, struct ipc_frame *asked, struct ipc_frame *answer,
                        void (*is_due)(void *context, struct str domain, int64_t flow, int64_t at),
                        void *context)
{
    struct ipc_reader r = ipc_read(asked);
    struct asked q = {.db = db, .uid = (int64_t)ipc_get_u64(&r) - 1};
    struct retrying w = {.is_due = is_due, .context = context};
    struct err e = ERR_INIT;
    q.after = (int64_t)ipc_get_u64(&r);
    ipc_frame_init(answer, QUEUE_USERS_ANSWER);
    bool good = ipc_done(&r)
                    ? asked->type == QUEUE_USERS_LIST ? list(&q, answer, &e) : retry(&q, &w, answer, &e)
                    : err_set(&e, ERR_INTERNAL, "a question that is none");
    if (good)
        return;
    LOG_ERROR("queue.read", F_C("reason", e.text));
    ipc_frame_free(answer);
    ipc_frame_init(answer, QUEUE_USERS_FAILED);
    ipc_put_str(answer, STR("the queue cannot be read now"));
}
