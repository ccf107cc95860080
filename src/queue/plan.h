/* The queue in memory: which destinations have somebody waiting, the jobs at hand for each, and who comes
 * next.
 *
 * The table on disk is the truth; here is a bounded copy of what is due. A job is one message for up to
 * QUEUE_JOB_RECIPIENTS recipients at one destination. A destination knows when the first of its recipients
 * that are not in memory is due (next_at), and which ones it has read already (cursor). */
#ifndef QUEUE_PLAN_H
#define QUEUE_PLAN_H
#include "queue/db.h"

#define PLAN_JOBS_PER_DESTINATION \
    500                             /* ready in memory; further ones stay in the table until half are gone */
#define PLAN_JOBS_MAX         20000 /* of all destinations together, but each may always have one */
#define PLAN_DESTINATIONS_MAX 50000 /* at about 300 bytes each; further ones are found when some are done */
#define PLAN_OPEN_MAX         512   /* descriptors of messages kept open for their first attempt */
#define PLAN_OPEN_BYTES       ((uint64_t)64 << 20) /* and the memory that they may hold */
#define PLAN_NEVER            INT64_MAX

struct plan;
struct destination;

/* A message in memory, shared by its jobs. */
struct letter {
    int64_t id;
    unsigned char delivery[QUEUE_DELIVERY_BYTES];
    char name[QUEUE_DELIVERY_BYTES * 2 + 1]; /* `delivery` as the log has it */
    struct str sender;                       /* owned */
    uint64_t size;
    bool is_8bit;
    int64_t arrived;
    struct envelope asked; /* its id owned by `sender` */
    int fd;                /* sealed memfd; -1: only on disk. Whoever needs it puts one here */
    bool is_kept; /* fd is counted against PLAN_OPEN_MAX; else it is closed when no job is in flight */
    unsigned jobs, in_flight;
};

struct job_recipient {
    int64_t id;
    int64_t account;
    struct str address, original, detail; /* in one block with asked.original, owned by address */
    unsigned attempts;
    bool warned;
    struct envelope_recipient asked;
};

struct job {
    uint64_t id; /* never used again */
    struct letter *letter;
    struct destination *destination;
    struct job_recipient *recipients;
    size_t count;
    uint64_t channel; /* of the relay that has it; 0: none */
    struct job *prev, *next;
};

struct plan *plan_new(void);
void plan_free(struct plan *p);

/* --- letters ---
 * Takes `fd` over (-1: none), and closes it when too many are open already. Lives as long as its jobs; one
 * that got none goes with plan_letter_drop. */
struct letter *plan_letter(struct plan *p, const struct queue_row_message *m, int fd);
void plan_letter_drop(struct plan *p, struct letter *l);

/* --- destinations --- */
/* NULL: not there; with `make`, too many already. */
struct destination *plan_find(struct plan *p, struct str domain, bool make);
struct str plan_domain(const struct destination *d);
/* A recipient that is not in memory is due at `at`: never later than what was known before. */
void plan_expect(struct plan *p, struct destination *d, int64_t at);
/* After its jobs have ended: a destination without any asks the table whether somebody still waits, and is
 * forgotten if not. */
void plan_settle(struct plan *p, struct destination *d, struct sql *db, int64_t now);
/* One whose rows should be read now (plan_load). NULL: none. */
struct destination *plan_due(struct plan *p, int64_t now);
/* Destinations were turned away since the last call, and there is room again: look for them in the table. */
bool plan_wants_discovery(struct plan *p);

/* --- jobs --- */
/* True if a recipient that has just been written, due now, may be added here at once: everything that was due
 * before it is in memory. Else plan_expect it. */
bool plan_takes_fresh(const struct plan *p, const struct destination *d, int64_t now);
/* Adds a recipient to the last job of the destination, if that is of the same letter and not full, or to a
 * new one. Copies. */
void plan_add(struct plan *p, struct destination *d, struct letter *l, const struct queue_row_recipient *r);
/* Reads what is due from the table, as far as there is room. */
bool plan_load(struct plan *p, struct destination *d, struct sql *db, int64_t now, struct err *e);

/* The next job, in flight from now on: destinations take turns, each has at most `most` in flight. NULL:
 * none. The local destination is asked separately. */
struct job *plan_take(struct plan *p, unsigned most);
struct job *plan_take_local(struct plan *p, unsigned most);
struct job *plan_in_flight(struct plan *p, uint64_t channel, uint64_t id); /* NULL: no such job */
struct job *plan_any_in_flight(struct plan *p, uint64_t channel);
/* It is no longer in flight. Those for whom `again` is true (in the job's order; NULL: nobody) were not
 * tried: the job stays for them, in front. Else it is freed. Its destination stays until plan_settle. */
void plan_end(struct plan *p, struct job *j, const bool *again);
size_t plan_in_flight_count(const struct plan *p);

/* The table was changed by somebody else: forgets everything that is not in flight. */
void plan_forget(struct plan *p);

#endif
