/* SEARCH, SORT and THREAD over one mailbox: a tree of conditions (RFC 9051 section 6.4.4 and its extensions),
 * answered from the tables and the full text index where they hold the answer and from decoded bodies where
 * not. The answer is the same either way.
 *
 * Texts are compared as substrings of the decoded text, both folded by message/search_fold.h: without case,
 * without diacritics, Serbian Cyrillic as Latin, each run of white space as one space. */
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
    SEARCH_SINCE, /* day: days since 1970, of INTERNALDATE in its own zone */
    SEARCH_SENTBEFORE,
    SEARCH_SENTON,
    SEARCH_SENTSINCE, /* day: of the Date header, zone disregarded */
    SEARCH_LARGER,
    SEARCH_SMALLER, /* number */
    SEARCH_HEADER,  /* name and text; empty text: the field is there */
    SEARCH_BODY,
    SEARCH_TEXT,    /* text, in the decoded text parts and attachment names; TEXT in the headers too */
    SEARCH_MODSEQ,  /* number: modseq at least */
    SEARCH_YOUNGER, /* number: INTERNALDATE at most so many seconds ago (RFC 5032) */
    SEARCH_OLDER,   /* number: at least so many seconds ago */
    SEARCH_SAVEDBEFORE,
    SEARCH_SAVEDON,
    SEARCH_SAVEDSINCE, /* day: when it came into this mailbox (RFC 8514), in the server's zone */
    SEARCH_EMAILID,    /* number: the body's id (RFC 8474) */
    SEARCH_THREADID,   /* number: see store_thread_id */
    SEARCH_FUZZY,      /* first: its texts are matched loosely (RFC 6203), see below */
};

struct uid_range {
    uint32_t from, to;
};

struct search_node {
    enum search_kind kind;
    struct search_node *first, *second; /* AND, OR: both; NOT, FUZZY: first */
    struct uid_range *ranges;
    size_t range_count; /* ascending, not overlapping */
    uint32_t flags;
    int64_t day;
    uint64_t number;
    struct str name, text; /* text in UTF-8 */
};

/* Whether a uid is in the ranges of a SEARCH_UIDS. */
bool search_has_uid(const struct search_node *n, uint32_t uid);
/* Whether a list of keywords as messages have it (store.h) holds this one, in any case. */
bool keywords_has(struct str list, struct str keyword);

/* Uids of the messages that match, ascending, in `a`. *highest_modseq of them for CONDSTORE (may be NULL).
 * *relevance (may be NULL): a score from 1 to 100 for each uid (RFC 6203 section 4): 100 where nothing is
 * FUZZY.
 *
 * Loosely means: each word of the needle stands somewhere in the text, in any order, as a word (90), as a
 * part of one (75), or with a letter or two mistaken (50; one in words of 4 letters and more, two from 8 on).
 * The score is the mean of the words'; the needle as it is gives 100. */
enum store_result store_search(struct store *s, int64_t mailbox, const struct search_node *tree,
                               struct arena *a, uint32_t **uids, size_t *n, uint64_t *highest_modseq,
                               uint8_t **relevance, struct err *e);

/* --- SORT --- RFC 5256 section 3, RFC 5957, RFC 6203 (RELEVANCY) */
enum sort_key {
    SORT_ARRIVAL, /* INTERNALDATE */
    SORT_CC,      /* the mailbox of the first Cc address */
    SORT_DATE,    /* the Date field as UTC; where it is missing or broken, INTERNALDATE */
    SORT_FROM,
    SORT_SIZE,
    SORT_SUBJECT, /* base subject, see message/base_subject.h */
    SORT_TO,
    SORT_DISPLAYFROM,
    SORT_DISPLAYTO, /* the first address's display name, or its address */
    SORT_RELEVANCE, /* the most relevant first */
};

struct sort_criterion {
    enum sort_key key;
    bool reverse; /* RFC 5256: of this key alone */
};

/* store_search, with the uids in the order asked for: texts by i;unicode-casemap (RFC 5051), what is equal by
 * uid. */
enum store_result store_sort(struct store *s, int64_t mailbox, const struct search_node *tree,
                             const struct sort_criterion *criteria, size_t n, struct arena *a,
                             uint32_t **uids, size_t *count, uint64_t *highest_modseq, struct err *e);

/* --- THREAD --- RFC 5256 section 3 and draft-ietf-morg-inthread */
enum thread_algorithm {
    THREAD_ORDEREDSUBJECT,
    THREAD_REFERENCES,
    THREAD_REFS, /* References alone, nothing joined by subject; ordered by the newest message of a thread */
};

struct thread_node {
    uint32_t uid;              /* 0: a dummy, a message that is not there, with children */
    struct thread_node *child; /* the first */
    struct thread_node *next;  /* its next sibling; of a root: the next thread */
};

/* The threads of the messages that match; *root is the first, NULL when nothing matches. A chain of replies
 * may be as deep as there are messages: do not recurse over `child`. */
enum store_result store_thread(struct store *s, int64_t mailbox, const struct search_node *tree,
                               enum thread_algorithm algorithm, struct arena *a, struct thread_node **root,
                               uint64_t *highest_modseq, struct err *e);

/* THREADID of RFC 8474: one for messages of the account that name each other in Message-ID, In-Reply-To or
 * References; once given it stays. STORE_NONE: there is no such body. */
enum store_result store_thread_id(struct store *s, int64_t body, uint64_t *thread, struct err *e);

/* --- the index behind delivery --- Sort and thread keys and the full text of what has come, worked out and
 * stored in short transactions. A search does by itself what it needs of this. */
/* The next few bodies. *more: there are further ones; call again when nobody waits for the store. */
enum store_result store_catch_up(struct store *s, bool *more, struct err *e);

#endif
