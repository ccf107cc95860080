/* What all engines have in common: values, and the way to the engine that a connection is of. */
#include "base/sql.h"

#include "base/pgsql.h"
#include "base/sql_engine.h"
#include "base/sql_remote.h"

#include <string.h>

/* --- statements --- */

/* Where the linker has put what SQL_STATEMENT left in the section. Weak: a program may have none. */
extern const struct sql_statement *const __start_sql_statements[] __attribute__((weak));
extern const struct sql_statement *const __stop_sql_statements[] __attribute__((weak));

uint32_t sql_statement_count(void)
{
    return (uint32_t)(__stop_sql_statements - __start_sql_statements);
}

uint32_t sql_statement_number(const struct sql_statement *s)
{
    return s->place ? (uint32_t)(s->place - __start_sql_statements) : SQL_NO_NUMBER;
}

const struct sql_statement *sql_statement_at(uint32_t number, const char *schema)
{
    if (number >= sql_statement_count())
        return NULL;
    const struct sql_statement *s = __start_sql_statements[number];
    return strcmp(s->schema, schema) == 0 ? s : NULL;
}

/* --- values --- */

struct sql_value sql_null(void)
{
    return (struct sql_value){.type = SQL_NULL};
}

struct sql_value sql_int(int64_t i)
{
    return (struct sql_value){.type = SQL_INT, .i = i};
}

struct sql_value sql_text(struct str s)
{
    return (struct sql_value){.type = SQL_TEXT, .s = s};
}

struct sql_value sql_blob(struct str s)
{
    return (struct sql_value){.type = SQL_BLOB, .s = s};
}

/* --- opening --- */

bool sql_refuse_newer(const char *where, const struct sql_schema *schema, size_t version, struct err *e)
{
    return err_set(e, ERR_INTERNAL,
                   "%s: its %s schema is number %zu and this golub knows up to %zu; install the newer golub",
                   where, schema->name, version, schema->count);
}

struct sql *sql_open_at(const struct sql_source *source, const struct sql_schema *schema, bool is_up_to_date,
                        struct err *e)
{
    switch (source->kind) {
    case SQL_SQLITE: return sql_open(source->where, is_up_to_date ? NULL : schema, e);
    case SQL_PGSQL: return pgsql_open(source, schema, is_up_to_date, e);
    case SQL_REMOTE: return sql_remote_open(source);
    }
    return NULL;
}

void sql_close(struct sql *db)
{
    if (db)
        db->engine->close(db);
}

void sql_clean_close(struct sql **db)
{
    sql_close(*db);
}

/* --- running --- */

bool sql_exec(struct sql *db, const struct sql_statement *s, struct sql_params params, int64_t *changed,
              struct err *e)
{
    return db->engine->exec(db, s, params, changed, e);
}

bool sql_query(struct sql *db, const struct sql_statement *s, struct sql_params params, struct sql_rows *rows,
               struct err *e)
{
    *rows = (struct sql_rows){.db = db, .handle = db->engine->query(db, s, params, e)};
    return rows->handle != NULL;
}

bool sql_next(struct sql_rows *rows)
{
    if (rows->failed)
        return false;
    if (rows->db->engine->next(rows))
        return true;
    rows->failed = true; /* going on would start the statement anew */
    return false;
}

bool sql_end(struct sql_rows *rows, struct err *e)
{
    bool good = rows->db->engine->end(rows, e);
    rows->handle = NULL;
    return good;
}

int64_t sql_get_int(const struct sql_rows *rows, int column)
{
    return rows->db->engine->get_int(rows, column);
}

struct str sql_get_str(const struct sql_rows *rows, int column)
{
    return rows->db->engine->get_str(rows, column);
}

bool sql_get_null(const struct sql_rows *rows, int column)
{
    return rows->db->engine->get_null(rows, column);
}

int sql_one_int(struct sql *db, const struct sql_statement *s, struct sql_params params, int64_t *out,
                struct err *e)
{
    struct sql_rows rows;
    if (!sql_query(db, s, params, &rows, e))
        return -1;
    bool found = sql_next(&rows);
    if (found)
        *out = sql_get_int(&rows, 0);
    return sql_end(&rows, e) ? found : -1;
}

/* --- transactions --- */

bool sql_begin_read(struct sql *db, struct err *e)
{
    return db->engine->begin(db, false, e);
}

bool sql_begin_write(struct sql *db, struct err *e)
{
    return db->engine->begin(db, true, e);
}

bool sql_commit(struct sql *db, struct err *e)
{
    return db->engine->commit(db, e);
}

void sql_rollback(struct sql *db)
{
    db->engine->rollback(db);
}

bool sql_in_transaction(struct sql *db)
{
    return db->engine->in_transaction(db);
}

bool sql_savepoint(struct sql *db, struct err *e)
{
    return db->engine->savepoint(db, e);
}

bool sql_savepoint_release(struct sql *db, struct err *e)
{
    return db->engine->savepoint_release(db, e);
}

void sql_savepoint_rollback(struct sql *db)
{
    db->engine->savepoint_rollback(db);
}

int64_t sql_last_id(struct sql *db)
{
    return db->engine->last_id(db);
}

int64_t sql_data_version(struct sql *db)
{
    return db->engine->data_version(db);
}

bool sql_give_back(struct sql *db, bool *more, struct err *e)
{
    return !db->engine->give_back || db->engine->give_back(db, more, e);
}
