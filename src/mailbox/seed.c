/* The first rows of an account whose tables it shares with others (PostgreSQL). In SQLite the file comes with
 * them: schema.c. Both are the same rows. */
#include "base/clock.h"
#include "mailbox/internal.h"

MAIL_STATEMENT(IS_THERE, "SELECT 1 FROM mailbox WHERE id = 0");
/* messages, size and unseen of the root: no messages, no bytes, six mailboxes. */
MAIL_STATEMENT(
    MAILBOXES,
    "INSERT INTO mailbox(id, name, role, selectable, uidvalidity, uidnext, first_recent, highestmodseq,"
    " messages, unseen, deleted, size)"
    " SELECT column1, column2, column3, CASE WHEN column1 > 0 THEN 1 ELSE 0 END, $1, column4, 1, 1,"
    "  0, column5, 0, 0"
    " FROM (VALUES(0, '', 0, 7, 6), (1, 'INBOX', 1, 1, 0), (2, 'Drafts', 2, 1, 0), (3, 'Sent', 3, 1, 0),"
    "  (4, 'Archive', 4, 1, 0), (5, 'Junk', 5, 1, 0), (6, 'Trash', 6, 1, 0)) AS v");
MAIL_STATEMENT(SUBSCRIPTIONS, "INSERT INTO subscription(name) SELECT name FROM mailbox WHERE id > 0");

static int is_there(struct sql *db, struct err *e)
{
    int64_t one;
    return sql_one_int(db, &IS_THERE, SQL_NONE, &one, e);
}

bool seed_account(struct sql *db, struct err *e)
{
    int found = is_there(db, e);
    if (found != 0)
        return found > 0;
    if (!sql_begin_write(db, e))
        return false;
    found = is_there(db, e); /* another process may have been faster */
    bool good = found > 0 || (found == 0 && sql_exec(db, &MAILBOXES, SQL(sql_int(clock_wall())), NULL, e) &&
                              sql_exec(db, &SUBSCRIPTIONS, SQL_NONE, NULL, e));
    if (good)
        return sql_commit(db, e);
    sql_rollback(db);
    return false;
}
