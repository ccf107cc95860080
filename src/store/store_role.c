#include "store/store_role.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/pgsql.h"
#include "base/sandbox.h"
#include "directory/db.h"
#include "mailbox/schema.h"
#include "queue/db.h"
#include "storage/source.h"
#include "store/server.h"

#include <stdio.h>
#include <time.h>

/* At boot PostgreSQL may come up after us; the service manager's patience is 90 s. */
#define START_PATIENCE_MS (60 * 1000)
#define START_PAUSE_MS    500
/* Channels: two an awake account as a rule (keeper's AWAKE_MAX), and what travels. */
#define STORE_FILES_MAX   32768
/* Rows on their way, of some connections at once, and a chunk of a body for each. */
#define STORE_MEMORY_MAX  ((size_t)8 << 30)

static const struct sql_schema *const SCHEMAS[] = {&MAIL_SCHEMA, &DIRECTORY_SCHEMA, &QUEUE_SCHEMA};
#define SCHEMA_COUNT (sizeof SCHEMAS / sizeof *SCHEMAS)

struct store_role {
    struct role *role;
    struct loop *loop;
    struct server *server;
    char *node;
};

/* --- clients --- */

static void keeper_frame(void *context, struct loop_channel *c, struct ipc_frame *f)
{
    struct store_role *s = context;
    struct ipc_reader in = ipc_read(f);
    uint64_t account = ipc_get_u64(&in);
    int channel = ipc_frame_take_fd(f, 0);
    char owner[24];
    if (f->type != STORE_FRAME_ACCOUNT || !ipc_done(&in) || channel < 0 || account == 0 ||
        account > INT64_MAX) {
        LOG_ERROR("store.bad-frame", F_C("from", "keeper"));
        mem_clean_close(&channel);
        loop_channel_close(c);
        return;
    }
    snprintf(owner, sizeof owner, "%llu", (unsigned long long)account);
    server_add(s->server, &MAIL_SCHEMA, owner, channel);
}

static void new_client(void *context, int channel, enum role_kind kind, uint32_t index)
{
    struct store_role *s = context;
    (void)index;
    switch (kind) {
    case ROLE_KEEPER: loop_channel(s->loop, channel, keeper_frame, NULL, s); break;
    case ROLE_DIRECTORY: server_add(s->server, &DIRECTORY_SCHEMA, "", channel); break;
    case ROLE_QUEUE: server_add(s->server, &QUEUE_SCHEMA, s->node, channel); break;
    default: close(channel);
    }
}

/* --- starting --- */

static bool prepare_schemas(const char *conninfo, struct err *e)
{
    struct sql_source source = {.kind = SQL_PGSQL, .where = conninfo};
    for (size_t i = 0; i < SCHEMA_COUNT; i++) {
        struct sql *db = sql_open_at(&source, SCHEMAS[i], false, e);
        if (!db)
            return false;
        sql_close(db);
    }
    return true;
}

/* The conninfo for connections from inside the sandbox, with the schemas up to date; waits for a server that
 * is not there yet. NULL: *e says why not. */
static char *reach(const struct config *c, struct err *e)
{
    CLEAN_FREE char *conninfo = mem_copy_c(c->storage_postgresql.p, c->storage_postgresql.n);
    struct deadline patience = deadline_in(START_PATIENCE_MS);
    for (bool has_told = false;; has_told = true) {
        char *resolved = pgsql_resolve(conninfo, e);
        if (resolved && prepare_schemas(resolved, e))
            return resolved;
        free(resolved);
        if (e->kind != ERR_TEMPORARY || deadline_passed(patience))
            return NULL;
        if (!has_told)
            LOG_WARNING("store.waiting", F_C("error", e->text));
        nanosleep(&(struct timespec){.tv_nsec = START_PAUSE_MS * 1000000L}, NULL);
    }
}

/* To the kind of socket that leads to PostgreSQL, and no other; certificates, where the conninfo names some,
 * are read for each connection. */
static bool enter_sandbox(const struct role *r, const char *conninfo, struct err *e)
{
    struct pgsql_uses uses;
    if (!pgsql_uses(conninfo, &uses, e))
        return false;
    struct sandbox_profile profile = {.name = "store",
                                      .rights = (uses.is_unix ? SANDBOX_CONNECT_UNIX : 0u) |
                                                (uses.is_tcp ? SANDBOX_CONNECT : 0u) |
                                                (uses.files[0] ? SANDBOX_FILES : 0u),
                                      .memory_max = STORE_MEMORY_MAX,
                                      .files_max = STORE_FILES_MAX,
                                      .landlock_required = r->config->sandbox_required};
    for (size_t i = 0; i < PGSQL_FILES && i < SANDBOX_DIRS_MAX; i++)
        profile.read_dirs[i] = uses.files[i];
    bool good = sandbox_enter(&profile, NULL, e);
    pgsql_uses_free(&uses);
    return good;
}

int store_main(struct role *r)
{
    struct err e = ERR_INIT;
    char *conninfo = NULL;
    unsetenv("HOME"); /* libpq looks there for certificates, and takes "refused" for a fault */
    if (!role_drop_user(r, &e) || !(conninfo = reach(r->config, &e)) || !enter_sandbox(r, conninfo, &e))
        log_die("store.start", "%s", e.text);
    struct store_role s = {.role = r,
                           .loop = loop_new(),
                           .server =
                               server_new(conninfo, SCHEMAS, SCHEMA_COUNT, r->config->storage_connections),
                           .node = mem_copy_c(r->config->hostname.p, r->config->hostname.n)};
    if (!server_start(s.server, &e))
        log_die("store.start", "%s", e.text);
    role_attach(r, s.loop, &(struct role_handlers){.channel = new_client}, &s);
    loop_run(s.loop);
    free(conninfo);
    loop_free(s.loop);
    return 0;
}
