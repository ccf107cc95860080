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

/* False, with the words that there is no such thing. */
bool directory_db_no_account(struct str key, struct err *e);
bool directory_db_no_domain(struct str name, struct err *e);

/* False, with words, when it is not one of ours. */
bool directory_db_domain_id(struct directory_db *db, struct str name, int64_t *id, struct err *e);

bool directory_db_is_first_domain(struct directory_db *db, int64_t id, bool *first, struct err *e);

bool directory_db_insert_account(struct directory_db *db, int64_t domain, struct str address, struct str hash,
                                 struct err *e);

/* By canonical address: 1 found, 0 not, -1 error. */
int directory_db_account(struct directory_db *db, struct str key, struct arena *a,
                         struct directory_account *out, struct err *e);

/* Aliases whose last target has gone. */
bool directory_db_drop_empty_aliases(struct directory_db *db, struct err *e);

/* directory_db_answer inside a transaction that is already open; and of an address alone. */
struct directory_trail;
bool directory_db_expand_question(struct directory_db *db, const struct directory_question *q,
                                  struct directory_trail *trail, struct arena *a,
                                  struct directory_answer *out, struct err *e);
bool directory_db_expand(struct directory_db *db, struct str address, struct arena *a,
                         struct directory_answer *out, struct err *e);

/* Ends a read transaction: one consistent view, and one lock instead of one a statement. */
bool directory_db_end_read(struct directory_db *db, bool good, struct err *e);

/* What a canonical map makes of an address: 1 *to is filled, 0 it stays, -1 error. */
int directory_db_canonical(struct directory_db *db, enum directory_canonical kind,
                           const struct directory_address *address, struct arena *a,
                           struct directory_address *to, struct err *e);

/* db->srs_key, made by whichever process comes first; not inside a transaction. */
bool directory_db_load_srs_key(struct directory_db *db, struct err *e);

/* Two columns, from `column` on. */
struct directory_quota directory_db_quota(const struct sql_rows *rows, int column);

/* What holds for an account, or with account 0 for that of this key; nothing is set where there is none. */
bool directory_db_settings_of(struct directory_db *db, int64_t account, struct str key,
                              struct directory_settings *out, struct err *e);

/* Room for one more element behind n in an array that lives in an arena; returns where the array is now. */
void *directory_db_grow(struct arena *a, void *v, size_t n, size_t size);

#endif
