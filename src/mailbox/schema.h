/* The tables of an account, and the numbers that tie them together. */
#ifndef MAILBOX_SCHEMA_H
#define MAILBOX_SCHEMA_H
#include "base/sql.h"

extern const struct sql_schema MAIL_SCHEMA;
/* Its steps for PostgreSQL: schema_pgsql.c. */
extern const char MAIL_PGSQL_1[], MAIL_PGSQL_2[];

/* A statement over these tables: see SQL_STATEMENT, and SQL_INSERT for the second. */
#define MAIL_STATEMENT(name, ...) SQL_STATEMENT("mail", name, __VA_ARGS__)
#define MAIL_INSERT(name, ...)    SQL_INSERT("mail", name, __VA_ARGS__)

/* The row of table mailbox above all others: the root of the tree, which no client sees. It keeps the
 * account's own counters where a mailbox keeps its own: uidnext is the id of the next mailbox, uidvalidity
 * the last one given, highestmodseq the last one given; messages and size are the account's, unseen is
 * how many mailboxes there are, deleted_size the last id that a body was given: none is given twice, since
 * EMAILID must not be (RFC 8474), and what is kept of a body elsewhere may outlive it; deleted the last
 * generation of the journal that is in the tables (arrivals.c), and first_recent how many messages came into
 * the journal of the process that had one last. (A row of its own table would be a page more to write for
 * every message.) */
#define ROOT_MAILBOX 0

/* A message's id is its mailbox and its uid, so that a mailbox is one range of the table, the primary key is
 * the only index on it, and no id is used twice (neither mailbox ids nor uids are). */
static inline int64_t message_id(int64_t mailbox, uint32_t uid)
{
    return mailbox << 32 | uid;
}

static inline uint32_t message_uid(int64_t id)
{
    return (uint32_t)id;
}

static inline int64_t message_mailbox(int64_t id)
{
    return id >> 32;
}

/* A chunk's id is its body and its place in it: the bytes of a body lie side by side. */
#define CHUNKS_MAX ((int64_t)1 << 20) /* of one body: 256 GiB */
static inline int64_t chunk_id(int64_t body, int64_t n)
{
    return body * CHUNKS_MAX + n;
}

#endif
