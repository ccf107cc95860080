/* What sqlite.c (statements) and sqlite_open.c (the file, its settings and its schema) share. Nobody else
 * includes this. */
#ifndef BASE_SQLITE_H
#define BASE_SQLITE_H
#include "base/sql_engine.h"

#include <sqlite3.h>

struct prepared;
struct sqlite {
    struct sql sql; /* first */
    sqlite3 *handle;
    char *path;
    struct prepared *prepared;
    size_t slots, used;
};

extern const struct sql_engine SQLITE_ENGINE;

/* Puts the words for result code `rc` of the last call into *e: the file, what SQLite says, the way out.
 * Returns false. */
bool sqlite_fail(struct sqlite *db, int rc, struct err *e);

void sqlite_forget_statements(struct sqlite *db);

/* SQLITE_ENGINE's close and give_back. */
void sqlite_shut(struct sql *db);
bool sqlite_give_back(struct sql *db, bool *more, struct err *e);

#endif
