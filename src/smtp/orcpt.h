/* The original recipient that a client names: ORCPT of RFC 3461 section 4.2, with the address type "utf-8" of
 * RFC 6533 section 3. Pure. */
#ifndef SMTP_ORCPT_H
#define SMTP_ORCPT_H
#include "base/arena.h"

/* `value` is addr-type ";" and the address in xtext (with type utf-8 also \x{HEX} or UTF-8). *out is the same
 * decoded, as envelope_recipient keeps it, of at most ENVELOPE_ORIGINAL_MAX bytes: no control characters, and
 * beyond ASCII only UTF-8 and only with that type. */
bool orcpt_read(struct str value, struct arena *a, struct str *out);

#endif
