/* What a command does to messages, for the trace: beside the server, which may run or not. Between begin and
 * end what is logged about messages goes into a file of its own in DATA/trace, which the role takes in and
 * removes. */
#ifndef TRACE_NOTE_H
#define TRACE_NOTE_H
#include "trace/files.h"

struct trace_notes {
    char *folder;
    int heard; /* the end that what is logged comes out of; -1: nothing is noted */
    struct buf lines;
    struct err error; /* of the first file that could not be written */
};

void trace_notes_begin(struct trace_notes *n, struct str data);
/* To be called now and then, at least after every 100 lines. */
void trace_notes_take(struct trace_notes *n);
/* False: not all is noted; n->error says why. */
bool trace_notes_end(struct trace_notes *n);

#endif
