/* The MTA-STS policy of a domain (RFC 8461), from where it is nearest: this process's memory, what was kept
 * on disk (queue/tls_memory.h), the domain's web server. */
#ifndef RELAY_STS_H
#define RELAY_STS_H
#include "queue/tls_memory.h"
#include "relay/route.h"
#include "trust/mta_sts.h"

struct sts;
/* `port` is of web servers. `memory` NULL: nothing is kept. Both must live as long as the result. */
struct sts *sts_new(const struct route_resolver *dns, struct queue_tls *memory, uint16_t port);

struct sts_answer {
    bool has_policy; /* and it has not run out */
    struct mta_sts_policy policy;
    struct str text; /* of the policy: its mx are slices of this */
    /* Nothing but success where nothing went wrong: else why there is no new policy, for a report. */
    enum tls_rpt_result problem;
    struct str words;
};
/* May wait for the web server for a minute. Safe from any thread; who asks about a domain that somebody else
 * is fetching waits too. Strings live in `a`. */
void sts_find(struct sts *s, struct str domain, struct arena *a, struct sts_answer *out);

#endif
