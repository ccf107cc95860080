/* The arguments of LIST (RFC 5258 section 6, RFC 9051 section 6.3.9) and of what asks for more with it. Pure.
 */
#ifndef IMAP_LIST_PARSE_H
#define IMAP_LIST_PARSE_H
#include "imap/parse.h"

#define LIST_PATTERNS_MAX 100 /* of one command; clients send one to three */
#define LIST_ENTRIES_MAX  100 /* metadata entries that one command may ask for with each mailbox */

enum list_selection {
    LIST_SUBSCRIBED = 1 << 0,
    LIST_REMOTE = 1 << 1, /* there are none: the same without it */
    LIST_RECURSIVEMATCH = 1 << 2,
    LIST_SPECIAL_USE = 1 << 3, /* RFC 6154 section 2 */
};

enum list_return {
    LIST_RETURN_SUBSCRIBED = 1 << 0,
    LIST_RETURN_CHILDREN = 1 << 1,    /* told unasked too */
    LIST_RETURN_SPECIAL_USE = 1 << 2, /* told unasked too */
    LIST_RETURN_MYRIGHTS = 1 << 3,    /* RFC 8440 */
};

struct list_request {
    bool is_extended;     /* not what RFC 3501 has */
    unsigned selects;     /* of enum list_selection */
    unsigned returns;     /* of enum list_return; what a selection implies is in it */
    struct str *patterns; /* as they were sent, the reference in front */
    size_t pattern_count;
    bool is_empty;       /* LIST "" "": only the delimiter is asked for */
    struct str status;   /* RFC 5819: "(" items ")"; empty: not asked for */
    struct str *entries; /* RFC 9590: names of metadata, as metadata_parse.h has them */
    size_t entry_count;
};

/* What stands behind the word LIST, to the end. */
bool imap_take_list_request(struct imap_cursor *c, struct arena *a, struct list_request *out);

#endif
