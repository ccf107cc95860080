/* A selected mailbox as its client knows it: which messages have which sequence numbers, and their flags.
 * The store changes beside it at any time; imap_view_sync brings it up to date and tells the client so, with
 * EXPUNGE only where RFC 3501 section 7.4.1 allows that. Until then an expunged message keeps its number. */
#ifndef IMAP_VIEW_H
#define IMAP_VIEW_H
#include "base/stream.h"
#include "imap/parse.h"
#include "mailbox/store.h"

/* Besides enum message_flag, in the flags of a view's row. */
#define VIEW_RECENT (1u << 16) /* \Recent in this session */
#define VIEW_GONE   (1u << 17) /* expunged, but the client has not been told yet */

/* Distinct keywords of a mailbox that FLAGS lists; clients show them as choices. */
#define VIEW_KEYWORDS_MAX 256

struct imap_view {
    struct view rows;
    struct arena keywords; /* of the rows */
    size_t keywords_live;  /* bytes of it that were in use when it was last packed */
    struct arena names;    /* of `known` */
    struct str *known;     /* what FLAGS has listed; NULL: no keywords */
    size_t known_count;
    size_t recent; /* rows that are VIEW_RECENT */
    size_t gone;   /* rows that are VIEW_GONE */
};

enum store_result imap_view_open(struct imap_view *v, struct store *s, int64_t mailbox, uint32_t first_recent,
                                 struct err *e);
void imap_view_close(struct imap_view *v);

/* The row of a uid; -1 when the client knows of none. */
ptrdiff_t imap_view_find(const struct imap_view *v, uint32_t uid);
uint32_t imap_view_last_uid(const struct imap_view *v); /* 0 when empty */

/* Takes over a row's new flags. True when they were others before. */
bool imap_view_update(struct imap_view *v, size_t row, uint32_t flags, struct str keywords, uint64_t modseq);

/* Asks the store what has happened, and tells it: FLAGS, FETCH, with `may_expunge` EXPUNGE, then EXISTS and
 * RECENT. `claims_recent`: new messages are \Recent here and then nowhere else. STORE_NONE: the mailbox is
 * gone. `scratch` is used and not kept. */
enum store_result imap_view_sync(struct imap_view *v, struct store *s, int64_t mailbox, bool may_expunge,
                                 bool claims_recent, struct arena *scratch, struct stream *out,
                                 struct err *e);

/* "* FLAGS (...)" with all that is known; _learn does that only when one of these is new. */
void imap_view_tell_flags(const struct imap_view *v, struct stream *out);
void imap_view_learn(struct imap_view *v, struct str keywords, struct stream *out);

/* "* n FETCH (FLAGS (...))", with `uid` the UID too. */
void imap_view_tell_row(const struct imap_view *v, size_t row, bool uid, struct stream *out);

/* The uids, ascending, of the rows in a resolved set of sequence numbers or of uids. Rows that are expunged
 * already are left out. */
uint32_t *imap_view_uids(const struct imap_view *v, const struct imap_set *resolved, bool by_uid,
                         struct arena *a, size_t *n);

#endif
