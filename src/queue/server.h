/* The inside of the queue's role, for its own files: queue.c (the role), frames.c (what arrives), round.c
 * (the transaction that writes it down), dispatch.c (the jobs that are given out).
 *
 * One thread and one database. Everything that arrived in a round of the loop, messages and outcomes alike,
 * is one transaction, or one write to the journal beside it (transit.h); only after it are answers sent and
 * further jobs given out. */
#ifndef QUEUE_SERVER_H
#define QUEUE_SERVER_H
#include "queue/enqueue.h"
#include "queue/local.h"
#include "queue/overdue.h"
#include "queue/record.h"
#include "queue/transit.h"
#include "role/role.h"

struct relay {
    struct relay *next;
    uint64_t channel;
    unsigned capacity, most_of_flow, in_flight; /* jobs */
};

struct server {
    struct role *role;
    struct loop *loop;
    struct role_target store; /* where db leads, with PostgreSQL */
    struct sql *db;
    struct transit *transit; /* NULL with PostgreSQL */
    int64_t data_version;
    struct plan *plan;
    struct overdue overdue;
    struct local *local;
    unsigned local_in_flight;
    struct relay *relays;
    /* what has arrived and is not written yet */
    struct enqueue *enqueues, **last_enqueue;
    struct outcome *outcomes, **last_outcome;
    bool has_work;   /* jobs may be waiting for somebody who can take them */
    bool gives_back; /* sql_give_back has begun */
    bool is_blocked; /* the disk refused: outcomes are kept, and tried again at the next tick */
    bool is_stopping;
};

/* --- queue.c --- */
/* Before the tables are read: all that the queue holds is there. False, with a line in the log: not now. */
bool server_settle(struct server *s);

/* --- frames.c --- */
/* A channel of smtp's, or of another that hands in messages; or of relay's. */
void frames_from_sender(struct server *s, int channel);
void frames_from_relay(struct server *s, int channel);

/* --- round.c --- */
struct queue_round round_new(const struct server *s);
void round_init(struct server *s);
/* For the transaction of this round. */
void round_add_enqueue(struct server *s, struct enqueue *in);
void round_add_outcome(struct server *s, struct outcome *o);
/* Writes down all that has arrived, answers, and brings the plan up to date. */
void round_commit(struct server *s);

/* --- dispatch.c --- */
/* To whoever the channel's number still leads to. One that does not take it is closed. */
void dispatch_send(struct server *s, uint64_t channel, const struct ipc_frame *f);
/* Jobs for every relay that has room, and for the threads that deliver here. */
void dispatch_jobs(struct server *s);
struct relay *dispatch_relay(const struct server *s, uint64_t channel); /* NULL: gone */
void dispatch_add_relay(struct server *s, uint64_t channel);
/* It is gone: what it had under way becomes outcomes. */
void dispatch_lose_relay(struct server *s, uint64_t channel);
/* An administrator asks for reports about TLS. */
void dispatch_wake_relays(struct server *s);

#endif
