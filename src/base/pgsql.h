/* PostgreSQL through libpq, in this process: for the store role, which serves everybody else, and for
 * commands. What is set on a connection:
 *
 * - Each schema (struct sql_schema) is a schema of the database: golub_mail, golub_directory, golub_queue.
 * - A schema with an owner column (mail: account) has a second one, golub_mail_own, with a view for each
 *   table: the rows of one owner, whose name the setting golub.owner of the connection holds. Statements see
 *   the views; what they insert gets the owner by default. A statement never names the owner, so whoever may
 *   only choose among our statements reaches only the rows of the owner that was set.
 * - sql_begin_write takes an advisory lock on schema and owner: writers wait for each other as in SQLite, on
 *   whichever machine they are, and counters that were read stay right until the commit.
 * - A connection that is lost in a transaction ends it, and the next transaction opens a new one. */
#ifndef BASE_PGSQL_H
#define BASE_PGSQL_H
#include "base/sql.h"

/* A conninfo from which connections can be opened inside the sandbox, where no file can be read and no name
 * looked up: with the user, the addresses of the hosts and the password in it. Connects once to find out.
 * free() it; NULL: *e says why. */
char *pgsql_resolve(const char *conninfo, struct err *e);

/* What a conninfo needs: what a sandbox must allow. */
#define PGSQL_FILES 4
struct pgsql_uses {
    bool is_unix, is_tcp;
    bool has_password;        /* in the text itself */
    char *files[PGSQL_FILES]; /* that each connection reads: certificates; NULL-ended unless full */
};
bool pgsql_uses(const char *conninfo, struct pgsql_uses *uses, struct err *e); /* then pgsql_uses_free */
void pgsql_uses_free(struct pgsql_uses *uses);

/* From now on the rows of this owner; outside of a transaction. */
void pgsql_set_owner(struct sql *db, const char *owner);

/* Removes every row of the owner that was set, from every table of the schema. */
bool pgsql_forget_owner(struct sql *db, struct err *e);

struct sql *pgsql_open(const struct sql_source *source, const struct sql_schema *schema, bool is_up_to_date,
                       struct err *e);

#endif
