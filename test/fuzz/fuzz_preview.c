/* Previews: valid UTF-8 within the bounds, words with one space between them; and of a message that is cut
 * one can be made as well. */
#include "message/decode.h"
#include "message/preview.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void check_preview(struct str message)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    CLEAN_BUF struct buf out;
    buf_init(&out, PREVIEW_BYTES);
    preview_make(message, mime_parse(message, &a), &out);
    struct str s = buf_str(&out);
    check(!out.overflow && decode_is_utf8(s));
    size_t characters = 0;
    for (size_t i = 0; i < s.n; i++) {
        characters += (s.p[i] & 0xc0) != 0x80;
        check((unsigned char)s.p[i] >= ' ');
        check(s.p[i] != ' ' || (i > 0 && i + 1 < s.n && s.p[i - 1] != ' '));
    }
    check(characters <= PREVIEW_CHARACTERS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_preview(str_from(data, size));
    check_preview(str_from(data, size / 2));
    return 0;
}
