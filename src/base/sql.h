/* SQL, written once for SQLite and PostgreSQL: `$1` parameters, ON CONFLICT, RETURNING. Statements are
 * constants, prepared once a connection and kept:
 *
 *   SQL_STATEMENT("mail", MESSAGE_COUNT, "SELECT count(*) FROM message WHERE mailbox = $1");
 *   struct sql_rows rows;
 *   if (!sql_query(db, &MESSAGE_COUNT, SQL(sql_int(mailbox)), &rows, e))
 *       return false;
 *   if (sql_next(&rows)) count = sql_get_int(&rows, 0);
 *   if (!sql_end(&rows, e)) return false;
 *
 * (Each schema has a macro of its own that names it: MAIL_STATEMENT, DIRECTORY_STATEMENT, QUEUE_STATEMENT.
 * How to write statements that both engines take: doc/storage.md.)
 *
 * A connection belongs to one thread at a time. Errors: disk full and busy are ERR_TEMPORARY, a broken or
 * newer database ERR_INTERNAL; the text names the file. */
#ifndef BASE_SQL_H
#define BASE_SQL_H
#include "base/arena.h"
#include "base/err.h"

struct sql_statement {
    const char *text;
    const char *schema;                       /* whose tables it is about */
    const struct sql_statement *const *place; /* in the table of all statements; NULL: it has no number */
    const char *pgsql;                        /* for PostgreSQL, where its words differ; NULL: `text` */
    bool makes_id; /* an INSERT whose new id sql_last_id is asked for: the column `id` */
};

/* A statement with a number that is the same in every process of a server, for they are forks of one program:
 * so a process without a database can name it to one that has (the store role). The number is the place of
 * the pointer that the macro leaves in a section of its own, whose bounds the linker knows. A section holds
 * pointers and not statements, because compilers may put gaps between structs. */
#define SQL_STATEMENT(schema_name, name, ...) SQL_STATEMENT_OF(schema_name, name, false, __VA_ARGS__)
/* The same for an INSERT after which sql_last_id is asked. */
#define SQL_INSERT(schema_name, name, ...)    SQL_STATEMENT_OF(schema_name, name, true, __VA_ARGS__)
/* Where PostgreSQL needs other words: first SQLite's, then PostgreSQL's; parameters and columns the same. */
#define SQL_STATEMENT_OF(schema_name, name, has_id, ...) \
    SQL_STATEMENT_TEXTS(schema_name, name, has_id, __VA_ARGS__, NULL, )
#define SQL_STATEMENT_TEXTS(schema_name, name, has_id, sqlite_text, pgsql_text, ...)                         \
    static const struct sql_statement name;                                                                  \
    static const struct sql_statement *const name##_place __attribute__((section("sql_statements"), used)) = \
        &name;                                                                                               \
    static const struct sql_statement name = {.text = sqlite_text,                                           \
                                              .schema = schema_name,                                         \
                                              .place = &name##_place,                                        \
                                              .pgsql = pgsql_text,                                           \
                                              .makes_id = has_id}

#define SQL_NO_NUMBER UINT32_MAX
uint32_t sql_statement_count(void);
uint32_t sql_statement_number(const struct sql_statement *s);
/* NULL: there is no such number, or it is not a statement of this schema. */
const struct sql_statement *sql_statement_at(uint32_t number, const char *schema);

struct sql_migration {
    const char *text;  /* several statements; number = position in the table + 1 */
    const char *pgsql; /* the same for PostgreSQL */
};

struct sql_schema {
    const char *name; /* "mail", "directory", "queue" */
    const struct sql_migration *migrations;
    size_t count;
    const char *owner; /* the column that leads the keys in PostgreSQL: whose row it is. NULL: everybody's */
};

struct sql;
/* Opens or makes the database at `path`: WAL, synchronous=FULL, foreign_keys=ON, temp_store=MEMORY; brings
 * its schema up to date in one transaction (after a copy to PATH.before-N when it held an older one). A newer
 * schema is refused with a clear error. `schema` NULL: a further connection to a database that is up to date.
 */
struct sql *sql_open(const char *path, const struct sql_schema *schema, struct err *e);

/* Where a database is, whichever engine it is of. */
struct deadline;
struct sql_source {
    enum sql_kind {
        SQL_SQLITE,
        SQL_PGSQL,  /* spoken to by this process: base/pgsql.h */
        SQL_REMOTE, /* by the store role for this process: base/sql_remote.h */
    } kind;
    const char *where; /* SQLITE: path of the file; PGSQL: libpq's conninfo */
    const char
        *owner;     /* PGSQL: whose rows, in a schema that has owners; NULL: nobody's. REMOTE: store knows */
    bool is_beside; /* PGSQL: a command beside the server, whose sql_data_version is to change */
    int (*connect)(void *context, struct deadline d); /* REMOTE: a channel to store, or -1 */
    void *context;
};
/* As sql_open. `is_up_to_date`: the schema is not looked at (a further connection, or store did it). Strings
 * are copied; `context` must live as long as the connection. */
struct sql *sql_open_at(const struct sql_source *source, const struct sql_schema *schema, bool is_up_to_date,
                        struct err *e);
void sql_close(struct sql *db);
#define CLEAN_SQL __attribute__((cleanup(sql_clean_close)))
void sql_clean_close(struct sql **db);

struct sql_value {
    enum { SQL_NULL, SQL_INT, SQL_TEXT, SQL_BLOB } type;
    int64_t i;
    struct str s; /* borrowed until the statement has run (sql_exec) or ended (sql_end) */
};
struct sql_value sql_null(void);
struct sql_value sql_int(int64_t i);
struct sql_value sql_text(struct str s);
struct sql_value sql_blob(struct str s);

struct sql_params {
    const struct sql_value *v;
    size_t n;
};
#define SQL(...)                                                  \
    ((struct sql_params){(const struct sql_value[]){__VA_ARGS__}, \
                         sizeof((const struct sql_value[]){__VA_ARGS__}) / sizeof(struct sql_value)})
#define SQL_NONE ((struct sql_params){NULL, 0})

/* A statement without rows. *changed (may be NULL): rows it inserted, updated or deleted. */
bool sql_exec(struct sql *db, const struct sql_statement *s, struct sql_params params, int64_t *changed,
              struct err *e);

/* A statement with rows. On true, sql_end must follow, however many rows were read. The same statement may be
 * open only once a connection at a time. */
struct sql_rows {
    struct sql *db;
    void *handle;
    bool failed;
};
bool sql_query(struct sql *db, const struct sql_statement *s, struct sql_params params, struct sql_rows *rows,
               struct err *e);
bool sql_next(struct sql_rows *rows); /* false: no more, or an error, which sql_end tells */
bool sql_end(struct sql_rows *rows, struct err *e);
int64_t sql_get_int(const struct sql_rows *rows, int column); /* NULL reads as 0 */
struct str sql_get_str(const struct sql_rows *rows,
                       int column); /* text or blob; valid until sql_next or sql_end */
bool sql_get_null(const struct sql_rows *rows, int column);

/* The one row of a query that has at most one: 1 found, 0 not found, -1 error; columns into *out via
 * callback-free use of sql_query is preferred where more than one integer is wanted. */
int sql_one_int(struct sql *db, const struct sql_statement *s, struct sql_params params, int64_t *out,
                struct err *e);

/* Transactions. begin_write takes the write lock at once (BEGIN IMMEDIATE). Commit is durable when it
 * returns. */
bool sql_begin_read(struct sql *db, struct err *e);
bool sql_begin_write(struct sql *db, struct err *e);
bool sql_commit(struct sql *db, struct err *e);
void sql_rollback(struct sql *db); /* harmless outside a transaction */
bool sql_in_transaction(struct sql *db);
/* A part of a write transaction that can fail alone (one message of a batch). */
bool sql_savepoint(struct sql *db, struct err *e);
bool sql_savepoint_release(struct sql *db, struct err *e);
void sql_savepoint_rollback(struct sql *db);

int64_t sql_last_id(struct sql *db); /* of the last INSERT */
/* Changes whenever another connection committed: for caches and for commands that poke a running server. */
int64_t sql_data_version(struct sql *db);

/* SQLite: where much of the file is free, since more stood there once, some of that is given back to the file
 * system, in a transaction of some milliseconds. *more is false at first; true afterwards: call again, with
 * it, when nobody waits. PostgreSQL has autovacuum, and this does nothing. */
bool sql_give_back(struct sql *db, bool *more, struct err *e);

#endif
