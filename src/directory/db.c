/* Opening the directory, and its tables. */
#include "directory/db.h"

#include "base/mem.h"
#include "directory/address.h"
#include "directory/db_parts.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

/* What is set of an account or of all of a domain (db_settings.c), as golub.conf spells it; NULL: it is not
 * said here. Both engines take it. */
static const char FOURTH[] = "ALTER TABLE account ADD COLUMN language TEXT;"
                             "ALTER TABLE account ADD COLUMN message_rate TEXT;"
                             "ALTER TABLE account ADD COLUMN recipient_rate TEXT;"
                             "ALTER TABLE account ADD COLUMN refused_rate TEXT;"
                             "ALTER TABLE account ADD COLUMN networks TEXT;"
                             "ALTER TABLE domain ADD COLUMN language TEXT;"
                             "ALTER TABLE domain ADD COLUMN message_rate TEXT;"
                             "ALTER TABLE domain ADD COLUMN recipient_rate TEXT;"
                             "ALTER TABLE domain ADD COLUMN refused_rate TEXT;"
                             "ALTER TABLE domain ADD COLUMN networks TEXT;";

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
    {FOURTH, FOURTH},
};
const struct sql_schema DIRECTORY_SCHEMA = {"directory", MIGRATIONS, sizeof MIGRATIONS / sizeof MIGRATIONS[0],
                                            NULL};

DIRECTORY_STATEMENT(DOMAIN_ID, "SELECT id FROM domain WHERE name = $1");
DIRECTORY_STATEMENT(DOMAIN_FIRST_ID, "SELECT min(id) FROM domain");

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
    return found == 0 ? directory_db_no_domain(name, e) : found == 1;
}

bool directory_db_no_domain(struct str name, struct err *e)
{
    return err_set(e, ERR_PERMANENT, "%.*s is not one of our domains: golub domain add %.*s", STR_ARGS(name),
                   STR_ARGS(name));
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
