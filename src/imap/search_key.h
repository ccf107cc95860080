/* SEARCH's conditions (RFC 9051 section 6.4.4 with its extensions: RFC 5032, 5182, 6203, 7162, 8474, 8514) as
 * the tree that the store answers. Sequence numbers, "*", "$", \Recent, NEW and OLD mean something only in a
 * session: they become sets of uids through its view, as it is when the command comes (RFC 5267 section 4.3).
 */
#ifndef IMAP_SEARCH_KEY_H
#define IMAP_SEARCH_KEY_H
#include "imap/view.h"
#include "mailbox/search.h"

/* Keys in one command: clients that OR together a thread's Message-IDs send a few hundred. */
#define SEARCH_KEYS_MAX  1000
/* OR, NOT, FUZZY and parentheses within each other; clients make "OR x OR y OR z ..." of a list. */
#define SEARCH_DEPTH_MAX 128

/* What the keys may refer to. */
struct search_scope {
    const struct imap_view *view; /* of the mailbox that is searched */
    const struct imap_set *saved; /* uids; NULL: "$" cannot be used */
};

struct search_keys {
    struct search_node *tree;
    bool has_modseq; /* RFC 7162: the answer tells the highest mod-sequence */
    bool has_fuzzy;
    bool needs_view; /* something in it is the view's: in another mailbox it would be another tree */
};

/* search-key *(SP search-key), up to what is no space. Text is in `charset`; empty: US-ASCII, and what else
 * comes is read as UTF-8 where it is that. */
bool imap_take_search_keys(struct imap_cursor *c, const struct search_scope *scope, struct str charset,
                           struct arena *a, struct search_keys *out);

#endif
