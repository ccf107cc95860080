/* Opening a TCP connection to one of several addresses: RFC 8305. */
#ifndef RELAY_DIAL_H
#define RELAY_DIAL_H
#include "base/clock.h"
#include "base/err.h"

#define DIAL_ADDRESSES_MAX 8
#define DIAL_DELAY_MS      250 /* the head start of each address before the next: RFC 8305 section 8 */

struct dial_address {
    const char *address; /* numeric, IPv4 or IPv6 */
    const char *source;  /* numeric, of ours: where to send from; NULL: as the kernel likes */
    /* out */
    bool was_tried;    /* to its end: not one that was slower than another */
    char failure[100]; /* "" while there was none */
};

int dial_family(const char *address); /* 4, 6, or 0: not an address */

/* Our address of a connected socket, numeric; "" if it has none. */
#define DIAL_ADDRESS_TEXT 46 /* INET6_ADDRSTRLEN */
struct str dial_source(int fd, char text[DIAL_ADDRESS_TEXT]);

/* Tries them in their order, the next one when the one before it has failed or has not answered for a
 * moment; those that are under way may still win. A nonblocking connected socket, *which is its place; or -1:
 * all have failed, or the deadline has passed. */
int dial(struct dial_address *list, size_t n, uint16_t port, struct deadline d, size_t *which);

#endif
