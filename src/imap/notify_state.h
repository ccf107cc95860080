/* What a session with NOTIFY keeps. Between notify.c and notify_others.c. */
#ifndef IMAP_NOTIFY_STATE_H
#define IMAP_NOTIFY_STATE_H
#include "imap/notify.h"

/* A mailbox as the client was last told of it. */
struct notify_mailbox {
    int64_t id;
    struct str name;
    bool is_there; /* selectable, and to be looked up by the session's user */
    bool has_children, is_readable;
    bool has_metadata; /* whose annotations the session's user may read */
    uint32_t uidvalidity, uidnext, messages, unseen;
    uint64_t modseq;
    enum mailbox_role role;
    bool subscribed;
};

/* All of them, by id, and the names that are subscribed to, in order. Made anew each time that something has
 * changed. */
struct notify_picture {
    struct arena arena;
    struct notify_mailbox *v;
    size_t n;
    struct str *subscribed;
    size_t subscribed_count;
};

struct imap_notify {
    struct arena arena; /* of what the command asked for */
    struct notify_group *groups;
    size_t group_count;
    bool is_delayed;
    unsigned selected;
    struct fetch_request new_messages; /* nothing asked for: no items, no sections */
    struct notify_picture picture;
    uint64_t metadata_seen; /* the modseq up to which changes of annotations were told */
};

/* Looks at all mailboxes. STORE_LIMIT: there are too many. */
enum store_result notify_look(struct imap_session *s, struct notify_picture *out, struct err *e);
void notify_forget(struct notify_picture *p);

/* "* METADATA name entry ..." for what has changed since the last time (sections 5.6 and 5.7); with
 * `is_start` only notes where that begins. */
enum store_result notify_metadata(struct imap_session *s, struct imap_notify *n, bool is_start,
                                  struct err *e);
/* Which events the groups ask for, of whatever mailbox. */
unsigned notify_all_events(const struct imap_notify *n);

/* Which events of a mailbox the groups ask for. */
unsigned notify_events(const struct imap_notify *n, const struct notify_mailbox *m);

/* "* LIST (...) "/" name". A name that has no mailbox has no id. `old`: it had that name before
 * (section 5.4); NULL: it is not about that. */
void notify_tell_list(struct imap_session *s, const struct notify_mailbox *m, const struct str *old);

/* "* STATUS name (...)" with what belongs to these events (sections 3.1 and 5.1 to 5.3). */
void notify_tell_status(struct imap_session *s, const struct notify_mailbox *m, unsigned events);

#endif
