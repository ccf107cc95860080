#include "account/channels.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"

#include <pthread.h>
#include <time.h>

/* A channel is closed when it has been idle for one to two of these: before an idle account asks to leave. */
#define IDLE_MS  (4 * (int64_t)1000)
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

/* Closes what has been idle for long. Looks now and then, and sleeps while there is nothing: who gives and
 * takes channels a thousand times a second wakes it once. */
static void reap(void *context)
{
    struct channels *c = context;
    for (;;) {
        pthread_mutex_lock(&c->lock);
        while (!c->oldest)
            pthread_cond_wait(&c->arrived, &c->lock);
        pthread_mutex_unlock(&c->lock);
        nanosleep(&(struct timespec){.tv_sec = IDLE_MS / 1000}, NULL);
        pthread_mutex_lock(&c->lock);
        while (c->oldest && clock_ms() >= c->oldest->since_ms + IDLE_MS)
            close(take_out(c, c->oldest));
        pthread_mutex_unlock(&c->lock);
    }
}

struct channels *channels_new(void)
{
    struct channels *c = MEM_NEW(struct channels);
    pthread_cond_init(&c->arrived, NULL);
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
