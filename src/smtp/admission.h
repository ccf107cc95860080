/* Who gets a session, before it has a thread: not more than there is room for, nor than one address or
 * network may have; and when room runs short, those whom we know go first. A stranger then hears 421 at once
 * and comes again, as RFC 5321 section 3.8 has it. */
#ifndef SMTP_ADMISSION_H
#define SMTP_ADMISSION_H
#include "gate/connection.h"
#include "smtp/limits.h"

/* Of the sessions that there may be, in per cent: strangers get one while fewer than so many are taken.
 * People on the ports for mail clients get more: the address of a telephone is often new. */
#define ADMISSION_STRANGERS 75
#define ADMISSION_CLIENTS   90

/* Where `sessions` of `max` are so many that strangers are turned away. */
bool admission_is_short(unsigned sessions, unsigned max);

/* NULL, and `seat` is held until admission_leave; or the reply, with CRLF, with which the client is turned
 * away. `sessions` are those there are already. */
const char *admission_enter(struct limits *seat, const struct connection *c, unsigned sessions, unsigned max);
void admission_leave(struct limits *seat);

#endif
