/* What relay must remember about TLS when it is started again: policies of MTA-STS (RFC 8461), and the
 * results of sessions, of which other domains get reports (RFC 8460). It lies in the queue's database,
 * because relay opens no files. Beside it lies what others reported about us, which smtp hands in
 * (queue/tls_received.h). */
#ifndef QUEUE_TLS_MEMORY_H
#define QUEUE_TLS_MEMORY_H
#include "base/sql.h"
#include "config/config.h"
#include "queue/queue.h"
#include "trust/tls_rpt.h"

#define TLS_MEMORY_DAYS 14 /* results are kept for so long */

/* --- as relay sees it --- blocking calls, safe from any thread; false or -1 with *e: no answer */
struct queue_tls;
struct queue_tls *queue_tls_client(struct role *r);

struct queue_tls_policy {
    struct str id, text; /* of the TXT record; the policy file */
    int64_t fetched, expires;
};
int queue_tls_policy(struct queue_tls *q, struct str domain, struct arena *a, struct queue_tls_policy *out,
                     struct err *e); /* 1, 0 none, -1 */
bool queue_tls_keep_policy(struct queue_tls *q, struct str domain, const struct queue_tls_policy *p,
                           struct err *e);

/* Adds to what has been counted on that day (tls_rpt_day). */
bool queue_tls_count(struct queue_tls *q, int64_t day, const struct tls_rpt_count *counts, size_t n,
                     struct err *e);

/* A day of a domain, of which a report is due. */
struct queue_tls_due {
    int64_t day;
    struct str domain;
    uint32_t report, attempts; /* its number, and how often it was tried */
    struct tls_rpt_count *counts;
    size_t count;
};
enum tls_day_state {
    TLS_DAY_COUNTING,
    TLS_DAY_SENDING, /* what is to be in the report stands */
    TLS_DAY_SENT,
    TLS_DAY_NOBODY, /* the domain does not ask for reports */
    TLS_DAY_GIVEN_UP,
    TLS_DAY_STATES
};
/* The first of a day before `day`, or that an administrator asked for. Until queue_tls_reported it is given
 * out again with the same content. 1, 0 none, -1. */
int queue_tls_due(struct queue_tls *q, int64_t day, struct arena *a, struct queue_tls_due *out,
                  struct err *e);
/* SENDING: again at `next_attempt`. */
bool queue_tls_reported(struct queue_tls *q, const struct queue_tls_due *d, enum tls_day_state state,
                        int64_t next_attempt, struct err *e);

/* --- for commands --- */
struct queue_tls_day {
    int64_t day;
    struct str domain;
    enum tls_day_state state;
    uint64_t good, failed; /* sessions */
};
bool queue_tls_list(const struct config *c, void (*each)(void *context, const struct queue_tls_day *d),
                    void *context, struct err *e);
/* Makes the reports of today due, of one domain or ("") of all; *n is how many. */
bool queue_tls_ask(const struct config *c, struct str domain, int64_t *n, struct err *e);

/* --- in the queue --- */
enum tls_memory_frame { /* each is answered with QUEUE_FRAME_TLS_ANSWER: u8 0 and what is said here, or u8 1
                           and str why */
                        TLS_MEMORY_POLICY =
                            33, /* str domain: u8 found, str id, str text, u64 fetched, u64 expires */
                        TLS_MEMORY_KEEP,  /* str domain, str id, str text, u64 fetched, u64 expires */
                        TLS_MEMORY_COUNT, /* u64 day, u32 n, n x count */
                        TLS_MEMORY_DUE,   /* u64 day, u64 now: u8 found, u64 day, str domain, u32 report, u32
                                             attempts, u32 n,   n x count */
                        TLS_MEMORY_REPORTED, /* u64 day, str domain, u32 report, u8 state, u64 next attempt */
                        TLS_MEMORY_RECEIVED, /* from smtp: a struct tls_summary */
};
/* Does what the frame says, in a transaction of its own. False: nobody sound sends that. */
bool tls_memory_answer(struct sql *db, const struct ipc_frame *ask, struct ipc_frame *answer);

/* An administrator asked for a report. */
bool tls_memory_is_asked(struct sql *db);

/* A count as fields of a frame. */
void tls_memory_put(struct ipc_frame *f, const struct tls_rpt_count *c);
bool tls_memory_get(struct ipc_reader *in, struct tls_rpt_count *c);

#endif
