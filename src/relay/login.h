/* AUTH as a client: RFC 4954. Inside the module only. */
#ifndef RELAY_LOGIN_H
#define RELAY_LOGIN_H
#include "relay/peer.h"

/* With the best mechanism that the server offers, over TLS or on this machine only. False: *e, and the
 * connection is of no use. It may be the administrator's mistake, or that the server cannot look passwords
 * up now: mail waits, and does not bounce. */
bool peer_login(struct peer *p, struct str user, struct str password, struct err *e);

#endif
