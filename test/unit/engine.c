#include "engine.h"

#include "base/buf.h"
#include "base/ipc.h"
#include "base/mem.h"
#include "base/pgsql_parts.h"
#include "check.h"
#include "store/server.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONNECTIONS 4 /* of store: fewer than threads that a test starts */

enum engine engine(void)
{
    const char *name = getenv("GOLUB_TEST_ENGINE");
    if (!name)
        return ENGINE_SQLITE;
    return strcmp(name, "store") == 0 ? ENGINE_STORE : ENGINE_PGSQL;
}

static void run_at(const char *conninfo, const char *text)
{
    PGconn *c = PQconnectdb(conninfo);
    PGresult *r = PQexec(c, text);
    ExecStatusType status = PQresultStatus(r);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
        fail_msg("%s: %s", text, PQerrorMessage(c));
    PQclear(r);
    PQfinish(c);
}

const char *engine_conninfo(void)
{
    static char conninfo[300];
    const char *server = getenv("GOLUB_TEST_POSTGRESQL");
    if (!server)
        fail_msg("GOLUB_TEST_POSTGRESQL is not set: test/postgresql.py COMMAND");
    if (conninfo[0] == '\0') {
        char text[100], first[300];
        snprintf(first, sizeof first, "%s dbname=postgres", server);
        snprintf(text, sizeof text, "CREATE DATABASE test_%d", (int)getpid());
        run_at(first, text);
        snprintf(conninfo, sizeof conninfo, "%s dbname=test_%d", server, (int)getpid());
    }
    return conninfo;
}

void engine_run(const char *text)
{
    run_at(engine_conninfo(), text);
}

void engine_explain(struct sql *db, const struct sql_statement *s, struct buf *plan)
{
    PGconn *c = ((struct pgsql *)db)->conn;
    CLEAN_BUF struct buf text;
    buf_init(&text, BUF_MAX_DEFAULT);
    PGresult *r = PQprepare(c, "explained", pgsql_text((struct pgsql *)db, s, &text), 0, NULL);
    if (PQresultStatus(r) != PGRES_COMMAND_OK)
        fail_msg("%s: %s", s->text, PQerrorMessage(c));
    PQclear(r);
    r = PQdescribePrepared(c, "explained");
    buf_reset(&text);
    buf_add(&text, STR("EXPLAIN EXECUTE explained"));
    for (int i = 0, n = PQnparams(r); i < n; i++)
        buf_addf(&text, "%sNULL%s", i == 0 ? "(" : ", ", i == n - 1 ? ")" : "");
    buf_add_byte(&text, '\0');
    PQclear(r);
    r = PQexec(c, text.p);
    if (PQresultStatus(r) != PGRES_TUPLES_OK)
        fail_msg("%s: %s", s->text, PQerrorMessage(c));
    for (int i = 0; i < PQntuples(r); i++)
        buf_addf(plan, "%s\n", PQgetvalue(r, i, 0));
    PQclear(r);
    PQclear(PQexec(c, "DEALLOCATE explained"));
}

/* --- store's threads --- */

struct way {
    const struct sql_schema *schema;
    char *owner;
    struct way *next;
};

static struct server *server; /* until the program ends */

static void start_server(const struct sql_schema *schema)
{
    static const struct sql_schema *schemas[1];
    struct err e = ERR_INIT;
    struct sql_source source = engine_beside(NULL, NULL);
    schemas[0] = schema;
    struct sql *db = sql_open_at(&source, schema, false, &e);
    if (!db)
        fail_msg("%s", e.text);
    sql_close(db);
    server = server_new(engine_conninfo(), schemas, 1, CONNECTIONS);
    assert_true(server_start(server, &e));
}

static int connect_way(void *context, struct deadline d)
{
    struct way *w = context;
    int ends[2];
    (void)d;
    if (!ipc_pair(ends))
        return -1;
    server_add(server, w->schema, w->owner, ends[0]);
    return ends[1];
}

struct sql_source engine_source(const struct sql_schema *schema, const char *path, const char *owner)
{
    static struct way *ways; /* so that the leak checker knows */
    if (engine() != ENGINE_STORE)
        return engine_beside(path, owner);
    if (!server)
        start_server(schema);
    struct way *w = MEM_NEW(struct way);
    *w = (struct way){schema, mem_copy_c(owner ? owner : "", owner ? strlen(owner) : 0), ways};
    ways = w;
    return (struct sql_source){.kind = SQL_REMOTE, .connect = connect_way, .context = w};
}

struct sql_source engine_beside(const char *path, const char *owner)
{
    if (engine() == ENGINE_SQLITE)
        return (struct sql_source){.kind = SQL_SQLITE, .where = path};
    return (struct sql_source){.kind = SQL_PGSQL, .where = engine_conninfo(), .owner = owner};
}
