/* A database behind a channel, with SQLite at the other end: what goes in comes back; and what an account
 * that was taken over could send is refused. */
#include "base/sql_remote.h"

#include "base/mem.h"
#include "base/sql_serve.h"
#include "check.h"
#include "folder.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE_MS 20000

static const struct sql_migration TABLES[] = {
    {"CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT NOT NULL, data BLOB);"}};
static const struct sql_schema SCHEMA = {"mine", TABLES, 1};
SQL_INSERT("mine", INSERT, "INSERT INTO item(name, data) VALUES($1, $2)");
SQL_STATEMENT("mine", ALL, "SELECT id, name, data FROM item ORDER BY id");
SQL_STATEMENT("mine", BY_ID, "SELECT name FROM item WHERE id = $1");
SQL_STATEMENT("mine", COUNT, "SELECT count(*) FROM item");
SQL_STATEMENT("mine", WRONG, "SELECT nothing FROM item");
SQL_STATEMENT("others", OF_OTHERS, "SELECT count(*) FROM item");
static const struct sql_statement UNNUMBERED = {"SELECT 1"};

/* store, as far as a channel can tell. */
struct served {
    struct folder folder;
    struct sql *db;
    struct sql *client;
    struct sql_session session;
    pthread_t thread;
    int channel; /* the client's end, for frames that no client of ours sends */
    bool is_running;
    atomic_uint connects;
};

static void *serve(void *context)
{
    struct served *s = context;
    enum sql_served state = SQL_SERVED;
    struct ipc_frame f;
    while (state != SQL_BROKEN && ipc_receive(s->session.channel, &f, deadline_in(PATIENCE_MS)) == IPC_OK) {
        state = sql_serve(&s->session, s->db, &f);
        ipc_frame_free(&f);
    }
    sql_session_end(&s->session, s->db);
    close(s->session.channel);
    return NULL;
}

static void join(struct served *s)
{
    if (s->is_running)
        pthread_join(s->thread, NULL);
    s->is_running = false;
}

static int connect_served(void *context, struct deadline d)
{
    struct served *s = context;
    int ends[2];
    (void)d;
    join(s); /* the last one's end is closed: it has seen that */
    assert_true(ipc_pair(ends));
    s->session = (struct sql_session){.channel = ends[0], .schema = "mine"};
    assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
    s->is_running = true;
    s->channel = ends[1];
    s->connects++;
    return ends[1];
}

static int set_up(void **state)
{
    static struct served s;
    char path[200];
    struct err e = ERR_INIT;
    memset(&s, 0, sizeof s);
    folder_make(&s.folder);
    snprintf(path, sizeof path, "%s/test.db", s.folder.path);
    s.db = sql_open(path, &SCHEMA, &e);
    assert_non_null(s.db);
    struct sql_source source = {.kind = SQL_REMOTE, .connect = connect_served, .context = &s};
    s.client = sql_open_at(&source, &SCHEMA, true, &e);
    *state = &s;
    return 0;
}

static int tear_down(void **state)
{
    struct served *s = *state;
    sql_close(s->client);
    join(s);
    sql_close(s->db);
    folder_remove(&s->folder);
    return 0;
}

static int64_t count(struct sql *db)
{
    int64_t n = -1;
    struct err e = ERR_INIT;
    if (sql_one_int(db, &COUNT, SQL_NONE, &n, &e) != 1)
        fail_msg("%s", e.text);
    return n;
}

static void insert(struct sql *db, struct str name, struct sql_value data)
{
    struct err e = ERR_INIT;
    int64_t changed = 0;
    if (!sql_exec(db, &INSERT, SQL(sql_text(name), data), &changed, &e))
        fail_msg("%s", e.text);
    assert_int_equal(changed, 1);
}

static void values_come_back_as_they_went_in(void **state)
{
    struct served *s = *state;
    enum { LONG = 700 * 1000 };
    char *bytes = mem_new(LONG, 1);
    for (size_t i = 0; i < LONG; i++)
        bytes[i] = (char)(i * 31 >> 3);
    struct str lengths[] = {STR(""), STR("a\0b\xff"), str_from(bytes, 1025), str_from(bytes, 49 * 1024),
                            str_from(bytes, LONG)};
    insert(s->client, STR("null"), sql_null());
    for (size_t i = 0; i < 5; i++) {
        insert(s->client, STR("name"), sql_blob(lengths[i]));
        assert_int_equal(sql_last_id(s->client), i + 2);
    }
    struct sql_rows rows;
    struct err e = ERR_INIT;
    assert_true(sql_query(s->client, &ALL, SQL_NONE, &rows, &e));
    assert_true(sql_next(&rows));
    assert_int_equal(sql_get_int(&rows, 0), 1);
    assert_true(str_eq(sql_get_str(&rows, 1), STR("null")) && sql_get_null(&rows, 2));
    for (size_t i = 0; i < 5; i++) {
        assert_true(sql_next(&rows));
        assert_true(str_eq(sql_get_str(&rows, 2), lengths[i]) && !sql_get_null(&rows, 2));
    }
    assert_false(sql_next(&rows));
    assert_true(sql_end(&rows, &e));
    free(bytes);
}

/* More than one answer holds; read whole, left half way, and two statements at once. */
static void rows_come_in_parts(void **state)
{
    struct served *s = *state;
    struct err e = ERR_INIT;
    char text[600];
    memset(text, 'x', sizeof text);
    assert_true(sql_begin_write(s->client, &e));
    for (int i = 0; i < 1000; i++)
        insert(s->client, str_from(text, sizeof text), sql_null());
    assert_true(sql_commit(s->client, &e));
    for (int stop = 1000; stop > 0; stop -= 333) {
        struct sql_rows rows;
        int64_t id = 0;
        assert_true(sql_query(s->client, &ALL, SQL_NONE, &rows, &e));
        while (id < stop && sql_next(&rows)) {
            int64_t other;
            assert_int_equal(sql_get_int(&rows, 0), ++id);
            if (id % 100 == 0)
                assert_int_equal(sql_one_int(s->client, &BY_ID, SQL(sql_int(id)), &other, &e), 1);
        }
        struct sql_rows again;
        assert_false(sql_query(s->client, &ALL, SQL_NONE, &again, &e));
        assert_int_equal(id, stop);
        assert_true(sql_end(&rows, &e));
    }
    assert_int_equal(s->connects, 1);
}

static void transactions_and_their_parts(void **state)
{
    struct served *s = *state;
    struct err e = ERR_INIT;
    assert_true(sql_begin_write(s->client, &e) && sql_in_transaction(s->client));
    assert_false(sql_begin_write(s->client, &e));
    insert(s->client, STR("one"), sql_null());
    assert_true(sql_savepoint(s->client, &e));
    insert(s->client, STR("two"), sql_null());
    sql_savepoint_rollback(s->client);
    assert_true(sql_savepoint(s->client, &e) && sql_savepoint_release(s->client, &e));
    assert_int_equal(count(s->client), 1);
    assert_true(sql_commit(s->client, &e));
    assert_false(sql_in_transaction(s->client));
    assert_false(sql_commit(s->client, &e)); /* none open */
    assert_true(sql_begin_write(s->client, &e));
    insert(s->client, STR("three"), sql_null());
    sql_rollback(s->client);
    assert_true(sql_begin_read(s->client, &e));
    assert_int_equal(count(s->client), 1);
    sql_rollback(s->client);
    assert_true(sql_begin_write(s->client, &e)); /* nothing was sent yet */
    sql_rollback(s->client);
    sql_rollback(s->client);
    assert_false(sql_exec(s->client, &WRONG, SQL_NONE, NULL, &e));
    assert_int_equal(e.kind, ERR_INTERNAL);
    assert_non_null(strstr(e.text, "nothing"));
    assert_false(sql_exec(s->client, &UNNUMBERED, SQL_NONE, NULL, &e));
    assert_non_null(strstr(e.text, "number"));
    assert_int_equal(count(s->client), 1);
}

/* store goes away: in a transaction that is an error until its end, outside of one nobody notices. */
static void a_channel_that_breaks(void **state)
{
    struct served *s = *state;
    struct err e = ERR_INIT;
    insert(s->client, STR("kept"), sql_null());
    assert_true(sql_begin_write(s->client, &e));
    insert(s->client, STR("lost"), sql_null());
    shutdown(s->channel, SHUT_RDWR);
    assert_false(sql_exec(s->client, &INSERT, SQL(sql_text(STR("lost")), sql_null()), NULL, &e));
    assert_int_equal(e.kind, ERR_TEMPORARY);
    assert_false(sql_in_transaction(s->client));
    assert_false(sql_exec(s->client, &INSERT, SQL(sql_text(STR("lost")), sql_null()), NULL, &e));
    assert_false(sql_commit(s->client, &e));
    assert_int_equal(e.kind, ERR_TEMPORARY);
    sql_rollback(s->client);
    assert_int_equal(count(s->client), 1);
    shutdown(s->channel, SHUT_RDWR);
    assert_int_equal(count(s->client), 1);
    assert_int_equal(s->connects, 3);
}

/* --- what nobody of ours sends --- */

static void put_run(struct ipc_frame *f, uint8_t begin, uint32_t number, uint32_t count)
{
    ipc_frame_init(f, SQL_FRAME_RUN);
    ipc_put_u8(f, begin);
    ipc_put_u8(f, 1);
    ipc_put_u32(f, number);
    ipc_put_u32(f, count);
}

/* Sends it on a fresh channel. True: it was answered; false: the channel was closed. */
static bool is_answered(struct served *s, struct ipc_frame *f)
{
    CLEAN_FRAME struct ipc_frame answer = {0};
    int channel = connect_served(s, deadline_in(PATIENCE_MS));
    bool answered = ipc_call(channel, f, &answer, deadline_in(PATIENCE_MS)) == IPC_OK;
    close(channel);
    join(s);
    ipc_frame_free(f);
    return answered;
}

static void only_its_own_statements(void **state)
{
    struct served *s = *state;
    struct ipc_frame f;
    put_run(&f, 0, sql_statement_number(&COUNT), 0);
    assert_true(is_answered(s, &f));
    put_run(&f, 0, sql_statement_number(&OF_OTHERS), 0);
    assert_false(is_answered(s, &f));
    put_run(&f, 0, sql_statement_count(), 0);
    assert_false(is_answered(s, &f));
    put_run(&f, 0, UINT32_MAX, 0);
    assert_false(is_answered(s, &f));
}

static void frames_that_are_none(void **state)
{
    struct served *s = *state;
    struct ipc_frame f;
    put_run(&f, 3, sql_statement_number(&COUNT), 0); /* no such beginning */
    assert_false(is_answered(s, &f));
    put_run(&f, 0, sql_statement_number(&BY_ID), UINT32_MAX); /* values that are not there */
    assert_false(is_answered(s, &f));
    put_run(&f, 0, sql_statement_number(&COUNT), 0);
    ipc_put_u8(&f, 0); /* more than was announced */
    assert_false(is_answered(s, &f));
    put_run(&f, 0, sql_statement_number(&BY_ID), 1);
    ipc_put_u8(&f, 77); /* no type */
    assert_false(is_answered(s, &f));
    put_run(&f, 0, sql_statement_number(&BY_ID), 1);
    ipc_put_u8(&f, 0xff); /* a long value without its memfd */
    ipc_put_u64(&f, 1000);
    assert_false(is_answered(s, &f));
    static const uint16_t TYPES[] = {SQL_FRAME_NEXT, SQL_FRAME_CLOSE, SQL_FRAME_ANSWER, 0, 999};
    for (size_t i = 0; i < sizeof TYPES / sizeof *TYPES; i++) { /* rows of nothing; not for this end */
        ipc_frame_init(&f, TYPES[i]);
        ipc_put_u8(&f, 0);
        ipc_put_u32(&f, 0);
        assert_false(is_answered(s, &f));
    }
    put_run(&f, 0, sql_statement_number(&BY_ID), 0); /* too few values: an error in words */
    assert_true(is_answered(s, &f));
    ipc_frame_init(&f, SQL_FRAME_RUN);
    assert_false(is_answered(s, &f));
}

/* A memfd that its sender could still change under the reader. */
static void a_long_value_must_be_sealed(void **state)
{
    struct served *s = *state;
    struct ipc_frame f;
    CLEAN_CLOSE int fd = (int)memfd_create("open", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    assert_int_equal(ftruncate(fd, 1000), 0);
    put_run(&f, 0, sql_statement_number(&BY_ID), 1);
    ipc_put_u8(&f, 0xff);
    ipc_put_u64(&f, 1000);
    ipc_put_fd(&f, fd);
    assert_false(is_answered(s, &f));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(values_come_back_as_they_went_in), TEST(rows_come_in_parts),
        TEST(transactions_and_their_parts),     TEST(a_channel_that_breaks),
        TEST(only_its_own_statements),          TEST(frames_that_are_none),
        TEST(a_long_value_must_be_sealed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
