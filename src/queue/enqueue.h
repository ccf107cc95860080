/* A message on its way into the queue: from the frame that smtp sent to the rows on disk and the job at hand.
 */
#ifndef QUEUE_ENQUEUE_H
#define QUEUE_ENQUEUE_H
#include "queue/plan.h"
#include "queue/report.h"

struct enqueue {
    struct enqueue *next;
    uint64_t channel;   /* who waits for the answer */
    uint32_t frame;     /* to this */
    struct parcel body; /* owned until the plan takes it */
    struct queue_row_message message;
    struct queue_row_recipient *recipients;
    size_t count;
    struct arena arena; /* of everything here */
    struct err error;   /* why it is not stored, after enqueue_store */
    bool has_report;    /* a report was stored beside it */
};

/* Checks everything that the frame says. NULL: not a frame that a sound smtp sends; *e says what is wrong. */
struct enqueue *enqueue_read(struct ipc_frame *f, const struct schedule *s, int64_t now, struct err *e);
void enqueue_free(struct enqueue *in);

/* It may stand in the journal: it is small, and goes to others at once, whom the plan has in memory. */
bool enqueue_may_pass(const struct queue_round *q, struct enqueue *in, struct plan *p);
/* Writes it, within a transaction. */
bool enqueue_store(const struct queue_round *q, struct enqueue *in, struct plan *p, struct err *e);
/* After the commit: jobs for those who are due at once. Or else, with what the plan was told of it: */
void enqueue_plan(struct enqueue *in, struct plan *p, int64_t now);
void enqueue_retract(const struct enqueue *in, struct plan *p);

/* The list of recipients in an ENQUEUE frame, as bytes. */
void enqueue_write_list(const struct queue_recipient *recipients, size_t count, struct buf *out);

#endif
