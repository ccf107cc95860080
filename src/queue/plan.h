/* The queue in memory: which destinations have somebody waiting, the jobs at hand for each, and who comes
 * next.
 *
 * The table on disk is the truth; here is a bounded copy of what is due. A job is one message for up to
 * QUEUE_JOB_RECIPIENTS recipients at one destination. Jobs stand in lanes: a lane is one flow (queue/flow.h)
 * at one destination. A lane knows when the first of its recipients that are not in memory is due, and which
 * ones it has read already.
 *
 * Whose turn it is:
 *   - flows take turns, so that a list for a thousand destinations stands before nobody else's letter;
 *   - a destination offers as many of its lanes as its window (queue/window.h) has room for, and its lanes
 * take turns for that, those of a higher priority sooner, but none for ever;
 *   - a destination that is left alone has nothing in memory but its lanes, and nothing of it is read, until
 * one job may ask whether it is back. */
#ifndef QUEUE_PLAN_H
#define QUEUE_PLAN_H
#include "queue/db.h"
#include "queue/window.h"

/* What is held in memory, of recipients that are due: ordinary ones take 600 bytes each. */
struct plan_limits {
    size_t rows_per_lane; /* further ones stay in the table until half are gone */
    size_t rows;          /* of all lanes together; further lanes are read when there is room */
    size_t fresh;         /* beyond those, of messages that have just come */
    size_t lanes;         /* at 200 bytes; others are found when some are done */
};
#define PLAN_LIMITS_USUAL                                                  \
    {                                                                      \
        .rows_per_lane = 200, .rows = 20000, .fresh = 5000, .lanes = 50000 \
    }
#define PLAN_OPEN_MAX   512                  /* descriptors of messages kept for their first attempt */
#define PLAN_KEPT_BYTES ((uint64_t)64 << 20) /* and the memory that those and small messages may hold */
#define PLAN_PRIORITY_TURNS \
    8 /* a lane comes so many turns sooner for each step of MT-PRIORITY (RFC 6710), and so starves nobody */
#define PLAN_NEVER INT64_MAX

struct plan;
struct lane;

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
    struct parcel body;    /* owned; PARCEL_NONE: only on disk. Whoever needs it puts it here */
    bool is_kept;          /* counted against the bounds above; else it goes when no job is in flight */
    size_t whole; /* recipients of the message, if none of them has been tried before; 0: not known */
    unsigned jobs, in_flight;
};

struct job_recipient {
    int64_t id;
    int64_t account;
    struct str address, original, detail; /* in one block with asked.original, owned by address */
    unsigned attempts, warned;
    bool at_hand; /* as its row says, unless all have been put down meanwhile */
    struct envelope_recipient asked;
};

struct job {
    uint64_t id; /* never used again */
    struct letter *letter;
    struct lane *lane; /* NULL: of plan_job, which is in no lane */
    struct job_recipient *recipients;
    size_t count;
    unsigned epoch;   /* of its lane when it was made */
    uint64_t channel; /* of the relay that has it; 0: none */
    struct job *prev, *next;
};

struct plan *plan_new(void);
void plan_free(struct plan *p);
void plan_configure(struct plan *p, const struct window_bounds *b);
void plan_limit(struct plan *p, const struct plan_limits *l); /* before there is anything in it */

/* --- letters ---
 * Takes the body over (NULL: none), and frees it when too much is kept already. Lives as long as its jobs;
 * one that got none goes with plan_letter_drop. */
struct letter *plan_letter(struct plan *p, const struct queue_row_message *m, struct parcel *body);
void plan_letter_drop(struct plan *p, struct letter *l);
/* A job of one recipient that goes nowhere: of a message with which something is the matter beside its
 * attempts. plan_end frees it. */
struct job *plan_job(struct plan *p, struct letter *l, const struct queue_row_recipient *r);

/* --- what the table holds --- */
/* A recipient is about to be written. 1: it may be `at_hand` (queue_db_put_down), since all that is due of
 * its lane is in memory and there is room; 0; -1 with *e: the table could not be read. plan_add_fresh
 * follows, or plan_retract: */
int plan_admit(struct plan *p, struct sql *db, const struct queue_row_recipient *r, int64_t now,
               struct err *e);
/* It was not written after all. */
void plan_retract(struct plan *p, struct str domain, int64_t flow);
/* A recipient that has just been written: to the last job of its lane if that is of the same letter, or to a
 * new one, or to be read from the table when its time comes. Copies. */
void plan_add_fresh(struct plan *p, struct letter *l, const struct queue_row_recipient *r, int64_t now);
/* A recipient that is not in memory is due at `at`. */
void plan_expect(struct plan *p, struct str domain, int64_t flow, int64_t at);
/* Puts down whom memory has let go of (at first: all), reads what is due and what there is room for, and
 * looks for lanes that are not known yet. A bounded piece of work: *more says that there is more of it.
 * False: the table could not be read; try again later. */
bool plan_read(struct plan *p, struct sql *db, int64_t now, bool *more, struct err *e);
/* plan_read has something to do at `now`. */
bool plan_wants_read(const struct plan *p, int64_t now);
/* The table was changed by somebody else, or perhaps by us: forgets everything that is not in flight, and how
 * destinations fared, and looks anew. */
void plan_forget(struct plan *p);

/* --- jobs --- */
struct str plan_domain(const struct job *j); /* its destination */
int64_t plan_flow(const struct job *j);
/* The next job, in flight from now on; no flow has more than `most_of_flow`. NULL: none. The local
 * destination is asked separately: at most `most` of it are in flight. */
struct job *plan_take(struct plan *p, unsigned most_of_flow);
struct job *plan_take_local(struct plan *p, unsigned most);
struct job *plan_in_flight(struct plan *p, uint64_t channel, uint64_t id); /* NULL: no such job */
struct job *plan_any_in_flight(struct plan *p, uint64_t channel);
bool plan_recipient_in_flight(const struct plan *p, int64_t recipient);
/* It is no longer in flight. Those for whom `again` is true (in the job's order; NULL: nobody) were not
 * tried: the job stays for them, in front. Else it is freed. `contact` moves the destination's window. */
void plan_end(struct plan *p, struct job *j, const bool *again, enum queue_contact contact, int64_t now);
/* Why its destination is left alone, or may soon be: what is told of those that were not tried. */
void plan_blame(struct plan *p, const struct job *j, struct str host, struct str reply);
void plan_blamed(const struct plan *p, struct str domain, struct str *host, struct str *reply);
size_t plan_in_flight_count(const struct plan *p);

/* For tests and figures. */
struct plan_size {
    size_t rows, lanes, destinations, flows;
};
struct plan_size plan_size(const struct plan *p);
const struct window *plan_window(const struct plan *p, struct str domain); /* NULL: not known */

#endif
