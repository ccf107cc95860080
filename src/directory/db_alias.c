/* Aliases: addresses that lead to other addresses. */
#include "base/clock.h"
#include "directory/db_parts.h"

DIRECTORY_STATEMENT(ALIAS_ID, "SELECT id FROM alias WHERE address = $1");
DIRECTORY_INSERT(ALIAS_INSERT, "INSERT INTO alias (domain, address, kind, created) VALUES ($1, $2, $3, $4)");
DIRECTORY_STATEMENT(PATTERN_COUNT, "SELECT count(*) FROM alias WHERE domain = $1 AND kind > 0");
DIRECTORY_STATEMENT(DOMAIN_IS_PLAIN,
                    "SELECT 1 FROM domain WHERE id = $1 AND alias_of IS NULL AND is_backup = 0");
DIRECTORY_STATEMENT(ALIAS_DELETE, "DELETE FROM alias WHERE id = $1");
DIRECTORY_STATEMENT(ALIAS_DELETE_EMPTY,
                    "DELETE FROM alias WHERE NOT EXISTS (SELECT 1 FROM alias_target WHERE alias = alias.id)");
DIRECTORY_STATEMENT(ALIAS_LIST,
                    "SELECT address, target, enabled, ends, post, alias.id FROM alias"
                    " JOIN alias_target ON alias_target.alias = alias.id"
                    " JOIN domain ON domain.id = alias.domain ORDER BY domain.name, kind, address, target");
DIRECTORY_STATEMENT(POSTER_LIST, "SELECT key FROM alias_poster WHERE alias = $1 ORDER BY key");
DIRECTORY_STATEMENT(ALIAS_TARGETS, "SELECT target FROM alias_target WHERE alias = $1 ORDER BY target");
DIRECTORY_STATEMENT(TARGET_INSERT, "INSERT INTO alias_target (alias, key, target) VALUES ($1, $2, $3)"
                                   " ON CONFLICT (alias, key) DO UPDATE SET target = excluded.target");
DIRECTORY_STATEMENT(
    ALIAS_WANTED,
    "SELECT alias.address FROM alias_target JOIN alias ON alias.id = alias_target.alias"
    " WHERE key = $1 AND alias.address <> $1 AND NOT EXISTS (SELECT 1 FROM account WHERE address = $1)"
    " LIMIT 1");
DIRECTORY_STATEMENT(TARGET_DELETE, "DELETE FROM alias_target WHERE alias = $1 AND key = $2");

DIRECTORY_STATEMENT(ALIAS_SET_ENABLED, "UPDATE alias SET enabled = $2 WHERE address = $1");
DIRECTORY_STATEMENT(ALIAS_SET_ENDS, "UPDATE alias SET ends = $2 WHERE address = $1");
DIRECTORY_STATEMENT(ACCOUNT_SET_RECEIVES, "UPDATE account SET receives = $2 WHERE address = $1");
DIRECTORY_STATEMENT(ACCOUNT_SET_ENDS, "UPDATE account SET ends = $2 WHERE address = $1");
DIRECTORY_STATEMENT(ALIAS_SET_POST, "UPDATE alias SET post = $2 WHERE id = $1");
DIRECTORY_STATEMENT(POSTER_CLEAR, "DELETE FROM alias_poster WHERE alias = $1");
DIRECTORY_STATEMENT(POSTER_INSERT, "INSERT INTO alias_poster (alias, key) VALUES ($1, $2)"
                                   " ON CONFLICT DO NOTHING");

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

/* What does not stand there itself is never looked for in a domain that is another one's name or a backup. */
static bool may_stand(struct directory_db *db, const struct directory_address *alias,
                      enum directory_alias_kind kind, int64_t domain, struct err *e)
{
    int64_t one, n = 0;
    if (kind == DIRECTORY_ALIAS_EXACT && alias->local.n > 0)
        return true;
    int plain = sql_one_int(db->sql, &DOMAIN_IS_PLAIN, SQL(sql_int(domain)), &one, e);
    if (plain == 0)
        err_set(e, ERR_PERMANENT,
                "%.*s is another name of a domain, or a backup: no patterns and no catch-all there",
                STR_ARGS(alias->domain));
    if (plain <= 0 || sql_one_int(db->sql, &PATTERN_COUNT, SQL(sql_int(domain)), &n, e) < 0)
        return false;
    return kind == DIRECTORY_ALIAS_EXACT || n < DIRECTORY_PATTERNS_MAX ||
           err_set(e, ERR_PERMANENT, "%.*s has %d patterns, which is as many as there may be",
                   STR_ARGS(alias->domain), DIRECTORY_PATTERNS_MAX);
}

static bool insert_alias(struct directory_db *db, const struct directory_address *alias,
                         enum directory_alias_kind kind, int64_t domain, int64_t *id, struct err *e)
{
    if (!may_stand(db, alias, kind, domain, e) ||
        !sql_exec(db->sql, &ALIAS_INSERT,
                  SQL(sql_int(domain), sql_text(alias->key), sql_int(kind), sql_int(clock_wall())), NULL, e))
        return false;
    *id = sql_last_id(db->sql);
    return true;
}

/* Whether it goes round, which an ordinary address tells; a pattern's targets are not known before there is
 * an address. */
static bool ends_somewhere(struct directory_db *db, const struct directory_address *alias,
                           enum directory_alias_kind kind, struct arena *a, struct err *e)
{
    struct directory_answer answer;
    if (kind != DIRECTORY_ALIAS_EXACT)
        return true;
    struct str probe = alias->local.n ? alias->key : arena_printf(a, "golub-probe%.*s", STR_ARGS(alias->key));
    return directory_db_expand(db, probe, a, &answer, e) && answer.fate != DIRECTORY_LOOP;
}

static bool add_alias(struct directory_db *db, const struct directory_address *alias,
                      enum directory_alias_kind kind, const struct directory_address *targets, size_t n,
                      struct arena *a, struct err *e)
{
    int64_t domain, id;
    if (!directory_db_domain_id(db, alias->domain, &domain, e))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!(kind != DIRECTORY_ALIAS_EXACT && pattern_is_template(targets[i].whole)) &&
            !leads_somewhere(db, &targets[i], a, e))
            return false;
    int found = sql_one_int(db->sql, &ALIAS_ID, SQL(sql_text(alias->key)), &id, e);
    if (found < 0 || (found == 0 && !insert_alias(db, alias, kind, domain, &id, e)))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!sql_exec(db->sql, &TARGET_INSERT,
                      SQL(sql_int(id), sql_text(targets[i].key), sql_text(targets[i].whole)), NULL, e))
            return false;
    return ends_somewhere(db, alias, kind, a, e);
}

static bool read_targets(const struct str *targets, size_t n, enum directory_alias_kind kind, struct arena *a,
                         struct directory_address **out, struct err *e)
{
    *out = ARENA_ARRAY(a, struct directory_address, n);
    for (size_t i = 0; i < n; i++)
        if (!(kind == DIRECTORY_ALIAS_EXACT ? directory_address_read(targets[i], a, &(*out)[i], e)
                                            : pattern_template_read(targets[i], a, &(*out)[i], e)))
            return false;
    return true;
}

bool directory_alias_add(struct directory_db *db, struct str address, const struct str *targets, size_t n,
                         struct err *e)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct directory_address alias, *to;
    enum directory_alias_kind kind;
    return pattern_address_read(address, &a, &alias, &kind, e) &&
           read_targets(targets, n, kind, &a, &to, e) && sql_begin_write(db->sql, e) &&
           directory_db_end(db, add_alias(db, &alias, kind, to, n, &a, e), e);
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
    enum directory_alias_kind kind;
    return pattern_address_read(address, &a, &alias, &kind, e) &&
           read_targets(targets, n, kind, &a, &to, e) && sql_begin_write(db->sql, e) &&
           directory_db_end(db, remove_alias(db, &alias, to, n, e), e);
}

/* --- reading --- */

static bool read_posters(struct directory_db *db, int64_t alias, struct arena *a, struct str *out,
                         struct err *e)
{
    struct sql_rows rows;
    *out = STR("");
    if (!sql_query(db->sql, &POSTER_LIST, SQL(sql_int(alias)), &rows, e))
        return false;
    while (sql_next(&rows))
        *out = arena_printf(a, "%.*s%s%.*s", STR_ARGS(*out), out->n ? ", " : "",
                            STR_ARGS(sql_get_str(&rows, 0)));
    return sql_end(&rows, e);
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
            .enabled = sql_get_int(&rows, 2) != 0,
            .ends = sql_get_int(&rows, 3),
            .post = (unsigned)sql_get_int(&rows, 4),
            .posters = STR(""),
            .id = sql_get_int(&rows, 5),
        };
    }
    bool good = sql_end(&rows, e);
    for (size_t i = 0; good && i < *n; i++)
        if ((*v)[i].post & DIRECTORY_POST_LISTED)
            good = read_posters(db, (*v)[i].id, a, &(*v)[i].posters, e);
    return good;
}

bool directory_alias_targets(struct directory_db *db, struct str address, struct arena *a, struct str **v,
                             size_t *n, struct err *e)
{
    struct directory_address alias;
    enum directory_alias_kind kind;
    struct sql_rows rows;
    int64_t id;
    *v = NULL;
    *n = 0;
    if (!pattern_address_read(address, a, &alias, &kind, e))
        return false;
    int found = sql_one_int(db->sql, &ALIAS_ID, SQL(sql_text(alias.key)), &id, e);
    if (found <= 0)
        return found == 0;
    if (!sql_query(db->sql, &ALIAS_TARGETS, SQL(sql_int(id)), &rows, e))
        return false;
    while (sql_next(&rows)) {
        *v = directory_db_grow(a, *v, *n, sizeof **v);
        (*v)[(*n)++] = arena_copy(a, sql_get_str(&rows, 0));
    }
    return sql_end(&rows, e);
}

/* --- taking mail or not --- */

static bool no_such_address(struct str key, struct err *e)
{
    return err_set(e, ERR_PERMANENT,
                   "there is no address %.*s: see golub address list and golub account list", STR_ARGS(key));
}

static bool set_either(struct directory_db *db, const struct sql_statement *of_alias,
                       const struct sql_statement *of_account, struct str address, int64_t value,
                       struct err *e)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct directory_address read;
    enum directory_alias_kind kind;
    int64_t changed = 0;
    if (!pattern_address_read(address, &a, &read, &kind, e))
        return false;
    const struct sql_params params = SQL(sql_text(read.key), sql_int(value));
    if (!sql_exec(db->sql, of_alias, params, &changed, e) ||
        (changed == 0 && !sql_exec(db->sql, of_account, params, &changed, e)))
        return false;
    return changed > 0 || no_such_address(read.key, e);
}

bool directory_address_enable(struct directory_db *db, struct str address, bool enabled, struct err *e)
{
    return set_either(db, &ALIAS_SET_ENABLED, &ACCOUNT_SET_RECEIVES, address, enabled, e);
}

bool directory_address_end(struct directory_db *db, struct str address, int64_t ends, struct err *e)
{
    return set_either(db, &ALIAS_SET_ENDS, &ACCOUNT_SET_ENDS, address, ends, e);
}

/* --- who may write --- */

static bool set_post(struct directory_db *db, struct str key, unsigned post,
                     const struct directory_address *posters, size_t n, struct err *e)
{
    int64_t id;
    int found = sql_one_int(db->sql, &ALIAS_ID, SQL(sql_text(key)), &id, e);
    if (found <= 0)
        return found == 0 &&
               err_set(e, ERR_PERMANENT, "there is no alias %.*s: see golub address list", STR_ARGS(key));
    if (!sql_exec(db->sql, &ALIAS_SET_POST, SQL(sql_int(id), sql_int(post)), NULL, e) ||
        !sql_exec(db->sql, &POSTER_CLEAR, SQL(sql_int(id)), NULL, e))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!sql_exec(db->sql, &POSTER_INSERT, SQL(sql_int(id), sql_text(posters[i].key)), NULL, e))
            return false;
    return true;
}

bool directory_alias_post(struct directory_db *db, struct str address, unsigned post,
                          const struct str *posters, size_t n, struct err *e)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct directory_address alias, *read = ARENA_ARRAY(&a, struct directory_address, n);
    enum directory_alias_kind kind;
    if (!pattern_address_read(address, &a, &alias, &kind, e))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!directory_pattern_read(posters[i], &a, &read[i], e))
            return false;
    return sql_begin_write(db->sql, e) && directory_db_end(db, set_post(db, alias.key, post, read, n, e), e);
}
