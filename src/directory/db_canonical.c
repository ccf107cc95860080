/* Canonical maps as they are kept; what they do: forward.c. */
#include "directory/db_parts.h"

DIRECTORY_STATEMENT(REWRITE_SET, "INSERT INTO canonical (kind, key, target) VALUES ($1, $2, $3)"
                                 " ON CONFLICT (kind, key) DO UPDATE SET target = excluded.target");
DIRECTORY_STATEMENT(REWRITE_DELETE, "DELETE FROM canonical WHERE kind = $1 AND key = $2");
DIRECTORY_STATEMENT(REWRITE_LIST, "SELECT kind, key, target FROM canonical ORDER BY kind, key");

bool directory_rewrite_set(struct directory_db *db, const struct directory_rewrite *r, struct err *e)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct directory_address from, to;
    if (!directory_pattern_read(r->from, &a, &from, e) || !directory_pattern_read(r->to, &a, &to, e))
        return false;
    if (from.local.n > 0 && to.local.n == 0)
        return err_set(e, ERR_PERMANENT, "%.*s is one address, and becomes one: NAME@DOMAIN",
                       STR_ARGS(from.key));
    return sql_exec(db->sql, &REWRITE_SET, SQL(sql_int(r->kind), sql_text(from.key), sql_text(to.whole)),
                    NULL, e);
}

bool directory_rewrite_remove(struct directory_db *db, enum directory_canonical kind, struct str from,
                              struct err *e)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct directory_address read;
    int64_t changed = 0;
    if (!directory_pattern_read(from, &a, &read, e) ||
        !sql_exec(db->sql, &REWRITE_DELETE, SQL(sql_int(kind), sql_text(read.key)), &changed, e))
        return false;
    return changed > 0 ||
           err_set(e, ERR_PERMANENT, "%.*s is not rewritten: see golub rewrite list", STR_ARGS(read.key));
}

bool directory_rewrite_list(struct directory_db *db, struct arena *a, struct directory_rewrite **v, size_t *n,
                            struct err *e)
{
    struct sql_rows rows;
    *v = NULL;
    *n = 0;
    if (!sql_query(db->sql, &REWRITE_LIST, SQL_NONE, &rows, e))
        return false;
    while (sql_next(&rows)) {
        *v = directory_db_grow(a, *v, *n, sizeof **v);
        (*v)[(*n)++] = (struct directory_rewrite){.kind = (enum directory_canonical)sql_get_int(&rows, 0),
                                                  .from = arena_copy(a, sql_get_str(&rows, 1)),
                                                  .to = arena_copy(a, sql_get_str(&rows, 2))};
    }
    return sql_end(&rows, e);
}
