#include "account/channels.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"

#include <pthread.h>

/* Half of the time after which an idle account asks to leave. */
#define IDLE_MS  (5 * (int64_t)1000)
/* Kept at once; the one that waits longest makes room. Well under the descriptors that a role may have. */
#define IDLE_MAX 512
#define BUCKETS  128

struct idle {
    int64_t account;
    int fd;
    int64_t since_ms;
    struct idle *in_bucket;       /* the next: newest first */
    struct idle *older, *younger; /* of all */
};

struct channels {
    pthread_mutex_t lock;   /* over everything */
    pthread_cond_t arrived; /* there is one where there was none */
    struct idle *buckets[BUCKETS];
    struct idle *oldest, *youngest;
    unsigned count;
    bool has_reaper;
};

static struct idle **bucket(struct channels *c, int64_t account)
{
    return &c->buckets[(uint64_t)account % BUCKETS];
}

/* Takes `i` out and frees it; its descriptor is the caller's. */
static int take_out(struct channels *c, struct idle *i)
{
    struct idle **at = bucket(c, i->account);
    while (*at != i)
        at = &(*at)->in_bucket;
    *at = i->in_bucket;
    *(i->older ? &i->older->younger : &c->oldest) = i->younger;
    *(i->younger ? &i->younger->older : &c->youngest) = i->older;
    int fd = i->fd;
    free(i);
    c->count--;
    return fd;
}

/* Closes what has been idle for long, and sleeps while there is nothing. */
static void reap(void *context)
{
    struct channels *c = context;
    pthread_mutex_lock(&c->lock);
    for (;;) {
        while (!c->oldest)
            pthread_cond_wait(&c->arrived, &c->lock);
        int64_t at_ms = c->oldest->since_ms + IDLE_MS;
        if (clock_ms() >= at_ms) {
            close(take_out(c, c->oldest));
            continue;
        }
        struct timespec until = {.tv_sec = at_ms / 1000, .tv_nsec = at_ms % 1000 * 1000000};
        pthread_cond_timedwait(&c->arrived, &c->lock, &until);
    }
}

struct channels *channels_new(void)
{
    struct channels *c = MEM_NEW(struct channels);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC); /* as clock_ms */
    pthread_cond_init(&c->arrived, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&c->lock, NULL);
    return c;
}

int channels_take(struct channels *c, int64_t account)
{
    pthread_mutex_lock(&c->lock);
    struct idle *i = *bucket(c, account);
    while (i && i->account != account)
        i = i->in_bucket;
    int fd = i ? take_out(c, i) : -1;
    pthread_mutex_unlock(&c->lock);
    return fd;
}

void channels_give(struct channels *c, int64_t account, int fd)
{
    struct idle *i = MEM_NEW(struct idle);
    int too_many = -1;
    pthread_mutex_lock(&c->lock);
    /* The thread starts with the first channel: before the sandbox there may be one thread only. */
    if (!c->has_reaper)
        c->has_reaper = thread_start(reap, c);
    if (c->count == IDLE_MAX)
        too_many = take_out(c, c->oldest);
    *i = (struct idle){.account = account,
                       .fd = fd,
                       .since_ms = clock_ms(),
                       .in_bucket = *bucket(c, account),
                       .older = c->youngest};
    *bucket(c, account) = i;
    *(c->youngest ? &c->youngest->younger : &c->oldest) = i;
    c->youngest = i;
    if (c->count++ == 0)
        pthread_cond_signal(&c->arrived);
    pthread_mutex_unlock(&c->lock);
    if (too_many >= 0)
        close(too_many);
}
