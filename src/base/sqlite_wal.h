/* SQLite's files as we want them written. SQLite writes every page that a commit puts into the WAL with two
 * calls, a header and the page, a dozen and more for a small message. This VFS gathers what it writes to a
 * WAL one after the other and hands it to the kernel in one piece, at the latest when SQLite asks for it to
 * be on disk (xSync, before each commit returns; the header of a new file goes with the first commit).
 * Nothing else is changed: other files go to SQLite's own VFS untouched, and no reader is told of a frame
 * before that sync. Source: sqlite.org/vfs.html, sqlite.org/walformat.html. */
#ifndef BASE_SQLITE_WAL_H
#define BASE_SQLITE_WAL_H

/* The name for sqlite3_open_v2; registers the VFS at the first call. NULL: it cannot be had. From any thread.
 */
const char *sqlite_wal_vfs(void);

/* After a transaction that was rolled back: what was gathered of it is not to be written, since by then the
 * place in the log is another connection's. */
struct sqlite3;
void sqlite_wal_forget(struct sqlite3 *db);

#endif
