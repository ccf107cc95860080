#include "relay/ways.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "relay/name_hash.h"
#include "relay/route.h"

#include <pthread.h>

struct place {
    struct str sender, domain, key;
    struct directory_route way;
    struct deadline until;
    struct arena arena; /* of the strings here */
};

struct ways {
    struct ways_settings settings;
    pthread_mutex_t lock; /* over everything here */
    pthread_cond_t wake;
    struct relay_job *first, **last; /* to be asked for */
    struct place places[WAYS_PLACES];
};

static struct place *place_of(struct ways *w, const struct relay_job *j)
{
    return &w->places[name_hash(name_hash(NAME_HASH_BEGIN, j->domain), j->sender) % WAYS_PLACES];
}

static void copy_way(struct directory_route *to, const struct directory_route *from, struct arena *a)
{
    *to = *from;
    to->host = arena_copy(a, from->host);
    to->user = arena_copy(a, from->user);
    to->password = arena_copy(a, from->password);
    to->source_ipv4 = arena_copy(a, from->source_ipv4);
    to->source_ipv6 = arena_copy(a, from->source_ipv6);
}

/* With the lock. */
static bool recall(struct ways *w, struct relay_job *j)
{
    struct place *p = place_of(w, j);
    if (deadline_passed(p->until) || !str_eq(p->sender, j->sender) || !str_eq(p->domain, j->domain))
        return false;
    copy_way(&j->way, &p->way, &j->arena);
    j->key = arena_copy(&j->arena, p->key);
    return true;
}

static void remember(struct ways *w, const struct relay_job *j)
{
    struct place *p = place_of(w, j);
    arena_reset(&p->arena);
    p->sender = arena_copy(&p->arena, j->sender);
    p->domain = arena_copy(&p->arena, j->domain);
    p->key = arena_copy(&p->arena, j->key);
    copy_way(&p->way, &j->way, &p->arena);
    p->until = deadline_in(WAYS_MEMORY_MS);
}

static void ask(struct ways *w, struct relay_job *j)
{
    struct err e = ERR_INIT;
    if (w->settings.ask(w->settings.directory, j->sender, j->domain, &j->arena, &j->way, &e)) {
        j->key = route_key(&j->way, j->domain, &j->arena);
        pthread_mutex_lock(&w->lock);
        remember(w, j);
        pthread_mutex_unlock(&w->lock);
        return;
    }
    LOG_WARNING("relay.no_route", F_C("id", j->delivery), F_STR("domain", j->domain), F_C("reason", e.text));
    j->way_failure = arena_printf(&j->arena, "4.3.0 %s", e.text);
}

static void serve(void *context)
{
    struct ways *w = context;
    pthread_mutex_lock(&w->lock);
    for (;;) {
        while (!w->first)
            pthread_cond_wait(&w->wake, &w->lock);
        struct relay_job *j = w->first;
        w->first = j->next;
        if (!w->first)
            w->last = &w->first;
        bool is_known = recall(w, j); /* the one before it has asked the same */
        pthread_mutex_unlock(&w->lock);
        if (!is_known)
            ask(w, j);
        w->settings.found(w->settings.context, j);
        pthread_mutex_lock(&w->lock);
    }
}

struct ways *ways_new(const struct ways_settings *s)
{
    struct ways *w = MEM_NEW(struct ways);
    w->settings = *s;
    w->last = &w->first;
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->wake, NULL);
    if (!thread_start(serve, w))
        log_die("relay.thread", "cannot start a single thread");
    return w;
}

void ways_find(struct ways *w, struct relay_job *j)
{
    pthread_mutex_lock(&w->lock);
    bool is_known = recall(w, j);
    if (!is_known) {
        j->next = NULL;
        *w->last = j;
        w->last = &j->next;
    }
    pthread_mutex_unlock(&w->lock);
    if (is_known)
        w->settings.found(w->settings.context, j);
    else
        pthread_cond_signal(&w->wake);
}
