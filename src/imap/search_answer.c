#include "imap/search_answer.h"

bool search_is_named(const struct search_request *q, size_t n, size_t i)
{
    if (q->returns & (RETURN_ALL | RETURN_COUNT) ||
        !(q->returns & (RETURN_MIN | RETURN_MAX | RETURN_PARTIAL)))
        return true;
    size_t first, count;
    bool has_slice = q->returns & RETURN_PARTIAL && imap_partial_slice(&q->partial, n, &first, &count);
    return (q->returns & RETURN_MIN && i == 0) || (q->returns & RETURN_MAX && i + 1 == n) ||
           (has_slice && i >= first && i - first < count);
}

/* 0: there is none to tell. */
static uint64_t highest_modseq(const struct search_request *q, const struct search_results *r)
{
    uint64_t highest = 0;
    for (size_t i = 0; r->modseqs && i < r->n; i++)
        if (r->modseqs[i] > highest && (!q || search_is_named(q, r->n, i)))
            highest = r->modseqs[i];
    return highest;
}

void imap_add_found(struct buf *out, struct str name, const struct search_results *r)
{
    buf_add(out, STR("* "));
    buf_add(out, name);
    for (size_t i = 0; i < r->n; i++) {
        buf_add_byte(out, ' ');
        buf_add_u64(out, r->shown[i]);
    }
    uint64_t modseq = highest_modseq(NULL, r);
    if (modseq > 0) {
        buf_add(out, STR(" (MODSEQ "));
        buf_add_u64(out, modseq);
        buf_add_byte(out, ')');
    }
    buf_add(out, STR("\r\n"));
}

static void add_number(struct buf *out, const char *name, uint64_t number)
{
    buf_add_c(out, name);
    buf_add_u64(out, number);
}

/* " PARTIAL (1:500 3,7)", with NIL where the range is beyond the results. */
static void add_partial(struct buf *out, const struct imap_partial *p, const struct search_results *r)
{
    size_t first, count;
    const char *sign = p->is_from_end ? "-" : "";
    buf_addf(out, " PARTIAL (%s%u:%s%u ", sign, p->from, sign, p->to);
    if (imap_partial_slice(p, r->n, &first, &count))
        imap_add_set(out, r->shown + first, count);
    else
        buf_add(out, STR("NIL"));
    buf_add_byte(out, ')');
}

/* " RELEVANCY (4 99 42)", one for each message that ALL or PARTIAL tells. */
static void add_relevancy(struct buf *out, const struct search_request *q, const struct search_results *r)
{
    size_t first = 0, count = r->n;
    if (q->returns & RETURN_PARTIAL)
        imap_partial_slice(&q->partial, r->n, &first, &count);
    buf_add(out, STR(" RELEVANCY ("));
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            buf_add_byte(out, ' ');
        buf_add_u64(out, r->scores[first + i]);
    }
    buf_add_byte(out, ')');
}

void imap_add_esearch(struct buf *out, struct str correlator, bool are_uids, const struct search_request *q,
                      const struct search_results *r)
{
    if (q->returns == RETURN_SAVE)
        return;
    buf_add(out, STR("* ESEARCH ("));
    buf_add(out, correlator);
    buf_add_c(out, are_uids ? ") UID" : ")");
    if (q->returns & RETURN_MIN && r->n > 0)
        add_number(out, " MIN ", r->shown[0]);
    if (q->returns & RETURN_MAX && r->n > 0)
        add_number(out, " MAX ", r->shown[r->n - 1]);
    if (q->returns & RETURN_COUNT)
        add_number(out, " COUNT ", r->n);
    if (q->returns & RETURN_ALL && r->n > 0) {
        buf_add(out, STR(" ALL "));
        imap_add_set(out, r->shown, r->n);
    }
    if (q->returns & RETURN_PARTIAL)
        add_partial(out, &q->partial, r);
    if (q->returns & RETURN_RELEVANCY && r->scores)
        add_relevancy(out, q, r);
    uint64_t modseq = highest_modseq(q, r);
    if (modseq > 0)
        add_number(out, " MODSEQ ", modseq);
    buf_add(out, STR("\r\n"));
}
