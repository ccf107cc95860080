/* BODY from BODYSTRUCTURE (RFC 3501 section 7.4.2): the store keeps the second only; the first is the same
 * without the extension data at the end of every part. */
#ifndef IMAP_STRUCTURE_H
#define IMAP_STRUCTURE_H
#include "base/buf.h"

/* False: `bodystructure` is not one, and nothing was added. */
bool imap_add_body(struct buf *out, struct str bodystructure);

#endif
