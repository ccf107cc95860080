/* Both engines have the same tables and columns: what was added to a schema for one was added for the other.
 * And every statement goes by an index in PostgreSQL, where many accounts share a table. */
#include "base/buf.h"
#include "check.h"
#include "directory/db.h"
#include "engine.h"
#include "folder.h"
#include "mailbox/schema.h"
#include "queue/db.h"

#include <stdio.h>
#include <string.h>

static const struct sql_schema *const SCHEMAS[] = {&MAIL_SCHEMA, &DIRECTORY_SCHEMA, &QUEUE_SCHEMA};
#define SCHEMA_COUNT (sizeof SCHEMAS / sizeof *SCHEMAS)

/* Without what an engine has for itself, and without the owner. */
static const struct sql_statement COLUMNS = {
    .text = "SELECT m.name || '.' || c.name FROM sqlite_schema m, pragma_table_info(m.name) c"
            " WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' ORDER BY 1",
    .pgsql = "SELECT table_name || '.' || column_name AS name FROM information_schema.columns"
             " WHERE table_schema = $1 AND table_name NOT IN ('schema_version', 'changed')"
             " AND column_name <> $2 ORDER BY (table_name || '.' || column_name) COLLATE \"C\""};

static void list_columns(struct sql *db, struct sql_params params, struct buf *out)
{
    struct sql_rows rows;
    struct err e = ERR_INIT;
    if (!sql_query(db, &COLUMNS, params, &rows, &e))
        fail_msg("%s", e.text);
    while (sql_next(&rows)) {
        buf_add(out, sql_get_str(&rows, 0));
        buf_add_byte(out, '\n');
    }
    assert_true(sql_end(&rows, &e));
    buf_add_byte(out, '\0');
}

static void check_has_all(const struct buf *wanted, const struct buf *had, const char *who)
{
    struct str rest = str_from_c(wanted->p), line;
    while (str_cut(&rest, '\n', &line))
        if (str_find(str_from_c(had->p), line) == STR_NONE)
            fail_msg("%s %.*s: schema.c and schema_pgsql.c go together", who, STR_ARGS(line));
}

static struct sql *open_postgresql(const struct sql_schema *schema)
{
    struct sql_source source = engine_beside(NULL, "1");
    struct err e = ERR_INIT;
    struct sql *db = sql_open_at(&source, schema, false, &e);
    if (!db)
        fail_msg("%s", e.text);
    return db;
}

static void both_have_the_same_columns(void **state)
{
    (void)state;
    struct folder folder;
    folder_make(&folder);
    for (size_t i = 0; i < SCHEMA_COUNT; i++) {
        const struct sql_schema *schema = SCHEMAS[i];
        char path[200], name[40];
        struct err e = ERR_INIT;
        CLEAN_BUF struct buf here, there;
        buf_init(&here, BUF_MAX_DEFAULT);
        buf_init(&there, BUF_MAX_DEFAULT);
        snprintf(path, sizeof path, "%s/%s.db", folder.path, schema->name);
        snprintf(name, sizeof name, "golub_%s", schema->name);
        struct sql *sqlite = sql_open(path, schema, &e), *postgresql = open_postgresql(schema);
        assert_non_null(sqlite);
        list_columns(sqlite, SQL_NONE, &here);
        list_columns(
            postgresql,
            SQL(sql_text(str_from_c(name)), sql_text(str_from_c(schema->owner ? schema->owner : ""))),
            &there);
        assert_true(here.n > 100);
        check_has_all(&here, &there, "PostgreSQL lacks");
        check_has_all(&there, &here, "SQLite lacks");
        sql_close(sqlite);
        sql_close(postgresql);
    }
    folder_remove(&folder);
}

/* Lines of an EXPLAIN that tell of reading what is not asked for: a whole table (the last choice, since
 * enable_seqscan is off), or an index that does not begin with the account. */
static bool reads_too_much(struct str plan)
{
    struct str line;
    while (str_cut(&plan, '\n', &line)) {
        bool is_filter = str_find(line, STR("Filter:")) != STR_NONE;
        if (str_find(line, STR("Seq Scan")) != STR_NONE ||
            (is_filter && str_find(line, STR("account = (current_setting")) != STR_NONE))
            return true;
    }
    return false;
}

/* The directory's tables are read as a whole by commands that list them. */
static bool may_scan(const char *schema)
{
    return strcmp(schema, "directory") == 0;
}

static void statements_go_by_keys(void **state)
{
    (void)state;
    unsigned seen = 0, scans = 0;
    for (size_t i = 0; i < SCHEMA_COUNT; i++) {
        struct sql *db = open_postgresql(SCHEMAS[i]);
        for (uint32_t n = 0; n < sql_statement_count(); n++) {
            const struct sql_statement *s = sql_statement_at(n, SCHEMAS[i]->name);
            CLEAN_BUF struct buf plan;
            buf_init(&plan, BUF_MAX_DEFAULT);
            if (!s)
                continue;
            seen++;
            engine_explain(db, s, &plan);
            if (!may_scan(s->schema) && reads_too_much(buf_str(&plan))) {
                fprintf(stderr, "%s\n%.*s\n", s->text, STR_ARGS(buf_str(&plan)));
                scans++;
            }
        }
        sql_close(db);
    }
    assert_true(seen > 100);
    assert_int_equal(scans, 0);
}

int main(void)
{
    const struct CMUnitTest on_both[] = {cmocka_unit_test(both_have_the_same_columns),
                                         cmocka_unit_test(statements_go_by_keys)};
    return engine() == ENGINE_SQLITE ? 0 : cmocka_run_group_tests(on_both, NULL, NULL);
}
