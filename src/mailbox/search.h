/* SEARCH over one mailbox (RFC 9051 section 6.4.4): a tree of conditions, answered from the tables where they
 * hold the answer and from decoded bodies where not. */
#ifndef MAILBOX_SEARCH_H
#define MAILBOX_SEARCH_H
#include "mailbox/store.h"

enum search_kind {
    SEARCH_ALL,
    SEARCH_AND,
    SEARCH_OR,
    SEARCH_NOT,
    SEARCH_UIDS, /* uid set: ranges */
    SEARCH_FLAGS_SET,
    SEARCH_FLAGS_UNSET, /* flags: all of these bits (un)set */
    SEARCH_KEYWORD,
    SEARCH_UNKEYWORD, /* text */
    SEARCH_BEFORE,
    SEARCH_ON,
    SEARCH_SINCE, /* date: days since 1970, of INTERNALDATE in its own zone */
    SEARCH_SENTBEFORE,
    SEARCH_SENTON,
    SEARCH_SENTSINCE, /* of the Date header, zone disregarded */
    SEARCH_LARGER,
    SEARCH_SMALLER, /* number */
    SEARCH_HEADER,  /* name and text; empty text: the field is there */
    SEARCH_BODY,
    SEARCH_TEXT,   /* text, in the decoded text parts; TEXT in the headers too */
    SEARCH_MODSEQ, /* number: modseq at least */
};

struct uid_range {
    uint32_t from, to;
};

struct search_node {
    enum search_kind kind;
    struct search_node *first, *second; /* AND, OR: both; NOT: first */
    struct uid_range *ranges;
    size_t range_count; /* ascending, not overlapping */
    uint32_t flags;
    int64_t day;
    uint64_t number;
    struct str name, text; /* text in UTF-8; compared case-folded (i;unicode-casemap) as a substring */
};

/* Uids of the messages that match, ascending, in `a`. *highest_modseq of them for CONDSTORE (may be NULL). */
enum store_result store_search(struct store *s, int64_t mailbox, const struct search_node *tree,
                               struct arena *a, uint32_t **uids, size_t *n, uint64_t *highest_modseq,
                               struct err *e);

#endif
