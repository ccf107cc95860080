/* The journal of arrivals at the beginning and end of a store: what a crash left, and what is there to do
 * before the account is one file again. */
#include "base/log.h"
#include "base/mem.h"
#include "mailbox/arrivals_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* --- what a crash left --- */

MAIL_STATEMENT(GENERATION, "SELECT deleted FROM mailbox WHERE id = 0");

/* What is in one payload, at the end of what stands there. False: not all of it can be read, or stored. */
static bool load(struct arrivals *a, struct str payload)
{
    struct arrival m;
    struct str rest = payload;
    size_t n = 0;
    while (rest.n > 0 && arrival_take(&rest, &m))
        n++;
    bool good = rest.n == 0;
    struct arrival_batch *b = arrivals_batch_new(n);
    int64_t *saved = ARENA_ARRAY(&b->arena, int64_t, n);
    rest = payload;
    for (size_t i = 0; i < n && arrival_take(&rest, &m); i++) {
        b->items[i] = m.item;
        b->modseq = m.modseq;
        saved[i] = m.saved;
    }
    digests_prepare(b->items, b->digests, n, &b->arena);
    for (size_t i = 0; i < n; i++) {
        b->digests[i].saved = saved[i];
        good = good && b->items[i].result == STORE_OK;
    }
    arrivals_add(a, b);
    arrivals_batch_free(b);
    atomic_fetch_add(&a->count, (unsigned)n);
    return good;
}

static bool read_journal(struct store *s, struct journal_found *found, struct err *e)
{
    struct connection *c = pool_take(&s->pool, e);
    int64_t generation = 0;
    bool good = c && sql_one_int(c->db, &GENERATION, SQL_NONE, &generation, e) == 1;
    if (c)
        pool_give(&s->pool, c);
    return good && journal_read(s->arrivals.journal, (uint32_t)generation, found, e);
}

bool arrivals_recover(struct store *s, struct err *e)
{
    struct arrivals *a = &s->arrivals;
    struct journal_found found = {0};
    struct err later = ERR_INIT;
    if (!read_journal(s, &found, e))
        return false;
    if (found.missing > 0)
        LOG_ERROR("mailbox.journal", F_C("database", s->path), F_INT("lost-frames", found.missing));
    a->generation = found.generation;
    a->is_damaged = found.missing > 0;
    for (size_t i = 0; i < found.n; i++)
        if (!load(a, found.payloads[i]))
            a->is_damaged = true;
    unsigned n = atomic_load(&a->count);
    if (found.n == 0)
        return true;
    if (!a->has_folder)
        a->has_folder = arrivals_hold(a, 0);
    if (arrivals_settle_locked(s, &later))
        LOG_INFO("mailbox.recovered", F_C("database", s->path), F_INT("messages", n));
    else
        arrivals_plan(s, NULL, NULL);
    return true;
}

/* --- the store's beginning and end --- */

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
    pthread_mutex_init(&a->folder_mutex, NULL);
}

bool arrivals_open(struct store *s, struct err *e)
{
    struct arrivals *a = &s->arrivals;
    if (s->source.kind != SQL_SQLITE)
        return true;
    a->folder = open_folder(s->path);
    if (a->folder < 0)
        return err_set(e, ERR_TEMPORARY, "the folder of %s: %s", s->path, strerror(errno));
    if (faccessat(a->folder, ARRIVALS_FILE, F_OK, 0) != 0)
        return true;
    if (!arrivals_lock_out(s, e))
        return false;
    struct err failure = ERR_INIT;
    a->journal = journal_open(a->folder, ARRIVALS_FILE, ARRIVALS_BYTES, false, &failure);
    bool good = a->journal ? arrivals_recover(s, &failure) : failure.kind == ERR_NONE;
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
    /* SQLite copies its log back when the last connection closes. Somebody who has the folder, since he
     * copies it, is not disturbed; and with it, the journal is nobody else's who has something in it. */
    bool has_folder = arrivals_lock_out(s, &e);
    if (a->journal && is_empty && a->is_kept && has_folder)
        journal_remove(a->journal);
    else if (a->journal)
        journal_close(a->journal);
    a->journal = NULL;
    arrivals_start_over(a);
    arena_free(&a->arena);
    pool_close(&s->pool);
    if (a->folder >= 0)
        close(a->folder); /* and lets it go */
    pthread_mutex_destroy(&a->lock);
    pthread_mutex_destroy(&a->folder_mutex);
}
