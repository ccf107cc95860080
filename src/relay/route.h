/* Where mail for a domain goes: the administrator's routes, MX records in order (RFC 5321 section 5.1, RFC
 * 7505), or the domain's own addresses. */
#ifndef RELAY_ROUTE_H
#define RELAY_ROUTE_H
#include "config/config.h"
#include "directory/directory.h"
#include "dns/dns.h"

#define ROUTE_PORT          25
#define ROUTE_LMTP_PORT     24
#define ROUTE_HOSTS_MAX     10 /* servers of one domain that are tried; RFC 5321 asks for at least two */
#define ROUTE_ADDRESSES_MAX 8  /* addresses of one server */

/* How to ask DNS; dns_lookup, or what a test puts in its place. */
struct route_resolver {
    void (*lookup)(void *context, const struct dns_question *questions, size_t n, struct arena *a,
                   struct dns_answer *out);
    void *context;
};
/* One question. */
struct dns_answer route_ask(const struct route_resolver *dns, enum dns_type type, struct str name,
                            struct arena *a);
/* Both families at the same time: RFC 8305 section 3. */
struct route_families {
    struct dns_answer v6, v4;
};
struct route_families route_ask_families(const struct route_resolver *dns, struct str host, struct arena *a);

enum route_status {
    ROUTE_FOUND,
    ROUTE_TEMPORARY, /* `reason` says why: a status code and words, "4.4.3 ..." */
    ROUTE_PERMANENT,
};

struct route {
    enum route_status status;
    struct str reason;
    struct str hosts[ROUTE_HOSTS_MAX]; /* the best first; names, or numeric addresses */
    size_t count;
    uint16_t port;
    bool is_lmtp;
    struct str domain; /* whose servers these are: what they publish about TLS holds. "" where the config
                          names the host */
    bool is_secure;    /* DNSSEC proved which hosts these are; or the config names the host */
};
void route_find(const struct config *c, const struct route_resolver *dns, const struct directory_route *way,
                struct str domain, struct arena *a, struct route *out);
bool route_is_socket(struct str host);  /* a path of a unix socket */
bool route_is_numeric(struct str host); /* an address */

struct route_addresses {
    enum route_status status;
    struct str reason;
    struct str addresses[ROUTE_ADDRESSES_MAX]; /* numeric, IPv6 before IPv4 */
    size_t count;
    bool is_secure;       /* DNSSEC proved all of them */
    struct str canonical; /* struct dns_answer; "" where there is none */
};
void route_addresses(const struct route_resolver *dns, struct str host, struct arena *a,
                     struct route_addresses *out);

/* Mail with the same text shares connections: it has the same servers, login, TLS level and source. */
struct str route_key(const struct directory_route *way, struct str domain, struct arena *a);

#endif
