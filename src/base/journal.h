/* A file beside the database in which something stands, durably, until it is in the database: one write that
 * is on the disk when it returns, where a commit of SQLite's takes several pages, and read again after a
 * crash.
 *
 * Block 0 says what the file is and holds a random key. Behind it stand frames, each from the beginning of a
 * block on: a head, a payload, zeros to the end of the block. The frames of one generation are numbered from
 * 0 and follow one another from block 1 on. The head has a keyed hash of all of the frame (SipHash), which
 * tells it from one that a crash cut short, as the head's generation tells it from those before; and nobody
 * who sends mail can write a message whose bytes look like a frame. A frame is written when the one before is
 * on the disk: so what a crash cuts short is the last, and where others follow one that does not fit, the
 * disk has lost it.
 *
 * Whoever uses it keeps, in the database and in the transaction that takes up what stands here, the number of
 * the last generation that is there. So the file is emptied without being touched: the next generation begins
 * at the front. */
#ifndef BASE_JOURNAL_H
#define BASE_JOURNAL_H
#include "base/err.h"

/* What the disk writes as a whole, and where O_DIRECT wants memory and places in the file to be a multiple
 * of. */
#define JOURNAL_BLOCK      ((size_t)4096)
/* Of all frames of a journal: what is read, and with commits in between written, in some milliseconds. */
#define JOURNAL_BYTES_MAX  ((size_t)4 * 1024 * 1024)
#define JOURNAL_FRAMES_MAX (JOURNAL_BYTES_MAX / JOURNAL_BLOCK)

struct journal;
/* The file `name` in the folder `dir` (a descriptor, lent for as long as the journal is open), for frames of
 * `bytes_max` together, JOURNAL_BYTES_MAX at most. NULL: it cannot be opened; with `makes` false and no error
 * in *e: there is none. One of a newer golub's format is refused (ERR_PERMANENT) and left as it is; one that
 * is no journal is set aside, with a line in the log. */
struct journal *journal_open(int dir, const char *name, size_t bytes_max, bool makes, struct err *e);
void journal_close(struct journal *j);
/* The same, and the file goes. What stands in it must be in the database. */
void journal_remove(struct journal *j);
/* The same, and the file stays under another name, for somebody to look at: not all in it could be read. */
void journal_set_aside(struct journal *j);
/* Its name is gone: another process has removed it, and nothing that is written there would be found. */
bool journal_is_gone(const struct journal *j);
/* Another process waits for what stands here to be put into the database: it holds a shared lock (flock) on
 * the file. */
bool journal_is_waited_for(const struct journal *j);

/* What is found in a file. */
struct journal_found {
    struct str payloads[JOURNAL_FRAMES_MAX]; /* in order; the journal's memory, as what is written */
    size_t n;
    uint32_t generation; /* of these; none: the one that was asked for */
    uint32_t missing;    /* frames that were there once, before the last of these */
};
/* The frames of the one generation that is later than `after`. False: the file cannot be read. Nothing can be
 * written then before journal_restart with a later generation. */
bool journal_read(struct journal *j, uint32_t after, struct journal_found *found, struct err *e);

/* From now on at the front again, as this generation. The payloads before it are no more; their memory is
 * that of the next, and is kept until the end: to touch new pages costs as much as to write them. */
void journal_restart(struct journal *j, uint32_t generation);
/* Whether a payload of `n` bytes fits behind what is there. */
bool journal_has_room(const struct journal *j, size_t n);
/* Where the next payload goes, if there is room for it: the caller puts it there. */
char *journal_place(struct journal *j);
/* Writes the `n` bytes that stand there; on the disk when true, and there in memory until journal_restart or
 * the end. False: it will not be found after a crash, as far as the disk still does what it is told; only a
 * new generation may follow. */
bool journal_write(struct journal *j, size_t n, struct err *e);

#endif
