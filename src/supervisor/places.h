/* The two places of this machine's programs that send mail: the folder of the socket, and the maildrop. */
#ifndef SUPERVISOR_PLACES_H
#define SUPERVISOR_PLACES_H
#include "config/config.h"

#include <sys/types.h>

/* Makes those that are not there: the socket's folder (0755), the maildrop (1733: anybody may put a file
 * there, and only the server can list it), which becomes that user's when we are root. A maildrop that is
 * somebody else's is refused. */
bool places_make(const struct config *c, uid_t uid, gid_t gid, struct err *e);

#endif
