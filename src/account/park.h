/* A session that sleeps, as the account process leaves it with keeper: its connection, the protocol's own
 * bytes, and how long it had to be quiet. Pure. */
#ifndef ACCOUNT_PARK_H
#define ACCOUNT_PARK_H
#include "gate/connection.h"

/* How long a session must be quiet before it sleeps: at first as the config says, and twice as long each time
 * that it is woken within PARK_SHORT_MS, up to PARK_PATIENCE_MAX_MS: waking costs some milliseconds, so one
 * that is asked for something all the time stays awake. */
#define PARK_SHORT_MS        (30 * (int64_t)1000)
#define PARK_PATIENCE_MAX_MS (120 * (int64_t)1000)

struct account_parked {
    struct connection connection;
    int64_t since_ms;     /* on the monotonic clock */
    uint32_t patience_ms; /* it had to be quiet for so long */
    struct str protocol;
};

/* The bytes for keeper. The descriptor is lent to `f`, whose other descriptors do not count. */
void account_parked_put(struct ipc_frame *f, const struct account_parked *p);
/* From such bytes, with the descriptor of the frame that they came in. False: they are none. */
bool account_parked_get(struct ipc_frame *f, struct str bytes, struct account_parked *p);

/* What the next one must be, after a sleep from since_ms to `now`. */
uint32_t account_patience(const struct account_parked *p, int64_t now, uint32_t least_ms);

#endif
