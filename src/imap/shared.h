/* Other people's mailboxes, under "Shared/OWNER/...": the Other Users' Namespace of RFC 2342. They are served
 * by a session in the owner's process, which knows this session's user as its guest and lets it do what the
 * owner's ACLs say (RFC 4314). This session passes commands about them on as they came, and the answers back:
 * the guest session speaks of its mailboxes by the names that they have here.
 *
 * A guest session is opened when it is first needed and kept to the end. Only an owner's session has guests.
 */
#ifndef IMAP_SHARED_H
#define IMAP_SHARED_H
#include "imap/session.h"

#define SHARED_NAMESPACE STR("Shared")

/* --- in the owner's process: how a guest knows the mailboxes --- */

/* A mailbox's name as this session's user sees it: with "Shared/OWNER/" in front for a guest whose own
 * session is elsewhere. In the arena. */
struct str imap_shown_name(struct imap_session *s, struct str name);
/* The other way round. False: it is not one of this owner's. */
bool imap_stored_name(const struct imap_session *s, struct str *name);

/* Whether the session's user has subscribed to it (mailboxes.c). */
bool imap_is_subscribed(struct imap_session *s, const struct mailbox *m);

/* --- in the user's own process --- */

/* Whether the name is in the namespace: no mailbox of the user's own can be called so. */
bool imap_is_shared_name(const struct imap_session *s, struct str name);

/* Serves the command if it is about shared mailboxes: true with *status. `works_on_selected`: it is one for
 * the selected mailbox. */
bool imap_shared_serve(struct imap_session *s, const struct imap_command *command, bool works_on_selected,
                       enum imap_status *status);
/* What an owner's own command means for guest sessions too, once it was done: LIST, ENABLE, SUBSCRIBE. */
void imap_shared_follow(struct imap_session *s, const struct imap_command *command);
/* The owner's rights for others have changed: the directory learns with whom anything is shared. */
void imap_shared_tell_directory(struct imap_session *s);
void imap_shared_close(struct imap_session *s); /* all guest sessions */

#endif
