/* The queue on disk: DATA/queue/queue.db, its tables and every statement on them. A message is there from the
 * commit that its ENQUEUED answer tells of until the commit in which the fate of its last recipient is
 * recorded. What the server remembers beside it is only a copy, so that it may be killed at any moment. */
#ifndef QUEUE_DB_H
#define QUEUE_DB_H
#include "base/sql.h"
#include "config/config.h"
#include "queue/admin.h"
#include "queue/queue.h"

/* A statement over these tables: see SQL_STATEMENT, and SQL_INSERT for the second. */
#define QUEUE_STATEMENT(name, ...) SQL_STATEMENT("queue", name, __VA_ARGS__)
#define QUEUE_INSERT(name, ...)    SQL_INSERT("queue", name, __VA_ARGS__)

extern const struct sql_schema QUEUE_SCHEMA;
/* Its steps for PostgreSQL: schema_pgsql.c. */
extern const char QUEUE_PGSQL_1[], QUEUE_PGSQL_2[], QUEUE_PGSQL_3[], QUEUE_PGSQL_4[], QUEUE_PGSQL_5[],
    QUEUE_PGSQL_6[], QUEUE_PGSQL_7[];

#define QUEUE_DELIVERY_BYTES 16

/* `account` of a recipient that is an address not yet looked up: where a report of ours goes. */
#define QUEUE_RESOLVE      (-2)
/* The same, but only if it leads to accounts of ours: the sender of the message that the report is about may
 * be forged, and nobody is to get mail because of that. */
#define QUEUE_RESOLVE_OURS (-5)

/* A recipient's id is its message's, shifted, and a number from 1: those of a message are a range of keys. */
#define QUEUE_RECIPIENT_BITS 20 /* over QUEUE_RECIPIENTS_MAX, and room for those that come later */
int64_t queue_db_first_recipient(int64_t message); /* ids of a message: from here ... */
int64_t queue_db_past_recipient(int64_t message);  /* ... to before this */

/* The destination of recipients that do not leave by relay. No domain is called that. */
#define QUEUE_LOCAL_DOMAIN STR("")
/* Where mail for an address goes: its domain in lower case. "": it has none. */
struct str queue_db_destination(struct str address, struct arena *a);

/* NULL: *e says why. `make`: the folder and the database are made if need be, and the schema brought up to
 * date; else they must be there. */
struct sql *queue_db_open(const struct config *c, bool make, struct err *e);
/* DATA/queue, where nothing else lies; free() it. */
char *queue_db_folder(const struct config *c);

/* --- in --- within a transaction of the caller's */
struct queue_row_message {
    int64_t id;
    struct str delivery; /* QUEUE_DELIVERY_BYTES */
    struct str sender;
    uint64_t size;
    bool is_8bit;
    int64_t arrived;
    struct envelope asked;
};
struct queue_row_recipient {
    int64_t id, message;
    struct str address;
    int64_t account;
    struct str original, detail;
    struct str domain; /* lower case; QUEUE_LOCAL_DOMAIN */
    int64_t flow;      /* queue/flow.h */
    struct envelope_recipient asked;
    unsigned attempts;
    unsigned warned; /* 1: its sender has been told of a delay; 2: that its deadline has passed */
    bool at_hand;    /* see queue_db_put_down; not read */
    int64_t next_attempt;
    struct str host, reply; /* of the last attempt; "" before it */
};
/* Both set `id`; a recipient's is kept if it is not 0. */
bool queue_db_add_message(struct sql *db, struct queue_row_message *m, struct str bytes, struct err *e);
bool queue_db_add_recipient(struct sql *db, struct queue_row_recipient *r, struct err *e);
/* Under the id that it was given in the journal (SQLite only). */
bool queue_db_put_message(struct sql *db, const struct queue_row_message *m, struct str bytes, struct err *e);
/* What of the journal is in the tables: up to this generation, whose messages had ids up to `last` (which no
 * other gets). */
bool queue_db_journal(struct sql *db, int64_t *generation, int64_t *last, struct err *e);
bool queue_db_set_journal(struct sql *db, int64_t generation, int64_t last, struct err *e);

/* --- out --- */
/* What is waiting for `domain` in `flow` and due at `now`, in order of (next_attempt, id), beginning after
 * (after_at, after_id), at most `limit` recipients. `each` must not touch the database. */
struct queue_due {
    struct str domain;
    int64_t flow;
    int64_t now, after_at, after_id;
    int64_t limit;
    int64_t later; /* out: when the next one is due; unchanged if there is none, or `limit` came before it */
};
typedef void queue_db_row_fn(void *context, const struct queue_row_message *m,
                             const struct queue_row_recipient *r);
bool queue_db_due(struct sql *db, struct queue_due *q, queue_db_row_fn *each, void *context, struct err *e);

/* The first (destination, flow) that anybody waits for after (`after`, `after_flow`) in the order of bytes
 * and numbers, and when its first recipient is due: 1, 0 none, -1. The domain is appended to *domain. Nothing
 * stands before (QUEUE_LOCAL_DOMAIN, -1). */
int queue_db_next_flow(struct sql *db, struct str after, int64_t after_flow, struct buf *domain,
                       int64_t *flow, int64_t *at, struct err *e);

/* When the first is due that waits for `domain` in `flow`: 1, 0 none, -1. */
int queue_db_first_due(struct sql *db, struct str domain, int64_t flow, int64_t *at, struct err *e);

/* A recipient may be written as `at_hand`: its first attempt is at once, and the server has it in memory, so
 * that neither of the two above needs to find it. Nor do they, and the index that they go by does not have to
 * hold it. An outcome that leaves it waiting ends that; so does this, for all of them: for a memory that was
 * lost, or has let go of some. */
bool queue_db_put_down(struct sql *db, struct err *e);

/* Who waits, in the order of ids, which is that in which messages came. `each` must not touch the database.
 */
struct queue_waiting {
    int64_t after, before; /* ids of recipients, both outside */
    int64_t warned_below;  /* only those */
    int64_t limit;
};
bool queue_db_waiting(struct sql *db, const struct queue_waiting *w, queue_db_row_fn *each, void *context,
                      struct err *e);
/* Messages whose deliver_by is not after `now`, into `list`. */
struct queue_deadline {
    int64_t message;
    enum envelope_by by;
};
bool queue_db_deadlines(struct sql *db, int64_t now, struct queue_deadline *list, size_t max, size_t *count,
                        struct err *e);
/* It has been dealt with. */
bool queue_db_deadline_passed(struct sql *db, int64_t message, struct err *e);

/* The message's bytes, for parcel_free. */
bool queue_db_bytes(struct sql *db, int64_t message, uint64_t size, struct parcel *out, struct err *e);
/* Its first bytes, where the header is. */
bool queue_db_start(struct sql *db, int64_t message, struct buf *out, struct err *e);

/* --- what became of a recipient --- within a transaction. *there is false when it is gone (dropped by a
 * command) or no longer waiting. */
struct queue_row_attempt {
    int64_t recipient, message, at;
    enum queue_fate fate;
    struct str host, reply;
    struct str transcript; /* QUEUE_TRANSCRIPT_MAX; "" but for one of the attempts of a job */
};
bool queue_db_sent(struct sql *db, const struct queue_row_attempt *a, bool *there, struct err *e);
bool queue_db_failed(struct sql *db, const struct queue_row_attempt *a, bool *there, struct err *e);
bool queue_db_deferred(struct sql *db, const struct queue_row_attempt *a, int64_t next_attempt,
                       unsigned warned, bool *there, struct err *e);
/* Without an attempt. */
bool queue_db_warned(struct sql *db, int64_t recipient, unsigned warned, bool *there, struct err *e);
/* Kept for as long as the message. */
bool queue_db_add_attempt(struct sql *db, const struct queue_row_attempt *a, struct err *e);
/* The recipient without a trace, because others stand in its place. */
bool queue_db_replace(struct sql *db, int64_t recipient, bool *there, struct err *e);
/* Removes the message if nobody waits for it (or is held) any more. */
bool queue_db_finish(struct sql *db, int64_t message, bool *gone, struct err *e);
bool queue_db_is_there(struct sql *db, int64_t message, bool *there, struct err *e);
/* The same for one that everybody has whom it came for, `count` recipients, at the first attempt. Those whom
 * a command has put in their place meanwhile, or holds, keep it. */
bool queue_db_remove_sent(struct sql *db, int64_t message, size_t count, uint64_t size, struct err *e);
/* Removes it whoever waits. */
bool queue_db_remove(struct sql *db, int64_t message, bool *there, struct err *e);

#endif
