/* Aliases: addresses that lead to other addresses. */
#include "base/clock.h"
#include "directory/db_parts.h"

DIRECTORY_STATEMENT(ALIAS_ID, "SELECT id FROM alias WHERE address = $1");
DIRECTORY_INSERT(ALIAS_INSERT, "INSERT INTO alias (domain, address, created) VALUES ($1, $2, $3)");
DIRECTORY_STATEMENT(ALIAS_DELETE, "DELETE FROM alias WHERE id = $1");
DIRECTORY_STATEMENT(ALIAS_DELETE_EMPTY,
                    "DELETE FROM alias WHERE NOT EXISTS (SELECT 1 FROM alias_target WHERE alias = alias.id)");
DIRECTORY_STATEMENT(ALIAS_LIST,
                    "SELECT address, target FROM alias JOIN alias_target ON alias_target.alias = alias.id"
                    " JOIN domain ON domain.id = alias.domain ORDER BY domain.name, address, target");
DIRECTORY_STATEMENT(TARGET_INSERT, "INSERT INTO alias_target (alias, key, target) VALUES ($1, $2, $3)"
                                   " ON CONFLICT (alias, key) DO UPDATE SET target = excluded.target");
DIRECTORY_STATEMENT(
    ALIAS_WANTED,
    "SELECT alias.address FROM alias_target JOIN alias ON alias.id = alias_target.alias"
    " WHERE key = $1 AND alias.address <> $1 AND NOT EXISTS (SELECT 1 FROM account WHERE address = $1)"
    " LIMIT 1");
DIRECTORY_STATEMENT(TARGET_DELETE, "DELETE FROM alias_target WHERE alias = $1 AND key = $2");

/* A target that nobody will ever answer to is a mistake that is best told now. */
static bool leads_somewhere(struct directory_db *db, const struct directory_address *target, struct arena *a,
                            struct err *e)
{
    struct directory_answer answer;
    if (!directory_db_expand(db, target->whole, a, &answer, e))
        return false;
    if (answer.fate == DIRECTORY_UNKNOWN)
        return err_set(e, ERR_PERMANENT, "the target %.*s does not exist: golub account add %.*s",
                       STR_ARGS(target->key), STR_ARGS(target->key));
    return true;
}

static bool add_alias(struct directory_db *db, const struct directory_address *alias,
                      const struct directory_address *targets, size_t n, struct arena *a, struct err *e)
{
    int64_t domain, id;
    struct directory_answer answer;
    if (!directory_db_domain_id(db, alias->domain, &domain, e))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!leads_somewhere(db, &targets[i], a, e))
            return false;
    int found = sql_one_int(db->sql, &ALIAS_ID, SQL(sql_text(alias->key)), &id, e);
    if (found < 0)
        return false;
    if (found == 0) {
        if (!sql_exec(db->sql, &ALIAS_INSERT,
                      SQL(sql_int(domain), sql_text(alias->key), sql_int(clock_wall())), NULL, e))
            return false;
        id = sql_last_id(db->sql);
    }
    for (size_t i = 0; i < n; i++)
        if (!sql_exec(db->sql, &TARGET_INSERT,
                      SQL(sql_int(id), sql_text(targets[i].key), sql_text(targets[i].whole)), NULL, e))
            return false;
    struct str probe = alias->local.n ? alias->key : arena_printf(a, "golub-probe%.*s", STR_ARGS(alias->key));
    return directory_db_expand(db, probe, a, &answer, e) && answer.fate != DIRECTORY_LOOP;
}

static bool read_targets(const struct str *targets, size_t n, struct arena *a, struct directory_address **out,
                         struct err *e)
{
    *out = ARENA_ARRAY(a, struct directory_address, n);
    for (size_t i = 0; i < n; i++)
        if (!directory_address_read(targets[i], a, &(*out)[i], e))
            return false;
    return true;
}

bool directory_alias_add(struct directory_db *db, struct str address, const struct str *targets, size_t n,
                         struct err *e)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct directory_address alias, *to;
    return directory_pattern_read(address, &a, &alias, e) && read_targets(targets, n, &a, &to, e) &&
           sql_begin_write(db->sql, e) && directory_db_end(db, add_alias(db, &alias, to, n, &a, e), e);
}

bool directory_db_drop_empty_aliases(struct directory_db *db, struct err *e)
{
    return sql_exec(db->sql, &ALIAS_DELETE_EMPTY, SQL_NONE, NULL, e);
}

/* An alias that others lead to goes last, so that no address is left leading nowhere. */
static bool nobody_wants(struct directory_db *db, struct str key, struct err *e)
{
    struct sql_rows rows;
    struct err why = ERR_INIT;
    if (!sql_query(db->sql, &ALIAS_WANTED, SQL(sql_text(key)), &rows, e))
        return false;
    bool wanted = sql_next(&rows);
    if (wanted)
        err_set(&why, ERR_PERMANENT, "%.*s leads to it: golub address remove %.*s %.*s",
                STR_ARGS(sql_get_str(&rows, 0)), STR_ARGS(sql_get_str(&rows, 0)), STR_ARGS(key));
    if (!sql_end(&rows, e))
        return false;
    return !wanted || err_set(e, ERR_PERMANENT, "%s", why.text);
}

static bool remove_alias(struct directory_db *db, const struct directory_address *alias,
                         const struct directory_address *targets, size_t n, struct err *e)
{
    int64_t id, changed = 0;
    int found = sql_one_int(db->sql, &ALIAS_ID, SQL(sql_text(alias->key)), &id, e);
    if (found == 0)
        return err_set(e, ERR_PERMANENT, "there is no alias %.*s: see golub address list",
                       STR_ARGS(alias->key));
    if (found < 0)
        return false;
    if (n == 0)
        return nobody_wants(db, alias->key, e) && sql_exec(db->sql, &ALIAS_DELETE, SQL(sql_int(id)), NULL, e);
    for (size_t i = 0; i < n; i++) {
        if (!sql_exec(db->sql, &TARGET_DELETE, SQL(sql_int(id), sql_text(targets[i].key)), &changed, e))
            return false;
        if (changed == 0)
            return err_set(e, ERR_PERMANENT, "%.*s does not lead to %.*s", STR_ARGS(alias->key),
                           STR_ARGS(targets[i].key));
    }
    return directory_db_drop_empty_aliases(db, e);
}

bool directory_alias_remove(struct directory_db *db, struct str address, const struct str *targets, size_t n,
                            struct err *e)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct directory_address alias, *to;
    return directory_pattern_read(address, &a, &alias, e) && read_targets(targets, n, &a, &to, e) &&
           sql_begin_write(db->sql, e) && directory_db_end(db, remove_alias(db, &alias, to, n, e), e);
}

bool directory_alias_list(struct directory_db *db, struct arena *a, struct directory_alias **v, size_t *n,
                          struct err *e)
{
    struct sql_rows rows;
    *v = NULL;
    *n = 0;
    if (!sql_query(db->sql, &ALIAS_LIST, SQL_NONE, &rows, e))
        return false;
    while (sql_next(&rows)) {
        *v = directory_db_grow(a, *v, *n, sizeof **v);
        (*v)[(*n)++] = (struct directory_alias){
            .address = arena_copy(a, sql_get_str(&rows, 0)),
            .target = arena_copy(a, sql_get_str(&rows, 1)),
        };
    }
    return sql_end(&rows, e);
}
