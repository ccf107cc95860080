/* The message that follows DATA: read from the connection, checked, given its trace line (and, for our users'
 * mail, what RFC 6409 section 8 adds and removes), and left in a sealed memfd. */
#ifndef SMTP_INCOMING_H
#define SMTP_INCOMING_H
#include "base/arena.h"
#include "base/err.h"
#include "base/stream.h"
#include "message/submission.h"

/* The header must be at hand as a whole; RFC 5322 knows no bound. Postfix cuts at 100 KiB; a To field with a
 * thousand recipients is about 60 KiB. */
#define INCOMING_HEADER_MAX ((size_t)1024 * 1024)

#define INCOMING_BLOCK_MS (5 * 60 * 1000) /* RFC 5321 section 4.5.3.2.5 gives a client 3 minutes */
#define INCOMING_ALL_MS \
    (4 * 60 * 60 * 1000) /* 50 MiB at 4 KiB/s; a trickle does not hold a session for ever */

#define INCOMING_MESSAGE_ID_MAX ((size_t)998) /* a line: RFC 5322 section 2.1.1; the log cuts longer ones */

struct incoming_wish {
    struct str trace;                 /* the Received line(s) */
    const struct submission_fix *fix; /* NULL: mail from elsewhere, which stays as it is */
    uint64_t size_max;                /* of what the client sends, without its dots */
    unsigned hops_max;                /* Received lines that may be there already (RFC 5321 section 6.3) */
};

struct incoming {
    int memfd;             /* sealed; -1 when refused, or small: see incoming_memfd */
    struct buf small;      /* a message of at most DELIVERY_INLINE_MAX bytes */
    uint64_t size;         /* of the message, in either */
    uint64_t content;      /* bytes of content that came, also when refused */
    bool is_8bit;          /* some byte is over 127 */
    struct str from;       /* with `fix`: the value of the From field, still folded; lives in the arena */
    unsigned froms;        /* with `fix`: how many From fields there are */
    struct str message_id; /* with its brackets, also one that we added; "" for none; lives in the arena */
    const char *refusal;   /* NULL, or the reply: "550 5.6.11 ..." */
};

/* Reads to the end of data whatever is wrong with it. STREAM_OK: *out holds the message or why it is refused;
 * anything else: the connection is of no more use and there is no message. */
enum stream_result incoming_receive(struct stream *s, const struct incoming_wish *wish, struct arena *a,
                                    struct incoming *out);

/* The message in a memfd, made now if it was small; for the queue, which takes nothing else. -1: no memory.
 */
int incoming_memfd(struct incoming *m, struct err *e);

void incoming_free(struct incoming *m);

#endif
