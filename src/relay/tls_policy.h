/* What TLS a connection to another mail server must have, from all who have a say: the administrator
 * (routes), the destination (DANE, RFC 7672; MTA-STS, RFC 8461, which DANE goes before), and the message
 * (REQUIRETLS and "TLS-Required: No", RFC 8689). */
#ifndef RELAY_TLS_POLICY_H
#define RELAY_TLS_POLICY_H
#include "directory/directory.h"
#include "relay/route.h"
#include "relay/sts.h"
#include "relay/tls.h"
#include "relay/tls_results.h"

enum tls_wish { /* of a message */
                TLS_WISH_NONE,
                TLS_WISH_REQUIRE, /* REQUIRETLS: RFC 8689 section 2 */
                TLS_WISH_WAIVE,   /* "TLS-Required: No": what the destination published does not matter */
};
/* REQUIRETLS goes before the header field (RFC 8689 section 4.1). `message`: its bytes, or the first of them.
 */
enum tls_wish tls_wish_of(bool requires_tls, struct str message);

struct tls_policies; /* the role's; safe from any thread */
/* All must live as long as the result. `sts` NULL: no MTA-STS; `results` NULL: nothing is counted. */
struct tls_policies *tls_policies_new(const struct route_resolver *dns, struct sts *sts,
                                      struct tls_results *results);

/* Where a message is going, whichever of the hosts there gets it. */
struct tls_destination {
    const struct route *route;
    enum directory_tls least; /* the administrator's */
    enum tls_wish wish;
};

enum tls_level {
    TLS_LEVEL_NEVER,   /* no STARTTLS */
    TLS_LEVEL_MAY,     /* if it is offered and works; else in plain text */
    TLS_LEVEL_ENCRYPT, /* nothing in plain text; anybody's certificate will do */
    TLS_LEVEL_PROVEN,  /* and demand.check must hold */
};
struct tls_policy {
    enum tls_level level;
    struct tls_demand demand;
    bool wants_requiretls; /* the server must offer REQUIRETLS, inside of TLS */
    /* For reports: what it was held to (domain "": not counted), and what was wrong before it even began. */
    struct tls_rpt_policy report;
    enum tls_rpt_result problem;
    struct str words;
};

/* The policy for one host of the destination, whose addresses are `addresses`. False: it must not be tried;
 * *reason is a status code and words, the code's class telling whether that is for good. Asks DNS, and may
 * wait for a web server. Strings live in `a`. */
bool tls_policy_find(struct tls_policies *all, const struct tls_destination *d, struct str host,
                     const struct route_addresses *addresses, struct arena *a, struct tls_policy *out,
                     struct str *reason);

/* What came of TLS in one session. */
struct tls_session {
    struct str host, address; /* of the server; address "": it did not come to a connection */
    struct str source;        /* our address */
    enum tls_rpt_result result;
    struct str reason; /* why it failed */
};
void tls_policy_record(struct tls_policies *all, const struct tls_policy *p, const struct tls_session *s);

#endif
