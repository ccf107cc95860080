#include "base/sqlite_wal.h"

#include "base/buf.h"

#include <pthread.h>
#include <sqlite3.h>
#include <string.h>

/* What is gathered at most: a commit of a few messages. A larger one is handed on in pieces of this size.
 * SQLite's own VFS writes at most 128 KiB - 1 at a time, since it never has more than a page. */
#define GATHER_MAX     ((size_t)96 * 1024)
#define WAL_HEADER     32                  /* bytes */
#define FILL_STEP      (32 * 1024)         /* zeros are written in pieces of this size */
#define FILL_AHEAD_MAX (256 * 1024)        /* at most so far ahead: nine small messages */
#define KEPT_MAX       ((size_t)64 * 1024) /* memory that is kept for the next commit */

struct wal_file {
    sqlite3_file base;
    struct buf gathered;
    sqlite3_int64 at;    /* where `gathered` goes */
    sqlite3_int64 ready; /* the file is filled up to here, as far as this connection knows */
    sqlite3_file real[]; /* SQLite's own, szOsFile bytes */
};

static sqlite3_vfs gathering; /* a copy of SQLite's own, but for xOpen and the size of a file */
static sqlite3_vfs *plain;

static struct wal_file *wal_of(sqlite3_file *f)
{
    return (struct wal_file *)f;
}

/* Fills the file with zeros beyond `end`, so that the next commits overwrite it in place: a file that grows
 * makes the kernel write its inode with every sync, which is one more wait for the disk. As much again as
 * there is, so that a single delivery costs nothing more. SQLite takes zeros behind the last frame for the
 * end of the log. */
static void fill(struct wal_file *w, sqlite3_int64 end)
{
    static const char ZEROS[FILL_STEP];
    sqlite3_int64 target = end + (end < FILL_AHEAD_MAX ? end : FILL_AHEAD_MAX);
    bool has_frames = end > WAL_HEADER;
    sqlite3_int64 at = end;
    while (has_frames && at < target) {
        if (w->real->pMethods->xWrite(w->real, ZEROS, FILL_STEP, at) != SQLITE_OK)
            break; /* a full disk: the commits will say so themselves, when they need the room */
        at += FILL_STEP;
    }
    w->ready = at;
}

static int hand_on(struct wal_file *w)
{
    if (w->gathered.n == 0)
        return SQLITE_OK;
    int rc = w->real->pMethods->xWrite(w->real, w->gathered.p, (int)w->gathered.n, w->at);
    sqlite3_int64 end = w->at + (sqlite3_int64)w->gathered.n;
    if (rc == SQLITE_OK && end > w->ready)
        fill(w, end);
    /* After a failure SQLite rolls back, and writes the place again. */
    if (rc != SQLITE_OK || w->gathered.cap > KEPT_MAX)
        buf_free(&w->gathered);
    else
        buf_reset(&w->gathered);
    return rc;
}

static int wal_write(sqlite3_file *f, const void *from, int n, sqlite3_int64 at)
{
    struct wal_file *w = wal_of(f);
    bool follows = w->gathered.n > 0 && at == w->at + (sqlite3_int64)w->gathered.n;
    if (!follows || w->gathered.n + (size_t)n > GATHER_MAX) {
        int rc = hand_on(w);
        if (rc != SQLITE_OK)
            return rc;
        w->at = at;
    }
    if ((size_t)n > GATHER_MAX)
        return w->real->pMethods->xWrite(w->real, from, n, at);
    buf_add(&w->gathered, str_from(from, (size_t)n));
    return SQLITE_OK;
}

/* Every other method first hands on what was gathered. */
#define AFTER_HANDING_ON(f, call)       \
    do {                                \
        struct wal_file *w = wal_of(f); \
        int rc = hand_on(w);            \
        if (rc != SQLITE_OK)            \
            return rc;                  \
        return w->real->pMethods->call; \
    } while (0)

static int wal_read(sqlite3_file *f, void *to, int n, sqlite3_int64 at)
{
    AFTER_HANDING_ON(f, xRead(w->real, to, n, at));
}

static int wal_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    if (size < wal_of(f)->ready)
        wal_of(f)->ready = size;
    AFTER_HANDING_ON(f, xTruncate(w->real, size));
}

/* SQLite has a header on the disk before the frames behind it, lest these meet the header of an older log
 * after a crash. In a file that was empty there is none: the header goes with the first commit, and a log
 * that is new costs one wait for the disk and its directory, not two. */
static bool is_header_of_a_new_file(struct wal_file *w)
{
    sqlite3_int64 size = 0;
    return w->at == 0 && w->gathered.n == WAL_HEADER &&
           w->real->pMethods->xFileSize(w->real, &size) == SQLITE_OK && size == 0;
}

static int wal_sync(sqlite3_file *f, int flags)
{
    if (is_header_of_a_new_file(wal_of(f)))
        return SQLITE_OK;
    AFTER_HANDING_ON(f, xSync(w->real, flags));
}

static int wal_size(sqlite3_file *f, sqlite3_int64 *size)
{
    AFTER_HANDING_ON(f, xFileSize(w->real, size));
}

static int wal_control(sqlite3_file *f, int op, void *arg)
{
    AFTER_HANDING_ON(f, xFileControl(w->real, op, arg));
}

/* What was not synced belongs to no commit: a transaction that was rolled back. */
static int wal_close(sqlite3_file *f)
{
    struct wal_file *w = wal_of(f);
    buf_free(&w->gathered);
    return w->real->pMethods->xClose(w->real);
}

static int wal_lock(sqlite3_file *f, int level)
{
    return wal_of(f)->real->pMethods->xLock(wal_of(f)->real, level);
}

static int wal_unlock(sqlite3_file *f, int level)
{
    return wal_of(f)->real->pMethods->xUnlock(wal_of(f)->real, level);
}

static int wal_check_lock(sqlite3_file *f, int *is_reserved)
{
    return wal_of(f)->real->pMethods->xCheckReservedLock(wal_of(f)->real, is_reserved);
}

static int wal_sector_size(sqlite3_file *f)
{
    return wal_of(f)->real->pMethods->xSectorSize(wal_of(f)->real);
}

static int wal_characteristics(sqlite3_file *f)
{
    return wal_of(f)->real->pMethods->xDeviceCharacteristics(wal_of(f)->real);
}

/* Version 1: a WAL has neither shared memory nor mapped pages of its own. */
static const sqlite3_io_methods WAL_METHODS = {
    .iVersion = 1,
    .xClose = wal_close,
    .xRead = wal_read,
    .xWrite = wal_write,
    .xTruncate = wal_truncate,
    .xSync = wal_sync,
    .xFileSize = wal_size,
    .xLock = wal_lock,
    .xUnlock = wal_unlock,
    .xCheckReservedLock = wal_check_lock,
    .xFileControl = wal_control,
    .xSectorSize = wal_sector_size,
    .xDeviceCharacteristics = wal_characteristics,
};

static int open_file(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *out_flags)
{
    (void)vfs;
    if (!(flags & SQLITE_OPEN_WAL))
        return plain->xOpen(plain, name, f, flags, out_flags);
    struct wal_file *w = wal_of(f);
    memset(w, 0, sizeof *w);
    int rc = plain->xOpen(plain, name, w->real, flags, out_flags);
    if (rc == SQLITE_OK) {
        buf_init(&w->gathered, GATHER_MAX);
        w->base.pMethods = &WAL_METHODS;
    }
    return rc;
}

void sqlite_wal_forget(sqlite3 *db)
{
    sqlite3_file *f = NULL;
    if (sqlite3_file_control(db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &f) == SQLITE_OK && f &&
        f->pMethods == &WAL_METHODS)
        buf_reset(&wal_of(f)->gathered);
}

static void register_vfs(void)
{
    plain = sqlite3_vfs_find(NULL);
    if (!plain)
        return;
    gathering = *plain;
    gathering.zName = "golub";
    gathering.pNext = NULL;
    gathering.szOsFile = (int)sizeof(struct wal_file) + plain->szOsFile;
    gathering.xOpen = open_file;
    if (sqlite3_vfs_register(&gathering, 0) != SQLITE_OK)
        plain = NULL;
}

const char *sqlite_wal_vfs(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, register_vfs);
    return plain ? gathering.zName : NULL;
}
