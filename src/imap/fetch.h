/* FETCH under way: which messages, which data, and what has been gathered to be sent. Shared by the files
 * that serve it. */
#ifndef IMAP_FETCH_H
#define IMAP_FETCH_H
#include "imap/fetch_parse.h"
#include "imap/session.h"

/* Answers are gathered up to this much before they are sent: enough for one system call to be worth it. The
 * store holds no database connection between two calls, so a slow client keeps nobody waiting. */
#define FETCH_GATHER STREAM_OUT_FLUSH

struct fetch {
    struct imap_session *session;
    const struct fetch_request *request;
    unsigned wants; /* of enum fetch_want */
    uint32_t *uids;
    size_t n, at;                /* uids[at] is the message under way */
    struct store_fetch *rows;    /* NULL: the view knows all that is asked for */
    const struct fetch_row *row; /* the last one read; NULL: none yet, or no more */
    bool is_read;                /* there are no more */
    struct buf out;
    bool has_item;             /* the answer under way has one already */
    struct buf header;         /* scratch of one section */
    struct arena message;      /* of the message under way */
    bool has_unknown_encoding; /* BINARY of a part that cannot be decoded was left out */
    bool is_lost;              /* the connection broke, or an answer cannot be finished */
    enum store_result result;  /* not OK: reading failed */
    struct err err;
};

/* FETCH of messages that nobody has asked for in a command: they are there, or passed over. */
enum store_result imap_fetch_told(struct imap_session *s, const struct fetch_request *q, uint32_t *uids,
                                  size_t n, struct err *e);

/* Sends what has been gathered. */
void fetch_send(struct fetch *f);
/* The separator, and the name of an item with the space behind it. */
void fetch_add_name(struct fetch *f, struct str name);
/* Bytes [at, at + n) of the row under way to `out`: all of them, or the answer cannot be finished and the
 * connection is given up (false). */
bool fetch_read(struct fetch *f, uint64_t at, uint64_t n, struct buf *out);
/* BINARY and BINARY.SIZE of the row under way. False: the connection is lost. */
struct section_extent;
bool fetch_add_binary(struct fetch *f, const struct fetch_section *s, const struct section_extent *e);
/* PREVIEW, SAVEDATE, EMAILID and THREADID of the row under way. */
void fetch_add_extensions(struct fetch *f);
/* The sections of the row under way. False: the connection is lost. */
bool fetch_add_sections(struct fetch *f);

#endif
