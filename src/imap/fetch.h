/* FETCH under way: which messages, which data, and what has been gathered to be sent. Shared by the files
 * that serve it. */
#ifndef IMAP_FETCH_H
#define IMAP_FETCH_H
#include "imap/fetch_parse.h"
#include "imap/session.h"

/* Answers are gathered up to this much before they are sent. While a slow client takes them the session holds
 * no database connection: there are few, and another session would wait for one. */
#define FETCH_GATHER ((size_t)256 * 1024)

struct fetch {
    struct imap_session *session;
    const struct fetch_request *request;
    unsigned wants; /* of enum fetch_want */
    const uint32_t *uids;
    size_t n, at;                /* uids[at] is the message under way */
    size_t batch_end;            /* the messages before this are in `rows` */
    struct store_fetch *rows;    /* NULL: not open just now */
    const struct fetch_row *row; /* the last one read; NULL: none, or no more */
    struct buf out;
    char separator;           /* in front of the next item: "(" or a space */
    struct buf header;        /* scratch of one section */
    struct arena message;     /* of the message under way */
    bool is_lost;             /* the connection broke, or an answer cannot be finished */
    enum store_result result; /* not OK: reading failed */
    struct err err;
};

/* Makes f->row that of uids[at], opening the mailbox again where fetch_send has let it go. False: it is gone,
 * or reading failed. */
bool fetch_find_row(struct fetch *f);
/* Sends what has been gathered, letting go of the mailbox meanwhile. */
void fetch_send(struct fetch *f);
/* The separator, and the name of an item with the space behind it. */
void fetch_add_name(struct fetch *f, struct str name);
/* The sections of the row under way. False: the connection is lost. */
bool fetch_add_sections(struct fetch *f);

#endif
