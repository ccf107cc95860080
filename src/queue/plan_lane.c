/* Lanes, and the destinations and flows that they hang on. */
#include "base/log.h"
#include "base/mem.h"
#include "queue/plan_parts.h"

#include <search.h>
#include <string.h>

#define EVICTED_AFTER_S \
    1 /* a lane that sleeps at least so long may be forgotten for one that is wanted now */

bool destination_is_local(const struct destination *d)
{
    return d->domain.n == 0;
}

static void enter(void *key, void **root, int (*compare)(const void *, const void *))
{
    if (!tsearch(key, root, compare))
        log_die("queue.memory", "no memory for a destination");
}

/* --- destinations --- */

static int by_domain(const void *a, const void *b)
{
    return str_compare(((const struct destination *)a)->domain, ((const struct destination *)b)->domain);
}

static struct destination *make_destination(struct plan *p, struct str domain)
{
    struct destination *d = MEM_NEW(struct destination);
    d->domain = str_from(mem_copy_c(domain.p, domain.n), domain.n);
    d->next = p->all;
    if (p->all)
        p->all->prev = d;
    p->all = d;
    p->destinations++;
    enter(d, &p->by_domain, by_domain);
    return d;
}

static void destination_free(struct plan *p, struct destination *d)
{
    tdelete(d, &p->by_domain, by_domain);
    heap_remove(&p->wakes, &d->wake);
    *(d->prev ? &d->prev->next : &p->all) = d->next;
    if (d->next)
        d->next->prev = d->prev;
    p->destinations--;
    heap_free(&d->turns);
    free((char *)(uintptr_t)d->domain.p);
    free((char *)(uintptr_t)d->host.p);
    free(d);
}

struct destination *destination_find(const struct plan *p, struct str domain)
{
    struct destination key = {.domain = domain};
    struct destination **found = tfind(&key, &p->by_domain, by_domain);
    return found ? *found : NULL;
}

void plan_blame(struct plan *p, const struct job *j, struct str host, struct str reply)
{
    (void)p;
    struct destination *d = j->lane ? j->lane->destination : NULL;
    if (!d || reply.n == 0)
        return;
    free((char *)(uintptr_t)d->host.p);
    char *words = mem_new(1, host.n + reply.n + 1);
    if (host.n > 0)
        memcpy(words, host.p, host.n);
    memcpy(words + host.n, reply.p, reply.n);
    d->host = str_from(words, host.n);
    d->reply = str_from(words + host.n, reply.n);
}

void plan_blamed(const struct plan *p, struct str domain, struct str *host, struct str *reply)
{
    const struct destination *d = destination_find(p, domain);
    *host = d && d->host.p ? d->host : STR("");
    *reply = d && d->host.p ? d->reply : STR("4.4.1 no server of the destination could be reached");
}

const struct window *plan_window(const struct plan *p, struct str domain)
{
    const struct destination *d = destination_find(p, domain);
    return d ? &d->window : NULL;
}

/* --- flows --- */

static int by_flow(const void *a, const void *b)
{
    int64_t x = ((const struct flow *)a)->id, y = ((const struct flow *)b)->id;
    return x < y ? -1 : x > y;
}

static struct flow *find_flow(struct plan *p, int64_t id)
{
    struct flow key = {.id = id}, **found = tfind(&key, &p->by_flow, by_flow);
    if (found)
        return *found;
    struct flow *f = MEM_NEW(struct flow);
    f->id = id;
    p->flows++;
    enter(f, &p->by_flow, by_flow);
    return f;
}

static void flow_free(struct plan *p, struct flow *f)
{
    tdelete(f, &p->by_flow, by_flow);
    p->flows--;
    free(f);
}

/* --- lanes --- */

static int by_lane(const void *a, const void *b)
{
    const struct lane *x = a, *y = b;
    if (x->destination != y->destination)
        return (uintptr_t)x->destination < (uintptr_t)y->destination ? -1 : 1;
    return by_flow(x->flow, y->flow);
}

/* Room for a lane that is wanted now, at the cost of one that sleeps: it is found again when it is due. */
static bool make_room(struct plan *p)
{
    struct heap_entry *leaf = heap_leaf(&p->due);
    struct lane *l = leaf ? HEAP_OWNER(leaf, struct lane, due) : NULL;
    if (p->lanes < p->limits.lanes)
        return true;
    if (!l || lane_is_busy(l) || l->has_more || leaf->key <= p->now + EVICTED_AFTER_S)
        return false;
    if (leaf->key < p->missed_at)
        p->missed_at = leaf->key;
    lane_free(p, l);
    return true;
}

static struct lane *make_lane(struct plan *p, struct destination *d, struct flow *f)
{
    struct lane *l = MEM_NEW(struct lane);
    l->destination = d;
    l->flow = f;
    l->due.key = PLAN_NEVER;
    l->is_known = !p->is_looking && p->missed_at == PLAN_NEVER;
    l->next = d->lanes;
    if (d->lanes)
        d->lanes->prev = l;
    d->lanes = l;
    f->lanes++;
    p->lanes++;
    enter(l, &p->by_lane, by_lane);
    return l;
}

struct lane *lane_find(struct plan *p, struct str domain, int64_t flow, bool make)
{
    struct destination *d = destination_find(p, domain);
    struct flow key_flow = {.id = flow};
    struct lane key = {.destination = d, .flow = &key_flow}, **found;
    if (d && (found = tfind(&key, &p->by_lane, by_lane)))
        return *found;
    if (!make || !make_room(p))
        return NULL;
    d = destination_find(p, domain); /* the lane that went may have been its last */
    return make_lane(p, d ? d : make_destination(p, domain), find_flow(p, flow));
}

void lane_set_due(struct plan *p, struct lane *l, int64_t at)
{
    struct destination *d = l->destination;
    if (at != PLAN_NEVER && window_is_open(&d->window)) {
        heap_set(&p->due, &l->due, at);
        return;
    }
    heap_remove(&p->due, &l->due);
    l->due.key = at;
    /* Somebody waits again where nobody did. */
    if (at != PLAN_NEVER && d->wake.place == 0 && d->rows == 0 && d->in_flight == 0)
        heap_set(&p->wakes, &d->wake, d->window.until > at ? d->window.until : at);
}

void lane_forget_jobs(struct plan *p, struct lane *l)
{
    lane_withdraw(p, l);
    while (l->first) {
        struct job *j = l->first;
        l->first = j->next;
        l->rows -= j->count;
        l->destination->rows -= j->count;
        p->rows -= j->count;
        job_free(p, j);
    }
    l->last = NULL;
    l->has_more = false;
    l->cursor_at = l->cursor_id = 0;
    l->epoch++;
}

void lane_free(struct plan *p, struct lane *l)
{
    struct destination *d = l->destination;
    lane_forget_jobs(p, l);
    heap_remove(&p->due, &l->due);
    tdelete(l, &p->by_lane, by_lane);
    *(l->prev ? &l->prev->next : &d->lanes) = l->next;
    if (l->next)
        l->next->prev = l->prev;
    if (--l->flow->lanes == 0)
        flow_free(p, l->flow);
    p->lanes--;
    free(l);
    if (!d->lanes)
        destination_free(p, d);
}

void lane_settle(struct plan *p, struct lane *l)
{
    if (lane_is_busy(l))
        return;
    if (l->must_settle || l->has_more) {
        l->must_settle = l->has_more = false;
        l->cursor_at = l->cursor_id = 0;
        lane_set_due(p, l, 0);
    } else if (l->due.key == PLAN_NEVER) {
        lane_free(p, l);
    } else {
        l->cursor_at = l->cursor_id = 0;
    }
}
