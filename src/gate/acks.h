/* When what a client sent is acknowledged. The kernel lets the acknowledgement travel with our answer, and
 * waits 40 ms for one (RFC 1122 section 4.2.3.2). A client under Nagle's algorithm (RFC 896) that writes in
 * small pieces holds the next piece back until then: the last line of a message, or the CRLF behind the
 * literal of an APPEND. gate cannot know whether a piece is answered by itself, so:
 *
 * - A piece that no answer has followed within ACKS_MS is acknowledged then.
 * - A client that goes on after such an acknowledgement seems to have waited for it: its next
 *   ACKS_EAGER_PIECES are acknowledged at once, and as many again whenever it does so again.
 *
 * So a client waits for us once, for a moment; and for one that takes turns with us, as most do, nothing is
 * sent and no system call made that an answer would have done without. */
#ifndef GATE_ACKS_H
#define GATE_ACKS_H
#include "base/loop.h"

#define ACKS_MS           4  /* most answers come sooner; still a tenth of what the kernel waits */
#define ACKS_EAGER_PIECES 32 /* those of several messages */

/* All that wait for an answer; of one loop. */
struct acks;
struct acks *acks_new(struct loop *l);
void acks_free(struct acks *all); /* after each `ack` has ended */

/* One connection's. */
struct ack {
    struct acks *all;
    int fd;                  /* lent; for what is not TCP nothing happens */
    struct ack *next, *prev; /* among those that wait, the longest first */
    bool waits;              /* what came is to be acknowledged at due_ms */
    bool unanswered;         /* something came, and nothing was sent since */
    uint8_t eager;           /* so many more pieces are acknowledged at once */
    int64_t due_ms;
};
void ack_start(struct ack *a, struct acks *all, int fd);
void ack_end(struct ack *a);

void ack_came(struct ack *a); /* a piece that the other side may answer by itself */
void ack_part(struct ack *a); /* a piece that nobody can answer: acknowledged at once */
void ack_sent(struct ack *a); /* something was sent to the client */

#endif
