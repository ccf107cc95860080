/* xtext of RFC 3461 section 4: text that must stand in one ESMTP parameter. Pure. */
#ifndef MESSAGE_XTEXT_H
#define MESSAGE_XTEXT_H
#include "base/buf.h"

/* At the end of `out`, which on failure is as it was. False: not xtext. */
bool xtext_decode(struct str text, struct buf *out);
/* Every byte is allowed in; what cannot stand as it is becomes "+" and two upper-case digits. */
void xtext_encode(struct str bytes, struct buf *out);

#endif
