/* Takes connections from listening sockets and finds out whose they are. */
#ifndef GATE_ACCEPTOR_H
#define GATE_ACCEPTOR_H
#include "base/loop.h"
#include "gate/connection.h"

struct acceptor_user {
    /* One has come: what the kernel says of it is filled in; owns its descriptor. */
    void (*accepted)(void *context, const struct connection *c);
    /* Descriptors or memory have run out: accepting rests for a moment, and connections wait in the kernel.
     */
    void (*resting)(void *context, const char *why);
    void *context;
};

struct acceptor;
struct acceptor *acceptor_new(struct loop *l, const struct acceptor_user *user);

/* Takes connections from `fd` too, for `service`; takes it over, and closes it if it is of no use. */
void acceptor_add(struct acceptor *a, int fd, enum service service);
void acceptor_close_all(struct acceptor *a);

#endif
