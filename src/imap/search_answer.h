/* The untagged answers of SEARCH and SORT: the old forms (RFC 3501 section 7.2.5, RFC 5256) and ESEARCH (RFC
 * 4731, RFC 9051 section 7.3.4 with RFC 5267, 6203, 7162, 9394). Pure: results in, text out. */
#ifndef IMAP_SEARCH_ANSWER_H
#define IMAP_SEARCH_ANSWER_H
#include "imap/search_parse.h"

struct search_results {
    const uint32_t *shown;   /* sequence numbers or uids, in the order asked for */
    const uint64_t *modseqs; /* of each; NULL: nobody asked */
    const uint8_t *scores;   /* of each, 1 to 100; NULL: nobody asked */
    size_t n;
};

/* Whether the i-th result is among those that the options name: MIN, MAX and PARTIAL name some, ALL, COUNT or
 * none of these name all. It is what SAVE saves (RFC 5182 section 2.4, RFC 9394 section 3.1) and what MODSEQ
 * is the highest of (RFC 7162 section 3.1.10). */
bool search_is_named(const struct search_request *q, size_t n, size_t i);

/* "* SEARCH 2 84 882 (MODSEQ 917162500)"; `name` is SEARCH or SORT. */
void imap_add_found(struct buf *out, struct str name, const struct search_results *r);

/* "* ESEARCH (TAG "A282") UID MIN 2 COUNT 3". `correlator` is what stands in the parentheses. Nothing at all
 * when SAVE alone was asked for (RFC 5182 section 2.1). */
void imap_add_esearch(struct buf *out, struct str correlator, bool are_uids, const struct search_request *q,
                      const struct search_results *r);

#endif
