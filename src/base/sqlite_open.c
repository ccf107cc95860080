/* Opening a SQLite database: its file, its settings, its schema. Opening one that is up to date is on the way
 * of every login, so it runs no statement that is not needed. */
#include "base/log.h"
#include "base/mem.h"
#include "base/sqlite.h"
#include "base/sqlite_prepare.h"
#include "base/sqlite_wal.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUSY_MS       10000 /* how long to wait for another process (a command beside the server) to commit */
#define FILE_MODE     0600
#define COPY_NAME_MAX 4096 /* PATH_MAX */

/* cache_size: an account process is awake for each person who reads, so a page cache that holds the hot
 * pages (interiors, the ends of the tables) is enough; scans are served from the kernel's cache.
 * wal_autocheckpoint: pages of WAL after which it is copied back into the file; 4 MiB hold a hundred
 * deliveries and are read in a few milliseconds after a crash. journal_size_limit: what a huge message leaves
 * behind is cut back to twice that.
 * secure_delete=FAST: freed bytes are overwritten where that costs no page more (Debian's default is ON,
 * which writes each freed page). */
static const char SETTINGS[] = "PRAGMA synchronous=FULL;"
                               "PRAGMA temp_store=MEMORY;"
                               "PRAGMA cache_size=-512;"
                               "PRAGMA wal_autocheckpoint=1000;"
                               "PRAGMA journal_size_limit=8388608;"
                               "PRAGMA secure_delete=FAST;";

bool sqlite_fail(struct sqlite *db, int rc, struct err *e)
{
    const char *said = db->handle ? sqlite3_errmsg(db->handle) : sqlite3_errstr(rc);
    switch (rc & 0xff) {
    case SQLITE_FULL:
        return err_set(e, ERR_TEMPORARY, "%s: the disk is full; make room on its file system", db->path);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return err_set(e, ERR_TEMPORARY, "%s: another process has kept it locked for %d s", db->path,
                       BUSY_MS / 1000);
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_NOMEM:
    case SQLITE_READONLY:
    case SQLITE_PERM: {
        int system = db->handle ? sqlite3_system_errno(db->handle) : 0;
        return err_set(e, ERR_TEMPORARY, "%s: %s%s%s", db->path, said, system ? ": " : "",
                       system ? strerror(system) : "");
    }
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return err_set(e, ERR_INTERNAL, "%s: the database is damaged (%s); restore it from a backup",
                       db->path, said);
    default: return err_set(e, ERR_INTERNAL, "%s: %s (%d)", db->path, said, rc);
    }
}

static bool run(struct sqlite *db, const char *text, struct err *e)
{
    int rc = sqlite3_exec(db->handle, text, NULL, NULL, NULL);
    return rc == SQLITE_OK || sqlite_fail(db, rc, e);
}

static const struct sql_statement USER_VERSION = {"PRAGMA user_version"};
static const struct sql_statement COPY_TO = {"VACUUM INTO $1"};

static bool version_of(struct sqlite *db, size_t *version, struct err *e)
{
    int64_t v = 0;
    if (sql_one_int(&db->sql, &USER_VERSION, SQL_NONE, &v, e) != 1)
        return false;
    *version = (size_t)v;
    return true;
}

static bool finish_file(const char *path, struct err *e)
{
    CLEAN_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fchmod(fd, FILE_MODE) != 0 || fsync(fd) != 0)
        return err_set(e, ERR_TEMPORARY, "%s: %s", path, strerror(errno));
    return true;
}

/* The database as it is, beside it, before its schema is changed. */
static bool copy_before(struct sqlite *db, size_t version, struct err *e)
{
    char path[COPY_NAME_MAX], unfinished[COPY_NAME_MAX];
    if (snprintf(path, sizeof path, "%s.before-%zu", db->path, version + 1) >= (int)sizeof path ||
        snprintf(unfinished, sizeof unfinished, "%s.part", path) >= (int)sizeof unfinished)
        return err_set(e, ERR_PERMANENT, "%s: the path is too long", db->path);
    if (unlink(unfinished) != 0 && errno != ENOENT) /* of an earlier try that was cut short */
        return err_set(e, ERR_TEMPORARY, "%s: %s", unfinished, strerror(errno));
    if (!sql_exec(&db->sql, &COPY_TO, SQL(sql_text(str_from_c(unfinished))), NULL, e) ||
        !finish_file(unfinished, e))
        return err_prefix(e, "copying the database before its schema changes");
    if (rename(unfinished, path) != 0)
        return err_set(e, ERR_TEMPORARY, "%s: %s", path, strerror(errno));
    return true;
}

static bool migrate(struct sqlite *db, const struct sql_schema *schema, struct err *e)
{
    size_t version;
    /* Asked again under the lock: another process may have been faster. */
    if (!version_of(db, &version, e))
        return false;
    if (version > schema->count)
        return sql_refuse_newer(db->path, schema, version, e);
    for (size_t i = version; i < schema->count; i++)
        if (!run(db, schema->migrations[i].text, e))
            return err_prefix(e, "%s schema, step %zu", schema->name, i + 1);
    char set_version[64]; /* a PRAGMA takes no parameter; it is a number of ours */
    snprintf(set_version, sizeof set_version, "PRAGMA user_version=%zu", schema->count);
    return run(db, set_version, e) && sql_commit(&db->sql, e);
}

static bool bring_up_to_date(struct sqlite *db, const struct sql_schema *schema, struct err *e)
{
    size_t version;
    if (!version_of(db, &version, e))
        return false;
    if (version == schema->count)
        return true;
    if (version > schema->count)
        return sql_refuse_newer(db->path, schema, version, e);
    /* The file remembers both. What is free in it: sqlite_room.c. */
    if (version == 0 && !run(db, "PRAGMA auto_vacuum=INCREMENTAL;PRAGMA journal_mode=WAL", e))
        return false;
    if (version > 0 && !copy_before(db, version, e))
        return false;
    if (!sql_begin_write(&db->sql, e))
        return false;
    if (migrate(db, schema, e))
        return true;
    sql_rollback(&db->sql);
    return false;
}

static void configure_sqlite(void)
{
    /* Counting every allocation takes a lock that all threads share. Refused when somebody else has set
     * SQLite up already; it then works as well, only slower. */
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

/* SQLite makes files with mode 0644; its -wal and -shm take theirs from the database's. O_EXCL: an existing
 * file must not be opened and closed here, since that would drop this process's locks on it. */
static bool make_private(const char *path, struct err *e)
{
    CLEAN_CLOSE int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, FILE_MODE);
    if (fd < 0 && errno != EEXIST)
        return err_set(e, ERR_TEMPORARY, "%s: %s", path, strerror(errno));
    return true;
}

static bool set_up(struct sqlite *db, const struct sql_schema *schema, struct err *e)
{
    /* NOMUTEX: a connection belongs to one thread at a time. */
    int rc = sqlite3_open_v2(db->path, &db->handle,
                             SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
                             sqlite_wal_vfs());
    if (rc != SQLITE_OK)
        return sqlite_fail(db, rc, e);
    sqlite3_busy_timeout(db->handle, BUSY_MS);
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_ENABLE_FKEY, 1, NULL);
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    return run(db, SETTINGS, e) && (!schema || bring_up_to_date(db, schema, e));
}

static void configure_once(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, configure_sqlite);
}

struct sql *sql_open(const char *path, const struct sql_schema *schema, struct err *e)
{
    configure_once();
    if (schema && !make_private(path, e))
        return NULL;
    struct sqlite *db = MEM_NEW(struct sqlite);
    db->sql.engine = &SQLITE_ENGINE;
    db->path = mem_copy_c(path, strlen(path));
    if (set_up(db, schema, e))
        return &db->sql;
    sql_close(&db->sql);
    return NULL;
}

void sqlite_prepare(void)
{
    configure_once();
    sqlite3_initialize(); /* should it fail, so does each that opens one */
    sqlite_wal_vfs();
}

void sqlite_shut(struct sql *sql)
{
    struct sqlite *db = (struct sqlite *)sql;
    sqlite_forget_statements(db);
    /* The last connection copies the WAL back and removes it: a closed database is one file. */
    if (sqlite3_close(db->handle) != SQLITE_OK)
        log_die("sql.close", "%s: closed in the middle of a query", db->path);
    free(db->path);
    free(db);
}
