/* The channels to smtp and login: connections go out, requests for STARTTLS come in. */
#ifndef GATE_SERVICES_H
#define GATE_SERVICES_H
#include "base/loop.h"
#include "gate/connection.h"
#include "role/role.h"

struct services;
/* `client` and `service` are the two descriptors of GATE_FRAME_STARTTLS; the callback owns them. */
typedef void services_starttls_fn(void *context, int client, int service);
struct services *services_new(struct role *r, struct loop *l, services_starttls_fn *starttls, void *context);

/* Hands a connection to who serves it, the smtp processes taking turns; its descriptor is lent. A service
 * that was restarted is connected anew. False: nobody takes it (logged). */
bool services_deliver(void *services, const struct connection *c);

#endif
