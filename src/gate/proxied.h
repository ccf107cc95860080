/* Connections from a proxy until its header (gate/proxy.h) has been read from them. */
#ifndef GATE_PROXIED_H
#define GATE_PROXIED_H
#include "base/loop.h"
#include "gate/connection.h"

#define PROXIED_MS  (10 * 1000) /* the header is sent at once: a lost packet or two included */
#define PROXIED_MAX 512 /* waiting at once; a proxy that sends nothing must not take all descriptors */

struct proxied;
/* Gets each connection as the proxy describes it, with nothing of the header left in it; owns its descriptor.
 */
typedef void proxied_fn(void *context, const struct connection *c);
struct proxied *proxied_new(struct loop *l, proxied_fn *ready, void *context);

/* Takes c->fd over, and closes it where no good header comes. */
void proxied_accept(struct proxied *all, const struct connection *c);

#endif
