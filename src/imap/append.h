/* Messages on their way in: APPEND, with several messages at once (RFC 3502) and messages made of pieces
 * (RFC 4469), and REPLACE (RFC 8508). The command is done as it is read: what can be refused is refused
 * before the client is asked for the bytes. */
#ifndef IMAP_APPEND_H
#define IMAP_APPEND_H
#include "imap/flags.h"
#include "imap/session.h"

/* Of one command: clients that move a folder send a few hundred at a time. */
#define APPEND_MESSAGES_MAX ((size_t)1000)
/* Bytes of one command's messages, all of which are held until they are stored together; or, where a single
 * message may be larger, that. */
#define APPEND_BYTES_MAX    ((uint64_t)256 * 1024 * 1024)

struct incoming {
    struct imap_flags flags;
    int64_t received;
    int zone;
    char *bytes; /* append.c's */
    size_t n, cap;
};

struct append {
    struct imap_session *session;
    struct imap_cursor *c; /* where the command's text stands; the text is that of the line read last */
    struct str name;
    struct mailbox to;
    unsigned rights; /* of the user on it */
    bool is_open;    /* both have been looked up */
    struct incoming *v;
    size_t n, cap;
    uint64_t bytes;          /* of all of them */
    enum imap_status status; /* when something failed: how the command ends */
};

/* All that say bool have set a->status when they return false. */
void append_start(struct append *a, struct imap_session *s, struct imap_cursor *c);
void append_free(struct append *a);
bool append_fail(struct append *a, enum imap_status status); /* sets it; false */
bool append_fail_syntax(struct append *a);                   /* BAD with the cursor's problem */

/* SP mailbox */
bool append_take_mailbox(struct append *a);
/* append-message: SP append-opts append-data (RFC 4466 section 2.2). Reads the literals, and the lines behind
 * them. */
bool append_take_message(struct append *a);
/* Room for n bytes more of a message. */
bool append_room(struct append *a, struct incoming *m, uint64_t n);
/* A literal that is the message or a piece of it. */
bool append_take_literal(struct append *a, struct incoming *m, bool may_be_empty);
/* All of them, or none; `replaced` as in store_append_all. *uids is the set of their uids. */
bool append_store(struct append *a, const struct store_replaced *replaced, struct str *uids,
                  uint32_t *uidvalidity);

/* "(" cat-part *(SP cat-part) ")" (catenate.c) */
bool append_take_catenate(struct append *a, struct incoming *m);

#endif
