#include "queue/overdue.h"

#include "base/mem.h"

#define ROWS_MAX      200 /* in one look */
#define DEADLINES_MAX 100 /* messages, in one look */
/* What an attempt that is due when a time is up has to be made; a part of that time, within these bounds. */
#define GRACE_DIVISOR 8
#define GRACE_LEAST_S 5
#define GRACE_MOST_S  60

#define WARNED_ANYHOW 9 /* `warned` of recipients: 0 no, 1 of the delay, 2 of its deadline too */

static int64_t grace(int64_t period)
{
    int64_t s = period / GRACE_DIVISOR;
    return s < GRACE_LEAST_S ? GRACE_LEAST_S : s > GRACE_MOST_S ? GRACE_MOST_S : s;
}

bool overdue_is_over(const struct schedule *s, int64_t arrived, int64_t now)
{
    return now - arrived >= s->lifetime_s + grace(s->lifetime_s);
}

struct walk {
    const struct overdue_round *round;
    int64_t period;  /* beyond which a message is meant; 0: any */
    int64_t last;    /* recipient that was looked at */
    int64_t next_at; /* the first that it was too early for is meant then; 0: there was none */
    bool is_deadline;
    size_t rows, in_flight;
    struct outcome *first, **end;
};

static struct outcome *outcome_of(const struct walk *w, const struct queue_row_message *m,
                                  const struct queue_row_recipient *r)
{
    const struct overdue_round *q = w->round;
    struct outcome *o = outcome_new(plan_job(q->plan, plan_letter(q->plan, m, NULL), r));
    struct str host = r->host, reply = r->reply;
    if (reply.n == 0) /* it was never tried, because others had failed there */
        plan_blamed(q->plan, r->domain, &host, &reply);
    o->is_overdue = true;
    o->is_deadline = w->is_deadline;
    o->verdicts[0] = (struct verdict){.answered = true,
                                      .fate = QUEUE_DEFERRED,
                                      .host = arena_copy(&o->arena, host),
                                      .reply = arena_copy(&o->arena, reply)};
    return o;
}

static void look_at(void *context, const struct queue_row_message *m, const struct queue_row_recipient *r)
{
    struct walk *w = context;
    int64_t at = m->arrived + w->period;
    if (w->next_at > 0)
        return;
    if (w->period > 0 && at > w->round->now) {
        w->next_at = at;
        return;
    }
    w->last = r->id;
    w->rows++;
    if (plan_recipient_in_flight(w->round->plan, r->id)) { /* it is brought up when it lands */
        w->in_flight++;
        return;
    }
    *w->end = outcome_of(w, m, r);
    w->end = &(*w->end)->next;
}

static void hand_over(const struct walk *w)
{
    for (struct outcome *o = w->first, *next; o; o = next) {
        next = o->next;
        o->next = NULL;
        w->round->add(w->round->context, o);
    }
}

static bool look_for_old(const struct overdue_round *q, int64_t period, int64_t warned_below, int64_t *cursor,
                         int64_t *at, struct err *e)
{
    struct walk w = {.round = q, .period = period, .last = *cursor};
    w.end = &w.first;
    if (period <= 0 || q->now < *at)
        return true;
    struct queue_waiting range = {
        .after = *cursor, .before = INT64_MAX, .warned_below = warned_below, .limit = ROWS_MAX};
    bool ok = queue_db_waiting(q->db, &range, look_at, &w, e);
    hand_over(&w);
    *cursor = w.last;
    /* What comes later is not meant sooner than what came now would be. */
    *at = w.next_at > 0 ? w.next_at : w.rows < ROWS_MAX ? q->now + period : 0;
    return ok;
}

static bool look_at_deadline(const struct overdue_round *q, const struct queue_deadline *d, struct err *e)
{
    struct walk w = {.round = q, .is_deadline = true};
    w.end = &w.first;
    struct queue_waiting range = {
        .after = queue_db_first_recipient(d->message),
        .before = queue_db_past_recipient(d->message),
        .warned_below = d->by == ENVELOPE_BY_NOTIFY ? 2 : WARNED_ANYHOW,
        .limit = ROWS_MAX,
    };
    bool ok = queue_db_waiting(q->db, &range, look_at, &w, e);
    bool is_done = w.rows < ROWS_MAX && w.in_flight == 0;
    hand_over(&w);
    return ok && (!is_done || queue_db_deadline_passed(q->db, d->message, e));
}

static bool look_at_deadlines(const struct overdue_round *q, struct err *e)
{
    struct queue_deadline list[DEADLINES_MAX];
    size_t n = 0;
    if (!queue_db_deadlines(q->db, q->now, list, DEADLINES_MAX, &n, e))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!look_at_deadline(q, &list[i], e))
            return false;
    return true;
}

bool overdue_look(struct overdue *w, const struct overdue_round *q, struct err *e)
{
    const struct schedule *s = q->schedule;
    int64_t warn = s->warn_s > 0 ? s->warn_s + grace(s->warn_s) : 0;
    return look_at_deadlines(q, e) && look_for_old(q, warn, 1, &w->late, &w->late_at, e) &&
           look_for_old(q, s->lifetime_s + grace(s->lifetime_s), WARNED_ANYHOW, &w->over, &w->over_at, e);
}
