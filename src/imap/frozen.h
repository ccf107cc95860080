/* A session that sleeps, as bytes: what its client has been told, and nothing of the mail itself. They come
 * back through keeper, so they are parsed like anything from a peer. Pure. */
#ifndef IMAP_FROZEN_H
#define IMAP_FROZEN_H
#include "base/ipc.h"
#include "imap/parse.h"
#include "mailbox/store.h"

/* Runs of messages that are \Recent: most sessions have one at most. */
#define FROZEN_RECENT_MAX 16
/* Messages that are gone, and whose EXPUNGE has to wait for the next command. */
#define FROZEN_GONE_MAX   16

struct imap_frozen {
    bool is_idle;   /* in IDLE, begun by the command with this tag */
    struct str tag; /* at most IMAP_TAG_MAX */
    unsigned enabled;
    unsigned bad_in_a_row;
    int64_t logout_at_ms; /* on the monotonic clock */
    uint64_t commands, received, sent;

    bool is_selected; /* if not, nothing of what follows */
    bool is_read_only;
    unsigned rights;
    struct view_past past;
    uint64_t told_modseq;                        /* while messages are gone: see imap_view */
    struct imap_range recent[FROZEN_RECENT_MAX]; /* of uids, ascending */
    size_t recent_count;
    uint32_t recent_messages;       /* in these */
    uint32_t gone[FROZEN_GONE_MAX]; /* what past.gone points to; uids, ascending */
};

void imap_frozen_put(struct ipc_frame *f, const struct imap_frozen *z);
/* False: these are no such bytes. The tag is a slice of them. */
bool imap_frozen_get(struct str bytes, struct imap_frozen *z);

#endif
