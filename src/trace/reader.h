/* Reads the trace, while a writer writes it or not. */
#ifndef TRACE_READER_H
#define TRACE_READER_H
#include "trace/files.h"

struct trace_wish {
    const struct trace_tokens *tokens; /* any of these */
    int64_t since, until;              /* milliseconds since 1970 */
};
struct trace_result {
    uint64_t blocks, read; /* how many there are; how many of them were read for their lines */
    uint64_t lost;         /* lines that were lost in the time in question */
};

/* Lines that have one of the tokens, file by file in the order in which they were written. What `each` gets
 * is valid during the call. Of a file that changes under the reader, `restart` is called with what it
 * returned when `mark` was called at that file's beginning: what came since comes again. */
struct trace_taker {
    void (*each)(void *context, const struct trace_line *l);
    size_t (*mark)(void *context);
    void (*restart)(void *context, size_t mark);
    void *context;
};
bool trace_read(const char *folder, const struct trace_wish *wish, const struct trace_taker *to,
                struct trace_result *out, struct err *e);

#endif
