#include "relay/crew.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "relay/nexthop.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <string.h>
#include <time.h>

#define IDLE_MS    5000 /* a connection is kept so long without a job */
#define FAILURE_MS 3000 /* a destination that could not be reached is not tried again for so long */

enum member_state {
    MEMBER_BUSY,           /* or called, and about to be */
    MEMBER_AWAITS_RECEIPT, /* its last result is not on disk yet: nothing may go out on its connection */
    MEMBER_RESTS,
};

/* A thread. Its memory stays when it has ended, for the next one: whoever calls it does so without the lock,
 * or it would wake only to wait for that. */
struct member {
    struct member *next, *next_resting;
    struct crew *crew;
    struct nexthop *at;
    struct courier courier; /* the thread's own */
    enum member_state state;
    struct relay_job *job; /* under way, or what it is called for */
    uint64_t handed_in;    /* the job whose receipt it awaits */
    sem_t called;
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

static void rest(struct member *m)
{
    m->state = MEMBER_RESTS;
    m->next_resting = m->at->resting;
    m->at->resting = m;
}

static void stop_resting(struct member *m)
{
    for (struct member **at = &m->at->resting; *at; at = &(*at)->next_resting)
        if (*at == m) {
            *at = m->next_resting;
            break;
        }
    m->state = MEMBER_BUSY;
}

/* Whom to call for a job at this nexthop, once the lock is given up; NULL: nobody rests. */
static struct member *take_resting(struct nexthop *n)
{
    struct member *m = n->resting;
    if (m)
        stop_resting(m);
    return m;
}

static void call(struct member *m)
{
    if (m)
        sem_post(&m->called);
}

static struct nexthop *find_starving(const struct crew *c)
{
    return c->threads >= CREW_THREADS_MAX ? nexthop_find_starving(c->nexthops, share(c)) : NULL;
}

/* It has nothing to do and nothing to wait for. Whoever finds that out decides what comes next, so that it is
 * woken once for a job, not for the receipt of the one before as well. Returns whom to call; NULL: it rests.
 */
static struct member *settle(struct member *m)
{
    m->job = nexthop_take(m->at);
    m->state = MEMBER_BUSY;
    if (m->job || m->crew->is_stopping || find_starving(m->crew))
        return m;
    rest(m);
    return NULL;
}

/* --- a thread --- */

/* False: the time is over. */
static bool wait_for_call(struct member *m)
{
    int64_t at_ms = clock_wall_ms() + IDLE_MS; /* nobody minds if somebody sets that clock */
    struct timespec until = {.tv_sec = at_ms / 1000, .tv_nsec = at_ms % 1000 * 1000000};
    int waited;
    while ((waited = sem_timedwait(&m->called, &until)) != 0 && errno == EINTR)
        continue;
    return waited == 0;
}

/* With the lock: who takes it next must not count on a thread that ends. */
static void leave_nexthop(struct member *m)
{
    m->at->threads--;
    nexthop_drop_if_unused(&m->crew->nexthops, m->at);
}

/* False: nobody has called it for so long that it is not needed any more. */
static bool await_call(struct member *m)
{
    struct crew *c = m->crew;
    while (!wait_for_call(m)) {
        pthread_mutex_lock(&c->lock);
        bool is_over = m->state == MEMBER_RESTS; /* else a receipt is to come, or somebody is just calling */
        if (is_over) {
            stop_resting(m);
            leave_nexthop(m);
        }
        pthread_mutex_unlock(&c->lock);
        if (is_over)
            return false;
    }
    return true;
}

/* To another nexthop, where jobs only want for a thread. With the lock. */
static void move(struct member *m, struct nexthop *to)
{
    leave_nexthop(m);
    to->threads++;
    m->at = to;
    m->job = nexthop_take(to);
}

/* Waits for m->job, perhaps at another nexthop. False: the thread is not needed any more, and has left its
 * nexthop. */
static bool next_job(struct member *m)
{
    struct crew *c = m->crew;
    while (await_call(m)) {
        if (m->job)
            return true;
        pthread_mutex_lock(&c->lock);
        struct nexthop *starving = find_starving(c);
        bool is_over = c->is_stopping;
        if (is_over)
            leave_nexthop(m);
        else if (starving)
            move(m, starving);
        else
            call(settle(m));
        pthread_mutex_unlock(&c->lock);
        if (is_over)
            return false;
        if (starving) {
            courier_rest(&m->courier);
            return true;
        }
    }
    return false;
}

static void remember_failure(struct nexthop *n, const struct courier *courier)
{
    memcpy(n->failing_reply, courier->failure_reply, sizeof n->failing_reply);
    n->failing_fate = courier->failure_fate;
    n->failing_until = deadline_in(FAILURE_MS);
}

/* Whether its nexthop could not be reached a moment ago: then everybody has that answer. */
static bool is_failing(struct member *m, struct relay_job *j)
{
    struct nexthop *n = m->at;
    if (deadline_passed(n->failing_until))
        return false;
    courier_decline(&m->courier, j, n->failing_fate, arena_copy(&j->arena, str_from_c(n->failing_reply)));
    return true;
}

static void carry(struct member *m)
{
    struct crew *c = m->crew;
    pthread_mutex_lock(&c->lock);
    m->courier.config = c->settings.config;
    /* An orphan will come again, from the next queue. */
    bool is_over = atomic_load(&m->job->is_orphan) || is_failing(m, m->job);
    pthread_mutex_unlock(&c->lock);
    if (is_over || courier_carry(&m->courier, m->job))
        return;
    pthread_mutex_lock(&c->lock);
    remember_failure(m->at, &m->courier);
    pthread_mutex_unlock(&c->lock);
}

/* Tells the queue. Nothing goes out on this connection until the queue has written it down: a crash then
 * repeats at most the message that is under way. */
static void hand_in(struct member *m)
{
    struct crew *c = m->crew;
    struct relay_job *j = m->job;
    pthread_mutex_lock(&c->lock);
    m->job = NULL;
    m->handed_in = j->id;
    m->state = MEMBER_AWAITS_RECEIPT;
    pthread_mutex_unlock(&c->lock);
    bool taken = c->settings.result(c->settings.context, j);
    relay_job_free(j);
    if (taken)
        return;
    pthread_mutex_lock(&c->lock);
    if (m->state == MEMBER_AWAITS_RECEIPT) /* else the queue is known to be gone */
        call(settle(m));
    pthread_mutex_unlock(&c->lock);
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
    do {
        carry(m);
        hand_in(m);
    } while (next_job(m));
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
    sem_init(&m->called, 0, 0);
    return m;
}

/* For the first job that waits there. */
static void start_thread(struct crew *c, struct nexthop *n)
{
    struct member *m = new_member(c);
    m->at = n;
    m->state = MEMBER_BUSY;
    m->job = nexthop_take(n);
    m->courier = (struct courier){
        .dns = c->settings.dns, .memory = c->memory, .tls = c->settings.tls, .sockets = c->settings.sockets};
    n->threads++;
    c->threads++;
    enter(c, m);
    if (thread_start(serve, m))
        return;
    leave(c, m);
    n->threads--;
    c->threads--;
    nexthop_add(n, m->job);
    m->job = NULL;
    if (c->threads == 0)
        log_die("relay.thread", "cannot start a single thread");
}

/* Somewhere a thread keeps a connection that nobody needs: it may serve those who wait. */
static struct member *find_idle_thread(struct crew *c)
{
    for (struct nexthop *n = c->nexthops; n; n = n->next)
        if (n->resting)
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
    struct nexthop *n = nexthop_find(&c->nexthops, j->key);
    struct member *m = take_resting(n);
    if (m) {
        m->job = j;
    } else {
        nexthop_add(n, j);
        if (nexthop_may_grow(n, share(c))) {
            if (c->threads < CREW_THREADS_MAX)
                start_thread(c, n);
            else
                m = find_idle_thread(c);
        }
    }
    pthread_mutex_unlock(&c->lock);
    call(m);
}

void crew_recorded(struct crew *c, uint64_t job)
{
    pthread_mutex_lock(&c->lock);
    struct member *m = c->members;
    while (m && !(m->state == MEMBER_AWAITS_RECEIPT && m->handed_in == job))
        m = m->next;
    if (m)
        m = settle(m);
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
        if (m->job)
            atomic_store(&m->job->is_orphan, true);
        else if (m->state == MEMBER_AWAITS_RECEIPT)
            call(settle(m));
    pthread_mutex_unlock(&c->lock);
}

void crew_stop(struct crew *c)
{
    pthread_mutex_lock(&c->lock);
    c->is_stopping = true;
    empty(c, give_back);
    for (struct nexthop *n = c->nexthops; n; n = n->next)
        while (n->resting)
            call(take_resting(n));
    bool has_ended = c->threads == 0;
    pthread_mutex_unlock(&c->lock);
    if (has_ended)
        c->settings.ended(c->settings.context);
}
