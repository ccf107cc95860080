#include "relay/route.h"

#include "base/network.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

struct dns_answer route_ask(const struct route_resolver *dns, enum dns_type type, struct str name,
                            struct arena *a)
{
    struct dns_answer answer = {0};
    dns->lookup(dns->context, &(struct dns_question){type, name}, 1, a, &answer);
    return answer;
}

struct route_families route_ask_families(const struct route_resolver *dns, struct str host, struct arena *a)
{
    struct dns_answer answers[2] = {0};
    dns->lookup(dns->context, (const struct dns_question[]){{DNS_AAAA, host}, {DNS_A, host}}, 2, a, answers);
    return (struct route_families){.v6 = answers[0], .v4 = answers[1]};
}

bool route_is_numeric(struct str host)
{
    struct ip_address address;
    return ip_address_read(host, &address);
}

static void end(struct route *out, enum route_status status, struct str reason)
{
    out->status = status;
    out->reason = reason;
    out->count = 0;
}

static void single(struct route *out, struct str host)
{
    out->status = ROUTE_FOUND;
    out->hosts[0] = host;
    out->count = 1;
}

/* --- "[192.0.2.1]" and "[IPv6:2001:db8::1]": RFC 5321 section 4.1.3 --- */

static void take_literal(struct str domain, struct arena *a, struct route *out)
{
    struct str address = str_slice(domain, 1, domain.n - 2);
    if (str_starts_nocase(address, STR("IPv6:")))
        address = str_from_offset(address, 5);
    if (route_is_numeric(address))
        single(out, address);
    else
        end(out, ROUTE_PERMANENT, arena_printf(a, "5.1.3 %.*s is not an address", STR_ARGS(domain)));
}

/* --- MX --- */

/* Its place among those with the same preference is left to chance (RFC 5321 section 5.1). */
struct candidate {
    struct str host;
    uint16_t preference;
    uint32_t chance;
};

static int compare(const void *left, const void *right)
{
    const struct candidate *a = left, *b = right;
    if (a->preference != b->preference)
        return a->preference < b->preference ? -1 : 1;
    return a->chance < b->chance ? -1 : a->chance > b->chance;
}

static bool is_null_mx(const struct dns_answer *mx)
{
    return mx->count == 1 && mx->records[0].data.n == 0;
}

/* If we are among the servers, only better ones than we may get the mail: else it would come back. */
static size_t drop_from_own(struct candidate *list, size_t n, struct str own)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq_nocase(list[i].host, own)) {
            uint16_t ours = list[i].preference;
            while (n > 0 && list[n - 1].preference >= ours)
                n--;
            return n;
        }
    return n;
}

static void take_mx(const struct config *c, const struct dns_answer *mx, struct str domain, struct arena *a,
                    struct route *out)
{
    if (is_null_mx(mx)) {
        end(out, ROUTE_PERMANENT, arena_printf(a, "5.1.10 %.*s takes no mail (null MX)", STR_ARGS(domain)));
        return;
    }
    struct candidate *list = ARENA_ARRAY(a, struct candidate, mx->count);
    size_t n = 0;
    for (size_t i = 0; i < mx->count; i++) {
        if (mx->records[i].data.n == 0)
            continue;
        list[n] = (struct candidate){.host = mx->records[i].data, .preference = mx->records[i].preference};
        if (getrandom(&list[n].chance, sizeof list[n].chance, 0) != sizeof list[n].chance)
            list[n].chance = (uint32_t)n; /* then the order of the answer, which servers rotate too */
        n++;
    }
    qsort(list, n, sizeof *list, compare);
    size_t left = drop_from_own(list, n, c->hostname);
    if (left == 0) {
        end(out, ROUTE_PERMANENT,
            arena_printf(a, "5.4.6 mail for %.*s leads back to %.*s", STR_ARGS(domain),
                         STR_ARGS(c->hostname)));
        return;
    }
    out->status = ROUTE_FOUND;
    for (size_t i = 0; i < left && i < ROUTE_HOSTS_MAX; i++)
        out->hosts[out->count++] = list[i].host;
}

static void find_by_dns(const struct config *c, const struct route_resolver *dns, struct str domain,
                        struct arena *a, struct route *out)
{
    struct dns_answer mx = route_ask(dns, DNS_MX, domain, a);
    out->domain = domain;
    out->is_secure = mx.secure;
    switch (mx.status) {
    case DNS_FOUND: take_mx(c, &mx, domain, a, out); break;
    case DNS_NO_DATA: single(out, domain); break; /* the implicit MX */
    case DNS_NO_NAME:
        end(out, ROUTE_PERMANENT, arena_printf(a, "5.1.2 there is no domain %.*s", STR_ARGS(domain)));
        break;
    case DNS_TEMPORARY:
        end(out, ROUTE_TEMPORARY, arena_printf(a, "4.4.3 DNS does not answer for %.*s", STR_ARGS(domain)));
        break;
    }
}

bool route_is_socket(struct str host)
{
    return str_starts(host, STR("/"));
}

void route_find(const struct config *c, const struct route_resolver *dns, const struct directory_route *way,
                struct str domain, struct arena *a, struct route *out)
{
    *out = (struct route){.is_lmtp = way->is_lmtp, .port = way->is_lmtp ? ROUTE_LMTP_PORT : ROUTE_PORT};
    if (way->port > 0)
        out->port = way->port;
    if (way->host.n > 0 && !way->by_mx) {
        out->is_secure = true;
        single(out, way->host);
        return;
    }
    if (way->by_mx)
        domain = way->host;
    if (str_starts(domain, STR("[")) && str_ends(domain, STR("]")))
        take_literal(domain, a, out);
    else
        find_by_dns(c, dns, domain, a, out);
}

/* --- addresses --- */

/* False: DNS did not answer. */
static bool add_addresses(const struct dns_answer *answer, size_t most, struct route_addresses *out)
{
    for (size_t i = 0; answer->status == DNS_FOUND && i < answer->count && out->count < most; i++)
        out->addresses[out->count++] = answer->records[i].data;
    if (answer->status == DNS_FOUND) {
        out->is_secure &= answer->secure;
        out->canonical = answer->canonical;
    }
    return answer->status != DNS_TEMPORARY;
}

void route_addresses(const struct route_resolver *dns, struct str host, struct arena *a,
                     struct route_addresses *out)
{
    *out = (struct route_addresses){.status = ROUTE_FOUND, .is_secure = true};
    if (route_is_numeric(host)) {
        out->addresses[out->count++] = host;
        return;
    }
    /* Both are waited for: what DNSSEC says of either decides whether DANE holds for the host. */
    struct route_families found = route_ask_families(dns, host, a);
    bool answered = add_addresses(&found.v6, ROUTE_ADDRESSES_MAX / 2, out);
    answered &= add_addresses(&found.v4, ROUTE_ADDRESSES_MAX, out);
    if (out->count > 0)
        return;
    out->is_secure = false;
    out->status = answered ? ROUTE_PERMANENT : ROUTE_TEMPORARY;
    out->reason = answered ? arena_printf(a, "5.4.4 %.*s has no address", STR_ARGS(host))
                           : arena_printf(a, "4.4.3 DNS does not answer for %.*s", STR_ARGS(host));
}

struct str route_key(const struct directory_route *way, struct str domain, struct arena *a)
{
    struct str to = way->host.n > 0 ? way->host : domain;
    return arena_printf(a, "%s%.*s %u %s %s %.*s %.*s %.*s", way->host.n > 0 && !way->by_mx ? "=" : "",
                        STR_ARGS(to), way->port, way->is_lmtp ? "lmtp" : "smtp", directory_tls_name(way->tls),
                        STR_ARGS(way->source_ipv4), STR_ARGS(way->source_ipv6), STR_ARGS(way->user));
}
