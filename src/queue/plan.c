#include "queue/plan.h"

#include "base/log.h"
#include "base/mem.h"

#include <search.h>
#include <string.h>

#define SETTLE_AGAIN_S 60 /* after the table could not be read */

struct destination {
    struct str domain;
    struct job *first, *last; /* ready */
    unsigned ready, in_flight;
    bool has_more;   /* due rows were left in the table for lack of room */
    int64_t next_at; /* when the earliest row is due that is not in memory; PLAN_NEVER */
    size_t heap_at;  /* its place in the heap, from 1; 0: not there, because next_at is PLAN_NEVER */
    int64_t cursor_at, cursor_id; /* rows up to here are in memory, or were */
    bool in_ring;
    struct destination *ring_prev, *ring_next;
    struct destination *prev, *next; /* of all */
};

struct plan {
    void *by_domain; /* tsearch */
    struct destination *all;
    size_t destinations;
    bool turned_away;
    struct destination **heap; /* by next_at; heap[0] is the soonest */
    size_t heap_count, heap_cap;
    struct destination *ring; /* those with ready jobs take turns; the local one is never in it */
    struct job *flying;
    size_t flying_count, ready_count;
    uint64_t last_job;
    unsigned open_count;
    uint64_t open_bytes;
};

/* --- the heap: who is due first --- */

static void heap_place(struct plan *p, size_t at, struct destination *d)
{
    p->heap[at] = d;
    d->heap_at = at + 1;
}

static void heap_up(struct plan *p, size_t at, struct destination *d)
{
    for (; at > 0 && p->heap[(at - 1) / 2]->next_at > d->next_at; at = (at - 1) / 2)
        heap_place(p, at, p->heap[(at - 1) / 2]);
    heap_place(p, at, d);
}

static void heap_down(struct plan *p, size_t at, struct destination *d)
{
    for (;;) {
        size_t child = at * 2 + 1;
        if (child + 1 < p->heap_count && p->heap[child + 1]->next_at < p->heap[child]->next_at)
            child++;
        if (child >= p->heap_count || p->heap[child]->next_at >= d->next_at)
            break;
        heap_place(p, at, p->heap[child]);
        at = child;
    }
    heap_place(p, at, d);
}

static void heap_remove(struct plan *p, struct destination *d)
{
    if (d->heap_at == 0)
        return;
    size_t at = d->heap_at - 1;
    struct destination *moved = p->heap[--p->heap_count];
    d->heap_at = 0;
    if (moved == d)
        return;
    heap_up(p, at, moved);
    heap_down(p, moved->heap_at - 1, moved);
}

static void set_next(struct plan *p, struct destination *d, int64_t at)
{
    heap_remove(p, d);
    d->next_at = at;
    if (at == PLAN_NEVER)
        return;
    if (p->heap_count == p->heap_cap) {
        p->heap_cap = p->heap_cap ? p->heap_cap * 2 : 64;
        p->heap = mem_resize(p->heap, p->heap_cap, sizeof *p->heap);
    }
    heap_up(p, p->heap_count++, d);
}

/* --- the ring: whose turn it is --- */

static void ring_add(struct plan *p, struct destination *d)
{
    if (d->in_ring || d->ready == 0 || d->domain.n == 0)
        return;
    d->in_ring = true;
    if (!p->ring) {
        p->ring = d->ring_prev = d->ring_next = d;
        return;
    }
    d->ring_next = p->ring; /* last in turn */
    d->ring_prev = p->ring->ring_prev;
    d->ring_prev->ring_next = d;
    p->ring->ring_prev = d;
}

static void ring_remove(struct plan *p, struct destination *d)
{
    if (!d->in_ring)
        return;
    d->in_ring = false;
    if (d->ring_next == d) {
        p->ring = NULL;
        return;
    }
    d->ring_prev->ring_next = d->ring_next;
    d->ring_next->ring_prev = d->ring_prev;
    if (p->ring == d)
        p->ring = d->ring_next;
}

/* --- letters --- */

/* A copy at *at, which moves on behind it. */
static struct str put_words(char **at, struct str s)
{
    struct str copy = str_from(*at, s.n);
    if (s.n > 0)
        memcpy(*at, s.p, s.n);
    *at += s.n;
    return copy;
}

struct letter *plan_letter(struct plan *p, const struct queue_row_message *m, int fd)
{
    struct letter *l = MEM_NEW(struct letter);
    struct str asked_id = m->asked.id;
    char *words = mem_new(1, m->sender.n + asked_id.n + 1);
    *l = (struct letter){.id = m->id,
                         .size = m->size,
                         .is_8bit = m->is_8bit,
                         .arrived = m->arrived,
                         .asked = m->asked,
                         .fd = -1};
    memcpy(l->delivery, m->delivery.p,
           m->delivery.n < sizeof l->delivery ? m->delivery.n : sizeof l->delivery);
    str_write_hex(l->delivery, sizeof l->delivery, l->name);
    l->sender = put_words(&words, m->sender);
    l->asked.id = put_words(&words, asked_id);
    if (fd >= 0 && p->open_count < PLAN_OPEN_MAX && p->open_bytes + m->size <= PLAN_OPEN_BYTES) {
        p->open_count++;
        p->open_bytes += m->size;
        l->is_kept = true;
        l->fd = fd;
    } else if (fd >= 0) {
        close(fd);
    }
    return l;
}

static void close_bytes(struct plan *p, struct letter *l)
{
    if (l->is_kept) {
        p->open_count--;
        p->open_bytes -= l->size;
        l->is_kept = false;
    }
    if (l->fd >= 0)
        close(l->fd);
    l->fd = -1;
}

void plan_letter_drop(struct plan *p, struct letter *l)
{
    if (l->jobs > 0)
        return;
    close_bytes(p, l);
    free((char *)(uintptr_t)l->sender.p);
    free(l);
}

/* --- destinations --- */

static int compare(const void *a, const void *b)
{
    return str_compare(((const struct destination *)a)->domain, ((const struct destination *)b)->domain);
}

struct destination *plan_find(struct plan *p, struct str domain, bool make)
{
    struct destination key = {.domain = domain};
    struct destination **found = tfind(&key, &p->by_domain, compare);
    if (found)
        return *found;
    if (!make)
        return NULL;
    if (p->destinations >= PLAN_DESTINATIONS_MAX && domain.n > 0) {
        p->turned_away = true;
        return NULL;
    }
    struct destination *d = MEM_NEW(struct destination);
    d->domain = str_from(mem_copy_c(domain.p, domain.n), domain.n);
    d->next_at = PLAN_NEVER;
    d->next = p->all;
    if (p->all)
        p->all->prev = d;
    p->all = d;
    p->destinations++;
    if (!tsearch(d, &p->by_domain, compare))
        log_die("queue.memory", "no memory for a destination");
    return d;
}

static void destination_free(struct plan *p, struct destination *d)
{
    tdelete(d, &p->by_domain, compare);
    set_next(p, d, PLAN_NEVER);
    ring_remove(p, d);
    *(d->prev ? &d->prev->next : &p->all) = d->next;
    if (d->next)
        d->next->prev = d->prev;
    p->destinations--;
    free((char *)(uintptr_t)d->domain.p);
    free(d);
}

struct str plan_domain(const struct destination *d)
{
    return d->domain;
}

void plan_expect(struct plan *p, struct destination *d, int64_t at)
{
    if (at < d->next_at)
        set_next(p, d, at);
}

void plan_settle(struct plan *p, struct destination *d, struct sql *db, int64_t now)
{
    if (d->ready > 0 || d->in_flight > 0)
        return;
    struct err e = ERR_INIT;
    int64_t at;
    d->has_more = false;
    d->cursor_at = d->cursor_id = 0;
    switch (queue_db_next_at(db, d->domain, INT64_MIN, &at, &e)) {
    case 1: set_next(p, d, at); break;
    case 0: destination_free(p, d); break;
    default: LOG_ERROR("queue.read", F_C("reason", e.text)); set_next(p, d, now + SETTLE_AGAIN_S);
    }
}

struct destination *plan_due(struct plan *p, int64_t now)
{
    return p->heap_count > 0 && p->heap[0]->next_at <= now ? p->heap[0] : NULL;
}

bool plan_wants_discovery(struct plan *p)
{
    if (!p->turned_away || p->destinations > PLAN_DESTINATIONS_MAX / 10 * 9)
        return false;
    p->turned_away = false;
    return true;
}

/* --- jobs --- */

static void append(struct destination *d, struct job *j)
{
    j->next = NULL;
    j->prev = d->last;
    *(d->last ? &d->last->next : &d->first) = j;
    d->last = j;
    d->ready++;
}

static void unlink_ready(struct destination *d, struct job *j)
{
    *(j->prev ? &j->prev->next : &d->first) = j->next;
    *(j->next ? &j->next->prev : &d->last) = j->prev;
    d->ready--;
}

static struct job_recipient copy_recipient(const struct queue_row_recipient *r)
{
    char *at = mem_new(1, r->address.n + r->original.n + r->detail.n + r->asked.original.n + 1);
    struct job_recipient c = {
        .id = r->id, .account = r->account, .attempts = r->attempts, .warned = r->warned, .asked = r->asked};
    c.address = put_words(&at, r->address); /* first: it owns the block */
    c.original = put_words(&at, r->original);
    c.detail = put_words(&at, r->detail);
    c.asked.original = put_words(&at, r->asked.original);
    return c;
}

static void move_cursor(struct destination *d, int64_t at, int64_t id)
{
    if (at > d->cursor_at || (at == d->cursor_at && id > d->cursor_id)) {
        d->cursor_at = at;
        d->cursor_id = id;
    }
}

static unsigned room_for_jobs(const struct plan *p, const struct destination *d)
{
    if (d->ready >= PLAN_JOBS_PER_DESTINATION)
        return 0;
    if (p->ready_count >= PLAN_JOBS_MAX)
        return d->ready == 0 ? 1 : 0;
    return PLAN_JOBS_PER_DESTINATION - d->ready;
}

bool plan_takes_fresh(const struct plan *p, const struct destination *d, int64_t now)
{
    return !d->has_more && d->next_at > now && room_for_jobs(p, d) > 0;
}

void plan_add(struct plan *p, struct destination *d, struct letter *l, const struct queue_row_recipient *r)
{
    struct job *j = d->last;
    if (!j || j->letter != l || j->count == QUEUE_JOB_RECIPIENTS) {
        j = MEM_NEW(struct job);
        *j = (struct job){.id = ++p->last_job, .letter = l, .destination = d};
        l->jobs++;
        append(d, j);
        p->ready_count++;
    }
    if ((j->count & (j->count - 1)) == 0) /* 0, or a power of two: full */
        j->recipients = mem_resize(j->recipients, j->count ? j->count * 2 : 1, sizeof *j->recipients);
    j->recipients[j->count++] = copy_recipient(r);
    move_cursor(d, r->next_attempt, r->id);
    ring_add(p, d);
}

static bool is_in_flight(const struct plan *p, const struct destination *d, int64_t recipient)
{
    for (const struct job *j = p->flying; j; j = j->next)
        if (j->destination == d)
            for (size_t i = 0; i < j->count; i++)
                if (j->recipients[i].id == recipient)
                    return true;
    return false;
}

struct loading {
    struct plan *plan;
    struct destination *destination;
    struct letter *letter; /* of the row before */
    int64_t rows;
};

static void load_row(void *context, const struct queue_row_message *m, const struct queue_row_recipient *r)
{
    struct loading *to = context;
    to->rows++;
    move_cursor(to->destination, r->next_attempt, r->id);
    if (is_in_flight(to->plan, to->destination, r->id))
        return;
    if (!to->letter || to->letter->id != m->id)
        to->letter = plan_letter(to->plan, m, -1);
    plan_add(to->plan, to->destination, to->letter, r);
}

bool plan_load(struct plan *p, struct destination *d, struct sql *db, int64_t now, struct err *e)
{
    struct loading to = {.plan = p, .destination = d};
    struct queue_due due = {
        .domain = d->domain,
        .now = now,
        .after_at = d->cursor_at,
        .after_id = d->cursor_id,
        .limit = room_for_jobs(p, d),
    };
    int64_t later;
    if (due.limit > 0 && !queue_db_due(db, &due, load_row, &to, e))
        return false;
    d->has_more = to.rows == due.limit;
    int found = queue_db_next_at(db, d->domain, now, &later, e);
    if (found < 0)
        return false;
    set_next(p, d, found > 0 ? later : PLAN_NEVER);
    return true;
}

static struct job *take(struct plan *p, struct destination *d)
{
    struct job *j = d->first;
    unlink_ready(d, j);
    p->ready_count--;
    d->in_flight++;
    j->letter->in_flight++;
    p->flying_count++;
    j->prev = NULL;
    j->next = p->flying;
    if (p->flying)
        p->flying->prev = j;
    p->flying = j;
    if (d->has_more && d->ready < PLAN_JOBS_PER_DESTINATION / 2) {
        d->has_more = false;
        plan_expect(p, d, 0);
    }
    return j;
}

struct job *plan_take(struct plan *p, unsigned most)
{
    while (p->ring) {
        struct destination *d = p->ring;
        if (d->ready == 0 || d->in_flight >= most) {
            ring_remove(p, d); /* comes back with the next job, or when one of its own has ended */
            continue;
        }
        p->ring = d->ring_next;
        return take(p, d);
    }
    return NULL;
}

struct job *plan_take_local(struct plan *p, unsigned most)
{
    struct destination *d = plan_find(p, QUEUE_LOCAL_DOMAIN, false);
    return d && d->ready > 0 && d->in_flight < most ? take(p, d) : NULL;
}

struct job *plan_in_flight(struct plan *p, uint64_t channel, uint64_t id)
{
    for (struct job *j = p->flying; j; j = j->next)
        if (j->id == id && j->channel == channel)
            return j;
    return NULL;
}

struct job *plan_any_in_flight(struct plan *p, uint64_t channel)
{
    for (struct job *j = p->flying; j; j = j->next)
        if (j->channel == channel)
            return j;
    return NULL;
}

static void unlink_flying(struct plan *p, struct job *j)
{
    *(j->prev ? &j->prev->next : &p->flying) = j->next;
    if (j->next)
        j->next->prev = j->prev;
    p->flying_count--;
    j->destination->in_flight--;
    if (--j->letter->in_flight == 0 && !j->letter->is_kept)
        close_bytes(p, j->letter);
}

static void prepend(struct destination *d, struct job *j)
{
    j->prev = NULL;
    j->next = d->first;
    *(d->first ? &d->first->prev : &d->last) = j;
    d->first = j;
    d->ready++;
}

static void job_free(struct plan *p, struct job *j)
{
    struct letter *l = j->letter;
    for (size_t i = 0; i < j->count; i++)
        free((char *)(uintptr_t)j->recipients[i].address.p);
    free(j->recipients);
    free(j);
    l->jobs--;
    plan_letter_drop(p, l);
}

void plan_end(struct plan *p, struct job *j, const bool *again)
{
    struct destination *d = j->destination;
    size_t left = 0;
    unlink_flying(p, j);
    for (size_t i = 0; again && i < j->count; i++) {
        if (again[i])
            j->recipients[left++] = j->recipients[i];
        else
            free((char *)(uintptr_t)j->recipients[i].address.p);
    }
    if (left == 0) {
        j->count = again ? 0 : j->count;
        job_free(p, j);
    } else {
        j->count = left;
        j->channel = 0;
        j->id = ++p->last_job; /* what the old number is still answered with does not count */
        prepend(d, j);
        p->ready_count++;
    }
    ring_add(p, d); /* it may have been waiting for this one to end */
}

size_t plan_in_flight_count(const struct plan *p)
{
    return p->flying_count;
}

/* --- the whole --- */

struct plan *plan_new(void)
{
    return MEM_NEW(struct plan);
}

void plan_forget(struct plan *p)
{
    for (struct destination *d = p->all, *next; d; d = next) {
        next = d->next;
        while (d->first) {
            struct job *j = d->first;
            unlink_ready(d, j);
            p->ready_count--;
            job_free(p, j);
        }
        ring_remove(p, d);
        set_next(p, d, PLAN_NEVER);
        d->has_more = false;
        d->cursor_at = d->cursor_id = 0;
        if (d->in_flight == 0)
            destination_free(p, d);
    }
}

void plan_free(struct plan *p)
{
    while (p->flying)
        plan_end(p, p->flying, NULL);
    plan_forget(p);
    free(p->heap);
    free(p);
}
