#include "base/thread.h"

#include "base/clock.h"
#include "base/mem.h"

#include <errno.h>
#include <pthread.h>

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
    pthread_cond_t called;
    struct work work; /* what it is called for */
};

struct threads {
    pthread_mutex_t lock; /* over the idlers and what they are given */
    pthread_condattr_t monotonic;
    struct idler *idle; /* the last first: its stack is warm, and the others may end */
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

/* In the thread itself. False: it is to end. */
static bool take_next(struct work *w)
{
    struct threads *all = w->all;
    struct idler me = {.work = {NULL, NULL, all}};
    struct deadline d = deadline_in(IDLE_MS);
    struct timespec until = {.tv_sec = d.at_ms / 1000, .tv_nsec = d.at_ms % 1000 * 1000000};
    pthread_mutex_lock(&all->lock);
    if (all->count == IDLE_MAX) {
        pthread_mutex_unlock(&all->lock);
        return false;
    }
    pthread_cond_init(&me.called, &all->monotonic);
    enlist(all, &me);
    while (!me.work.fn && pthread_cond_timedwait(&me.called, &all->lock, &until) != ETIMEDOUT) {
    }
    if (!me.work.fn) /* else whoever called has taken it out */
        take_out(all, &me);
    pthread_mutex_unlock(&all->lock);
    pthread_cond_destroy(&me.called);
    *w = me.work;
    return w->fn != NULL;
}

struct threads *threads_new(void)
{
    struct threads *all = MEM_NEW(struct threads);
    pthread_mutex_init(&all->lock, NULL);
    pthread_condattr_init(&all->monotonic);
    pthread_condattr_setclock(&all->monotonic, CLOCK_MONOTONIC); /* as struct deadline */
    return all;
}

bool threads_start(struct threads *all, void (*fn)(void *context), void *context)
{
    pthread_mutex_lock(&all->lock);
    struct idler *i = all->idle;
    if (i) {
        take_out(all, i);
        i->work.fn = fn;
        i->work.context = context;
        pthread_cond_signal(&i->called); /* under the lock: without it *i may be gone */
    }
    pthread_mutex_unlock(&all->lock);
    return i || start((struct work){fn, context, all});
}
