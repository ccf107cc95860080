/* An address as it stands between < and > in MAIL and RCPT: RFC 5321 section 4.1.2, RFC 6531 section 3.3. */
#ifndef RELAY_PATH_H
#define RELAY_PATH_H
#include "base/arena.h"

/* The domain in A-labels, so that only a local part beyond ASCII needs SMTPUTF8; the local part quoted where
 * it must be. The address has come through parsers of ours, but a mistake there must not let it write
 * commands here. False: it cannot be written. */
bool path_write(struct str address, struct arena *a, struct str *path);

#endif
