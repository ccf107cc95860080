/* The lock is the folder's (flock), which each process takes once, for all of its threads. */
#include "base/clock.h"
#include "base/mem.h"
#include "mailbox/arrivals_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

/* As SQLite waits for another process's lock (base/sqlite_open.c). */
#define WAIT_MS  (10 * (int64_t)1000)
#define AGAIN_NS (2 * 1000 * 1000)

static bool try_lock(const struct arrivals *a)
{
    return flock(a->folder, LOCK_EX | LOCK_NB) == 0;
}

/* A server to which mail comes all the time is asked for a pause (journal_is_waited_for). */
static bool wait_for_lock(const struct arrivals *a, int64_t wait_ms)
{
    struct deadline d = deadline_in(wait_ms);
    CLEAN_CLOSE int asks = -1;
    bool has = false;
    while (!(has = try_lock(a)) && !deadline_passed(d)) {
        if (asks < 0 && (asks = openat(a->folder, ARRIVALS_FILE, O_RDONLY | O_CLOEXEC)) >= 0)
            flock(asks, LOCK_SH);
        nanosleep(&(struct timespec){.tv_nsec = AGAIN_NS}, NULL);
    }
    return has;
}

bool arrivals_hold(struct arrivals *a, int64_t wait_ms)
{
    if (wait_ms > 0)
        pthread_mutex_lock(&a->folder_mutex);
    else if (pthread_mutex_trylock(&a->folder_mutex) != 0)
        return false; /* somebody waits for it */
    bool has = a->holders > 0 || try_lock(a) || (wait_ms > 0 && wait_for_lock(a, wait_ms));
    a->holders += has;
    pthread_mutex_unlock(&a->folder_mutex);
    return has;
}

void arrivals_let_go(struct arrivals *a)
{
    pthread_mutex_lock(&a->folder_mutex);
    if (--a->holders == 0)
        flock(a->folder, LOCK_UN);
    pthread_mutex_unlock(&a->folder_mutex);
}

bool arrivals_lock_out(struct store *s, struct err *e)
{
    return s->arrivals.folder < 0 || arrivals_hold(&s->arrivals, WAIT_MS) ||
           err_set(e, ERR_TEMPORARY, "%s: another process has kept it locked for %d s", s->path,
                   (int)(WAIT_MS / 1000));
}

void arrivals_let_in(struct store *s)
{
    if (s->arrivals.folder >= 0)
        arrivals_let_go(&s->arrivals);
}
