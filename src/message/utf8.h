/* Unicode characters as UTF-8 (RFC 3629). */
#ifndef MESSAGE_UTF8_H
#define MESSAGE_UTF8_H
#include "base/buf.h"

#include <string.h>

static inline bool utf8_is_ascii(struct str s)
{
    uint64_t all = 0, word;
    size_t i = 0;
    for (; i + sizeof word <= s.n; i += sizeof word) {
        memcpy(&word, s.p + i, sizeof word);
        all |= word;
    }
    for (; i < s.n; i++)
        all |= (unsigned char)s.p[i];
    return (all & UINT64_C(0x8080808080808080)) == 0;
}

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

/* Steps over the character at s.p[*at]. What is none is U+FFFD, a byte long; so are surrogates, and longer
 * forms than needed. */
static inline uint32_t utf8_next(struct str s, size_t *at)
{
    static const uint32_t LEAST[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *p = (const unsigned char *)s.p + *at;
    size_t n = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : p[0] < 0xf5 ? 4 : 0;
    uint32_t c = n == 1 ? p[0] : n == 0 ? 0xfffd : p[0] & (0x7fu >> n);
    bool is_good = n > 0 && n <= s.n - *at;
    for (size_t i = 1; is_good && i < n; i++) {
        is_good = (p[i] & 0xc0) == 0x80;
        c = c << 6 | (p[i] & 0x3f);
    }
    is_good = is_good && c >= LEAST[n] && c <= 0x10ffff && (c < 0xd800 || c > 0xdfff);
    *at += is_good ? n : 1;
    return is_good ? c : 0xfffd;
}

#endif
