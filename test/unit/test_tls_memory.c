/* What relay remembers about TLS in the queue's database: policies of MTA-STS, results, reports of them. */
#include "check.h"
#include "engine.h"
#include "folder.h"

#include "base/clock.h"
#include "queue/db.h"
#include "queue/tls_received.h"

#include <stdio.h>

struct scene {
    struct folder folder;
    struct sql *db;
};

static void scene_open(struct scene *s)
{
    static unsigned scenes;
    char path[200], node[20];
    struct err e = ERR_INIT;
    folder_make(&s->folder);
    snprintf(path, sizeof path, "%s/queue.db", s->folder.path);
    snprintf(node, sizeof node, "node%u", scenes++); /* in PostgreSQL all are in one database */
    struct sql_source source = engine_beside(path, node);
    s->db = sql_open_at(&source, &QUEUE_SCHEMA, false, &e);
    if (!s->db)
        fail_msg("%s", e.text);
}

static void scene_close(struct scene *s)
{
    sql_close(s->db);
    folder_remove(&s->folder);
}

/* The answer, behind its first byte. */
static struct ipc_reader ask(struct scene *s, struct ipc_frame *f, struct ipc_frame *answer)
{
    ipc_frame_init(answer, QUEUE_FRAME_TLS_ANSWER);
    assert_true(tls_memory_answer(s->db, f, answer));
    struct ipc_reader in = ipc_read(answer);
    if (ipc_get_u8(&in) != 0) {
        struct str why = ipc_get_str(&in);
        fail_msg("%.*s", STR_ARGS(why));
    }
    return in;
}

static void keep(struct scene *s, const char *domain, const char *text, int64_t expires)
{
    CLEAN_FRAME struct ipc_frame f, answer;
    ipc_frame_init(&f, TLS_MEMORY_KEEP);
    ipc_put_str(&f, str_from_c(domain));
    ipc_put_str(&f, STR("id1"));
    ipc_put_str(&f, str_from_c(text));
    ipc_put_u64(&f, 1000);
    ipc_put_u64(&f, (uint64_t)expires);
    struct ipc_reader in = ask(s, &f, &answer);
    assert_true(ipc_done(&in));
}

static void policy_is(struct scene *s, const char *domain, const char *text)
{
    CLEAN_FRAME struct ipc_frame f, answer;
    ipc_frame_init(&f, TLS_MEMORY_POLICY);
    ipc_put_str(&f, str_from_c(domain));
    struct ipc_reader in = ask(s, &f, &answer);
    assert_int_equal(ipc_get_u8(&in), text != NULL);
    if (text) {
        assert_true(str_eq(ipc_get_str(&in), STR("id1")));
        assert_true(str_eq(ipc_get_str(&in), str_from_c(text)));
        assert_int_equal(ipc_get_u64(&in), 1000);
        ipc_get_u64(&in);
    }
    assert_true(ipc_done(&in));
}

static void policies_are_kept(void **state)
{
    (void)state;
    struct scene s;
    scene_open(&s);
    policy_is(&s, "a.example", NULL);
    keep(&s, "a.example", "version: STSv1", 5000);
    keep(&s, "b.example", "other", 5000);
    keep(&s, "a.example", "version: STSv1\nmode: none", 6000);
    policy_is(&s, "a.example", "version: STSv1\nmode: none");
    policy_is(&s, "b.example", "other");
    scene_close(&s);
}

static void count(struct scene *s, int64_t day, const char *domain, enum tls_rpt_result result,
                  const char *host, uint64_t sessions)
{
    CLEAN_FRAME struct ipc_frame f, answer;
    struct tls_rpt_count c = {
        .policy = {.type = TLS_RPT_STS,
                   .domain = str_from_c(domain),
                   .text = STR("mode: enforce\n"),
                   .mx = STR("mx\n")},
        .result = result,
        .host = str_from_c(host),
        .address = STR(""),
        .source = STR(""),
        .reason = STR(""),
        .sessions = sessions,
    };
    ipc_frame_init(&f, TLS_MEMORY_COUNT);
    ipc_put_u64(&f, (uint64_t)day);
    ipc_put_u32(&f, 1);
    tls_memory_put(&f, &c);
    struct ipc_reader in = ask(s, &f, &answer);
    assert_true(ipc_done(&in));
}

struct due {
    int64_t day;
    char domain[100];
    uint32_t report, attempts, rows;
    uint64_t good, failed;
};

static bool due(struct scene *s, int64_t before, int64_t now, struct due *d)
{
    CLEAN_FRAME struct ipc_frame f, answer;
    ipc_frame_init(&f, TLS_MEMORY_DUE);
    ipc_put_u64(&f, (uint64_t)before);
    ipc_put_u64(&f, (uint64_t)now);
    struct ipc_reader in = ask(s, &f, &answer);
    if (!ipc_get_u8(&in))
        return false;
    *d = (struct due){.day = (int64_t)ipc_get_u64(&in)};
    struct str domain = ipc_get_str(&in);
    snprintf(d->domain, sizeof d->domain, "%.*s", STR_ARGS(domain));
    d->report = ipc_get_u32(&in);
    d->attempts = ipc_get_u32(&in);
    d->rows = ipc_get_u32(&in);
    for (uint32_t i = 0; i < d->rows; i++) {
        struct tls_rpt_count c;
        assert_true(tls_memory_get(&in, &c));
        *(c.result == TLS_RPT_SUCCESS ? &d->good : &d->failed) += c.sessions;
    }
    assert_true(ipc_done(&in));
    return true;
}

static void reported(struct scene *s, const struct due *d, enum tls_day_state state, int64_t next)
{
    CLEAN_FRAME struct ipc_frame f, answer;
    ipc_frame_init(&f, TLS_MEMORY_REPORTED);
    ipc_put_u64(&f, (uint64_t)d->day);
    ipc_put_str(&f, str_from_c(d->domain));
    ipc_put_u32(&f, d->report);
    ipc_put_u8(&f, (uint8_t)state);
    ipc_put_u64(&f, (uint64_t)next);
    struct ipc_reader in = ask(s, &f, &answer);
    assert_true(ipc_done(&in));
}

static void a_report_holds_what_was_counted_until_it_began(void **state)
{
    (void)state;
    struct scene s;
    struct due d;
    const int64_t now = 100 * 86400 + 5;
    scene_open(&s);
    count(&s, 99, "a.example", TLS_RPT_SUCCESS, "", 3);
    count(&s, 99, "a.example", TLS_RPT_SUCCESS, "", 4);
    count(&s, 99, "a.example", TLS_RPT_CERTIFICATE_EXPIRED, "mx", 2);
    count(&s, 100, "a.example", TLS_RPT_SUCCESS, "", 1);
    assert_true(due(&s, 100, now, &d));
    assert_int_equal(d.day, 99);
    assert_string_equal(d.domain, "a.example");
    assert_true(d.rows == 2 && d.good == 7 && d.failed == 2 && d.report == 1 && d.attempts == 0);
    count(&s, 99, "a.example", TLS_RPT_SUCCESS, "", 10); /* late: not in this one any more */
    reported(&s, &d, TLS_DAY_SENDING, now + 3600);
    assert_false(due(&s, 100, now, &d));
    assert_true(due(&s, 100, now + 3600, &d));
    assert_true(d.good == 7 && d.failed == 2 && d.report == 1 && d.attempts == 1);
    reported(&s, &d, TLS_DAY_SENT, 0);
    assert_true(due(&s, 100, now, &d)); /* the late ones */
    assert_true(d.good == 10 && d.failed == 0 && d.report == 2 && d.attempts == 0);
    reported(&s, &d, TLS_DAY_NOBODY, 0);
    assert_false(due(&s, 100, now, &d)); /* today is not over */
    assert_true(due(&s, 101, now + 86400, &d));
    assert_int_equal(d.day, 100);
    reported(&s, &d, TLS_DAY_GIVEN_UP, 0);
    count(&s, 100, "a.example", TLS_RPT_SUCCESS, "", 1);
    assert_true(due(&s, 101, now + 86400, &d));
    scene_close(&s);
}

static void old_days_are_forgotten(void **state)
{
    (void)state;
    struct scene s;
    struct due d;
    scene_open(&s);
    count(&s, 50, "a.example", TLS_RPT_SUCCESS, "", 3);
    keep(&s, "a.example", "x", 50 * 86400);
    keep(&s, "b.example", "y", 70 * 86400);
    assert_false(due(&s, 66, 66 * 86400, &d));
    policy_is(&s, "a.example", NULL);
    policy_is(&s, "b.example", "y");
    scene_close(&s);
}

static void kinds_of_failures_are_bounded(void **state)
{
    (void)state;
    struct scene s;
    struct due d;
    struct err e = ERR_INIT;
    char host[40];
    scene_open(&s);
    for (int i = 0; i < 700; i++) {
        snprintf(host, sizeof host, "mx%d.example", i);
        count(&s, 60, "a.example", TLS_RPT_CERTIFICATE_EXPIRED, host, 1);
    }
    assert_true(due(&s, 61, 61 * 86400, &d));
    assert_true(d.failed == 700 && d.rows <= 510); /* all are counted, not all told apart */
    assert_true(sql_begin_write(s.db, &e));
    sql_rollback(s.db);
    scene_close(&s);
}

/* --- what others reported --- */

static void receive(struct scene *s, const char *organization, const char *report, const char *domain,
                    uint64_t failed)
{
    CLEAN_FRAME struct ipc_frame f, answer;
    struct tls_summary_domain about[] = {
        {str_from_c(domain), 7, failed, failed ? STR("certificate-expired 1") : STR("")},
        {STR("z.example"), 1, 0, STR("")},
    };
    struct tls_summary summary = {str_from_c(organization),
                                  str_from_c(report),
                                  STR("2026-11-25T00:00:00Z"),
                                  STR("2026-11-25T23:59:59Z"),
                                  about,
                                  2};
    ipc_frame_init(&f, TLS_MEMORY_RECEIVED);
    tls_summary_put(&f, &summary);
    struct ipc_reader in = ask(s, &f, &answer);
    assert_true(ipc_done(&in));
}

struct lines {
    size_t n;
    int64_t first; /* when the oldest came */
    char last[300];
};

static void add_line(void *context, const struct queue_tls_received *r)
{
    struct lines *l = context;
    if (l->n++ == 0)
        l->first = r->received;
    snprintf(l->last, sizeof l->last, "%.*s %.*s %.*s..%.*s %.*s %d %d %.*s", STR_ARGS(r->organization),
             STR_ARGS(r->report), STR_ARGS(r->begin), STR_ARGS(r->end), STR_ARGS(r->about.domain),
             (int)r->about.good, (int)r->about.failed, STR_ARGS(r->about.failures));
}

static struct lines received(struct scene *s)
{
    struct lines l = {0};
    struct err e = ERR_INIT;
    if (!tls_received_list(s->db, add_line, &l, &e))
        fail_msg("%s", e.text);
    return l;
}

QUEUE_STATEMENT(RECEIVED_EARLIER,
                "INSERT INTO tls_received(domain, organization, report, begins, ends, received, good, failed,"
                " failures) VALUES ('a.example', 'o', $1, '', '', $2, 1, 0, '')");

static void came(struct scene *s, int64_t number, int64_t at)
{
    char report[30];
    struct err e = ERR_INIT;
    snprintf(report, sizeof report, "%lld", (long long)number);
    if (!sql_exec(s->db, &RECEIVED_EARLIER, SQL(sql_text(str_from_c(report)), sql_int(at)), NULL, &e))
        fail_msg("%s", e.text);
}

static void what_others_reported_is_kept(void **state)
{
    (void)state;
    struct scene s;
    scene_open(&s);
    assert_int_equal(received(&s).n, 0);
    receive(&s, "Company-X", "1", "zz.example", 3);
    struct lines l = received(&s);
    assert_int_equal(l.n, 2);
    assert_string_equal(l.last, "Company-X 1 2026-11-25T00:00:00Z..2026-11-25T23:59:59Z zz.example 7 3 "
                                "certificate-expired 1");
    receive(&s, "Company-X", "1", "zz.example", 0); /* once more, mended: section 5.5 lets them */
    l = received(&s);
    assert_int_equal(l.n, 2);
    assert_string_equal(l.last, "Company-X 1 2026-11-25T00:00:00Z..2026-11-25T23:59:59Z zz.example 7 0 ");
    receive(&s, "Company-X", "2", "zz.example", 0);
    receive(&s, "\xff\xfe", "1", "zz.example", 0); /* of a process that was taken over: not even UTF-8 */
    assert_int_equal(received(&s).n, 6);
    scene_close(&s);
}

static void what_others_reported_is_bounded(void **state)
{
    (void)state;
    struct scene s;
    struct err e = ERR_INIT;
    int64_t now = clock_wall();
    scene_open(&s);
    came(&s, 0, now - TLS_RECEIVED_DAYS * (int64_t)86400 - 100);
    came(&s, 1, now - TLS_RECEIVED_DAYS * (int64_t)86400 + 100);
    receive(&s, "Company-X", "1", "a.example", 0);
    assert_int_equal(received(&s).n, 3); /* the first one was too old */
    assert_true(sql_begin_write(s.db, &e));
    for (int64_t i = 2; i < TLS_RECEIVED_LINES + 100; i++)
        came(&s, i, now - 50000 + i);
    assert_true(sql_commit(s.db, &e));
    receive(&s, "Company-X", "2", "a.example", 0);
    struct lines l = received(&s);
    assert_int_equal(l.n, TLS_RECEIVED_LINES);
    assert_true(l.first > now - 50000); /* those that came first went */
    scene_close(&s);
}

static void nonsense_is_no_answer(void **state)
{
    (void)state;
    struct scene s;
    scene_open(&s);
    for (uint16_t type = TLS_MEMORY_POLICY; type <= TLS_MEMORY_RECEIVED + 1; type++) {
        CLEAN_FRAME struct ipc_frame f, answer;
        ipc_frame_init(&f, type);
        ipc_frame_init(&answer, QUEUE_FRAME_TLS_ANSWER);
        ipc_put_str(&f, STR("a.example"));
        ipc_put_u8(&f, 200);
        assert_false(tls_memory_answer(s.db, &f, &answer));
        assert_false(sql_in_transaction(s.db));
    }
    policy_is(&s, "a.example", NULL);
    scene_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(policies_are_kept),
        cmocka_unit_test(a_report_holds_what_was_counted_until_it_began),
        cmocka_unit_test(old_days_are_forgotten),
        cmocka_unit_test(kinds_of_failures_are_bounded),
        cmocka_unit_test(what_others_reported_is_kept),
        cmocka_unit_test(what_others_reported_is_bounded),
        cmocka_unit_test(nonsense_is_no_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
