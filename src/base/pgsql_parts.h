/* What pgsql.c (statements and transactions) and pgsql_open.c (connections and schemas) share. */
#ifndef BASE_PGSQL_PARTS_H
#define BASE_PGSQL_PARTS_H
#include "base/libpq.h"
#include "base/sql_engine.h"

struct pgsql_prepared;
struct pgsql {
    struct sql sql; /* first */
    const struct sql_schema *schema;
    char *conninfo;
    char *place; /* for messages: "PostgreSQL" and where */
    char *owner; /* "": none */
    bool is_beside;
    PGconn *conn; /* NULL: lost, to be opened again */
    bool in_transaction, is_writing;
    bool is_lost; /* the connection went in a transaction, whose caller has not ended it yet */
    int64_t last_id;
    struct pgsql_prepared **buckets; /* PGSQL_BUCKETS */
    unsigned names;                  /* given to prepared statements so far */
};
#define PGSQL_BUCKETS 128 /* there are some two hundred statements, a connection prepares a part of them */

extern const struct sql_engine PGSQL_ENGINE;

/* Puts the words of `result` (NULL: of the connection) into *e, frees it, and notices a lost connection.
 * Returns false. */
bool pgsql_fail(struct pgsql *db, PGresult *result, struct err *e);

/* Text without parameters, one or several statements; the last one's result is looked at. */
bool pgsql_run(struct pgsql *db, const char *text, struct err *e);

/* A connection, or one that failed: PQstatus. PQfinish it. */
PGconn *pgsql_dial(const char *conninfo);
/* A statement in PostgreSQL's words, NUL-ended, in `out`. */
struct buf;
const char *pgsql_text(const struct pgsql *db, const struct sql_statement *s, struct buf *out);

/* Opens the connection, with all settings. */
bool pgsql_connect(struct pgsql *db, struct err *e);
void pgsql_forget_statements(struct pgsql *db); /* their connection is gone */
void pgsql_drop(struct pgsql *db);              /* the connection is of no use any more */
void pgsql_shut(struct sql *db);                /* PGSQL_ENGINE's close */

/* The lock that writers of these rows take. */
int64_t pgsql_lock_key(const struct sql_schema *schema, const char *owner);

#endif
