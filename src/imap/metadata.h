/* METADATA (RFC 5464) for its own commands and for LIST (RFC 9590). */
#ifndef IMAP_METADATA_H
#define IMAP_METADATA_H
#include "imap/metadata_parse.h"
#include "imap/session.h"

/* Whether somebody with these rights may read a mailbox's metadata at all (section 3.3). */
bool imap_may_read_metadata(unsigned rights);

/* "* METADATA name (entry value ...)" of those of `names` that `has` has, NIL for the others; `has` is of one
 * mailbox. Nothing with n = 0. */
void imap_tell_metadata(struct imap_session *s, const struct mailbox *m, const struct metadata_list *has,
                        const struct str *names, size_t n);

#endif
