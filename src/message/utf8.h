/* Unicode characters as UTF-8 (RFC 3629). Inside the module only. */
#ifndef MESSAGE_UTF8_H
#define MESSAGE_UTF8_H
#include "base/buf.h"

/* `c` is a character: at most 0x10ffff, no surrogate. */
static inline void utf8_add(struct buf *out, uint32_t c)
{
    char b[4];
    size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned char LEAD[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = n; i-- > 1; c >>= 6)
        b[i] = (char)(0x80 | (c & 0x3f));
    b[0] = (char)(LEAD[n] | c);
    buf_add(out, str_from(b, n));
}

#endif
