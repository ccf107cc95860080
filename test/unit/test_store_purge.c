#include "store_fixture.h"

#include "base/clock.h"
#include "base/sql.h"

static int64_t count(struct fixture *f, const struct sql_statement *s)
{
    CLEAN_SQL struct sql *db = fixture_sql(f);
    int64_t n = -1;
    assert_int_equal(sql_one_int(db, s, SQL_NONE, &n, &f->e), 1);
    return n;
}

static const struct sql_statement BODIES = {"SELECT count(*) FROM body"};
static const struct sql_statement CHUNKS = {"SELECT count(*) FROM body_chunk"};
static const struct sql_statement EXPUNGED = {"SELECT count(*) FROM expunged"};

static void what_is_left_of_no_message_goes(void **state)
{
    struct fixture *f = *state;
    int64_t inbox = id_of(f, "INBOX"), trash = id_of(f, "Trash");
    enum { N = 2500 }; /* more than one batch */
    static struct store_append items[N];
    for (int i = 0; i < N; i++)
        items[i] = (struct store_append){.mailbox = inbox, .bytes = STR("Subject: x\r\n\r\ny")};
    assert_int_equal(store_append(f->store, items, N, &f->e), STORE_OK);
    uint32_t kept[] = {7, 2400}, *from, *to, *gone, uidvalidity;
    size_t n;
    assert_int_equal(store_copy(f->store, inbox, kept, 2, trash, false, NULL, &f->arena, &from, &to, &n,
                                &uidvalidity, &f->e),
                     STORE_OK);
    assert_int_equal(store_expunge(f->store, inbox, NULL, 0, true, &f->arena, &gone, &n, &f->e), STORE_OK);
    assert_int_equal(n, N);

    int64_t now = clock_wall();
    assert_int_equal(store_purge(f->store, now, EXPUNGED_KEPT_S, &f->e),
                     STORE_OK); /* too early for all of them */
    assert_int_equal(count(f, &BODIES), N);
    assert_int_equal(count(f, &EXPUNGED), N);
    assert_int_equal(store_purge(f->store, now + EXPUNGED_KEPT_S + 60, EXPUNGED_KEPT_S, &f->e), STORE_OK);
    assert_int_equal(count(f, &EXPUNGED), 0);
    assert_int_equal(count(f, &BODIES), 2);
    assert_int_equal(count(f, &CHUNKS), 2);
    CLEAN_BUF struct buf out;
    buf_init(&out, 1000);
    assert_int_equal(read_body(f, trash, 2, 0, 100, &out), STORE_OK);
    assert_true(str_eq(buf_str(&out), STR("Subject: x\r\n\r\ny")));
    assert_int_equal(store_expunge(f->store, trash, NULL, 0, true, &f->arena, &gone, &n, &f->e), STORE_OK);
    assert_int_equal(store_purge(f->store, now + EXPUNGED_KEPT_S + 60, EXPUNGED_KEPT_S, &f->e), STORE_OK);
    assert_int_equal(count(f, &CHUNKS), 0);
    assert_int_equal(append(f, inbox, STR("z"), 0, ""), N + 1);
}

static void a_body_stays_for_what_was_expunged_later(void **state)
{
    struct fixture *f = *state;
    static const struct sql_statement AGE = {"UPDATE expunged SET expunged_at = expunged_at - $1"};
    int64_t inbox = id_of(f, "INBOX"), trash = id_of(f, "Trash");
    uint32_t uid = append(f, inbox, STR("x"), 0, ""), *from, *to, *gone, uidvalidity;
    size_t n;
    assert_int_equal(store_copy(f->store, inbox, &uid, 1, trash, true, NULL, &f->arena, &from, &to, &n,
                                &uidvalidity, &f->e),
                     STORE_OK);
    fixture_exec(f, &AGE, SQL(sql_int(EXPUNGED_KEPT_S + 60)));
    assert_int_equal(store_expunge(f->store, trash, NULL, 0, true, &f->arena, &gone, &n, &f->e), STORE_OK);
    assert_int_equal(store_purge(f->store, clock_wall(), EXPUNGED_KEPT_S, &f->e), STORE_OK);
    assert_int_equal(count(f, &EXPUNGED), 1);
    assert_int_equal(count(f, &BODIES), 1);
    assert_int_equal(store_purge(f->store, clock_wall() + EXPUNGED_KEPT_S + 60, EXPUNGED_KEPT_S, &f->e),
                     STORE_OK);
    assert_int_equal(count(f, &BODIES), 0);
}

static void a_damaged_body_is_told(void **state)
{
    struct fixture *f = *state;
    static const struct sql_statement DAMAGE = {
        .text = "UPDATE body_chunk SET data = CAST(substr(data, 1, length(data) - 1) || x'00' AS BLOB)",
        .pgsql = "UPDATE body_chunk SET data = substr(data, 1, length(data) - 1) || '\\x00'::bytea"};
    static const struct sql_statement REMOVE = {"DELETE FROM body_chunk"};
    int64_t inbox = id_of(f, "INBOX");
    uint32_t uid = append(f, inbox, STR("Subject: x\r\n\r\ntext"), 0, "");
    CLEAN_SQL struct sql *db = fixture_sql(f);
    CLEAN_BUF struct buf out;
    buf_init(&out, 1000);
    assert_true(sql_exec(db, &DAMAGE, SQL_NONE, NULL, &f->e));
    assert_int_equal(read_body(f, inbox, uid, 0, 100, &out), STORE_FAILED);
    assert_int_equal(f->e.kind, ERR_INTERNAL);
    assert_non_null(strstr(f->e.text, "damaged"));
    assert_true(sql_exec(db, &REMOVE, SQL_NONE, NULL, &f->e));
    assert_int_equal(read_body(f, inbox, uid, 0, 100, &out), STORE_FAILED);
    assert_non_null(strstr(f->e.text, "missing"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(what_is_left_of_no_message_goes),
        STORE_TEST(a_body_stays_for_what_was_expunged_later),
        STORE_TEST(a_damaged_body_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
