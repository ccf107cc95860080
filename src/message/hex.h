/* Hexadecimal digits, for the escapes of quoted-printable, RFC 2047 and RFC 2231, and whoever else reads
 * them. */
#ifndef MESSAGE_HEX_H
#define MESSAGE_HEX_H
#include "base/str.h"

static inline int hex_value(char c)
{
    c = ascii_lower(c);
    return ascii_is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte that the two digits at s[at] mean; -1: they are none. */
static inline int hex_byte(struct str s, size_t at)
{
    int high = at + 1 < s.n ? hex_value(s.p[at]) : -1;
    int low = high >= 0 ? hex_value(s.p[at + 1]) : -1;
    return low >= 0 ? high << 4 | low : -1;
}

#endif
