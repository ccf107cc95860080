#include "base/sql.h"

#include "base/mem.h"
#include "check.h"
#include "folder.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

static const struct sql_migration V1[] = {
    {"CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, data BLOB) STRICT;"
     "CREATE TABLE part(item INTEGER NOT NULL REFERENCES item(id), n INTEGER NOT NULL) STRICT;"},
    {"ALTER TABLE item ADD COLUMN size INTEGER NOT NULL DEFAULT 7;"},
    {"THIS IS NO SQL"},
};
static const struct sql_schema ONE = {"test", V1, 1};
static const struct sql_schema TWO = {"test", V1, 2};
static const struct sql_schema BROKEN = {"test", V1, 3};

static const struct sql_statement INSERT = {"INSERT INTO item(name, data) VALUES($1, $2)"};
static const struct sql_statement INSERT_RETURNING = {
    "INSERT INTO item(name, data) VALUES($1, $2) RETURNING id"};
static const struct sql_statement INSERT_PART = {"INSERT INTO part(item, n) VALUES($1, 1)"};
static const struct sql_statement COUNT = {"SELECT count(*) FROM item"};
static const struct sql_statement NAMES = {"SELECT id, name, data FROM item ORDER BY id"};
static const struct sql_statement BY_NAME = {"SELECT id FROM item WHERE name = $1"};
static const struct sql_statement SIZE = {"SELECT size FROM item WHERE name = $1"};
static const struct sql_statement DELETE_ALL = {"DELETE FROM item"};
static const struct sql_statement NO_SQL = {"SELECT FROM WHERE"};
static const struct sql_statement BY_NUMBER = {"SELECT $3 || $1 || $2 || $3"};
static const struct sql_statement OVERFLOWS = {
    "SELECT abs(-9223372036854775807 - (id > 1)) FROM item ORDER BY id"};

SQL_STATEMENT("test", NUMBERED, "SELECT 1");
SQL_STATEMENT("test", IN_TWO_WORDS, "SELECT 'SQLite'", "SELECT 'PostgreSQL'");
SQL_INSERT("other", OF_ANOTHER_SCHEMA, "INSERT INTO item(name) VALUES($1)");

struct fixture {
    struct folder folder;
    char path[200];
    struct sql *db;
};

static int set_up(void **state)
{
    static struct fixture f;
    folder_make(&f.folder);
    snprintf(f.path, sizeof f.path, "%s/test.db", f.folder.path);
    struct err e = ERR_INIT;
    f.db = sql_open(f.path, &ONE, &e);
    assert_non_null(f.db);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    sql_close(f->db);
    folder_remove(&f->folder);
    return 0;
}

static int64_t count(struct sql *db)
{
    int64_t n = -1;
    assert_int_equal(sql_one_int(db, &COUNT, SQL_NONE, &n, NULL), 1);
    return n;
}

static void assert_intact(struct sql *db)
{
    static const struct sql_statement CHECK = {"PRAGMA integrity_check"};
    struct sql_rows rows;
    struct err e = ERR_INIT;
    assert_true(sql_query(db, &CHECK, SQL_NONE, &rows, &e));
    assert_true(sql_next(&rows) && str_eq(sql_get_str(&rows, 0), STR("ok")));
    assert_true(sql_end(&rows, &e));
}

static bool insert(struct sql *db, const char *name, struct err *e)
{
    return sql_exec(db, &INSERT, SQL(sql_text(str_from_c(name)), sql_null()), NULL, e);
}

static void values_come_back_as_they_went_in(void **state)
{
    struct fixture *f = *state;
    struct str with_nul = STR("a\0b\xff");
    struct err e = ERR_INIT;
    assert_true(sql_exec(f->db, &INSERT, SQL(sql_text(STR("one")), sql_blob(with_nul)), NULL, &e));
    assert_true(sql_exec(f->db, &INSERT, SQL(sql_text(STR("two")), sql_null()), NULL, &e));
    assert_true(sql_exec(f->db, &INSERT,
                         SQL(sql_text((struct str){NULL, 0}), sql_blob((struct str){NULL, 0})), NULL, &e));
    assert_int_equal(sql_last_id(f->db), 3);
    struct sql_rows rows;
    assert_true(sql_query(f->db, &NAMES, SQL_NONE, &rows, &e));
    assert_true(sql_next(&rows));
    assert_true(str_eq(sql_get_str(&rows, 1), STR("one")));
    assert_true(str_eq(sql_get_str(&rows, 2), with_nul));
    assert_true(sql_next(&rows));
    assert_int_equal(sql_get_int(&rows, 0), 2);
    assert_true(sql_get_null(&rows, 2));
    assert_int_equal(sql_get_int(&rows, 2), 0);
    assert_int_equal(sql_get_str(&rows, 2).n, 0);
    assert_true(sql_next(&rows));
    assert_false(sql_get_null(&rows, 2));
    assert_false(sql_next(&rows));
    assert_false(sql_next(&rows)); /* and not from the start again */
    assert_true(sql_end(&rows, &e));

    int64_t changed = 0, id = -1;
    assert_int_equal(sql_one_int(f->db, &BY_NAME, SQL(sql_text(STR("none"))), &id, &e), 0);
    assert_int_equal(sql_one_int(f->db, &INSERT_RETURNING, SQL(sql_text(STR("four")), sql_null()), &id, &e),
                     1);
    assert_int_equal(id, 4);
    assert_true(sql_exec(f->db, &DELETE_ALL, SQL_NONE, &changed, &e));
    assert_int_equal(changed, 4);
}

static void statements_have_numbers(void **state)
{
    (void)state;
    uint32_t one = sql_statement_number(&NUMBERED), two = sql_statement_number(&IN_TWO_WORDS),
             other = sql_statement_number(&OF_ANOTHER_SCHEMA);
    assert_int_equal(sql_statement_count(), 3);
    assert_int_equal((1 << one) | (1 << two) | (1 << other), 7);
    assert_ptr_equal(sql_statement_at(one, "test"), &NUMBERED);
    assert_ptr_equal(sql_statement_at(two, "test"), &IN_TWO_WORDS);
    assert_ptr_equal(sql_statement_at(other, "other"), &OF_ANOTHER_SCHEMA);
    assert_null(sql_statement_at(other, "test"));
    assert_null(sql_statement_at(one, "other"));
    assert_null(sql_statement_at(3, "test"));
    assert_null(sql_statement_at(SQL_NO_NUMBER, "test"));
    assert_int_equal(sql_statement_number(&NAMES), SQL_NO_NUMBER);
    assert_null(NUMBERED.pgsql);
    assert_string_equal(IN_TWO_WORDS.pgsql, "SELECT 'PostgreSQL'");
    assert_true(OF_ANOTHER_SCHEMA.makes_id && !NUMBERED.makes_id);
}

static void errors_have_words(void **state)
{
    struct fixture *f = *state;
    struct err e = ERR_INIT;
    assert_true(insert(f->db, "one", &e) && insert(f->db, "two", &e));
    assert_false(insert(f->db, "one", &e)); /* UNIQUE */
    assert_int_equal(e.kind, ERR_INTERNAL);
    assert_non_null(strstr(e.text, "test.db"));
    assert_non_null(strstr(e.text, "item.name"));
    assert_false(sql_exec(f->db, &INSERT_PART, SQL(sql_int(77)), NULL, &e));
    assert_non_null(strstr(e.text, "FOREIGN KEY"));
    assert_false(sql_exec(f->db, &NO_SQL, SQL_NONE, NULL, &e));
    assert_false(sql_exec(f->db, &INSERT, SQL(sql_null()), NULL, &e));
    assert_non_null(strstr(e.text, "parameters"));

    struct sql_rows rows, again;
    assert_true(sql_query(f->db, &NAMES, SQL_NONE, &rows, &e));
    assert_true(sql_next(&rows));
    assert_false(sql_query(f->db, &NAMES, SQL_NONE, &again, &e));
    assert_non_null(strstr(e.text, "started again"));
    assert_true(sql_end(&rows, &e));

    assert_true(sql_query(f->db, &OVERFLOWS, SQL_NONE, &rows, &e));
    assert_true(sql_next(&rows));
    assert_false(sql_next(&rows)); /* the second row fails */
    assert_false(sql_end(&rows, &e));
    assert_non_null(strstr(e.text, "overflow"));
    assert_int_equal(sql_one_int(f->db, &OVERFLOWS, SQL_NONE, &(int64_t){0}, &e), 1);
    assert_int_equal(sql_one_int(f->db, &NO_SQL, SQL_NONE, &(int64_t){0}, NULL), -1);
}

static void transactions_and_their_parts_roll_back(void **state)
{
    struct fixture *f = *state;
    struct err e = ERR_INIT;
    sql_rollback(f->db); /* harmless */
    assert_true(sql_begin_write(f->db, &e));
    assert_true(sql_in_transaction(f->db));
    assert_true(insert(f->db, "one", &e));
    assert_true(sql_savepoint(f->db, &e));
    assert_true(insert(f->db, "two", &e));
    sql_savepoint_rollback(f->db);
    assert_true(sql_savepoint(f->db, &e));
    assert_true(insert(f->db, "three", &e));
    assert_true(sql_savepoint_release(f->db, &e));
    assert_int_equal(count(f->db), 2);
    assert_true(sql_commit(f->db, &e));
    assert_false(sql_in_transaction(f->db));
    assert_false(sql_commit(f->db, &e)); /* none open */
    assert_true(sql_begin_write(f->db, &e));
    assert_true(insert(f->db, "four", &e));
    sql_rollback(f->db);
    sql_savepoint_rollback(f->db); /* harmless too */
    assert_int_equal(count(f->db), 2);
    assert_true(sql_begin_read(f->db, &e));
    assert_int_equal(count(f->db), 2);
    assert_true(sql_commit(f->db, &e));
}

static void a_second_connection_sees_commits(void **state)
{
    struct fixture *f = *state;
    struct err e = ERR_INIT;
    CLEAN_SQL struct sql *other = sql_open(f->path, NULL, &e);
    assert_non_null(other);
    int64_t before = sql_data_version(other);
    assert_int_equal(count(other), 0);
    assert_true(sql_begin_write(f->db, &e) && insert(f->db, "one", &e));
    assert_int_equal(count(other), 0);
    assert_int_equal(sql_data_version(other), before);
    assert_true(sql_commit(f->db, &e));
    assert_int_not_equal(sql_data_version(other), before);
    assert_int_equal(count(other), 1);
    assert_null(sql_open("no-such-folder/x.db", NULL, &e));
    assert_int_equal(e.kind, ERR_TEMPORARY);
    assert_null(sql_open("no-such-folder/x.db", &ONE, &e));
    assert_int_equal(e.kind, ERR_TEMPORARY);
}

/* What a transaction that is rolled back had put into the log, another connection writes over. */
static void what_was_rolled_back_is_written_nowhere(void **state)
{
    struct fixture *f = *state;
    struct err e = ERR_INIT;
    static char large[100000];
    memset(large, 'x', sizeof large);
    CLEAN_SQL struct sql *other = sql_open(f->path, &ONE, &e);
    for (int rows = 0; rows <= 12; rows++) { /* from one that stays in memory to one that is far larger */
        char name[40];
        assert_true(sql_begin_write(f->db, &e));
        for (int i = 0; i < rows; i++) {
            snprintf(name, sizeof name, "lost %d %d", rows, i);
            assert_true(sql_exec(
                f->db, &INSERT,
                SQL(sql_text(str_from_c(name)), sql_blob(str_from(large, sizeof large - (size_t)i * 3000))),
                NULL, &e));
        }
        sql_rollback(f->db);
        for (int i = 0; i < 30; i++) {
            snprintf(name, sizeof name, "kept %d %d", rows, i);
            assert_true(sql_exec(other, &INSERT,
                                 SQL(sql_text(str_from_c(name)), sql_blob(str_from(large, 9000))), NULL, &e));
        }
        assert_int_equal(count(f->db), (rows + 1) * 30);
        assert_int_equal(count(other), (rows + 1) * 30);
    }
    CLEAN_SQL struct sql *fresh = sql_open(f->path, &ONE, &e);
    assert_intact(fresh);
    assert_int_equal(count(fresh), 13 * 30);
}

static void is_private_and_one_file_when_closed(void **state)
{
    struct fixture *f = *state;
    struct err e = ERR_INIT;
    char wal[220];
    snprintf(wal, sizeof wal, "%s-wal", f->path);
    struct stat st;
    assert_true(insert(f->db, "one", &e));
    assert_int_equal(stat(f->path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(stat(wal, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    sql_close(f->db);
    assert_int_not_equal(stat(wal, &st), 0);
    f->db = sql_open(f->path, &ONE, &e);
    assert_int_equal(count(f->db), 1);
}

static off_t closed_size(struct fixture *f)
{
    struct err e = ERR_INIT;
    struct stat st;
    sql_close(f->db);
    assert_int_equal(stat(f->path, &st), 0);
    f->db = sql_open(f->path, &ONE, &e);
    assert_non_null(f->db);
    return st.st_size;
}

/* In steps, with everything that is still there at the end of the file; and a little is kept. */
static void room_is_given_back(void **state)
{
    enum { ROWS = 3000, KEPT = 50, LEAST = 1024 * 1024 };
    static const struct sql_statement DELETE_FIRST = {"DELETE FROM item WHERE id <= $1"};
    static const char DATA[4000] = "x";
    struct fixture *f = *state;
    struct err e = ERR_INIT;
    bool more = false;
    assert_true(sql_begin_write(f->db, &e));
    for (int i = 0; i < ROWS; i++) {
        char name[20];
        snprintf(name, sizeof name, "%d", i);
        assert_true(sql_exec(f->db, &INSERT,
                             SQL(sql_text(str_from_c(name)), sql_blob(str_from(DATA, sizeof DATA))), NULL,
                             &e));
    }
    assert_true(sql_commit(f->db, &e));
    assert_true(sql_give_back(f->db, &more, &e) && !more); /* nothing is free */
    off_t full = closed_size(f);
    assert_true(sql_exec(f->db, &DELETE_FIRST, SQL(sql_int(ROWS - KEPT)), NULL, &e));
    assert_true(closed_size(f) == full);
    int steps = 0;
    for (more = true; more; steps++)
        assert_true(sql_give_back(f->db, &more, &e));
    assert_true(steps > 2);
    assert_in_range(closed_size(f), KEPT * sizeof DATA, LEAST + 2 * KEPT * sizeof DATA);
    assert_int_equal(count(f->db), KEPT);
    assert_intact(f->db);
}

static void an_older_schema_is_copied_and_brought_up_to_date(void **state)
{
    struct fixture *f = *state;
    struct err e = ERR_INIT;
    char copy[220];
    snprintf(copy, sizeof copy, "%s.before-2", f->path);
    assert_true(insert(f->db, "one", &e));
    sql_close(f->db);
    f->db = sql_open(f->path, &TWO, &e);
    assert_non_null(f->db);
    int64_t size = 0;
    assert_int_equal(sql_one_int(f->db, &SIZE, SQL(sql_text(STR("one"))), &size, &e), 1);
    assert_int_equal(size, 7);
    struct stat st;
    assert_int_equal(stat(copy, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    CLEAN_SQL struct sql *old = sql_open(copy, &ONE, &e);
    assert_non_null(old);
    assert_int_equal(count(old), 1);

    assert_null(sql_open(f->path, &ONE, &e)); /* newer than known */
    assert_int_equal(e.kind, ERR_INTERNAL);
    assert_non_null(strstr(e.text, "number 2"));
    assert_null(sql_open(f->path, &BROKEN, &e));
    assert_non_null(strstr(e.text, "step 3"));
    assert_int_equal(sql_one_int(f->db, &SIZE, SQL(sql_text(STR("one"))), &size, &e), 1);
}

static void what_is_no_database_is_internal(void **state)
{
    struct fixture *f = *state;
    char path[220], text[4096];
    snprintf(path, sizeof path, "%s/other.db", f->folder.path);
    memset(text, 'x', sizeof text);
    CLEAN_CLOSE int fd = open(path, O_CREAT | O_RDWR, 0600);
    assert_int_equal(write(fd, text, sizeof text), sizeof text);
    struct err e = ERR_INIT;
    assert_null(sql_open(path, &ONE, &e));
    assert_int_equal(e.kind, ERR_INTERNAL);
    assert_non_null(strstr(e.text, "backup"));
}

static void a_full_disk_is_temporary(void **state)
{
    struct fixture *f = *state;
    static const struct sql_statement LIMIT = {"PRAGMA max_page_count=20"};
    static const struct sql_statement MORE = {"PRAGMA max_page_count=2000"};
    static char big[200000];
    struct err e = ERR_INIT;
    assert_true(sql_exec(f->db, &LIMIT, SQL_NONE, NULL, &e));
    assert_true(sql_begin_write(f->db, &e));
    assert_true(insert(f->db, "one", &e));
    assert_false(
        sql_exec(f->db, &INSERT, SQL(sql_text(STR("big")), sql_blob(str_from(big, sizeof big))), NULL, &e));
    assert_int_equal(e.kind, ERR_TEMPORARY);
    assert_non_null(strstr(e.text, "full"));
    sql_rollback(f->db);
    assert_int_equal(count(f->db), 0);
    assert_true(sql_exec(f->db, &MORE, SQL_NONE, NULL, &e));
    assert_true(
        sql_exec(f->db, &INSERT, SQL(sql_text(STR("big")), sql_blob(str_from(big, sizeof big))), NULL, &e));

    /* The same where the kernel says it, at the commit. */
    struct rlimit was, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
    small = (struct rlimit){300000, was.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    bool stored = true;
    for (int i = 0; stored && i < 10; i++) {
        char name[20];
        snprintf(name, sizeof name, "again%d", i);
        stored = sql_exec(f->db, &INSERT,
                          SQL(sql_text(str_from_c(name)), sql_blob(str_from(big, sizeof big))), NULL, &e);
    }
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
    assert_false(stored);
    assert_int_equal(e.kind, ERR_TEMPORARY);
    assert_false(sql_in_transaction(f->db));
    assert_true(insert(f->db, "after", &e));
}

/* SQLite itself goes by the order in which they appear. */
static void parameters_go_by_their_number(void **state)
{
    struct fixture *f = *state;
    struct sql_rows rows;
    struct err e = ERR_INIT;
    assert_true(sql_query(f->db, &BY_NUMBER, SQL(sql_text(STR("a")), sql_text(STR("b")), sql_text(STR("c"))),
                          &rows, &e));
    assert_true(sql_next(&rows));
    assert_true(str_eq(sql_get_str(&rows, 0), STR("cabc")));
    assert_true(sql_end(&rows, &e));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(values_come_back_as_they_went_in),
        TEST(parameters_go_by_their_number),
        cmocka_unit_test(statements_have_numbers),
        TEST(errors_have_words),
        TEST(transactions_and_their_parts_roll_back),
        TEST(a_second_connection_sees_commits),
        TEST(what_was_rolled_back_is_written_nowhere),
        TEST(is_private_and_one_file_when_closed),
        TEST(room_is_given_back),
        TEST(an_older_schema_is_copied_and_brought_up_to_date),
        TEST(what_is_no_database_is_internal),
        TEST(a_full_disk_is_temporary),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
