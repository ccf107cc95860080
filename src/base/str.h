/* A slice of bytes that somebody else owns. This is how every parser sees the world: nothing in a message,
 * a command or a packet is a C string, and NUL is a byte like another. A slice is valid as long as the
 * memory under it; passing one never passes ownership. */
#ifndef BASE_STR_H
#define BASE_STR_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct str {
    const char *p;
    size_t n;
};

/* A string literal as a slice. */
#define STR(literal) ((struct str){"" literal, sizeof(literal) - 1})
#define STR_INIT(literal)               \
    {                                   \
        "" literal, sizeof(literal) - 1 \
    } /* for static tables */
/* printf arguments for "%.*s"; cuts at INT_MAX. */
#define STR_ARGS(s) (int)((s).n > INT32_MAX ? INT32_MAX : (s).n), (s).p

struct str str_from(const void *p, size_t n);
struct str str_from_c(const char *c_string); /* NULL gives the empty slice */

bool str_eq(struct str a, struct str b);
bool str_eq_nocase(struct str a, struct str b); /* ASCII letters only; no locale */
bool str_starts(struct str s, struct str prefix);
bool str_starts_nocase(struct str s, struct str prefix);
bool str_ends(struct str s, struct str suffix);
int str_compare(struct str a, struct str b); /* by unsigned bytes, shorter first: <0, 0, >0 */

/* Positions are byte offsets; STR_NONE when there is none. */
#define STR_NONE SIZE_MAX
size_t str_find_byte(struct str s, char c);
size_t str_rfind_byte(struct str s, char c);
size_t str_find(struct str s, struct str needle);

/* Both clamp to the slice: never out of bounds. */
struct str str_slice(struct str s, size_t from, size_t n);
struct str str_from_offset(struct str s, size_t from);
struct str str_trim(struct str s); /* without leading and trailing SP, HTAB, CR, LF */

/* Takes the bytes before the first `c` off the front of *rest into *head and steps over `c`.
 * False, with everything in *head and *rest empty, when there is no `c`. */
bool str_cut(struct str *rest, char c, struct str *head);

/* All of `s` must be decimal digits (at least one) and fit; else false and *out is unchanged. */
bool str_to_u64(struct str s, uint64_t *out);
bool str_to_u32(struct str s, uint32_t *out);

/* Two lower-case digits a byte and a final NUL: text has room for 2 * n + 1. */
void str_write_hex(const unsigned char *bytes, size_t n, char *text);

/* ASCII only. */
char ascii_lower(char c);
char ascii_upper(char c);
bool ascii_is_digit(char c);
bool ascii_is_alpha(char c);
bool ascii_is_space(char c); /* SP or HTAB */

#endif
