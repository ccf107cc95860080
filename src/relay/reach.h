/* Finds a server that takes a connection, for mail to one destination: one host after the other, the best
 * first, and of each host all addresses, with a head start for each (RFC 8305). */
#ifndef RELAY_REACH_H
#define RELAY_REACH_H
#include "relay/memory.h"
#include "relay/peer.h"
#include "relay/route.h"

#define REACH_CONNECTIONS_MAX 6 /* connections made for one job; Postfix stops after five */

/* How a unix socket is connected to: relay itself may not. */
struct reach_sockets {
    int (*connect)(void *context, struct str path, struct err *e); /* -1: *e */
    void *context;
};

struct reach {
    const struct config *config;
    const struct directory_route *way;
    const struct reach_sockets *sockets;
    const struct route_resolver *dns;
    struct memory *memory;
    struct tls_policies *tls;
    struct tls_destination to; /* `wish` is the caller's */
    struct arena *arena;       /* what is found lives there */
    struct transcript *log;
    struct route route;
    size_t host;          /* the next one */
    unsigned connections; /* made so far */
    /* why nothing could be reached, when reach_next says so */
    bool only_permanent; /* every failure was one for good */
    bool is_busy;        /* somebody had too much to do */
    struct str reason;
};

/* False: mail for this domain leads nowhere; r->reason says why. */
bool reach_begin(struct reach *r, struct str domain);
/* Opens a connection to the next host that takes one. False: there is none left. */
bool reach_next(struct reach *r, struct peer *p);

#endif
