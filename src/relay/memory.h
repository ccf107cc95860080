/* What relay has learned of hosts and addresses and may forget: a small table with a place for each name; two
 * names that fall on one place push each other out. Safe from any thread. */
#ifndef RELAY_MEMORY_H
#define RELAY_MEMORY_H
#include "base/str.h"

enum memory_kind {
    MEMORY_BAD_ADDRESS, /* 1: a connection failed a while ago; others are tried before it */
    MEMORY_FAMILY,      /* of a host: 4 or 6, which was reached last */
    MEMORY_NO_BDAT,     /* 1: this address offers CHUNKING, and does not know BDAT */
};

struct memory;
struct memory *memory_new(void);
void memory_free(struct memory *m);
/* `value` is not 0; it is forgotten after `ms`. */
void memory_put(struct memory *m, enum memory_kind kind, struct str name, uint8_t value, int64_t ms);
uint8_t memory_get(struct memory *m, enum memory_kind kind, struct str name); /* 0: nothing is known */

#endif
