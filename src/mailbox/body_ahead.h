/* The pack behind the one that is being read (body_pack.h), expanded in a thread beside: who reads a mailbox
 * from one end to the other sends the bodies of one pack while the next is made ready. Inside the module
 * only.
 *
 * Not for a client that asks for each message when it has the last (POP3): it waits for its answer, not for
 * zstd, and the thread would only come between the two.
 *
 * The reader fetches the pack as it is stored, so no second connection to the database is needed, and
 * the thread does nothing but expand. Bodies never change, and no id is given twice: what was read too early
 * is never wrong, only in vain. What cannot be read is read again by the reader, who has somebody to tell. */
#ifndef MAILBOX_BODY_AHEAD_H
#define MAILBOX_BODY_AHEAD_H
#include "mailbox/internal.h"

/* Of an account, at a time. Each has a thread, a pack as it is stored and expanded, and what zstd needs: 200
 * KiB. More than there are processors for gain nothing. */
#define AHEAD_MAX 2

struct body_ahead;

/* NULL: there are enough. `count` is the account's. */
struct body_ahead *ahead_new(atomic_uint *count);
void ahead_free(struct body_ahead *a); /* waits for its thread, a fraction of a millisecond */

/* Begins to expand `pack`, whose row is the first behind row `before`. What was there is forgotten. */
void ahead_begin(struct body_ahead *a, int64_t before, int64_t row, struct str pack);

/* If that is the pack of this chunk: its row, and the expanded pack in exchange for what was in *pack. 0: it
 * is not, or it is damaged. */
int64_t ahead_take(struct body_ahead *a, int64_t chunk, struct buf *pack);

#endif
