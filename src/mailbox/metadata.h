/* Annotations of mailboxes and of the account as a whole: RFC 5464. An entry is "/shared/..." , the same for
 * all users, or "/private/...", of which every user has one of their own. Names are lower case.
 *
 * They belong to the mailbox, not to its name: they stay with it when it is renamed, and go when it is
 * deleted. What RENAME makes of INBOX gets copies. Every change takes a modseq; an entry that was removed
 * stays as a row without a value, so that "what changed since" can be told. */
#ifndef MAILBOX_METADATA_H
#define MAILBOX_METADATA_H
#include "mailbox/store.h"

#define METADATA_NAME_MAX    ((size_t)256)       /* bytes of an entry's name */
#define METADATA_VALUE_MAX   ((size_t)64 * 1024) /* of a value: icons and notes, not mail */
#define METADATA_ENTRIES_MAX 1000                /* of one mailbox, everybody's together */
/* Of all values of an account: with those bounds, what a thousand mailboxes may sensibly have. */
#define METADATA_BYTES_MAX   ((int64_t)64 * 1024 * 1024)

#define METADATA_SERVER 0    /* in the place of a mailbox: the account as a whole (IMAP: the server) */
#define METADATA_ALL    (-1) /* to list: of every mailbox, and the account */

struct metadata_entry {
    int64_t mailbox;
    struct str name;
    struct str value;
    bool is_nil; /* to set: remove it */
};
struct metadata_list {
    struct metadata_entry *v; /* by mailbox, then name */
    size_t n;
};

/* Entries that have a value, shared ones and those of `user`. */
enum store_result store_metadata_list(struct store *s, int64_t mailbox, struct str user, struct arena *a,
                                      struct metadata_list *out, struct err *e);

/* All of them or none. The caller has checked the names, and that values are within METADATA_VALUE_MAX.
 * STORE_NONE: there is no such mailbox; STORE_LIMIT: more than the bounds above. */
enum store_result store_metadata_set(struct store *s, int64_t mailbox, struct str user,
                                     const struct metadata_entry *v, size_t n, struct err *e);

/* Which entries that `user` may see were set or removed after `since`; without their values. *now: the
 * account's modseq up to which that is, for the next time (`since` UINT64_MAX: there is no list, only that).
 */
enum store_result store_metadata_changes(struct store *s, uint64_t since, struct str user, struct arena *a,
                                         struct metadata_list *out, uint64_t *now, struct err *e);

#endif
