/* Transfer encodings in pieces of any size give what they give at once. The first byte says which, the second
 * how large the pieces are. */
#include "message/decode.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum mime_encoding ENCODINGS[] = {MIME_BASE64, MIME_QUOTED_PRINTABLE, MIME_8BIT};
    if (size < 2)
        return 0;
    enum mime_encoding encoding = ENCODINGS[data[0] % 3];
    size_t piece = (size_t)data[1] + 1;
    struct str in = str_from(data + 2, size - 2);
    CLEAN_BUF struct buf whole, pieces;
    buf_init(&whole, BUF_MAX_DEFAULT);
    buf_init(&pieces, BUF_MAX_DEFAULT);
    decode_transfer(in, encoding, &whole);
    struct decode_stream d;
    decode_stream_init(&d, encoding);
    for (size_t at = 0; at < in.n; at += piece)
        decode_stream_add(&d, str_slice(in, at, piece), &pieces);
    decode_stream_end(&d, &pieces);
    decode_stream_free(&d);
    if (!str_eq(buf_str(&whole), buf_str(&pieces)))
        abort();
    return 0;
}
