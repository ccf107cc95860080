/* Rights as ACL writes them (RFC 4314 section 2.1). Pure. */
#ifndef IMAP_RIGHTS_TEXT_H
#define IMAP_RIGHTS_TEXT_H
#include "base/buf.h"
#include "mailbox/rights.h"

/* For example "lrswipkxctea" with the virtual rights of RFC 2086, "c" for "kx" and "d" for
 * "te", where they have any of those (RFC 4314 section 2.1.1). Reading takes "+" or "-" in front; false: a
 * character is no right. */
void imap_add_rights(struct buf *out, unsigned rights);
bool imap_read_rights(struct str text, enum rights_change *how, unsigned *rights);

#endif
