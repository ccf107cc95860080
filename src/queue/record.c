#include "queue/record.h"

#include "base/log.h"
#include "queue/flow.h"

/* A job whose relay died is tried again soon, but not for ever: it may be the one that killed it. */
#define LOST_PAUSE_S  5
#define LOST_ATTEMPTS 3

struct recording {
    const struct queue_round *round;
    struct outcome *outcome;
    int64_t next_attempt; /* of everybody in the job that is deferred, so that they stay together */
    struct {              /* who is told of with each action */
        struct dsn_recipient *list;
        size_t count;
    } told[DSN_ACTIONS];
};

static const struct letter *letter_of(const struct recording *w)
{
    return w->outcome->job->letter;
}

static int64_t next_attempt(const struct recording *w)
{
    unsigned attempts = 0;
    uint32_t random;
    const struct job *j = w->outcome->job;
    for (size_t i = 0; i < j->count; i++)
        if (j->recipients[i].attempts > attempts)
            attempts = j->recipients[i].attempts;
    if (w->outcome->is_lost && attempts < LOST_ATTEMPTS)
        return w->round->now + LOST_PAUSE_S;
    report_random(&random, sizeof random);
    int64_t now = w->round->now, by = j->letter->asked.deliver_by;
    int64_t next = schedule_next(&w->round->schedule, j->letter->arrived, attempts + 1, now, random);
    /* Once more before its deadline, if that is before the next attempt. */
    return j->letter->asked.by != ENVELOPE_BY_NONE && by > now && by < next ? by : next;
}

static bool is_local(const struct recording *w)
{
    return plan_domain(w->outcome->job).n == 0;
}

/* RFC 3461 section 4.1: without NOTIFY, failures and delays are reported. */
static bool wants(const struct recording *w, const struct job_recipient *r, enum dsn_action action)
{
    unsigned notify = r->asked.notify;
    const struct envelope *asked = &letter_of(w)->asked;
    if (notify & ENVELOPE_NOTIFY_NEVER)
        return false;
    if (action == DSN_FAILED)
        return notify == 0 || notify & ENVELOPE_NOTIFY_FAILURE;
    if (action == DSN_DELAYED) /* RFC 2852 section 4.1: of a deadline too */
        return notify == 0 || notify & ENVELOPE_NOTIFY_DELAY || w->outcome->is_deadline;
    return notify & ENVELOPE_NOTIFY_SUCCESS || (action == DSN_RELAYED && asked->by_trace);
}

static void tell(struct recording *w, enum dsn_action action, const struct job_recipient *r,
                 const struct verdict *v, bool expired)
{
    if (wants(w, r, action))
        w->told[action].list[w->told[action].count++] = (struct dsn_recipient){
            /* For one who is here: the address that the sender knows. */
            .address = is_local(w) && r->original.n > 0 ? r->original : r->address,
            .original = r->asked.original,
            .host = v->host,
            .reply = v->reply,
            .expired = expired,
        };
}

static bool record_sent(struct recording *w, const struct job_recipient *r, const struct verdict *v,
                        const struct queue_row_attempt *a, struct err *e)
{
    bool there, is_final = is_local(w) || v->passing == QUEUE_PASSED_FINAL;
    if (!queue_db_sent(w->round->db, a, &there, e))
        return false;
    if (there && is_final)
        tell(w, DSN_DELIVERED, r, v, false);
    else if (there && (v->passing == QUEUE_PASSED_PLAIN || letter_of(w)->asked.by_trace))
        tell(w, DSN_RELAYED, r, v, false);
    return true;
}

static bool record_failed(struct recording *w, const struct job_recipient *r, const struct verdict *v,
                          const struct queue_row_attempt *a, bool expired, struct err *e)
{
    bool there;
    if (!queue_db_failed(w->round->db, a, &there, e))
        return false;
    if (!there)
        return true;
    LOG_INFO(expired ? "queue.expired" : "queue.failed", F_C("id", letter_of(w)->name),
             F_INT("queue", a->message), F_STR("to", r->address), F_STR("host", v->host),
             F_STR("reply", v->reply));
    tell(w, DSN_FAILED, r, v, expired);
    return true;
}

/* The deadline of RFC 2852 has passed, and nobody tries it any more. */
static bool is_past_deadline(const struct recording *w)
{
    const struct envelope *asked = &letter_of(w)->asked;
    return asked->by == ENVELOPE_BY_RETURN && asked->deliver_by <= w->round->now;
}

/* What the sender has been told of with `v`, by the numbers of queue_row_recipient. */
static unsigned warned_after(const struct recording *w, const struct job_recipient *r)
{
    if (w->outcome->is_deadline)
        return 2;
    return r->warned == 0 && schedule_is_late(&w->round->schedule, letter_of(w)->arrived, w->round->now)
               ? 1
               : r->warned;
}

static bool record_deferred(struct recording *w, const struct job_recipient *r, const struct verdict *v,
                            const struct queue_row_attempt *a, struct err *e)
{
    const struct queue_round *q = w->round;
    if (schedule_is_over(&q->schedule, letter_of(w)->arrived, q->now) || is_past_deadline(w))
        return record_failed(w, r, v, a, true, e);
    unsigned warned = warned_after(w, r);
    bool there;
    if (w->outcome->is_overdue ? !queue_db_warned(q->db, r->id, warned, &there, e)
                               : !queue_db_deferred(q->db, a, w->next_attempt, warned, &there, e))
        return false;
    if (there && warned > r->warned)
        tell(w, DSN_DELAYED, r, v, false);
    if (there && !w->outcome->is_overdue)
        outcome_wake(w->outcome, plan_domain(w->outcome->job), plan_flow(w->outcome->job), w->next_attempt);
    return true;
}

/* A recipient that stands in the place of `r`. */
static struct queue_row_recipient row_of(struct recording *w, const struct job_recipient *r,
                                         const struct directory_target *t)
{
    return (struct queue_row_recipient){
        .message = letter_of(w)->id,
        .address = t->address,
        .account = t->is_local ? t->account : 0,
        .original = r->original,
        .detail = t->detail,
        .domain = t->is_local ? QUEUE_LOCAL_DOMAIN : queue_db_destination(t->address, &w->outcome->arena),
        .flow = flow_of(&letter_of(w)->asked, letter_of(w)->sender),
        .asked = r->asked,
        .next_attempt = w->round->now,
    };
}

/* The address of a report has been looked up: its targets take its place. */
static bool record_resolved(struct recording *w, const struct job_recipient *r, const struct verdict *v,
                            struct err *e)
{
    bool there;
    if (!queue_db_replace(w->round->db, r->id, &there, e))
        return false;
    for (size_t i = 0; there && i < v->target_count; i++) {
        struct queue_row_recipient row = row_of(w, r, &v->targets[i]);
        if (!v->targets[i].is_local && row.domain.n == 0) /* nowhere to send it to */
            continue;
        if (!queue_db_add_recipient(w->round->db, &row, e))
            return false;
        outcome_wake(w->outcome, row.domain, row.flow, w->round->now);
    }
    return true;
}

static bool record_recipient(struct recording *w, const struct job_recipient *r, const struct verdict *v,
                             struct err *e)
{
    struct queue_row_attempt a = {
        .recipient = r->id,
        .message = letter_of(w)->id,
        .at = w->round->now,
        .fate = v->fate,
        .host = v->host,
        .reply = v->reply,
        .transcript = STR(""),
    };
    if (!v->answered)
        return true;
    if (v->target_count > 0)
        return record_resolved(w, r, v, e);
    switch (v->fate) {
    case QUEUE_SENT: return record_sent(w, r, v, &a, e);
    case QUEUE_DEFERRED: return record_deferred(w, r, v, &a, e);
    case QUEUE_FAILED: break;
    }
    return record_failed(w, r, v, &a, false, e);
}

static bool has_told(const struct recording *w)
{
    for (size_t i = 0; i < DSN_ACTIONS; i++)
        if (w->told[i].count > 0)
            return true;
    return false;
}

static bool add_reports(struct recording *w, struct err *e)
{
    const struct letter *l = letter_of(w);
    if (!has_told(w))
        return true;
    CLEAN_BUF struct buf start;
    buf_init(&start, DSN_MESSAGE_MAX);
    if (!queue_db_start(w->round->db, l->id, &start, e))
        return false;
    struct report r = {
        .message = l->id,
        .sender = l->sender,
        .arrived = l->arrived,
        .size = l->size,
        .asked = &l->asked,
        .is_deadline = w->outcome->is_deadline || is_past_deadline(w),
        /* A stranger's mail that an account of ours could not take. */
        .to_ours = is_local(w) && l->asked.submitter == 0,
        .start = buf_str(&start),
    };
    size_t all = 0, written = 0;
    for (size_t i = 0; i < DSN_ACTIONS; i++, all += written) {
        r.action = (enum dsn_action)i;
        r.recipients = w->told[i].list;
        r.count = w->told[i].count;
        if (!report_add(w->round, &r, &written, e))
            return false;
    }
    if (all > 0)
        outcome_wake(w->outcome, QUEUE_LOCAL_DOMAIN, REPORT_FLOW, w->round->now);
    return true;
}

/* As long as the message is there, so are the attempts; the first of a job has what was said. */
static bool add_attempts(const struct recording *w, struct err *e)
{
    const struct outcome *o = w->outcome;
    struct queue_row_attempt a = {
        .message = letter_of(w)->id, .at = w->round->now, .transcript = o->transcript};
    for (size_t i = 0; i < o->job->count; i++) {
        const struct verdict *v = &o->verdicts[i];
        if (!v->answered || v->target_count > 0)
            continue;
        a.recipient = o->job->recipients[i].id;
        a.fate = v->fate;
        a.host = v->host;
        a.reply = v->reply;
        if (!queue_db_add_attempt(w->round->db, &a, e))
            return false;
        a.transcript = STR("");
    }
    return true;
}

/* Unless a command dropped it meanwhile: attempts need their message. */
static bool keep_attempts(const struct recording *w, struct err *e)
{
    bool there;
    return queue_db_is_there(w->round->db, letter_of(w)->id, &there, e) && (!there || add_attempts(w, e));
}

bool record_is_whole(const struct outcome *o)
{
    const struct job *j = o->job;
    if (j->letter->whole != j->count || o->is_overdue || j->letter->asked.by_trace)
        return false;
    for (size_t i = 0; i < j->count; i++)
        if (!o->verdicts[i].answered || o->verdicts[i].fate != QUEUE_SENT ||
            o->verdicts[i].target_count > 0 || j->recipients[i].attempts > 0 ||
            j->recipients[i].asked.notify & ENVELOPE_NOTIFY_SUCCESS)
            return false;
    return true;
}

bool record_outcome(const struct queue_round *q, struct outcome *o, struct err *e)
{
    struct job *j = o->job;
    struct recording w = {.round = q, .outcome = o};
    bool gone;
    o->wakes = NULL;
    if (record_is_whole(o))
        return queue_db_remove_sent(q->db, j->letter->id, j->count, j->letter->size, e);
    w.next_attempt = next_attempt(&w);
    for (size_t i = 0; i < DSN_ACTIONS; i++)
        w.told[i].list = ARENA_ARRAY(&o->arena, struct dsn_recipient, j->count);
    for (size_t i = 0; i < j->count; i++)
        if (!record_recipient(&w, &j->recipients[i], &o->verdicts[i], e))
            return false;
    return add_reports(&w, e) && queue_db_finish(q->db, j->letter->id, &gone, e) &&
           (gone || o->is_overdue || keep_attempts(&w, e));
}
