#include "base/mem.h"
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

struct store *store_open(const char *dir, struct err *e)
{
    if (mkdir(dir, 0700) != 0 && errno != EEXIST) {
        err_set(e, ERR_TEMPORARY, "%s: %s", dir, strerror(errno));
        return NULL;
    }
    struct store *s = MEM_NEW(struct store);
    s->path = path_in(dir);
    pthread_mutex_init(&s->writer, NULL);
    pthread_mutex_init(&s->catching_up, NULL);
    watch_init(&s->watch);
    if (pool_open(&s->pool, s->path, e))
        return s;
    store_close(s);
    return NULL;
}

void store_close(struct store *s)
{
    if (!s)
        return;
    pool_close(&s->pool);
    watch_free(&s->watch);
    pthread_mutex_destroy(&s->writer);
    pthread_mutex_destroy(&s->catching_up);
    free(s->path);
    free(s);
}
