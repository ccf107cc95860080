/* SEARCH's conditions (RFC 3501 section 6.4.4) as the tree that the store answers. Sequence numbers, \Recent,
 * NEW and OLD mean something only in a session: they become sets of uids through its view. */
#ifndef IMAP_SEARCH_PARSE_H
#define IMAP_SEARCH_PARSE_H
#include "imap/view.h"
#include "mailbox/search.h"

/* Keys in one command: clients that OR together a thread's Message-IDs send a few hundred. */
#define SEARCH_KEYS_MAX  1000
/* OR, NOT and parentheses within each other; clients make "OR x OR y OR z ..." of a list. */
#define SEARCH_DEPTH_MAX 128

enum search_parse_result { SEARCH_PARSED, SEARCH_SYNTAX, SEARCH_BAD_CHARSET };

/* [SP "CHARSET" SP astring] 1*(SP search-key), from behind SEARCH to the end. */
enum search_parse_result imap_take_search(struct imap_cursor *c, const struct imap_view *v, struct arena *a,
                                          struct search_node **out);

#endif
