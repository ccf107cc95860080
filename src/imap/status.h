/* The items of STATUS (RFC 9051 section 6.3.11), for that command and for LIST RETURN (STATUS ...) of
 * RFC 5819: one table. */
#ifndef IMAP_STATUS_H
#define IMAP_STATUS_H
#include "imap/session.h"

/* "(" status-att *(SP status-att) ")" as a set of bits, for imap_tell_status. */
bool imap_take_status_items(struct imap_cursor *c, unsigned *items);

/* What asking for these items switches on (RFC 7162 section 3.1: HIGHESTMODSEQ); before they are told. */
enum store_result imap_enable_for_status(struct imap_session *s, unsigned items, struct err *e);

/* "* STATUS name (item value ...)". */
enum store_result imap_tell_status(struct imap_session *s, const struct mailbox *m, unsigned items,
                                   struct err *e);

#endif
