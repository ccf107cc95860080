#include "queue/tls_received.h"

#include "base/clock.h"
#include "queue/db.h"

QUEUE_STATEMENT(KEEP,
                "INSERT INTO tls_received(domain, organization, report, begins, ends, received, good, failed,"
                " failures) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
                " ON CONFLICT(domain, organization, report) DO UPDATE SET begins = $4, ends = $5,"
                " received = $6, good = $7, failed = $8, failures = $9");
QUEUE_STATEMENT(REMOVE_OLD, "DELETE FROM tls_received WHERE received < $1");
/* With those of the same second as the first one too many. */
QUEUE_STATEMENT(REMOVE_MANY, "DELETE FROM tls_received WHERE received <="
                             " (SELECT received FROM tls_received ORDER BY received DESC LIMIT 1 OFFSET $1)");
QUEUE_STATEMENT(LIST, "SELECT received, organization, report, begins, ends, domain, good, failed, failures"
                      " FROM tls_received ORDER BY received, domain, organization, report");

static bool keep_domain(struct sql *db, const struct tls_summary *s, const struct tls_summary_domain *d,
                        int64_t now, struct err *e)
{
    return sql_exec(db, &KEEP,
                    SQL(sql_text(d->domain), sql_text(s->organization), sql_text(s->report),
                        sql_text(s->begin), sql_text(s->end), sql_int(now), sql_int((int64_t)d->good),
                        sql_int((int64_t)d->failed), sql_text(d->failures)),
                    NULL, e);
}

bool tls_received_keep(struct sql *db, struct ipc_reader *in, struct ipc_frame *out, struct err *e)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct tls_summary s;
    int64_t now = clock_wall();
    (void)out;
    if (!tls_summary_get(in, &a, &s)) {
        in->bad = true;
        return true;
    }
    for (size_t i = 0; i < s.count; i++)
        if (!keep_domain(db, &s, &s.domains[i], now, e))
            return false;
    return sql_exec(db, &REMOVE_OLD, SQL(sql_int(now - TLS_RECEIVED_DAYS * (int64_t)86400)), NULL, e) &&
           sql_exec(db, &REMOVE_MANY, SQL(sql_int(TLS_RECEIVED_LINES)), NULL, e);
}

bool tls_received_list(struct sql *db, tls_received_fn *each, void *context, struct err *e)
{
    struct sql_rows rows;
    if (!sql_query(db, &LIST, SQL_NONE, &rows, e))
        return false;
    while (sql_next(&rows)) {
        struct queue_tls_received r = {
            .received = sql_get_int(&rows, 0),
            .organization = sql_get_str(&rows, 1),
            .report = sql_get_str(&rows, 2),
            .begin = sql_get_str(&rows, 3),
            .end = sql_get_str(&rows, 4),
            .about = {.domain = sql_get_str(&rows, 5),
                      .good = (uint64_t)sql_get_int(&rows, 6),
                      .failed = (uint64_t)sql_get_int(&rows, 7),
                      .failures = sql_get_str(&rows, 8)},
        };
        each(context, &r);
    }
    return sql_end(&rows, e);
}

bool queue_tls_received_list(const struct config *c, tls_received_fn *each, void *context, struct err *e)
{
    CLEAN_SQL struct sql *db = queue_db_open(c, false, e);
    return db && tls_received_list(db, each, context, e);
}
