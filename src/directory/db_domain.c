/* Domains: ours, other names of ours, and those of others whose mail waits here. */
#include "base/clock.h"
#include "directory/db_parts.h"

DIRECTORY_INSERT(DOMAIN_INSERT,
                 "INSERT INTO domain (name, created, alias_of, is_backup) VALUES ($1, $2, $3, $4)"
                 " ON CONFLICT DO NOTHING");
DIRECTORY_STATEMENT(DOMAIN_DELETE, "DELETE FROM domain WHERE id = $1");
DIRECTORY_STATEMENT(DOMAIN_IN_USE, "SELECT (SELECT count(*) FROM account WHERE domain = $1) "
                                   "+ (SELECT count(*) FROM alias WHERE domain = $1)");
DIRECTORY_STATEMENT(DOMAIN_OTHER_NAMES, "SELECT count(*) FROM domain WHERE alias_of = $1");
DIRECTORY_STATEMENT(DOMAIN_IS_PLAIN,
                    "SELECT 1 FROM domain WHERE id = $1 AND alias_of IS NULL AND is_backup = 0");
DIRECTORY_STATEMENT(DOMAIN_IS_BACKUP, "SELECT 1 FROM domain WHERE id = $1 AND is_backup = 1");
DIRECTORY_STATEMENT(
    DOMAIN_LIST, "SELECT domain.name, domain.created,"
                 " (SELECT count(*) FROM account WHERE domain = domain.id),"
                 " (SELECT count(*) FROM alias WHERE domain = domain.id),"
                 " domain.quota_bytes, domain.quota_messages, coalesce(other.name, ''), domain.is_backup,"
                 " (SELECT count(*) FROM backup_recipient WHERE domain = domain.id)"
                 " FROM domain LEFT JOIN domain AS other ON other.id = domain.alias_of ORDER BY domain.id");
DIRECTORY_STATEMENT(BACKUP_INSERT, "INSERT INTO backup_recipient (domain, key) VALUES ($1, $2)"
                                   " ON CONFLICT DO NOTHING");
DIRECTORY_STATEMENT(BACKUP_DELETE, "DELETE FROM backup_recipient WHERE domain = $1 AND key = $2");
DIRECTORY_STATEMENT(BACKUP_CLEAR, "DELETE FROM backup_recipient WHERE domain = $1");
DIRECTORY_STATEMENT(BACKUP_LIST, "SELECT key FROM backup_recipient WHERE domain = $1 ORDER BY key");

/* --- adding --- */

static bool insert(struct directory_db *db, struct str name, struct sql_value alias_of, bool is_backup,
                   int64_t *id, bool *first, struct err *e)
{
    int64_t changed = 0;
    if (!sql_exec(db->sql, &DOMAIN_INSERT,
                  SQL(sql_text(name), sql_int(clock_wall()), alias_of, sql_int(is_backup)), &changed, e))
        return false;
    if (changed == 0)
        return err_set(e, ERR_PERMANENT, "%.*s is one of our domains already", STR_ARGS(name));
    *id = sql_last_id(db->sql);
    return directory_db_is_first_domain(db, *id, first, e);
}

static bool add_domain(struct directory_db *db, struct str name, struct arena *a, struct err *e)
{
    int64_t id = 0; /* gcc -fanalyzer does not see that insert() has set both */
    bool first = false;
    if (!insert(db, name, sql_null(), false, &id, &first, e))
        return false;
    return !first || directory_db_insert_account(db, id, arena_printf(a, "postmaster@%.*s", STR_ARGS(name)),
                                                 STR(""), e);
}

static bool not_the_first(bool first, struct err *e)
{
    return !first || err_set(e, ERR_PERMANENT, "the first domain is one with a postmaster of its own");
}

static bool add_alias_domain(struct directory_db *db, struct str name, struct str other, struct err *e)
{
    int64_t id, of, one;
    bool first = false;
    if (!directory_db_domain_id(db, other, &of, e))
        return false;
    int plain = sql_one_int(db->sql, &DOMAIN_IS_PLAIN, SQL(sql_int(of)), &one, e);
    if (plain <= 0)
        return plain < 0 ? false
                         : err_set(e, ERR_PERMANENT,
                                   "%.*s is itself another name or a backup: name a domain with accounts",
                                   STR_ARGS(other));
    return insert(db, name, sql_int(of), false, &id, &first, e) && not_the_first(first, e);
}

static bool add_backup(struct directory_db *db, struct str name, struct err *e)
{
    int64_t id;
    bool first = false;
    return insert(db, name, sql_null(), true, &id, &first, e) && not_the_first(first, e);
}

static bool read_new(struct str name, struct arena *a, struct str *out, struct err *e)
{
    if (!directory_domain_read(name, a, out, e))
        return false;
    return out->p[0] != '[' || err_set(e, ERR_PERMANENT, "%.*s is an address, not a domain", STR_ARGS(*out));
}

bool directory_domain_add(struct directory_db *db, struct str name, struct err *e)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    return read_new(name, &a, &name, e) && sql_begin_write(db->sql, e) &&
           directory_db_end(db, add_domain(db, name, &a, e), e);
}

bool directory_domain_add_alias(struct directory_db *db, struct str name, struct str other, struct err *e)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    return read_new(name, &a, &name, e) && directory_domain_read(other, &a, &other, e) &&
           sql_begin_write(db->sql, e) && directory_db_end(db, add_alias_domain(db, name, other, e), e);
}

bool directory_domain_add_backup(struct directory_db *db, struct str name, struct err *e)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    return read_new(name, &a, &name, e) && sql_begin_write(db->sql, e) &&
           directory_db_end(db, add_backup(db, name, e), e);
}

/* --- removing --- */

static bool remove_domain(struct directory_db *db, struct str name, struct err *e)
{
    int64_t id, used = 0, names = 0;
    bool first;
    if (!directory_db_domain_id(db, name, &id, e) || !directory_db_is_first_domain(db, id, &first, e))
        return false;
    if (first)
        return err_set(e, ERR_PERMANENT,
                       "%.*s is the first domain: postmaster@%.*s must exist (RFC 5321 4.5.1)",
                       STR_ARGS(name), STR_ARGS(name));
    if (sql_one_int(db->sql, &DOMAIN_IN_USE, SQL(sql_int(id)), &used, e) < 0 ||
        sql_one_int(db->sql, &DOMAIN_OTHER_NAMES, SQL(sql_int(id)), &names, e) < 0)
        return false;
    if (used > 0)
        return err_set(e, ERR_PERMANENT, "%.*s still has %lld accounts and addresses: remove them first",
                       STR_ARGS(name), (long long)used);
    if (names > 0)
        return err_set(e, ERR_PERMANENT, "%lld domains are other names of %.*s: remove them first",
                       (long long)names, STR_ARGS(name));
    return sql_exec(db->sql, &DOMAIN_DELETE, SQL(sql_int(id)), NULL, e);
}

bool directory_domain_remove(struct directory_db *db, struct str name, struct err *e)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    return directory_domain_read(name, &a, &name, e) && sql_begin_write(db->sql, e) &&
           directory_db_end(db, remove_domain(db, name, e), e);
}

bool directory_domain_list(struct directory_db *db, struct arena *a, struct directory_domain **v, size_t *n,
                           struct err *e)
{
    struct sql_rows rows;
    *v = NULL;
    *n = 0;
    if (!sql_query(db->sql, &DOMAIN_LIST, SQL_NONE, &rows, e))
        return false;
    while (sql_next(&rows)) {
        *v = directory_db_grow(a, *v, *n, sizeof **v);
        (*v)[(*n)++] = (struct directory_domain){
            .name = arena_copy(a, sql_get_str(&rows, 0)),
            .created = sql_get_int(&rows, 1),
            .accounts = sql_get_int(&rows, 2),
            .aliases = sql_get_int(&rows, 3),
            .quota = directory_db_quota(&rows, 4),
            .alias_of = arena_copy(a, sql_get_str(&rows, 6)),
            .is_backup = sql_get_int(&rows, 7) != 0,
            .recipients = sql_get_int(&rows, 8),
        };
    }
    return sql_end(&rows, e);
}

/* --- whom a backup takes mail for --- */

static bool find_backup(struct directory_db *db, struct str name, int64_t *id, struct err *e)
{
    int64_t one;
    if (!directory_db_domain_id(db, name, id, e))
        return false;
    int is = sql_one_int(db->sql, &DOMAIN_IS_BACKUP, SQL(sql_int(*id)), &one, e);
    return is > 0 || (is == 0 && err_set(e, ERR_PERMANENT, "%.*s is not a domain that we are a backup for",
                                         STR_ARGS(name)));
}

static bool change(struct directory_db *db, const struct sql_statement *change_one, struct str name,
                   const struct str *recipients, size_t n, struct arena *a, struct err *e)
{
    int64_t id, changed;
    if (!find_backup(db, name, &id, e))
        return false;
    for (size_t i = 0; i < n; i++) {
        struct directory_address read;
        if (!directory_address_read(recipients[i], a, &read, e))
            return false;
        if (!str_eq(read.domain, name))
            return err_set(e, ERR_PERMANENT, "%.*s is not an address at %.*s", STR_ARGS(read.key),
                           STR_ARGS(name));
        if (!sql_exec(db->sql, change_one, SQL(sql_int(id), sql_text(read.key)), &changed, e))
            return false;
        if (changed == 0 && change_one == &BACKUP_DELETE)
            return err_set(e, ERR_PERMANENT, "%.*s is not among the recipients", STR_ARGS(read.key));
    }
    return true;
}

static bool clear(struct directory_db *db, struct str name, struct err *e)
{
    int64_t id;
    return find_backup(db, name, &id, e) && sql_exec(db->sql, &BACKUP_CLEAR, SQL(sql_int(id)), NULL, e);
}

bool directory_backup_add(struct directory_db *db, struct str name, const struct str *recipients, size_t n,
                          struct err *e)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    return directory_domain_read(name, &a, &name, e) && sql_begin_write(db->sql, e) &&
           directory_db_end(db, change(db, &BACKUP_INSERT, name, recipients, n, &a, e), e);
}

bool directory_backup_remove(struct directory_db *db, struct str name, const struct str *recipients, size_t n,
                             struct err *e)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    return directory_domain_read(name, &a, &name, e) && sql_begin_write(db->sql, e) &&
           directory_db_end(
               db, n == 0 ? clear(db, name, e) : change(db, &BACKUP_DELETE, name, recipients, n, &a, e), e);
}

bool directory_backup_list(struct directory_db *db, struct str name, struct arena *a, struct str **v,
                           size_t *n, struct err *e)
{
    struct sql_rows rows;
    int64_t id;
    *v = NULL;
    *n = 0;
    if (!directory_domain_read(name, a, &name, e) || !find_backup(db, name, &id, e) ||
        !sql_query(db->sql, &BACKUP_LIST, SQL(sql_int(id)), &rows, e))
        return false;
    while (sql_next(&rows)) {
        *v = directory_db_grow(a, *v, *n, sizeof **v);
        (*v)[(*n)++] = arena_copy(a, sql_get_str(&rows, 0));
    }
    return sql_end(&rows, e);
}
