/* Special uses of mailboxes (RFC 6154 section 2) and the roles that the store keeps. */
#ifndef IMAP_ROLES_H
#define IMAP_ROLES_H
#include "mailbox/store.h"

/* "\Drafts"; empty for a role that has no such name. */
struct str imap_use_of_role(enum mailbox_role role);
/* `use` without the backslash, in any case. False: no mailbox can be made for it. */
bool imap_role_of_use(struct str use, enum mailbox_role *role);

#endif
