/* Rights to send as somebody else, as they are given and taken away. What they lead to: senders.c. */
#include "directory/db_parts.h"

DIRECTORY_STATEMENT(RIGHT_SET, "INSERT INTO send_right (account, key, on_behalf) VALUES ($1, $2, $3)"
                               " ON CONFLICT (account, key) DO UPDATE SET on_behalf = excluded.on_behalf");
DIRECTORY_STATEMENT(RIGHT_DELETE, "DELETE FROM send_right WHERE account = $1 AND key = $2");
DIRECTORY_STATEMENT(RIGHT_LIST, "SELECT key, on_behalf FROM send_right WHERE account = $1 ORDER BY key");

static bool find_account(struct directory_db *db, struct str address, struct arena *a, int64_t *id,
                         struct err *e)
{
    struct directory_account account;
    if (!directory_account_find(db, address, a, &account, e))
        return false;
    *id = account.id;
    return true;
}

bool directory_right_set(struct directory_db *db, struct str account, struct str whom, bool on_behalf,
                         struct err *e)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct directory_address read;
    int64_t id;
    return find_account(db, account, &a, &id, e) && directory_pattern_read(whom, &a, &read, e) &&
           sql_exec(db->sql, &RIGHT_SET, SQL(sql_int(id), sql_text(read.key), sql_int(on_behalf)), NULL, e);
}

bool directory_right_remove(struct directory_db *db, struct str account, struct str whom, struct err *e)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct directory_address read;
    int64_t id, changed = 0;
    if (!find_account(db, account, &a, &id, e) || !directory_pattern_read(whom, &a, &read, e) ||
        !sql_exec(db->sql, &RIGHT_DELETE, SQL(sql_int(id), sql_text(read.key)), &changed, e))
        return false;
    return changed > 0 || err_set(e, ERR_PERMANENT, "%.*s was not given the right to send as %.*s",
                                  STR_ARGS(account), STR_ARGS(read.key));
}

bool directory_right_list(struct directory_db *db, struct str account, struct arena *a,
                          struct directory_right **v, size_t *n, struct err *e)
{
    struct sql_rows rows;
    int64_t id;
    *v = NULL;
    *n = 0;
    if (!find_account(db, account, a, &id, e) || !sql_query(db->sql, &RIGHT_LIST, SQL(sql_int(id)), &rows, e))
        return false;
    while (sql_next(&rows)) {
        *v = directory_db_grow(a, *v, *n, sizeof **v);
        (*v)[(*n)++] = (struct directory_right){.whom = arena_copy(a, sql_get_str(&rows, 0)),
                                                .on_behalf = sql_get_int(&rows, 1) != 0};
    }
    return sql_end(&rows, e);
}
