#include "relay/crew.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "relay/nexthop.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

#define IDLE_MS    5000 /* a connection is kept so long without a job */
#define FAILURE_MS 3000 /* a destination that could not be reached is not tried again for so long */

/* A thread. Its memory stays when it has ended, for the next one: whoever calls it does so without the lock,
 * or it would wake only to wait for that. */
struct member {
    struct member *next, *next_resting;
    struct crew *crew;
    struct nexthop *at;
    struct courier courier; /* the thread's own */
    struct relay_job *job;  /* under way */
    bool is_recorded;       /* its result is on disk */
    pthread_cond_t wake;    /* there is a job; or that, or the job became an orphan */
};

struct crew {
    struct crew_settings settings;
    pthread_mutex_t lock; /* over everything here, in nexthops and in members */
    struct nexthop *nexthops;
    struct member *members; /* one a thread */
    struct member *spares;  /* of threads that have ended */
    unsigned threads;
    bool is_stopping;
    struct memory *memory; /* has a lock of its own */
};

/* What one destination may have of the threads: fewer as they become few, so that a hundred that do not
 * answer leave some for the others. */
static unsigned share(const struct crew *c)
{
    unsigned most = c->settings.config->relay_per_destination;
    unsigned left = 1 + (CREW_THREADS_MAX - c->threads) / 8;
    most = most < left ? most : left;
    return most > 0 ? most : 1;
}

/* --- resting; with the lock --- */

static void stop_resting(struct member *m)
{
    for (struct member **at = &m->at->resting; *at; at = &(*at)->next_resting)
        if (*at == m) {
            *at = m->next_resting;
            return;
        }
}

static void rest(struct member *m, struct deadline d)
{
    struct timespec until = {.tv_sec = d.at_ms / 1000, .tv_nsec = d.at_ms % 1000 * 1000000};
    struct nexthop *n = m->at;
    m->next_resting = n->resting;
    n->resting = m;
    n->idle++;
    pthread_cond_timedwait(&m->wake, &m->crew->lock, &until);
    n->idle--;
    stop_resting(m);
}

/* Whom to call for a job at this nexthop, once the lock is given up; NULL: nobody rests. */
static struct member *take_resting(struct nexthop *n)
{
    struct member *m = n->resting;
    if (m)
        n->resting = m->next_resting;
    return m;
}

static void call(struct member *m)
{
    if (m)
        pthread_cond_signal(&m->wake);
}

/* --- a thread --- */

/* The next job for this thread, perhaps at another nexthop; NULL: it is not needed any more. With the lock.
 */
static struct relay_job *next_job(struct member *m)
{
    struct crew *c = m->crew;
    struct deadline d = deadline_in(IDLE_MS);
    for (;;) {
        struct relay_job *j = nexthop_take(m->at);
        if (j)
            return j;
        struct nexthop *starving =
            c->threads >= CREW_THREADS_MAX ? nexthop_find_starving(c->nexthops, share(c)) : NULL;
        if (starving) {
            m->at->threads--;
            starving->threads++;
            nexthop_drop_if_unused(&c->nexthops, m->at);
            m->at = starving;
            j = nexthop_take(starving);
            pthread_mutex_unlock(&c->lock);
            courier_rest(&m->courier);
            pthread_mutex_lock(&c->lock);
            return j;
        }
        if (c->is_stopping || deadline_passed(d))
            return NULL;
        rest(m, d);
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
        pthread_cond_wait(&m->wake, &c->lock);
}

static void enter(struct crew *c, struct member *m)
{
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
    m->next = c->spares;
    c->spares = m;
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
    nexthop_drop_if_unused(&c->nexthops, m->at);
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

static struct member *new_member(struct crew *c)
{
    struct member *m = c->spares;
    if (m) {
        c->spares = m->next;
        return m;
    }
    m = MEM_NEW(struct member);
    m->crew = c;
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC); /* as struct deadline */
    pthread_cond_init(&m->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    return m;
}

static void start_thread(struct crew *c, struct nexthop *n)
{
    struct member *m = new_member(c);
    m->at = n;
    m->courier = (struct courier){
        .dns = c->settings.dns, .memory = c->memory, .tls = c->settings.tls, .sockets = c->settings.sockets};
    n->threads++;
    c->threads++;
    if (thread_start(serve, m))
        return;
    n->threads--;
    c->threads--;
    m->next = c->spares;
    c->spares = m;
    if (c->threads == 0)
        log_die("relay.thread", "cannot start a single thread");
}

/* Somewhere a thread keeps a connection that nobody needs: it may serve those who wait. */
static struct member *find_idle_thread(struct crew *c)
{
    for (struct nexthop *n = c->nexthops; n; n = n->next)
        if (n->resting && n->waiting == 0)
            return take_resting(n);
    return NULL;
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
    struct nexthop *n = nexthop_find(&c->nexthops, j->key);
    nexthop_add(n, j);
    struct member *here = take_resting(n), *elsewhere = NULL;
    if (nexthop_may_grow(n, share(c))) {
        if (c->threads < CREW_THREADS_MAX)
            start_thread(c, n);
        else
            elsewhere = find_idle_thread(c);
    }
    pthread_mutex_unlock(&c->lock);
    call(here);
    call(elsewhere);
}

void crew_recorded(struct crew *c, uint64_t job)
{
    pthread_mutex_lock(&c->lock);
    struct member *m = c->members;
    while (m && !(m->job && m->job->id == job))
        m = m->next;
    if (m)
        m->is_recorded = true;
    pthread_mutex_unlock(&c->lock);
    call(m);
}

/* Takes every waiting job off its nexthop; `each` takes it over. With the lock. */
static void empty(struct crew *c, void (*each)(struct crew *c, struct relay_job *j))
{
    for (struct nexthop *n = c->nexthops, *next; n; n = next) {
        next = n->next;
        for (struct relay_job *j; (j = nexthop_take(n));)
            each(c, j);
        nexthop_drop_if_unused(&c->nexthops, n);
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
            call(m);
        }
    pthread_mutex_unlock(&c->lock);
}

void crew_stop(struct crew *c)
{
    pthread_mutex_lock(&c->lock);
    c->is_stopping = true;
    empty(c, give_back);
    for (struct member *m = c->members; m; m = m->next)
        call(m);
    bool has_ended = c->threads == 0;
    pthread_mutex_unlock(&c->lock);
    if (has_ended)
        c->settings.ended(c->settings.context);
}
