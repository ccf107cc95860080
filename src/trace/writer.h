/* Writes the trace. Lines are gathered; those that came since the last save are appended as they are, and
 * when there are enough for a block, the block is written where those began. A crash loses what came after
 * the last save; the next writer cuts off what it left half written. One writer at a time. */
#ifndef TRACE_WRITER_H
#define TRACE_WRITER_H
#include "trace/files.h"

struct trace_limits {
    unsigned days;  /* a file goes when its last line is older */
    uint64_t bytes; /* of all files together: the oldest go */
};

/* A file takes so much, or a day's lines: what is deleted is a file. */
#define TRACE_FILE_MAX ((uint64_t)32 << 20)
#define TRACE_FILE_MS  ((int64_t)24 * 3600 * 1000)

struct trace_writer;
/* The folder is made if need be. `now`: milliseconds since 1970, everywhere here. */
struct trace_writer *trace_writer_open(const char *folder, struct trace_limits limits, int64_t now,
                                       struct err *e);
void trace_writer_limit(struct trace_writer *w, struct trace_limits limits);
/* The line without its line end; one with control characters, or too long, is not taken. False: a block could
 * not be written, and its lines are lost. */
bool trace_writer_add(struct trace_writer *w, struct str line, int64_t now, struct err *e);
/* Puts what came since the last time into the file. False: it could not; they are kept. */
bool trace_writer_save(struct trace_writer *w, int64_t now, struct err *e);
bool trace_writer_has_unsaved(const struct trace_writer *w);
/* Deletes what is too old or too much, and takes in what commands have noted (trace/note.h). */
void trace_writer_expire(struct trace_writer *w, int64_t now);
void trace_writer_close(struct trace_writer *w); /* saves nothing */

#endif
