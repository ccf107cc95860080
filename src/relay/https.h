/* HTTPS as a client, for the policies of MTA-STS (RFC 8461) and for reports (RFC 8460): one request, no
 * redirects, no proxies, nothing kept, and bounded in bytes and time. Certificates are checked against the
 * authorities of tls.h, names against the URL; addresses come from our own DNS. Opens no files. */
#ifndef RELAY_HTTPS_H
#define RELAY_HTTPS_H
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "relay/route.h"

/* Once, before the sandbox and before threads. */
bool https_start(struct err *e);

/* The host's addresses as a request wants them; NULL: it has none. */
const char *https_addresses(const struct route_resolver *dns, struct str host, struct arena *a);

struct https_request {
    const char *url; /* https://HOST[:PORT]/... */
    const char *host;
    uint16_t port;
    const char *addresses;  /* of the host, numeric, with commas between; IPv6 in brackets */
    const char *media_type; /* that an answer must have (GET), or that `body` has */
    struct str body;        /* of a POST; empty: GET */
    int timeout_ms;
};
enum https_result {
    HTTPS_GOOD,
    HTTPS_NO_ANSWER,   /* no connection, no answer in time, or not what was asked for: *e says which */
    HTTPS_NOT_TRUSTED, /* its certificate */
};
/* GET: an answer 200 of that type, whose bytes go to the end of `out`; more than `out` may hold are an error.
 * POST: any answer from 200 to 299. */
enum https_result https_send(const struct https_request *r, struct buf *out, struct err *e);

#endif
