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
#include "mailbox/arrivals_parts.h"

/* So many wait at most: a transaction of them takes some 10 milliseconds, for which a reader waits. */
#define WAITING_MAX 256
/* A larger message goes into the database at once, where its size costs more than the commit. */
#define BYTES_MAX   ((size_t)64 * 1024)
/* Of what comes alone, after so long without anything, a commit of its own is the least work. */
#define BURST_MS    (10 * (int64_t)1000)
/* Where somebody looked before so many had come, a write was added and no commit spared: the next PASS go
 * into the database at once. (A client that has the mailbox selected into which it puts messages looks after
 * each.) */
#define WORTH_MIN   4
#define PASS        16
/* After a transaction that failed (a full disk) the next who asks within this time gets the same answer. */
#define RETRY_MS    1000
/* How often a look is taken whether another process waits for the journal to be emptied. Where no mail comes
 * it waits longer: until the account catches up (account/upkeep.c). */
#define LOOK_MS     200
/* The one mailbox that is always there: for what was acknowledged for one that is gone, which cannot be. */
#define INBOX_ID    1

/* --- batches --- */

struct arrival_batch *arrivals_batch_new(size_t n)
{
    struct arena arena = ARENA_INIT;
    struct arrival_batch *b = ARENA_NEW(&arena, struct arrival_batch);
    b->arena = arena;
    b->n = n;
    b->items = ARENA_ARRAY(&b->arena, struct store_append, n);
    b->digests = ARENA_ARRAY(&b->arena, struct digest, n);
    return b;
}

void arrivals_batch_free(struct arrival_batch *b)
{
    struct arena arena = b->arena; /* in which it lies */
    arena_free(&arena);
}

struct arrival arrivals_message(const struct arrival_batch *b, size_t i)
{
    struct arrival m = {.item = b->items[i], .saved = b->digests[i].saved, .modseq = b->modseq};
    m.item.keywords = b->digests[i].keywords;
    return m;
}

/* They lie close together, lest each touch pages of its own. */
void arrivals_add(struct arrivals *a, const struct arrival_batch *b)
{
    struct arrival_batch *kept = ARENA_NEW(&a->arena, struct arrival_batch);
    *kept = (struct arrival_batch){.modseq = b->modseq, .n = b->n};
    kept->items = ARENA_ARRAY(&a->arena, struct store_append, b->n);
    kept->digests = ARENA_ARRAY(&a->arena, struct digest, b->n);
    memcpy(kept->items, b->items, b->n * sizeof *b->items);
    memcpy(kept->digests, b->digests, b->n * sizeof *b->digests);
    for (size_t i = 0; i < b->n; i++) {
        struct digest *d = &kept->digests[i];
        d->envelope = arena_copy(&a->arena, d->envelope);
        d->structure = arena_copy(&a->arena, d->structure);
        d->preview = arena_copy(&a->arena, d->preview);
        d->parts = arena_copy(&a->arena, d->parts);
        d->keywords = arena_copy(&a->arena, d->keywords);
    }
    *a->end = kept;
    a->end = &kept->next;
    a->came += (uint32_t)b->n;
}

void arrivals_start_over(struct arrivals *a)
{
    arena_reset(&a->arena);
    a->first = NULL;
    a->end = &a->first;
    a->found = NULL;
    arrivals_forget_plan(a);
    atomic_store(&a->count, 0);
    if (a->has_folder)
        arrivals_let_go(a);
    a->has_folder = false;
}

/* --- into the database --- all with a->lock */

/* What was acknowledged is stored, whatever has become of its mailbox; neither that nor another uid can be
 * but by somebody who does not keep to the lock. */
static bool put_one(struct change *ch, const struct store_append *arrived, const struct digest *d,
                    struct err *e)
{
    struct store_append item = *arrived;
    item.beyond_quota = true; /* that was asked before */
    arrivals_keep_uid(ch, &item);
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
    ch->root.first_recent = a->came;
    ch->root.is_dirty = true;
    ch->has_bodies = false; /* that was told when they came */
    if (a->plan && a->plan->knows_limits) {
        memcpy(ch->limits, a->plan->limits, sizeof ch->limits);
        ch->knows_limits = true;
    }
    return true;
}

static void set_aside(struct arrivals *a)
{
    journal_set_aside(a->journal);
    a->journal = NULL;
    a->is_damaged = false;
}

bool arrivals_settle_locked(struct store *s, struct err *e)
{
    struct arrivals *a = &s->arrivals;
    struct change ch;
    if (!a->first)
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
            arrivals_start_over(a);
            if (a->is_damaged)
                set_aside(a);
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
    bool good = arrivals_settle_locked(s, e);
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

/* --- into the journal --- */

/* Another process may have served the account for a moment (keeper was started anew while this one ended),
 * and have removed the file, or left something in one. */
static bool open_journal(struct store *s)
{
    struct arrivals *a = &s->arrivals;
    struct err e = ERR_INIT;
    if (a->journal && !journal_is_gone(a->journal))
        return true;
    if (a->journal)
        journal_close(a->journal);
    a->journal = journal_open(a->folder, ARRIVALS_FILE, ARRIVALS_BYTES, true, &e);
    bool good = a->journal && arrivals_recover(s, &e);
    if (!good)
        LOG_WARNING("mailbox.journal", F_C("database", s->path), F_C("error", e.text));
    if (!good && a->journal) {
        journal_close(a->journal);
        a->journal = NULL;
    }
    return good && a->journal && a->has_folder && !a->first;
}

/* The first that is to stand there: from now on nobody else changes the database. */
static bool start_generation(struct store *s, unsigned n)
{
    struct arrivals *a = &s->arrivals;
    a->has_folder = arrivals_hold(a, 0);
    if (!a->has_folder)
        return false;
    if (!open_journal(s)) {
        if (!a->first)
            arrivals_start_over(a);
        return false;
    }
    pthread_mutex_lock(&s->writer); /* whose owner may be in the middle of a change */
    bool good = arrivals_plan(s, NULL, NULL) && a->plan->root.deleted < UINT32_MAX;
    if (good)
        atomic_store(&a->count, n);
    pthread_mutex_unlock(&s->writer);
    if (good) {
        a->generation = a->plan->root.deleted + 1; /* see ROOT_MAILBOX */
        journal_restart(a->journal, a->generation);
    } else {
        arrivals_start_over(a);
    }
    return good;
}

/* The messages' slices are those of the payload from now on. */
static void keep_to(struct str payload, struct arrival_batch *b)
{
    struct arrival m;
    for (size_t i = 0; i < b->n; i++)
        if (b->items[i].result == STORE_OK && arrival_take(&payload, &m)) {
            b->items[i] = m.item;
            b->digests[i].keywords = m.item.keywords;
        }
}

static bool write_batch(struct arrivals *a, struct arrival_batch *b, size_t bytes)
{
    struct err e = ERR_INIT;
    char *payload = journal_place(a->journal), *to = payload;
    for (size_t i = 0; i < b->n; i++) {
        struct arrival m = arrivals_message(b, i);
        if (m.item.result == STORE_OK)
            to = arrival_put(to, &m);
    }
    bool good = journal_write(a->journal, bytes, &e);
    if (good)
        keep_to(str_from(payload, bytes), b);
    else
        LOG_WARNING("mailbox.journal", F_C("error", e.text));
    return good;
}

/* Costs two system calls, so not with every message; but while somebody waits, with each, until it has had
 * its turn. */
static bool somebody_waits(struct arrivals *a)
{
    if (!a->journal || a->last_ms - a->looked_ms < LOOK_MS)
        return false;
    bool waits = journal_is_waited_for(a->journal);
    if (!waits)
        a->looked_ms = a->last_ms;
    return waits;
}

/* With a->lock. False: not here; what stood there before may still. */
static bool stand(struct store *s, struct arrival_batch *b, size_t bytes_max)
{
    struct arrivals *a = &s->arrivals;
    struct err ignored = ERR_INIT;
    size_t bytes = 0;
    unsigned before = atomic_load(&a->count), n = (unsigned)b->n;
    bool is_waited_for = somebody_waits(a);
    if (before > 0 &&
        (is_waited_for || !a->plan || before + n > WAITING_MAX || !journal_has_room(a->journal, bytes_max))) {
        if (!arrivals_settle_locked(s, &ignored))
            return false;
        before = 0;
    }
    if (before == 0 && (is_waited_for || !start_generation(s, n)))
        return false;
    if (arrivals_plan(s, b, &bytes) && (bytes == 0 || write_batch(a, b, bytes))) {
        arrivals_add(a, b);
        atomic_store(&a->count, before + n);
        return true;
    }
    arrivals_forget_plan(a); /* it counts what is not acknowledged */
    if (before == 0)
        arrivals_start_over(a);
    else if (!arrivals_settle_locked(s, &ignored))
        arrivals_plan(s, NULL, NULL);
    return false;
}

/* Where many came together while the account was awake the last time, the first is followed by others. */
static bool comes_alone(struct store *s, int64_t now)
{
    int64_t before = s->arrivals.last_ms;
    return now - before > BURST_MS && (before != 0 || arrivals_last_time(s) < WORTH_MIN);
}

static bool may_stand(struct store *s, const struct arrival_batch *b, size_t *bytes)
{
    struct arrivals *a = &s->arrivals;
    int64_t now = clock_ms();
    bool passes = a->pass > 0 && a->pass-- > 0, is_alone = a->is_kept && comes_alone(s, now);
    a->last_ms = now;
    if (!a->is_kept || passes || is_alone || b->n > WAITING_MAX || watch_has_any(&s->watch))
        return false;
    for (size_t i = 0; i < b->n; i++) {
        if (b->items[i].again)
            return false;
        *bytes += arrivals_bytes(b, i);
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
    struct arrival_batch *b = arrivals_batch_new(n);
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
        arrivals_batch_free(b);
        return r;
    }
    arrivals_batch_free(b);
    if (s->on_append)
        s->on_append(s->on_append_context);
    if (watch_has_any(&s->watch)) /* since a moment ago: they are to be told, which the commit does */
        arrivals_settle(s, &ignored);
    return r;
}
