/* What the files of the journal of arrivals share: see arrivals.c. */
#ifndef MAILBOX_ARRIVALS_PARTS_H
#define MAILBOX_ARRIVALS_PARTS_H
#include "base/journal.h"
#include "mailbox/arrivals_record.h"
#include "mailbox/internal.h"

#define ARRIVALS_FILE  "arrivals"
/* Of its frames: memory that an account keeps while it is awake, as far as it was used. */
#define ARRIVALS_BYTES ((size_t)2 * 1024 * 1024)

/* Messages that are written together. It lies in its own arena; once it stands in the journal, in that of
 * `arrivals`, and its messages are slices of the journal's payload. */
struct arrival_batch {
    struct arrival_batch *next;
    struct arena arena;
    uint64_t modseq; /* each batch has its own, as if it were a change by itself: somebody may have seen the
                        counters */
    size_t n;
    struct store_append *items;
    struct digest *digests;
};

/* --- arrivals.c --- */
struct arrival_batch *arrivals_batch_new(size_t n);
void arrivals_batch_free(struct arrival_batch *b);
/* Message `i` of it as it stands in the journal, and how many bytes that takes. */
struct arrival arrivals_message(const struct arrival_batch *b, size_t i);
static inline size_t arrivals_bytes(const struct arrival_batch *b, size_t i)
{
    struct arrival m = arrivals_message(b, i);
    return arrival_bytes(&m);
}
/* Puts a copy of `b` behind the batches that stand there. */
void arrivals_add(struct arrivals *a, const struct arrival_batch *b);
/* Nothing stands there: it is in the database, or was never acknowledged. */
void arrivals_start_over(struct arrivals *a);
/* arrivals_settle, with a->lock. */
bool arrivals_settle_locked(struct store *s, struct err *e);

/* --- arrivals_plan.c --- what the database will be told, as far as its counters go. With a->lock. */
/* Plans `b` (NULL: nothing more) behind what stands in the journal; *bytes is raised by what its records
 * take. False: the database cannot be asked. */
bool arrivals_plan(struct store *s, struct arrival_batch *b, size_t *bytes);
void arrivals_forget_plan(struct arrivals *a);
/* How many came into the journal of the process that had one last; 0 too when that cannot be asked. */
uint32_t arrivals_last_time(struct store *s);
/* What stood in the journal keeps its uid, whatever was lost before it. */
void arrivals_keep_uid(struct change *ch, const struct store_append *item);

/* --- arrivals_lock.c --- who may change the database: a lock on the account's folder, held by the process in
 * whose journal something stands, and by whoever changes something while he does. Each hold that succeeded is
 * let go once. */
bool arrivals_hold(struct arrivals *a, int64_t wait_ms);
void arrivals_let_go(struct arrivals *a);

/* --- arrivals_open.c --- */
/* Puts into the database what a process that was killed has left in a->journal. With the folder held, so it
 * is nobody's. What cannot be put there for now (a full disk) stands there from then on. */
bool arrivals_recover(struct store *s, struct err *e);

#endif
