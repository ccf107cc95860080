/* SQLite's files as we want them written. SQLite writes every page that a commit puts into the WAL with two
 * calls, a header and the page, a dozen and more for a small message. This VFS gathers what it writes to a
 * WAL one after the other and hands it to the kernel in one piece, at the latest when SQLite asks for it to
 * be on disk (xSync, before each commit returns). Nothing else is changed: other files go to SQLite's own VFS
 * untouched, and no reader is told of a frame before that sync. Source: sqlite.org/vfs.html,
 * sqlite.org/walformat.html. */
#ifndef BASE_SQLITE_WAL_H
#define BASE_SQLITE_WAL_H

/* The name for sqlite3_open_v2; registers the VFS at the first call. NULL: it cannot be had. From any thread.
 */
const char *sqlite_wal_vfs(void);

#endif
