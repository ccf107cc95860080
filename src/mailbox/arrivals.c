/* Mail that stands in a journal beside the database, durably, until it is put into it with others in one
 * transaction: a commit of SQLite's takes some 300 µs of processor time for one message, and little more for
 * sixty.
 *
 * While something stands there, the account is the database and the journal, and nobody sees less: whoever
 * takes a connection (store_take) or changes something (change_open) first has it put into the database
 * (arrivals_settle). What will become of each message is known when it is acknowledged: the counters that a
 * change would read and write are kept as a plan, so quota and bounds hold, and the uid is the one that it
 * gets. That is true because nobody else changes the database meanwhile: threads of this process settle
 * first, other processes (a command beside the server) wait for a lock on the account's folder, which this
 * one has while something stands in the journal.
 *
 * Everything is worked out from a message's bytes before it is written: a message that brings the program
 * down does so before it is acknowledged, not each time that the account is opened. */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "mailbox/internal.h"
#include "mailbox/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#define FILE_NAME     "arrivals"
/* So many wait at most: a transaction of them takes some milliseconds, for which a reader waits. */
#define WAITING_MAX   64
/* A larger message goes into the database at once, where its size costs more than the commit. */
#define BYTES_MAX     ((size_t)64 * 1024)
/* Of what comes alone, after so long without anything, a commit of its own is the least work. */
#define BURST_MS      (10 * (int64_t)1000)
/* Where somebody looked before so many had come, a write was added and no commit spared: the next PASS go
 * into the database at once. (A client that has the mailbox selected into which it puts messages looks after
 * each.) */
#define WORTH_MIN     4
#define PASS          16
/* After a transaction that failed (a full disk) the next who asks within this time gets the same answer. */
#define RETRY_MS      1000
/* As SQLite waits for another process's lock (base/sqlite_open.c). */
#define LOCK_WAIT_MS  (10 * (int64_t)1000)
#define LOCK_AGAIN_NS (2 * 1000 * 1000)
/* The one mailbox that is always there: for what was acknowledged for one that is gone, which cannot be. */
#define INBOX_ID      1

/* Messages that were written together: the journal's frame, and slices of it. */
struct arrival_batch {
    struct arrival_batch *next;
    struct journal_frame *frame;
    struct arena arena;
    uint64_t modseq; /* each batch has its own, as if it were a change by itself: somebody may have seen the
                        counters */
    size_t n;
    struct store_append *items;
    struct digest *digests;
};

/* --- messages as the journal's bytes --- in this machine's byte order */

struct record {
    int64_t mailbox, received, saved;
    uint64_t modseq;
    uint32_t uid, uidvalidity, flags;
    int32_t zone;
    uint32_t keywords, delivery, prefix, bytes; /* how many of each follow */
};

static size_t record_bytes(const struct store_append *item, const struct digest *d)
{
    return sizeof(struct record) + d->keywords.n + item->delivery.n + item->prefix.n + item->bytes.n;
}

/* Copies a slice to `to`, and lets it be the copy. */
static char *put(char *to, struct str *s)
{
    if (s->n > 0)
        memcpy(to, s->p, s->n);
    s->p = to;
    return to + s->n;
}

/* Returns where the next one goes. The message's slices are in the frame from now on. */
static char *put_record(char *to, struct store_append *item, struct digest *d, uint64_t modseq)
{
    struct record r = {.mailbox = item->mailbox,
                       .received = item->received,
                       .saved = d->saved,
                       .modseq = modseq,
                       .uid = item->uid,
                       .uidvalidity = item->uidvalidity,
                       .flags = item->flags,
                       .zone = item->zone,
                       .keywords = (uint32_t)d->keywords.n,
                       .delivery = (uint32_t)item->delivery.n,
                       .prefix = (uint32_t)item->prefix.n,
                       .bytes = (uint32_t)item->bytes.n};
    memcpy(to, &r, sizeof r);
    to = put(to + sizeof r, &d->keywords);
    to = put(to, &item->delivery);
    to = put(to, &item->prefix);
    to = put(to, &item->bytes);
    item->keywords = d->keywords;
    return to;
}

static bool take(struct str *rest, size_t n, struct str *out)
{
    if (rest->n < n)
        return false;
    *out = str_slice(*rest, 0, n);
    *rest = str_from_offset(*rest, n);
    return true;
}

static bool take_record(struct str *rest, struct store_append *item, int64_t *saved, uint64_t *modseq)
{
    struct record r;
    struct str head;
    if (!take(rest, sizeof r, &head))
        return false;
    memcpy(&r, head.p, sizeof r);
    *saved = r.saved;
    *modseq = r.modseq;
    *item = (struct store_append){.mailbox = r.mailbox,
                                  .received = r.received,
                                  .uid = r.uid,
                                  .uidvalidity = r.uidvalidity,
                                  .flags = r.flags,
                                  .zone = (int16_t)r.zone};
    return take(rest, r.keywords, &item->keywords) && take(rest, r.delivery, &item->delivery) &&
           take(rest, r.prefix, &item->prefix) && take(rest, r.bytes, &item->bytes);
}

/* --- batches --- */

static struct arrival_batch *batch_new(size_t n)
{
    struct arrival_batch *b = MEM_NEW(struct arrival_batch);
    b->n = n;
    b->items = ARENA_ARRAY(&b->arena, struct store_append, n);
    b->digests = ARENA_ARRAY(&b->arena, struct digest, n);
    return b;
}

static void batch_free(struct arrival_batch *b)
{
    digests_free(b->digests, b->n);
    if (b->frame)
        journal_frame_free(b->frame);
    arena_free(&b->arena);
    free(b);
}

/* --- who may change the database --- a lock on the folder, held by the process in whose journal something
 * stands, or by another one while it changes something */

static bool lock_folder(struct arrivals *a, int64_t wait_ms)
{
    struct deadline d = deadline_in(wait_ms);
    while (flock(a->folder, LOCK_EX | LOCK_NB) != 0) {
        if (deadline_passed(d))
            return false;
        nanosleep(&(struct timespec){.tv_nsec = LOCK_AGAIN_NS}, NULL);
    }
    a->has_folder = true;
    return true;
}

static void unlock_folder(struct arrivals *a)
{
    if (a->has_folder)
        flock(a->folder, LOCK_UN);
    a->has_folder = false;
}

bool arrivals_lock_out(struct store *s, struct err *e)
{
    struct arrivals *a = &s->arrivals;
    if (a->is_kept || a->folder < 0 || a->has_folder)
        return true;
    return lock_folder(a, LOCK_WAIT_MS) ||
           err_set(e, ERR_TEMPORARY, "%s: the server has kept it locked for %d s", s->path,
                   (int)(LOCK_WAIT_MS / 1000));
}

void arrivals_let_in(struct store *s)
{
    if (!s->arrivals.is_kept && atomic_load(&s->arrivals.count) == 0)
        unlock_folder(&s->arrivals);
}

/* --- into the database --- all with a->lock */

static void forget_plan(struct arrivals *a)
{
    if (a->plan)
        arena_free(&a->plan->arena);
    free(a->plan);
    a->plan = NULL;
}

/* What stood in the journal is in the database, or was never acknowledged. */
static void start_over(struct arrivals *a)
{
    while (a->first) {
        struct arrival_batch *b = a->first;
        a->first = b->next;
        batch_free(b);
    }
    a->end = &a->first;
    forget_plan(a);
    atomic_store(&a->count, 0);
    unlock_folder(a);
}

/* What was acknowledged is stored, whatever has become of its mailbox; neither that nor another uid can be
 * but by somebody who does not keep to the lock. */
static bool put_one(struct change *ch, const struct store_append *arrived, const struct digest *d,
                    struct err *e)
{
    struct store_append item = *arrived;
    item.beyond_quota = true; /* that was asked before */
    enum store_result r = append_place(ch, &item, e);
    if (r != STORE_OK && r != STORE_FAILED) {
        item.mailbox = INBOX_ID;
        r = append_place(ch, &item, e);
    }
    if (r == STORE_OK && (item.uid != arrived->uid || item.mailbox != arrived->mailbox))
        LOG_ERROR("mailbox.moved", F_INT("mailbox", arrived->mailbox), F_INT("uid", arrived->uid),
                  F_INT("to", item.mailbox), F_INT("now", item.uid));
    return r == STORE_OK && append_insert(ch, &item, d, e);
}

static bool put_all(struct arrivals *a, struct change *ch, struct err *e)
{
    for (struct arrival_batch *b = a->first; b; b = b->next) {
        ch->modseq = b->modseq > ch->modseq ? b->modseq : ch->modseq;
        for (size_t i = 0; i < b->n; i++)
            if (b->items[i].result == STORE_OK && !put_one(ch, &b->items[i], &b->digests[i], e))
                return false;
    }
    ch->root.deleted = a->generation; /* see ROOT_MAILBOX */
    ch->root.is_dirty = true;
    ch->has_bodies = false; /* that was told when they came */
    if (a->plan && a->plan->knows_limits) {
        memcpy(ch->limits, a->plan->limits, sizeof ch->limits);
        ch->knows_limits = true;
    }
    return true;
}

static bool settle(struct store *s, struct err *e)
{
    struct arrivals *a = &s->arrivals;
    struct change ch;
    if (atomic_load(&a->count) == 0)
        return true;
    if (a->failed_ms == 0 || clock_ms() - a->failed_ms >= RETRY_MS) {
        a->failed_ms = clock_ms();
        a->error = (struct err)ERR_INIT;
        if (change_begin(s, &ch, &a->error) == STORE_OK) {
            if (!put_all(a, &ch, &a->error))
                change_cancel(&ch);
            else if (change_commit(&ch, &a->error) == STORE_OK)
                a->failed_ms = 0;
        }
        if (a->failed_ms == 0) {
            a->pass = atomic_load(&a->count) < WORTH_MIN ? PASS : 0;
            start_over(a);
            return true;
        }
    }
    return err_set(e, a->error.kind, "%s", a->error.text);
}

bool arrivals_settle(struct store *s, struct err *e)
{
    struct arrivals *a = &s->arrivals;
    if (atomic_load(&a->count) == 0)
        return true;
    pthread_mutex_lock(&a->lock);
    bool good = settle(s, e);
    pthread_mutex_unlock(&a->lock);
    return good;
}

/* A reader who cannot have all there is (a full disk) has the rest. */
struct connection *store_take(struct store *s, struct err *e)
{
    struct err ignored = ERR_INIT;
    arrivals_settle(s, &ignored);
    return pool_take(&s->pool, e);
}

/* --- counters, without that --- */

struct connection *store_peek(struct store *s, struct err *e)
{
    pthread_mutex_lock(&s->arrivals.lock);
    struct connection *c = pool_take(&s->pool, e);
    if (!c)
        pthread_mutex_unlock(&s->arrivals.lock);
    return c;
}

void store_peeked(struct store *s, struct connection *c)
{
    pool_give(&s->pool, c);
    pthread_mutex_unlock(&s->arrivals.lock);
}

uint64_t arrivals_modseq(struct store *s, int64_t mailbox)
{
    struct arrivals *a = &s->arrivals;
    uint64_t modseq = 0;
    if (atomic_load(&a->count) == 0)
        return 0;
    pthread_mutex_lock(&a->lock);
    for (const struct counters *c = a->plan ? a->plan->touched : NULL; c; c = c->next)
        if (c->mailbox == mailbox)
            modseq = c->highestmodseq;
    pthread_mutex_unlock(&a->lock);
    return modseq;
}

void arrivals_count(struct store *s, struct mailbox *m)
{
    const struct change *plan = s->arrivals.plan;
    for (const struct counters *c = plan ? plan->touched : NULL; c; c = c->next)
        if (c->mailbox == m->id) {
            m->uidnext = c->uidnext;
            m->highestmodseq = c->highestmodseq;
            m->messages = c->messages;
            m->unseen = c->unseen;
            m->deleted = c->deleted;
            m->size = c->size;
            m->deleted_size = c->deleted_size;
        }
}

/* --- into the journal --- */

/* Counts what is in `b`, as yet another change after those that are planned. False: the database cannot be
 * asked. */
static bool place(struct change *plan, struct arrival_batch *b, size_t *bytes, struct err *e)
{
    b->modseq = plan->modseq = plan->root.highestmodseq + 1;
    for (size_t i = 0; i < b->n; i++) {
        struct store_append *item = &b->items[i];
        if (item->result == STORE_OK)
            item->result = append_place(plan, item, e);
        if (item->result == STORE_FAILED)
            return false;
        if (item->result == STORE_OK)
            *bytes += record_bytes(item, &b->digests[i]);
    }
    return true;
}

/* What stands in the journal has been asked about its quota, and keeps its uids. */
static bool place_again(struct change *plan, const struct arrival_batch *b, struct err *e)
{
    plan->modseq = b->modseq;
    for (size_t i = 0; i < b->n; i++) {
        struct store_append item = b->items[i];
        item.beyond_quota = true;
        if (item.result == STORE_OK && append_place(plan, &item, e) == STORE_FAILED)
            return false;
    }
    return true;
}

/* A new plan, of what stands in the journal. */
static bool make_plan(struct store *s, struct connection *c, struct err *e)
{
    struct arrivals *a = &s->arrivals;
    struct change *plan = a->plan = MEM_NEW(struct change);
    *plan = (struct change){.store = s, .connection = c, .db = c->db};
    bool good = change_plan(plan, e);
    for (const struct arrival_batch *b = a->first; good && b; b = b->next)
        good = place_again(plan, b, e);
    if (!good)
        forget_plan(a);
    return good;
}

/* Plans `b` (NULL: nothing more) behind what stands in the journal. */
static bool plan_for(struct store *s, struct arrival_batch *b, size_t *bytes)
{
    struct arrivals *a = &s->arrivals;
    struct err ignored = ERR_INIT; /* the way without a journal is the way out */
    struct connection *c = pool_take(&s->pool, &ignored);
    bool good = c && (a->plan || make_plan(s, c, &ignored));
    if (good && b) {
        a->plan->connection = c;
        a->plan->db = c->db;
        good = place(a->plan, b, bytes, &ignored);
    }
    if (c)
        pool_give(&s->pool, c);
    return good;
}

/* The first that is to stand there: from now on nobody else changes the database. */
static bool start_generation(struct store *s, unsigned n)
{
    struct arrivals *a = &s->arrivals;
    struct err e = ERR_INIT;
    if (!lock_folder(a, 0))
        return false;
    if (!a->journal && !(a->journal = journal_open(a->folder, FILE_NAME, true, &e)))
        LOG_WARNING("mailbox.journal", F_C("error", e.text));
    pthread_mutex_lock(&s->writer); /* whose owner may be in the middle of a change */
    bool good = a->journal && plan_for(s, NULL, NULL);
    if (good)
        atomic_store(&a->count, n);
    pthread_mutex_unlock(&s->writer);
    if (good)
        a->generation = a->plan->root.deleted + 1; /* see ROOT_MAILBOX */
    if (good)
        journal_restart(a->journal, a->generation);
    else
        start_over(a);
    return good;
}

static bool write_batch(struct arrivals *a, struct arrival_batch *b, size_t bytes)
{
    struct err e = ERR_INIT;
    b->frame = journal_frame_new(bytes);
    char *to = b->frame->payload;
    for (size_t i = 0; i < b->n; i++)
        if (b->items[i].result == STORE_OK)
            to = put_record(to, &b->items[i], &b->digests[i], b->modseq);
    bool good = journal_write(a->journal, b->frame, &e);
    if (!good)
        LOG_WARNING("mailbox.journal", F_C("error", e.text));
    return good;
}

/* With a->lock. False: not here; what stood there before may still. */
static bool stand(struct store *s, struct arrival_batch *b, size_t bytes_max)
{
    struct arrivals *a = &s->arrivals;
    struct err ignored = ERR_INIT;
    size_t bytes = 0;
    unsigned before = atomic_load(&a->count), n = (unsigned)b->n;
    if (before > 0 && (!a->plan || before + n > WAITING_MAX || !journal_has_room(a->journal, bytes_max))) {
        if (!settle(s, &ignored))
            return false;
        before = 0;
    }
    if (before == 0 && !start_generation(s, n))
        return false;
    if (plan_for(s, b, &bytes) && (bytes == 0 || write_batch(a, b, bytes))) {
        *a->end = b;
        a->end = &b->next;
        atomic_store(&a->count, before + n);
        return true;
    }
    forget_plan(a); /* it counts what is not acknowledged */
    if (before == 0)
        start_over(a);
    else if (!settle(s, &ignored))
        plan_for(s, NULL, NULL);
    return false;
}

static bool may_stand(struct store *s, const struct arrival_batch *b, size_t *bytes)
{
    struct arrivals *a = &s->arrivals;
    int64_t now = clock_ms(), before = a->last_ms;
    a->last_ms = now;
    bool passes = a->pass > 0 && a->pass-- > 0;
    if (!a->is_kept || passes || b->n > WAITING_MAX || now - before > BURST_MS || watch_has_any(&s->watch))
        return false;
    for (size_t i = 0; i < b->n; i++) {
        if (b->items[i].again)
            return false;
        *bytes += record_bytes(&b->items[i], &b->digests[i]);
    }
    return *bytes <= BYTES_MAX;
}

/* What became of each; its slices stay the caller's own. */
static void tell(struct store_append *items, const struct arrival_batch *b)
{
    for (size_t i = 0; i < b->n; i++) {
        items[i].result = b->items[i].result;
        items[i].uid = b->items[i].uid;
        items[i].uidvalidity = b->items[i].uidvalidity;
        items[i].err = b->items[i].err;
    }
}

enum store_result store_arrive(struct store *s, struct store_append *items, size_t n, struct err *e)
{
    struct arrivals *a = &s->arrivals;
    struct arrival_batch *b = batch_new(n);
    enum store_result r = STORE_OK;
    struct err ignored = ERR_INIT;
    size_t bytes = 0;
    memcpy(b->items, items, n * sizeof *items);
    digests_prepare(b->items, b->digests, n, &b->arena);
    pthread_mutex_lock(&a->lock);
    bool stands = may_stand(s, b, &bytes) && stand(s, b, bytes);
    if (stands)
        tell(items, b); /* before another thread puts the batch into the database */
    pthread_mutex_unlock(&a->lock);
    if (!stands) {
        r = append_prepared(s, b->items, b->digests, n, e);
        tell(items, b);
        batch_free(b);
        return r;
    }
    if (s->on_append)
        s->on_append(s->on_append_context);
    if (watch_has_any(&s->watch)) /* since a moment ago: they are to be told, which the commit does */
        arrivals_settle(s, &ignored);
    return r;
}

/* --- the store's beginning and end --- */

MAIL_STATEMENT(GENERATION, "SELECT deleted FROM mailbox WHERE id = 0");

static bool load(struct store *s, struct journal_frame *f, struct err *e)
{
    struct arrivals *a = &s->arrivals;
    struct store_append item;
    int64_t saved;
    uint64_t modseq;
    struct str rest = str_from(f->payload, f->capacity);
    size_t n = 0;
    while (rest.n > 0 && take_record(&rest, &item, &saved, &modseq))
        n++;
    struct arrival_batch *b = batch_new(n);
    b->frame = f;
    *a->end = b;
    a->end = &b->next;
    atomic_fetch_add(&a->count, (unsigned)n);
    rest = str_from(f->payload, f->capacity);
    int64_t *when = ARENA_ARRAY(&b->arena, int64_t, n);
    for (size_t i = 0; i < n; i++)
        take_record(&rest, &b->items[i], &when[i], &b->modseq);
    digests_prepare(b->items, b->digests, n, &b->arena);
    for (size_t i = 0; i < n; i++)
        b->digests[i].saved = when[i];
    return rest.n == 0 || err_set(e, ERR_INTERNAL, "the journal of %s holds what cannot be read", s->path);
}

/* What a crash left. With the folder's lock, so it is nobody's. */
static bool recover(struct store *s, struct err *e)
{
    struct arrivals *a = &s->arrivals;
    struct journal_frame *f = NULL;
    struct connection *c = pool_take(&s->pool, e);
    int64_t generation = 0;
    bool good = c && sql_one_int(c->db, &GENERATION, SQL_NONE, &generation, e) == 1;
    if (c)
        pool_give(&s->pool, c);
    good = good && journal_read(a->journal, (uint32_t)generation, &f, &a->generation, e);
    while (f) {
        struct journal_frame *next = f->next;
        good = load(s, f, e) && good;
        f = next;
    }
    unsigned n = atomic_load(&a->count);
    struct err later = ERR_INIT; /* a full disk: they wait on */
    if (n > 0 && good && settle(s, &later))
        LOG_INFO("mailbox.recovered", F_C("database", s->path), F_INT("messages", n));
    else if (n > 0 && good)
        plan_for(s, NULL, NULL);
    return good;
}

static int open_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    CLEAN_FREE char *folder = slash ? mem_copy_c(path, (size_t)(slash - path)) : mem_copy_c(".", 1);
    return open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

void arrivals_init(struct arrivals *a)
{
    a->folder = -1;
    a->end = &a->first;
    pthread_mutex_init(&a->lock, NULL);
}

bool arrivals_open(struct store *s, struct err *e)
{
    struct arrivals *a = &s->arrivals;
    if (s->source.kind != SQL_SQLITE)
        return true;
    a->folder = open_folder(s->path);
    if (a->folder < 0)
        return err_set(e, ERR_TEMPORARY, "the folder of %s: %s", s->path, strerror(errno));
    if (faccessat(a->folder, FILE_NAME, F_OK, 0) != 0)
        return true;
    if (!arrivals_lock_out(s, e))
        return false;
    struct err failure = ERR_INIT;
    a->journal = journal_open(a->folder, FILE_NAME, false, &failure);
    bool good = a->journal ? recover(s, &failure) : failure.kind == ERR_NONE;
    arrivals_let_in(s);
    return good || err_set(e, failure.kind, "%s", failure.text);
}

void store_keep_arrivals(struct store *s)
{
    s->arrivals.is_kept = s->arrivals.folder >= 0;
}

void arrivals_close(struct store *s)
{
    struct arrivals *a = &s->arrivals;
    struct err e = ERR_INIT;
    if (!arrivals_settle(s, &e))
        LOG_ERROR("mailbox.journal", F_C("database", s->path), F_C("error", e.text));
    bool is_empty = atomic_load(&a->count) == 0;
    if (a->journal && is_empty && a->is_kept)
        journal_remove(a->journal);
    else if (a->journal)
        journal_close(a->journal);
    a->journal = NULL;
    start_over(a);
    if (a->folder >= 0)
        close(a->folder);
    pthread_mutex_destroy(&a->lock);
}
