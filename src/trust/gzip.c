#include "trust/gzip.h"

#include <stdlib.h>
#include <zlib.h>

#define PIECE  ((size_t)16 * 1024)
#define GZIP   16 /* added to the window's bits: zlib's way to ask for this format */
#define MEMORY 8  /* zlib's default */

void gzip_pack(struct str bytes, struct buf *out)
{
    z_stream z = {.next_in = (Bytef *)(uintptr_t)bytes.p, .avail_in = (uInt)bytes.n};
    char piece[PIECE];
    if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, MAX_WBITS + GZIP, MEMORY, Z_DEFAULT_STRATEGY) !=
        Z_OK)
        abort(); /* out of memory */
    for (int result = Z_OK; result != Z_STREAM_END;) {
        z.next_out = (Bytef *)piece;
        z.avail_out = sizeof piece;
        result = deflate(&z, Z_FINISH);
        buf_add(out, str_from(piece, sizeof piece - z.avail_out));
    }
    deflateEnd(&z);
}

bool gzip_unpack(struct str bytes, struct buf *out)
{
    z_stream z = {.next_in = (Bytef *)(uintptr_t)bytes.p, .avail_in = (uInt)bytes.n};
    char piece[PIECE];
    int result = Z_OK;
    if (inflateInit2(&z, MAX_WBITS + GZIP) != Z_OK)
        abort(); /* out of memory */
    while (result == Z_OK && !out->overflow) {
        z.next_out = (Bytef *)piece;
        z.avail_out = sizeof piece;
        result = inflate(&z, Z_NO_FLUSH);
        buf_add(out, str_from(piece, sizeof piece - z.avail_out));
    }
    inflateEnd(&z);
    return result == Z_STREAM_END && !out->overflow;
}
