/* A question to the trace: the messages that it is about, each with all that is known of it. */
#ifndef TRACE_ASK_H
#define TRACE_ASK_H
#include "trace/reader.h"

struct trace_said { /* a line of the log */
    int64_t at;     /* milliseconds since 1970 */
    struct str text;
    size_t order; /* as it was read */
};

/* What was said under one delivery id or under a message's number in the queue; or one line that names no
 * message: of a sender or recipient that was refused before there was one. */
struct trace_message {
    struct str delivery; /* "" if it is not known */
    uint64_t queue;      /* its number in the queue, the first that came up; 0: none */
    struct trace_said *lines;
    size_t count;
};

struct trace_answer {
    struct trace_message *messages; /* in the order of their first lines */
    size_t count;
    size_t left_out; /* older ones, beyond the limit */
    uint64_t lost;   /* lines that the trace could not take, in the time asked for */
    struct arena arena;
};

struct trace_question {
    struct str typed;     /* see trace_tokens_of_question */
    int64_t since, until; /* milliseconds since 1970: a line that has it lies between them */
    size_t limit;         /* messages: the newest */
};

#define TRACE_SAID_MAX ((size_t)1000 * 1000) /* lines of one answer: some 300 MiB */

/* False: *e; ERR_PERMANENT when it is not a question, or about too much. Free the answer in any case. */
bool trace_ask(const char *folder, const struct trace_question *q, struct trace_answer *out, struct err *e);
void trace_answer_free(struct trace_answer *a);
#define CLEAN_TRACE_ANSWER __attribute__((cleanup(trace_answer_free)))

#endif
