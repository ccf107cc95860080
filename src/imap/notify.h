/* NOTIFY (RFC 5465): a client says once what it wants to be told of, in which mailboxes, and is told as it
 * happens, also when no command is in progress.
 *
 * Of the selected mailbox the view tells (imap_sync). Of the others what is there is compared with what was
 * there when the client was last told. */
#ifndef IMAP_NOTIFY_H
#define IMAP_NOTIFY_H
#include "imap/fetch_parse.h"
#include "imap/mailbox_filter.h"
#include "imap/session.h"

/* Mailboxes of an account in which anything can be watched: each commit has all of them compared, which takes
 * some milliseconds for so many. */
#define NOTIFY_MAILBOXES_MAX 5000
/* Groups in one command. */
#define NOTIFY_GROUPS_MAX    64

enum notify_event {
    NOTIFY_NEW = 1 << 0,
    NOTIFY_EXPUNGE = 1 << 1,
    NOTIFY_FLAGS = 1 << 2,
    NOTIFY_NAME = 1 << 3,
    NOTIFY_SUBSCRIPTION = 1 << 4,
    NOTIFY_METADATA = 1 << 5,
    NOTIFY_SERVER_METADATA = 1 << 6, /* of no mailbox, whatever the group says */
};
#define NOTIFY_MESSAGES (NOTIFY_NEW | NOTIFY_EXPUNGE | NOTIFY_FLAGS)

struct notify_group {
    struct mailbox_filter filter;
    unsigned events; /* 0: NONE */
};

/* What one command asks for. */
struct notify_request {
    bool is_none;           /* NOTIFY NONE */
    bool wants_status;      /* SET STATUS */
    struct notify_group *v; /* of other mailboxes */
    size_t n;
    bool is_delayed;           /* SELECTED-DELAYED: EXPUNGE waits for a command that allows it */
    unsigned selected;         /* events of the selected mailbox; 0: none */
    struct str new_attributes; /* "(UID ...)" of MessageNew there; empty: none */
    bool has_unknown;          /* an event that is not known here: NO [BADEVENT] */
};

/* SP "SET" [SP "STATUS"] SP event-groups / SP "NONE" (section 8), to the end. False: BAD. Everything lives in
 * the session's arena. */
bool imap_take_notify(struct imap_session *s, struct imap_cursor *c, struct notify_request *out);

/* The names of all events that are known here, with a space between two. */
#define NOTIFY_EVENT_NAMES                                                 \
    "MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange " \
    "MailboxMetadataChange ServerMetadataChange"

/* --- what a session with NOTIFY tells --- */

/* While no command is in progress, or in IDLE, after a commit. */
void imap_notify_tell(struct imap_session *s);
/* The same for the mailboxes that are not selected alone. */
void imap_notify_others(struct imap_session *s);

/* Events of enum notify_event that are told of the selected mailbox; all of them without NOTIFY. */
unsigned imap_notify_selected(const struct imap_session *s);
/* Those messages have just been told by EXISTS: FETCH of what MessageNew asks for. */
void imap_notify_new(struct imap_session *s, uint32_t *uids, size_t n);

void imap_notify_end(struct imap_session *s);

#endif
