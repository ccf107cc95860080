/* Threads that do on PostgreSQL what comes over channels (base/sql_remote.h). Each has a connection of its
 * own, which it lends to one channel for a statement or a transaction. A channel belongs to a client: its
 * schema, and whose rows it reaches, are set here by who was told about it, and never by what it says. */
#ifndef STORE_SERVER_H
#define STORE_SERVER_H
#include "base/sql.h"

/* What one client may have: enough for an account's threads (STORE_CONNECTIONS_MAX), and few enough that one
 * that was taken over leaves the others descriptors and threads. */
#define SERVER_CHANNELS_PER_CLIENT 8
#define SERVER_THREADS_PER_CLIENT  2
/* A client that says nothing in the middle of a transaction keeps a thread, and perhaps a lock, for so long.
 */
#define SERVER_PATIENCE_MS         30000

struct server;
/* `connections`: for schemas whose rows have many owners; the others have one. Starts no thread. */
struct server *server_new(const char *conninfo, const struct sql_schema *const *schemas, size_t count,
                          unsigned connections);
bool server_start(struct server *s, struct err *e); /* the threads: inside the sandbox */
/* Serves `channel`, which is owned from now on, as a client of this schema with the rows of `owner` ("": the
 * schema has none). From any thread. */
void server_add(struct server *s, const struct sql_schema *schema, const char *owner, int channel);

#endif
