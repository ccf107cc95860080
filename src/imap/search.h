/* What SEARCH, SORT, ESEARCH and their contexts share: from a request to results that the client knows of. */
#ifndef IMAP_SEARCH_H
#define IMAP_SEARCH_H
#include "imap/search_answer.h"
#include "imap/session.h"

/* Results in one mailbox, in the session's arena. */
struct search_found {
    uint32_t *uids; /* in the order asked for */
    struct search_results results;
};

/* The scope of a search in the selected mailbox. */
struct search_scope imap_selected_scope(const struct imap_session *s);

/* How a command ends that could not be parsed; also where the charset was given and may not be (RFC 6855
 * section 3). IMAP_OK: it was parsed and may go on. */
enum imap_status imap_search_problem(struct imap_session *s, const struct imap_cursor *c,
                                     enum search_parse_result r, const struct search_request *q);

/* Asks the store. Messages that `view` does not hold are left out; `are_uids`: they are shown as uids.
 * Without a view (NULL) all are shown, as uids, and no mod-sequences are known. */
enum store_result imap_search_find(struct imap_session *s, int64_t mailbox, const struct imap_view *view,
                                   bool are_uids, const struct search_request *q, struct search_found *out,
                                   struct err *e);

/* `TAG "a1"` of the command under way, in the session's arena (RFC 4466 section 2.6.2). */
struct str imap_tag_correlator(struct imap_session *s);

/* Searches the selected mailbox and answers. `name` is that of the old answer, `correlator` stands in the new
 * one (imap_tag_correlator). */
enum imap_status imap_search_selected(struct imap_session *s, struct str name, bool are_uids,
                                      const struct search_request *q, struct str correlator);

#endif
