#include "base/buf.h"

#include "base/format.h"
#include "base/mem.h"

#include <string.h>

#define BUF_FIRST_CAP 128 /* most command lines and answers fit */

void buf_init(struct buf *b, size_t max)
{
    *b = (struct buf){.max = max};
}

void buf_free(struct buf *b)
{
    free(b->p);
    *b = (struct buf){.max = b->max};
}

char *buf_room(struct buf *b, size_t more)
{
    size_t need;
    if (__builtin_add_overflow(b->n, more, &need) || need > b->max) {
        b->overflow = true;
        return NULL;
    }
    if (need > b->cap) {
        size_t cap = b->cap ? b->cap : BUF_FIRST_CAP;
        while (cap < need)
            cap *= 2; /* need <= max, which is far below SIZE_MAX / 2 */
        if (cap > b->max)
            cap = b->max;
        b->p = mem_resize(b->p, cap, 1);
        b->cap = cap;
    }
    return b->p ? b->p + b->n : (b->p = mem_resize(NULL, 1, 1));
}

void buf_grew(struct buf *b, size_t written)
{
    b->n += written;
}

bool buf_add(struct buf *b, struct str s)
{
    char *to = buf_room(b, s.n);
    if (!to)
        return false;
    if (s.n > 0)
        memcpy(to, s.p, s.n);
    b->n += s.n;
    return true;
}

bool buf_add_c(struct buf *b, const char *c_string)
{
    return buf_add(b, str_from_c(c_string));
}

bool buf_add_byte(struct buf *b, char c)
{
    return buf_add(b, str_from(&c, 1));
}

bool buf_add_u64(struct buf *b, uint64_t value)
{
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    return buf_add(b, str_from(digits + at, sizeof digits - at));
}

/* What room there is most often does: then the text is made once. */
bool buf_addv(struct buf *b, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    size_t room = b->cap - b->n;
    size_t n = format_text(room > 0 ? b->p + b->n : NULL, room, format, args);
    bool fits = n < room;
    if (!fits) {
        char *to = buf_room(b, n + 1);
        fits = to && format_text(to, n + 1, format, again) == n;
    }
    if (fits)
        b->n += n;
    va_end(again);
    return fits;
}

bool buf_addf(struct buf *b, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    bool ok = buf_addv(b, format, args);
    va_end(args);
    return ok;
}

struct str buf_str(const struct buf *b)
{
    return b->p ? (struct str){b->p, b->n} : (struct str){"", 0};
}

void buf_consume(struct buf *b, size_t n)
{
    if (n > b->n)
        n = b->n;
    if (n < b->n)
        memmove(b->p, b->p + n, b->n - n);
    b->n -= n;
}

void buf_truncate(struct buf *b, size_t n)
{
    if (n < b->n)
        b->n = n;
}

void buf_reset(struct buf *b)
{
    b->n = 0;
    b->overflow = false;
}

static const char BASE64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

bool buf_add_base64(struct buf *out, struct str bytes)
{
    char *to = buf_room(out, (bytes.n + 2) / 3 * 4);
    if (!to)
        return false;
    for (size_t i = 0; i < bytes.n; i += 3) {
        size_t left = bytes.n - i;
        uint32_t v = (uint32_t)(unsigned char)bytes.p[i] << 16;
        if (left > 1)
            v |= (uint32_t)(unsigned char)bytes.p[i + 1] << 8;
        if (left > 2)
            v |= (unsigned char)bytes.p[i + 2];
        *to++ = BASE64[v >> 18];
        *to++ = BASE64[v >> 12 & 63];
        *to++ = left > 1 ? BASE64[v >> 6 & 63] : '=';
        *to++ = left > 2 ? BASE64[v & 63] : '=';
    }
    out->n += (bytes.n + 2) / 3 * 4;
    return true;
}

static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool buf_add_base64_decoded(struct buf *out, struct str text)
{
    if (text.n % 4 != 0)
        return false;
    size_t before = out->n;
    for (size_t i = 0; i < text.n; i += 4) {
        bool last = i + 4 == text.n;
        int pad = last && text.p[i + 3] == '=' ? (text.p[i + 2] == '=' ? 2 : 1) : 0;
        uint32_t v = 0;
        bool good = true;
        for (size_t k = 0; k < 4; k++) {
            int digit = (int)k >= 4 - pad ? 0 : base64_value(text.p[i + k]);
            good = good && digit >= 0;
            v = v << 6 | (uint32_t)(digit & 63);
        }
        char three[3] = {(char)(v >> 16), (char)(v >> 8), (char)v};
        if (!good || !buf_add(out, str_from(three, 3 - (size_t)pad))) {
            buf_truncate(out, before);
            return false;
        }
    }
    return true;
}
