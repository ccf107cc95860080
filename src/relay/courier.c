#include "relay/courier.h"

#include "base/log.h"
#include "base/sealed.h"
#include "message/address.h"

#include <string.h>

#define CONNECTS_MAX 6 /* addresses tried for one job; Postfix stops after five */

/* --- paths --- */

/* The address as it must stand between "<" and ">". It has come through parsers of ours, but a mistake there
 * must not let it write commands here. */
static bool make_path(struct str address, struct arena *a, struct str *path)
{
    CLEAN_BUF struct buf out;
    buf_init(&out, (size_t)4096);
    for (size_t i = 0; i < address.n; i++)
        if ((unsigned char)address.p[i] < ' ' || (unsigned char)address.p[i] >= 127)
            return false;
    size_t at = str_rfind_byte(address, '@');
    struct str local = str_slice(address, 0, at), domain = str_from_offset(address, at);
    if (at == STR_NONE || local.n == 0 || domain.n < 2)
        return false;
    domain = str_from_offset(domain, 1);
    for (size_t i = 0; i < domain.n; i++)
        if (domain.p[i] == '<' || domain.p[i] == '>' || domain.p[i] == ' ')
            return false;
    struct str quoted = address, parsed_local, parsed_domain;
    if (local.p[0] == '"' && address_take_smtp(&quoted, false, a, &parsed_local, &parsed_domain) &&
        quoted.n == 0)
        buf_add(&out, address); /* quoted already */
    else
        address_add(&out, local, domain);
    *path = arena_copy(a, buf_str(&out));
    return !out.overflow;
}

/* --- the connection --- */

struct search { /* for a server that can be reached */
    struct courier *courier;
    struct arena *arena;
    struct route route;
    struct tls_destination to;
    unsigned connects;
    bool only_permanent; /* every failure so far was one for good */
    struct str reason;   /* of the last one */
};

static bool connect_to(struct search *s, const struct tls_policy *policy, struct str host, struct str address)
{
    struct courier *c = s->courier;
    struct err e = ERR_INIT;
    struct peer_target to = {
        .host = host,
        .address = address,
        .port = s->route.port,
        .hostname = c->config->hostname,
        .tls = policy,
    };
    s->connects++;
    enum peer_result result = peer_open(&c->peer, &to, &e);
    if (result == PEER_TLS_FAILED)
        LOG_WARNING("relay.tls_failed", F_STR("host", host), F_STR("address", address),
                    F_STR("result", tls_rpt_result_name(c->peer.tls_result)), F_C("reason", e.text));
    if (result == PEER_TLS_FAILED && policy->level == TLS_LEVEL_MAY) {
        /* opportunistic: the mail goes out in plain text rather than not at all */
        struct tls_policy plain = {.level = TLS_LEVEL_NEVER};
        to.tls = &plain;
        result = peer_open(&c->peer, &to, &e);
    }
    if (result == PEER_OPEN) {
        c->peer_until = deadline_in(COURIER_AGE_MS);
        c->peer_wish = s->to.wish;
        return true;
    }
    s->only_permanent &= e.kind == ERR_PERMANENT;
    s->reason = arena_copy(s->arena, str_from_c(e.text));
    LOG_DEBUG("relay.not_open", F_STR("host", host), F_STR("address", address), F_C("reason", e.text));
    return false;
}

static bool connect_host(struct search *s, struct str host)
{
    struct route_addresses found;
    struct tls_policy policy;
    struct str reason;
    route_addresses(&s->courier->dns, host, s->arena, &found);
    if (found.status != ROUTE_FOUND) {
        s->only_permanent &= found.status == ROUTE_PERMANENT;
        s->reason = found.reason;
    }
    if (found.count > 0 &&
        !tls_policy_find(s->courier->tls, &s->to, host, &found, s->arena, &policy, &reason)) {
        LOG_WARNING("relay.tls_refused", F_STR("host", host), F_STR("reason", reason));
        s->only_permanent &= str_starts(reason, STR("5"));
        s->reason = reason;
        return false;
    }
    for (size_t i = 0; i < found.count && s->connects < CONNECTS_MAX; i++)
        if (connect_to(s, &policy, host, found.addresses[i]))
            return true;
    return false;
}

static bool no_server(struct courier *c, bool for_good, struct str reason)
{
    reason = str_slice(reason, 0, sizeof c->failure_reply - 1);
    memcpy(c->failure_reply, reason.p, reason.n);
    c->failure_reply[reason.n] = '\0';
    c->failure_fate = for_good ? QUEUE_FAILED : QUEUE_DEFERRED;
    return false;
}

/* False: c->failure_* say why not. */
static bool connect_any(struct courier *c, struct relay_job *j, enum tls_wish wish)
{
    struct search s = {.courier = c, .arena = &j->arena, .only_permanent = true};
    s.to = (struct tls_destination){.route = &s.route, .least = DIRECTORY_TLS_ANY, .wish = wish};
    route_find(c->config, &c->dns, j->domain, &j->arena, &s.route);
    if (s.route.status != ROUTE_FOUND)
        return no_server(c, s.route.status == ROUTE_PERMANENT, s.route.reason);
    for (size_t i = 0; i < s.route.count && s.connects < CONNECTS_MAX; i++)
        if (connect_host(&s, s.route.hosts[i]))
            return true;
    return no_server(c, s.only_permanent, s.reason);
}

void courier_rest(struct courier *c)
{
    peer_close(&c->peer);
}

/* --- the job --- */

static void log_recipient(const struct courier *c, const struct relay_job *j, const struct relay_recipient *r)
{
    static const char *const EVENTS[] = {"relay.sent", "relay.deferred", "relay.failed"};
    bool was_there = r->host.n > 0;
    LOG_INFO(EVENTS[r->fate], F_INT("id", j->message), F_STR("from", j->sender), F_STR("to", r->address),
             F_STR("host", r->host), F_C("address", was_there ? c->peer.address : ""),
             F_STR("tls", c->peer.tls ? tls_description(c->peer.tls) : STR("no")), F_STR("reply", r->reply));
}

/* Whose words a reply is: a server's begins with its code. */
static bool is_theirs(struct str reply)
{
    return reply.n >= 3 && ascii_is_digit(reply.p[0]) && ascii_is_digit(reply.p[1]) &&
           ascii_is_digit(reply.p[2]);
}

/* Takes over the answers of the recipients that were sent: true when nobody is left without one. */
static bool take_answers(const struct courier *c, struct relay_job *j, struct relay_recipient **sent,
                         struct peer_message *m)
{
    size_t left = 0;
    for (size_t i = 0; i < m->count; i++) {
        if (!m->recipients[i].answered) {
            sent[left] = sent[i];
            m->recipients[left++] = m->recipients[i];
            continue;
        }
        sent[i]->answered = true;
        sent[i]->fate = m->recipients[i].fate;
        sent[i]->reply = m->recipients[i].reply;
        sent[i]->host = is_theirs(sent[i]->reply) ? arena_copy(&j->arena, str_from_c(c->peer.host)) : STR("");
        log_recipient(c, j, sent[i]);
    }
    m->count = left;
    return left == 0;
}

/* Recipients whose address can be written. */
static void make_recipients(const struct courier *c, struct relay_job *j, struct relay_recipient **sent,
                            struct peer_message *m)
{
    m->recipients = ARENA_ARRAY(&j->arena, struct peer_recipient, j->count);
    for (size_t i = 0; i < j->count; i++) {
        struct relay_recipient *r = &j->recipients[i];
        if (make_path(r->address, &j->arena, &m->recipients[m->count].path)) {
            sent[m->count++] = r;
            continue;
        }
        r->answered = true;
        r->fate = QUEUE_FAILED;
        r->reply = STR("5.1.3 this address cannot be sent to: it needs SMTPUTF8, or is no address");
        log_recipient(c, j, r);
    }
}

static bool carry_bytes(struct courier *c, struct relay_job *j, struct str bytes, enum tls_wish wish)
{
    struct relay_recipient **sent = ARENA_ARRAY(&j->arena, struct relay_recipient *, j->count);
    struct peer_message m = {.requires_tls = wish == TLS_WISH_REQUIRE,
                             .is_8bit = j->is_8bit,
                             .bytes = bytes,
                             .is_orphan = &j->is_orphan,
                             .arena = &j->arena};
    if (j->sender.n > 0 && !make_path(j->sender, &j->arena, &m.sender)) {
        courier_decline(c, j, QUEUE_FAILED, STR("5.1.7 the sender's address cannot be written"));
        return true;
    }
    make_recipients(c, j, sent, &m);
    if (m.count == 0)
        return true;
    if (c->peer.is_open &&
        (c->peer.messages >= COURIER_MESSAGES_MAX || deadline_passed(c->peer_until) || c->peer_wish != wish))
        courier_rest(c);
    if (c->peer.is_open) {
        peer_send(&c->peer, &m);
        if (take_answers(c, j, sent, &m))
            return true;
        courier_rest(c); /* it was kept too long; a fresh one follows */
    }
    if (!connect_any(c, j, wish)) {
        courier_decline(c, j, c->failure_fate, arena_copy(&j->arena, str_from_c(c->failure_reply)));
        return false;
    }
    peer_send(&c->peer, &m);
    take_answers(c, j, sent, &m); /* a fresh connection leaves nobody without */
    return true;
}

void courier_decline(const struct courier *c, struct relay_job *j, enum queue_fate fate, struct str reply)
{
    for (size_t i = 0; i < j->count; i++) {
        struct relay_recipient *r = &j->recipients[i];
        if (r->answered)
            continue;
        r->answered = true;
        r->fate = fate;
        r->reply = reply;
        log_recipient(c, j, r);
    }
}

bool courier_carry(struct courier *c, struct relay_job *j)
{
    struct str bytes;
    struct err e = ERR_INIT;
    if (!sealed_read(j->fd, j->size, &bytes, &e)) {
        LOG_ERROR("relay.message", F_INT("id", j->message), F_C("reason", e.text));
        courier_decline(c, j, QUEUE_DEFERRED, STR("4.3.0 the message could not be read"));
        return true;
    }
    enum tls_wish wish = tls_wish_of(false, bytes);
    bool reached = carry_bytes(c, j, bytes, wish) || wish == TLS_WISH_REQUIRE; /* others may fare better */
    sealed_release(bytes);
    return reached;
}
