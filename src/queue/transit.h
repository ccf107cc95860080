/* Messages that pass through: most come and are with their servers a moment later. For that moment they stand
 * in a journal (base/journal.h) beside the database, DATA/queue/transit, and never come into its tables: a
 * round of new messages and of those that are gone is one write, which is on the disk when it returns, where
 * a commit of SQLite's takes several pages.
 *
 * What is in the journal and not gone is put into the tables with others in one transaction (it is settled):
 * as soon as anything is written there anyhow, before anything is read there, when the journal is full, each
 * second, and when a command beside the server looks. So whoever reads the tables sees all there is, and what
 * waits longer than a moment is in them. A message that stands in the tables already may be gone by a record
 * in the journal; until it is settled its rows are still there.
 *
 * Ids are given out here in the meantime, and the tables are told of the last: an id is never used twice.
 *
 * While something stands in the journal its process has a lock (flock) on the folder, which a command waits
 * for: transit_beside. With PostgreSQL there is no journal. */
#ifndef QUEUE_TRANSIT_H
#define QUEUE_TRANSIT_H
#include "queue/transit_record.h"

struct transit;

/* --- the queue's process --- */

/* Puts into the tables what a process that was killed has left. Before the sandbox closes. `folder` is where
 * the database lies. NULL with *e. */
struct transit *transit_open(const char *folder, struct sql *db, struct err *e);
/* Settles it, and the journal goes. NULL: nothing. */
void transit_close(struct transit *t);
/* Readable when somebody has opened a file in the folder: then transit_listen, and settle it. */
int transit_bell(const struct transit *t);
void transit_listen(struct transit *t);

/* A round. False: not here, and not now; nothing is written. */
bool transit_begin(struct transit *t);
/* Gives it its id, and its recipients theirs, which are at hand. Its bytes are lent until transit_write. */
bool transit_add(struct transit *t, struct transit_message *m);
bool transit_remove(struct transit *t, const struct transit_gone *g);
/* On the disk when true. */
bool transit_write(struct transit *t);

/* Within a transaction of the caller's: puts all that stands in the journal into the tables. After its
 * commit, transit_is_put. With NULL there is nothing to put. */
bool transit_put_all(struct transit *t, struct err *e);
void transit_is_put(struct transit *t);
/* Both, in a transaction of its own, if there is anything. */
bool transit_settle(struct transit *t, struct err *e);

/* --- a command beside it, or without it --- */

/* The database, where it is, with everything in its tables, which stays so until *lock is closed
 * (CLEAN_CLOSE; -1 with PostgreSQL). */
struct sql *transit_beside(const struct config *c, int *lock, struct err *e);

#endif
