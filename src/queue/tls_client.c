#include "base/mem.h"
#include "queue/tls_memory.h"
#include "queue/tls_received.h"
#include "role/role.h"

#define CHANNELS_MAX 4 /* at once from one process: answers come at once, but for a commit */
#define CALL_MS      (10 * 1000)

struct queue_tls {
    struct ipc_pool *pool;
    struct role_target target;
};

struct queue_tls *queue_tls_client(struct role *r)
{
    struct queue_tls *q = MEM_NEW(struct queue_tls);
    q->target = (struct role_target){r, ROLE_QUEUE};
    q->pool = ipc_pool_new("queue", CHANNELS_MAX, role_connect_pool, &q->target);
    return q;
}

static bool not_valid(struct err *e)
{
    return err_set(e, ERR_TEMPORARY, "queue sent no valid answer");
}

/* True: *in is at what the answer says. */
static bool call(struct queue_tls *q, struct ipc_frame *ask, struct ipc_frame *answer, struct ipc_reader *in,
                 struct err *e)
{
    if (!ipc_pool_call(q->pool, ask, answer, deadline_in(CALL_MS), e))
        return false;
    *in = ipc_read(answer);
    bool failed = ipc_get_u8(in) != 0;
    if (answer->type != QUEUE_FRAME_TLS_ANSWER || in->bad)
        return not_valid(e);
    return !failed || err_set(e, ERR_TEMPORARY, "%.*s", STR_ARGS(ipc_get_str(in)));
}

static bool tell(struct queue_tls *q, struct ipc_frame *ask, struct err *e)
{
    CLEAN_FRAME struct ipc_frame answer = {0};
    struct ipc_reader in;
    return call(q, ask, &answer, &in, e) && (ipc_done(&in) || not_valid(e));
}

int queue_tls_policy(struct queue_tls *q, struct str domain, struct arena *a, struct queue_tls_policy *out,
                     struct err *e)
{
    CLEAN_FRAME struct ipc_frame ask, answer = {0};
    struct ipc_reader in;
    ipc_frame_init(&ask, TLS_MEMORY_POLICY);
    ipc_put_str(&ask, domain);
    if (!call(q, &ask, &answer, &in, e))
        return -1;
    if (ipc_get_u8(&in) == 0)
        return 0;
    out->id = arena_copy(a, ipc_get_str(&in));
    out->text = arena_copy(a, ipc_get_str(&in));
    out->fetched = (int64_t)ipc_get_u64(&in);
    out->expires = (int64_t)ipc_get_u64(&in);
    return ipc_done(&in) || not_valid(e) ? 1 : -1;
}

bool queue_tls_keep_policy(struct queue_tls *q, struct str domain, const struct queue_tls_policy *p,
                           struct err *e)
{
    CLEAN_FRAME struct ipc_frame ask;
    ipc_frame_init(&ask, TLS_MEMORY_KEEP);
    ipc_put_str(&ask, domain);
    ipc_put_str(&ask, p->id);
    ipc_put_str(&ask, p->text);
    ipc_put_u64(&ask, (uint64_t)p->fetched);
    ipc_put_u64(&ask, (uint64_t)p->expires);
    return tell(q, &ask, e);
}

bool queue_tls_count(struct queue_tls *q, int64_t day, const struct tls_rpt_count *counts, size_t n,
                     struct err *e)
{
    enum { AT_ONCE = 10 }; /* of the largest kind they fit into a frame */
    for (size_t from = 0; from < n; from += AT_ONCE) {
        CLEAN_FRAME struct ipc_frame ask;
        size_t some = n - from < AT_ONCE ? n - from : AT_ONCE;
        ipc_frame_init(&ask, TLS_MEMORY_COUNT);
        ipc_put_u64(&ask, (uint64_t)day);
        ipc_put_u32(&ask, (uint32_t)some);
        for (size_t i = 0; i < some; i++)
            tls_memory_put(&ask, &counts[from + i]);
        if (!tell(q, &ask, e))
            return false;
    }
    return true;
}

static void copy_count(struct arena *a, struct tls_rpt_count *c)
{
    struct str *const FIELDS[] = {&c->policy.domain, &c->policy.text, &c->policy.mx, &c->host,
                                  &c->address,       &c->source,      &c->reason};
    for (size_t i = 0; i < sizeof FIELDS / sizeof *FIELDS; i++)
        *FIELDS[i] = arena_copy(a, *FIELDS[i]);
}

static bool read_due(struct ipc_reader *in, struct arena *a, struct queue_tls_due *out)
{
    *out = (struct queue_tls_due){.day = (int64_t)ipc_get_u64(in)};
    out->domain = arena_copy(a, ipc_get_str(in));
    out->report = ipc_get_u32(in);
    out->attempts = ipc_get_u32(in);
    uint32_t n = ipc_get_u32(in);
    if (in->bad || n > IPC_PAYLOAD_MAX)
        return false;
    out->counts = ARENA_ARRAY(a, struct tls_rpt_count, n);
    for (; out->count < n; out->count++) {
        if (!tls_memory_get(in, &out->counts[out->count]))
            return false;
        copy_count(a, &out->counts[out->count]);
    }
    return ipc_done(in);
}

int queue_tls_due(struct queue_tls *q, int64_t day, struct arena *a, struct queue_tls_due *out, struct err *e)
{
    CLEAN_FRAME struct ipc_frame ask, answer = {0};
    struct ipc_reader in;
    ipc_frame_init(&ask, TLS_MEMORY_DUE);
    ipc_put_u64(&ask, (uint64_t)day);
    ipc_put_u64(&ask, (uint64_t)clock_wall());
    if (!call(q, &ask, &answer, &in, e))
        return -1;
    if (ipc_get_u8(&in) == 0)
        return 0;
    return read_due(&in, a, out) || not_valid(e) ? 1 : -1;
}

bool queue_tls_reported(struct queue_tls *q, const struct queue_tls_due *d, enum tls_day_state state,
                        int64_t next_attempt, struct err *e)
{
    CLEAN_FRAME struct ipc_frame ask;
    ipc_frame_init(&ask, TLS_MEMORY_REPORTED);
    ipc_put_u64(&ask, (uint64_t)d->day);
    ipc_put_str(&ask, d->domain);
    ipc_put_u32(&ask, d->report);
    ipc_put_u8(&ask, (uint8_t)state);
    ipc_put_u64(&ask, (uint64_t)next_attempt);
    return tell(q, &ask, e);
}

bool queue_tls_received(struct queue_tls *q, const struct tls_summary *s, struct err *e)
{
    CLEAN_FRAME struct ipc_frame ask;
    ipc_frame_init(&ask, TLS_MEMORY_RECEIVED);
    tls_summary_put(&ask, s);
    return tell(q, &ask, e);
}
