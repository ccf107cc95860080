#include "storage/source.h"

struct sql_source source_of_command(const struct config *c, const char *path, const char *owner,
                                    struct arena *a)
{
    if (!source_is_postgresql(c))
        return (struct sql_source){.kind = SQL_SQLITE, .where = path};
    return (struct sql_source){.kind = SQL_PGSQL,
                               .where = arena_copy_c(a, c->storage_postgresql),
                               .owner = owner,
                               .is_beside = true};
}

struct sql_source source_of_role(struct role *r, const char *path, struct role_target *target)
{
    if (!source_is_postgresql(r->config))
        return (struct sql_source){.kind = SQL_SQLITE, .where = path};
    *target = (struct role_target){r, ROLE_STORE};
    return (struct sql_source){.kind = SQL_REMOTE, .connect = role_connect_pool, .context = target};
}

const char *source_node(const struct config *c, struct arena *a)
{
    return arena_copy_c(a, c->hostname);
}

const char *source_account(int64_t account, struct arena *a)
{
    return arena_printf(a, "%lld", (long long)account).p;
}
