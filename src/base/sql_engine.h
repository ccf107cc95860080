/* What sql.c (statements) and sql_open.c (the file, its settings and its schema) share of SQLite. Nobody
 * else includes this: with PostgreSQL both files get a sibling, and no caller changes. */
#ifndef BASE_SQL_ENGINE_H
#define BASE_SQL_ENGINE_H
#include "base/sql.h"

#include <sqlite3.h>

struct prepared;
struct sql {
    sqlite3 *handle;
    char *path;
    struct prepared *prepared;
    size_t slots, used;
};

/* Puts the words for result code `rc` of the last call into *e: the file, what SQLite says, the way out.
 * Returns false. */
bool sql_fail(struct sql *db, int rc, struct err *e);

void sql_forget_statements(struct sql *db);

#endif
