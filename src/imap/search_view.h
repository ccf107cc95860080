/* Searches that the view can answer by itself: by uid, number, flag and keyword. Clients ask for little else
 * ("UNSEEN", "UID 500:*", "UNDELETED", "ALL"), and need no database for it. */
#ifndef IMAP_SEARCH_VIEW_H
#define IMAP_SEARCH_VIEW_H
#include "imap/view.h"
#include "mailbox/search.h"

/* The uids that match, ascending, in `a`; not those that are gone. False: the store has to be asked. */
bool imap_search_view(const struct imap_view *v, const struct search_node *tree, struct arena *a,
                      uint32_t **uids, size_t *n);

#endif
