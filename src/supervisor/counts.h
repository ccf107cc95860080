/* What smtp processes have counted of clients (base/tally.h), kept over restarts of the server in
 * DATA/clients: who was known to be good still is, and who had used up a limit is no better off for a crash.
 */
#ifndef SUPERVISOR_COUNTS_H
#define SUPERVISOR_COUNTS_H
#include "base/loop.h"
#include "base/tally.h"
#include "config/config.h"

#include <sys/types.h>

/* Into a table that nobody uses yet. A file that is not there, or no table, is no reason not to start. */
void counts_load(struct tally *t, const struct config *c);
/* Writes it, as a file of that user's if we are root, unless it is what was written last (*last, 0 at first:
 * an idle server leaves the disk alone). Says in the log if that fails. Without fsync: what a power cut takes
 * are counts. */
void counts_save(const struct tally *t, const struct config *c, uid_t uid, gid_t gid, uint64_t *last);

#define COUNTS_SAVE_MS (30 * 1000) /* what a crash may lose */

#endif
