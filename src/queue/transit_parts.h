/* The inside of queue/transit.h, for its own files: transit.c (into the journal), transit_table.c (out of it,
 * into the tables). */
#ifndef QUEUE_TRANSIT_PARTS_H
#define QUEUE_TRANSIT_PARTS_H
#include "base/journal.h"
#include "queue/transit.h"

#define TRANSIT_FILE  "transit"
/* Of its frames: 450 messages of 4 KiB, of which those that are on their way when it is full have to go into
 * the tables. */
#define TRANSIT_BYTES ((size_t)2 * 1024 * 1024)

struct transit {
    struct sql *db;
    int folder, bell;
    struct journal *journal; /* NULL: not needed yet */
    bool is_open;            /* something may stand there, of `generation`; and the folder is ours */
    bool is_damaged;         /* not all that stood there could be read */
    uint32_t generation;
    int64_t last; /* id that was given out */
    int64_t failed_ms;
    /* what stands there */
    int64_t first;                  /* id of records[0] */
    struct transit_record *records; /* by id; with message 0: gone, or none. Slices of the journal's memory */
    size_t count, room;
    struct transit_gone *gone; /* of the tables */
    size_t gone_count, gone_room;
    /* the round */
    struct ipc_frame scratch;
    size_t bytes;    /* of its records, where the next frame goes */
    int64_t planned; /* `last`, with those */
};

/* The records of a frame are there from now on. False: something is not known here. */
bool transit_take_up(struct transit *t, struct str payload);
/* What stood there is in the tables. */
void transit_start_over(struct transit *t);

#endif
