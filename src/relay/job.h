/* A job of the queue as relay has it: one message for some recipients at one destination. */
#ifndef RELAY_JOB_H
#define RELAY_JOB_H
#include "directory/directory.h"
#include "queue/queue.h"
#include "relay/peer.h"

struct relay_recipient {
    uint64_t row; /* the queue's number for it */
    struct str address;
    struct envelope_recipient asked;
    /* out */
    bool answered;
    enum queue_fate fate;
    enum queue_passing passing; /* with QUEUE_SENT */
    struct str host, reply;
};

struct relay_job {
    struct relay_job *next;
    uint64_t id, message;      /* the queue's numbers */
    char delivery[2 * 16 + 1]; /* the delivery id in hexadecimal: what the log calls it */
    struct str domain, sender;
    struct directory_route way; /* relay/ways.h */
    struct str way_failure;     /* why there is none; "" mostly */
    struct str key;             /* jobs with the same one may share connections */
    uint64_t queue;             /* which queue gave it: relay's own number */
    struct envelope asked;
    bool is_8bit;
    struct parcel body; /* owned */
    struct relay_recipient *recipients;
    size_t count;
    struct arena arena;    /* of everything here */
    atomic_bool is_orphan; /* the queue that gave it is gone: no result is wanted */
    /* out */
    struct transcript log;
    enum queue_contact contact;
};

/* NULL: not a job that a sound queue gives; *e says what is wrong. `way`, `key` and `queue` are left to the
 * caller. */
struct relay_job *relay_job_read(struct ipc_frame *f, struct err *e);
void relay_job_free(struct relay_job *j);
/* Everybody is to be tried again: it is not the destination's fault. */
void relay_job_decline(struct relay_job *j, struct str reply);
/* Fills an initialised frame: the fates of those who have an answer. */
void relay_job_result(struct relay_job *j, struct ipc_frame *f);

#endif
