#include "base/loop.h"

#include "base/log.h"
#include "base/loop_internal.h"
#include "base/mem.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Events asked of the kernel at a time: enough that a busy gate makes few calls, little enough that timers
 * and what is committed after a round do not wait long. */
#define EVENTS_PER_ROUND 128

struct loop_watch {
    struct loop *loop;
    int fd;
    loop_ready_fn *ready;
    void *context;
    bool dead; /* unwatched; freed after the round, whose event list may still name it */
    struct loop_watch *next, **back; /* in loop->watches or loop->dead */
};

struct loop_timer {
    struct loop *loop;
    int64_t at_ms;
    loop_timer_fn *fire;
    void *context;
    size_t at; /* its place in loop->timers */
};

struct posted {
    void (*fn)(void *context);
    void *context;
};

struct loop {
    int epoll;
    bool stopping;
    struct loop_watch *watches, *dead;
    struct loop_timer **timers; /* a heap: the soonest first */
    size_t timer_count, timer_cap;
    struct posted *after_round;
    size_t after_round_count;
    struct loop_channels channels;

    struct loop_watch *posted_watch;
    int posted_fd;               /* eventfd: readable while something is posted */
    pthread_mutex_t posted_lock; /* over what follows */
    struct posted *posted;
    size_t posted_count, posted_cap;
};

/* --- descriptors --- */

static void link_watch(struct loop_watch **list, struct loop_watch *w)
{
    w->next = *list;
    w->back = list;
    if (*list)
        (*list)->back = &w->next;
    *list = w;
}

static void unlink_watch(struct loop_watch *w)
{
    *w->back = w->next;
    if (w->next)
        w->next->back = w->back;
}

static void free_watches(struct loop_watch **list)
{
    while (*list) {
        struct loop_watch *w = *list;
        *list = w->next;
        free(w);
    }
}

struct loop_watch *loop_watch(struct loop *l, int fd, uint32_t events, loop_ready_fn *ready, void *context)
{
    struct loop_watch *w = MEM_NEW(struct loop_watch);
    *w = (struct loop_watch){.loop = l, .fd = fd, .ready = ready, .context = context};
    struct epoll_event ev = {.events = events, .data.ptr = w};
    if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &ev) < 0)
        log_die("loop.watch", "cannot watch descriptor %d: %s", fd, strerror(errno));
    link_watch(&l->watches, w);
    return w;
}

void loop_watch_change(struct loop_watch *w, uint32_t events)
{
    struct epoll_event ev = {.events = events, .data.ptr = w};
    if (epoll_ctl(w->loop->epoll, EPOLL_CTL_MOD, w->fd, &ev) < 0)
        log_die("loop.watch", "cannot change the watch on descriptor %d: %s", w->fd, strerror(errno));
}

void loop_unwatch(struct loop_watch *w)
{
    if (epoll_ctl(w->loop->epoll, EPOLL_CTL_DEL, w->fd, NULL) < 0)
        log_die("loop.unwatch", "descriptor %d was closed while watched: %s", w->fd, strerror(errno));
    w->dead = true;
    unlink_watch(w);
    link_watch(&w->loop->dead, w);
}

/* --- timers --- */

static void place_timer(struct loop *l, struct loop_timer *t, size_t at)
{
    l->timers[at] = t;
    t->at = at;
}

static void sift_up(struct loop *l, struct loop_timer *t, size_t at)
{
    while (at > 0 && l->timers[(at - 1) / 2]->at_ms > t->at_ms) {
        place_timer(l, l->timers[(at - 1) / 2], at);
        at = (at - 1) / 2;
    }
    place_timer(l, t, at);
}

static void sift_down(struct loop *l, struct loop_timer *t, size_t at)
{
    for (;;) {
        size_t child = 2 * at + 1;
        if (child + 1 < l->timer_count && l->timers[child + 1]->at_ms < l->timers[child]->at_ms)
            child++;
        if (child >= l->timer_count || l->timers[child]->at_ms >= t->at_ms)
            break;
        place_timer(l, l->timers[child], at);
        at = child;
    }
    place_timer(l, t, at);
}

struct loop_timer *loop_timer(struct loop *l, int64_t ms, loop_timer_fn *fire, void *context)
{
    if (l->timer_count == l->timer_cap) {
        l->timer_cap = l->timer_cap ? l->timer_cap * 2 : 16;
        l->timers = mem_resize(l->timers, l->timer_cap, sizeof(struct loop_timer *));
    }
    struct loop_timer *t = MEM_NEW(struct loop_timer);
    *t = (struct loop_timer){.loop = l, .at_ms = deadline_in(ms).at_ms, .fire = fire, .context = context};
    sift_up(l, t, l->timer_count++);
    return t;
}

static void remove_timer(struct loop_timer *t)
{
    struct loop *l = t->loop;
    struct loop_timer *last = l->timers[--l->timer_count];
    if (last == t)
        return;
    sift_up(l, last, t->at);
    sift_down(l, last, last->at);
}

void loop_timer_cancel(struct loop_timer *t)
{
    remove_timer(t);
    free(t);
}

static void fire_timers(struct loop *l)
{
    int64_t now = l->timer_count ? clock_ms() : 0;
    /* Counted before: a timer that sets itself again for 0 ms waits for the next round. */
    for (size_t n = l->timer_count; n > 0 && l->timer_count > 0 && l->timers[0]->at_ms <= now; n--) {
        struct loop_timer *t = l->timers[0];
        remove_timer(t);
        t->fire(t->context);
        free(t);
    }
}

static int wait_ms(const struct loop *l)
{
    return l->timer_count ? deadline_left_ms((struct deadline){l->timers[0]->at_ms}) : -1;
}

/* --- from other threads --- */

void loop_post(struct loop *l, void (*fn)(void *context), void *context)
{
    pthread_mutex_lock(&l->posted_lock);
    if (l->posted_count == l->posted_cap) {
        l->posted_cap = l->posted_cap ? l->posted_cap * 2 : 16;
        l->posted = mem_resize(l->posted, l->posted_cap, sizeof *l->posted);
    }
    bool wake = l->posted_count == 0;
    l->posted[l->posted_count++] = (struct posted){fn, context};
    pthread_mutex_unlock(&l->posted_lock);
    if (wake)
        eventfd_write(l->posted_fd, 1); /* cannot fail: far from its maximum */
}

static void run_posted(void *context, uint32_t events)
{
    (void)events;
    struct loop *l = context;
    eventfd_t count;
    eventfd_read(l->posted_fd, &count);
    pthread_mutex_lock(&l->posted_lock);
    struct posted *list = l->posted;
    size_t n = l->posted_count;
    l->posted = NULL;
    l->posted_count = l->posted_cap = 0;
    pthread_mutex_unlock(&l->posted_lock);
    for (size_t i = 0; i < n; i++)
        list[i].fn(list[i].context);
    free(list);
}

/* --- the loop --- */

struct loop *loop_new(void)
{
    struct loop *l = MEM_NEW(struct loop);
    l->epoll = epoll_create1(EPOLL_CLOEXEC);
    l->posted_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (l->epoll < 0 || l->posted_fd < 0)
        log_die("loop.new", "cannot make an event loop: %s", strerror(errno));
    pthread_mutex_init(&l->posted_lock, NULL);
    ipc_frame_init(&l->channels.frame, 0);
    l->posted_watch = loop_watch(l, l->posted_fd, EPOLLIN, run_posted, l);
    return l;
}

void loop_free(struct loop *l)
{
    loop_channels_free(&l->channels);
    free_watches(&l->watches);
    free_watches(&l->dead);
    while (l->timer_count > 0)
        free(l->timers[--l->timer_count]);
    free(l->timers);
    free(l->after_round);
    free(l->posted);
    pthread_mutex_destroy(&l->posted_lock);
    close(l->posted_fd);
    close(l->epoll);
    free(l);
}

void loop_stop(struct loop *l)
{
    l->stopping = true;
}

void loop_after_round(struct loop *l, void (*fn)(void *context), void *context)
{
    l->after_round = mem_resize(l->after_round, l->after_round_count + 1, sizeof *l->after_round);
    l->after_round[l->after_round_count++] = (struct posted){fn, context};
}

struct loop_channels *loop_channels_of(struct loop *l)
{
    return &l->channels;
}

void loop_run(struct loop *l)
{
    struct epoll_event events[EVENTS_PER_ROUND];
    while (!l->stopping) {
        int n = epoll_wait(l->epoll, events, EVENTS_PER_ROUND, wait_ms(l));
        if (n < 0 && errno != EINTR)
            log_die("loop.wait", "epoll_wait: %s", strerror(errno));
        for (int i = 0; i < n; i++) {
            struct loop_watch *w = events[i].data.ptr;
            if (!w->dead)
                w->ready(w->context, events[i].events);
        }
        fire_timers(l);
        for (size_t i = 0; i < l->after_round_count; i++)
            l->after_round[i].fn(l->after_round[i].context);
        free_watches(&l->dead);
        loop_channels_bury(&l->channels);
    }
    l->stopping = false;
}
