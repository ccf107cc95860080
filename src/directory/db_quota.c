/* Quotas: set here, held to by the account's store. */
#include "directory/db_parts.h"

DIRECTORY_STATEMENT(ACCOUNT_SET_QUOTA,
                    "UPDATE account SET quota_bytes = $2, quota_messages = $3 WHERE address = $1");
DIRECTORY_STATEMENT(DOMAIN_SET_QUOTA,
                    "UPDATE domain SET quota_bytes = $2, quota_messages = $3 WHERE name = $1");

static int64_t limit_of(const struct sql_rows *rows, int column)
{
    return sql_get_null(rows, column) ? DIRECTORY_QUOTA_UNSET : sql_get_int(rows, column);
}

struct directory_quota directory_db_quota(const struct sql_rows *rows, int column)
{
    return (struct directory_quota){limit_of(rows, column), limit_of(rows, column + 1)};
}

static struct sql_value value_of(int64_t limit)
{
    return limit == DIRECTORY_QUOTA_UNSET ? sql_null() : sql_int(limit);
}

static bool set(struct directory_db *db, const struct sql_statement *s, struct str name,
                const struct directory_quota *quota, bool *found, struct err *e)
{
    int64_t changed = 0;
    if (!sql_exec(db->sql, s, SQL(sql_text(name), value_of(quota->bytes), value_of(quota->messages)),
                  &changed, e))
        return false;
    *found = changed > 0;
    return true;
}

bool directory_account_set_quota(struct directory_db *db, struct str address,
                                 const struct directory_quota *quota, struct err *e)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct directory_address read;
    bool found;
    if (!directory_address_read(address, &a, &read, e) ||
        !set(db, &ACCOUNT_SET_QUOTA, read.key, quota, &found, e))
        return false;
    return found || directory_db_no_account(read.key, e);
}

bool directory_domain_set_quota(struct directory_db *db, struct str name, const struct directory_quota *quota,
                                struct err *e)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct str canonical;
    bool found;
    if (!directory_domain_read(name, &a, &canonical, e) ||
        !set(db, &DOMAIN_SET_QUOTA, canonical, quota, &found, e))
        return false;
    return found || directory_db_no_domain(canonical, e);
}
