/* Shared mailboxes: an account's process asks keeper who shares with its owner, and for a session in the
 * process of one of those. keeper says in whose name, since it alone knows for sure who asks; whether that
 * somebody shares is in the directory; what exactly, the owner's process decides (imap/rights.h). */
#ifndef KEEPER_SHARED_H
#define KEEPER_SHARED_H
#include "keeper/awake.h"

struct shared;
/* Lives as long as the process. */
struct shared *shared_new(struct role *r, struct loop *l, struct awake *awake);

/* A frame that `account` sent on its control channel `c`: one of ACCOUNT_FRAME_SHARE, SHARED_LIST,
 * SHARED_OPEN; another is logged. */
void shared_frame(struct shared *s, int64_t account, const char *address, struct loop_channel *c,
                  struct ipc_frame *f);

#endif
