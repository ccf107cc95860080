/* Opening a TCP connection with a deadline. */
#ifndef RELAY_DIAL_H
#define RELAY_DIAL_H
#include "base/clock.h"
#include "base/err.h"

/* `address` is numeric, IPv4 or IPv6. A nonblocking connected socket, or -1 with *e. */
int dial(const char *address, uint16_t port, struct deadline d, struct err *e);

#endif
