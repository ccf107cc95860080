/* A line of the trace in plain words. */
#ifndef COMMAND_TRACE_WORDS_H
#define COMMAND_TRACE_WORDS_H
#include "trace/line.h"

/* What it says, without its time; the arena has it. What another server or a sender wrote may be anything: it
 * comes without control characters, so that a terminal does not obey it. */
struct str trace_words(const struct trace_line *l, struct arena *a);

#endif
