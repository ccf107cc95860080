#include "imap/partial.h"

bool imap_take_partial(struct imap_cursor *c, struct imap_partial *out)
{
    size_t start = c->at;
    uint32_t from, to;
    *out = (struct imap_partial){.is_from_end = imap_peek(c) == '-'};
    bool good = (!out->is_from_end || imap_take_byte(c, '-')) && imap_take_nz_number(c, &from) &&
                imap_take_byte(c, ':') && (!out->is_from_end || imap_take_byte(c, '-')) &&
                imap_take_nz_number(c, &to);
    if (!good) {
        c->at = start;
        c->problem = "expected a range like 1:500 or -1:-500";
        return false;
    }
    /* 500:400 is 400:500, and is answered as that (RFC 5267 section 4.4). */
    out->from = from < to ? from : to;
    out->to = from < to ? to : from;
    return true;
}

bool imap_partial_slice(const struct imap_partial *p, size_t n, size_t *first, size_t *count)
{
    size_t to = p->to < n ? p->to : n;
    *count = p->from <= to ? to - p->from + 1 : 0;
    *first = *count == 0 ? 0 : p->is_from_end ? n - to : (size_t)p->from - 1;
    return *count > 0;
}
