/* The thread that hands results of TLS to the queue, and once a day (UTC) sends each domain that asks for it
 * a report about them (RFC 8460), by mail or HTTPS as its record says. */
#ifndef RELAY_REPORTER_H
#define RELAY_REPORTER_H
#include "queue/queue.h"
#include "relay/route.h"
#include "relay/tls_results.h"

struct reporter_settings {
    struct route_resolver dns;
    struct queue_tls *memory;
    struct queue_client *queue; /* takes mail */
    struct tls_results *results;
    struct str hostname;
    bool sends; /* [tls] reports */
};
struct reporter;
/* Its thread begins; it ends with the process. */
struct reporter *reporter_start(const struct reporter_settings *s);
/* An administrator may have asked for reports: looks now. */
void reporter_wake(struct reporter *r);

#endif
