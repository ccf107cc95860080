/* What was said in an attempt: a line each, with its time, for `golub queue show` and the trace. The message
 * itself and the secrets of AUTH are not in it. Bounded: of a long conversation the beginning and the end
 * stay. */
#ifndef RELAY_TRANSCRIPT_H
#define RELAY_TRANSCRIPT_H
#include "queue/queue.h"

#define TRANSCRIPT_BYTES_MAX (QUEUE_TRANSCRIPT_MAX - 100) /* room for the line about those left out */
#define TRANSCRIPT_LINE_MAX  ((size_t)500)                /* of one line; a longer one is cut */

enum transcript_mark {
    TRANSCRIPT_NOTE = '*', /* what happened: connecting, TLS, the message's bytes */
    TRANSCRIPT_SENT = '>',
    TRANSCRIPT_GOT = '<',
};

struct transcript {
    struct buf text;   /* as queue/queue.h says */
    int64_t moment_ms; /* of the last line, and as it is written: most lines of an attempt have the same */
    char moment[24];
    size_t moment_n;
    size_t head;     /* bytes of the beginning, which stay */
    size_t left_out; /* lines that were dropped behind them */
};

void transcript_begin(struct transcript *t);
void transcript_free(struct transcript *t);
/* `t` may be NULL: nobody wants to know. */
void transcript_add(struct transcript *t, enum transcript_mark mark, struct str line);
void transcript_addf(struct transcript *t, enum transcript_mark mark, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* All of it; where lines were left out, one says how many. In the transcript itself or in the arena. */
struct str transcript_text(const struct transcript *t, struct arena *a);

#endif
