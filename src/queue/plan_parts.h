/* The inside of queue/plan.h, for its own files: plan.c (whose turn it is), plan_lane.c (lanes and what they
 * hang on), plan_table.c (what the table holds), plan_letter.c (messages). */
#ifndef QUEUE_PLAN_PARTS_H
#define QUEUE_PLAN_PARTS_H
#include "directory/directory.h"
#include "queue/heap.h"
#include "queue/plan.h"

struct flow {
    int64_t id;
    struct lane *first, *last; /* lanes that are offered: a job of theirs may go at once */
    unsigned in_flight, lanes;
    bool in_ring;
    struct flow *ring_prev, *ring_next;
};

struct lane {
    struct destination *destination;
    struct flow *flow;
    struct job *first, *last; /* ready */
    size_t rows;              /* recipients in them */
    unsigned in_flight;
    bool is_offered;
    bool has_more;    /* due rows were left in the table for lack of room, and `due` does not count them */
    bool is_known;    /* `due` tells of everything that is not in memory; else the table must be asked */
    bool must_settle; /* rows may have been passed over: the table must be asked when it is empty */
    struct heap_entry due;        /* key: when the earliest row is due that is not in memory; PLAN_NEVER. In
                                     plan->due        unless never, or the destination is left alone */
    struct heap_entry turn;       /* in destination->turns while it has jobs and is not offered */
    unsigned epoch;               /* of its jobs: grows when the cursor begins anew */
    int64_t cursor_at, cursor_id; /* rows up to here are in memory, or were */
    struct lane *offer_prev, *offer_next;
    struct lane *prev, *next; /* of the destination */
};

struct destination {
    struct str domain; /* owned */
    struct lane *lanes;
    struct heap turns;
    int64_t turn; /* counts jobs that were given out */
    size_t rows;
    unsigned in_flight, offered;
    struct window window;
    struct str host, reply;          /* of the last failure, in one block owned by host.p; NULL: none */
    struct heap_entry wake;          /* in plan->wakes while it is left alone: when one of its jobs may ask */
    struct destination *prev, *next; /* of all */
};

struct plan {
    struct window_bounds bounds;
    struct plan_limits limits;
    int64_t now;                         /* of the last call that said */
    void *by_domain, *by_flow, *by_lane; /* tsearch */
    struct destination *all;
    size_t destinations, lanes, flows, rows;
    struct heap due, wakes;
    struct flow *ring; /* flows with lanes that are offered take turns */
    struct job *flying;
    size_t flying_count;
    uint64_t last_job;
    bool has_dropped;    /* recipients that were at hand are no longer: the table is to be told */
    unsigned open_count; /* descriptors that are kept */
    uint64_t kept_bytes;
    /* looking for lanes in the table */
    bool is_looking;
    struct buf look_domain; /* this one and look_flow were the last that were found */
    int64_t look_flow;
    int64_t missed_at; /* when a row is due whose lane had no room; PLAN_NEVER */
};

/* --- plan_lane.c --- */
/* NULL: not there; with `make`, too many already. */
struct lane *lane_find(struct plan *p, struct str domain, int64_t flow, bool make);
void lane_set_due(struct plan *p, struct lane *l, int64_t at);
/* Frees it if nothing hangs on it any more, and its destination and flow with it; or sees to it that the
 * table is asked. */
void lane_settle(struct plan *p, struct lane *l);
void lane_free(struct plan *p, struct lane *l);
/* Its jobs that are ready are gone; its rows stand in the table as before. */
void lane_forget_jobs(struct plan *p, struct lane *l);
static inline bool lane_is_busy(const struct lane *l)
{
    return l->rows > 0 || l->in_flight > 0;
}
struct destination *destination_find(const struct plan *p, struct str domain); /* NULL: not there */
bool destination_is_local(const struct destination *d);

/* --- plan_table.c --- */
/* Asks the table when the first of a lane is due that is not known. */
bool lane_learn(struct plan *p, struct lane *l, struct sql *db, struct err *e);

/* --- plan.c --- */
void lane_add(struct plan *p, struct lane *l, struct letter *letter, const struct queue_row_recipient *r);
/* Lanes of it to their flows, as far as its window has room. */
void destination_offer(struct plan *p, struct destination *d);
void lane_withdraw(struct plan *p, struct lane *l); /* neither offered nor waiting for its turn */

/* --- plan_letter.c --- */
void letter_close(struct plan *p, struct letter *l);
void job_free(struct plan *p, struct job *j);
struct job_recipient job_recipient_of(const struct queue_row_recipient *r);

#endif
