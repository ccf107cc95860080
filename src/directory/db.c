/* Opening the directory, its tables and accounts. Domains: db_domain.c; aliases: db_alias.c; answers:
 * resolve.c. */
#include "directory/db.h"

#include "base/clock.h"
#include "base/mem.h"
#include "directory/address.h"
#include "directory/db_parts.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>
#include <sys/stat.h>

/* Ids are AUTOINCREMENT because an account's id names its mailbox folder: a new account must never find the
 * mail of a removed one. alias_target.target is what is sent to, its key what is compared. */
static const struct sql_migration MIGRATIONS[] = {
    {"CREATE TABLE domain ("
     " id INTEGER PRIMARY KEY AUTOINCREMENT,"
     " name TEXT NOT NULL UNIQUE,"
     " created INTEGER NOT NULL);"
     "CREATE TABLE account ("
     " id INTEGER PRIMARY KEY AUTOINCREMENT,"
     " domain INTEGER NOT NULL REFERENCES domain (id),"
     " address TEXT NOT NULL UNIQUE,"
     " password TEXT NOT NULL,"
     " enabled INTEGER NOT NULL,"
     " created INTEGER NOT NULL);"
     "CREATE INDEX account_domain ON account (domain);"
     "CREATE TABLE alias ("
     " id INTEGER PRIMARY KEY AUTOINCREMENT,"
     " domain INTEGER NOT NULL REFERENCES domain (id),"
     " address TEXT NOT NULL UNIQUE,"
     " created INTEGER NOT NULL);"
     "CREATE INDEX alias_domain ON alias (domain);"
     "CREATE TABLE alias_target ("
     " alias INTEGER NOT NULL REFERENCES alias (id) ON DELETE CASCADE,"
     " key TEXT NOT NULL,"
     " target TEXT NOT NULL,"
     " PRIMARY KEY (alias, key));"
     "CREATE INDEX alias_target_key ON alias_target (key);",
     DIRECTORY_PGSQL_1},
    /* account.scram: directory/scram.h, '' for none yet; always of the password beside it. A quota is in
     * bytes and messages: 0 is none; NULL is the domain's, and there none. */
    {"ALTER TABLE account ADD COLUMN scram TEXT NOT NULL DEFAULT '';"
     "ALTER TABLE account ADD COLUMN quota_bytes INTEGER;"
     "ALTER TABLE account ADD COLUMN quota_messages INTEGER;"
     "ALTER TABLE domain ADD COLUMN quota_bytes INTEGER;"
     "ALTER TABLE domain ADD COLUMN quota_messages INTEGER;"
     "CREATE TABLE share ("
     " owner INTEGER NOT NULL REFERENCES account (id) ON DELETE CASCADE,"
     " guest TEXT NOT NULL,"
     " PRIMARY KEY (owner, guest));"
     "CREATE INDEX share_guest ON share (guest);"
     "CREATE TABLE secret ("
     " name TEXT NOT NULL PRIMARY KEY,"
     " value BLOB NOT NULL);",
     DIRECTORY_PGSQL_2},
    /* domain.alias_of: whose addresses are these too; is_backup: another server's domain, whose mail waits
     * here (recipients in backup_recipient; none: whatever comes). alias.kind: enum directory_alias_kind;
     * post: DIRECTORY_POST_ bits, and alias_poster whom POST_LISTED means; ends: when it stops, 0 never.
     * account.receives: takes mail. send_right.key: an address or "@domain". canonical.kind: enum
     * directory_canonical. route: sender '' is any, domain '*' is any; tls NULL is not said. */
    {"ALTER TABLE domain ADD COLUMN alias_of INTEGER REFERENCES domain (id);"
     "ALTER TABLE domain ADD COLUMN is_backup INTEGER NOT NULL DEFAULT 0;"
     "ALTER TABLE account ADD COLUMN receives INTEGER NOT NULL DEFAULT 1;"
     "ALTER TABLE account ADD COLUMN ends INTEGER NOT NULL DEFAULT 0;"
     "ALTER TABLE alias ADD COLUMN kind INTEGER NOT NULL DEFAULT 0;"
     "ALTER TABLE alias ADD COLUMN enabled INTEGER NOT NULL DEFAULT 1;"
     "ALTER TABLE alias ADD COLUMN ends INTEGER NOT NULL DEFAULT 0;"
     "ALTER TABLE alias ADD COLUMN post INTEGER NOT NULL DEFAULT 0;"
     "CREATE INDEX alias_pattern ON alias (domain) WHERE kind > 0;"
     "CREATE TABLE alias_poster ("
     " alias INTEGER NOT NULL REFERENCES alias (id) ON DELETE CASCADE,"
     " key TEXT NOT NULL,"
     " PRIMARY KEY (alias, key));"
     "CREATE TABLE backup_recipient ("
     " domain INTEGER NOT NULL REFERENCES domain (id) ON DELETE CASCADE,"
     " key TEXT NOT NULL,"
     " PRIMARY KEY (domain, key));"
     "CREATE TABLE send_right ("
     " account INTEGER NOT NULL REFERENCES account (id) ON DELETE CASCADE,"
     " key TEXT NOT NULL,"
     " on_behalf INTEGER NOT NULL,"
     " PRIMARY KEY (account, key));"
     "CREATE TABLE canonical ("
     " kind INTEGER NOT NULL,"
     " key TEXT NOT NULL,"
     " target TEXT NOT NULL,"
     " PRIMARY KEY (kind, key));"
     "CREATE TABLE route ("
     " sender TEXT NOT NULL,"
     " domain TEXT NOT NULL,"
     " host TEXT NOT NULL,"
     " port INTEGER NOT NULL,"
     " is_lmtp INTEGER NOT NULL,"
     " by_mx INTEGER NOT NULL,"
     " tls INTEGER,"
     " login TEXT NOT NULL,"
     " password TEXT NOT NULL,"
     " source_ipv4 TEXT NOT NULL,"
     " source_ipv6 TEXT NOT NULL,"
     " PRIMARY KEY (domain, sender));",
     DIRECTORY_PGSQL_3},
};
const struct sql_schema DIRECTORY_SCHEMA = {"directory", MIGRATIONS, sizeof MIGRATIONS / sizeof MIGRATIONS[0],
                                            NULL};

#define SECRET_MAX 64 /* bytes; the larger of SCRAM_KEY_BYTES and SRS_KEY_BYTES fits */
_Static_assert(SCRAM_KEY_BYTES <= SECRET_MAX && SRS_KEY_BYTES <= SECRET_MAX, "room for either");

/* What holds, and what is the account's own. */
#define QUOTA_COLUMNS                                    \
    "coalesce(account.quota_bytes, domain.quota_bytes)," \
    " coalesce(account.quota_messages, domain.quota_messages), account.quota_bytes, account.quota_messages"

DIRECTORY_STATEMENT(DOMAIN_ID, "SELECT id FROM domain WHERE name = $1");
DIRECTORY_STATEMENT(DOMAIN_FIRST_ID, "SELECT min(id) FROM domain");
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
DIRECTORY_STATEMENT(SECRET_FIND, "SELECT value FROM secret WHERE name = $1");
DIRECTORY_STATEMENT(SECRET_INSERT, "INSERT INTO secret (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING");
DIRECTORY_STATEMENT(ACCOUNT_SET_ENABLED, "UPDATE account SET enabled = $2 WHERE address = $1");
DIRECTORY_STATEMENT(ACCOUNT_DELETE, "DELETE FROM account WHERE id = $1");
/* Where an alias of the same name goes on, only its own copy for the account ends. */
DIRECTORY_STATEMENT(
    TARGET_DELETE,
    "DELETE FROM alias_target WHERE key = $1 AND (alias = (SELECT id FROM alias WHERE address = $1)"
    " OR NOT EXISTS (SELECT 1 FROM alias WHERE address = $1))");

const char *directory_db_folder(struct str data, struct arena *a)
{
    return arena_printf(a, "%.*s/directory", STR_ARGS(data)).p;
}

const char *directory_db_path(struct str data, struct arena *a)
{
    return arena_printf(a, "%s/directory.db", directory_db_folder(data, a)).p;
}

static bool make_folder(const char *file, struct err *e)
{
    struct str path = str_from_c(file);
    CLEAN_FREE char *folder = mem_copy_c(file, str_rfind_byte(path, '/'));
    if (mkdir(folder, 0700) == 0 || errno == EEXIST)
        return true;
    return err_set(e, ERR_TEMPORARY, "making the folder %s: %s", folder, strerror(errno));
}

struct directory_db *directory_db_open(struct str data, char separator, struct err *e)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct sql_source file = {.kind = SQL_SQLITE, .where = directory_db_path(data, &a)};
    return directory_db_open_at(&file, separator, e);
}

struct directory_db *directory_db_open_at(const struct sql_source *source, char separator, struct err *e)
{
    if (source->kind == SQL_SQLITE && !make_folder(source->where, e))
        return NULL;
    struct sql *sql = sql_open_at(source, &DIRECTORY_SCHEMA, false, e);
    if (!sql)
        return NULL;
    struct directory_db *db = MEM_NEW(struct directory_db);
    *db = (struct directory_db){.sql = sql, .separator = separator};
    return db;
}

void directory_db_close(struct directory_db *db)
{
    if (!db)
        return;
    pattern_cache_free(db->patterns);
    sql_close(db->sql);
    mem_wipe(db->srs_key, sizeof db->srs_key);
    free(db);
}

void directory_db_clean(struct directory_db **db)
{
    directory_db_close(*db);
}

bool directory_db_end(struct directory_db *db, bool good, struct err *e)
{
    if (good)
        good = sql_commit(db->sql, e);
    if (!good)
        sql_rollback(db->sql);
    return good;
}

bool directory_db_domain_id(struct directory_db *db, struct str name, int64_t *id, struct err *e)
{
    int found = sql_one_int(db->sql, &DOMAIN_ID, SQL(sql_text(name)), id, e);
    if (found == 0)
        err_set(e, ERR_PERMANENT, "%.*s is not one of our domains: golub domain add %.*s", STR_ARGS(name),
                STR_ARGS(name));
    return found == 1;
}

bool directory_db_is_first_domain(struct directory_db *db, int64_t id, bool *first, struct err *e)
{
    int64_t lowest = 0;
    int found = sql_one_int(db->sql, &DOMAIN_FIRST_ID, SQL_NONE, &lowest, e);
    *first = found == 1 && lowest == id;
    return found >= 0;
}

/* Room for one more in an array in an arena that has n: doubles at powers of two. */
void *directory_db_grow(struct arena *a, void *v, size_t n, size_t size)
{
    if (n != 0 && (n & (n - 1)) != 0)
        return v;
    void *grown = arena_new(a, n ? 2 * n : 1, size);
    if (n > 0)
        memcpy(grown, v, n * size);
    return grown;
}

/* --- accounts --- */

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

static bool no_such_account(struct str key, struct err *e)
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
    return found == 0 ? no_such_account(read.key, e) : found == 1;
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
    return changed > 0 || no_such_account(read.key, e);
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

/* Whichever process comes first makes it. */
static bool find_or_make_secret(struct directory_db *db, struct str name, unsigned char *key, size_t n,
                                struct err *e)
{
    unsigned char fresh[SECRET_MAX];
    struct sql_rows rows;
    randombytes_buf(fresh, n);
    if (!sql_exec(db->sql, &SECRET_INSERT, SQL(sql_text(name), sql_blob(str_from(fresh, n))), NULL, e) ||
        !sql_query(db->sql, &SECRET_FIND, SQL(sql_text(name)), &rows, e))
        return false;
    struct str value = sql_next(&rows) ? sql_get_str(&rows, 0) : STR("");
    bool good = value.n == n;
    if (good)
        memcpy(key, value.p, n);
    return sql_end(&rows, e) && (good || err_set(e, ERR_INTERNAL, "the directory's secret is damaged"));
}

bool directory_scram_key(struct directory_db *db, unsigned char key[SCRAM_KEY_BYTES], struct err *e)
{
    return sql_begin_write(db->sql, e) &&
           directory_db_end(db, find_or_make_secret(db, STR("scram salt"), key, SCRAM_KEY_BYTES, e), e);
}

bool directory_db_load_srs_key(struct directory_db *db, struct err *e)
{
    if (!db->has_srs_key)
        db->has_srs_key =
            sql_begin_write(db->sql, e) &&
            directory_db_end(db, find_or_make_secret(db, STR("srs"), db->srs_key, SRS_KEY_BYTES, e), e);
    return db->has_srs_key;
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
        return found == 0 ? no_such_account(address->key, e) : false;
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
