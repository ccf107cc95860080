/* A database in another process, over a channel of base/ipc.h: what account, directory and queue have when
 * the mail is in PostgreSQL, since they have no network. A statement travels as its number, with its
 * parameters; whose rows it sees the other side knows from who is at the end of the channel.
 *
 * Requests, all with a u8 first: 1 begin reading, 2 begin writing, before anything else; 0 nothing.
 *   RUN       u8 1: rows are wanted; u32 number of the statement, u32 count, values  -> ANSWER
 *   NEXT      u32 number of the open statement                                       -> ANSWER with more rows
 *   CLOSE     u32 number: no more rows are wanted; no answer
 *   COMMIT, SAVEPOINT, RELEASE, BACK (to the savepoint), VERSION                      -> ANSWER
 *   ROLLBACK  no answer
 *   OPEN      -> ANSWER with a descriptor: one more channel for the same rows
 *
 * ANSWER: u8 kind (enum err_kind), str its words, u8 still in a transaction, u64 rows changed or version,
 * u64 last id, u8 more rows are to come, u32 columns, u32 rows, values row by row.
 *
 * Value: u8 type; integer u64, text and bytes str, what is long u64 size and a sealed memfd. */
#ifndef BASE_SQL_REMOTE_H
#define BASE_SQL_REMOTE_H
#include "base/ipc.h"
#include "base/sql.h"

enum sql_frame {
    SQL_FRAME_RUN = 1,
    SQL_FRAME_NEXT,
    SQL_FRAME_CLOSE,
    SQL_FRAME_COMMIT,
    SQL_FRAME_ROLLBACK,
    SQL_FRAME_SAVEPOINT,
    SQL_FRAME_RELEASE,
    SQL_FRAME_BACK,
    SQL_FRAME_VERSION,
    SQL_FRAME_OPEN,
    SQL_FRAME_ANSWER,
};

#define SQL_REMOTE_PARAMS_MAX  64
#define SQL_REMOTE_COLUMNS_MAX 64
#define SQL_REMOTE_OPEN_MAX    8 /* statements whose rows are being read on one channel */
/* An answer ends after this many bytes of rows; the rest comes when it is asked for. */
#define SQL_REMOTE_ROWS_BYTES  ((size_t)64 * 1024)

struct sql *sql_remote_open(const struct sql_source *source);

/* One more channel for the same rows; -1: there is none to be had now. */
int sql_remote_more(int channel, struct deadline d);

/* --- values, for both ends (sql_wire.c) --- */

/* Whether the value still fits into the frame; if not, nothing was put. Bytes beyond `inline_max` go into a
 * memfd; the frame owns it (set its owns_fds). */
#define SQL_WIRE_INLINE ((size_t)48 * 1024) /* a chunk of a body, compressed, is as a rule much shorter */
#define SQL_WIRE_SHORT  ((size_t)1024)      /* any row fits so, but one with many long columns */
bool sql_wire_put(struct ipc_frame *f, const struct sql_value *v, size_t inline_max, struct err *e);

struct sql_wire {
    struct ipc_reader in;
    struct ipc_frame *frame;
    size_t fds;                     /* taken so far */
    struct str mapped[IPC_FDS_MAX]; /* long values; given back by sql_wire_release */
    size_t mapped_count;
};
/* False: it is none, or a long one that cannot be had. Slices of the frame, or mapped. */
bool sql_wire_get(struct sql_wire *w, struct sql_value *v);
void sql_wire_release(struct sql_wire *w);

#endif
