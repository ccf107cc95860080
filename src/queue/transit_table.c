/* From the journal into the tables: now and then, at the start, and for a command. */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "queue/transit_parts.h"
#include "storage/source.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <time.h>
#include <unistd.h>

/* As SQLite waits for another process's lock (base/sqlite_open.c). */
#define WAIT_MS  (10 * (int64_t)1000)
#define AGAIN_NS (2 * 1000 * 1000)

/* --- putting --- */

static bool put_message(struct transit *t, const struct transit_record *r, struct arena *a, struct err *e)
{
    struct transit_message m;
    if (!transit_get_message(r, &m, a)) {
        LOG_ERROR("queue.journal", F_INT("queue", r->message),
                  F_C("reason", "a message that cannot be read"));
        t->is_damaged = true; /* the file is kept */
        return true;
    }
    if (!queue_db_put_message(t->db, &m.row, m.bytes, e))
        return false;
    for (size_t i = 0; i < m.count; i++)
        if (!queue_db_add_recipient(t->db, &m.recipients[i], e))
            return false;
    return true;
}

static bool put_gone(struct transit *t, struct err *e)
{
    for (size_t i = 0; i < t->gone_count; i++)
        if (!queue_db_remove_sent(t->db, t->gone[i].message, t->gone[i].count, t->gone[i].size, e))
            return false;
    return true;
}

/* In the order of arrival; and who is gone was there before. */
static bool put_all(struct transit *t, struct err *e)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    if (!put_gone(t, e))
        return false;
    for (size_t i = 0; i < t->count; i++, arena_reset(&a))
        if (t->records[i].message > 0 && !put_message(t, &t->records[i], &a, e))
            return false;
    return queue_db_set_journal(t->db, t->generation, t->last, e);
}

bool transit_put_all(struct transit *t, struct err *e)
{
    return !t || !t->is_open || put_all(t, e);
}

void transit_is_put(struct transit *t)
{
    if (t)
        transit_start_over(t);
}

bool transit_settle(struct transit *t, struct err *e)
{
    if (!t || !t->is_open)
        return true;
    if (sql_begin_write(t->db, e) && put_all(t, e) && sql_commit(t->db, e)) {
        transit_start_over(t);
        return true;
    }
    sql_rollback(t->db);
    return false;
}

/* --- what was left --- */

/* What stands in the file of generations that the tables do not have. The folder is held. */
static bool read_left(struct transit *t, struct err *e)
{
    struct journal_found found;
    int64_t generation, last;
    if (!queue_db_journal(t->db, &generation, &last, e) ||
        !journal_read(t->journal, (uint32_t)generation, &found, e))
        return false;
    t->count = t->gone_count = 0;
    t->last = last;
    t->generation = found.generation;
    t->is_damaged = found.missing > 0;
    for (size_t i = 0; i < found.n; i++)
        if (!transit_take_up(t, found.payloads[i]))
            t->is_damaged = true;
    return true;
}

/* Another process may do the same at the same time: who has the tables first does it, and the other finds
 * nothing. */
static bool put_left(struct transit *t, struct err *e)
{
    if (!sql_begin_write(t->db, e))
        return false;
    if (read_left(t, e) && put_all(t, e) && sql_commit(t->db, e)) {
        LOG_INFO("queue.recovered", F_INT("records", t->count), F_INT("gone", t->gone_count));
        transit_start_over(t);
        return true;
    }
    sql_rollback(t->db);
    return false;
}

static bool recover(struct transit *t, struct err *e)
{
    struct err failure = ERR_INIT;
    t->journal = journal_open(t->folder, TRANSIT_FILE, TRANSIT_BYTES, false, &failure);
    if (!t->journal)
        return failure.kind == ERR_NONE || err_set(e, failure.kind, "%s", failure.text);
    if (!read_left(t, e))
        return false;
    return t->count + t->gone_count == 0 && !t->is_damaged ? true : put_left(t, e);
}

/* --- the lock --- */

/* A server to which mail comes all the time is asked for a pause: by an open (transit_bell), and a lock
 * (journal_is_waited_for). */
static bool wait_for_folder(int folder)
{
    struct deadline d = deadline_in(WAIT_MS);
    CLEAN_CLOSE int asks = -1;
    while (flock(folder, LOCK_SH | LOCK_NB) != 0) {
        if (deadline_passed(d))
            return false;
        int before = asks;
        if ((asks = openat(folder, TRANSIT_FILE, O_RDONLY | O_CLOEXEC)) >= 0)
            flock(asks, LOCK_SH);
        if (before >= 0)
            close(before);
        nanosleep(&(struct timespec){.tv_nsec = AGAIN_NS}, NULL);
    }
    return true;
}

static void release(struct transit *t)
{
    if (t->journal)
        journal_close(t->journal);
    ipc_frame_free(&t->scratch);
    free(t->records);
    free(t->gone);
    *t = (struct transit){.folder = -1, .bell = -1};
}

/* The folder is held on true. */
static bool hold(struct transit *t, const char *path, struct sql *db, struct err *e)
{
    *t = (struct transit){.db = db, .bell = -1};
    ipc_frame_init(&t->scratch, 0);
    t->folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (t->folder < 0)
        return err_set(e, ERR_TEMPORARY, "%s: %s", path, strerror(errno));
    if (!wait_for_folder(t->folder))
        return err_set(e, ERR_TEMPORARY, "%s: another process has kept it locked for %d s", path,
                       (int)(WAIT_MS / 1000));
    return recover(t, e);
}

struct sql *transit_beside(const struct config *c, int *lock, struct err *e)
{
    struct transit t;
    struct sql *db = queue_db_open(c, false, e);
    *lock = -1;
    if (!db || source_is_postgresql(c))
        return db;
    CLEAN_FREE char *path = queue_db_folder(c);
    bool good = hold(&t, path, db, e);
    *lock = t.folder;
    release(&t);
    if (good)
        return db;
    sql_close(db);
    return NULL;
}

/* --- the process --- */

struct transit *transit_open(const char *folder, struct sql *db, struct err *e)
{
    struct transit *t = MEM_NEW(struct transit);
    if (!hold(t, folder, db, e)) {
        if (t->folder >= 0)
            close(t->folder);
        release(t);
        free(t);
        return NULL;
    }
    flock(t->folder, LOCK_UN);
    t->bell = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (t->bell < 0 || inotify_add_watch(t->bell, folder, IN_OPEN) < 0)
        LOG_WARNING("queue.journal", F_C("reason", strerror(errno))); /* commands wait a second */
    return t;
}

/* With the lock the journal is nobody else's who reads it just now. */
void transit_close(struct transit *t)
{
    struct err e = ERR_INIT;
    if (!t)
        return;
    if (!transit_settle(t, &e))
        LOG_ERROR("queue.journal", F_C("reason", e.text));
    else if (t->journal && flock(t->folder, LOCK_EX | LOCK_NB) == 0) {
        journal_remove(t->journal);
        t->journal = NULL;
    }
    close(t->folder);
    if (t->bell >= 0)
        close(t->bell);
    release(t);
    free(t);
}

int transit_bell(const struct transit *t)
{
    return t->bell;
}

void transit_listen(struct transit *t)
{
    char events[4096] __attribute__((aligned(8)));
    while (read(t->bell, events, sizeof events) > 0)
        ;
}
