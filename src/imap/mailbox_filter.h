/* Which mailboxes are meant: filter-mailboxes of NOTIFY (RFC 5465 section 6) and of ESEARCH (RFC 7377
 * section 2.2). */
#ifndef IMAP_MAILBOX_FILTER_H
#define IMAP_MAILBOX_FILTER_H
#include "imap/session.h"

/* Names in one "mailboxes (...)", and filters in one command. Clients name the folders that they show. */
#define FILTER_NAMES_MAX 1000

enum mailbox_filter_kind {
    FILTER_SELECTED,
    FILTER_SELECTED_DELAYED,
    /* Where mail may be delivered to. A script can file anywhere, so it is the same as the next
       (section 6.3). */
    FILTER_INBOXES,
    FILTER_PERSONAL,
    FILTER_SUBSCRIBED,
    FILTER_SUBTREE,     /* these and all below them */
    FILTER_SUBTREE_ONE, /* these and the next level */
    FILTER_MAILBOXES,   /* these */
};

struct mailbox_filter {
    enum mailbox_filter_kind kind;
    struct str *names; /* of the last three, in order; need not exist */
    size_t n;
};

/* One of them, in any case. Names live in the session's arena. */
bool imap_take_mailbox_filter(struct imap_session *s, struct imap_cursor *c, struct mailbox_filter *out);

/* `selected` is the mailbox that is selected; 0: none. */
bool imap_filter_matches(const struct mailbox_filter *f, const struct mailbox *m, int64_t selected);

#endif
