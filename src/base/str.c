#include "base/str.h"

#include <string.h>

struct str str_from(const void *p, size_t n)
{
    return (struct str){p, n};
}

struct str str_from_c(const char *c_string)
{
    return c_string ? (struct str){c_string, strlen(c_string)} : (struct str){"", 0};
}

char ascii_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

char ascii_upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c & ~0x20) : c;
}

bool ascii_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool ascii_is_alpha(char c)
{
    c = ascii_lower(c);
    return c >= 'a' && c <= 'z';
}

bool ascii_is_space(char c)
{
    return c == ' ' || c == '\t';
}

bool str_eq(struct str a, struct str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool str_eq_nocase(struct str a, struct str b)
{
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++)
        if (ascii_lower(a.p[i]) != ascii_lower(b.p[i]))
            return false;
    return true;
}

bool str_starts(struct str s, struct str prefix)
{
    return s.n >= prefix.n && str_eq(str_slice(s, 0, prefix.n), prefix);
}

bool str_starts_nocase(struct str s, struct str prefix)
{
    return s.n >= prefix.n && str_eq_nocase(str_slice(s, 0, prefix.n), prefix);
}

bool str_ends(struct str s, struct str suffix)
{
    return s.n >= suffix.n && str_eq(str_from_offset(s, s.n - suffix.n), suffix);
}

int str_compare(struct str a, struct str b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int order = n ? memcmp(a.p, b.p, n) : 0;
    if (order != 0)
        return order;
    return a.n < b.n ? -1 : a.n > b.n;
}

size_t str_find_byte(struct str s, char c)
{
    const char *at = s.n ? memchr(s.p, c, s.n) : NULL;
    return at ? (size_t)(at - s.p) : STR_NONE;
}

size_t str_rfind_byte(struct str s, char c)
{
    const char *at = s.n ? memrchr(s.p, c, s.n) : NULL;
    return at ? (size_t)(at - s.p) : STR_NONE;
}

size_t str_find(struct str s, struct str needle)
{
    if (needle.n == 0)
        return 0;
    const char *at = s.n ? memmem(s.p, s.n, needle.p, needle.n) : NULL;
    return at ? (size_t)(at - s.p) : STR_NONE;
}

struct str str_slice(struct str s, size_t from, size_t n)
{
    s = str_from_offset(s, from);
    if (n < s.n)
        s.n = n;
    return s;
}

struct str str_from_offset(struct str s, size_t from)
{
    if (from > s.n)
        from = s.n;
    return s.n ? (struct str){s.p + from, s.n - from} : s;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct str str_trim(struct str s)
{
    while (s.n > 0 && is_blank(s.p[0]))
        s = str_from_offset(s, 1);
    while (s.n > 0 && is_blank(s.p[s.n - 1]))
        s.n--;
    return s;
}

bool str_cut(struct str *rest, char c, struct str *head)
{
    size_t at = str_find_byte(*rest, c);
    *head = str_slice(*rest, 0, at);
    *rest = at == STR_NONE ? str_from_offset(*rest, rest->n) : str_from_offset(*rest, at + 1);
    return at != STR_NONE;
}

bool str_to_u64(struct str s, uint64_t *out)
{
    uint64_t value = 0;
    if (s.n == 0)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        if (!ascii_is_digit(s.p[i]))
            return false;
        if (__builtin_mul_overflow(value, 10u, &value) ||
            __builtin_add_overflow(value, (uint64_t)(s.p[i] - '0'), &value))
            return false;
    }
    *out = value;
    return true;
}

bool str_to_u32(struct str s, uint32_t *out)
{
    uint64_t value;
    if (!str_to_u64(s, &value) || value > UINT32_MAX)
        return false;
    *out = (uint32_t)value;
    return true;
}

void str_write_hex(const unsigned char *bytes, size_t n, char *text)
{
    static const char DIGITS[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        text[2 * i] = DIGITS[bytes[i] >> 4];
        text[2 * i + 1] = DIGITS[bytes[i] & 15];
    }
    text[2 * n] = '\0';
}
