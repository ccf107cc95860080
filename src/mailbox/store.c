#include "base/mem.h"
#include "base/pgsql.h"
#include "mailbox/internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define FILE_NAME "mail.db"

static char *path_in(const char *dir)
{
    size_t n = strlen(dir) + sizeof "/" FILE_NAME;
    char *path = mem_new(n, 1);
    snprintf(path, n, "%s/%s", dir, FILE_NAME);
    return path;
}

struct store *store_open_at(const struct sql_source *source, struct err *e)
{
    struct store *s = MEM_NEW(struct store);
    s->path = source->where ? mem_copy_c(source->where, strlen(source->where)) : NULL;
    s->owner = source->owner ? mem_copy_c(source->owner, strlen(source->owner)) : NULL;
    s->source = *source;
    s->source.where = s->path;
    s->source.owner = s->owner;
    pthread_mutex_init(&s->writer, NULL);
    pthread_mutex_init(&s->catching_up, NULL);
    watch_init(&s->watch);
    arrivals_init(&s->arrivals);
    if (pool_open(&s->pool, &s->source, e) && arrivals_open(s, e))
        return s;
    store_close(s);
    return NULL;
}

struct store *store_open(const char *dir, struct err *e)
{
    if (mkdir(dir, 0700) != 0 && errno != EEXIST) {
        err_set(e, ERR_TEMPORARY, "%s: %s", dir, strerror(errno));
        return NULL;
    }
    CLEAN_FREE char *path = path_in(dir);
    return store_open_at(&(struct sql_source){.kind = SQL_SQLITE, .where = path}, e);
}

bool store_remove_at(const struct sql_source *source, struct err *e)
{
    CLEAN_SQL struct sql *db = sql_open_at(source, &MAIL_SCHEMA, false, e);
    return db && pgsql_forget_owner(db, e);
}

void store_on_append(struct store *s, void (*fn)(void *context), void *context)
{
    s->on_append = fn;
    s->on_append_context = context;
}

void store_close(struct store *s)
{
    if (!s)
        return;
    arrivals_close(s);
    watch_free(&s->watch);
    pthread_mutex_destroy(&s->writer);
    pthread_mutex_destroy(&s->catching_up);
    free(s->path);
    free(s->owner);
    free(s);
}
