/* The sockets that gates accept from; what comes by TCP is not under Nagle's algorithm (TCP_NODELAY). */
#ifndef SUPERVISOR_LISTENERS_H
#define SUPERVISOR_LISTENERS_H
#include "config/config.h"

struct listeners {
    struct {
        int fd;
        struct config_listener where; /* in the config that asked for it */
    } v[CONFIG_LISTENERS_MAX];
    size_t n;
};

/* Binds what `c` asks for; sockets of `old` (may be NULL) that it still asks for are taken over, the others
 * closed. On failure *e names address and port, and `old` is as it was. */
bool listeners_bind(struct listeners *l, struct listeners *old, const struct config *c, struct err *e);

/* Closes all; unix sockets go from the file system too. */
void listeners_close(struct listeners *l);

#endif
