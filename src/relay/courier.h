/* Carries jobs of one destination, one after another: finds the servers, connects to the best that can be
 * reached, keeps the connection for the next job. Belongs to one thread. */
#ifndef RELAY_COURIER_H
#define RELAY_COURIER_H
#include "relay/job.h"
#include "relay/reach.h"

#define COURIER_MESSAGES_MAX 1000            /* in one connection; then a fresh one, in case it wears out */
#define COURIER_AGE_MS       (5 * 60 * 1000) /* and after this long: MX records may have changed */

struct courier {
    const struct config *config; /* read anew for each job */
    struct route_resolver dns;
    struct memory *memory; /* shared by all */
    struct tls_policies *tls;
    struct reach_sockets sockets;
    struct peer peer;
    enum tls_wish peer_wish; /* of the message that it was opened for */
    struct deadline peer_until;
    /* why no server could be reached, after courier_carry said so */
    enum queue_fate failure_fate;
    char failure_reply[QUEUE_REPLY_MAX + 1];
};

/* Everybody in the job has an answer afterwards. False: no server could be reached, and another job for this
 * destination will fare no better now. */
bool courier_carry(struct courier *c, struct relay_job *j);
/* Gives everybody this answer without trying: no server could be reached a moment ago. */
void courier_decline(const struct courier *c, struct relay_job *j, enum queue_fate fate, struct str reply);
void courier_rest(struct courier *c); /* closes the connection */

#endif
