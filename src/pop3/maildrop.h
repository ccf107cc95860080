/* The maildrop of a POP3 session: INBOX as it was at login (RFC 1939 section 4). Messages that arrive later
 * are not in it; deletions are marks until QUIT. */
#ifndef POP3_MAILDROP_H
#define POP3_MAILDROP_H
#include "base/stream.h"
#include "mailbox/store.h"

/* The oldest so many; a client sees the rest after it has deleted some. Eight bytes and a bit each, 32 MiB in
 * all: numbers must stay through the session whatever other clients delete, so the uids are kept, and LIST
 * wants the sizes of all. */
#define MAILDROP_MAX 4000000

struct maildrop {
    struct store *store;
    int64_t mailbox;
    uint32_t uidvalidity;
    struct drop_message {
        uint32_t uid;
        uint32_t size; /* no message has 4 GiB: config's message_size is at most 2 */
    } * v;             /* message number n is v[n - 1] */
    uint8_t *marks;    /* a bit a message: deleted */
    size_t n, room;
    size_t deleted;
    uint64_t size; /* of those that are not deleted */

    /* What is read next, most likely: rows come in batches, and the beginning of the message behind the one
     * that was sent last may be there already (maildrop_read_ahead). */
    struct store_fetch *fetch; /* NULL: none open; else its next row is that of v[fetch_next] */
    size_t fetch_next;
    struct buf piece; /* of v[piece_of], which `fetch` stands at */
    size_t piece_of;  /* SIZE_MAX: of none */
};

bool maildrop_load(struct maildrop *m, struct store *s, struct err *e);
void maildrop_free(struct maildrop *m);
bool maildrop_is_deleted(const struct maildrop *m, size_t i);
void maildrop_delete(struct maildrop *m, size_t i);
void maildrop_undelete_all(struct maildrop *m);
/* The UPDATE state (section 6): all deletions, in one transaction. */
bool maildrop_update(struct maildrop *m, struct err *e);

/* --- send.c --- */
enum maildrop_sent {
    MAILDROP_SENT,
    MAILDROP_GONE,   /* nothing was written: another client deleted it, or it cannot be read */
    MAILDROP_BROKEN, /* it broke off in the middle: the connection must be closed */
};
#define MAILDROP_ALL_LINES UINT64_MAX
/* "+OK ...", the message v[i] (its header, and `lines` of its body), and the final "." (section 3). Memory
 * and database are held only a piece at a time, so that a slow client costs little. */
enum maildrop_sent maildrop_send(struct maildrop *m, size_t i, uint64_t lines, struct stream *to,
                                 struct err *e);
/* Reads the beginning of v[i] now, while the client is busy with what it got; most ask for one after the
 * other. Does nothing where that fails: the client is told when it asks. */
void maildrop_read_ahead(struct maildrop *m, size_t i);
/* Forgets what was read ahead. */
void maildrop_rest(struct maildrop *m);

#endif
