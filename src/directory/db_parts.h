/* What the files of the directory's database share among themselves. */
#ifndef DIRECTORY_DB_PARTS_H
#define DIRECTORY_DB_PARTS_H
#include "directory/address.h"
#include "directory/db.h"

/* A statement over these tables: see SQL_STATEMENT, and SQL_INSERT for the second. */
#define DIRECTORY_STATEMENT(name, ...) SQL_STATEMENT("directory", name, __VA_ARGS__)
#define DIRECTORY_INSERT(name, ...)    SQL_INSERT("directory", name, __VA_ARGS__)

/* The schema's steps for PostgreSQL: schema_pgsql.c. */
extern const char DIRECTORY_PGSQL_1[], DIRECTORY_PGSQL_2[], DIRECTORY_PGSQL_3[];

/* Ends a write transaction: commits if `good`, else (or when that fails) rolls back and returns false. */
bool directory_db_end(struct directory_db *db, bool good, struct err *e);

/* False, with words, when it is not one of ours. */
bool directory_db_domain_id(struct directory_db *db, struct str name, int64_t *id, struct err *e);

/* By canonical address: 1 found, 0 not, -1 error. */
int directory_db_account(struct directory_db *db, struct str key, struct arena *a,
                         struct directory_account *out, struct err *e);

/* Aliases whose last target has gone. */
bool directory_db_drop_empty_aliases(struct directory_db *db, struct err *e);

/* directory_db_resolve inside a transaction that is already open, as db_alias.c needs it. */
bool directory_db_expand(struct directory_db *db, struct str address, struct arena *a,
                         struct directory_answer *out, struct err *e);

/* Two columns, from `column` on. */
struct directory_quota directory_db_quota(const struct sql_rows *rows, int column);

/* Room for one more element behind n in an array that lives in an arena; returns where the array is now. */
void *directory_db_grow(struct arena *a, void *v, size_t n, size_t size);

#endif
