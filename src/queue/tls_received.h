/* What others reported about TLS with our servers (RFC 8460), a line for each report and domain: kept in the
 * queue's database beside what relay saw of theirs. */
#ifndef QUEUE_TLS_RECEIVED_H
#define QUEUE_TLS_RECEIVED_H
#include "base/sql.h"
#include "config/config.h"
#include "queue/tls_memory.h"
#include "trust/tls_summary.h"

#define TLS_RECEIVED_DAYS  90   /* kept for so long */
#define TLS_RECEIVED_LINES 5000 /* at most: a few a day are usual, and anybody can send us more */

/* As smtp sees it; blocking, safe from any thread. A report that came before, by its number, takes its own
 * place. */
bool queue_tls_received(struct queue_tls *q, const struct tls_summary *s, struct err *e);

/* --- for commands --- */
struct queue_tls_received {
    int64_t received; /* seconds since 1970 */
    struct str organization, report, begin, end;
    struct tls_summary_domain about;
};
typedef void tls_received_fn(void *context, const struct queue_tls_received *r);
/* The oldest first. */
bool queue_tls_received_list(const struct config *c, tls_received_fn *each, void *context, struct err *e);
bool tls_received_list(struct sql *db, tls_received_fn *each, void *context, struct err *e);

/* --- in the queue --- answers TLS_MEMORY_RECEIVED, inside the transaction of tls_memory_answer */
bool tls_received_keep(struct sql *db, struct ipc_reader *in, struct ipc_frame *out, struct err *e);

#endif
