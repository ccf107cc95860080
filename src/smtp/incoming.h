/* The message that follows DATA, or comes in chunks by BDAT: read from the connection, checked, given its
 * trace line (and, for our users' mail, what RFC 6409 section 8 adds and removes), and left in a sealed
 * memfd. */
#ifndef SMTP_INCOMING_H
#define SMTP_INCOMING_H
#include "base/arena.h"
#include "base/err.h"
#include "base/stream.h"
#include "message/submission.h"
#include "smtp/data.h"

/* The header must be at hand as a whole; RFC 5322 knows no bound. Postfix cuts at 100 KiB; a To field with a
 * thousand recipients is about 60 KiB. */
#define INCOMING_HEADER_MAX ((size_t)1024 * 1024)

#define INCOMING_BLOCK_MS (5 * 60 * 1000)      /* RFC 5321 section 4.5.3.2.5 gives a client 3 minutes */
#define INCOMING_ALL_MS   (4 * 60 * 60 * 1000) /* 50 MiB at 4 KiB/s */
#define INCOMING_RATE_LEAST                                                                               \
    250 /* bytes a second, once INCOMING_BLOCK_MS have passed: a modem of 2,400 bit/s. A trickle holds no \
           session */

#define INCOMING_MESSAGE_ID_MAX ((size_t)998) /* a line: RFC 5322 section 2.1.1; the log cuts longer ones */

struct incoming_wish {
    struct str trace;          /* the Received line(s) */
    bool is_ours;              /* our user's mail, which is completed by `fix`; else it stays as it is */
    struct submission_fix fix; /* with is_ours */
    /* with is_ours: called once, when the header is whole, to fill in what of `fix` hangs on it; NULL:
     * nothing */
    void (*look)(void *context, struct str header, struct submission_fix *fix);
    void *context;
    bool is_binary;            /* BODY=BINARYMIME: any bytes, but for the header (RFC 3030 section 3) */
    bool is_utf8;              /* SMTPUTF8 */
    bool utf8_only_when_asked; /* bytes over 127 in the header are refused without is_utf8 */
    struct str unwanted;       /* of its Solicitation field: solicit.h */
    uint64_t size_max;         /* of what the client sends, without its dots */
    unsigned hops_max;         /* Received lines that may be there already (RFC 5321 section 6.3) */
};

struct incoming {
    /* what came of it, after incoming_end */
    const char *refusal;   /* NULL, or the reply: "550 5.6.11 ..."; known as soon as it is sure */
    int memfd;             /* sealed; -1 when refused, or small */
    struct buf small;      /* a message of at most DELIVERY_INLINE_MAX bytes */
    uint64_t size;         /* of the message, in either */
    uint64_t content;      /* bytes of content that came, also when refused */
    bool is_8bit;          /* some byte is over 127 */
    bool header_is_8bit;   /* one of the header */
    struct str from;       /* with is_ours: the value of the From field, still folded */
    unsigned froms;        /* with is_ours: how many From fields there are */
    struct str message_id; /* with its brackets, also one that we added; "" for none */
    /* while it comes in */
    struct incoming_wish wish;
    struct arena *arena;
    struct data_scanner scanner;
    int64_t began_ms;    /* see incoming_due */
    struct buf gathered; /* what is not yet in the memfd; begins with the trace line and the header until
                            header_done */
    size_t searched;     /* bytes of content in it that hold no end of the header */
    bool header_done;
};

/* `a` and what `wish` points to are lent until incoming_free; what came of it lives in `a`. */
void incoming_begin(struct incoming *m, const struct incoming_wish *wish, struct arena *a);

/* All that follows DATA, to its end and whatever is wrong with it. Anything but STREAM_OK: the connection is
 * of no more use. */
enum stream_result incoming_data(struct incoming *m, struct stream *s);

/* The octets of one BDAT, whatever is wrong with them. */
enum stream_result incoming_chunk(struct incoming *m, struct stream *s, uint64_t octets);

/* By when more must come of a message that began then and of which so many bytes are there. */
struct deadline incoming_due(int64_t began_ms, uint64_t bytes);

/* Octets of a BDAT that nobody wants. */
enum stream_result incoming_discard(struct stream *s, uint64_t octets);

/* There is no more of it: m->refusal, or the message. */
void incoming_end(struct incoming *m);

void incoming_free(struct incoming *m);

#endif
