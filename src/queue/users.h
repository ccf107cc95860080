/* What users of this machine may ask of the queue by mailq and sendmail -q, over the socket for local
 * programs: smtp has learnt from the kernel who they are, and by golub.conf whose messages they may be told
 * of. A page at a time, so that nobody who hands in mail waits for somebody's list. */
#ifndef QUEUE_USERS_H
#define QUEUE_USERS_H
#include "queue/admin.h"
#include "queue/queue.h"

/* Only messages that this user handed in, by sendmail or a program of its kind; or everybody's. */
#define QUEUE_EVERYBODYS (-1)

/* --- for smtp --- */
/* The messages after the one of this id (0: from the first on), oldest first, as queue_admin_list tells of
 * them, but with at most QUEUE_USERS_RECIPIENTS recipients. *next: where to go on, 0 at the end. In `a`. */
#define QUEUE_USERS_RECIPIENTS 100
bool queue_users_list(struct queue_client *q, int64_t uid, int64_t after, struct arena *a,
                      struct queue_admin_message **list, size_t *count, int64_t *next, struct err *e);
/* Who waits for a later attempt is tried now; but a destination that is down is left alone until its pause is
 * over, or anybody could have it asked without end. *recipients: how many were of this page. */
bool queue_users_retry(struct queue_client *q, int64_t uid, int64_t after, size_t *recipients, int64_t *next,
                       struct err *e);

/* --- for queue --- the answer to a frame of these types; `is_due` is told what is due at once now. False: it
 * is no such frame. */
enum queue_users_frame {
    QUEUE_USERS_LIST = 64, /* u64 uid + 1, u64 after -> ANSWER, as LIST: n x (u8 1, u64 id, str sender, u64
                              size, u64 arrived, u32 n, n x (str address, u8 state, u64 next attempt, str
                              reply)), u8 0, u64 next */
    QUEUE_USERS_RETRY,     /* the same -> ANSWER: u64 recipients, u64 next */
    QUEUE_USERS_ANSWER,
    QUEUE_USERS_FAILED, /* str why */
};
struct sql;
void queue_users_answer(struct sql *db, struct ipc_frame *asked, struct ipc_frame *answer,
                        void (*is_due)(void *context, struct str domain, int64_t flow, int64_t at),
                        void *context);

#endif
