/* What became of a job, from relay or from the threads that deliver locally, until it is recorded. */
#ifndef QUEUE_OUTCOME_H
#define QUEUE_OUTCOME_H
#include "directory/directory.h"
#include "queue/plan.h"

struct verdict {   /* of one recipient */
    bool answered; /* else it was not tried, and is due again at once */
    enum queue_fate fate;
    enum queue_passing passing; /* with QUEUE_SENT */
    struct str host, reply;
    /* QUEUE_RESOLVE only: with targets, they take its place, and fate does not count */
    struct directory_target *targets;
    size_t target_count;
};

struct wake { /* a lane that has got somebody waiting */
    struct wake *next;
    struct str domain;
    int64_t flow, at;
};

struct outcome {
    struct outcome *next;
    struct job *job;
    struct verdict *verdicts; /* as many as job->count, in its order */
    bool is_lost;             /* the relay that had it is gone */
    bool is_overdue;          /* nobody tried: queue/overdue.h */
    bool is_deadline;         /* that, because its deadline has passed */
    enum queue_contact contact;
    struct str transcript;
    uint64_t channel, id; /* whom to answer RECORDED, and about which job; 0: nobody */
    struct arena arena;   /* of everything here */
    struct wake *wakes;   /* out, by record_outcome */
};

struct outcome *outcome_new(struct job *j);
/* The same verdict for every recipient. */
struct outcome *outcome_all(struct job *j, enum queue_fate fate, struct str reply);
void outcome_free(struct outcome *o);
void outcome_wake(struct outcome *o, struct str domain, int64_t flow, int64_t at);

#endif
