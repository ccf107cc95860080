/* The queue's tables as SQLite has them. */
#include "queue/db.h"

static const char FIRST[] =
    "CREATE TABLE message ("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT," /* never used again: it names the message in logs */
    "  delivery BLOB NOT NULL,"
    "  sender TEXT NOT NULL,"
    "  size INTEGER NOT NULL,"
    "  is_8bit INTEGER NOT NULL,"
    "  arrived INTEGER NOT NULL);"
    "CREATE TABLE chunk ("
    "  id INTEGER PRIMARY KEY," /* message << 16 | number */
    "  bytes BLOB NOT NULL);"
    "CREATE TABLE recipient ("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  message INTEGER NOT NULL REFERENCES message (id) ON DELETE CASCADE,"
    "  address TEXT NOT NULL,"
    "  account INTEGER NOT NULL,"
    "  original TEXT NOT NULL,"
    "  detail TEXT NOT NULL,"
    "  domain TEXT NOT NULL,"
    "  state INTEGER NOT NULL," /* enum queue_state */
    "  attempts INTEGER NOT NULL,"
    "  warned INTEGER NOT NULL,"
    "  next_attempt INTEGER NOT NULL,"
    "  host TEXT NOT NULL,"
    "  reply TEXT NOT NULL);"
    "CREATE INDEX recipient_message ON recipient (message);"
    "CREATE INDEX recipient_due ON recipient (domain, next_attempt, id) WHERE state = 0;"
    "CREATE TABLE attempt ("
    "  id INTEGER PRIMARY KEY,"
    "  message INTEGER NOT NULL REFERENCES message (id) ON DELETE CASCADE,"
    "  recipient INTEGER NOT NULL,"
    "  at INTEGER NOT NULL,"
    "  host TEXT NOT NULL,"
    "  reply TEXT NOT NULL);"
    "CREATE INDEX attempt_message ON attempt (message);";

/* What the sender asked for (queue/envelope.h), the flow of a recipient (queue/flow.h), attempts with their
 * transcript; and less to write for an ordinary message: its bytes stand in its row, and a recipient's key
 * begins with its message's, so that no index and no foreign key has to lead from one to the other. */
static const char SECOND[] =
    "ALTER TABLE message ADD COLUMN body INTEGER NOT NULL DEFAULT 1;" /* enum envelope_body */
    "ALTER TABLE message ADD COLUMN ret INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE message ADD COLUMN by_mode INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE message ADD COLUMN by_trace INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE message ADD COLUMN is_utf8 INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE message ADD COLUMN requires_tls INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE message ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE message ADD COLUMN deliver_by INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE message ADD COLUMN hold_until INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE message ADD COLUMN submitter INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE message ADD COLUMN envid TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE message ADD COLUMN bytes BLOB;" /* of a small message; NULL: they are in chunks */
    "ALTER TABLE attempt ADD COLUMN fate INTEGER NOT NULL DEFAULT 1;"     /* enum queue_fate */
    "ALTER TABLE attempt ADD COLUMN transcript TEXT NOT NULL DEFAULT '';" /* at the first of a job's */
    "CREATE INDEX message_by ON message (deliver_by) WHERE by_mode > 0;"
    "UPDATE attempt SET recipient = message * 1048576 + (SELECT count(*) FROM recipient r"
    "  WHERE r.message = attempt.message AND r.id <= attempt.recipient);"
    "CREATE TABLE recipient_2 ("
    "  id INTEGER PRIMARY KEY," /* message << 20 | number */
    "  message INTEGER NOT NULL,"
    "  address TEXT NOT NULL,"
    "  account INTEGER NOT NULL,"
    "  original TEXT NOT NULL,"
    "  detail TEXT NOT NULL,"
    "  domain TEXT NOT NULL,"
    "  flow INTEGER NOT NULL," /* of an older release: 9, nobody's, of priority 0 */
    "  state INTEGER NOT NULL,"
    "  attempts INTEGER NOT NULL,"
    "  warned INTEGER NOT NULL,"
    "  next_attempt INTEGER NOT NULL,"
    "  notify INTEGER NOT NULL," /* ENVELOPE_NOTIFY_ bits */
    "  orcpt TEXT NOT NULL,"
    "  host TEXT NOT NULL,"
    "  reply TEXT NOT NULL);"
    "INSERT INTO recipient_2 (id, message, address, account, original, detail, domain, flow, state, attempts,"
    "  warned, next_attempt, notify, orcpt, host, reply)"
    " SELECT message * 1048576 + row_number() OVER (PARTITION BY message ORDER BY id), message, address,"
    "  account, original, detail, domain, 9, state, attempts, warned, next_attempt, 0, '', host, reply"
    " FROM recipient;"
    "DROP TABLE recipient;"
    "ALTER TABLE recipient_2 RENAME TO recipient;"
    "CREATE INDEX recipient_due ON recipient (domain, flow, next_attempt, id) WHERE state = 0;"
    "CREATE INDEX recipient_held ON recipient (domain) WHERE state = 3;"
    /* tls_memory.c */
    "CREATE TABLE sts_policy ("
    "  domain TEXT PRIMARY KEY,"
    "  id TEXT NOT NULL,"
    "  policy TEXT NOT NULL,"
    "  fetched INTEGER NOT NULL,"
    "  expires INTEGER NOT NULL);"
    "CREATE TABLE tls_day ("
    "  day INTEGER NOT NULL,"
    "  domain TEXT NOT NULL,"
    "  state INTEGER NOT NULL,"  /* enum tls_day_state */
    "  report INTEGER NOT NULL," /* number of the last one of this day */
    "  attempts INTEGER NOT NULL,"
    "  next_attempt INTEGER NOT NULL,"
    "  is_asked INTEGER NOT NULL," /* by an administrator, before the day is over */
    "  PRIMARY KEY (day, domain));"
    "CREATE INDEX tls_day_due ON tls_day (next_attempt) WHERE state <= 1;"
    "CREATE TABLE tls_count ("
    "  day INTEGER NOT NULL,"
    "  domain TEXT NOT NULL,"
    "  report INTEGER NOT NULL," /* 0: in none yet */
    "  digest BLOB NOT NULL,"    /* of all that follows but the number */
    "  kind INTEGER NOT NULL,"
    "  policy TEXT NOT NULL,"
    "  mx TEXT NOT NULL,"
    "  result INTEGER NOT NULL,"
    "  host TEXT NOT NULL,"
    "  address TEXT NOT NULL,"
    "  reason TEXT NOT NULL,"
    "  sessions INTEGER NOT NULL,"
    "  PRIMARY KEY (day, domain, report, digest));";

static const char THIRD[] =
    /* our address in the sessions that are counted; "" with success, and for those of an older release */
    "ALTER TABLE tls_count ADD COLUMN source TEXT NOT NULL DEFAULT '';"
    /* tls_received.c */
    "CREATE TABLE tls_received ("
    "  domain TEXT NOT NULL,"
    "  organization TEXT NOT NULL,"
    "  report TEXT NOT NULL," /* its number, by the organization's count */
    "  begins TEXT NOT NULL,"
    "  ends TEXT NOT NULL,"
    "  received INTEGER NOT NULL,"
    "  good INTEGER NOT NULL,"
    "  failed INTEGER NOT NULL,"
    "  failures TEXT NOT NULL," /* as struct tls_summary_domain has them */
    "  PRIMARY KEY (domain, organization, report));";

static const char FOURTH[] = /* enum config_language: that is set of its submitter */
    "ALTER TABLE message ADD COLUMN language INTEGER NOT NULL DEFAULT -1;";

static const char FIFTH[] =
    "ALTER TABLE message ADD COLUMN uid INTEGER NOT NULL DEFAULT -1;" /* of a user of this machine; -1: none
                                                                       */
    "CREATE INDEX message_uid ON message (uid, id) WHERE uid >= 0;";

/* A recipient that is in the server's memory since it came (queue_db_put_down) is in no index by destination:
 * one who goes at once costs the same however many wait. */
static const char SIXTH[] = "ALTER TABLE recipient ADD COLUMN at_hand INTEGER NOT NULL DEFAULT 0;"
                            "DROP INDEX recipient_due;"
                            "CREATE INDEX recipient_due ON recipient (domain, flow, next_attempt, id) WHERE "
                            "state = 0 AND at_hand = 0;"
                            "CREATE INDEX recipient_at_hand ON recipient (at_hand) WHERE at_hand = 1;";

/* What of the journal is in these tables: transit.c. Ids that were given to messages there are known to
 * SQLite only if it has a row in which to keep the last. */
static const char SEVENTH[] =
    "CREATE TABLE journal ("
    "  id INTEGER PRIMARY KEY," /* 1: there is one */
    "  generation INTEGER NOT NULL);"
    "INSERT INTO journal (id, generation) VALUES (1, 0);"
    "INSERT INTO sqlite_sequence (name, seq)"
    " SELECT 'message', 0 WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'message');";

static const struct sql_migration MIGRATIONS[] = {
    {FIRST, QUEUE_PGSQL_1}, {SECOND, QUEUE_PGSQL_2}, {THIRD, QUEUE_PGSQL_3},   {FOURTH, QUEUE_PGSQL_4},
    {FIFTH, QUEUE_PGSQL_5}, {SIXTH, QUEUE_PGSQL_6},  {SEVENTH, QUEUE_PGSQL_7},
};
const struct sql_schema QUEUE_SCHEMA = {"queue", MIGRATIONS, sizeof MIGRATIONS / sizeof *MIGRATIONS, "node"};
