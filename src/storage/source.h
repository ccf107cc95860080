/* Where the databases are, as the config says: files of ours, or PostgreSQL. */
#ifndef STORAGE_SOURCE_H
#define STORAGE_SOURCE_H
#include "base/arena.h"
#include "base/sql.h"
#include "config/config.h"
#include "role/role.h"

static inline bool source_is_postgresql(const struct config *c)
{
    return c->storage_postgresql.n > 0;
}

/* For a command beside the server: the file at `path`, or PostgreSQL itself, with the rows of `owner` (NULL:
 * of a schema without owners). Strings in `a`. */
struct sql_source source_of_command(const struct config *c, const char *path, const char *owner,
                                    struct arena *a);
/* For a role: the file, or store. `target` must live as long as connections do. */
struct sql_source source_of_role(struct role *r, const char *path, struct role_target *target);

/* The owner of a node's queue, and of an account's mail. In `a`. */
const char *source_node(const struct config *c, struct arena *a);
const char *source_account(int64_t account, struct arena *a);

/* Frames keeper -> store. No answer: what an account asks before store has read it waits in its channel. */
enum store_frame {
    STORE_FRAME_ACCOUNT = 1, /* u64 account; fd: the channel of its process */
};

#endif
