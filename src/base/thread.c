#include "base/thread.h"

#include "base/clock.h"
#include "base/mem.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <time.h>

/* Waiting costs a thread's touched stack, so few do and not for long. Under load the next work comes within
 * milliseconds. */
#define IDLE_MAX 16
#define IDLE_MS  1000

/* --- threads that end with their work --- */

struct work {
    void (*fn)(void *context); /* NULL: none */
    void *context;
    struct threads *all; /* NULL: of nobody */
};

static bool take_next(struct work *w);

static void *run(void *work)
{
    struct work w = *(struct work *)work;
    free(work);
    do
        w.fn(w.context);
    while (w.all && take_next(&w));
    return NULL;
}

static bool start(struct work work)
{
    struct work *w = MEM_NEW(struct work);
    *w = work;
    pthread_attr_t attributes;
    pthread_t thread;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, THREAD_STACK_BYTES);
    bool started = pthread_create(&thread, &attributes, run, w) == 0;
    pthread_attr_destroy(&attributes);
    if (!started)
        free(w);
    return started;
}

bool thread_start(void (*fn)(void *context), void *context)
{
    return start((struct work){fn, context, NULL});
}

/* --- threads that stay --- */

/* One that waits, on its own stack. */
struct idler {
    struct idler *next, **back;
    bool is_chosen; /* under the lock: it is out of the list, and `called` comes */
    sem_t called;
    struct work work; /* what it is called for; whoever chose it fills it in */
};

struct threads {
    pthread_mutex_t lock; /* over the idlers */
    struct idler *idle;   /* the last first: its stack is warm, and the others may end */
    unsigned count;
};

static void enlist(struct threads *all, struct idler *i)
{
    i->next = all->idle;
    i->back = &all->idle;
    if (i->next)
        i->next->back = &i->next;
    all->idle = i;
    all->count++;
}

static void take_out(struct threads *all, struct idler *i)
{
    *i->back = i->next;
    if (i->next)
        i->next->back = i->back;
    all->count--;
}

/* False: it has waited for too long, and nobody will call it any more. */
static bool await_call(struct threads *all, struct idler *me)
{
    int64_t at_ms = clock_wall_ms() + IDLE_MS; /* nobody minds if somebody sets that clock */
    struct timespec until = {.tv_sec = at_ms / 1000, .tv_nsec = at_ms % 1000 * 1000000};
    int waited;
    while ((waited = sem_timedwait(&me->called, &until)) != 0 && errno == EINTR)
        continue;
    if (waited == 0)
        return true;
    pthread_mutex_lock(&all->lock);
    bool is_listed = !me->is_chosen;
    if (is_listed)
        take_out(all, me);
    pthread_mutex_unlock(&all->lock);
    while (!is_listed && sem_wait(&me->called) != 0) /* somebody has just chosen it */
        continue;
    return !is_listed;
}

/* In the thread itself. False: it is to end. */
static bool take_next(struct work *w)
{
    struct threads *all = w->all;
    struct idler me = {.work = {NULL, NULL, all}};
    sem_init(&me.called, 0, 0);
    pthread_mutex_lock(&all->lock);
    bool waits = all->count < IDLE_MAX;
    if (waits)
        enlist(all, &me);
    pthread_mutex_unlock(&all->lock);
    bool is_called = waits && await_call(all, &me);
    *w = me.work;
    return is_called;
}

struct threads *threads_new(void)
{
    struct threads *all = MEM_NEW(struct threads);
    pthread_mutex_init(&all->lock, NULL);
    return all;
}

bool threads_start(struct threads *all, void (*fn)(void *context), void *context)
{
    pthread_mutex_lock(&all->lock);
    struct idler *i = all->idle;
    if (i) {
        take_out(all, i);
        i->is_chosen = true;
    }
    pthread_mutex_unlock(&all->lock);
    if (!i)
        return start((struct work){fn, context, all});
    i->work.fn = fn;
    i->work.context = context;
    /* Outside the lock, or the thread would wake only to wait for it. It may be gone before the call returns,
     * which POSIX allows of a semaphore, not of a condition variable. */
    sem_post(&i->called);
    return true;
}
