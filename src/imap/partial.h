/* partial-range of RFC 9394 section 4 (and RFC 5267): a window of results, of SEARCH and SORT or of the
 * messages of a UID FETCH. Pure. */
#ifndef IMAP_PARTIAL_H
#define IMAP_PARTIAL_H
#include "imap/parse.h"

/* 1:500 are the first 500, -1:-500 the last 500. */
struct imap_partial {
    uint32_t from, to; /* from <= to; to == 0: there is no such range */
    bool is_from_end;
};

bool imap_take_partial(struct imap_cursor *c, struct imap_partial *out);

/* Which of `n` results it names: *first counts from 0. False: none. */
bool imap_partial_slice(const struct imap_partial *p, size_t n, size_t *first, size_t *count);

#endif
