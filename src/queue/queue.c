#include "queue/queue.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/sandbox.h"
#include "queue/enqueue.h"
#include "queue/local.h"
#include "queue/overdue.h"
#include "queue/record.h"
#include "queue/tls_memory.h"
#include "queue/users.h"
#include "role/role.h"
#include "storage/source.h"

#include <string.h>
#include <time.h>

/* One thread and one database. Everything that arrived in a round of the loop, messages and outcomes alike,
 * is one transaction; only after it are answers sent and further jobs given out. */

#define TICK_MS      1000 /* retries and the commands of an administrator are this late at most */
#define SEND_MS      2000 /* a peer that does not take a frame for so long is stuck */
#define STOP_MS      8000 /* for what is in flight when the server goes down; the supervisor waits ten seconds */
#define WINDOW_FIRST 5    /* jobs at once for a destination that nobody has spoken with: as Postfix */
#define ASK_MOST_S                                                                          \
    900 /* a destination that is down is asked so often, by one message, whether it is back \
         */
#define RELAY_JOBS_MAX  1024 /* that one relay may have at once */
#define QUEUE_FILES_MAX 4096 /* channels, and the messages kept open */

struct relay {
    struct relay *next;
    uint64_t channel;
    unsigned capacity, in_flight;
};

struct server {
    struct role *role;
    struct loop *loop;
    struct role_target store; /* where db leads, with PostgreSQL */
    struct sql *db;
    int64_t data_version;
    struct plan *plan;
    struct overdue overdue;
    struct local *local;
    unsigned local_in_flight;
    struct relay *relays;
    struct enqueue *enqueues, **last_enqueue;
    struct outcome *outcomes, **last_outcome;
    bool has_work;   /* jobs may be waiting for somebody who can take them */
    bool is_blocked; /* the disk refused: outcomes are kept, and tried again at the next tick */
    bool is_stopping;
};

static void add_outcome(struct server *s, struct outcome *o)
{
    o->job->channel = 0; /* it has its answer */
    *s->last_outcome = o;
    s->last_outcome = &o->next;
}

static struct queue_round new_round(const struct server *s)
{
    const struct config *c = s->role->config;
    return (struct queue_round){.db = s->db, .config = c, .schedule = schedule_of(c), .now = clock_wall()};
}

static void send_frame(struct server *s, uint64_t channel, const struct ipc_frame *f)
{
    struct loop_channel *c = loop_channel_find(s->loop, channel);
    if (c && ipc_send(loop_channel_fd(c), f, deadline_in(SEND_MS)) != IPC_OK)
        loop_channel_close(c);
}

static void nothing(void *context)
{
    (void)context;
}

/* Another round, even if nothing arrives. */
static void come_again(struct server *s)
{
    s->has_work = true;
    loop_post(s->loop, nothing, NULL);
}

/* --- the plan and the table --- */

/* A piece of what is to be read; the rest follows after the next round, so that nobody who wants to hand in a
 * message waits for it. */
static void read_table(struct server *s, int64_t now)
{
    struct err e = ERR_INIT;
    bool more;
    if (!plan_read(s->plan, s->db, now, &more, &e)) {
        LOG_ERROR("queue.read", F_C("reason", e.text));
        return; /* again at the next tick */
    }
    if (more)
        come_again(s);
}

/* --- giving out jobs --- */

/* The bytes of the job's message; false, with an outcome in its place, when they cannot be had. */
static bool open_bytes(struct server *s, struct job *j)
{
    struct err e = ERR_INIT;
    struct letter *l = j->letter;
    if (parcel_is_there(&l->body) || queue_db_bytes(s->db, l->id, l->size, &l->body, &e))
        return true;
    LOG_ERROR("queue.read", F_C("id", l->name), F_INT("queue", l->id), F_C("reason", e.text));
    add_outcome(s, outcome_all(j, QUEUE_DEFERRED, STR("4.3.0 the queue could not read the message")));
    return false;
}

static void send_job(struct server *s, struct relay *r, struct job *j)
{
    CLEAN_FRAME struct ipc_frame f;
    ipc_frame_init(&f, QUEUE_FRAME_JOB);
    ipc_put_u64(&f, j->id);
    ipc_put_u64(&f, (uint64_t)j->letter->id);
    ipc_put_str(&f, str_from(j->letter->delivery, sizeof j->letter->delivery));
    ipc_put_str(&f, plan_domain(j));
    ipc_put_str(&f, j->letter->sender);
    ipc_put_u8(&f, j->letter->is_8bit);
    parcel_put(&f, &j->letter->body);
    envelope_put(&f, &j->letter->asked);
    ipc_put_u32(&f, (uint32_t)j->count);
    for (size_t i = 0; i < j->count; i++) {
        ipc_put_u64(&f, (uint64_t)j->recipients[i].id);
        ipc_put_str(&f, j->recipients[i].address);
        envelope_recipient_put(&f, &j->recipients[i].asked);
    }
    j->channel = r->channel;
    r->in_flight++;
    send_frame(s, r->channel, &f); /* if that fails, the channel closes and the job comes back */
}

/* One sender's mail to a thousand slow servers leaves a quarter of what relay can do to all others. */
static unsigned most_of_flow(unsigned capacity)
{
    return capacity - capacity / 4;
}

static struct relay *free_relay(const struct server *s)
{
    for (struct relay *r = s->relays; r; r = r->next)
        if (r->in_flight < r->capacity)
            return r;
    return NULL;
}

/* The job may go; false, with an outcome in its place, when it may not. */
static bool may_go(struct server *s, struct job *j)
{
    struct schedule schedule = schedule_of(s->role->config);
    int64_t now = clock_wall();
    if (!overdue_is_over(&schedule, j->letter->arrived, now))
        return open_bytes(s, j);
    struct str host, reply;
    plan_blamed(s->plan, plan_domain(j), &host, &reply);
    struct outcome *o = outcome_all(j, QUEUE_DEFERRED, reply);
    o->is_overdue = true;
    add_outcome(s, o);
    return false;
}

static void dispatch(struct server *s)
{
    struct relay *r;
    struct job *j;
    if (s->is_stopping)
        return;
    while ((r = free_relay(s)) && (j = plan_take(s->plan, most_of_flow(r->capacity))))
        if (may_go(s, j))
            send_job(s, r, j);
    while (s->local_in_flight < LOCAL_JOBS_MAX && (j = plan_take_local(s->plan, LOCAL_JOBS_MAX)))
        if (may_go(s, j)) {
            s->local_in_flight++;
            local_start(s->local, j);
        }
}

/* --- the transaction of a round --- */

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
    if (sql_begin_write(s->db, e) && store_outcomes(s, q, e) && store_enqueues(s, q, apart, e) &&
        sql_commit(s->db, e))
        return true;
    sql_rollback(s->db);
    return false;
}

/* All together; if that fails, once more, with care for who it is. */
static bool commit(struct server *s, const struct queue_round *q, struct err *e)
{
    return try_commit(s, q, false, e) || (s->enqueues && try_commit(s, q, true, e));
}

static void answer_enqueue(struct server *s, const struct enqueue *in)
{
    CLEAN_FRAME struct ipc_frame f;
    ipc_frame_init(&f, QUEUE_FRAME_ENQUEUED);
    f.id = in->frame;
    bool stored = in->error.kind == ERR_NONE;
    ipc_put_u64(&f, stored ? (uint64_t)in->message.id : 0);
    if (!stored)
        ipc_put_str(&f, str_from_c(in->error.text));
    send_frame(s, in->channel, &f);
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

static struct relay *find_relay(const struct server *s, uint64_t channel)
{
    struct relay *r = s->relays;
    while (r && r->channel != channel)
        r = r->next;
    return r;
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
        send_frame(s, r->channel, &f);
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
    s->outcomes =
        NULL; /* a relay that cannot be told goes, and what it has under way comes into a new list */
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

static void work(struct server *s)
{
    struct queue_round q = new_round(s);
    struct err e = ERR_INIT;
    if (commit(s, &q, &e)) {
        finish_enqueues(s, q.now);
        finish_outcomes(s, q.now);
        return;
    }
    LOG_ERROR("queue.commit", F_C("reason", e.text));
    for (struct enqueue *in = s->enqueues; in; in = in->next)
        in->error = e;
    finish_enqueues(s, q.now);
    s->is_blocked = s->outcomes != NULL;
}

static void after_round(void *context)
{
    struct server *s = context;
    if (s->enqueues || (s->outcomes && !s->is_blocked))
        work(s);
    if (s->has_work) {
        s->has_work = false;
        read_table(s, clock_wall());
        dispatch(s);
        if (s->outcomes && !s->is_blocked) /* of jobs that did not go */
            loop_post(s->loop, nothing, NULL);
    }
    if (s->is_stopping && !s->outcomes && plan_in_flight_count(s->plan) == 0)
        loop_stop(s->loop);
}

/* --- frames --- */

static void bad_frame(struct loop_channel *c, const char *peer, const char *reason)
{
    LOG_ERROR("queue.bad_frame", F_C("from", peer), F_C("reason", reason));
    loop_channel_close(c);
}

static void add_enqueue(struct server *s, struct loop_channel *c, struct enqueue *in)
{
    in->channel = loop_channel_serial(c);
    *s->last_enqueue = in;
    s->last_enqueue = &in->next;
}

static bool read_verdict(struct ipc_reader *in, struct outcome *o)
{
    int64_t recipient = (int64_t)ipc_get_u64(in);
    uint8_t fate = ipc_get_u8(in), passing = ipc_get_u8(in);
    struct str host = ipc_get_str(in), reply = ipc_get_str(in);
    if (in->bad || fate > QUEUE_FAILED || passing > QUEUE_PASSED_FINAL)
        return false;
    for (size_t i = 0; i < o->job->count; i++)
        if (o->job->recipients[i].id == recipient) {
            o->verdicts[i] = (struct verdict){
                .answered = true,
                .fate = (enum queue_fate)fate,
                .passing = (enum queue_passing)passing,
                .host = arena_copy(&o->arena, str_slice(host, 0, ADDRESS_MAX)),
                .reply = arena_copy(&o->arena, str_slice(reply, 0, QUEUE_REPLY_MAX)),
            };
            return true;
        }
    return false;
}

static void take_result(struct server *s, struct loop_channel *c, struct ipc_frame *f)
{
    struct ipc_reader in = ipc_read(f);
    uint64_t id = ipc_get_u64(&in);
    uint8_t contact = ipc_get_u8(&in);
    struct str transcript = ipc_get_str(&in);
    uint32_t n = ipc_get_u32(&in);
    struct job *j = plan_in_flight(s->plan, loop_channel_serial(c), id);
    if (!j || in.bad || n > j->count || contact > QUEUE_CONTACT_UNREACHABLE) {
        bad_frame(c, "relay", "a result of no job of its own");
        return;
    }
    struct outcome *o = outcome_new(j);
    for (uint32_t i = 0; i < n; i++)
        if (!read_verdict(&in, o)) {
            outcome_free(o);
            bad_frame(c, "relay", "a result that is not valid");
            return;
        }
    o->channel = loop_channel_serial(c);
    o->id = id;
    o->contact = (enum queue_contact)contact;
    o->transcript = arena_copy(&o->arena, str_slice(transcript, 0, QUEUE_TRANSCRIPT_MAX));
    if (transcript.n > 0)
        LOG_TRACE("queue.attempt", F_C("id", j->letter->name), F_INT("queue", j->letter->id),
                  F_STR("transcript", o->transcript));
    add_outcome(s, o);
}

static void take_ready(struct server *s, struct loop_channel *c, struct ipc_frame *f)
{
    struct ipc_reader in = ipc_read(f);
    uint32_t capacity = ipc_get_u32(&in);
    struct relay *r = find_relay(s, loop_channel_serial(c));
    if (!ipc_done(&in) || capacity > RELAY_JOBS_MAX || !r) {
        bad_frame(c, "relay", "not a number of jobs that one relay takes");
        return;
    }
    r->capacity = capacity;
    s->has_work = true;
}

/* A report of relay's about TLS. The directory says where it goes; relay itself may name no account. */
static void take_report(struct server *s, struct loop_channel *c, struct ipc_frame *f)
{
    struct queue_round q = new_round(s);
    struct err e = ERR_INIT;
    struct enqueue *in = enqueue_read(f, &q.schedule, q.now, &e);
    if (!in) {
        bad_frame(c, "relay", e.text);
        return;
    }
    for (size_t i = 0; i < in->count; i++) {
        in->recipients[i].account = QUEUE_RESOLVE;
        in->recipients[i].domain = QUEUE_LOCAL_DOMAIN;
        in->recipients[i].next_attempt = q.now;
    }
    add_enqueue(s, c, in);
}

/* Of what is remembered about TLS: tls_memory.h. */
static void take_tls_frame(struct server *s, struct loop_channel *c, struct ipc_frame *f, const char *peer)
{
    CLEAN_FRAME struct ipc_frame answer;
    ipc_frame_init(&answer, QUEUE_FRAME_TLS_ANSWER);
    answer.id = f->id;
    if (!tls_memory_answer(s->db, f, &answer)) {
        bad_frame(c, peer, "a frame that it does not send");
        return;
    }
    send_frame(s, loop_channel_serial(c), &answer);
}

static void expect(void *context, struct str domain, int64_t flow, int64_t at)
{
    struct server *s = context;
    plan_expect(s->plan, domain, flow, at);
    s->has_work = true;
}

static void take_users_frame(struct server *s, struct loop_channel *c, struct ipc_frame *f)
{
    CLEAN_FRAME struct ipc_frame answer;
    queue_users_answer(s->db, f, &answer, expect, s);
    answer.id = f->id;
    send_frame(s, loop_channel_serial(c), &answer);
}

static void take_smtp_frame(void *context, struct loop_channel *c, struct ipc_frame *f)
{
    struct server *s = context;
    struct queue_round q = new_round(s);
    struct err e = ERR_INIT;
    if (f->type == TLS_MEMORY_RECEIVED) {
        take_tls_frame(s, c, f, "smtp");
        return;
    }
    if (f->type == QUEUE_USERS_LIST || f->type == QUEUE_USERS_RETRY) {
        take_users_frame(s, c, f);
        return;
    }
    struct enqueue *in = f->type == QUEUE_FRAME_ENQUEUE ? enqueue_read(f, &q.schedule, q.now, &e) : NULL;
    if (!in) {
        bad_frame(c, "smtp", f->type == QUEUE_FRAME_ENQUEUE ? e.text : "a frame that smtp does not send");
        return;
    }
    add_enqueue(s, c, in);
}

static void take_relay_frame(void *context, struct loop_channel *c, struct ipc_frame *f)
{
    switch (f->type) {
    case QUEUE_FRAME_READY: take_ready(context, c, f); break;
    case QUEUE_FRAME_RESULT: take_result(context, c, f); break;
    case QUEUE_FRAME_ENQUEUE: take_report(context, c, f); break;
    default: take_tls_frame(context, c, f, "relay");
    }
}

static void relay_closed(void *context, struct loop_channel *c)
{
    struct server *s = context;
    uint64_t channel = loop_channel_serial(c);
    struct job *j;
    size_t lost = 0;
    for (struct relay **at = &s->relays; *at; at = &(*at)->next)
        if ((*at)->channel == channel) {
            struct relay *r = *at;
            *at = r->next;
            free(r);
            break;
        }
    for (; (j = plan_any_in_flight(s->plan, channel)); lost++) {
        struct outcome *o =
            outcome_all(j, QUEUE_DEFERRED, STR("4.3.0 the relay process ended while it had this message"));
        o->is_lost = true;
        add_outcome(s, o);
    }
    if (lost > 0)
        LOG_WARNING("queue.relay_lost", F_INT("jobs", lost));
}

/* --- the role --- */

static void take_channel(void *context, int channel, enum role_kind client, uint32_t index)
{
    struct server *s = context;
    (void)index;
    if (client != ROLE_RELAY) {
        loop_channel_asks(loop_channel(s->loop, channel, take_smtp_frame, NULL, s));
        return;
    }
    struct relay *r = MEM_NEW(struct relay);
    r->channel = loop_channel_serial(loop_channel(s->loop, channel, take_relay_frame, relay_closed, s));
    r->next = s->relays;
    s->relays = r;
}

static void local_done(void *context, struct outcome *o)
{
    struct server *s = context;
    s->local_in_flight--;
    add_outcome(s, o);
}

static void wake_relays(struct server *s)
{
    CLEAN_FRAME struct ipc_frame f;
    ipc_frame_init(&f, QUEUE_FRAME_WAKE);
    for (struct relay *r = s->relays, *next; r; r = next) {
        next = r->next; /* one that cannot take it goes */
        if (r->capacity > 0)
            send_frame(s, r->channel, &f);
    }
}

/* An administrator changed something: what is in memory may be wrong now. What is in flight ends as it
 * would; if its row is gone, so is its outcome. */
static void notice_changes(struct server *s)
{
    int64_t version = sql_data_version(s->db);
    if (version == s->data_version)
        return;
    s->data_version = version;
    plan_forget(s->plan);
    s->overdue = (struct overdue){0};
    if (tls_memory_is_asked(s->db))
        wake_relays(s);
}

static void take_overdue(void *context, struct outcome *o)
{
    add_outcome(context, o);
}

static void look_for_overdue(struct server *s)
{
    struct schedule schedule = schedule_of(s->role->config);
    struct overdue_round q = {.plan = s->plan,
                              .db = s->db,
                              .schedule = &schedule,
                              .now = clock_wall(),
                              .add = take_overdue,
                              .context = s};
    struct err e = ERR_INIT;
    if (!s->outcomes && !s->is_stopping && !overdue_look(&s->overdue, &q, &e))
        LOG_ERROR("queue.read", F_C("reason", e.text));
}

static void tick(void *context)
{
    struct server *s = context;
    notice_changes(s);
    s->is_blocked = false;
    look_for_overdue(s);
    s->has_work |= plan_wants_read(s->plan, clock_wall());
    loop_timer(s->loop, TICK_MS, tick, s);
}

static void give_up_waiting(void *context)
{
    struct server *s = context;
    LOG_WARNING("queue.stop", F_INT("in_flight", plan_in_flight_count(s->plan)));
    loop_stop(s->loop);
}

/* What relay has under way ends, and is recorded: else it would be sent again. */
static void stop(void *context)
{
    struct server *s = context;
    if (!s->is_stopping)
        loop_timer(s->loop, STOP_MS, give_up_waiting, s);
    s->is_stopping = true;
}

/* In files, or kept by the store role, which does the rest. */
static struct sql *open_db(struct server *s, struct err *e)
{
    if (!source_is_postgresql(s->role->config))
        return queue_db_open(s->role->config, true, e);
    struct sql_source source = source_of_role(s->role, NULL, &s->store);
    return sql_open_at(&source, &QUEUE_SCHEMA, true, e);
}

static void start(struct server *s)
{
    struct err e = ERR_INIT;
    struct role *r = s->role;
    tzset(); /* reads its file while it can: reports carry local time */
    if (!role_drop_user(r, &e) || !(s->db = open_db(s, &e)))
        log_die("queue.start", "%s", e.text);
    CLEAN_FREE char *folder = queue_db_folder(r->config);
    bool has_files = !source_is_postgresql(r->config);
    struct sandbox_profile profile = {
        .name = "queue",
        .rights = has_files ? SANDBOX_FILES : 0u,
        .write_dirs = {has_files ? folder : NULL},
        .files_max = QUEUE_FILES_MAX,
        .landlock_required = r->config->sandbox_required,
    };
    if (!sandbox_enter(&profile, NULL, &e))
        log_die("queue.start", "%s", e.text);
}

static void configure(void *context)
{
    struct server *s = context;
    const struct config *c = s->role->config;
    struct window_bounds b = {
        .initial = WINDOW_FIRST,
        .most = c->relay_per_destination > 0 ? c->relay_per_destination : 1,
        .pause_s = schedule_of(c).first_s,
        .pause_most = c->queue_retry_most_s < ASK_MOST_S ? c->queue_retry_most_s : ASK_MOST_S,
    };
    plan_configure(s->plan, &b);
}

int queue_main(struct role *r)
{
    struct server s = {.role = r, .has_work = true};
    s.last_enqueue = &s.enqueues;
    s.last_outcome = &s.outcomes;
    start(&s);
    s.plan = plan_new();
    s.loop = loop_new();
    s.local = local_new(r, s.loop, local_done, &s);
    s.data_version = sql_data_version(s.db);
    configure(&s);
    loop_after_round(s.loop, after_round, &s);
    loop_timer(s.loop, TICK_MS, tick, &s);
    struct role_handlers handlers = {.channel = take_channel, .config = configure, .stop = stop};
    role_attach(r, s.loop, &handlers, &s);
    loop_run(s.loop);
    sql_close(s.db);
    return 0;
}
