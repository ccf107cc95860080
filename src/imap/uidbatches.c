/* UIDBATCHES (draft-ietf-mailmaint-imap-uidbatches): cuts the mailbox into batches of as many messages each,
 * the newest first, so that a client knows which UIDs to ask for at a time. */
#include "imap/session.h"

/* Batches in one answer: each has two UIDs, and the line stays under half a megabyte. More come from asking
 * for a part of them, or for larger ones. */
#define BATCHES_MAX 20000

struct batches {
    uint32_t size;        /* messages in each but the last */
    uint32_t first, last; /* those that are asked for, from 1 on */
};

/* nz-number [SP nz-number ":" nz-number] */
static bool take_batches(struct imap_cursor *c, struct batches *b)
{
    *b = (struct batches){.first = 1, .last = UINT32_MAX};
    if (!imap_take_space(c) || !imap_take_nz_number(c, &b->size))
        return false;
    if (imap_peek(c) < 0)
        return true;
    if (!imap_take_space(c) || !imap_take_nz_number(c, &b->first) || !imap_take_byte(c, ':') ||
        !imap_take_nz_number(c, &b->last) || !imap_take_end(c))
        return false;
    if (b->first <= b->last)
        return true;
    c->problem = "the first batch comes before the last";
    return false;
}

static size_t count_batches(const struct batches *b, size_t messages)
{
    size_t all = (messages + b->size - 1) / b->size;
    size_t last = b->last < all ? b->last : all;
    return last < b->first ? 0 : last - b->first + 1;
}

/* "215295:99695,99694:20350": from the greatest UID of a batch to its least. */
static void tell_batches(struct imap_session *s, const struct batches *b, const uint32_t *uids, size_t n,
                         size_t count)
{
    CLEAN_BUF struct buf out;
    buf_init(&out, BUF_MAX_DEFAULT);
    buf_addf(&out, "* UIDBATCHES (TAG \"%.*s\")", (int)s->tag_size, s->tag);
    size_t skipped = (size_t)(b->first - 1) * b->size;
    for (size_t i = 0; i < count; i++) {
        size_t newest = n - 1 - skipped - i * b->size;
        size_t oldest = newest + 1 >= b->size ? newest + 1 - b->size : 0;
        buf_add_byte(&out, i == 0 ? ' ' : ',');
        buf_add_u64(&out, uids[newest]);
        if (oldest == newest)
            continue;
        buf_add_byte(&out, ':');
        buf_add_u64(&out, uids[oldest]);
    }
    buf_add(&out, STR("\r\n"));
    stream_write(s->stream, buf_str(&out));
}

enum imap_status imap_do_uidbatches(struct imap_session *s, struct imap_cursor *c)
{
    struct batches b;
    if (!take_batches(c, &b))
        return imap_bad_syntax(s, c);
    struct imap_range all = {1, UINT32_MAX};
    const struct imap_set set = {.v = &all, .n = 1};
    size_t n;
    const uint32_t *uids = imap_view_uids(&s->view, &set, true, &s->arena, &n);
    size_t count = count_batches(&b, n);
    if (count > BATCHES_MAX)
        return imap_no(s, "[TOOMANY] That would be %zu batches; ask for a part of them, or larger ones",
                       count);
    tell_batches(s, &b, uids, n, count);
    return imap_ok(s, "Done");
}
