#include "dns/dns.h"

#include "base/log.h"
#include "base/mem.h"
#include "role/role.h"

/* Lookups at once from one process; a further one waits for a free channel. Relay has at most as many threads
 * that ask. */
#define CHANNELS_MAX 256

struct dns {
    struct ipc_pool *pool;
    struct role_target target;
};

struct dns *dns_client(struct role *r)
{
    struct dns *d = MEM_NEW(struct dns);
    d->target = (struct role_target){r, ROLE_DNS};
    d->pool = ipc_pool_new("dns", CHANNELS_MAX, role_connect_pool, &d->target);
    return d;
}

static bool read_answer(const struct ipc_frame *f, struct arena *a, struct dns_answer *out)
{
    struct ipc_reader in = ipc_read(f);
    uint8_t status = ipc_get_u8(&in);
    out->secure = ipc_get_u8(&in) != 0;
    out->canonical = arena_copy(a, ipc_get_str(&in));
    uint32_t n = ipc_get_u32(&in);
    if (f->type != DNS_FRAME_ANSWER || in.bad || status > DNS_TEMPORARY || n > DNS_RECORDS_MAX)
        return false;
    out->status = (enum dns_status)status;
    out->records = ARENA_ARRAY(a, struct dns_record, n);
    out->count = n;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t preference = ipc_get_u32(&in);
        out->records[i].preference = (uint16_t)preference;
        out->records[i].data = arena_copy(a, ipc_get_str(&in));
    }
    return ipc_done(&in);
}

static void fail(const struct dns_question *q, const char *reason, struct dns_answer *out)
{
    LOG_WARNING("dns.no_answer", F_STR("name", q->name), F_C("reason", reason));
    *out = (struct dns_answer){.status = DNS_TEMPORARY};
}

void dns_lookup(struct dns *d, const struct dns_question *questions, size_t n, struct arena *a,
                struct dns_answer *out)
{
    struct ipc_frame asks[DNS_QUESTIONS_MAX], answers[DNS_QUESTIONS_MAX];
    struct err e = ERR_INIT;
    for (size_t i = 0; i < n; i++) {
        ipc_frame_init(&asks[i], DNS_FRAME_LOOKUP);
        ipc_put_u32(&asks[i], questions[i].type);
        ipc_put_str(&asks[i], questions[i].name);
    }
    bool called = ipc_pool_call_all(d->pool, asks, answers, n, deadline_in(DNS_TIMEOUT_MS), &e);
    for (size_t i = 0; i < n; i++) {
        if (!called)
            fail(&questions[i], e.text, &out[i]);
        else if (!read_answer(&answers[i], a, &out[i]))
            fail(&questions[i], "dns sent no valid answer", &out[i]);
        if (called)
            ipc_frame_free(&answers[i]);
        ipc_frame_free(&asks[i]);
    }
}
