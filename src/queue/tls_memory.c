#include "queue/tls_memory.h"

#include "base/clock.h"
#include "queue/db.h"
#include "queue/tls_received.h"

#include <openssl/evp.h>
#include <openssl/sha.h>

#define SESSIONS_MAX ((uint64_t)1 << 40) /* of a kind and day; more is no mail */
#define DETAILS_MAX                                                                        \
    500 /* kinds of failure of a domain and day that are told apart; more are only counted \
         */
#define ANSWER_MAX ((size_t)100 * 1024) /* of a report's counts: under a frame's, with room for one more */

/* Whose policies have run out are kept a while: they tell `golub` what was. */
#define EXPIRED_KEPT_S (7 * 86400)

QUEUE_STATEMENT(POLICY, "SELECT id, policy, fetched, expires FROM sts_policy WHERE domain = $1");
QUEUE_STATEMENT(POLICY_SET,
                "INSERT INTO sts_policy(domain, id, policy, fetched, expires) VALUES ($1, $2, $3, $4, $5)"
                " ON CONFLICT(domain) DO UPDATE SET id = $2, policy = $3, fetched = $4, expires = $5");
QUEUE_STATEMENT(POLICIES_REMOVE, "DELETE FROM sts_policy WHERE expires < $1");
QUEUE_STATEMENT(
    DAY_OPEN, "INSERT INTO tls_day(day, domain, state, report, attempts, next_attempt, is_asked)"
              " VALUES ($1, $2, 0, 0, 0, 0, 0)"
              " ON CONFLICT(day, domain) DO UPDATE SET state = 0, next_attempt = 0 WHERE tls_day.state > 1");
QUEUE_STATEMENT(DETAILS, "SELECT count(*) FROM tls_count WHERE day = $1 AND domain = $2 AND report = 0");
QUEUE_STATEMENT(COUNT_MORE, "UPDATE tls_count SET sessions = sessions + $4"
                            " WHERE day = $1 AND domain = $2 AND report = 0 AND digest = $3");
QUEUE_STATEMENT(COUNT_ADD,
                "INSERT INTO tls_count(day, domain, report, digest, kind, policy, mx, result, host, address,"
                " reason, sessions, source) VALUES ($1, $2, 0, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)");
QUEUE_STATEMENT(DAY_DUE, "SELECT day, domain, state, report, attempts FROM tls_day"
                         " WHERE state <= 1 AND (day < $1 OR is_asked = 1) AND next_attempt <= $2"
                         " ORDER BY next_attempt, day, domain LIMIT 1");
QUEUE_STATEMENT(DAY_SENDING, "UPDATE tls_day SET state = 1, report = $3 WHERE day = $1 AND domain = $2");
QUEUE_STATEMENT(COUNTS_TAKE,
                "UPDATE tls_count SET report = $3 WHERE day = $1 AND domain = $2 AND report = 0");
QUEUE_STATEMENT(COUNTS,
                "SELECT kind, policy, mx, result, host, address, reason, sessions, source FROM tls_count"
                " WHERE day = $1 AND domain = $2 AND report = $3"
                " ORDER BY kind, policy, mx, result, sessions DESC, digest");
QUEUE_STATEMENT(DAY_AGAIN, "UPDATE tls_day SET attempts = attempts + 1, next_attempt = $4"
                           " WHERE day = $1 AND domain = $2 AND report = $3 AND state = 1");
QUEUE_STATEMENT(DAY_DONE,
                "UPDATE tls_day SET state = CASE WHEN EXISTS (SELECT 1 FROM tls_count c WHERE c.day = $1"
                " AND c.domain = $2 AND c.report = 0) THEN 0 ELSE $4 END, attempts = 0, next_attempt = 0,"
                " is_asked = 0 WHERE day = $1 AND domain = $2 AND report = $3 AND state = 1");
QUEUE_STATEMENT(COUNTS_REMOVE, "DELETE FROM tls_count WHERE day < $1");
QUEUE_STATEMENT(DAYS_REMOVE, "DELETE FROM tls_day WHERE day < $1");
QUEUE_STATEMENT(DAYS,
                "SELECT d.day, d.domain, d.state,"
                " coalesce(sum(CASE WHEN c.result = 0 THEN c.sessions ELSE 0 END), 0),"
                " coalesce(sum(CASE WHEN c.result = 0 THEN 0 ELSE c.sessions END), 0)"
                " FROM tls_day d LEFT JOIN tls_count c ON c.day = d.day AND c.domain = d.domain"
                " GROUP BY d.day, d.domain, d.state ORDER BY d.day, d.domain",
                "SELECT d.day, d.domain, d.state,"
                " CAST(coalesce(sum(CASE WHEN c.result = 0 THEN c.sessions ELSE 0 END), 0) AS BIGINT),"
                " CAST(coalesce(sum(CASE WHEN c.result = 0 THEN 0 ELSE c.sessions END), 0) AS BIGINT)"
                " FROM tls_day d LEFT JOIN tls_count c ON c.day = d.day AND c.domain = d.domain"
                " GROUP BY d.day, d.domain, d.state ORDER BY d.day, d.domain");
QUEUE_STATEMENT(ASKED, "SELECT count(*) FROM tls_day WHERE state <= 1 AND is_asked = 1");
QUEUE_STATEMENT(DAYS_ASK, "UPDATE tls_day SET is_asked = 1, next_attempt = 0"
                          " WHERE state <= 1 AND (domain = $1 OR $1 = '')");

/* --- counts in frames --- */

void tls_memory_put(struct ipc_frame *f, const struct tls_rpt_count *c)
{
    ipc_put_u8(f, (uint8_t)c->policy.type);
    ipc_put_u8(f, (uint8_t)c->result);
    ipc_put_u64(f, c->sessions);
    ipc_put_str(f, c->policy.domain);
    ipc_put_str(f, c->policy.text);
    ipc_put_str(f, c->policy.mx);
    ipc_put_str(f, c->host);
    ipc_put_str(f, c->address);
    ipc_put_str(f, c->source);
    ipc_put_str(f, c->reason);
}

bool tls_memory_get(struct ipc_reader *in, struct tls_rpt_count *c)
{
    uint8_t type = ipc_get_u8(in), result = ipc_get_u8(in);
    *c = (struct tls_rpt_count){.sessions = ipc_get_u64(in)};
    c->policy.domain = ipc_get_str(in);
    c->policy.text = ipc_get_str(in);
    c->policy.mx = ipc_get_str(in);
    c->host = ipc_get_str(in);
    c->address = ipc_get_str(in);
    c->source = ipc_get_str(in);
    c->reason = ipc_get_str(in);
    if (in->bad || type > TLS_RPT_TLSA || result >= TLS_RPT_RESULTS || c->sessions > SESSIONS_MAX ||
        c->policy.domain.n == 0 || c->policy.domain.n > TLS_RPT_WORDS_MAX ||
        c->policy.text.n > TLS_RPT_TEXT_MAX || c->policy.mx.n > TLS_RPT_TEXT_MAX ||
        c->host.n > TLS_RPT_WORDS_MAX || c->address.n > TLS_RPT_WORDS_MAX ||
        c->source.n > TLS_RPT_WORDS_MAX || c->reason.n > TLS_RPT_WORDS_MAX)
        return false;
    c->policy.type = type;
    c->result = (enum tls_rpt_result)result;
    return true;
}

/* --- policies --- */

static bool answer_policy(struct sql *db, struct ipc_reader *in, struct ipc_frame *out, struct err *e)
{
    struct sql_rows rows;
    struct str domain = ipc_get_str(in);
    if (!sql_query(db, &POLICY, SQL(sql_text(domain)), &rows, e))
        return false;
    bool found = sql_next(&rows);
    ipc_put_u8(out, found);
    if (found) {
        ipc_put_str(out, sql_get_str(&rows, 0));
        ipc_put_str(out, sql_get_str(&rows, 1));
        ipc_put_u64(out, (uint64_t)sql_get_int(&rows, 2));
        ipc_put_u64(out, (uint64_t)sql_get_int(&rows, 3));
    }
    return sql_end(&rows, e);
}

static bool keep_policy(struct sql *db, struct ipc_reader *in, struct ipc_frame *out, struct err *e)
{
    struct str domain = ipc_get_str(in), id = ipc_get_str(in), text = ipc_get_str(in);
    int64_t fetched = (int64_t)ipc_get_u64(in), expires = (int64_t)ipc_get_u64(in);
    (void)out;
    return sql_exec(db, &POLICY_SET,
                    SQL(sql_text(domain), sql_text(id), sql_text(text), sql_int(fetched), sql_int(expires)),
                    NULL, e);
}

/* --- counting --- */

static void digest_of(const struct tls_rpt_count *c, unsigned char digest[SHA256_DIGEST_LENGTH])
{
    CLEAN_FRAME struct ipc_frame f; /* each field with its length: no two rows look the same */
    ipc_frame_init(&f, TLS_MEMORY_COUNT);
    struct tls_rpt_count without = *c;
    without.sessions = 0;
    tls_memory_put(&f, &without);
    SHA256((const unsigned char *)f.payload.p, f.payload.n, digest);
}

static bool count_more(struct sql *db, int64_t day, const struct tls_rpt_count *c, bool *there, struct err *e)
{
    unsigned char digest[SHA256_DIGEST_LENGTH];
    int64_t changed = 0;
    digest_of(c, digest);
    bool ok = sql_exec(db, &COUNT_MORE,
                       SQL(sql_int(day), sql_text(c->policy.domain),
                           sql_blob(str_from(digest, sizeof digest)), sql_int((int64_t)c->sessions)),
                       &changed, e);
    *there = changed > 0;
    return ok;
}

static bool count_new(struct sql *db, int64_t day, const struct tls_rpt_count *c, struct err *e)
{
    unsigned char digest[SHA256_DIGEST_LENGTH];
    digest_of(c, digest);
    return sql_exec(db, &COUNT_ADD,
                    SQL(sql_int(day), sql_text(c->policy.domain), sql_blob(str_from(digest, sizeof digest)),
                        sql_int(c->policy.type), sql_text(c->policy.text), sql_text(c->policy.mx),
                        sql_int(c->result), sql_text(c->host), sql_text(c->address), sql_text(c->reason),
                        sql_int((int64_t)c->sessions), sql_text(c->source)),
                    NULL, e);
}

static bool count_one(struct sql *db, int64_t day, struct tls_rpt_count c, struct err *e)
{
    bool there;
    int64_t details;
    if (!count_more(db, day, &c, &there, e) || there)
        return there;
    if (!sql_exec(db, &DAY_OPEN, SQL(sql_int(day), sql_text(c.policy.domain)), NULL, e) ||
        sql_one_int(db, &DETAILS, SQL(sql_int(day), sql_text(c.policy.domain)), &details, e) < 0)
        return false;
    if (details < DETAILS_MAX)
        return count_new(db, day, &c, e);
    c.host = c.address = c.source = c.reason = c.policy.text = c.policy.mx = STR("");
    return count_more(db, day, &c, &there, e) && (there || count_new(db, day, &c, e));
}

static bool count_all(struct sql *db, struct ipc_reader *in, struct ipc_frame *out, struct err *e)
{
    struct tls_rpt_count c;
    int64_t day = (int64_t)ipc_get_u64(in);
    uint32_t n = ipc_get_u32(in);
    (void)out;
    for (uint32_t i = 0; i < n && !in->bad; i++) {
        if (!tls_memory_get(in, &c))
            in->bad = true;
        else if (!count_one(db, day, c, e))
            return false;
    }
    return true;
}

/* --- reports --- */

static bool remove_old(struct sql *db, int64_t now, struct err *e)
{
    struct sql_value day = sql_int(tls_rpt_day(now) - TLS_MEMORY_DAYS);
    return sql_exec(db, &POLICIES_REMOVE, SQL(sql_int(now - EXPIRED_KEPT_S)), NULL, e) &&
           sql_exec(db, &COUNTS_REMOVE, SQL(day), NULL, e) && sql_exec(db, &DAYS_REMOVE, SQL(day), NULL, e);
}

static bool put_counts(struct sql *db, const struct queue_tls_due *d, struct ipc_frame *out, struct err *e)
{
    CLEAN_FRAME struct ipc_frame list;
    struct sql_rows rows;
    uint32_t n = 0;
    ipc_frame_init(&list, TLS_MEMORY_DUE);
    if (!sql_query(db, &COUNTS, SQL(sql_int(d->day), sql_text(d->domain), sql_int(d->report)), &rows, e))
        return false;
    while (list.payload.n < ANSWER_MAX && sql_next(&rows)) {
        struct tls_rpt_count c = {
            .policy = {.type = (unsigned)sql_get_int(&rows, 0),
                       .domain = d->domain,
                       .text = sql_get_str(&rows, 1),
                       .mx = sql_get_str(&rows, 2)},
            .result = (enum tls_rpt_result)sql_get_int(&rows, 3),
            .host = sql_get_str(&rows, 4),
            .address = sql_get_str(&rows, 5),
            .reason = sql_get_str(&rows, 6),
            .sessions = (uint64_t)sql_get_int(&rows, 7),
            .source = sql_get_str(&rows, 8),
        };
        tls_memory_put(&list, &c);
        n++;
    }
    ipc_put_u32(out, n);
    buf_add(&out->payload, buf_str(&list.payload));
    return sql_end(&rows, e);
}

/* What is counted from now on belongs into the next report. */
static bool begin_report(struct sql *db, struct queue_tls_due *d, struct err *e)
{
    d->report++;
    struct sql_params which = SQL(sql_int(d->day), sql_text(d->domain), sql_int(d->report));
    return sql_exec(db, &DAY_SENDING, which, NULL, e) && sql_exec(db, &COUNTS_TAKE, which, NULL, e);
}

static bool answer_due(struct sql *db, struct ipc_reader *in, struct ipc_frame *out, struct err *e)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct queue_tls_due d = {0};
    struct sql_rows rows;
    int64_t before = (int64_t)ipc_get_u64(in), now = (int64_t)ipc_get_u64(in), state = TLS_DAY_SENDING;
    if (!remove_old(db, now, e) || !sql_query(db, &DAY_DUE, SQL(sql_int(before), sql_int(now)), &rows, e))
        return false;
    bool found = sql_next(&rows);
    if (found) {
        d.day = sql_get_int(&rows, 0);
        d.domain = arena_copy(&a, sql_get_str(&rows, 1));
        state = sql_get_int(&rows, 2);
        d.report = (uint32_t)sql_get_int(&rows, 3);
        d.attempts = (uint32_t)sql_get_int(&rows, 4);
    }
    if (!sql_end(&rows, e) || (found && state == TLS_DAY_COUNTING && !begin_report(db, &d, e)))
        return false;
    ipc_put_u8(out, found);
    if (!found)
        return true;
    ipc_put_u64(out, (uint64_t)d.day);
    ipc_put_str(out, d.domain);
    ipc_put_u32(out, d.report);
    ipc_put_u32(out, d.attempts);
    return put_counts(db, &d, out, e);
}

static bool end_report(struct sql *db, struct ipc_reader *in, struct ipc_frame *out, struct err *e)
{
    int64_t day = (int64_t)ipc_get_u64(in);
    struct str domain = ipc_get_str(in);
    uint32_t report = ipc_get_u32(in);
    uint8_t state = ipc_get_u8(in);
    int64_t next = (int64_t)ipc_get_u64(in);
    (void)out;
    if (state < TLS_DAY_SENDING || state >= TLS_DAY_STATES) {
        in->bad = true;
        return true;
    }
    bool again = state == TLS_DAY_SENDING;
    return sql_exec(db, again ? &DAY_AGAIN : &DAY_DONE,
                    SQL(sql_int(day), sql_text(domain), sql_int(report), sql_int(again ? next : state)), NULL,
                    e);
}

/* --- frames --- */

typedef bool answer_fn(struct sql *db, struct ipc_reader *in, struct ipc_frame *out, struct err *e);
static const struct {
    uint16_t type;
    answer_fn *answer;
} ANSWERS[] = {
    {TLS_MEMORY_POLICY, answer_policy}, {TLS_MEMORY_KEEP, keep_policy},
    {TLS_MEMORY_COUNT, count_all},      {TLS_MEMORY_DUE, answer_due},
    {TLS_MEMORY_REPORTED, end_report},  {TLS_MEMORY_RECEIVED, tls_received_keep},
};

static answer_fn *find_answer(uint16_t type)
{
    for (size_t i = 0; i < sizeof ANSWERS / sizeof *ANSWERS; i++)
        if (ANSWERS[i].type == type)
            return ANSWERS[i].answer;
    return NULL;
}

bool tls_memory_answer(struct sql *db, const struct ipc_frame *ask, struct ipc_frame *answer)
{
    struct err e = ERR_INIT;
    struct ipc_reader in = ipc_read(ask);
    answer_fn *f = find_answer(ask->type);
    if (!f)
        return false;
    ipc_put_u8(answer, 0);
    bool ok = sql_begin_write(db, &e) && f(db, &in, answer, &e);
    if (ok && !ipc_done(&in)) {
        sql_rollback(db);
        return false;
    }
    if (!ok || !sql_commit(db, &e)) {
        sql_rollback(db);
        buf_reset(&answer->payload);
        ipc_put_u8(answer, 1);
        ipc_put_str(answer, str_from_c(e.text));
    }
    return true;
}

bool tls_memory_is_asked(struct sql *db)
{
    int64_t n = 0;
    return sql_one_int(db, &ASKED, SQL_NONE, &n, NULL) > 0 && n > 0;
}

/* --- commands --- */

bool queue_tls_list(const struct config *c, void (*each)(void *context, const struct queue_tls_day *d),
                    void *context, struct err *e)
{
    CLEAN_SQL struct sql *db = queue_db_open(c, false, e);
    struct sql_rows rows;
    if (!db || !sql_query(db, &DAYS, SQL_NONE, &rows, e))
        return false;
    while (sql_next(&rows)) {
        struct queue_tls_day d = {
            .day = sql_get_int(&rows, 0),
            .domain = sql_get_str(&rows, 1),
            .state = (enum tls_day_state)sql_get_int(&rows, 2),
            .good = (uint64_t)sql_get_int(&rows, 3),
            .failed = (uint64_t)sql_get_int(&rows, 4),
        };
        each(context, &d);
    }
    return sql_end(&rows, e);
}

bool queue_tls_ask(const struct config *c, struct str domain, int64_t *n, struct err *e)
{
    CLEAN_SQL struct sql *db = queue_db_open(c, false, e);
    return db && sql_exec(db, &DAYS_ASK, SQL(sql_text(domain)), n, e);
}
