/* Names in HELO and EHLO that cannot be the client's own. Pure. RFC 5321 section 4.1.4 forbids to refuse mail
 * because a name does not lead to the client's address, which says nothing of these. */
#ifndef SMTP_HELO_H
#define SMTP_HELO_H
#include "config/config.h"

/* NULL, or why a stranger of this name is refused under config's policy. */
const char *helo_fault(struct str helo, const struct config *config);

#endif
