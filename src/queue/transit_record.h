/* What stands in a frame of the queue's journal (transit.h): records, one after another. Each is its length,
 * its kind, the id of a message, and what there is to say about it. */
#ifndef QUEUE_TRANSIT_RECORD_H
#define QUEUE_TRANSIT_RECORD_H
#include "queue/db.h"

/* Whoever changes what is in a record, envelope_put included, takes a new number: a crash may leave one to
 * another release. */
enum transit_kind {
    TRANSIT_MESSAGE = 1, /* it has come */
    TRANSIT_GONE = 2,    /* everybody has it */
};

struct transit_record {
    enum transit_kind kind;
    int64_t message;
    struct str fields; /* the rest: a slice of what it was taken from */
};

struct transit_message {
    struct queue_row_message row;
    struct queue_row_recipient *recipients; /* at hand; their ids follow from the message's */
    size_t count;
    struct str bytes;
};

struct transit_gone { /* what queue_db_remove_sent asks for */
    int64_t message;
    size_t count;
    uint64_t size;
};

/* A record as bytes, in `out`, which is empty. False: it is too long for one. */
bool transit_put_message(struct ipc_frame *out, const struct transit_message *m);
bool transit_put_gone(struct ipc_frame *out, const struct transit_gone *g);

/* How many bytes a record of so many takes in a frame; and to `to`, where there is so much room. Returns
 * where the next one goes. */
size_t transit_bytes(size_t record);
char *transit_put(char *to, struct str record);
/* The one at the front of *rest, which goes on behind it. False: there is none that is known here. */
bool transit_take(struct str *rest, struct transit_record *r);
/* What it says. False: not what was put there. Slices are the record's, the list the arena's. */
bool transit_get_message(const struct transit_record *r, struct transit_message *m, struct arena *a);
bool transit_get_gone(const struct transit_record *r, struct transit_gone *g);

#endif
