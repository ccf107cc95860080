/* What smtp and relay send, checked like what comes from the network. */
#include "base/log.h"
#include "queue/server.h"
#include "queue/tls_memory.h"
#include "queue/users.h"

#define RELAY_JOBS_MAX 1024 /* that one relay may have at once */

static void bad_frame(struct loop_channel *c, const char *peer, const char *reason)
{
    LOG_ERROR("queue.bad_frame", F_C("from", peer), F_C("reason", reason));
    loop_channel_close(c);
}

static void add_enqueue(struct server *s, struct loop_channel *c, struct enqueue *in)
{
    in->channel = loop_channel_serial(c);
    round_add_enqueue(s, in);
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
    dispatch_send(s, loop_channel_serial(c), &answer);
}

/* --- from smtp, and whoever else hands in messages --- */

/* A user wants what waits to be tried now. */
static void expect(void *context, struct str domain, int64_t flow, int64_t at)
{
    struct server *s = context;
    plan_expect(s->plan, domain, flow, at);
    s->has_work = true;
}

static void take_users_frame(struct server *s, struct loop_channel *c, struct ipc_frame *f)
{
    CLEAN_FRAME struct ipc_frame answer;
    server_settle(s); /* or else they see the rest */
    queue_users_answer(s->db, f, &answer, expect, s);
    answer.id = f->id;
    dispatch_send(s, loop_channel_serial(c), &answer);
}

static void take_frame(void *context, struct loop_channel *c, struct ipc_frame *f)
{
    struct server *s = context;
    struct queue_round q = round_new(s);
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

void frames_from_sender(struct server *s, int channel)
{
    loop_channel_asks(loop_channel(s->loop, channel, take_frame, NULL, s));
}

/* --- from relay --- */

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
    round_add_outcome(s, o);
}

static void take_ready(struct server *s, struct loop_channel *c, struct ipc_frame *f)
{
    struct ipc_reader in = ipc_read(f);
    uint32_t capacity = ipc_get_u32(&in), most_of_flow = ipc_get_u32(&in);
    struct relay *r = dispatch_relay(s, loop_channel_serial(c));
    if (!ipc_done(&in) || capacity > RELAY_JOBS_MAX || !r) {
        bad_frame(c, "relay", "not a number of jobs that one relay takes");
        return;
    }
    r->capacity = capacity;
    r->most_of_flow = most_of_flow;
    s->has_work = true;
}

/* A report of relay's about TLS. The directory says where it goes; relay itself may name no account. */
static void take_report(struct server *s, struct loop_channel *c, struct ipc_frame *f)
{
    struct queue_round q = round_new(s);
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
    dispatch_lose_relay(context, loop_channel_serial(c));
}

void frames_from_relay(struct server *s, int channel)
{
    struct loop_channel *c = loop_channel(s->loop, channel, take_relay_frame, relay_closed, s);
    dispatch_add_relay(s, loop_channel_serial(c));
}
