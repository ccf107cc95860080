/* COPY and MOVE between the mailboxes of two accounts: the messages travel through this session. */
#ifndef IMAP_SHARED_COPY_H
#define IMAP_SHARED_COPY_H
#include "imap/guest.h"

/* From what is selected, here or at s->at_guest, to the mailbox `whole` (as this session knows it) of `to`;
 * NULL: one of our own. All or nothing, but that a MOVE whose messages arrived and cannot be removed is a
 * COPY, and says so. */
enum imap_status imap_shared_copy(struct imap_session *s, const struct imap_command *command,
                                  struct imap_guest *to, struct str whole, bool moves);

#endif
