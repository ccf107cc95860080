/* One account's mail: folders, messages, flags, over SQL. A store is opened by the account process and shared
 * by its threads; each call takes a database connection from a small pool for as long as it lasts and commits
 * before it returns true. Nothing here knows a protocol, but the words are those of IMAP (RFC 9051), which
 * JMAP and POP3 share. All names are UTF-8, NFC; the hierarchy delimiter is '/'. INBOX is always spelled
 * "INBOX".
 *
 * Every change takes the next value of the account's one modseq counter; expunged rows stay as tombstones, so
 * that any view can be brought up to date from the modseq that it has seen. */
#ifndef MAILBOX_STORE_H
#define MAILBOX_STORE_H
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

#define MAILBOX_NAME_MAX      1024 /* bytes of a whole path */
#define MAILBOX_DEPTH_MAX     32
#define MAILBOX_COUNT_MAX     20000
#define MAILBOX_DELIMITER     '/'
#define KEYWORD_MAX           128              /* bytes of one keyword */
#define KEYWORDS_MAX          64               /* keywords on one message */
#define EXPUNGED_KEPT_S       (14 * 24 * 3600) /* how long an expunged message can be brought back, by default */
#define STORE_CONNECTIONS_MAX 4                /* database connections of one account; further callers wait */
#define BODY_CHUNK \
    ((size_t)256 * 1024) /* stored bodies are cut at this many raw bytes, each compressed alone */

struct store;
/* `dir` is the account's folder (made if missing, mode 0700). A new account gets INBOX, Drafts, Sent,
 * Archive, Junk and Trash, with their roles (RFC 6154), subscribed. */
struct store *store_open(const char *dir, struct err *e);
/* The same, wherever it is: the tables of mailbox/schema.h. */
struct sql_source;
struct store *store_open_at(const struct sql_source *source, struct err *e);
/* Removes all rows of an account that shares its tables with others (PostgreSQL). */
bool store_remove_at(const struct sql_source *source, struct err *e);
void store_close(struct store *s);

/* --- folders --- */
enum mailbox_role {
    MAILBOX_NO_ROLE,
    MAILBOX_INBOX,
    MAILBOX_DRAFTS,
    MAILBOX_SENT,
    MAILBOX_ARCHIVE,
    MAILBOX_JUNK,
    MAILBOX_TRASH,
    MAILBOX_RECENTLY_DELETED, /* see store_keep_deleted; no special use */
};

struct mailbox {
    int64_t id;
    struct str name; /* whole path: "Work/2026" */
    enum mailbox_role role;
    bool selectable; /* false: a deleted folder that still has children (\Noselect) */
    bool subscribed;
    bool has_children;
    uint32_t uidvalidity, uidnext;
    uint32_t first_recent; /* messages with this uid and above have been shown to no session (\Recent) */
    uint64_t highestmodseq;
    uint32_t messages, unseen, deleted;
    uint64_t size;         /* bytes of all messages */
    uint64_t deleted_size; /* of those that are \Deleted */
};

struct mailbox_list {
    struct mailbox *v; /* ordered by name, INBOX first */
    size_t n;
};

enum store_result {
    STORE_OK,
    STORE_NONE,      /* no such mailbox or message */
    STORE_EXISTS,    /* a mailbox of that name is there already */
    STORE_INVALID,   /* a name or keyword that is not allowed; the words say why */
    STORE_LIMIT,     /* a bound above */
    STORE_OVERQUOTA, /* the account would have more than its quota: see below */
    STORE_FORBIDDEN, /* the user lacks a right: from those who ask mailbox/rights.h; of the store itself only
                        where something would be put into Recently Deleted */
    STORE_FAILED,    /* temporary or internal: disk full, broken database; see err.kind */
};

enum store_result store_mailbox_list(struct store *s, struct arena *a, struct mailbox_list *out,
                                     struct err *e);
enum store_result store_mailbox_find(struct store *s, struct str name, struct arena *a, struct mailbox *out,
                                     struct err *e);
enum store_result store_mailbox_by_id(struct store *s, int64_t id, struct arena *a, struct mailbox *out,
                                      struct err *e);
/* Missing parents are made too. A trailing delimiter is ignored (RFC 9051 section 6.3.4). */
enum store_result store_mailbox_create(struct store *s, struct str name, enum mailbox_role role,
                                       struct err *e);
/* INBOX cannot be deleted. With children it stays as not selectable; then it is STORE_INVALID until they go.
 */
enum store_result store_mailbox_delete(struct store *s, struct str name, struct err *e);
/* With its children. Renaming INBOX moves its messages to a new mailbox and leaves INBOX empty
 * (section 6.3.6). */
enum store_result store_mailbox_rename(struct store *s, struct str from, struct str to, struct err *e);
/* Names may be subscribed to that do not exist, and stay subscribed when the mailbox goes (section 6.3.7). */
enum store_result store_subscribe(struct store *s, struct str name, bool subscribed, struct err *e);
enum store_result store_subscriptions(struct store *s, struct arena *a, struct str **names, size_t *n,
                                      struct err *e);
/* Marks everything there is now as shown: what RFC 3501 calls no longer \Recent. Writes only if that changes
 * something. */
enum store_result store_claim_recent(struct store *s, int64_t mailbox, uint32_t *first_recent, struct err *e);

/* --- flags --- system flags are bits; keywords a list of names in their first spelling, compared without
 * case, sorted, separated by one space. */
enum message_flag {
    FLAG_SEEN = 1 << 0,
    FLAG_ANSWERED = 1 << 1,
    FLAG_FLAGGED = 1 << 2,
    FLAG_DELETED = 1 << 3,
    FLAG_DRAFT = 1 << 4,
};
#define FLAG_ALL 0x1fu

enum flag_change { FLAGS_REPLACE, FLAGS_ADD, FLAGS_REMOVE };

/* --- messages --- */
struct message_row {
    int64_t id; /* of this message in this mailbox; never used again */
    uint32_t uid;
    uint32_t flags;
    uint64_t modseq;
    struct str keywords;
    int64_t received; /* INTERNALDATE: seconds since 1970 UTC */
    int16_t zone;     /* minutes east of UTC that it was given in */
    uint64_t size;    /* RFC822.SIZE: raw bytes */
    int64_t saved;    /* when it came into this mailbox (RFC 8514); as `received` where that is not known */
    int64_t body;
};

/* What a session keeps of its mailbox, in the order of uids: eight bytes a message, since there may be a
 * million of them and many sessions. Lists of keywords are kept once each; modseqs only where they are asked
 * for. */
struct view_row {
    uint32_t uid;
    uint32_t flags; /* enum message_flag; three bits of the session's own (VIEW_OWN_FLAG); then the number of
                       the row's list of keywords, which view_keywords reads */
};
#define VIEW_OWN_FLAG(i)    (1u << (5 + (i))) /* i: 0 to 2 */
#define VIEW_KEYWORDS_SHIFT 8

struct view_lists; /* distinct lists of keywords: view_rows.c */
struct view {
    struct view_row *v;
    uint64_t *modseqs; /* of the rows; NULL: not kept */
    size_t n, cap;
    uint64_t modseq; /* everything up to and with this is in it */
    struct view_lists *lists;
};
/* A message with what is not in a view's row. */
struct changed_row {
    uint32_t uid;
    uint32_t flags;
    uint64_t modseq;
    struct str keywords;
};
/* All of a mailbox (one consistent read); what the view held before goes. */
enum store_result store_view_load(struct store *s, int64_t mailbox, bool keeps_modseqs, struct view *v,
                                  struct err *e);
/* Reads the modseqs that were not kept so far. Of a message that has changed since the view was brought up to
 * date it is the view's own. */
enum store_result store_view_keep_modseqs(struct store *s, int64_t mailbox, struct view *v, struct err *e);
void view_free(struct view *v);

size_t view_place(const struct view *v, uint32_t uid); /* of the first row with this uid or a greater one */
struct str view_keywords(const struct view *v, size_t row);   /* valid until the view changes */
void view_add(struct view *v, const struct changed_row *row); /* at the end */
void view_move(struct view *v, size_t to, size_t from);       /* row `from` takes the place of row `to` */
/* Takes over flags (the session's own bits stay), keywords, and a modseq that is newer. True when flags or
 * keywords were others before. */
bool view_change(struct view *v, size_t row, const struct changed_row *to);
/* The distinct lists, from 1 on, used or not; view_pack drops those that no row uses when they have become
 * many. */
uint32_t view_list_count(const struct view *v);
struct str view_list(const struct view *v, uint32_t number);
void view_pack(struct view *v);

struct view_changes {
    struct changed_row *changed;
    size_t changed_count; /* new or changed flags, by uid; new ones have uid >= old uidnext */
    uint32_t *expunged;
    size_t expunged_count; /* uids, ascending */
    uint64_t since;        /* of store_flags: the mailbox's modseq before */
    uint64_t modseq;       /* now seen up to here */
    size_t messages;       /* of store_view_changes: in the mailbox then */
};
/* What happened in a mailbox after `since`. What came and went since is in `expunged` alone. STORE_NONE: the
 * mailbox was deleted. Lives in `a`. */
enum store_result store_view_changes(struct store *s, int64_t mailbox, uint64_t since, struct arena *a,
                                     struct view_changes *out, struct err *e);
/* The uids, ascending, of what was expunged from a mailbox after `since`. *is_complete false: some of it is
 * longer ago than expunged messages are kept (see store_purge), and is not among them. Lives in `a`. */
enum store_result store_view_expunged(struct store *s, int64_t mailbox, uint64_t since, struct arena *a,
                                      uint32_t **uids, size_t *n, bool *is_complete, struct err *e);
/* A view that was up to date at `modseq`. */
struct view_past {
    int64_t mailbox;
    uint64_t modseq;
    uint32_t last_uid;    /* of its last message; 0: it was empty */
    size_t messages;      /* with those that were gone */
    const uint32_t *gone; /* uids of messages in it that had been expunged before */
    size_t gone_count;
};
/* That view again: what has been expunged since is still in it, and store_view_changes from its modseq on
 * tells the rest. Rows that have changed since have the bit `changed_flag` (VIEW_OWN_FLAG), because their
 * flags are today's. STORE_NONE: the mailbox was deleted; STORE_INVALID: it cannot be had any more, since not
 * all that was expunged is remembered. */
enum store_result store_view_past(struct store *s, const struct view_past *past, bool keeps_modseqs,
                                  uint32_t changed_flag, struct view *v, struct err *e);
/* Cheap (no SQL): the mailbox's highest modseq as last committed by this process; 0: unknown, ask
 * store_view_changes. */
uint64_t store_highestmodseq(struct store *s, int64_t mailbox);
/* `event_fd` (an eventfd) is written to after every commit that changed any mailbox, until unwatched. */
void store_watch(struct store *s, int event_fd);
void store_unwatch(struct store *s, int event_fd);

/* --- quota --- of the account as a whole. What was expunged and can still be brought back does not count.
 * What adds messages beyond it is STORE_OVERQUOTA; whatever else there is to do goes on. */
enum quota_resource { QUOTA_BYTES, QUOTA_MESSAGES, QUOTA_MAILBOXES, QUOTA_RESOURCES };
#define QUOTA_NONE         ((uint64_t)INT64_MAX) /* no limit */
#define QUOTA_SOFT_PERCENT 90                    /* fuller than this is worth a warning */
struct quota {
    uint64_t used[QUOTA_RESOURCES];
    uint64_t given[QUOTA_RESOURCES]; /* the administrator's limits; mailboxes: MAILBOX_COUNT_MAX */
    uint64_t limit[QUOTA_RESOURCES]; /* what holds: those, or less where the owner wants less */
};
enum store_result store_quota(struct store *s, struct quota *out, struct err *e);
/* The administrator's limits, QUOTA_NONE for none: kept, and written only when they are others than before.
 */
enum store_result store_set_quota(struct store *s, uint64_t bytes, uint64_t messages, struct err *e);
/* What the owner keeps to, at most what is given (else STORE_LIMIT); QUOTA_NONE for as much as is given. */
enum store_result store_set_own_quota(struct store *s, const uint64_t limits[QUOTA_RESOURCES], struct err *e);
/* Whether the account was fuller than QUOTA_SOFT_PERCENT of a limit after the last message was added by this
 * process. Asks no database. */
bool store_quota_is_near(struct store *s);

/* --- adding --- */
struct store_append {
    int64_t mailbox;
    struct str prefix; /* trace headers to stand on top (may be empty) */
    struct str bytes;  /* the message as received; CRLF line ends */
    uint32_t flags;
    struct str keywords;
    int64_t received;
    int16_t zone;
    struct str delivery; /* 16 bytes that name this delivery, or empty: see `again` */
    bool beyond_quota;   /* is stored however full the account is (mail to postmaster) */
    bool again; /* it may have been stored already: if a recent row has this delivery id, that row is the
                   answer */
    /* out */
    enum store_result result;
    uint32_t uid, uidvalidity;
    struct err err;
};
/* `fn` is called after every commit that stored new messages, in the thread that did it. Set before other
 * threads use the store. */
void store_on_append(struct store *s, void (*fn)(void *context), void *context);
/* One transaction for all; an item that fails alone has its own result (when the transaction fails, each item
 * is tried in one of its own). Returns STORE_FAILED when nothing could be stored for now. */
enum store_result store_append(struct store *s, struct store_append *items, size_t n, struct err *e);

/* The same, at less cost where many come one after another and nobody is looking: they stand in a journal
 * beside the database (arrivals.c), durably and with their uids, until somebody looks or changes something,
 * many have come, or the store is closed; then they are put into the database in one transaction. Whoever
 * asks the store sees no difference. */
enum store_result store_arrive(struct store *s, struct store_append *items, size_t n, struct err *e);
/* Lets store_arrive do so: of the one process that serves the account, before its threads use the store. What
 * is told by store_on_append is then told when it has arrived; store_catch_up puts it into the database. */
void store_keep_arrivals(struct store *s);

/* A message that goes in the same transaction in which another comes (RFC 8508). */
struct store_replaced {
    int64_t mailbox;
    uint32_t uid;
};
/* All of `items` or none (RFC 3502), in the order given; with them `replaced` (NULL: none) is expunged,
 * whether or not it is \Deleted. Not STORE_OK: nothing has changed, and *e says why; STORE_NONE with every
 * item's result STORE_OK means that the message to be replaced is not there. */
enum store_result store_append_all(struct store *s, struct store_append *items, size_t n,
                                   const struct store_replaced *replaced, struct err *e);

/* Told now and then by a call that may take long. It is called with the store's locks held: it must neither
 * wait nor ask the store for anything. */
struct store_progress {
    void (*tell)(void *context, size_t done, size_t total);
    void *context;
};

/* --- changing --- `uids` are ascending; those that are not there are passed over. */
struct flag_store {
    enum flag_change how;
    uint32_t flags;
    struct str keywords;
    uint64_t unchanged_since;              /* UINT64_MAX: always (RFC 7162 section 3.1.3) */
    const struct store_progress *progress; /* NULL: nobody wants to know */
    uint32_t locked;                       /* flags that stay as they are, whatever the above says */
    bool keywords_locked;
};
/* Rows whose flags really changed come back in `changed` (for the session's own FETCH answers; its modseq
 * does not say that nothing else has happened since the session last looked), rows newer than unchanged_since
 * in `modified`. Either may be NULL. */
enum store_result store_flags(struct store *s, int64_t mailbox, const uint32_t *uids, size_t n,
                              const struct flag_store *f, struct arena *a, struct view_changes *changed,
                              uint32_t **modified, size_t *modified_count, struct err *e);
/* Removes those of `uids` (NULL: all) that are \Deleted; with `regardless` whether or not they are. */
enum store_result store_expunge(struct store *s, int64_t mailbox, const uint32_t *uids, size_t n,
                                bool regardless, struct arena *a, uint32_t **expunged, size_t *expunged_count,
                                struct err *e);
/* Removes for good what was expunged more than `kept_s` before `now` (seconds since 1970), in several short
 * transactions: once a day while the account is awake. */
enum store_result store_purge(struct store *s, int64_t now, int64_t kept_s, struct err *e);

/* --- undelete --- messages that were expunged, are not purged yet, and live in no other mailbox: what was
 * moved or copied before it was expunged is not lost. */
struct store_lost {
    int64_t mailbox;
    struct str name; /* of the mailbox that it was in last; "" when that is gone */
    int64_t expunged_at;
    struct message_row row; /* as it was; modseq is that of the expunge */
};
/* Those expunged at `since` (seconds since 1970) or later, in the order in which they were. Looks through all
 * of the account: for commands. */
enum store_result store_lost_list(struct store *s, int64_t since, struct arena *a, struct store_lost **v,
                                  size_t *n, struct err *e);
/* The first `n` bytes of one, at the end of `out`. */
enum store_result store_lost_bytes(struct store *s, const struct store_lost *l, uint64_t n, struct buf *out,
                                   struct err *e);
/* New uids at the end of the mailbox that each was in, or of INBOX when that is gone; \Deleted goes, other
 * flags and dates are kept. All or none; *restored leaves out what was purged meanwhile. */
enum store_result store_undelete(struct store *s, const struct store_lost *v, size_t n, size_t *restored,
                                 struct err *e);
/* --- Recently Deleted --- a mailbox that has a copy, on the same body, of every message that is expunged
 * while this is on (default: off), without \Deleted. It is made when first needed, under this name or with a
 * number behind it where there is such a mailbox already, and found by its role. What is in it does not count
 * against the quota until it is copied or moved out. Nothing else is put into it, nobody renames or deletes
 * it, and it has no mailboxes below; what is expunged from it leaves no copy. store_purge takes out what has
 * been in it too long, and removes it once it is empty while this is off. To be set before the first change.
 */
#define RECENTLY_DELETED "Recently Deleted"
void store_keep_deleted(struct store *s, bool on);

/* Whether another process (a command) has changed mail since this was last asked; then whoever watches has
 * been told, and nothing that was known of the mailboxes' modseqs is any more. */
bool store_look_around(struct store *s);
/* New uids in the order of the old ones; flags, keywords and dates are kept. COPY_MOVE removes them from
 * `from` in the same transaction; the others say which flags the copies do without. All or nothing. */
enum copy_how {
    COPY_ONLY = 0,
    COPY_MOVE = 1,
    COPY_WITHOUT_SEEN = 1 << 1,
    COPY_WITHOUT_DELETED = 1 << 2,
    COPY_WITHOUT_OTHERS = 1 << 3, /* keywords too */
};
enum store_result store_copy(struct store *s, int64_t from, const uint32_t *uids, size_t n, int64_t to,
                             unsigned how, const struct store_progress *progress, struct arena *a,
                             uint32_t **from_uids, uint32_t **to_uids, size_t *count, uint32_t *uidvalidity,
                             struct err *e);

/* --- reading --- */
enum fetch_want {
    WANT_ENVELOPE = 1 << 0,  /* the three texts are computed once, on arrival, and stored ready to send */
    WANT_STRUCTURE = 1 << 1, /* BODYSTRUCTURE, with extension data */
    WANT_PARTS = 1 << 2,     /* the packed part table of message/parts.h: where each part's bytes lie */
    /* store_fetch_body will be called for most rows, one right after the other: short bodies come with them,
     * and what follows is read ahead. */
    WANT_BODY = 1 << 4,
    WANT_PREVIEW = 1 << 3, /* message/preview.h; of what came before there were previews: not there yet */
};
struct fetch_row {
    struct message_row row;
    struct str envelope, structure, parts; /* as wanted; valid until the next row */
    struct str preview;                    /* empty: there is no text */
    bool has_preview;                      /* false: ask store_fetch_preview */
};
/* Reads rows in order of uid, a batch at a time; no database connection is held in between, so a slow client
 * may be answered from the loop, and a row that is expunged meanwhile may be passed over. `uids` (copied) as
 * above, NULL with n = 0: all. Slices live until the next store_fetch_next. */
struct store_fetch;
enum store_result store_fetch_open(struct store *s, int64_t mailbox, const uint32_t *uids, size_t n,
                                   unsigned want, struct store_fetch **out, struct err *e);
bool store_fetch_next(struct store_fetch *f, const struct fetch_row **row);
enum store_result store_fetch_close(struct store_fetch *f,
                                    struct err *e); /* STORE_FAILED if it ended in an error */
/* Raw bytes [offset, offset + n) of the current row's body appended to `out`; less at its end. Only the
 * chunks that hold them are read. */
enum store_result store_fetch_body(struct store_fetch *f, uint64_t offset, uint64_t n, struct buf *out,
                                   struct err *e);

/* The current row's preview (with WANT_PREVIEW), worked out now and kept where it is not there. Valid until
 * the next row. */
enum store_result store_fetch_preview(struct store_fetch *f, struct str *preview, struct err *e);

/* The one message as a row (STORE_NONE if it is not there). */
enum store_result store_message(struct store *s, int64_t mailbox, uint32_t uid, struct arena *a,
                                struct message_row *out, struct err *e);

#endif
