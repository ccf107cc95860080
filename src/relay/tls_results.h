/* What came of TLS in sessions with other servers, gathered here and handed to the queue (queue/tls_memory.h)
 * every few seconds: a crash loses those of the last ones. */
#ifndef RELAY_TLS_RESULTS_H
#define RELAY_TLS_RESULTS_H
#include "queue/tls_memory.h"

struct tls_results;
struct tls_results *tls_results_new(struct queue_tls *memory);

/* Adds to what is like it. Copies; what is too long is cut. Safe from any thread. */
void tls_results_add(struct tls_results *r, const struct tls_rpt_count *c);
/* Hands all of it over. What the queue does not take stays for the next time. */
void tls_results_flush(struct tls_results *r);

#endif
