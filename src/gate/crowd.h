/* How many connections each client address holds, so that one cannot take all the room. */
#ifndef GATE_CROWD_H
#define GATE_CROWD_H
#include <stdbool.h>
#include <stddef.h>

struct crowd;
struct crowd *crowd_new(void);
void crowd_free(struct crowd *c);

/* Counts one more of `address` (numeric; an IPv6 client is its /64, which is what one customer has; loopback
 * is not counted), unless it holds `max` already. crowd_leave must follow each crowd_enter that was true. */
bool crowd_enter(struct crowd *c, const char *address, size_t max);
void crowd_leave(struct crowd *c, const char *address);

#endif
