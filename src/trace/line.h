/* A line of the log, read back (base/log.h writes it): what the trace keeps. Pure. */
#ifndef TRACE_LINE_H
#define TRACE_LINE_H
#include "base/arena.h"
#include "base/log.h"

#define TRACE_LINE_MAX   LOG_TRACE_MAX
#define TRACE_FIELDS_MAX 64 /* of a line; the longest has 25 */

struct trace_field {
    struct str key, value;
    bool is_quoted;
};

struct trace_line {
    struct str text; /* all of it, without its line end */
    int64_t at;      /* milliseconds since 1970 */
    struct str level, role, event;
    struct trace_field fields[TRACE_FIELDS_MAX];
    size_t count;
};

/* False: not such a line. A line that was cut at its end is one. Slices point into `text`, or into the arena
 * where a value had escapes. */
bool trace_line_read(struct str text, struct arena *a, struct trace_line *out);

/* The value of a field; "" where there is none. */
struct str trace_line_get(const struct trace_line *l, struct str key);

/* "2026-11-24T12:00:00.123Z" as milliseconds since 1970; false: not a time. */
bool trace_time_read(struct str text, int64_t *at);

#endif
