/* Accounts: who has a mailbox here, and the password to it. */
#include "base/clock.h"
#include "directory/db_parts.h"

/* What holds, and what is the account's own. */
#define QUOTA_COLUMNS                                    \
    "coalesce(account.quota_bytes, domain.quota_bytes)," \
    " coalesce(account.quota_messages, domain.quota_messages), account.quota_bytes, account.quota_messages"

DIRECTORY_INSERT(
    ACCOUNT_INSERT,
    "INSERT INTO account (domain, address, password, enabled, created) VALUES ($1, $2, $3, 1, $4)"
    " ON CONFLICT DO NOTHING");
DIRECTORY_STATEMENT(ACCOUNT_FIND,
                    "SELECT account.id, address, password, enabled, account.created, scram, " QUOTA_COLUMNS
                    " FROM account JOIN domain ON domain.id = account.domain WHERE address = $1");
DIRECTORY_STATEMENT(ACCOUNT_LIST,
                    "SELECT account.id, address, password, enabled, account.created, scram, " QUOTA_COLUMNS
                    " FROM account"
                    " JOIN domain ON domain.id = account.domain ORDER BY domain.name, address");
DIRECTORY_STATEMENT(ACCOUNT_SET_HASH, "UPDATE account SET password = $2, scram = '' WHERE address = $1");
DIRECTORY_STATEMENT(ACCOUNT_SET_SCRAM, "UPDATE account SET scram = $3 WHERE address = $1 AND password = $2");
DIRECTORY_STATEMENT(ACCOUNT_SET_ENABLED, "UPDATE account SET enabled = $2 WHERE address = $1");
DIRECTORY_STATEMENT(ACCOUNT_DELETE, "DELETE FROM account WHERE id = $1");
/* Where an alias of the same name goes on, only its own copy for the account ends. */
DIRECTORY_STATEMENT(
    TARGET_DELETE,
    "DELETE FROM alias_target WHERE key = $1 AND (alias = (SELECT id FROM alias WHERE address = $1)"
    " OR NOT EXISTS (SELECT 1 FROM alias WHERE address = $1))");

static bool account_exists(struct str address, struct err *e)
{
    return err_set(e, ERR_PERMANENT, "the account %.*s exists already", STR_ARGS(address));
}

bool directory_db_insert_account(struct directory_db *db, int64_t domain, struct str address, struct str hash,
                                 struct err *e)
{
    int64_t changed = 0;
    if (!sql_exec(db->sql, &ACCOUNT_INSERT,
                  SQL(sql_int(domain), sql_text(address), sql_text(hash), sql_int(clock_wall())), &changed,
                  e))
        return false;
    if (changed == 0)
        return account_exists(address, e);
    return true;
}

static struct directory_account account_of_row(const struct sql_rows *rows, struct arena *a)
{
    return (struct directory_account){
        .id = sql_get_int(rows, 0),
        .address = arena_copy(a, sql_get_str(rows, 1)),
        .hash = arena_copy(a, sql_get_str(rows, 2)),
        .enabled = sql_get_int(rows, 3) != 0,
        .created = sql_get_int(rows, 4),
        .scram = arena_copy(a, sql_get_str(rows, 5)),
        .quota = directory_db_quota(rows, 6),
        .own_quota = directory_db_quota(rows, 8),
    };
}

int directory_db_account(struct directory_db *db, struct str key, struct arena *a,
                         struct directory_account *out, struct err *e)
{
    struct sql_rows rows;
    if (!sql_query(db->sql, &ACCOUNT_FIND, SQL(sql_text(key)), &rows, e))
        return -1;
    bool found = sql_next(&rows);
    if (found)
        *out = account_of_row(&rows, a);
    return sql_end(&rows, e) ? found : -1;
}

bool directory_db_no_account(struct str key, struct err *e)
{
    return err_set(e, ERR_PERMANENT, "there is no account %.*s: see golub account list", STR_ARGS(key));
}

bool directory_account_find(struct directory_db *db, struct str address, struct arena *a,
                            struct directory_account *out, struct err *e)
{
    struct directory_address read;
    if (!directory_address_read(address, a, &read, e))
        return false;
    int found = directory_db_account(db, read.key, a, out, e);
    return found == 0 ? directory_db_no_account(read.key, e) : found == 1;
}

bool directory_account_may_add(struct directory_db *db, struct str address, struct err *e)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct directory_address read;
    struct directory_account account;
    int64_t domain;
    if (!directory_address_read(address, &a, &read, e) ||
        !directory_db_domain_id(db, read.domain, &domain, e))
        return false;
    int found = directory_db_account(db, read.key, &a, &account, e);
    return found > 0 ? account_exists(read.key, e) : found == 0;
}

bool directory_account_add(struct directory_db *db, struct str address, struct str hash, int64_t *id,
                           struct err *e)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct directory_address read;
    int64_t domain;
    if (!directory_address_read(address, &a, &read, e) || !sql_begin_write(db->sql, e))
        return false;
    bool good = directory_db_domain_id(db, read.domain, &domain, e) &&
                directory_db_insert_account(db, domain, read.key, hash, e);
    *id = good ? sql_last_id(db->sql) : 0;
    return directory_db_end(db, good, e);
}

bool directory_account_list(struct directory_db *db, struct arena *a, struct directory_account **v, size_t *n,
                            struct err *e)
{
    struct sql_rows rows;
    *v = NULL;
    *n = 0;
    if (!sql_query(db->sql, &ACCOUNT_LIST, SQL_NONE, &rows, e))
        return false;
    while (sql_next(&rows)) {
        *v = directory_db_grow(a, *v, *n, sizeof **v);
        (*v)[(*n)++] = account_of_row(&rows, a);
    }
    return sql_end(&rows, e);
}

static bool update_account(struct directory_db *db, const struct sql_statement *update, struct str address,
                           struct sql_value value, struct err *e)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct directory_address read;
    int64_t changed = 0;
    if (!directory_address_read(address, &a, &read, e) ||
        !sql_exec(db->sql, update, SQL(sql_text(read.key), value), &changed, e))
        return false;
    return changed > 0 || directory_db_no_account(read.key, e);
}

bool directory_account_set_hash(struct directory_db *db, struct str address, struct str hash, struct err *e)
{
    return update_account(db, &ACCOUNT_SET_HASH, address, sql_text(hash), e);
}

bool directory_account_set_scram(struct directory_db *db, struct str address, struct str hash,
                                 struct str scram, struct err *e)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct directory_address read;
    return directory_address_read(address, &a, &read, e) &&
           sql_exec(db->sql, &ACCOUNT_SET_SCRAM, SQL(sql_text(read.key), sql_text(hash), sql_text(scram)),
                    NULL, e);
}

bool directory_account_enable(struct directory_db *db, struct str address, bool enabled, struct err *e)
{
    return update_account(db, &ACCOUNT_SET_ENABLED, address, sql_int(enabled), e);
}

static bool remove_account(struct directory_db *db, const struct directory_address *address, struct arena *a,
                           int64_t *id, struct err *e)
{
    struct directory_account account;
    int64_t domain;
    bool first;
    int found = directory_db_account(db, address->key, a, &account, e);
    if (found != 1)
        return found == 0 ? directory_db_no_account(address->key, e) : false;
    if (!directory_db_domain_id(db, address->domain, &domain, e) ||
        !directory_db_is_first_domain(db, domain, &first, e))
        return false;
    if (first && str_starts(address->key, STR("postmaster@")))
        return err_set(e, ERR_PERMANENT,
                       "%.*s must exist (RFC 5321 4.5.1); to read its mail elsewhere: "
                       "golub address add %.*s NAME@DOMAIN",
                       STR_ARGS(address->key), STR_ARGS(address->key));
    *id = account.id;
    return sql_exec(db->sql, &ACCOUNT_DELETE, SQL(sql_int(account.id)), NULL, e) &&
           sql_exec(db->sql, &TARGET_DELETE, SQL(sql_text(address->key)), NULL, e) &&
           directory_db_drop_empty_aliases(db, e);
}

bool directory_account_remove(struct directory_db *db, struct str address, int64_t *id, struct err *e)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct directory_address read;
    return directory_address_read(address, &a, &read, e) && sql_begin_write(db->sql, e) &&
           directory_db_end(db, remove_account(db, &read, &a, id, e), e);
}
