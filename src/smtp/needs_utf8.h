/* Whether a message that came with SMTPUTF8 needs a next server that knows it. */
#ifndef SMTP_NEEDS_UTF8_H
#define SMTP_NEEDS_UTF8_H
#include "smtp/incoming.h"
#include "smtp/session.h"

/* RFC 6531 section 3.4: an address beyond ASCII, or UTF-8 in a header (RFC 6532), of a part too. Many clients
 * say SMTPUTF8 for every message; most of those can go anywhere. A message that cannot be read is said to
 * need it. */
bool needs_utf8(const struct smtp_transaction *t, struct incoming *m);

#endif
