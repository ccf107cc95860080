/* INPROGRESS (RFC 9585): a client that waits for a command on many messages is told now and then how far it
 * is, so that neither it nor what lies between takes the connection for dead. */
#ifndef IMAP_PROGRESS_H
#define IMAP_PROGRESS_H
#include "imap/session.h"

/* Between two of them (section 3 asks for 10 to 15 seconds). */
#define IMAP_PROGRESS_MS ((int64_t)10 * 1000)

struct imap_progress {
    struct imap_session *session;
    int64_t next_ms; /* when to tell: not in a command that is done at once */
};

/* For store_copy and store_flags; `p` must live as long as the call. */
struct store_progress imap_progress_start(struct imap_progress *p, struct imap_session *s);

/* "* OK [INPROGRESS ("A001" 454 1000)]", when it is time, and only where it can be sent without waiting. */
void imap_progress_tell(void *progress, size_t done, size_t total);

#endif
