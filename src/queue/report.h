/* Puts reports to senders (queue/dsn.h) into the queue, in the transaction that records what they are about:
 * so a failure and its report are both on disk, or neither. */
#ifndef QUEUE_REPORT_H
#define QUEUE_REPORT_H
#include "queue/db.h"
#include "queue/dsn.h"
#include "queue/flow.h"
#include "queue/schedule.h"

/* What one round of work goes by. */
struct queue_round {
    struct sql *db;
    const struct config *config;
    struct schedule schedule;
    int64_t now;
};

/* The flow that reports are in: of <>, with no priority. */
#define REPORT_FLOW (flow_of(&(struct envelope)ENVELOPE_INIT, STR("")))

struct report {
    enum dsn_action action;
    int64_t message; /* that it is about */
    struct str sender;
    int64_t arrived;
    uint64_t size;
    const struct envelope *asked;
    bool is_deadline; /* as in struct dsn */
    bool to_ours;     /* only if the sender is one of us: QUEUE_RESOLVE_OURS */
    struct str start; /* of the message: its header, and all of it if that is at most DSN_MESSAGE_MAX */
    const struct dsn_recipient *recipients;
    size_t count;
};

/* Writes one report for every QUEUE_JOB_RECIPIENTS recipients. A message from <> gets none (RFC 5321 section
 * 6.1): it is a report itself, and is dropped with a line in the log. *written: how many; they are due now at
 * QUEUE_LOCAL_DOMAIN. */
bool report_add(const struct queue_round *q, const struct report *r, size_t *written, struct err *e);

/* 16 random bytes; a name for reports in hexadecimal, and a number for jitter. */
void report_random(void *to, size_t n);

#endif
