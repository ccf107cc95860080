/* The room that a database takes on the disk. What is deleted leaves pages in the file, which are used again:
 * but a burst, whose bodies stand in it twice until they are in packs, or a queue that a dead server has
 * filled, is not to be paid for ever. */
#include "base/sqlite.h"

#include <stdio.h>

/* Free pages are worth it from 2 MiB on, and where they are a good part of the file; then all but a few go. A
 * mailbox that has a hundred messages a day, which are packed at once, keeps what it needs for them. */
#define BEGIN_PAGES     512
#define BEGIN_SHARE     8
#define LEFT_PAGES      64
#define LEFT_SHARE      64
/* In one transaction, which others wait for: at most 2 MiB are moved. */
#define GIVE_BACK_PAGES 512

static const struct sql_statement PAGES = {"PRAGMA page_count"};
static const struct sql_statement FREE_PAGES = {"PRAGMA freelist_count"};

static bool count_free(struct sql *db, int64_t *n, struct err *e)
{
    return sql_one_int(db, &FREE_PAGES, SQL_NONE, n, e) >= 0;
}

/* Moves pages from the end of the file into free ones; its end is cut off with the next checkpoint. */
static bool move_pages(struct sqlite *db, struct err *e)
{
    char text[64]; /* a PRAGMA takes no parameter */
    snprintf(text, sizeof text, "PRAGMA incremental_vacuum(%d)", GIVE_BACK_PAGES);
    int rc = sqlite3_exec(db->handle, text, NULL, NULL, NULL);
    return rc == SQLITE_OK || sqlite_fail(db, rc, e);
}

/* The end of the file goes, and what the WAL has been made large for. Not while somebody reads what was there
 * before: then it goes when the WAL is next begun anew. */
static bool cut_off(struct sqlite *db, struct err *e)
{
    int rc = sqlite3_wal_checkpoint_v2(db->handle, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    return rc == SQLITE_OK || rc == SQLITE_BUSY || sqlite_fail(db, rc, e);
}

static bool is_much(int64_t free, int64_t pages, bool has_begun)
{
    int64_t least = has_begun ? LEFT_PAGES : BEGIN_PAGES, share = has_begun ? LEFT_SHARE : BEGIN_SHARE;
    return free > least && free > pages / share;
}

/* In a file that was made without auto_vacuum (sqlite_open.c) nothing is moved. */
bool sqlite_give_back(struct sql *db, bool *more, struct err *e)
{
    int64_t pages = 0, before = 0, after = 0;
    bool has_begun = *more;
    *more = false;
    if (sql_one_int(db, &PAGES, SQL_NONE, &pages, e) < 0 || !count_free(db, &before, e))
        return false;
    if (!is_much(before, pages, has_begun))
        return !has_begun || cut_off((struct sqlite *)db, e);
    if (!sql_begin_write(db, e))
        return false;
    if (!move_pages((struct sqlite *)db, e) || !count_free(db, &after, e)) {
        sql_rollback(db);
        return false;
    }
    *more = after < before;
    return sql_commit(db, e);
}
