/* VANISHED (EARLIER): what is gone that a client knew (RFC 7162 section 3.2.10.1). */
#ifndef IMAP_VANISHED_H
#define IMAP_VANISHED_H
#include "imap/qresync.h"
#include "imap/session.h"

/* Tells the uids of `known` (resolved; n == 0: all) below `uidnext` that were expunged after `since`. Where
 * that is longer ago than expunged messages are kept, all those that are not there, but for those up to
 * `surely`: the client knows what is left of these. */
enum store_result imap_tell_vanished(struct imap_session *s, uint64_t since, const struct imap_set *known,
                                     uint32_t uidnext, uint32_t surely, struct err *e);

/* Of the client's sequence match data: the highest uid that still has the number that it gave. Whatever is
 * below it has its number too, so nothing there was expunged. */
uint32_t imap_matched_uid(const struct imap_view *v, const struct qresync *q);

#endif
