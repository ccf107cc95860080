/* The fields of any header, one after another, are the header's bytes; names and values lie inside them. What
 * a submission server makes of it has what it must and no Bcc. */
#include "message/header.h"
#include "message/submission.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_fields(struct str message)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct str rest = message;
    struct header_field f;
    size_t n = 0;
    while (header_next(&rest, &f)) {
        if (f.whole.p != message.p + n || f.name.n + f.value.n > f.whole.n || f.whole.n == 0)
            abort();
        n += f.whole.n;
        struct str unfolded = header_unfold(f.value, &a);
        if (unfolded.n > f.value.n || str_find_byte(unfolded, '\n') != STR_NONE)
            abort();
    }
    if (header_size(message) != message.n - rest.n || message.n - rest.n - n > 2)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str message = str_from(data, size);
    check_fields(message);

    const struct submission_fix fix = {.hostname = STR("x.test"), .unique = STR("u"), .now = 0, .zone = 0};
    CLEAN_BUF struct buf out;
    buf_init(&out, BUF_MAX_DEFAULT);
    struct header_field f;
    if (submission_fix_header(message, &fix, &out) != header_size(message))
        abort();
    if (!header_find(buf_str(&out), STR("Date"), &f) || !header_find(buf_str(&out), STR("Message-ID"), &f) ||
        header_find(buf_str(&out), STR("Bcc"), &f) || header_size(buf_str(&out)) != out.n ||
        header_count_received(buf_str(&out)) != header_count_received(message))
        abort();
    return 0;
}
