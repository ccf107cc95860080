#include "relay/reach.h"

#include "base/log.h"
#include "relay/dial.h"

#include <stdio.h>
#include <string.h>

#define CONNECT_MS (30 * 1000)      /* of a host; RFC 5321 says nothing of it, Postfix waits as long */
#define MEMORY_MS  (10 * 60 * 1000) /* how long what was seen of an address counts: RFC 8305 section 4 */

static void note_failure(struct reach *r, bool is_permanent, struct str reason)
{
    r->only_permanent &= is_permanent;
    r->reason = reason;
    transcript_add(r->log, TRANSCRIPT_NOTE, reason);
}

static bool is_loopback(struct str host)
{
    return str_starts(host, STR("127.")) || str_eq(host, STR("::1")) ||
           str_eq_nocase(host, STR("localhost")) || route_is_socket(host);
}

/* A password is shown to nobody but the host that it is for, unless the administrator wants it so. */
static enum directory_tls least_of(const struct directory_route *way)
{
    return way->user.n > 0 && way->tls == DIRECTORY_TLS_ANY && !is_loopback(way->host) ? DIRECTORY_TLS_VERIFY
                                                                                       : way->tls;
}

bool reach_begin(struct reach *r, struct str domain)
{
    r->host = 0;
    r->connections = 0;
    r->only_permanent = true;
    r->to.route = &r->route;
    r->to.least = least_of(r->way);
    route_find(r->config, r->dns, r->way, domain, r->arena, &r->route);
    if (r->route.status == ROUTE_FOUND)
        return true;
    note_failure(r, r->route.status == ROUTE_PERMANENT, r->route.reason);
    return false;
}

/* --- the addresses of a host --- */

struct candidates {
    struct dial_address list[DIAL_ADDRESSES_MAX];
    size_t count;
};

static void add_candidate(struct reach *r, struct candidates *c, struct str address)
{
    const char *to = arena_copy_c(r->arena, address);
    struct str source = dial_family(to) == 6 ? r->way->source_ipv6 : r->way->source_ipv4;
    if (c->count < DIAL_ADDRESSES_MAX)
        c->list[c->count++] = (struct dial_address){
            .address = to, .source = source.n > 0 ? arena_copy_c(r->arena, source) : NULL};
}

/* Families in turn, the one first that was reached the last time, else IPv6 (RFC 8305 section 4); what has
 * failed a while ago comes last. */
static void order(struct reach *r, struct str host, const struct route_addresses *found, struct candidates *c)
{
    int preferred = memory_get(r->memory, MEMORY_FAMILY, host) == 4 ? 4 : 6;
    int other = preferred == 4 ? 6 : 4;
    for (int is_bad = 0; is_bad < 2; is_bad++) {
        size_t at[2] = {0, 0};
        for (bool more = true; more;) {
            more = false;
            for (int turn = 0; turn < 2; turn++) {
                int family = turn == 0 ? preferred : other;
                size_t *i = &at[turn];
                while (*i < found->count &&
                       (dial_family(arena_copy_c(r->arena, found->addresses[*i])) != family ||
                        (memory_get(r->memory, MEMORY_BAD_ADDRESS, found->addresses[*i]) != 0) != is_bad))
                    ++*i;
                if (*i == found->count)
                    continue;
                add_candidate(r, c, found->addresses[(*i)++]);
                more = true;
            }
        }
    }
}

/* What is left when some have been connected to, or have failed. */
static void drop_tried(struct candidates *c)
{
    size_t left = 0;
    for (size_t i = 0; i < c->count; i++)
        if (!c->list[i].was_tried)
            c->list[left++] = c->list[i];
    c->count = left;
}

/* --- a connection --- */

static int connect_one(struct reach *r, struct str host, struct dial_address *list, size_t n, size_t *which)
{
    transcript_addf(r->log, TRANSCRIPT_NOTE, "connecting to %.*s[%s]:%u", STR_ARGS(host), list[0].address,
                    r->route.port);
    int fd = dial(list, n, r->route.port, deadline_in(CONNECT_MS), which);
    for (size_t i = 0; i < n; i++) {
        if (!list[i].was_tried || list[i].failure[0] == '\0')
            continue;
        memory_put(r->memory, MEMORY_BAD_ADDRESS, str_from_c(list[i].address), 1, MEMORY_MS);
        note_failure(r, false,
                     arena_printf(r->arena, "4.4.1 cannot connect to %.*s[%s]:%u: %s", STR_ARGS(host),
                                  list[i].address, r->route.port, list[i].failure));
    }
    if (fd >= 0) {
        const char *address = list[*which].address;
        memory_put(r->memory, MEMORY_FAMILY, host, (uint8_t)dial_family(address), MEMORY_MS);
        transcript_addf(r->log, TRANSCRIPT_NOTE, "connected to %s", address);
    }
    return fd;
}

static bool is_open(struct reach *r, struct peer *p, enum peer_result result, const struct peer_target *to,
                    const struct err *e)
{
    if (result == PEER_OPEN) {
        p->no_chunking = memory_get(r->memory, MEMORY_NO_BDAT, to->address) != 0;
        return true;
    }
    r->is_busy |= p->is_busy;
    note_failure(r, e->kind == ERR_PERMANENT, arena_copy(r->arena, str_from_c(e->text)));
    LOG_DEBUG("relay.not_open", F_STR("host", to->host), F_STR("address", to->address),
              F_C("reason", e->text));
    return false;
}

static struct peer_target target(const struct reach *r, struct str host, struct str address,
                                 const struct tls_policy *policy)
{
    return (struct peer_target){
        .host = host,
        .address = address,
        .port = r->route.port,
        .hostname = r->config->hostname,
        .tls = policy,
        .is_lmtp = r->route.is_lmtp,
        .user = r->way->user,
        .password = r->way->password,
    };
}

/* Counted for the domain's report, if it came so far as to TLS. */
static void record_tls(struct reach *r, const struct peer *p, enum peer_result result,
                       const struct tls_policy *policy, struct tls_session *session, const struct err *e)
{
    session->result = p->tls_result;
    session->reason = str_from_c(result == PEER_OPEN ? p->tls_words : e->text);
    if (result != PEER_NOT_OPEN)
        tls_policy_record(r->tls, policy, session);
    if (result == PEER_TLS_FAILED)
        LOG_WARNING("relay.tls_failed", F_STR("host", session->host), F_STR("address", session->address),
                    F_STR("result", tls_rpt_result_name(p->tls_result)), F_C("reason", e->text));
}

/* Over the connected socket. */
static bool open_over(struct reach *r, struct peer *p, int fd, struct str host, struct dial_address *at,
                      const struct tls_policy *policy)
{
    struct err e = ERR_INIT;
    struct peer_target to = target(r, host, str_from_c(at->address), policy);
    char source[DIAL_ADDRESS_TEXT];
    struct tls_session session = {.host = host, .address = to.address, .source = dial_source(fd, source)};
    enum peer_result result = peer_open(p, fd, &to, r->log, &e);
    record_tls(r, p, result, policy, &session, &e);
    if (result == PEER_TLS_FAILED && policy->level == TLS_LEVEL_MAY) {
        /* opportunistic: the mail goes out in plain text rather than not at all */
        struct tls_policy plain = {.level = TLS_LEVEL_NEVER};
        size_t which;
        int again = connect_one(r, host, at, 1, &which);
        to.tls = &plain;
        if (again < 0)
            return false;
        result = peer_open(p, again, &to, r->log, &e);
    }
    return is_open(r, p, result, &to, &e);
}

static bool connect_host(struct reach *r, struct peer *p, struct str host)
{
    struct route_addresses found;
    struct candidates c = {.count = 0};
    struct tls_policy policy;
    struct str reason;
    route_addresses(r->dns, host, r->arena, &found);
    if (found.status != ROUTE_FOUND) {
        note_failure(r, found.status == ROUTE_PERMANENT, found.reason);
        return false;
    }
    if (!tls_policy_find(r->tls, &r->to, host, &found, r->arena, &policy, &reason)) {
        LOG_WARNING("relay.tls_refused", F_STR("host", host), F_STR("reason", reason));
        note_failure(r, str_starts(reason, STR("5")), reason);
        return false;
    }
    order(r, host, &found, &c);
    while (c.count > 0 && r->connections < REACH_CONNECTIONS_MAX) {
        size_t which;
        int fd = connect_one(r, host, c.list, c.count, &which);
        if (fd < 0)
            return false;
        r->connections++;
        struct dial_address winner = c.list[which];
        drop_tried(&c);
        if (open_over(r, p, fd, host, &winner, &policy))
            return true;
    }
    return false;
}

/* A wire of our own: neither addresses nor TLS. */
static bool connect_socket(struct reach *r, struct peer *p, struct str path)
{
    struct err e = ERR_INIT;
    struct tls_policy plain = {.level = TLS_LEVEL_NEVER};
    struct peer_target to = target(r, path, path, &plain);
    transcript_addf(r->log, TRANSCRIPT_NOTE, "connecting to %.*s", STR_ARGS(path));
    int fd = r->sockets->connect(r->sockets->context, path, &e);
    if (fd < 0) {
        note_failure(r, false,
                     arena_printf(r->arena, "4.4.1 cannot connect to %.*s: %s", STR_ARGS(path), e.text));
        return false;
    }
    r->connections++;
    return is_open(r, p, peer_open(p, fd, &to, r->log, &e), &to, &e);
}

bool reach_next(struct reach *r, struct peer *p)
{
    while (r->host < r->route.count && r->connections < REACH_CONNECTIONS_MAX) {
        struct str host = r->route.hosts[r->host++];
        if (route_is_socket(host) ? connect_socket(r, p, host) : connect_host(r, p, host))
            return true;
    }
    return false;
}
