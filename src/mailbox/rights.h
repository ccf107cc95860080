/* Who may do what with a mailbox: the rights of RFC 4314 section 2.1, kept per mailbox and identifier. The
 * store keeps and combines them; whoever acts for a user asks before it calls the store, which itself refuses
 * nobody.
 *
 * An identifier is an account's canonical address or "anyone"; with "-" in front its rights are taken away
 * from what the user has otherwise. A user's rights are the union of what names the user and what names
 * anyone, less the same with "-". The owner has every right as long as no entry names the owner, and always
 * RIGHTS_OWNER, so that nobody locks themselves out; but see rights_within. A new mailbox starts with the
 * entries of its parent; an entry goes when its mailbox is deleted. */
#ifndef MAILBOX_RIGHTS_H
#define MAILBOX_RIGHTS_H
#include "mailbox/store.h"

enum mailbox_right {
    RIGHT_LOOKUP = 1 << 0,          /* l: the mailbox is seen in lists */
    RIGHT_READ = 1 << 1,            /* r: SELECT, STATUS */
    RIGHT_SEEN = 1 << 2,            /* s: \Seen */
    RIGHT_WRITE = 1 << 3,           /* w: the other flags, shared metadata */
    RIGHT_INSERT = 1 << 4,          /* i: APPEND, COPY into it */
    RIGHT_POST = 1 << 5,            /* p: send mail to its address */
    RIGHT_CREATE = 1 << 6,          /* k: mailboxes below it */
    RIGHT_DELETE_MAILBOX = 1 << 7,  /* x */
    RIGHT_DELETE_MESSAGES = 1 << 8, /* t: \Deleted */
    RIGHT_EXPUNGE = 1 << 9,         /* e */
    RIGHT_ADMINISTER = 1 << 10,     /* a: the rights themselves */
};
#define RIGHTS_ALL   0x7ffu
#define RIGHTS_OWNER ((unsigned)(RIGHT_LOOKUP | RIGHT_ADMINISTER))
/* Those of which one is enough to write: RFC 4314 section 5.2. All flags are shared by all users. */
#define RIGHTS_TO_CHANGE \
    ((unsigned)(RIGHT_SEEN | RIGHT_WRITE | RIGHT_INSERT | RIGHT_DELETE_MESSAGES | RIGHT_EXPUNGE))

#define RIGHTS_ANYONE         STR("anyone")
#define RIGHTS_IDENTIFIER_MAX 321  /* an address, with "-" in front */
#define RIGHTS_ENTRIES_MAX    1000 /* of one mailbox: an answer to GETACL stays below 400 KiB */

struct rights_entry {
    int64_t mailbox;
    struct str identifier;
    unsigned rights;
};
struct rights_list {
    struct rights_entry *v; /* by mailbox, then identifier */
    size_t n;
};

/* The entries of one mailbox, or with mailbox 0 of all. */
enum store_result store_rights_list(struct store *s, int64_t mailbox, struct arena *a,
                                    struct rights_list *out, struct err *e);

/* What `user` may do by these entries of one mailbox. */
unsigned rights_of(const struct rights_entry *v, size_t n, struct str user, bool is_owner);
/* What is left of them on a mailbox of that role: Recently Deleted is read and emptied, and nobody else's. */
#define RIGHTS_RECENTLY_DELETED \
    ((unsigned)(RIGHT_LOOKUP | RIGHT_READ | RIGHT_SEEN | RIGHT_DELETE_MESSAGES | RIGHT_EXPUNGE))
static inline unsigned rights_within(enum mailbox_role role, unsigned rights)
{
    return role == MAILBOX_RECENTLY_DELETED ? rights & RIGHTS_RECENTLY_DELETED : rights;
}
/* Both by what is stored. */
enum store_result store_rights(struct store *s, int64_t mailbox, struct str user, bool is_owner,
                               unsigned *rights, struct err *e);

enum rights_change { RIGHTS_REPLACE, RIGHTS_ADD, RIGHTS_REMOVE };
/* `base` is what an identifier has that is not listed: RIGHTS_ALL for the owner, else 0. An entry without
 * rights stays: it is how the owner gives up all but RIGHTS_OWNER. STORE_NONE: there is no such mailbox. */
enum store_result store_rights_set(struct store *s, int64_t mailbox, struct str identifier,
                                   enum rights_change how, unsigned rights, unsigned base, struct err *e);
enum store_result store_rights_delete(struct store *s, int64_t mailbox, struct str identifier, struct err *e);

/* Changes with every change of rights that this process made (no SQL): for those who remember rights. */
uint64_t store_rights_version(struct store *s);

#endif
