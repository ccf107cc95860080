/* The ids of RFC 8474, which stay with a thing for its whole life: "F7" is a mailbox, "M42" an email (the
 * body that copies of a message share), "T3" a thread. Numbers are the store's; none of them is 0. Pure. */
#ifndef IMAP_OBJECTID_H
#define IMAP_OBJECTID_H
#include "imap/parse.h"

enum imap_object {
    IMAP_OBJECT_MAILBOX = 'F', /* MAILBOXID */
    IMAP_OBJECT_EMAIL = 'M',   /* EMAILID */
    IMAP_OBJECT_THREAD = 'T',  /* THREADID */
};

/* Bytes of an objectid at most (section 7). */
#define IMAP_OBJECTID_MAX 255

void imap_add_objectid(struct buf *out, enum imap_object kind, int64_t number);

/* objectid: 1*255(ALPHA / DIGIT / "_" / "-"). *number is 0 when it is one that this server never gave. */
bool imap_take_objectid(struct imap_cursor *c, enum imap_object kind, int64_t *number);

#endif
