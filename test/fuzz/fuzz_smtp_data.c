/* The scanners of whole blocks, for DATA and for BDAT, against one that looks at a byte at a time, written
 * from RFC 5321 section 4.1.1.4 and nothing else; and whatever blocks the bytes arrive in, the outcome is the
 * same. The first byte of the input says how they are cut. */
#include "base/buf.h"
#include "smtp/data.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool good)
{
    if (!good)
        abort();
}

struct outcome {
    struct buf content;
    size_t taken;
    bool has_ended, is_bad;
};

/* Where CRLF "." CRLF stands; the text before it, line by line, without the first dot of each. */
static struct outcome by_the_book(struct str in)
{
    struct outcome o = {0};
    buf_init(&o.content, BUF_MAX_DEFAULT);
    bool line_start = true;
    size_t i = 0;
    while (i < in.n && !o.has_ended) {
        struct str rest = str_from_offset(in, i);
        if (line_start && str_starts(rest, STR(".\r\n"))) {
            o.has_ended = true;
            i += 3;
            break;
        }
        if (line_start && rest.p[0] == '.') {
            line_start = false;
            i++;
            continue;
        }
        if (str_starts(rest, STR("\r\n"))) {
            buf_add(&o.content, STR("\r\n"));
            line_start = true;
            i += 2;
            continue;
        }
        /* a CR as the last byte may still become a CRLF */
        o.is_bad |= rest.p[0] == '\n' || rest.p[0] == '\0' || (rest.p[0] == '\r' && rest.n > 1);
        buf_add_byte(&o.content, rest.p[0]);
        line_start = false;
        i++;
    }
    o.taken = i;
    return o;
}

static struct outcome in_blocks(struct str in, size_t block)
{
    struct outcome o = {0};
    struct data_scanner s = DATA_SCANNER_INIT;
    buf_init(&o.content, BUF_MAX_DEFAULT);
    while (o.taken < in.n && s.state != DATA_END) {
        struct str now = str_slice(in, o.taken, block), content;
        while (now.n > 0 && s.state != DATA_END) {
            size_t n = data_scan(&s, now, &content);
            must(n > 0 && n <= now.n && content.n <= n);
            buf_add(&o.content, content);
            now = str_from_offset(now, n);
            o.taken += n;
        }
    }
    o.has_ended = s.state == DATA_END;
    o.is_bad = s.fault != DATA_CLEAN;
    return o;
}

/* As the content of BDAT, whose end is where the bytes end. */
static bool is_clean_chunk(struct str in, size_t block)
{
    struct data_scanner s = DATA_SCANNER_INIT;
    for (size_t at = 0; at < in.n; at += block)
        data_check(&s, str_slice(in, at, block));
    data_check_end(&s);
    return s.fault == DATA_CLEAN;
}

static bool is_clean_by_the_book(struct str in)
{
    for (size_t i = 0; i < in.n; i++) {
        bool after_cr = i > 0 && in.p[i - 1] == '\r';
        if (in.p[i] == '\0' || (in.p[i] == '\n') != after_cr)
            return false;
    }
    return in.n == 0 || in.p[in.n - 1] != '\r';
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct str in = str_from(data + 1, size - 1);
    struct outcome want = by_the_book(in);
    const size_t BLOCKS[] = {in.n + 1, 1 + (size_t)data[0], 1};
    for (size_t i = 0; i < sizeof BLOCKS / sizeof *BLOCKS; i++) {
        struct outcome got = in_blocks(in, BLOCKS[i]);
        must(got.taken == want.taken && got.has_ended == want.has_ended && got.is_bad == want.is_bad);
        /* What was cut off inside ".CR" is nothing yet. */
        must(want.is_bad || !want.has_ended || str_eq(buf_str(&got.content), buf_str(&want.content)));
        buf_free(&got.content);
    }
    for (size_t i = 0; i < sizeof BLOCKS / sizeof *BLOCKS; i++)
        must(is_clean_chunk(in, BLOCKS[i]) == is_clean_by_the_book(in));
    buf_free(&want.content);
    return 0;
}
