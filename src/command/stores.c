#include "command/stores.h"

#include "storage/source.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct str folder_of(const struct command_run *r, int64_t account, struct arena *a)
{
    return arena_printf(a, "%.*s/account/%lld", STR_ARGS(r->config->data), (long long)account);
}

bool command_has_store(const struct command_run *r, int64_t account)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    if (source_is_postgresql(r->config))
        return true; /* asking costs as much as opening it */
    return access(arena_printf(&a, "%.*s/mail.db", STR_ARGS(folder_of(r, account, &a))).p, F_OK) == 0;
}

struct store *command_open_store(const struct command_run *r, int64_t account, struct err *e)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    if (source_is_postgresql(r->config)) {
        struct sql_source source = source_of_command(r->config, NULL, source_account(account, &a), &a);
        return store_open_at(&source, e);
    }
    const char *above = arena_printf(&a, "%.*s/account", STR_ARGS(r->config->data)).p;
    if (mkdir(above, 0700) != 0 && errno != EEXIST) {
        err_set(e, ERR_TEMPORARY, "making the folder %s: %s", above, strerror(errno));
        return NULL;
    }
    return store_open(folder_of(r, account, &a).p, e);
}

void command_clean_store(struct store **s)
{
    if (*s)
        store_close(*s);
}
