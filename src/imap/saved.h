/* "$", the search result variable (RFC 5182): the messages that the last SEARCH RETURN (SAVE) found. Kept as
 * uids, so that it stays right whatever is expunged. */
#ifndef IMAP_SAVED_H
#define IMAP_SAVED_H
#include "imap/session.h"

/* Takes the place of what was saved. The uids are in the view, in any order. */
void imap_saved_set(struct imap_session *s, const uint32_t *uids, size_t n);
void imap_saved_clear(struct imap_session *s);

/* Its messages as sequence numbers or as uids, in the session's arena; those that are gone are left out. May
 * be empty. */
void imap_saved_messages(struct imap_session *s, bool as_uids, struct imap_set *set);

#endif
