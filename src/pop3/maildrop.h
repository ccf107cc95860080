/* The maildrop of a POP3 session: INBOX as it was at login (RFC 1939 section 4). Messages that arrive later
 * are not in it; deletions are marks until QUIT. */
#ifndef POP3_MAILDROP_H
#define POP3_MAILDROP_H
#include "base/stream.h"
#include "mailbox/store.h"

/* The oldest so many; a client sees the rest after it has deleted some. Sixteen bytes each. */
#define MAILDROP_MAX 500000

struct drop_message {
    uint64_t size;
    uint32_t uid;
    bool is_deleted;
};

struct maildrop {
    struct store *store;
    int64_t mailbox;
    uint32_t uidvalidity;
    struct drop_message *v; /* message number n is v[n - 1] */
    size_t n;
    size_t deleted;
    uint64_t size; /* of those that are not deleted */
};

bool maildrop_load(struct maildrop *m, struct store *s, struct err *e);
void maildrop_free(struct maildrop *m);
void maildrop_delete(struct maildrop *m, struct drop_message *message);
void maildrop_undelete_all(struct maildrop *m);
/* The UPDATE state (section 6): all deletions, in one transaction. */
bool maildrop_update(struct maildrop *m, struct err *e);

enum maildrop_sent {
    MAILDROP_SENT,
    MAILDROP_GONE,   /* nothing was written: another client deleted it, or it cannot be read */
    MAILDROP_BROKEN, /* it broke off in the middle: the connection must be closed */
};
#define MAILDROP_ALL_LINES UINT64_MAX
/* "+OK ...", the message (its header, and `lines` of its body), and the final "." (section 3). Memory and
 * database are held only a piece at a time, so that a slow client costs little. */
enum maildrop_sent maildrop_send(struct maildrop *m, const struct drop_message *message, uint64_t lines,
                                 struct stream *to, struct err *e);

#endif
