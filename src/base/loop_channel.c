/* Channels in an event loop: frames in, and serials by which late answers find them. */
#include "base/loop_internal.h"
#include "base/mem.h"

#include <sys/epoll.h>
#include <unistd.h>

/* Frames taken from one channel before the others get their turn. Enough that a burst of requests is
 * committed together. */
#define FRAMES_PER_ROUND 64

struct loop_channel {
    struct loop *loop;
    struct loop_watch *watch;
    int fd;
    uint64_t serial;
    loop_frame_fn *frame;
    loop_closed_fn *closed;
    void *context;
    int most; /* frames a round */
    bool is_closed;
    struct loop_channel *next; /* in its bucket, or among the dead */
};

static struct loop_channel **bucket(struct loop_channels *all, uint64_t serial)
{
    return &all->buckets[serial & (all->bucket_count - 1)];
}

static void grow(struct loop_channels *all)
{
    struct loop_channels bigger = *all;
    bigger.bucket_count = all->bucket_count ? all->bucket_count * 2 : 16;
    bigger.buckets = mem_new(bigger.bucket_count, sizeof *bigger.buckets);
    for (size_t i = 0; i < all->bucket_count; i++)
        for (struct loop_channel *c = all->buckets[i], *next; c; c = next) {
            next = c->next;
            struct loop_channel **to = bucket(&bigger, c->serial);
            c->next = *to;
            *to = c;
        }
    free(all->buckets);
    *all = bigger;
}

static void add(struct loop_channels *all, struct loop_channel *c)
{
    if (all->count == all->bucket_count)
        grow(all);
    all->count++;
    c->serial = ++all->last_serial;
    struct loop_channel **to = bucket(all, c->serial);
    c->next = *to;
    *to = c;
}

static void remove_channel(struct loop_channels *all, struct loop_channel *c)
{
    struct loop_channel **at = bucket(all, c->serial);
    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    all->count--;
}

static void ready(void *context, uint32_t events)
{
    (void)events;
    struct loop_channel *c = context;
    struct ipc_frame *f = &loop_channels_of(c->loop)->frame;
    for (int i = 0; i < c->most && !c->is_closed; i++) {
        enum ipc_result r = ipc_receive_reusing(c->fd, f);
        if (r == IPC_AGAIN)
            return;
        if (r != IPC_OK) {
            loop_channel_close(c);
            return;
        }
        c->frame(c->context, c, f);
        ipc_frame_empty(f);
    }
}

struct loop_channel *loop_channel(struct loop *l, int channel, loop_frame_fn *frame, loop_closed_fn *closed,
                                  void *context)
{
    struct loop_channel *c = MEM_NEW(struct loop_channel);
    *c = (struct loop_channel){.loop = l,
                               .fd = channel,
                               .most = FRAMES_PER_ROUND,
                               .frame = frame,
                               .closed = closed,
                               .context = context};
    add(loop_channels_of(l), c);
    c->watch = loop_watch(l, channel, EPOLLIN, ready, c);
    return c;
}

int loop_channel_fd(const struct loop_channel *c)
{
    return c->fd;
}

void loop_channel_asks(struct loop_channel *c)
{
    c->most = 1;
}

void loop_channel_close(struct loop_channel *c)
{
    if (c->is_closed)
        return;
    struct loop_channels *all = loop_channels_of(c->loop);
    c->is_closed = true;
    loop_unwatch(c->watch);
    close(c->fd);
    c->fd = -1;
    remove_channel(all, c);
    c->next = all->dead;
    all->dead = c;
    if (c->closed)
        c->closed(c->context, c);
}

uint64_t loop_channel_serial(const struct loop_channel *c)
{
    return c->serial;
}

struct loop_channel *loop_channel_find(struct loop *l, uint64_t serial)
{
    struct loop_channels *all = loop_channels_of(l);
    struct loop_channel *c = all->bucket_count ? *bucket(all, serial) : NULL;
    while (c && c->serial != serial)
        c = c->next;
    return c;
}

void loop_channels_bury(struct loop_channels *all)
{
    while (all->dead) {
        struct loop_channel *c = all->dead;
        all->dead = c->next;
        free(c);
    }
}

void loop_channels_free(struct loop_channels *all)
{
    loop_channels_bury(all);
    for (size_t i = 0; i < all->bucket_count; i++)
        for (struct loop_channel *c = all->buckets[i], *next; c; c = next) {
            next = c->next;
            close(c->fd);
            free(c);
        }
    free(all->buckets);
    ipc_frame_free(&all->frame);
}
