/* Whatever comes in, what comes out is valid UTF-8; folding twice is folding once; modified UTF-7 and encoded
 * words come back as they were. The first byte says which transformation, the second which charset. */
#include "message/decode.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const CHARSETS[] = {"",           "utf-8",  "us-ascii", "iso-8859-1",  "windows-1251",
                                       "koi8-r",     "gbk",    "gb18030",  "big5",        "shift_jis",
                                       "euc-jp",     "euc-kr", "utf-7",    "iso-2022-jp", "iso-2022-kr",
                                       "hz-gb-2312", "utf-16", "x-none"};

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void check_fold(struct str in, struct buf *out)
{
    CLEAN_BUF struct buf again;
    buf_init(&again, BUF_MAX_DEFAULT);
    if (!decode_is_utf8(in))
        return;
    decode_fold(in, out);
    decode_fold(buf_str(out), &again);
    require(str_eq(buf_str(out), buf_str(&again)));
}

static void check_mutf7(struct str in, struct buf *out)
{
    CLEAN_BUF struct buf again;
    buf_init(&again, BUF_MAX_DEFAULT);
    if (decode_mutf7(in, out)) {
        encode_mutf7(buf_str(out), &again);
        require(str_eq(in, buf_str(&again)));
    } else {
        buf_reset(out);
    }
    if (decode_is_utf8(in)) {
        buf_reset(&again);
        buf_reset(out);
        encode_mutf7(in, &again);
        require(decode_mutf7(buf_str(&again), out) && str_eq(in, buf_str(out)));
    }
}

static void check_words(struct str in, struct buf *out)
{
    decode_words(in, out);
    require(decode_is_utf8(buf_str(out)));
}

static void check_html(struct str in, struct buf *out)
{
    struct mime_part part = {.body_size = in.n, .type = STR("text"), .subtype = STR("html")};
    decode_text_part(in, &part, out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct str in = str_from(data + 2, size - 2);
    CLEAN_BUF struct buf out, bytes;
    buf_init(&out, BUF_MAX_DEFAULT);
    buf_init(&bytes, BUF_MAX_DEFAULT);
    switch (data[0] % 6) {
    case 0:
        decode_charset(in, str_from_c(CHARSETS[data[1] % (sizeof CHARSETS / sizeof *CHARSETS)]), &out);
        break;
    case 1: check_words(in, &out); break;
    case 2: check_fold(in, &out); break;
    case 3: check_mutf7(in, &out); break;
    case 4: check_html(in, &out); break;
    case 5:
        decode_transfer(in, data[1] % (MIME_OTHER + 1), &bytes);
        require(bytes.n <= in.n);
        break;
    }
    require(decode_is_utf8(buf_str(&out)));
    return 0;
}
