/* A message that was made fit for a server needs nothing that the server does not take, but in its headers;
 * and each part decodes to the bytes that it held. */
#include "message/decode.h"
#include "message/mime.h"
#include "relay/convert.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

static struct str body_of(struct str message, const struct mime_part *p)
{
    return str_slice(message, p->body_at, p->body_size);
}

static void decoded_are_same(struct str before, const struct mime_part *was, struct str after,
                             const struct mime_part *is)
{
    CLEAN_BUF struct buf left, right;
    buf_init(&left, BUF_MAX_DEFAULT);
    buf_init(&right, BUF_MAX_DEFAULT);
    if (was->encoding == is->encoding) { /* untouched */
        check(str_eq(body_of(before, was), body_of(after, is)));
        return;
    }
    buf_add(&left, body_of(before, was));
    decode_transfer(body_of(after, is), is->encoding, &right);
    check(str_eq(buf_str(&left), buf_str(&right)));
}

/* The tree has kept its shape where every part could be found again. */
static void parts_are_same(struct str before, const struct mime_part *was, struct str after,
                           const struct mime_part *is)
{
    if (was->child_count != is->child_count)
        return; /* a boundary that only stood in a preamble's bad bytes */
    for (size_t i = 0; i < was->child_count; i++)
        parts_are_same(before, was->children[i], after, is->children[i]);
    if (was->child_count == 0)
        decoded_are_same(before, was, after, is);
    else
        check(convert_needs(body_of(after, is)) != ENVELOPE_BINARY ||
              convert_needs(body_of(before, was)) == ENVELOPE_BINARY);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str message = str_from(data, size);
    for (enum envelope_body to = ENVELOPE_7BIT; to <= ENVELOPE_8BIT; to++) {
        CLEAN_BUF struct buf out;
        CLEAN_ARENA struct arena a = ARENA_INIT;
        struct err e = ERR_INIT;
        buf_init(&out, BUF_MAX_DEFAULT);
        if (!convert_message(message, to, &out, &e)) {
            check(str_starts(str_from_c(e.text), STR("5.6.3 ")));
            continue;
        }
        const struct mime_part *was = mime_parse(message, &a), *is = mime_parse(buf_str(&out), &a);
        if (was->child_count == 0 && is->child_count == 0) /* what a server is shown of it */
            check(convert_needs(body_of(buf_str(&out), is)) <= to);
        parts_are_same(message, was, buf_str(&out), is);
    }
    return 0;
}
