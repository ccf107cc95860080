/* IMAP sessions that sleep (account/session.h): when one can, what is kept of it, and how it goes on. */
#ifndef IMAP_PARK_H
#define IMAP_PARK_H
#include "imap/frozen.h"
#include "imap/session.h"

/* Whether all that there is of the session fits into struct imap_frozen. Whatever else a session comes to
 * hold is either kept there or keeps the session awake: it is decided here. Only asked while no command is
 * under way but IDLE. */
bool imap_session_can_park(const struct imap_session *s);

/* Around a wait for the client: tells the host whether the session could sleep, and that it is at work. */
void imap_park_waits(struct imap_session *s);
void imap_park_works(struct imap_session *s);

/* Before such a wait: true when the host asks for it, and the session is frozen; it is over then, without a
 * word. `logout` is when its client will have been silent for too long. */
bool imap_park_if_asked(struct imap_session *s, bool is_idle, struct deadline logout);

/* What the host is left with of such a session. */
void imap_park_describe(const struct imap_frozen *z, struct account_frozen *out);

/* Goes on with what another session has left in host->thawed, which fills *z. False: it cannot; the client
 * has been told. */
bool imap_park_thaw(struct imap_session *s, struct imap_frozen *z);

#endif
