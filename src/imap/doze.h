/* Sessions that are frozen in IDLE hear of new mail without being thawed: where nothing has happened in their
 * mailbox but that messages came, what to tell follows from what is kept of them. All sessions of an account
 * ask the same, so the first finds it out for all. Whatever else has happened wakes the session, which tells
 * it as ever. */
#ifndef IMAP_DOZE_H
#define IMAP_DOZE_H
#include "account/session.h"
#include "imap/frozen.h"

/* What has been found out: of one mailbox since one modseq. Zeros: nothing yet. */
struct imap_news {
    int64_t mailbox; /* 0: nothing */
    uint64_t since, modseq, rights_version;
    bool can_be_told; /* only new messages, without keywords */
    unsigned rights;  /* of the account's owner */
    size_t messages;  /* in it now */
    uint32_t *uids;   /* of the new ones, ascending, in `arena` */
    size_t n;
    bool is_claimed;  /* \Recent: by one of the sessions that were told, */
    bool is_reserved; /* or for one that will be */
    struct arena arena;
};
void imap_news_free(struct imap_news *n);

/* Whether a session that left this state is one that can hear so. */
bool imap_can_doze(struct str state);

enum imap_hears {
    IMAP_HEARS_NOTHING, /* there is no news */
    IMAP_HEARS,
    IMAP_HEARS_LAST,  /* it is the one that claims \Recent, which costs a commit: the others come first */
    IMAP_HAS_TO_WAKE, /* it cannot be told so */
};

/* What the session with this state is to be told now: the lines for its client go to the end of *lines, and
 * *next, which is empty, becomes what is left of it when they are sent. `user` owns the account. With
 * `others_first` one of all that ask gets IMAP_HEARS_LAST, and asks again, without, when they are told. */
enum imap_hears imap_doze_hear(struct imap_news *n, struct store *s, struct str user, struct str state,
                               bool others_first, struct buf *lines, struct account_frozen *next);

#endif
