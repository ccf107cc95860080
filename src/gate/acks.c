#include "gate/acks.h"

#include "base/mem.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

struct acks {
    struct loop *loop;
    struct ack *first, *last;
    struct loop_timer *timer; /* for the first, or for one that was answered meanwhile; NULL: nobody waits */
};

struct acks *acks_new(struct loop *l)
{
    struct acks *all = MEM_NEW(struct acks);
    all->loop = l;
    return all;
}

void acks_free(struct acks *all)
{
    if (all->timer)
        loop_timer_cancel(all->timer);
    free(all);
}

/* --- who waits --- */

static void append(struct ack *a)
{
    struct acks *all = a->all;
    a->next = NULL;
    a->prev = all->last;
    *(all->last ? &all->last->next : &all->first) = a;
    all->last = a;
    a->waits = true;
}

static void withdraw(struct ack *a)
{
    if (!a->waits)
        return;
    *(a->prev ? &a->prev->next : &a->all->first) = a->next;
    *(a->next ? &a->next->prev : &a->all->last) = a->prev;
    a->waits = false;
}

static void acknowledge(struct ack *a)
{
    withdraw(a);
    (void)setsockopt(a->fd, IPPROTO_TCP, TCP_QUICKACK, &(int){1}, sizeof(int)); /* merely slower if refused */
}

static void set_timer(struct acks *all);

static void acknowledge_those_due(void *acks)
{
    struct acks *all = acks;
    int64_t now = clock_ms();
    while (all->first && all->first->due_ms <= now)
        acknowledge(all->first);
    all->timer = NULL;
    if (all->first)
        set_timer(all);
}

static void set_timer(struct acks *all)
{
    all->timer = loop_timer(all->loop, all->first->due_ms - clock_ms(), acknowledge_those_due, all);
}

/* One timer for all: it is left alone when its connection is answered, which is what happens most often. */
static void wait(struct ack *a)
{
    a->due_ms = clock_ms() + ACKS_MS;
    append(a);
    if (!a->all->timer)
        set_timer(a->all);
}

/* --- one connection --- */

void ack_start(struct ack *a, struct acks *all, int fd)
{
    *a = (struct ack){.all = all, .fd = fd};
}

void ack_end(struct ack *a)
{
    withdraw(a);
}

/* What comes while the piece before it still waits was not held back by its client. */
void ack_came(struct ack *a)
{
    if (a->unanswered && !a->waits)
        a->eager = ACKS_EAGER_PIECES;
    a->unanswered = true;
    if (a->eager > 0) {
        a->eager--;
        acknowledge(a);
    } else if (!a->waits) {
        wait(a);
    }
}

void ack_part(struct ack *a)
{
    acknowledge(a);
}

void ack_sent(struct ack *a)
{
    a->unanswered = false;
    withdraw(a);
}
