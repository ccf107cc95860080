/* A selected mailbox as its client knows it: which messages have which sequence numbers, and their flags.
 * The store changes beside it at any time; imap_view_sync brings it up to date and tells the client so, with
 * EXPUNGE only where RFC 3501 section 7.4.1 allows that. Until then an expunged message keeps its number. */
#ifndef IMAP_VIEW_H
#define IMAP_VIEW_H
#include "base/stream.h"
#include "imap/enabled.h"
#include "imap/parse.h"
#include "mailbox/store.h"

/* Besides enum message_flag, in the flags of a view's row. */
#define VIEW_RECENT VIEW_OWN_FLAG(0) /* \Recent in this session */
#define VIEW_GONE   VIEW_OWN_FLAG(1) /* expunged, but the client has not been told yet */
#define VIEW_STALE  VIEW_OWN_FLAG(2) /* its flags have changed while the session slept; not told yet */

/* Distinct keywords of a mailbox that FLAGS lists; clients show them as choices. */
#define VIEW_KEYWORDS_MAX 256

struct imap_view {
    struct view rows;
    unsigned enabled;   /* of enum imap_enabled: how messages are told */
    struct arena names; /* of `known` */
    struct str *known;  /* what FLAGS has listed; NULL: no keywords */
    size_t known_count;
    uint32_t learnt;      /* lists of keywords that have been looked at for that */
    size_t recent;        /* rows that are VIEW_RECENT */
    size_t gone;          /* rows that are VIEW_GONE */
    uint64_t told_modseq; /* while rows are gone: of before the first of them went */
    /* Called before EXPUNGE is told, while the numbers of the rows that are gone are still valid; NULL: not
     */
    void (*before_expunge)(void *context);
    void *context;    /* of that */
    bool hides_flags; /* changed flags are taken over and not told */
    bool tells_uid;   /* with changed flags, always */
};

/* Rows from `first_recent` on are \Recent (UINT32_MAX: none). */
enum store_result imap_view_open(struct imap_view *v, struct store *s, int64_t mailbox, unsigned enabled,
                                 uint32_t first_recent, struct err *e);
void imap_view_close(struct imap_view *v);
/* The view of a session that has slept (imap/park.h). STORE_INVALID: as store_view_past. */
enum store_result imap_view_restore(struct imap_view *v, struct store *s, const struct view_past *past,
                                    unsigned enabled, uint64_t told_modseq, const struct imap_range *recent,
                                    size_t recent_count, struct err *e);
/* More has been enabled. */
enum store_result imap_view_enable(struct imap_view *v, struct store *s, int64_t mailbox, unsigned enabled,
                                   struct err *e);

/* The row of a uid; -1 when the client knows of none. */
ptrdiff_t imap_view_find(const struct imap_view *v, uint32_t uid);
uint32_t imap_view_last_uid(const struct imap_view *v); /* 0 when empty */

/* The modseq up to which the client knows everything: less than that of the view while it has to wait for an
 * EXPUNGE (RFC 7162 section 3.2). At least 1, as the grammar wants it. */
uint64_t imap_view_modseq(const struct imap_view *v);

/* Takes over a row's new flags. True when they were others before. */
bool imap_view_update(struct imap_view *v, size_t row, const struct changed_row *to);
/* What store_flags has done; when nothing else happened in the mailbox since the view was last brought up to
 * date, it is up to date again. */
void imap_view_take_own(struct imap_view *v, const struct view_changes *own);

/* Asks the store what has happened, and tells it: FLAGS, FETCH, with `may_expunge` EXPUNGE or VANISHED, then
 * EXISTS and RECENT. `claims_recent`: new messages are \Recent here and then nowhere else. STORE_NONE: the
 * mailbox is gone. `scratch` is used and not kept. */
enum store_result imap_view_sync(struct imap_view *v, struct store *s, int64_t mailbox, bool may_expunge,
                                 bool claims_recent, struct arena *scratch, struct stream *out,
                                 struct err *e);

/* "* FLAGS (...)" with all that is known; _learn does that only when the view has keywords that are new. */
void imap_view_tell_flags(const struct imap_view *v, struct stream *out);
void imap_view_learn(struct imap_view *v, struct stream *out);

/* "* 12 FETCH (", and with UIDONLY "* 825 UIDFETCH (" (RFC 9586 section 3.3). */
void imap_view_add_start(const struct imap_view *v, size_t row, struct buf *out);
void imap_view_add_flags(const struct imap_view *v, size_t row, struct buf *out);  /* "FLAGS (...)" */
void imap_view_add_modseq(const struct imap_view *v, size_t row, struct buf *out); /* "MODSEQ (12)" */
/* The whole line about a row whose flags have changed; with `uid` the UID too. What was enabled adds UID and
 * MODSEQ. Without `flags` it is told that only the modseq is new. */
void imap_view_add_row(const struct imap_view *v, size_t row, bool uid, bool flags, struct buf *out);
void imap_view_tell_row(const struct imap_view *v, size_t row, bool uid, struct stream *out);

/* The uids, ascending, of the rows in a resolved set of sequence numbers or of uids. Rows that are expunged
 * already are left out. */
uint32_t *imap_view_uids(const struct imap_view *v, const struct imap_set *resolved, bool by_uid,
                         struct arena *a, size_t *n);
/* Those of all rows with these sequence numbers, also of messages that the client still holds for there. */
uint32_t *imap_view_uids_untold(const struct imap_view *v, const struct imap_set *numbers, struct arena *a,
                                size_t *n);

#endif
