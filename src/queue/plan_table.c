/* What the table holds: reading what is due, and finding lanes that are not known. */
#include "base/log.h"
#include "queue/plan_parts.h"

/* One call of plan_read, some milliseconds, while messages wait to be taken in. */
#define READ_LANES 100
#define READ_ROWS  1000
#define LOOK_STEPS 200

/* There is room for lanes that were missed. */
static bool has_lanes(const struct plan *p)
{
    return p->lanes < p->limits.lanes - p->limits.lanes / 10;
}

static int64_t sooner(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

void plan_expect(struct plan *p, struct str domain, int64_t flow, int64_t at)
{
    struct lane *l = lane_find(p, domain, flow, true);
    if (!l) {
        p->missed_at = sooner(p->missed_at, at);
        return;
    }
    /* Rows are read in the order of their moments; a clock that was put back could make one stand behind the
     * cursor. */
    if (lane_is_busy(l) && at <= l->cursor_at)
        l->must_settle = true;
    if (!l->is_known)
        at = 0; /* there may be older ones */
    if (at < l->due.key)
        lane_set_due(p, l, at);
}

/* --- a lane --- */

struct loading {
    struct plan *plan;
    struct lane *lane;
    struct letter *letter; /* of the row before */
    int64_t rows;
};

static bool is_in_flight(const struct plan *p, const struct lane *l, int64_t recipient)
{
    for (const struct job *j = p->flying; l->in_flight > 0 && j; j = j->next)
        for (size_t i = 0; j->lane == l && i < j->count; i++)
            if (j->recipients[i].id == recipient)
                return true;
    return false;
}

static void load_row(void *context, const struct queue_row_message *m, const struct queue_row_recipient *r)
{
    struct loading *to = context;
    to->rows++;
    if (is_in_flight(to->plan, to->lane, r->id)) {
        if (r->next_attempt > to->lane->cursor_at) {
            to->lane->cursor_at = r->next_attempt;
            to->lane->cursor_id = 0;
        }
        to->lane->cursor_id = to->lane->cursor_id > r->id ? to->lane->cursor_id : r->id;
        return;
    }
    if (!to->letter || to->letter->id != m->id)
        to->letter = plan_letter(to->plan, m, NULL);
    lane_add(to->plan, to->lane, to->letter, r);
}

/* How many rows it may have. The fewer, the less room there is for all. */
static int64_t room_for(const struct plan *p, const struct lane *l)
{
    const struct plan_limits *m = &p->limits;
    size_t most = m->rows_per_lane;
    if (p->rows >= m->rows / 2)
        most = p->rows < m->rows / 4 * 3 ? most / 10 + 1 : 1;
    size_t left = p->rows < m->rows ? m->rows - p->rows : 0;
    if (most > left)
        most = left;
    return l->rows < most ? (int64_t)(most - l->rows) : 0;
}

/* *rows: how many there were. */
static bool load(struct plan *p, struct lane *l, struct sql *db, int64_t limit, int64_t *rows, struct err *e)
{
    struct loading to = {.plan = p, .lane = l};
    struct queue_due due = {
        .domain = l->destination->domain,
        .flow = l->flow->id,
        .now = p->now,
        .after_at = l->cursor_at,
        .after_id = l->cursor_id,
        .limit = limit,
        .later = PLAN_NEVER,
    };
    if (limit > 0 && !queue_db_due(db, &due, load_row, &to, e))
        return false;
    *rows = to.rows;
    l->has_more = to.rows == limit;
    l->is_known = true;
    lane_set_due(p, l, due.later);
    /* Rows that fly are done with when they land; a lane with nothing else asks again now. */
    if (l->has_more && l->rows == 0) {
        l->has_more = false;
        lane_set_due(p, l, 0);
    }
    lane_settle(p, l);
    return true;
}

bool lane_learn(struct plan *p, struct lane *l, struct sql *db, struct err *e)
{
    int64_t at = PLAN_NEVER;
    if (queue_db_first_due(db, l->destination->domain, l->flow->id, &at, e) < 0)
        return false;
    /* What is due now and is not in flight has to be read before what comes. */
    l->is_known = at > p->now;
    if (l->is_known && at < l->due.key)
        lane_set_due(p, l, at);
    return true;
}

static struct lane *next_due(const struct plan *p)
{
    struct heap_entry *e = heap_first(&p->due);
    return e && e->key <= p->now ? HEAP_OWNER(e, struct lane, due) : NULL;
}

static bool read_due(struct plan *p, struct sql *db, struct err *e)
{
    struct lane *l;
    int64_t rows, left = READ_ROWS;
    for (int i = 0; i < READ_LANES && left > 0 && p->rows < p->limits.rows && (l = next_due(p)); i++) {
        if (!load(p, l, db, room_for(p, l), &rows, e))
            return false;
        left -= rows;
    }
    return true;
}

/* --- destinations that are left alone --- */

static struct lane *longest_waiting(const struct destination *d)
{
    struct lane *first = NULL;
    for (struct lane *l = d->lanes; l; l = l->next)
        if (l->due.key != PLAN_NEVER && (!first || l->due.key < first->due.key))
            first = l;
    return first;
}

/* The time has come for one job to ask whether it is back. */
static bool wake(struct plan *p, struct destination *d, struct sql *db, struct err *e)
{
    while (d->rows == 0) {
        struct lane *l = longest_waiting(d);
        int64_t rows;
        if (!l) { /* nobody wants to know */
            heap_remove(&p->wakes, &d->wake);
            return true;
        }
        if (l->due.key > p->now) {
            heap_set(&p->wakes, &d->wake, l->due.key);
            return true;
        }
        bool is_last = !d->lanes->next;
        if (!load(p, l, db, 1, &rows, e))
            return false;
        if (is_last && rows == 0) /* it may be gone with its lane */
            return true;
    }
    heap_remove(&p->wakes, &d->wake);
    destination_offer(p, d);
    return true;
}

static struct destination *next_wake(const struct plan *p)
{
    struct heap_entry *e = heap_first(&p->wakes);
    return e && e->key <= p->now ? HEAP_OWNER(e, struct destination, wake) : NULL;
}

static bool read_wakes(struct plan *p, struct sql *db, struct err *e)
{
    struct destination *d;
    for (int i = 0; i < READ_LANES && (d = next_wake(p)); i++)
        if (!wake(p, d, db, e))
            return false;
    return true;
}

/* --- lanes that are not known --- */

static bool may_look(const struct plan *p)
{
    return (p->is_looking || p->missed_at <= p->now) && has_lanes(p);
}

/* False: this is as far as it goes for now. */
static bool note_lane(struct plan *p, struct str domain, int64_t flow, int64_t at)
{
    struct lane *l = lane_find(p, domain, flow, false);
    if (l && l->is_known)
        return true;
    if (!l && !has_lanes(p)) {
        p->missed_at = sooner(p->missed_at, at);
        return at > p->now; /* those that sleep can wait to be found */
    }
    plan_expect(p, domain, flow, at);
    return true;
}

static bool look(struct plan *p, struct sql *db, struct err *e)
{
    if (!p->is_looking) {
        p->is_looking = true;
        p->missed_at = PLAN_NEVER;
        buf_reset(&p->look_domain);
        p->look_flow = -1;
    }
    for (int i = 0; i < LOOK_STEPS; i++) {
        CLEAN_BUF struct buf domain;
        int64_t flow, at;
        buf_init(&domain, ADDRESS_MAX);
        int found = queue_db_next_flow(db, buf_str(&p->look_domain), p->look_flow, &domain, &flow, &at, e);
        if (found < 0)
            return false;
        if (found == 0) {
            p->is_looking = false;
            return true;
        }
        if (!note_lane(p, buf_str(&domain), flow, at))
            return true; /* again from here, when there is room */
        buf_reset(&p->look_domain);
        buf_add(&p->look_domain, buf_str(&domain));
        p->look_flow = flow;
    }
    return true;
}

/* --- all of it --- */

bool plan_wants_read(const struct plan *p, int64_t now)
{
    struct heap_entry *due = heap_first(&p->due), *awake = heap_first(&p->wakes);
    return p->has_dropped || ((p->is_looking || p->missed_at <= now) && has_lanes(p)) ||
           (due && due->key <= now && p->rows < p->limits.rows) || (awake && awake->key <= now);
}

bool plan_read(struct plan *p, struct sql *db, int64_t now, bool *more, struct err *e)
{
    p->now = now;
    *more = false;
    if (p->has_dropped && !queue_db_put_down(db, e))
        return false;
    p->has_dropped = false;
    bool ok = (!may_look(p) || look(p, db, e)) && read_wakes(p, db, e) && read_due(p, db, e);
    *more = ok && plan_wants_read(p, now);
    return ok;
}
