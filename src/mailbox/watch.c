#include "base/log.h"
#include "base/mem.h"
#include "mailbox/internal.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

void watch_init(struct watch *w)
{
    *w = (struct watch){0};
    pthread_mutex_init(&w->mutex, NULL);
}

void watch_free(struct watch *w)
{
    pthread_mutex_destroy(&w->mutex);
    free(w->fds);
    free(w->seen);
}

/* Where the mailbox is, or belongs. */
static size_t place(const struct watch *w, int64_t mailbox)
{
    size_t low = 0, high = w->seen_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (w->seen[middle].mailbox < mailbox)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_at(const struct watch *w, size_t at, int64_t mailbox)
{
    return at < w->seen_count && w->seen[at].mailbox == mailbox;
}

void watch_set(struct watch *w, int64_t mailbox, uint64_t modseq)
{
    pthread_mutex_lock(&w->mutex);
    size_t at = place(w, mailbox);
    if (!is_at(w, at, mailbox) && modseq > 0) {
        if (w->seen_count == w->seen_cap) {
            w->seen_cap = w->seen_cap ? w->seen_cap * 2 : 8;
            w->seen = mem_resize(w->seen, w->seen_cap, sizeof *w->seen);
        }
        memmove(&w->seen[at + 1], &w->seen[at], (w->seen_count - at) * sizeof *w->seen);
        w->seen_count++;
        w->seen[at].mailbox = mailbox;
    }
    if (modseq > 0) {
        w->seen[at].modseq = modseq;
    } else if (is_at(w, at, mailbox)) {
        w->seen_count--;
        memmove(&w->seen[at], &w->seen[at + 1], (w->seen_count - at) * sizeof *w->seen);
    }
    pthread_mutex_unlock(&w->mutex);
}

uint64_t store_highestmodseq(struct store *s, int64_t mailbox)
{
    struct watch *w = &s->watch;
    uint64_t modseq = arrivals_modseq(s, mailbox);
    if (modseq > 0)
        return modseq;
    pthread_mutex_lock(&w->mutex);
    size_t at = place(w, mailbox);
    modseq = is_at(w, at, mailbox) ? w->seen[at].modseq : 0;
    pthread_mutex_unlock(&w->mutex);
    return modseq;
}

void watch_wake(struct watch *w)
{
    static const uint64_t ONE = 1;
    /* Under the lock: after store_unwatch the caller may close the descriptor. */
    pthread_mutex_lock(&w->mutex);
    for (size_t i = 0; i < w->fd_count; i++)
        while (write(w->fds[i], &ONE, sizeof ONE) < 0 && errno == EINTR)
            ;
    pthread_mutex_unlock(&w->mutex);
}

bool watch_has_any(struct watch *w)
{
    pthread_mutex_lock(&w->mutex);
    bool has = w->fd_count > 0;
    pthread_mutex_unlock(&w->mutex);
    return has;
}

void store_watch(struct store *s, int event_fd)
{
    struct watch *w = &s->watch;
    pthread_mutex_lock(&w->mutex);
    w->fds = mem_resize(w->fds, w->fd_count + 1, sizeof *w->fds);
    w->fds[w->fd_count++] = event_fd;
    pthread_mutex_unlock(&w->mutex);
}

void store_unwatch(struct store *s, int event_fd)
{
    struct watch *w = &s->watch;
    pthread_mutex_lock(&w->mutex);
    for (size_t i = 0; i < w->fd_count; i++)
        if (w->fds[i] == event_fd) {
            w->fds[i] = w->fds[--w->fd_count];
            break;
        }
    pthread_mutex_unlock(&w->mutex);
}

MAIL_STATEMENT(ACCOUNT_MODSEQ, "SELECT highestmodseq FROM mailbox WHERE id = 0");

static void forget_all(struct watch *w)
{
    pthread_mutex_lock(&w->mutex);
    w->seen_count = 0;
    pthread_mutex_unlock(&w->mutex);
}

bool store_look_around(struct store *s)
{
    int64_t modseq = 0;
    struct err ignored = ERR_INIT; /* whatever is wrong, the next who needs the database will say it */
    int64_t known = atomic_load(&s->last_modseq);
    struct connection *c = pool_take(&s->pool, &ignored);
    bool good = c && sql_one_int(c->db, &ACCOUNT_MODSEQ, SQL_NONE, &modseq, &ignored) == 1;
    if (c)
        pool_give(&s->pool, c);
    if (!good || modseq <= known)
        return false;
    /* The first time, and after a commit of our own between the two reads, there is nothing new: nobody minds
     * being told twice. */
    store_note_modseq(s, modseq);
    forget_all(&s->watch);
    watch_wake(&s->watch);
    return true;
}

void store_note_modseq(struct store *s, int64_t modseq)
{
    int64_t known = atomic_load(&s->last_modseq);
    while (known < modseq && !atomic_compare_exchange_weak(&s->last_modseq, &known, modseq))
        ;
}
