/* What SEARCH, SORT, THREAD and ESEARCH have around their keys: result options (RFC 4731, 5182, 5267, 6203,
 * 9394), the order (RFC 5256, 5957), the charset. Pure but for the view that sequence numbers are looked up
 * in. */
#ifndef IMAP_SEARCH_PARSE_H
#define IMAP_SEARCH_PARSE_H
#include "imap/partial.h"
#include "imap/search_key.h"

/* More than there are keys to sort by is of no use. */
#define SORT_CRITERIA_MAX 16

enum search_return {
    RETURN_MIN = 1 << 0,
    RETURN_MAX = 1 << 1,
    RETURN_ALL = 1 << 2,
    RETURN_COUNT = 1 << 3,
    RETURN_SAVE = 1 << 4,      /* RFC 5182 */
    RETURN_PARTIAL = 1 << 5,   /* RFC 5267, RFC 9394 */
    RETURN_CONTEXT = 1 << 6,   /* RFC 5267: a hint */
    RETURN_UPDATE = 1 << 7,    /* RFC 5267 */
    RETURN_RELEVANCY = 1 << 8, /* RFC 6203 */
};

struct search_request {
    bool is_extended; /* RETURN was there: the answer is ESEARCH */
    unsigned returns; /* of enum search_return */
    struct imap_partial partial;
    struct str update_attributes;    /* "(UID ...)" behind UPDATE (RFC 5465 section 7); empty: none */
    struct sort_criterion *criteria; /* of SORT */
    size_t criteria_count;
    enum thread_algorithm algorithm; /* of THREAD */
    bool has_charset;
    struct str charset;
    struct search_keys keys;
};

enum search_parse_result {
    SEARCH_PARSED,
    SEARCH_SYNTAX,      /* BAD: the cursor says why */
    SEARCH_BAD_CHARSET, /* NO [BADCHARSET] */
};

/* From behind the command's name to the end.
 * SEARCH: [SP "RETURN" SP "(" ... ")"] [SP "CHARSET" SP astring] 1*(SP search-key) */
enum search_parse_result imap_take_search(struct imap_cursor *c, const struct search_scope *scope,
                                          struct arena *a, struct search_request *out);
/* SORT: [SP "RETURN" ...] SP "(" sort-criterion *(SP sort-criterion) ")" SP charset 1*(SP search-key) */
enum search_parse_result imap_take_sort(struct imap_cursor *c, const struct search_scope *scope,
                                        struct arena *a, struct search_request *out);
/* THREAD: SP thread-alg SP charset 1*(SP search-key) */
enum search_parse_result imap_take_thread(struct imap_cursor *c, const struct search_scope *scope,
                                          struct arena *a, struct search_request *out);

#endif
