/* What the files of this folder share: the pool of connections, write transactions, and rows as they are
 * read. Nobody outside includes this. */
#ifndef MAILBOX_INTERNAL_H
#define MAILBOX_INTERNAL_H
#include "base/sql.h"
#include "mailbox/schema.h"
#include "mailbox/search.h"
#include "mailbox/store.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#define UID_MAX UINT32_MAX /* the last uid is never given, so that uidnext always fits */

/* The list `v` of n pieces in an arena, with room for one more: moved to twice its size when it is full. */
static inline void *list_room(struct arena *a, void *v, size_t n, size_t *cap, size_t size)
{
    if (n < *cap)
        return v;
    *cap = n ? n * 2 : 16;
    void *larger = arena_new(a, *cap, size);
    if (n > 0)
        memcpy(larger, v, n * size);
    return larger;
}

/* --- pool.c --- connections of one account. Whoever has taken one must not take another before giving it
 * back, so that waiting for one always ends. */
struct connection {
    struct sql *db;
    bool taken;
    struct codec *codec; /* body.c: made by the first body that passes through */
};

struct pool {
    const struct sql_source *source;
    pthread_mutex_t mutex;
    pthread_cond_t given_back;
    struct connection v[STORE_CONNECTIONS_MAX];
};

/* Opens the first connection and brings the schema up to date. */
bool pool_open(struct pool *p, const struct sql_source *source, struct err *e);
void pool_close(struct pool *p);
struct connection *pool_take(struct pool *p, struct err *e); /* waits; NULL: it could not be opened */
void pool_give(struct pool *p, struct connection *c);

/* --- arrivals.c --- what stands in a journal beside the database until it is in it. */
struct arrival_batch;
struct arrivals {
    int folder;                   /* of the account; -1: none, and no journal (PostgreSQL) */
    pthread_mutex_t folder_mutex; /* over */
    unsigned holders;             /* of the lock on the folder: arrivals_lock.c */
    bool is_kept;                 /* this process puts arrivals into it: store_keep_arrivals */
    atomic_uint count;            /* messages that stand in it and not in the database */
    pthread_mutex_t
        lock; /* over what follows; taken before store->writer, which has the change of `count` from 0 too */
    bool has_folder;         /* holds the lock on the folder, since something stands there */
    struct journal *journal; /* NULL: not needed yet */
    bool is_damaged;         /* not all in it could be read: set aside when the rest is in the database */
    uint32_t generation;     /* of what stands in it, or will */
    struct change *plan;     /* what the database will be told, as far as its counters go; NULL: nothing */
    struct arrival_batch *first, **end; /* what stands in it, in this: */
    struct arena arena;
    struct mailbox *found; /* the one that was asked for last, in `arena` too; NULL: none since it is empty */
    uint32_t came;         /* into the journal of this process */
    int64_t last_ms;       /* something came */
    int64_t looked_ms;     /* whether another process waits */
    unsigned pass;         /* so many go into the database at once: the journal has not paid */
    int64_t failed_ms;     /* the last try to put it into the database failed, with `error`; 0: it did not */
    struct err error;
};

struct store;
void arrivals_init(struct arrivals *a);
bool arrivals_open(struct store *s,
                   struct err *e);    /* with the store: what a crash left is put into the database */
void arrivals_close(struct store *s); /* and the pool */
/* Puts into the database what stands in the journal. False: not now, with the words; it stays. */
bool arrivals_settle(struct store *s, struct err *e);
/* Around a change: keeps other processes from putting arrivals into their journal meanwhile. */
bool arrivals_lock_out(struct store *s, struct err *e);
void arrivals_let_in(struct store *s);
/* A connection, from which everything is seen that was acknowledged. As pool_take, which is enough for what
 * does not look at messages: rights, annotations, subscriptions. */
struct connection *store_take(struct store *s, struct err *e);
/* One for a look at counters, to which those of the plan are added (arrivals_count, change_use): what stands
 * in the journal stays there. Nothing arrives until it is given back with store_peeked. */
struct connection *store_peek(struct store *s, struct err *e);
void store_peeked(struct store *s, struct connection *c);
uint64_t arrivals_modseq(struct store *s,
                         int64_t mailbox); /* of what stands there; 0: nothing of this mailbox */
void arrivals_count(struct store *s,
                    struct mailbox *m); /* what stands in the journal counts as being in it */
/* The mailbox of that name as it was read last. While something stands in the journal nobody changes the
 * database, so it is the same still; else there is none. With a look at counters (store_peek). */
bool arrivals_recall(struct store *s, struct str name, struct arena *a, struct mailbox *out);
void arrivals_remember(struct store *s, const struct mailbox *m);

/* --- seed.c --- an account of an engine that keeps many: its first rows, if they are not there. */
bool seed_account(struct sql *db, struct err *e);

/* --- watch.c --- who is told of commits, and what they may know without asking the database. */
struct seen_modseq {
    int64_t mailbox;
    uint64_t modseq;
};

struct watch {
    pthread_mutex_t mutex;
    int *fds;
    size_t fd_count;
    struct seen_modseq *seen; /* by mailbox */
    size_t seen_count, seen_cap;
};

void watch_init(struct watch *w);
void watch_free(struct watch *w);
void watch_set(struct watch *w, int64_t mailbox, uint64_t modseq); /* 0: the mailbox is gone */
void watch_wake(struct watch *w);
bool watch_has_any(struct watch *w); /* somebody who waits */
struct store;
/* The account's modseq as this process has made or seen it: see store_look_around. */
void store_note_modseq(struct store *s, int64_t modseq);

struct store {
    struct pool pool;
    struct watch watch;
    struct arrivals arrivals;
    /* One write transaction of this process at a time: waiting here is fair and cheap, where SQLite would
     * sleep and try again. Taken before a connection, so that writers who wait hold none. */
    pthread_mutex_t writer;
    pthread_mutex_t catching_up; /* one at a time works behind delivery (catch_up.c); taken before `writer` */
    bool gives_back;             /* under that: sql_give_back has begun */
    atomic_uint aheads;          /* body_ahead.h */
    _Atomic uint64_t rights_version; /* rights.c */
    _Atomic int64_t last_modseq;     /* 0: not known yet */
    atomic_bool near_quota;          /* as of the last commit that asked (quota.c) */
    void (*on_append)(void *context);
    void *on_append_context;
    bool keeps_deleted;               /* recently_deleted.c */
    _Atomic int64_t recently_deleted; /* the mailbox that was it last; 0: not known */
    bool reads_all;           /* searches do not ask the full text index: how tests compare both ways */
    struct sql_source source; /* of these: */
    char *path, *owner;
};

/* --- change.c --- a write transaction. Everything that it changes gets the same new modseq; the counters of
 * the mailboxes that it touches are changed in memory and written back once, at the commit. */
struct counters {
    struct counters *next;
    int64_t mailbox;
    bool selectable;
    bool is_recently_deleted; /* does not count as the account's use */
    uint32_t uidvalidity, uidnext, first_recent;
    uint64_t highestmodseq;
    uint32_t messages, unseen, deleted;
    uint64_t size, deleted_size;
    uint32_t messages_before; /* as they were when the change read them */
    uint64_t size_before;
    bool is_dirty; /* to be written back */
    bool is_gone;  /* its row was deleted, or made not selectable: sessions must look again */
};

struct change {
    struct store *store;
    struct connection *connection;
    struct sql *db;
    struct arena arena; /* freed at the end of the change */
    struct counters *touched;
    struct counters root; /* the account's own: see ROOT_MAILBOX */
    uint64_t modseq;      /* of whatever is changed now */
    bool is_visible;      /* sessions must be woken */
    bool has_bodies;      /* new ones: see store_on_append */
    bool is_of_rights;    /* the store's rights_version goes on */
    bool locks_out;       /* see arrivals_lock_out */
    bool knows_limits;    /* quota.c has read them */
    uint64_t limits[QUOTA_RESOURCES];
};

enum store_result change_open(struct store *s, struct change *ch, struct err *e);
/* The same before what stands in the journal is in the database: for who puts it there. */
enum store_result change_begin(struct store *s, struct change *ch, struct err *e);
/* Reads the account's counters into a change that is planned only: see arrivals.c. */
bool change_plan(struct change *ch, struct err *e);
/* The counters of a mailbox, read once. STORE_NONE: it is not there or not selectable. */
enum store_result change_mailbox(struct change *ch, int64_t mailbox, struct counters **out, struct err *e);
/* Messages and bytes of the account, as they are at this point of the change. */
void change_use(const struct change *ch, uint64_t *messages, uint64_t *size);
/* The mailbox's messages have changed: it takes the change's modseq. */
void change_mark(struct change *ch, struct counters *c);
/* The list of mailboxes looks different: the account takes the change's modseq. */
void change_tree(struct change *ch);
enum store_result change_commit(struct change *ch, struct err *e); /* durable when STORE_OK */
void change_cancel(struct change *ch);

void counters_add(struct counters *c, uint32_t flags, uint64_t size);
void counters_remove(struct counters *c, uint32_t flags, uint64_t size);
void counters_reflag(struct counters *c, uint32_t before, uint32_t after, uint64_t size);
/* The next uid of the mailbox; STORE_LIMIT when there is none left. */
enum store_result counters_take_uid(struct counters *c, uint32_t *uid, struct err *e);

/* --- append.c --- */
/* What is stored beside the bytes of one message. */
struct digest {
    struct str envelope, structure, preview, parts, keywords;
    int64_t sent;  /* or SENT_UNKNOWN */
    int64_t saved; /* when it came into its mailbox (RFC 8514) */
};
/* Works out all that the bytes tell; what cannot be stored gets its result. The digests' texts live in `a`.
 */
void digests_prepare(struct store_append *items, struct digest *digests, size_t n, struct arena *a);
/* Whether it may be added, and its uid: counted in the change. */
enum store_result append_place(struct change *ch, struct store_append *item, struct err *e);
/* Its rows. */
bool append_insert(struct change *ch, const struct store_append *item, const struct digest *d, struct err *e);
/* store_append of what is prepared. */
enum store_result append_prepared(struct store *s, struct store_append *items, struct digest *digests,
                                  size_t n, struct err *e);

/* --- folder_change.c --- of mailboxes that are the store's own: no quota, no count. */
/* STORE_EXISTS: the name is taken. */
enum store_result mailbox_make_own(struct change *ch, struct str name, enum mailbox_role role, int64_t *id,
                                   struct err *e);
enum store_result mailbox_remove_own(struct change *ch, struct counters *c, struct err *e);

/* --- quota.c --- */
/* Whether so much more may be added to the account. STORE_OVERQUOTA with the words. */
enum store_result quota_check(struct change *ch, uint64_t messages, uint64_t bytes, struct err *e);
/* Before a commit: keeps for store_quota_is_near what quota_check has found out. */
void quota_note(struct change *ch);
/* How many mailboxes there may be. */
enum store_result quota_check_mailbox(struct change *ch, struct err *e);

/* --- rights.c --- */
/* What a new mailbox of that name gets from its parent. */
bool rights_inherit(struct change *ch, int64_t mailbox, struct str name, struct err *e);
bool rights_remove(struct change *ch, int64_t mailbox, struct err *e); /* with the mailbox */

/* --- metadata.c --- */
bool metadata_remove(struct change *ch, int64_t mailbox, struct err *e); /* with the mailbox */
bool metadata_copy(struct change *ch, int64_t from, int64_t to, struct err *e);

/* --- name.c --- */
/* `in` as it is stored: NFC, INBOX in capitals, without a trailing delimiter. STORE_INVALID, STORE_LIMIT with
 * the words. */
enum store_result name_normal(struct str in, struct arena *a, struct str *out, struct err *e);
bool name_parent(struct str name, struct str *parent); /* false: it has none */
size_t name_characters(struct str name);

/* --- keyword.c --- lists: see `flags` in store.h */
/* A list as a client gave it, in the form in which it is kept. STORE_INVALID, STORE_LIMIT. */
enum store_result keywords_normal(struct str in, struct arena *a, struct str *out, struct err *e);
/* Both lists in that form. *out is `have` itself where nothing changes. STORE_LIMIT. */
enum store_result keywords_change(struct str have, enum flag_change how, struct str with, struct arena *a,
                                  struct str *out, struct err *e);

/* --- keys.c --- what SORT and THREAD compare of a message, made from its header. */
struct body_keys {
    int64_t sent; /* Date, seconds since 1970 UTC, or SENT_UNKNOWN */
    bool is_reply;
    struct str subject;                   /* of the base subject */
    struct str sender, recipient, copied; /* mailbox of the first address of From, To, Cc */
    struct str display_from, display_to;
    /* Hashes: first of Message-ID (0: none), then of References, or of the first of In-Reply-To without. */
    struct str links;
};

/* --- read.c --- rows of one mailbox in the order of uids, a batch at a time. */
enum { WANT_SENT = 1 << 16, WANT_KEYS = 1 << 17 }; /* beside enum fetch_want; KEYS alone */
#define SENT_UNKNOWN  INT64_MIN
#define READ_ROWS_MAX 256 /* of a batch: enough that a query's start does not count */
#define READ_BYTES_MAX \
    ((size_t)64 * 1024) /* of texts after which a batch ends: an idle session keeps little */

struct read_row {
    struct fetch_row fetch;
    int64_t sent; /* day of the Date field or SENT_UNKNOWN */
    struct str
        packed; /* with WANT_BODY: the body's only chunk as it is stored; empty: it has more, or is long */
    bool has_keys;
    struct body_keys keys; /* keys.h */
};

struct reader {
    int64_t mailbox;
    const uint32_t *uids; /* NULL: all between `from` and `to` */
    size_t n, at;
    uint32_t from, to; /* where to go on, and the last that may come */
    bool is_done;
    unsigned want;
    struct arena arena;    /* of the batch */
    struct read_row *rows; /* grown as needed, up to READ_ROWS_MAX */
    size_t count, cap;
};

/* `uids` stays the caller's and must not change. NULL: all. */
void reader_open(struct reader *r, int64_t mailbox, const uint32_t *uids, size_t n, unsigned want);
void reader_close(struct reader *r);
/* The next batch in r->rows, r->count; none left: count 0. */
bool reader_next(struct reader *r, struct sql *db, struct err *e);

/* --- body.c --- */
struct codec;
void codec_free(struct codec *c);
/* prefix and bytes one after the other, as the body `body`. */
bool body_write(struct connection *c, int64_t body, struct str prefix, struct str bytes, struct err *e);
bool body_delete(struct sql *db, int64_t body, struct err *e);

/* Reads one body after the other; keeps the chunk that it read last, since HEADER, TEXT and parts of one
 * message are asked for one after the other. */
struct body_reader {
    struct buf chunk;
    int64_t chunk_id; /* 0: none */
    bool has_pack;    /* it is a pack of several bodies (body_pack.h) */
    int64_t pack;     /* row of the last one read; 0: none */
    atomic_uint *aheads;
    struct body_ahead *ahead; /* body_ahead.h; NULL: not needed yet, or there are enough */
    int64_t packed_id;        /* of a chunk that need not be read: it is here as it is stored; 0: none */
    struct str packed;
};
/* `aheads`: the account's count of readers that read ahead; NULL: this one never does. */
void body_reader_init(struct body_reader *b, atomic_uint *aheads);
void body_reader_free(struct body_reader *b);
bool body_read(struct body_reader *b, struct connection *c, int64_t body, uint64_t size, uint64_t offset,
               uint64_t n, struct buf *out, struct err *e);

/* --- view_rows.c --- */
void view_reserve(struct view *v, size_t rows); /* room for as many */

/* --- expunge.c --- rows of a batch: into table expunged, out of message. `rows` in the order of uids. A row
 * of Recently Deleted is remembered with body 0: the row of the message that it is a copy of has it. */
bool expunge_rows(struct change *ch, struct counters *c, const struct read_row *rows, size_t n,
                  struct err *e);
/* One message, whatever its flags. STORE_NONE: it is not there. */
enum store_result expunge_one(struct change *ch, int64_t mailbox, uint32_t uid, struct err *e);
/* --- copy.c --- the same rows again at the end of `to`, without what enum copy_how says. */
enum store_result copy_rows(struct change *ch, struct counters *to, const struct read_row *rows, size_t n,
                            unsigned how, struct err *e);

/* --- recently_deleted.c --- */
/* Rows of a batch that are expunged and go nowhere else: copied, where the store does so, and expunged. */
bool lose_rows(struct change *ch, struct counters *c, const struct read_row *rows, size_t n, struct err *e);
/* STORE_FORBIDDEN, with the words, if `to` takes in nothing. */
enum store_result may_add(const struct counters *to, struct err *e);
/* The mailbox; 0: there is none. */
bool recently_deleted_find(struct sql *db, int64_t *mailbox, struct err *e);
/* Takes out what is on these bodies (sorted), since it is elsewhere again. */
bool recently_deleted_forget(struct change *ch, const int64_t *bodies, size_t n, struct err *e);
/* What came into it before `before`, in several transactions. */
bool recently_deleted_purge(struct store *s, int64_t before, struct err *e);

/* A run of rows with uids one after another, from row `at` on: how many. */
size_t run_length(const struct read_row *rows, size_t n, size_t at);

#endif
