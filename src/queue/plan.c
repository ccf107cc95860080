#include "queue/plan.h"

#include "base/mem.h"
#include "queue/flow.h"
#include "queue/plan_parts.h"

#include <string.h>

/* --- the ring: which flow's turn it is --- */

static void ring_add(struct plan *p, struct flow *f)
{
    if (f->in_ring || !f->first)
        return;
    f->in_ring = true;
    if (!p->ring) {
        p->ring = f->ring_prev = f->ring_next = f;
        return;
    }
    f->ring_next = p->ring; /* last in turn */
    f->ring_prev = p->ring->ring_prev;
    f->ring_prev->ring_next = f;
    p->ring->ring_prev = f;
}

static void ring_remove(struct plan *p, struct flow *f)
{
    if (!f->in_ring)
        return;
    f->in_ring = false;
    if (f->ring_next == f) {
        p->ring = NULL;
        return;
    }
    f->ring_prev->ring_next = f->ring_next;
    f->ring_next->ring_prev = f->ring_prev;
    if (p->ring == f)
        p->ring = f->ring_next;
}

/* --- offers: which lanes of a destination --- */

static void append_offer(struct flow *f, struct lane *l)
{
    l->is_offered = true;
    l->offer_next = NULL;
    l->offer_prev = f->last;
    *(f->last ? &f->last->offer_next : &f->first) = l;
    f->last = l;
}

static void unlink_offer(struct plan *p, struct lane *l)
{
    struct flow *f = l->flow;
    l->is_offered = false;
    l->destination->offered--;
    *(l->offer_prev ? &l->offer_prev->offer_next : &f->first) = l->offer_next;
    *(l->offer_next ? &l->offer_next->offer_prev : &f->last) = l->offer_prev;
    if (!f->first)
        ring_remove(p, f);
}

void lane_withdraw(struct plan *p, struct lane *l)
{
    if (l->is_offered)
        unlink_offer(p, l);
    heap_remove(&l->destination->turns, &l->turn);
}

/* Behind the lanes that wait, but so many turns sooner as its priority allows. */
static void wait_for_turn(struct lane *l)
{
    struct destination *d = l->destination;
    if (l->first && !l->is_offered && l->turn.place == 0)
        heap_set(&d->turns, &l->turn, d->turn - flow_priority(l->flow->id) * PLAN_PRIORITY_TURNS);
}

void destination_offer(struct plan *p, struct destination *d)
{
    struct heap_entry *e;
    if (destination_is_local(d))
        return; /* plan_take_local takes from `turns` itself */
    unsigned limit = window_limit(&d->window, &p->bounds, p->now);
    while (d->in_flight + d->offered < limit && (e = heap_first(&d->turns))) {
        struct lane *l = HEAP_OWNER(e, struct lane, turn);
        heap_remove(&d->turns, e);
        append_offer(l->flow, l);
        d->offered++;
        ring_add(p, l->flow);
    }
}

/* --- jobs --- */

static void move_cursor(struct lane *l, int64_t at, int64_t id)
{
    if (at > l->cursor_at || (at == l->cursor_at && id > l->cursor_id)) {
        l->cursor_at = at;
        l->cursor_id = id;
    }
}

static void count_rows(struct plan *p, struct lane *l, size_t more)
{
    l->rows += more;
    l->destination->rows += more;
    p->rows += more;
}

static struct job *new_job(struct plan *p, struct lane *l, struct letter *letter)
{
    struct job *j = MEM_NEW(struct job);
    *j = (struct job){.id = ++p->last_job, .letter = letter, .lane = l, .epoch = l->epoch, .prev = l->last};
    letter->jobs++;
    *(l->last ? &l->last->next : &l->first) = j;
    l->last = j;
    return j;
}

void lane_add(struct plan *p, struct lane *l, struct letter *letter, const struct queue_row_recipient *r)
{
    struct job *j = l->last;
    if (!j || j->letter != letter || j->count == QUEUE_JOB_RECIPIENTS)
        j = new_job(p, l, letter);
    if ((j->count & (j->count - 1)) == 0) /* 0, or a power of two: full */
        j->recipients = mem_resize(j->recipients, j->count ? j->count * 2 : 1, sizeof *j->recipients);
    j->recipients[j->count++] = job_recipient_of(r);
    count_rows(p, l, 1);
    move_cursor(l, r->next_attempt, r->id);
    wait_for_turn(l);
    destination_offer(p, l->destination);
}

/* Everything that was due before it is in memory, and there is room. */
static bool takes_fresh(const struct plan *p, const struct lane *l)
{
    return l->is_known && !l->has_more && l->due.key > p->now && window_is_open(&l->destination->window) &&
           l->rows < p->limits.rows_per_lane && p->rows < p->limits.rows + p->limits.fresh;
}

int plan_admit(struct plan *p, struct sql *db, const struct queue_row_recipient *r, int64_t now,
               struct err *e)
{
    p->now = now;
    struct lane *l = r->next_attempt > now || p->has_dropped ? NULL : lane_find(p, r->domain, r->flow, true);
    if (!l)
        return 0;
    if (!l->is_known && l->due.key > now && !lane_learn(p, l, db, e))
        return -1;
    return takes_fresh(p, l);
}

void plan_retract(struct plan *p, struct str domain, int64_t flow)
{
    struct lane *l = lane_find(p, domain, flow, false);
    if (l)
        lane_settle(p, l);
}

void plan_add_fresh(struct plan *p, struct letter *letter, const struct queue_row_recipient *r, int64_t now)
{
    p->now = now;
    struct lane *l = lane_find(p, r->domain, r->flow, true);
    if (l && r->next_attempt <= now && takes_fresh(p, l)) {
        lane_add(p, l, letter, r);
        return;
    }
    plan_expect(p, r->domain, r->flow, r->next_attempt);
    p->has_dropped |= r->at_hand;
}

static void fly(struct plan *p, struct job *j)
{
    j->prev = NULL;
    j->next = p->flying;
    if (p->flying)
        p->flying->prev = j;
    p->flying = j;
    p->flying_count++;
    j->letter->in_flight++;
    j->lane->in_flight++;
    j->lane->flow->in_flight++;
    j->lane->destination->in_flight++;
}

static struct job *take(struct plan *p, struct lane *l)
{
    struct job *j = l->first;
    lane_withdraw(p, l);
    l->first = j->next;
    *(j->next ? &j->next->prev : &l->last) = NULL;
    count_rows(p, l, 0 - j->count);
    fly(p, j);
    l->destination->turn++;
    wait_for_turn(l);
    destination_offer(p, l->destination);
    if (l->has_more && l->rows < p->limits.rows_per_lane / 2) {
        l->has_more = false;
        lane_set_due(p, l, 0);
    }
    return j;
}

struct job *plan_take(struct plan *p, unsigned most_of_flow)
{
    while (p->ring) {
        struct flow *f = p->ring;
        if (f->in_flight >= most_of_flow) {
            ring_remove(p, f); /* comes back when one of its own has ended */
            continue;
        }
        p->ring = f->ring_next;
        return take(p, f->first);
    }
    return NULL;
}

struct job *plan_take_local(struct plan *p, unsigned most)
{
    struct destination *d = destination_find(p, QUEUE_LOCAL_DOMAIN);
    struct heap_entry *e = d && d->in_flight < most ? heap_first(&d->turns) : NULL;
    return e ? take(p, HEAP_OWNER(e, struct lane, turn)) : NULL;
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

bool plan_recipient_in_flight(const struct plan *p, int64_t recipient)
{
    for (const struct job *j = p->flying; j; j = j->next)
        for (size_t i = 0; i < j->count; i++)
            if (j->recipients[i].id == recipient)
                return true;
    return false;
}

struct str plan_domain(const struct job *j)
{
    return j->lane ? j->lane->destination->domain : QUEUE_LOCAL_DOMAIN;
}

int64_t plan_flow(const struct job *j)
{
    return j->lane ? j->lane->flow->id : 0;
}

size_t plan_in_flight_count(const struct plan *p)
{
    return p->flying_count;
}

/* --- the end of a job --- */

static void land(struct plan *p, struct job *j)
{
    *(j->prev ? &j->prev->next : &p->flying) = j->next;
    if (j->next)
        j->next->prev = j->prev;
    p->flying_count--;
    j->lane->in_flight--;
    j->lane->flow->in_flight--;
    j->lane->destination->in_flight--;
    if (--j->letter->in_flight == 0 && !j->letter->is_kept)
        letter_close(p, j->letter);
}

static void prepend(struct plan *p, struct lane *l, struct job *j)
{
    j->channel = 0;
    j->id = ++p->last_job; /* what the old number is still answered with does not count */
    j->prev = NULL;
    j->next = l->first;
    *(l->first ? &l->first->prev : &l->last) = j;
    l->first = j;
    count_rows(p, l, j->count);
    wait_for_turn(l);
}

/* Those who were not tried stay in it. */
static size_t keep_untried(struct job *j, const bool *again)
{
    size_t left = 0;
    for (size_t i = 0; i < j->count; i++) {
        if (again && again[i])
            j->recipients[left++] = j->recipients[i];
        else
            free((char *)(uintptr_t)j->recipients[i].address.p);
    }
    return j->count = left;
}

/* Nothing of it stays in memory but its lanes: what was ready is due, and stands in the table. */
static void leave_alone(struct plan *p, struct destination *d)
{
    for (struct lane *l = d->lanes; l; l = l->next) {
        int64_t at = l->rows > 0 || l->has_more || l->must_settle ? 0 : l->due.key;
        lane_forget_jobs(p, l);
        l->must_settle = false;
        heap_remove(&p->due, &l->due);
        l->due.key = at;
    }
}

static void come_back(struct plan *p, struct destination *d)
{
    heap_remove(&p->wakes, &d->wake);
    for (struct lane *l = d->lanes; l; l = l->next)
        lane_set_due(p, l, l->due.key);
}

/* Any number will do that differs from one to the next: what failed together does not come back together. */
static uint32_t spread(uint64_t n)
{
    return (uint32_t)(n * UINT64_C(0x9e3779b97f4a7c15) >> 32);
}

static void move_window(struct plan *p, struct destination *d, enum queue_contact contact)
{
    bool was_open = window_is_open(&d->window);
    window_note(&d->window, &p->bounds, contact, p->now, spread(p->last_job));
    bool is_open = window_is_open(&d->window);
    if (was_open && !is_open)
        leave_alone(p, d);
    else if (!was_open && is_open)
        come_back(p, d);
    if (!is_open && d->in_flight == 0) /* at once, if this one told nothing */
        heap_set(&p->wakes, &d->wake, d->window.until > p->now ? d->window.until : p->now + 1);
}

void plan_end(struct plan *p, struct job *j, const bool *again, enum queue_contact contact, int64_t now)
{
    struct lane *l = j->lane;
    p->now = now;
    if (!l) {
        job_free(p, j);
        return;
    }
    struct destination *d = l->destination;
    land(p, j);
    if (!destination_is_local(d))
        move_window(p, d, contact);
    bool is_left = keep_untried(j, again) > 0, is_stale = j->epoch != l->epoch;
    if (is_left && !is_stale)
        prepend(p, l, j);
    else
        job_free(p, j);
    if (is_left && is_stale) /* the table may have been read beyond it while it was in flight */
        l->must_settle = true;
    destination_offer(p, d); /* others may have been waiting for this one to end */
    ring_add(p, l->flow);
    lane_settle(p, l);
}

/* --- the whole --- */

struct plan *plan_new(void)
{
    struct plan *p = MEM_NEW(struct plan);
    p->bounds = (struct window_bounds){.initial = 1, .most = 1, .pause_s = 1, .pause_most = 1};
    p->limits = (struct plan_limits)PLAN_LIMITS_USUAL;
    p->missed_at = PLAN_NEVER;
    buf_init(&p->look_domain, ADDRESS_MAX);
    plan_forget(p);
    return p;
}

void plan_configure(struct plan *p, const struct window_bounds *b)
{
    p->bounds = *b;
}

void plan_limit(struct plan *p, const struct plan_limits *l)
{
    p->limits = *l;
}

void plan_forget(struct plan *p)
{
    for (struct destination *d = p->all, *next; d; d = next) {
        next = d->next;
        d->window = (struct window){0};
        heap_remove(&p->wakes, &d->wake);
        for (struct lane *l = d->lanes, *after; l; l = after) {
            after = l->next;
            lane_forget_jobs(p, l);
            heap_remove(&p->due, &l->due);
            l->due.key = PLAN_NEVER;
            l->is_known = l->must_settle = false;
            lane_settle(p, l);
        }
    }
    p->has_dropped = true;
    p->is_looking = true;
    buf_reset(&p->look_domain);
    p->look_flow = -1;
    p->missed_at = PLAN_NEVER;
}

void plan_free(struct plan *p)
{
    while (p->flying)
        plan_end(p, p->flying, NULL, QUEUE_CONTACT_NONE, p->now);
    plan_forget(p);
    heap_free(&p->due);
    heap_free(&p->wakes);
    buf_free(&p->look_domain);
    free(p);
}

struct plan_size plan_size(const struct plan *p)
{
    return (struct plan_size){
        .rows = p->rows, .lanes = p->lanes, .destinations = p->destinations, .flows = p->flows};
}
