/* Bytes that grow, up to a maximum. A buffer alone does this arithmetic, and checks it. Adding past the
 * maximum adds nothing, sets `overflow` and returns false, so a chain of adds may be checked once at its
 * end. Running out of memory ends the process (base/mem.h). */
#ifndef BASE_BUF_H
#define BASE_BUF_H
#include "base/str.h"

#include <stdarg.h>

struct buf {
    char *p;
    size_t n;   /* bytes in use */
    size_t cap; /* bytes allocated */
    size_t max; /* never grows past this */
    bool overflow;
};

#define BUF_MAX_DEFAULT ((size_t)1 << 30) /* of a buffer whose content is bounded elsewhere */

void buf_init(struct buf *b, size_t max); /* allocates nothing yet */
void buf_free(struct buf *b);             /* may be used again after it, with the same maximum */
#define CLEAN_BUF __attribute__((cleanup(buf_free)))

bool buf_add(struct buf *b, struct str s);
bool buf_add_c(struct buf *b, const char *c_string);
bool buf_add_byte(struct buf *b, char c);
bool buf_add_u64(struct buf *b, uint64_t value); /* in decimal */
bool buf_addf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool buf_addv(struct buf *b, const char *format, va_list args) __attribute__((format(printf, 2, 0)));

/* Room for `more` bytes after the end, for the caller to write to; then buf_grew() says how many were
 * written. NULL when that passes the maximum. */
char *buf_room(struct buf *b, size_t more);
void buf_grew(struct buf *b, size_t written);

struct str buf_str(const struct buf *b);   /* valid until the next add, consume or free */
void buf_consume(struct buf *b, size_t n); /* drops n bytes from the front; n is clamped */
void buf_truncate(struct buf *b, size_t n);
void buf_reset(struct buf *b); /* empty, memory kept, overflow cleared */

/* Base64 (RFC 4648 section 4) at the end of `out`. Decoding takes padding as required and nothing else:
 * white space or a stray byte makes it false, with `out` as it was. */
bool buf_add_base64(struct buf *out, struct str bytes);
bool buf_add_base64_decoded(struct buf *out, struct str text);

#endif
