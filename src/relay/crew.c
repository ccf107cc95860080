#include "relay/crew.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

#define IDLE_MS    5000 /* a connection is kept so long without a job */
#define FAILURE_MS 3000 /* a destination that could not be reached is not tried again for so long */

/* Where jobs go that may share connections. Exists while it has a job or a thread. */
struct nexthop {
    struct nexthop *next;
    struct str key; /* owned */
    struct relay_job *first, **last;
    unsigned waiting, threads, idle;
    pthread_cond_t wake; /* of its idle threads */
    struct deadline failing_until;
    enum queue_fate failing_fate;
    char failing_reply[QUEUE_REPLY_MAX + 1];
};

struct member {
    struct member *next;
    struct crew *crew;
    struct nexthop *at;
    struct courier courier;  /* the thread's own */
    struct relay_job *job;   /* under way */
    bool is_recorded;        /* its result is on disk */
    pthread_cond_t recorded; /* that, or the job became an orphan */
};

struct crew {
    struct crew_settings settings;
    pthread_mutex_t lock; /* over everything here, in nexthops and in members */
    struct nexthop *nexthops;
    struct member *members; /* one a thread */
    unsigned threads;
    bool is_stopping;
    struct memory *memory; /* has a lock of its own */
};

/* --- nexthops; with the lock --- */

static struct nexthop *find_nexthop(struct crew *c, struct str key)
{
    for (struct nexthop *n = c->nexthops; n; n = n->next)
        if (str_eq(n->key, key))
            return n;
    struct nexthop *n = MEM_NEW(struct nexthop);
    n->key = str_from(mem_copy_c(key.p, key.n), key.n);
    n->last = &n->first;
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC); /* as struct deadline */
    pthread_cond_init(&n->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    n->next = c->nexthops;
    c->nexthops = n;
    return n;
}

static void drop_if_unused(struct crew *c, struct nexthop *n)
{
    if (n->first || n->threads > 0)
        return;
    for (struct nexthop **at = &c->nexthops; *at; at = &(*at)->next)
        if (*at == n) {
            *at = n->next;
            break;
        }
    pthread_cond_destroy(&n->wake);
    free((char *)(uintptr_t)n->key.p);
    free(n);
}

static struct relay_job *pop(struct nexthop *n)
{
    struct relay_job *j = n->first;
    if (!j)
        return NULL;
    n->first = j->next;
    if (!n->first)
        n->last = &n->first;
    n->waiting--;
    return j;
}

/* What one destination may have of the threads: fewer as they become few, so that a hundred that do not
 * answer leave some for the others. */
static unsigned share(const struct crew *c)
{
    unsigned most = c->settings.config->relay_per_destination;
    unsigned left = 1 + (CREW_THREADS_MAX - c->threads) / 8;
    return most < left ? most : left;
}

static bool may_grow(const struct crew *c, const struct nexthop *n)
{
    unsigned most = share(c);
    return n->waiting > n->idle && n->threads < (most > 0 ? most : 1);
}

/* A nexthop with jobs that only wants for a thread. */
static struct nexthop *find_starving(struct crew *c)
{
    for (struct nexthop *n = c->nexthops; n; n = n->next)
        if (n->waiting > 0 && may_grow(c, n))
            return n;
    return NULL;
}

/* --- a thread --- */

static void wait_idle(struct crew *c, struct nexthop *n, struct deadline d)
{
    struct timespec until = {.tv_sec = d.at_ms / 1000, .tv_nsec = d.at_ms % 1000 * 1000000};
    n->idle++;
    pthread_cond_timedwait(&n->wake, &c->lock, &until);
    n->idle--;
}

/* The next job for this thread, perhaps at another nexthop; NULL: it is not needed any more. With the lock.
 */
static struct relay_job *next_job(struct member *m)
{
    struct crew *c = m->crew;
    struct deadline d = deadline_in(IDLE_MS);
    for (;;) {
        struct relay_job *j = pop(m->at);
        if (j)
            return j;
        struct nexthop *starving = c->threads >= CREW_THREADS_MAX ? find_starving(c) : NULL;
        if (starving) {
            m->at->threads--;
            starving->threads++;
            drop_if_unused(c, m->at);
            m->at = starving;
            j = pop(starving);
            pthread_mutex_unlock(&c->lock);
            courier_rest(&m->courier);
            pthread_mutex_lock(&c->lock);
            return j;
        }
        if (c->is_stopping || deadline_passed(d))
            return NULL;
        wait_idle(c, m->at, d);
    }
}

static void remember_failure(struct nexthop *n, const struct courier *courier)
{
    memcpy(n->failing_reply, courier->failure_reply, sizeof n->failing_reply);
    n->failing_fate = courier->failure_fate;
    n->failing_until = deadline_in(FAILURE_MS);
}

/* With the lock, which it gives up meanwhile. */
static void carry(struct member *m, struct relay_job *j)
{
    struct crew *c = m->crew;
    if (!deadline_passed(m->at->failing_until)) {
        struct str reply = arena_copy(&j->arena, str_from_c(m->at->failing_reply));
        courier_decline(&m->courier, j, m->at->failing_fate, reply);
        return;
    }
    m->courier.config = c->settings.config;
    pthread_mutex_unlock(&c->lock);
    bool reached = courier_carry(&m->courier, j);
    pthread_mutex_lock(&c->lock);
    if (!reached)
        remember_failure(m->at, &m->courier);
}

/* Tells the queue, and waits until it has written it down: a crash then repeats at most the message that is
 * under way. With the lock, which it gives up meanwhile. */
static void hand_in(struct member *m, struct relay_job *j)
{
    struct crew *c = m->crew;
    pthread_mutex_unlock(&c->lock);
    bool taken = c->settings.result(c->settings.context, j);
    pthread_mutex_lock(&c->lock);
    while (taken && !m->is_recorded && !atomic_load(&j->is_orphan))
        pthread_cond_wait(&m->recorded, &c->lock);
}

static void enter(struct crew *c, struct member *m)
{
    pthread_cond_init(&m->recorded, NULL);
    m->next = c->members;
    c->members = m;
}

static void leave(struct crew *c, struct member *m)
{
    for (struct member **at = &c->members; *at; at = &(*at)->next)
        if (*at == m) {
            *at = m->next;
            break;
        }
    pthread_cond_destroy(&m->recorded);
    free(m);
}

static void serve(void *context)
{
    struct member *m = context;
    struct crew *c = m->crew;
    pthread_mutex_lock(&c->lock);
    enter(c, m);
    for (struct relay_job *j; (j = next_job(m));) {
        m->is_recorded = false;
        m->job = j;
        carry(m, j);
        hand_in(m, j);
        m->job = NULL;
        relay_job_free(j);
    }
    m->at->threads--;
    drop_if_unused(c, m->at);
    pthread_mutex_unlock(&c->lock);
    courier_rest(&m->courier);
    pthread_mutex_lock(&c->lock);
    leave(c, m);
    bool was_last = --c->threads == 0 && c->is_stopping;
    pthread_mutex_unlock(&c->lock);
    if (was_last)
        c->settings.ended(c->settings.context);
}

/* --- from outside --- */

struct crew *crew_new(const struct crew_settings *s)
{
    struct crew *c = MEM_NEW(struct crew);
    c->settings = *s;
    c->memory = memory_new();
    pthread_mutex_init(&c->lock, NULL);
    return c;
}

void crew_reconfigure(struct crew *c, const struct config *config)
{
    pthread_mutex_lock(&c->lock);
    c->settings.config = config;
    pthread_mutex_unlock(&c->lock);
}

static void start_thread(struct crew *c, struct nexthop *n)
{
    struct member *m = MEM_NEW(struct member);
    m->crew = c;
    m->at = n;
    m->courier.dns = c->settings.dns;
    m->courier.memory = c->memory;
    m->courier.tls = c->settings.tls;
    m->courier.sockets = c->settings.sockets;
    n->threads++;
    c->threads++;
    if (thread_start(serve, m))
        return;
    n->threads--;
    c->threads--;
    free(m);
    if (c->threads == 0)
        log_die("relay.thread", "cannot start a single thread");
}

/* Somewhere a thread keeps a connection that nobody needs: it may serve those who wait. */
static void call_idle_thread(struct crew *c)
{
    for (struct nexthop *n = c->nexthops; n; n = n->next)
        if (n->idle > 0 && n->waiting == 0) {
            pthread_cond_signal(&n->wake);
            return;
        }
}

static void give_back(struct crew *c, struct relay_job *j)
{
    c->settings.result(c->settings.context, j); /* if it cannot be told, the queue sees us leave */
    relay_job_free(j);
}

void crew_add(struct crew *c, struct relay_job *j)
{
    pthread_mutex_lock(&c->lock);
    if (c->is_stopping) {
        give_back(c, j);
        pthread_mutex_unlock(&c->lock);
        return;
    }
    j->key = route_key(&j->way, j->domain, &j->arena);
    struct nexthop *n = find_nexthop(c, j->key);
    j->next = NULL;
    *n->last = j;
    n->last = &j->next;
    n->waiting++;
    pthread_cond_signal(&n->wake);
    if (may_grow(c, n)) {
        if (c->threads < CREW_THREADS_MAX)
            start_thread(c, n);
        else
            call_idle_thread(c);
    }
    pthread_mutex_unlock(&c->lock);
}

void crew_recorded(struct crew *c, uint64_t job)
{
    pthread_mutex_lock(&c->lock);
    for (struct member *m = c->members; m; m = m->next)
        if (m->job && m->job->id == job) {
            m->is_recorded = true;
            pthread_cond_signal(&m->recorded);
        }
    pthread_mutex_unlock(&c->lock);
}

/* Takes every waiting job off its nexthop; `each` takes it over. With the lock. */
static void empty(struct crew *c, void (*each)(struct crew *c, struct relay_job *j))
{
    for (struct nexthop *n = c->nexthops, *next; n; n = next) {
        next = n->next;
        for (struct relay_job *j; (j = pop(n));)
            each(c, j);
        drop_if_unused(c, n);
    }
}

static void forget(struct crew *c, struct relay_job *j)
{
    (void)c;
    relay_job_free(j);
}

void crew_orphan(struct crew *c)
{
    pthread_mutex_lock(&c->lock);
    empty(c, forget);
    for (struct member *m = c->members; m; m = m->next)
        if (m->job) {
            atomic_store(&m->job->is_orphan, true);
            pthread_cond_signal(&m->recorded);
        }
    pthread_mutex_unlock(&c->lock);
}

void crew_stop(struct crew *c)
{
    pthread_mutex_lock(&c->lock);
    c->is_stopping = true;
    empty(c, give_back);
    for (struct nexthop *n = c->nexthops; n; n = n->next)
        pthread_cond_broadcast(&n->wake);
    bool has_ended = c->threads == 0;
    pthread_mutex_unlock(&c->lock);
    if (has_ended)
        c->settings.ended(c->settings.context);
}
