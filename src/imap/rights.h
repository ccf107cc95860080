/* What the session's user may do: RFC 4314 section 4. Every command that names a mailbox finds it here with
 * the rights that it needs; what works on the selected one asks imap_may. */
#ifndef IMAP_RIGHTS_H
#define IMAP_RIGHTS_H
#include "imap/rights_text.h"
#include "imap/session.h"
#include "mailbox/rights.h"

/* The user's rights on a mailbox. */
enum store_result imap_rights(struct imap_session *s, int64_t mailbox, unsigned *rights, struct err *e);

/* Finds a mailbox for something that needs all of `needed`. STORE_NONE: there is none, or none that this user
 * may know of (section 6: both look the same); STORE_FORBIDDEN: rights are missing. *rights may be NULL. */
enum store_result imap_find(struct imap_session *s, struct str name, unsigned needed, struct mailbox *m,
                            unsigned *rights, struct err *e);

/* Whether a mailbox of that name may be made, or something be renamed to it: RIGHT_CREATE on the nearest
 * mailbox above it; on the top level, the owner may. */
enum store_result imap_may_create(struct imap_session *s, struct str name, struct err *e);

/* "* MYRIGHTS name lr". */
void imap_tell_myrights(struct imap_session *s, struct str name, unsigned rights);

/* All mailboxes that the user may look up, in the order of store_mailbox_list; has_children is about those.
 * rights[i] is of v[i]. */
struct imap_mailboxes {
    struct mailbox *v;
    unsigned *rights;
    size_t n;
};
enum store_result imap_list_mailboxes(struct imap_session *s, struct imap_mailboxes *out, struct err *e);

/* Whether the selected mailbox may be changed in a way that needs all of `needed`. Otherwise *status answers
 * the command: READ-ONLY after EXAMINE, NOPERM for lack of rights. */
bool imap_may(struct imap_session *s, unsigned needed, enum imap_status *status);

/* The flags of enum message_flag that somebody with these rights may change; *keywords: and keywords. */
uint32_t imap_flags_allowed(unsigned rights, bool *keywords);
/* How messages are copied to where one has these rights: of enum copy_how. */
unsigned imap_copy_how(unsigned rights);

/* "* FLAGS (...)" and "* OK [PERMANENTFLAGS (...)]" of the selected mailbox. */
void imap_tell_flags(struct imap_session *s);

/* Where rights were changed since: those on the selected mailbox, and what the client is to know of it
 * (section 5.1.1). Ends the session with BYE when the user may no longer read. */
void imap_sync_rights(struct imap_session *s);

#endif
