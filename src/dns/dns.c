#include "dns/dns.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/sandbox.h"
#include "config/config.h"
#include "dns/libunbound.h"
#include "dns/rdata.h"
#include "dns/resolver.h"
#include "role/role.h"

#include <sys/epoll.h>

/* libunbound works in a thread of its own; this one only carries questions and answers. */

#define LOOKUPS_MAX   1024  /* at once; libunbound's own bound (num-queries-per-thread) */
#define LOOKUP_MS     18000 /* under DNS_TIMEOUT_MS, so that the client still hears it */
#define DNS_FILES_MAX 1024  /* sockets of libunbound and channels */
#define REPLY_SEND_MS 1000  /* an answer fits the socket's buffer: a client that cannot take it is stuck */
#define CLASS_IN      1

struct server {
    struct loop *loop;
    struct ub_ctx *unbound;
    unsigned running;
};

struct lookup {
    struct server *server;
    uint64_t channel; /* loop_channel_serial of who asked */
    uint32_t id;      /* of its frame */
    enum dns_type type;
    int handle; /* libunbound's, for ub_cancel */
    struct loop_timer *timer;
    char *name;
};

static void lookup_free(struct lookup *l)
{
    l->server->running--;
    free(l->name);
    free(l);
}

static void answer(struct server *s, uint64_t channel, struct ipc_frame *f)
{
    struct loop_channel *c = loop_channel_find(s->loop, channel);
    if (c && ipc_send(loop_channel_fd(c), f, deadline_in(REPLY_SEND_MS)) != IPC_OK)
        loop_channel_close(c);
}

static void answer_status(struct server *s, uint64_t channel, uint32_t id, enum dns_status status,
                          bool secure)
{
    CLEAN_FRAME struct ipc_frame f;
    ipc_frame_init(&f, DNS_FRAME_ANSWER);
    f.id = id;
    ipc_put_u8(&f, (uint8_t)status);
    ipc_put_u8(&f, secure);
    ipc_put_str(&f, STR(""));
    ipc_put_u32(&f, 0);
    answer(s, channel, &f);
}

/* libunbound says it as text, in the case and with the final dot that it came with. */
static void add_canonical(const struct lookup *l, const struct ub_result *r, struct buf *out)
{
    struct str name = str_from_c(r->canonname), asked = str_from_c(l->name);
    name.n -= str_ends(name, STR("."));
    asked.n -= str_ends(asked, STR("."));
    if (l->type == DNS_CNAME || str_eq_nocase(name, asked) || !rdata_is_name(name))
        return;
    for (size_t i = 0; i < name.n; i++)
        buf_add_byte(out, ascii_lower(name.p[i]));
}

/* Records that do not parse are left out: a broken one beside good ones must not stop mail. */
static void answer_records(struct lookup *l, const struct ub_result *r)
{
    CLEAN_BUF struct buf data;
    buf_init(&data, IPC_PAYLOAD_MAX / 2);
    struct {
        size_t at, n;
        uint16_t preference;
    } records[DNS_RECORDS_MAX];
    uint32_t n = 0;
    for (size_t i = 0; r->data[i] && n < DNS_RECORDS_MAX; i++) {
        size_t at = data.n;
        struct str rdata = str_from(r->data[i], r->len[i] < 0 ? 0 : (size_t)r->len[i]);
        if (rdata_add(l->type, rdata, &data, &records[n].preference)) {
            records[n].at = at;
            records[n++].n = data.n - at;
        }
    }
    CLEAN_BUF struct buf canonical;
    buf_init(&canonical, NAME_MAX_TEXT);
    add_canonical(l, r, &canonical);
    CLEAN_FRAME struct ipc_frame f;
    ipc_frame_init(&f, DNS_FRAME_ANSWER);
    f.id = l->id;
    ipc_put_u8(&f, n > 0 ? DNS_FOUND : DNS_NO_DATA);
    ipc_put_u8(&f, r->secure != 0);
    ipc_put_str(&f, buf_str(&canonical));
    ipc_put_u32(&f, n);
    for (uint32_t i = 0; i < n; i++) {
        ipc_put_u32(&f, records[i].preference);
        ipc_put_str(&f, str_slice(buf_str(&data), records[i].at, records[i].n));
    }
    answer(l->server, l->channel, &f);
}

static void answer_result(struct lookup *l, const struct ub_result *r)
{
    enum { NO_ERROR = 0, NAME_ERROR = 3 }; /* RFC 1035 section 4.1.1 */
    if (r->bogus)
        LOG_WARNING("dns.bogus", F_C("name", l->name), F_INT("type", l->type),
                    F_C("reason", r->why_bogus ? r->why_bogus : "DNSSEC validation failed"));
    if (r->bogus || (r->rcode != NO_ERROR && r->rcode != NAME_ERROR))
        answer_status(l->server, l->channel, l->id, DNS_TEMPORARY, false);
    else if (r->nxdomain || r->rcode == NAME_ERROR)
        answer_status(l->server, l->channel, l->id, DNS_NO_NAME, r->secure);
    else if (!r->havedata)
        answer_status(l->server, l->channel, l->id, DNS_NO_DATA, r->secure);
    else
        answer_records(l, r);
}

static void resolved(void *context, int error, struct ub_result *result)
{
    struct lookup *l = context;
    loop_timer_cancel(l->timer);
    if (error == 0 && result) {
        answer_result(l, result);
    } else {
        LOG_WARNING("dns.error", F_C("name", l->name), F_C("reason", unbound.strerror(error)));
        answer_status(l->server, l->channel, l->id, DNS_TEMPORARY, false);
    }
    unbound.resolve_free(result);
    lookup_free(l);
}

static void took_too_long(void *context)
{
    struct lookup *l = context;
    LOG_INFO("dns.timeout", F_C("name", l->name), F_INT("type", l->type));
    unbound.cancel(l->server->unbound,
                   l->handle); /* "not found" would mean that `resolved` was called already */
    answer_status(l->server, l->channel, l->id, DNS_TEMPORARY, false);
    lookup_free(l);
}

static bool is_known_type(uint32_t type)
{
    switch (type) {
    case DNS_A:
    case DNS_CNAME:
    case DNS_PTR:
    case DNS_MX:
    case DNS_TXT:
    case DNS_AAAA:
    case DNS_SRV:
    case DNS_TLSA: return true;
    default: return false;
    }
}

static void start_lookup(struct server *s, uint64_t channel, uint32_t id, enum dns_type type, struct str name)
{
    if (!rdata_is_name(name)) { /* a name that cannot exist does not */
        answer_status(s, channel, id, DNS_NO_NAME, false);
        return;
    }
    if (s->running >= LOOKUPS_MAX) {
        LOG_WARNING("dns.busy", F_INT("running", s->running));
        answer_status(s, channel, id, DNS_TEMPORARY, false);
        return;
    }
    struct lookup *l = MEM_NEW(struct lookup);
    *l = (struct lookup){.server = s, .channel = channel, .id = id, .type = type};
    l->name = mem_copy_c(name.p, name.n);
    s->running++;
    int error = unbound.resolve_async(s->unbound, l->name, (int)type, CLASS_IN, l, resolved, &l->handle);
    if (error == 0) {
        l->timer = loop_timer(s->loop, LOOKUP_MS, took_too_long, l);
        return;
    }
    LOG_WARNING("dns.error", F_C("name", l->name), F_C("reason", unbound.strerror(error)));
    answer_status(s, channel, id, DNS_TEMPORARY, false);
    lookup_free(l);
}

static void take_frame(void *context, struct loop_channel *c, struct ipc_frame *f)
{
    struct server *s = context;
    struct ipc_reader in = ipc_read(f);
    uint32_t type = ipc_get_u32(&in);
    struct str name = ipc_get_str(&in);
    if (f->type != DNS_FRAME_LOOKUP || !ipc_done(&in) || !is_known_type(type)) {
        LOG_ERROR("dns.bad_frame", F_INT("type", f->type));
        loop_channel_close(c);
        return;
    }
    start_lookup(s, loop_channel_serial(c), f->id, (enum dns_type)type, name);
}

static void take_channel(void *context, int channel, enum role_kind client, uint32_t index)
{
    struct server *s = context;
    (void)client, (void)index;
    loop_channel(s->loop, channel, take_frame, NULL, s);
}

static void unbound_ready(void *context, uint32_t events)
{
    struct server *s = context;
    (void)events;
    int error = unbound.process(s->unbound);
    if (error != 0)
        log_die("dns.broken", "libunbound: %s", unbound.strerror(error));
}

int dns_main(struct role *r)
{
    struct err e = ERR_INIT;
    struct server s = {0};
    struct sandbox_profile profile = {
        .name = "dns",
        .rights = SANDBOX_CONNECT,
        .files_max = DNS_FILES_MAX,
        .landlock_required = r->config->sandbox_required,
    };
    s.unbound = resolver_new(r->config, &e);
    if (!s.unbound || !role_drop_user(r, &e) || !sandbox_enter(&profile, NULL, &e))
        log_die("dns.start", "%s", e.text);
    s.loop = loop_new();
    loop_watch(s.loop, unbound.fd(s.unbound), EPOLLIN, unbound_ready, &s);
    struct role_handlers handlers = {.channel = take_channel};
    role_attach(r, s.loop, &handlers, &s);
    loop_run(s.loop);
    /* The process ends with its lookups unanswered; their clients see the channel close and ask again. */
    return 0;
}
