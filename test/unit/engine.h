/* The engine that this run of a test program works on: meson runs the tests of the databases on SQLite, and
 * again with GOLUB_TEST_ENGINE=pgsql (PostgreSQL spoken to by the program) or =store (through store's
 * threads, as an account process does), on the server that GOLUB_TEST_POSTGRESQL tells of
 * (test/postgresql.py). Each program makes a database of its own there. */
#ifndef TEST_UNIT_ENGINE_H
#define TEST_UNIT_ENGINE_H
#include "base/sql.h"

enum engine { ENGINE_SQLITE, ENGINE_PGSQL, ENGINE_STORE };
enum engine engine(void);

/* Of this program's database; with PostgreSQL only. */
const char *engine_conninfo(void);

/* Text without parameters, on a connection of its own. */
void engine_run(const char *text);

/* How PostgreSQL goes about a statement on this connection: EXPLAIN. */
struct buf;
void engine_explain(struct sql *db, const struct sql_statement *s, struct buf *plan);

/* Where the module under test finds its rows: the file at `path`, or those of `owner` in PostgreSQL. */
struct sql_source engine_source(const struct sql_schema *schema, const char *path, const char *owner);
/* The same rows, without store between: for statements of the test's own. */
struct sql_source engine_beside(const char *path, const char *owner);

#endif
