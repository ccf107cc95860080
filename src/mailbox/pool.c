/* The database connections of one account: the first is opened with the store, more only when several threads
 * ask at once. The one with the lowest number that is free is taken, so a quiet account uses one, and its
 * page cache stays warm. */
#include "mailbox/internal.h"

bool pool_open(struct pool *p, const struct sql_source *source, struct err *e)
{
    *p = (struct pool){.source = source};
    pthread_mutex_init(&p->mutex, NULL);
    pthread_cond_init(&p->given_back, NULL);
    p->v[0].db = sql_open_at(source, &MAIL_SCHEMA, false, e);
    return p->v[0].db && (source->kind == SQL_SQLITE || seed_account(p->v[0].db, e));
}

static void close_one(struct connection *c)
{
    codec_free(c->codec);
    sql_close(c->db);
    *c = (struct connection){0};
}

void pool_close(struct pool *p)
{
    for (size_t i = 0; i < STORE_CONNECTIONS_MAX; i++)
        close_one(&p->v[i]);
    pthread_cond_destroy(&p->given_back);
    pthread_mutex_destroy(&p->mutex);
}

static struct connection *first_free(struct pool *p)
{
    for (size_t i = 0; i < STORE_CONNECTIONS_MAX; i++)
        if (!p->v[i].taken)
            return &p->v[i];
    return NULL;
}

struct connection *pool_take(struct pool *p, struct err *e)
{
    pthread_mutex_lock(&p->mutex);
    struct connection *c;
    while (!(c = first_free(p)))
        pthread_cond_wait(&p->given_back, &p->mutex);
    c->taken = true;
    pthread_mutex_unlock(&p->mutex);
    if (!c->db)
        c->db = sql_open_at(p->source, &MAIL_SCHEMA, true, e);
    if (c->db)
        return c;
    pool_give(p, c);
    return NULL;
}

void pool_give(struct pool *p, struct connection *c)
{
    pthread_mutex_lock(&p->mutex);
    c->taken = false;
    pthread_cond_signal(&p->given_back);
    pthread_mutex_unlock(&p->mutex);
}
