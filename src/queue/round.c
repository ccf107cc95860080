/* A round: everything that arrived in it is written down together, in a transaction or in the journal. */
#include "base/log.h"
#include "queue/server.h"

struct queue_round round_new(const struct server *s)
{
    const struct config *c = s->role->config;
    return (struct queue_round){.db = s->db, .config = c, .schedule = schedule_of(c), .now = clock_wall()};
}

void round_init(struct server *s)
{
    s->last_enqueue = &s->enqueues;
    s->last_outcome = &s->outcomes;
}

void round_add_enqueue(struct server *s, struct enqueue *in)
{
    *s->last_enqueue = in;
    s->last_enqueue = &in->next;
}

void round_add_outcome(struct server *s, struct outcome *o)
{
    o->job->channel = 0; /* it has its answer */
    *s->last_outcome = o;
    s->last_outcome = &o->next;
}

/* --- writing --- */

static bool store_outcomes(struct server *s, const struct queue_round *q, struct err *e)
{
    for (struct outcome *o = s->outcomes; o; o = o->next)
        if (!record_outcome(q, o, e))
            return false;
    return true;
}

/* `apart`: each message may fail alone. False: the transaction is lost. */
static bool store_enqueues(struct server *s, const struct queue_round *q, bool apart, struct err *e)
{
    for (struct enqueue *in = s->enqueues; in; in = in->next) {
        if (!apart && !enqueue_store(q, in, s->plan, e))
            return false;
        if (!apart)
            continue;
        if (!sql_savepoint(s->db, e))
            return false;
        if (enqueue_store(q, in, s->plan, &in->error)) {
            if (!sql_savepoint_release(s->db, e))
                return false;
            continue;
        }
        if (!sql_in_transaction(s->db)) { /* a full disk may end it */
            *e = in->error;
            return false;
        }
        sql_savepoint_rollback(s->db);
    }
    return true;
}

static bool try_commit(struct server *s, const struct queue_round *q, bool apart, struct err *e)
{
    if (sql_begin_write(s->db, e) && transit_put_all(s->transit, e) && store_outcomes(s, q, e) &&
        store_enqueues(s, q, apart, e) && sql_commit(s->db, e)) {
        transit_is_put(s->transit);
        return true;
    }
    sql_rollback(s->db);
    return false;
}

static bool may_pass(struct server *s, const struct queue_round *q)
{
    for (const struct outcome *o = s->outcomes; o; o = o->next)
        if (!record_is_whole(o))
            return false;
    for (struct enqueue *in = s->enqueues; in; in = in->next)
        if (!enqueue_may_pass(q, in, s->plan))
            return false;
    return true;
}

static bool add_outcome(struct transit *t, const struct outcome *o)
{
    const struct letter *l = o->job->letter;
    return transit_remove(t,
                          &(struct transit_gone){.message = l->id, .count = o->job->count, .size = l->size});
}

static bool add_enqueue(struct transit *t, struct enqueue *in)
{
    struct transit_message m = {
        .row = in->message, .recipients = in->recipients, .count = in->count, .bytes = in->body.bytes};
    bool good = transit_add(t, &m);
    in->message.id = m.row.id;
    return good;
}

/* As most rounds are: what came goes at once, and what went is done with. Then the tables need not know. */
static bool pass(struct server *s, const struct queue_round *q)
{
    struct transit *t = s->transit;
    if (!t || !may_pass(s, q) || !transit_begin(t))
        return false;
    for (const struct outcome *o = s->outcomes; o; o = o->next)
        if (!add_outcome(t, o))
            return false;
    for (struct enqueue *in = s->enqueues; in; in = in->next)
        if (!add_enqueue(t, in))
            return false;
    return transit_write(t);
}

/* All together; if that fails, once more, with care for who it is. */
static bool commit(struct server *s, const struct queue_round *q, struct err *e)
{
    return pass(s, q) || try_commit(s, q, false, e) || (s->enqueues && try_commit(s, q, true, e));
}

/* --- answering --- */

static void answer_enqueue(struct server *s, const struct enqueue *in)
{
    CLEAN_FRAME struct ipc_frame f;
    ipc_frame_init(&f, QUEUE_FRAME_ENQUEUED);
    f.id = in->frame;
    bool stored = in->error.kind == ERR_NONE;
    ipc_put_u64(&f, stored ? (uint64_t)in->message.id : 0);
    if (!stored)
        ipc_put_str(&f, str_from_c(in->error.text));
    dispatch_send(s, in->channel, &f);
}

static void finish_enqueues(struct server *s, int64_t now)
{
    for (struct enqueue *in = s->enqueues, *next; in; in = next) {
        next = in->next;
        if (in->error.kind == ERR_NONE) {
            char name[QUEUE_DELIVERY_BYTES * 2 + 1];
            str_write_hex((const unsigned char *)in->message.delivery.p, QUEUE_DELIVERY_BYTES, name);
            LOG_INFO("queue.accepted", F_C("id", name), F_INT("queue", in->message.id),
                     F_STR("from", in->message.sender), F_INT("size", in->message.size),
                     F_INT("recipients", in->count));
            enqueue_plan(in, s->plan, now);
            s->has_work = true;
        } else {
            enqueue_retract(in, s->plan);
            LOG_ERROR("queue.not_stored", F_STR("from", in->message.sender), F_C("reason", in->error.text));
        }
        answer_enqueue(s, in);
        enqueue_free(in);
    }
    s->enqueues = NULL;
    s->last_enqueue = &s->enqueues;
}

/* Tells it of all of the list that are its own. */
static void answer_relay(struct server *s, struct relay *r, const struct outcome *list)
{
    CLEAN_FRAME struct ipc_frame f;
    ipc_frame_init(&f, QUEUE_FRAME_RECORDED);
    for (const struct outcome *o = list; o; o = o->next)
        if (o->channel == r->channel) {
            ipc_put_u64(&f, o->id);
            r->in_flight--;
        }
    if (f.payload.n > 0)
        dispatch_send(s, r->channel, &f);
}

static void finish_outcome(struct server *s, struct outcome *o, int64_t now)
{
    bool *again = ARENA_ARRAY(&o->arena, bool, o->job->count);
    for (size_t i = 0; i < o->job->count; i++)
        again[i] = !o->verdicts[i].answered;
    if (o->contact == QUEUE_CONTACT_BUSY || o->contact == QUEUE_CONTACT_UNREACHABLE)
        plan_blame(s->plan, o->job, o->verdicts[0].host, o->verdicts[0].reply);
    plan_end(s->plan, o->job, again, o->contact, now);
    for (struct wake *w = o->wakes; w; w = w->next)
        plan_expect(s->plan, w->domain, w->flow, w->at);
    outcome_free(o);
}

static void finish_outcomes(struct server *s, int64_t now)
{
    struct outcome *list = s->outcomes;
    /* A relay that cannot be told goes, and what it has under way comes into a new list. */
    s->outcomes = NULL;
    s->last_outcome = &s->outcomes;
    for (struct relay *r = s->relays, *next; r && list; r = next) {
        next = r->next;
        answer_relay(s, r, list);
    }
    for (struct outcome *o = list, *next; o; o = next) {
        next = o->next;
        finish_outcome(s, o, now);
        s->has_work = true;
    }
}

void round_commit(struct server *s)
{
    struct queue_round q = round_new(s);
    struct err e = ERR_INIT;
    if (commit(s, &q, &e)) {
        finish_enqueues(s, q.now);
        finish_outcomes(s, q.now);
        return;
    }
    LOG_ERROR("queue.commit", F_C("reason", e.text));
    for (struct enqueue *in = s->enqueues; in; in = in->next)
        in->error = e;
    if (s->enqueues) /* a commit of which nobody heard may have come to pass: the table will tell */
        plan_forget(s->plan);
    finish_enqueues(s, q.now);
    s->is_blocked = s->outcomes != NULL;
}
