/* A program of this machine, by the socket for them (sendmail): who it is, the kernel has said. */
#ifndef SMTP_LOCAL_H
#define SMTP_LOCAL_H
#include "smtp/session.h"

bool session_is_local(const struct session *s);
/* Such a session is a user's from the start, without a password. */
void local_begin(struct session *s);

/* May it send as this address? [smtp] local_senders says which: as a rule those of our domains, and of the
 * server's own name, which is what stands behind the names of users. Root may send as anybody. False: it has
 * been refused. */
bool local_may_send_as(struct session *s, struct str plain);

/* Where mail goes that cron sends to root, where nobody has said: to postmaster. */
bool local_is_roots(const struct session *s, struct str plain);

#endif
