/* What another server answers: replies of RFC 5321 section 4.2. Pure. */
#ifndef RELAY_REPLY_H
#define RELAY_REPLY_H
#include "queue/queue.h"

#define REPLY_LINE_MAX                                                                                      \
    2048                    /* RFC 5321 section 4.5.3.1.5 says 512; real servers put long links into theirs \
                             */
#define REPLY_LINES_MAX 200 /* of one reply; more is no mail server */

struct reply {
    unsigned code; /* 200 to 599 */
    unsigned lines;
    size_t n;
    char text[QUEUE_REPLY_MAX]; /* code and all lines, joined by spaces, printable, cut if longer: for logs
                                   and reports. An enhanced status that every line repeats stands once */
};

enum reply_step {
    REPLY_MORE, /* a further line belongs to it */
    REPLY_DONE,
    REPLY_BAD, /* not a reply, or its lines have different codes: whoever speaks so cannot be talked to */
};

#define REPLY_INIT \
    {              \
        0          \
    }
/* Adds a line (without its line end) to a reply that began as REPLY_INIT. *words is the line after the code.
 */
enum reply_step reply_add_line(struct reply *r, struct str line, struct str *words);

struct str reply_text(const struct reply *r);
bool reply_is_good(const struct reply *r);         /* 2xx */
enum queue_fate reply_fate(const struct reply *r); /* 2xx sent, 5xx failed, everything else deferred */
/* The server has too much to do, whatever we asked: 421 (RFC 5321 section 3.8), or a 4xx with 4.3.2 ("not
 * accepting network messages") or 4.4.5 ("congestion"): RFC 3463 sections 3.4 and 3.5. */
bool reply_is_busy(const struct reply *r);

/* "5.1.1" at the front of `s`, followed by a space or the end; empty if there is none. */
struct str reply_enhanced(struct str s);

#endif
