/* Searches that are kept up to date (RFC 5267 section 4.3): what SEARCH or SORT with RETURN (UPDATE ...)
 * found, and the ESEARCH answers with ADDTO and REMOVEFROM that tell how it changes, until CANCELUPDATE or
 * until the mailbox is no longer selected.
 *
 * The keys are those of the command: its sequence numbers and "*" keep meaning what they meant then. What
 * depends on the clock (YOUNGER, OLDER) is looked at anew when the message changes. */
#ifndef IMAP_CONTEXT_H
#define IMAP_CONTEXT_H
#include "imap/search_parse.h"
#include "imap/session.h"

/* Of one session; more are refused with NOUPDATE (section 4.3.1). A client keeps one for each list that it
 * shows. */
#define IMAP_CONTEXTS_MAX  16
/* Ranges in all sets of the keys of one of them, which it keeps. */
#define CONTEXT_RANGES_MAX 100000

struct imap_context;

/* By the tag of its command; NULL: there is none. */
struct imap_context *imap_context_find(const struct imap_session *s, struct str tag);

/* The command under way has asked for UPDATE and found these, in their order; what is kept is copied. Where
 * it cannot be kept, the client is told so. */
void imap_context_add(struct imap_session *s, bool are_uids, const struct search_request *q,
                      const uint32_t *uids, size_t n);

/* "* NO [NOUPDATE "a1"] words". */
void imap_context_refuse(struct imap_session *s, const char *words);

/* Before EXPUNGE (section 4.3.4): rows of the view that are VIEW_GONE leave every context. */
void imap_contexts_before_expunge(struct imap_session *s);
/* After EXISTS (section 4.3.3): looks at what has changed since the last time. */
void imap_contexts_after_sync(struct imap_session *s);

void imap_contexts_close(struct imap_session *s);

#endif
