/* Connections to PostgreSQL and their settings, and the schemas in it. */
#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/pgsql.h"
#include "base/pgsql_parts.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* An account's lock is held for as long as a batch of messages takes to write; as SQLite's BUSY_MS. */
#define LOCK_TIMEOUT      "10s"
/* A transaction whose owner has gone without a word (a machine that lost its power) ends after this. */
#define IDLE_TIMEOUT      "60s"
#define CONNECT_TIMEOUT_S "10"
#define VERSION_LEAST     130000 /* the oldest that PostgreSQL's people still repair */

static void ignore_notice(void *context, const PGresult *r)
{
    (void)context;
    (void)r; /* "relation exists already, skipping" */
}

static void schema_of(const struct sql_schema *schema, char name[64])
{
    snprintf(name, 64, "golub_%s", schema->name);
}

/* --- one connection --- */

/* synchronous_commit: what the database or user has as its default must not weaken "acknowledged is stored";
 * local, remote_write and remote_apply, which a cluster may want, are as strong on this machine's disk.
 * Statements are few, short and go by keys: planned once (force_generic_plan), never compiled (jit), and by
 * an index also where a table's statistics are older than its rows (enable_seqscan). */
static bool configure(struct pgsql *db, struct err *e)
{
    static const char SETTINGS[] =
        "SELECT set_config('search_path', $1, false), set_config('golub.owner', $2, false),"
        " set_config('synchronous_commit', CASE WHEN current_setting('synchronous_commit') = 'off' THEN 'on'"
        "  ELSE current_setting('synchronous_commit') END, false),"
        " set_config('lock_timeout', '" LOCK_TIMEOUT "', false),"
        " set_config('idle_in_transaction_session_timeout', '" IDLE_TIMEOUT "', false),"
        " set_config('plan_cache_mode', 'force_generic_plan', false), set_config('jit', 'off', false),"
        " set_config('enable_seqscan', 'off', false), set_config('bytea_output', 'hex', false)";
    char name[64], path[200];
    schema_of(db->schema, name);
    snprintf(path, sizeof path, "%s%s%s, public", db->schema->owner ? name : "",
             db->schema->owner ? "_own, " : "", name);
    const char *values[] = {path, db->owner};
    PGresult *r = pq.execParams(db->conn, SETTINGS, 2, NULL, values, NULL, NULL, 0);
    if (pq.resultStatus(r) != PGRES_TUPLES_OK)
        return pgsql_fail(db, r, e);
    pq.clear(r);
    return true;
}

PGconn *pgsql_dial(const char *conninfo)
{
    /* What stands before the conninfo it may change, what stands behind it not. */
    const char *const keywords[] = {"connect_timeout",           "gssencmode",      "dbname",
                                    "fallback_application_name", "client_encoding", NULL};
    const char *const values[] = {CONNECT_TIMEOUT_S, "disable", conninfo, "golub", "UTF8", NULL};
    return pq.connectdbParams(keywords, values, 1);
}

static bool is_suitable(struct pgsql *db, struct err *e)
{
    const char *encoding = pq.parameterStatus(db->conn, "server_encoding");
    if (pq.serverVersion(db->conn) < VERSION_LEAST)
        return err_set(e, ERR_PERMANENT, "%s: this is PostgreSQL %d; golub needs 13 or newer", db->place,
                       pq.serverVersion(db->conn) / 10000);
    if (!encoding || strcmp(encoding, "UTF8") != 0)
        return err_set(e, ERR_PERMANENT, "%s: the database's encoding is %s; make one with UTF8", db->place,
                       encoding ? encoding : "unknown");
    return true;
}

static char *name_place(PGconn *conn)
{
    CLEAN_BUF struct buf text;
    buf_init(&text, BUF_MAX_DEFAULT);
    const char *host = pq.host(conn), *name = pq.db(conn);
    buf_addf(&text, "PostgreSQL database %s at %s", name ? name : "", host ? host : "");
    return mem_copy_c(text.p, text.n);
}

bool pgsql_connect(struct pgsql *db, struct err *e)
{
    db->conn = pgsql_dial(db->conninfo);
    if (pq.status(db->conn) != CONNECTION_OK)
        return pgsql_fail(db, NULL, e);
    pq.setNoticeReceiver(db->conn, ignore_notice, NULL);
    free(db->place);
    db->place = name_place(db->conn);
    if (is_suitable(db, e) && configure(db, e))
        return true;
    pgsql_drop(db);
    return false;
}

void pgsql_set_owner(struct sql *sql, const char *owner)
{
    struct pgsql *db = (struct pgsql *)sql;
    if (strcmp(db->owner, owner) == 0)
        return;
    if (db->in_transaction)
        log_die("sql.owner", "%s: another owner in the middle of a transaction", db->place);
    free(db->owner);
    db->owner = mem_copy_c(owner, strlen(owner));
    /* Where it fails, nobody knows whose rows the connection shows. The next one is opened with the owner. */
    if (db->conn && !configure(db, NULL) && db->conn)
        pgsql_drop(db);
}

/* --- schemas --- */

/* The number of the schema; 0: it is not there. */
static bool version_of(struct pgsql *db, size_t *version, struct err *e)
{
    char text[200];
    *version = 0;
    snprintf(text, sizeof text, "SELECT to_regclass('golub_%s.schema_version') IS NOT NULL",
             db->schema->name);
    PGresult *r = pq.exec(db->conn, text);
    if (pq.resultStatus(r) != PGRES_TUPLES_OK)
        return pgsql_fail(db, r, e);
    bool is_there = pq.getvalue(r, 0, 0)[0] == 't';
    pq.clear(r);
    if (!is_there)
        return true;
    snprintf(text, sizeof text, "SELECT number FROM golub_%s.schema_version", db->schema->name);
    r = pq.exec(db->conn, text);
    uint64_t number = 0;
    if (pq.resultStatus(r) != PGRES_TUPLES_OK)
        return pgsql_fail(db, r, e);
    if (pq.ntuples(r) == 1)
        str_to_u64(str_from_c(pq.getvalue(r, 0, 0)), &number);
    pq.clear(r);
    *version = (size_t)number;
    return true;
}

static bool runf(struct pgsql *db, struct err *e, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static bool runf(struct pgsql *db, struct err *e, const char *format, ...)
{
    CLEAN_BUF struct buf text;
    va_list args;
    buf_init(&text, BUF_MAX_DEFAULT);
    va_start(args, format);
    buf_addv(&text, format, args);
    va_end(args);
    buf_add_byte(&text, '\0');
    return pgsql_run(db, text.p, e);
}

/* For every table with an owner's column: the owner by default, and the view of one owner's rows. */
static bool make_views(struct pgsql *db, struct err *e)
{
    const char *schema = db->schema->name, *owner = db->schema->owner;
    return runf(db, e,
                "DROP SCHEMA IF EXISTS golub_%s_own CASCADE; CREATE SCHEMA golub_%s_own;"
                "DO $do$ DECLARE t record; BEGIN FOR t IN"
                " SELECT c.relname AS name, format_type(a.atttypid, NULL) AS type FROM pg_class c"
                "  JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid"
                "  WHERE n.nspname = 'golub_%s' AND c.relkind IN ('r', 'p') AND a.attname = '%s'"
                " LOOP"
                " EXECUTE format('ALTER TABLE golub_%s.%%I ALTER COLUMN %s"
                "  SET DEFAULT current_setting(''golub.owner'')::%%s', t.name, t.type);"
                " EXECUTE format('CREATE VIEW golub_%s_own.%%I AS SELECT * FROM golub_%s.%%I"
                "  WHERE %s = current_setting(''golub.owner'')::%%s', t.name, t.name, t.type);"
                " END LOOP; END $do$",
                schema, schema, schema, owner, schema, owner, schema, schema, owner);
}

static bool apply(struct pgsql *db, struct err *e)
{
    const struct sql_schema *schema = db->schema;
    size_t version;
    /* Asked again under the lock: another node may have been faster. */
    if (!version_of(db, &version, e))
        return false;
    if (version > schema->count)
        return sql_refuse_newer(db->place, schema, version, e);
    if (version == 0 &&
        !runf(db, e,
              "CREATE SCHEMA IF NOT EXISTS golub_%s; SET LOCAL search_path = golub_%s, public;"
              "CREATE TABLE schema_version(number BIGINT NOT NULL); INSERT INTO schema_version VALUES(0);"
              "CREATE TABLE changed(owner TEXT PRIMARY KEY, n BIGINT NOT NULL)",
              schema->name, schema->name))
        return false;
    if (!runf(db, e, "SET LOCAL search_path = golub_%s, public", schema->name))
        return false;
    for (size_t i = version; i < schema->count; i++) {
        if (!schema->migrations[i].pgsql)
            return err_set(e, ERR_INTERNAL, "%s: step %zu of the %s schema is written for SQLite only",
                           db->place, i + 1, schema->name);
        if (!pgsql_run(db, schema->migrations[i].pgsql, e))
            return err_prefix(e, "%s schema, step %zu", schema->name, i + 1);
    }
    return runf(db, e, "UPDATE schema_version SET number = %zu", schema->count) &&
           (!schema->owner || make_views(db, e));
}

static bool bring_up_to_date(struct pgsql *db, struct err *e)
{
    size_t version;
    if (!version_of(db, &version, e))
        return false;
    if (version == db->schema->count)
        return true;
    if (version > db->schema->count)
        return sql_refuse_newer(db->place, db->schema, version, e);
    if (!runf(db, e, "BEGIN; SELECT pg_advisory_xact_lock(%lld)",
              (long long)pgsql_lock_key(db->schema, "the schema itself")))
        return false;
    if (apply(db, e) && pgsql_run(db, "COMMIT", e))
        return true;
    if (db->conn)
        pgsql_run(db, "ROLLBACK", NULL);
    return false;
}

bool pgsql_forget_owner(struct sql *sql, struct err *e)
{
    struct pgsql *db = (struct pgsql *)sql;
    return sql_begin_write(sql, e) &&
           runf(db, e,
                "DO $do$ DECLARE t text; BEGIN FOR t IN"
                " SELECT table_name FROM information_schema.views WHERE table_schema = 'golub_%s_own'"
                " LOOP EXECUTE format('DELETE FROM golub_%s_own.%%I', t); END LOOP; END $do$",
                db->schema->name, db->schema->name) &&
           sql_commit(sql, e);
}

/* --- opening and closing --- */

struct sql *pgsql_open(const struct sql_source *source, const struct sql_schema *schema, bool is_up_to_date,
                       struct err *e)
{
    if (!libpq_open(e))
        return NULL;
    struct pgsql *db = MEM_NEW(struct pgsql);
    const char *owner = source->owner ? source->owner : "";
    *db = (struct pgsql){.sql.engine = &PGSQL_ENGINE,
                         .schema = schema,
                         .conninfo = mem_copy_c(source->where, strlen(source->where)),
                         .place = mem_copy_c("PostgreSQL", strlen("PostgreSQL")),
                         .owner = mem_copy_c(owner, strlen(owner)),
                         .is_beside = source->is_beside,
                         .buckets = mem_new(PGSQL_BUCKETS, sizeof *db->buckets)};
    if (is_up_to_date || (pgsql_connect(db, e) && bring_up_to_date(db, e)))
        return &db->sql; /* the first statement connects */
    sql_close(&db->sql);
    return NULL;
}

void pgsql_shut(struct sql *sql)
{
    struct pgsql *db = (struct pgsql *)sql;
    pgsql_forget_statements(db);
    for (size_t i = 0; i < PGSQL_BUCKETS; i++)
        if (db->buckets[i])
            log_die("sql.close", "%s: closed in the middle of a query", db->place);
    pq.finish(db->conn);
    free(db->buckets);
    free(db->conninfo);
    free(db->place);
    free(db->owner);
    free(db);
}
