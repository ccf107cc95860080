/* Statements and transactions of SQLite. */
#include "base/sqlite.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/sqlite_wal.h"

#include <stdlib.h>
#include <string.h>

/* Statements prepared on this connection, found by the address of their constant: open addressing, doubled
 * before it is three quarters full. */
struct prepared {
    const struct sql_statement *statement;
    sqlite3_stmt *handle;
    size_t params;    /* how many it has */
    bool is_in_order; /* $1 is the first of them in its text, $2 the second, and so on */
};

#define PREPARED_START 32 /* slots of a new table; a power of two */

static size_t slot_of(const struct sqlite *db, const struct sql_statement *s)
{
    /* Constants lie 8 bytes apart; the multiplication spreads them over the high bits. */
    uint64_t h = ((uint64_t)(uintptr_t)s >> 3) * 0x9e3779b97f4a7c15u;
    size_t at = (size_t)(h >> 32) & (db->slots - 1);
    while (db->prepared[at].statement && db->prepared[at].statement != s)
        at = (at + 1) & (db->slots - 1);
    return at;
}

static void grow(struct sqlite *db)
{
    struct prepared *old = db->prepared;
    size_t n = db->slots;
    db->slots = n ? n * 2 : PREPARED_START;
    db->prepared = mem_new(db->slots, sizeof *db->prepared);
    for (size_t i = 0; i < n; i++)
        if (old[i].statement)
            db->prepared[slot_of(db, old[i].statement)] = old[i];
    free(old);
}

void sqlite_forget_statements(struct sqlite *db)
{
    for (size_t i = 0; i < db->slots; i++)
        sqlite3_finalize(db->prepared[i].handle);
    free(db->prepared);
    db->prepared = NULL;
    db->slots = db->used = 0;
}

/* The number after the $ of the parameter at place `at`; 0: it has none. SQLite numbers its places by first
 * appearance in the text, whatever the number says; PostgreSQL and our callers mean the number. */
static uint32_t number_of(sqlite3_stmt *h, size_t at)
{
    const char *name = sqlite3_bind_parameter_name(h, (int)at);
    uint32_t number;
    return name && str_to_u32(str_from_c(name + 1), &number) ? number : 0;
}

static struct prepared prepared_of(const struct sql_statement *s, sqlite3_stmt *h)
{
    struct prepared p = {s, h, (size_t)sqlite3_bind_parameter_count(h), true};
    for (size_t at = 1; at <= p.params; at++)
        p.is_in_order = p.is_in_order && number_of(h, at) == at;
    return p;
}

static const struct prepared *prepare(struct sqlite *db, const struct sql_statement *s, struct err *e)
{
    if (db->used * 4 >= db->slots * 3)
        grow(db);
    struct prepared *p = &db->prepared[slot_of(db, s)];
    if (p->statement)
        return p;
    sqlite3_stmt *handle = NULL;
    int rc = sqlite3_prepare_v3(db->handle, s->text, -1, SQLITE_PREPARE_PERSISTENT, &handle, NULL);
    if (rc != SQLITE_OK) {
        sqlite_fail(db, rc, e);
        return NULL;
    }
    *p = prepared_of(s, handle);
    db->used++;
    return p;
}

static int bind_one(sqlite3_stmt *h, int at, const struct sql_value *v)
{
    /* SQLite takes a null pointer as NULL; an empty slice may have one, and is an empty value. */
    const char *p = v->s.p ? v->s.p : "";
    switch (v->type) {
    case SQL_NULL: return sqlite3_bind_null(h, at);
    case SQL_INT: return sqlite3_bind_int64(h, at, v->i);
    case SQL_TEXT: return sqlite3_bind_text64(h, at, p, v->s.n, SQLITE_STATIC, SQLITE_UTF8);
    case SQL_BLOB: return sqlite3_bind_blob64(h, at, p, v->s.n, SQLITE_STATIC);
    }
    return SQLITE_MISUSE;
}

/* The value of the parameter at place `at`. NULL: it is none, or its number too high. */
static const struct sql_value *value_for(const struct prepared *p, size_t at, struct sql_params params)
{
    size_t number = p->is_in_order ? at : number_of(p->handle, at);
    return number == 0 || number > params.n ? NULL : &params.v[number - 1];
}

/* The statement ready to be stepped; NULL with the words. */
static sqlite3_stmt *start(struct sqlite *db, const struct sql_statement *s, struct sql_params params,
                           struct err *e)
{
    const struct prepared *p = prepare(db, s, e);
    if (!p)
        return NULL;
    sqlite3_stmt *h = p->handle;
    if (sqlite3_stmt_busy(h)) {
        err_set(e, ERR_INTERNAL, "%s: a statement was started again before its end: %s", db->path, s->text);
        return NULL;
    }
    if (p->params != params.n) {
        err_set(e, ERR_INTERNAL, "%s: a statement with %zu parameters was given %zu: %s", db->path, p->params,
                params.n, s->text);
        return NULL;
    }
    for (size_t at = 1; at <= params.n; at++) {
        const struct sql_value *v = value_for(p, at, params);
        int rc = v ? bind_one(h, (int)at, v) : SQLITE_RANGE;
        if (rc != SQLITE_OK) {
            sqlite_fail(db, rc, e);
            return NULL;
        }
    }
    return h;
}

static struct sqlite *of(struct sql *db)
{
    return (struct sqlite *)db;
}

static bool in_transaction(struct sql *db)
{
    return !sqlite3_get_autocommit(of(db)->handle);
}

static bool exec(struct sql *sql, const struct sql_statement *s, struct sql_params params, int64_t *changed,
                 struct err *e)
{
    struct sqlite *db = of(sql);
    sqlite3_stmt *h = start(db, s, params, e);
    if (!h)
        return false;
    int rc;
    while ((rc = sqlite3_step(h)) == SQLITE_ROW)
        ; /* what RETURNING gives is not wanted here */
    if (rc != SQLITE_DONE)
        sqlite_fail(db, rc, e);
    else if (changed)
        *changed = sqlite3_changes64(db->handle);
    sqlite3_reset(h);
    if (rc != SQLITE_DONE && !in_transaction(sql))
        sqlite_wal_forget(db->handle);
    return rc == SQLITE_DONE;
}

static void *query(struct sql *db, const struct sql_statement *s, struct sql_params params, struct err *e)
{
    return start(of(db), s, params, e);
}

static bool next(struct sql_rows *rows)
{
    return sqlite3_step(rows->handle) == SQLITE_ROW;
}

static bool end(struct sql_rows *rows, struct err *e)
{
    int rc = sqlite3_reset(rows->handle); /* tells the error of the last step again */
    return rc == SQLITE_OK || sqlite_fail(of(rows->db), rc, e);
}

static int64_t get_int(const struct sql_rows *rows, int column)
{
    return sqlite3_column_int64(rows->handle, column);
}

static struct str get_str(const struct sql_rows *rows, int column)
{
    /* The pointer first: asking for it may convert, and the length is that of what it converted to. */
    const void *p = sqlite3_column_blob(rows->handle, column);
    return str_from(p, p ? (size_t)sqlite3_column_bytes(rows->handle, column) : 0);
}

static bool get_null(const struct sql_rows *rows, int column)
{
    return sqlite3_column_type(rows->handle, column) == SQLITE_NULL;
}

static int columns(const struct sql_rows *rows)
{
    return sqlite3_column_count(rows->handle);
}

static struct sql_value get_value(const struct sql_rows *rows, int column)
{
    switch (sqlite3_column_type(rows->handle, column)) {
    case SQLITE_NULL: return sql_null();
    case SQLITE_INTEGER: return sql_int(get_int(rows, column));
    case SQLITE_TEXT: return sql_text(get_str(rows, column));
    default: return sql_blob(get_str(rows, column));
    }
}

static const struct sql_statement BEGIN_READ = {"BEGIN"};
static const struct sql_statement BEGIN_WRITE = {"BEGIN IMMEDIATE"};
static const struct sql_statement COMMIT = {"COMMIT"};
static const struct sql_statement ROLLBACK = {"ROLLBACK"};
static const struct sql_statement SAVEPOINT = {"SAVEPOINT part"};
static const struct sql_statement SAVEPOINT_RELEASE = {"RELEASE part"};
static const struct sql_statement SAVEPOINT_ROLLBACK = {"ROLLBACK TO part"};
static const struct sql_statement DATA_VERSION = {"PRAGMA data_version"};

static bool begin(struct sql *db, bool write, struct err *e)
{
    return exec(db, write ? &BEGIN_WRITE : &BEGIN_READ, SQL_NONE, NULL, e);
}

static void rollback(struct sql *db)
{
    struct err e = ERR_INIT;
    /* SQLite has rolled back by itself after some errors (disk full); then there is nothing to do. */
    if (in_transaction(db) && !exec(db, &ROLLBACK, SQL_NONE, NULL, &e) && in_transaction(db))
        log_die("sql.rollback", "%s", e.text);
    sqlite_wal_forget(of(db)->handle);
}

static bool commit(struct sql *db, struct err *e)
{
    if (exec(db, &COMMIT, SQL_NONE, NULL, e))
        return true;
    rollback(db); /* a commit that failed may have left the transaction open */
    return false;
}

static bool savepoint(struct sql *db, struct err *e)
{
    return exec(db, &SAVEPOINT, SQL_NONE, NULL, e);
}

static bool savepoint_release(struct sql *db, struct err *e)
{
    return exec(db, &SAVEPOINT_RELEASE, SQL_NONE, NULL, e);
}

static void savepoint_rollback(struct sql *db)
{
    /* An error that rolled the whole transaction back took the savepoint with it. */
    if (!in_transaction(db))
        return;
    struct err e = ERR_INIT;
    if (!exec(db, &SAVEPOINT_ROLLBACK, SQL_NONE, NULL, &e) ||
        !exec(db, &SAVEPOINT_RELEASE, SQL_NONE, NULL, &e))
        rollback(db);
}

static int64_t last_id(struct sql *db)
{
    return sqlite3_last_insert_rowid(of(db)->handle);
}

static int64_t data_version(struct sql *db)
{
    int64_t version = 0;
    /* Reads shared memory only; a failure shows as a version that nobody has seen yet. */
    if (sql_one_int(db, &DATA_VERSION, SQL_NONE, &version, NULL) != 1)
        return -1;
    return version;
}

const struct sql_engine SQLITE_ENGINE = {
    .close = sqlite_shut,
    .exec = exec,
    .query = query,
    .next = next,
    .end = end,
    .get_int = get_int,
    .get_str = get_str,
    .get_null = get_null,
    .columns = columns,
    .get_value = get_value,
    .begin = begin,
    .commit = commit,
    .rollback = rollback,
    .in_transaction = in_transaction,
    .savepoint = savepoint,
    .savepoint_release = savepoint_release,
    .savepoint_rollback = savepoint_rollback,
    .last_id = last_id,
    .data_version = data_version,
    .give_back = sqlite_give_back,
};
