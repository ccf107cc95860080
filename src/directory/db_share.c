/* Who shares mailboxes with whom. What exactly is shared, and how, only the owner's account knows; the
 * directory is told by it for whom there is anything at all, so that a guest's list of shared mailboxes need
 * not wake every account. */
#include "directory/db_parts.h"

#define ANYONE STR("anyone") /* the identifier of RFC 4314 section 2 */

DIRECTORY_STATEMENT(SHARE_DELETE, "DELETE FROM share WHERE owner = $1");
DIRECTORY_STATEMENT(SHARE_INSERT, "INSERT INTO share (owner, guest) SELECT id, $2 FROM account WHERE id = $1"
                                  " ON CONFLICT DO NOTHING");
DIRECTORY_STATEMENT(SHARED_WITH, "SELECT DISTINCT owner.id, owner.address FROM share"
                                 " JOIN account owner ON owner.id = share.owner"
                                 " WHERE share.guest IN ((SELECT address FROM account WHERE id = $1), $2)"
                                 " AND owner.id <> $1 AND ($3 = '' OR owner.address = $3)"
                                 " ORDER BY owner.address LIMIT $4");

bool directory_db_share(struct directory_db *db, int64_t owner, const struct str *guests, size_t n,
                        struct err *e)
{
    if (!sql_begin_write(db->sql, e))
        return false;
    bool good = sql_exec(db->sql, &SHARE_DELETE, SQL(sql_int(owner)), NULL, e);
    for (size_t i = 0; good && i < n; i++)
        good = sql_exec(db->sql, &SHARE_INSERT, SQL(sql_int(owner), sql_text(guests[i])), NULL, e);
    return directory_db_end(db, good, e);
}

bool directory_db_shared_with(struct directory_db *db, int64_t guest, struct str owner, struct arena *a,
                              struct directory_owner **v, size_t *n, struct err *e)
{
    struct sql_rows rows;
    *n = 0;
    *v = ARENA_ARRAY(a, struct directory_owner, DIRECTORY_OWNERS_MAX);
    if (!sql_query(db->sql, &SHARED_WITH,
                   SQL(sql_int(guest), sql_text(ANYONE), sql_text(owner), sql_int(DIRECTORY_OWNERS_MAX)),
                   &rows, e))
        return false;
    while (*n < DIRECTORY_OWNERS_MAX && sql_next(&rows))
        (*v)[(*n)++] = (struct directory_owner){sql_get_int(&rows, 0), arena_copy(a, sql_get_str(&rows, 1))};
    return sql_end(&rows, e);
}
