/* The other end of base/sql_remote.h: what comes over one channel, done on a connection to the database that
 * the caller lends for as long as something is under way. Whoever is at the channel may have been taken over:
 * it can name statements of its own schema, give them values, and nothing else. */
#ifndef BASE_SQL_SERVE_H
#define BASE_SQL_SERVE_H
#include "base/sql_remote.h"

struct sql_session {
    int channel;
    const char *schema; /* whose statements it may name */
    size_t open_count;
    struct sql_served_rows {
        const struct sql_statement *statement;
        uint32_t number;
        struct sql_rows rows;
        bool has_row; /* one that did not fit into the last answer */
    } open[SQL_REMOTE_OPEN_MAX];
};

enum sql_served {
    SQL_SERVED,      /* nothing is under way: the connection is free */
    SQL_UNDER_WAY,   /* a transaction, or rows that are being read: it must be the same one again */
    SQL_OPEN_WANTED, /* SQL_FRAME_OPEN, which the caller answers */
    SQL_BROKEN,      /* a frame that nobody of ours sends, or the peer is gone: sql_session_end, and close */
};
enum sql_served sql_serve(struct sql_session *s, struct sql *db, struct ipc_frame *f);

/* Ends what is under way: rows, and a transaction by rolling it back. */
void sql_session_end(struct sql_session *s, struct sql *db);

#endif
