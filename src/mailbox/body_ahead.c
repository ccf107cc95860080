#include "mailbox/body_ahead.h"

#include "base/mem.h"
#include "base/thread.h"
#include "mailbox/body_pack.h"

#include <zstd.h>

struct body_ahead {
    atomic_uint *count;
    pthread_t thread;
    bool has_thread;
    pthread_mutex_t lock; /* over the state; what follows belongs to whoever has set it to EXPANDING, else to
                             the reader */
    pthread_cond_t changed;
    enum { EMPTY, GIVEN, EXPANDING, EXPANDED } state;
    bool is_over;
    int64_t before, row;
    struct buf packed, raw;
    ZSTD_DCtx *z;
    bool is_good;
};

/* Under the lock, which it leaves while it works. */
static void expand(struct body_ahead *a)
{
    a->state = EXPANDING;
    pthread_mutex_unlock(&a->lock);
    buf_reset(&a->raw);
    a->is_good = pack_expand(a->z, buf_str(&a->packed), &a->raw);
    pthread_mutex_lock(&a->lock);
    a->state = EXPANDED;
    pthread_cond_broadcast(&a->changed);
}

static void *run(void *context)
{
    struct body_ahead *a = context;
    pthread_mutex_lock(&a->lock);
    while (!a->is_over)
        if (a->state == GIVEN)
            expand(a);
        else
            pthread_cond_wait(&a->changed, &a->lock);
    pthread_mutex_unlock(&a->lock);
    return NULL;
}

/* Without one the reader does the work when it needs it. */
static void start_thread(struct body_ahead *a)
{
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, THREAD_STACK_BYTES);
    a->has_thread = pthread_create(&a->thread, &attributes, run, a) == 0;
    pthread_attr_destroy(&attributes);
}

struct body_ahead *ahead_new(atomic_uint *count)
{
    if (atomic_fetch_add(count, 1) >= AHEAD_MAX) {
        atomic_fetch_sub(count, 1);
        return NULL;
    }
    struct body_ahead *a = MEM_NEW(struct body_ahead);
    a->count = count;
    a->z = ZSTD_createDCtx(); /* NULL: nothing can be expanded, and the reader tells */
    pthread_mutex_init(&a->lock, NULL);
    pthread_cond_init(&a->changed, NULL);
    buf_init(&a->packed, BODY_CHUNK);
    buf_init(&a->raw, BODY_CHUNK);
    start_thread(a);
    return a;
}

void ahead_free(struct body_ahead *a)
{
    if (!a)
        return;
    pthread_mutex_lock(&a->lock);
    a->is_over = true;
    pthread_cond_broadcast(&a->changed);
    pthread_mutex_unlock(&a->lock);
    if (a->has_thread)
        pthread_join(a->thread, NULL);
    pthread_cond_destroy(&a->changed);
    pthread_mutex_destroy(&a->lock);
    ZSTD_freeDCtx(a->z);
    buf_free(&a->packed);
    buf_free(&a->raw);
    atomic_fetch_sub(a->count, 1);
    free(a);
}

/* Under the lock: until the thread has nothing in hand. */
static void await_thread(struct body_ahead *a)
{
    while (a->state == EXPANDING)
        pthread_cond_wait(&a->changed, &a->lock);
}

void ahead_begin(struct body_ahead *a, int64_t before, int64_t row, struct str pack)
{
    pthread_mutex_lock(&a->lock);
    await_thread(a);
    a->before = before;
    a->row = row;
    buf_reset(&a->packed);
    a->state = buf_add(&a->packed, pack) ? GIVEN : EMPTY;
    pthread_mutex_unlock(&a->lock);
    pthread_cond_broadcast(&a->changed); /* outside the lock, or the thread would wake only to wait for it */
}

int64_t ahead_take(struct body_ahead *a, int64_t chunk, struct buf *pack)
{
    int64_t row = 0;
    pthread_mutex_lock(&a->lock);
    if (a->state != EMPTY && a->before < chunk && chunk <= a->row) {
        if (a->state == GIVEN) /* the thread has not come to it: no processor is free */
            expand(a);
        await_thread(a);
        if (a->is_good) {
            struct buf other = *pack;
            *pack = a->raw;
            a->raw = other;
            row = a->row;
        }
        a->state = EMPTY;
    }
    pthread_mutex_unlock(&a->lock);
    return row;
}
