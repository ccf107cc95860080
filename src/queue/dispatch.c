/* Jobs: which relay, or thread, gets one, and what happens to those whose relay dies. */
#include "base/log.h"
#include "base/mem.h"
#include "queue/server.h"

#define SEND_MS 2000 /* a peer that does not take a frame for so long is stuck */

void dispatch_send(struct server *s, uint64_t channel, const struct ipc_frame *f)
{
    struct loop_channel *c = loop_channel_find(s->loop, channel);
    if (c && ipc_send(loop_channel_fd(c), f, deadline_in(SEND_MS)) != IPC_OK)
        loop_channel_close(c);
}

/* --- relays --- */

struct relay *dispatch_relay(const struct server *s, uint64_t channel)
{
    struct relay *r = s->relays;
    while (r && r->channel != channel)
        r = r->next;
    return r;
}

void dispatch_add_relay(struct server *s, uint64_t channel)
{
    struct relay *r = MEM_NEW(struct relay);
    r->channel = channel;
    r->next = s->relays;
    s->relays = r;
}

static void remove_relay(struct server *s, uint64_t channel)
{
    for (struct relay **at = &s->relays; *at; at = &(*at)->next)
        if ((*at)->channel == channel) {
            struct relay *r = *at;
            *at = r->next;
            free(r);
            return;
        }
}

void dispatch_lose_relay(struct server *s, uint64_t channel)
{
    struct job *j;
    size_t lost = 0;
    remove_relay(s, channel);
    for (; (j = plan_any_in_flight(s->plan, channel)); lost++) {
        struct outcome *o =
            outcome_all(j, QUEUE_DEFERRED, STR("4.3.0 the relay process ended while it had this message"));
        o->is_lost = true;
        round_add_outcome(s, o);
    }
    if (lost > 0)
        LOG_WARNING("queue.relay_lost", F_INT("jobs", lost));
}

void dispatch_wake_relays(struct server *s)
{
    CLEAN_FRAME struct ipc_frame f;
    ipc_frame_init(&f, QUEUE_FRAME_WAKE);
    for (struct relay *r = s->relays, *next; r; r = next) {
        next = r->next; /* one that cannot take it goes */
        if (r->capacity > 0)
            dispatch_send(s, r->channel, &f);
    }
}

/* --- giving out jobs --- */

/* The bytes of the job's message; false, with an outcome in its place, when they cannot be had. */
static bool open_bytes(struct server *s, struct job *j)
{
    struct err e = ERR_INIT;
    struct letter *l = j->letter;
    if (parcel_is_there(&l->body) ||
        (server_settle(s) && queue_db_bytes(s->db, l->id, l->size, &l->body, &e)))
        return true;
    LOG_ERROR("queue.read", F_C("id", l->name), F_INT("queue", l->id), F_C("reason", e.text));
    round_add_outcome(s, outcome_all(j, QUEUE_DEFERRED, STR("4.3.0 the queue could not read the message")));
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
    dispatch_send(s, r->channel, &f); /* if that fails, the channel closes and the job comes back */
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
    round_add_outcome(s, o);
    return false;
}

void dispatch_jobs(struct server *s)
{
    struct relay *r;
    struct job *j;
    if (s->is_stopping)
        return;
    while ((r = free_relay(s)) && (j = plan_take(s->plan, r->most_of_flow)))
        if (may_go(s, j))
            send_job(s, r, j);
    while (s->local_in_flight < LOCAL_JOBS_MAX && (j = plan_take_local(s->plan, LOCAL_JOBS_MAX)))
        if (may_go(s, j)) {
            s->local_in_flight++;
            local_start(s->local, j);
        }
}
