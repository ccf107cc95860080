/* Control characters of ASCII, looked for eight bytes at a time: nearly every line has none. */
#ifndef MESSAGE_CONTROL_H
#define MESSAGE_CONTROL_H
#include "base/str.h"

#include <string.h>

/* Not 0 if one of the eight bytes is below ' ', or is DEL. */
static inline uint64_t control_bits(uint64_t word)
{
    const uint64_t each = UINT64_C(0x0101010101010101), high = each << 7;
    uint64_t del = word ^ each * 127; /* 0 where it was DEL */
    return (((word - each * ' ') & ~word) | ((del - each) & ~del)) & high;
}

static inline bool control_is_in(struct str s)
{
    uint64_t all = 0, word;
    size_t i = 0;
    for (; i + sizeof word <= s.n; i += sizeof word) {
        memcpy(&word, s.p + i, sizeof word);
        all |= control_bits(word);
    }
    for (; i < s.n; i++)
        all |= (unsigned char)s.p[i] < ' ' || s.p[i] == 127;
    return all != 0;
}

#endif
