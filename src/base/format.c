#include "base/format.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define DIGITS_MAX 24 /* of 64 bits, in decimal, with a sign */

/* --- reading --- */

struct directive {
    bool has_precision; /* ".*" */
    unsigned width;     /* filled up with zeros */
    enum size { SIZE_INT, SIZE_LONG, SIZE_LONG_LONG, SIZE_SIZE } size;
    char conversion; /* '\0': one that is not known here */
};

static struct directive read_directive(const char **at)
{
    struct directive d = {0};
    const char *p = *at;
    if (*p == '0')
        while (*p >= '0' && *p <= '9' && d.width < DIGITS_MAX)
            d.width = d.width * 10 + (unsigned)(*p++ - '0');
    if (p[0] == '.' && p[1] == '*') {
        d.has_precision = true;
        p += 2;
    }
    if (*p == 'z') {
        d.size = SIZE_SIZE;
        p++;
    } else if (*p == 'l') {
        d.size = p[1] == 'l' ? SIZE_LONG_LONG : SIZE_LONG;
        p += p[1] == 'l' ? 2 : 1;
    }
    bool is_text = d.size == SIZE_INT && d.width == 0;
    bool is_known = *p == 's' || (*p == '%' && p == *at) || (*p == 'c' && !d.has_precision)
                        ? is_text
                        : (*p == 'd' || *p == 'u' || *p == 'x') && !d.has_precision && d.width < DIGITS_MAX;
    d.conversion = is_known ? *p++ : '\0';
    *at = p;
    return d;
}

/* --- writing --- */

struct text {
    char *to;
    size_t room, n; /* without the NUL; what has no room is counted */
    va_list args;   /* the next directive's first */
};

static void put(struct text *t, const char *p, size_t n)
{
    size_t left = t->n < t->room ? t->room - t->n : 0;
    if (n > 0 && left > 0)
        memcpy(t->to + t->n, p, n < left ? n : left);
    t->n += n;
}

static void put_number(struct text *t, uint64_t v, bool is_negative, const struct directive *d)
{
    char digits[DIGITS_MAX];
    size_t at = sizeof digits, base = d->conversion == 'x' ? 16 : 10;
    do {
        digits[--at] = "0123456789abcdef"[v % base];
        v /= base;
    } while (v > 0);
    while (sizeof digits - at + is_negative < d->width)
        digits[--at] = '0';
    if (is_negative)
        digits[--at] = '-';
    put(t, digits + at, sizeof digits - at);
}

static int64_t take_signed(struct text *t, enum size size)
{
    switch (size) {
    case SIZE_LONG: return va_arg(t->args, long);
    case SIZE_LONG_LONG: return va_arg(t->args, long long);
    case SIZE_SIZE: return (int64_t)va_arg(t->args, size_t);
    default: return va_arg(t->args, int);
    }
}

static uint64_t take_unsigned(struct text *t, enum size size)
{
    switch (size) {
    case SIZE_LONG: return va_arg(t->args, unsigned long);
    case SIZE_LONG_LONG: return va_arg(t->args, unsigned long long);
    case SIZE_SIZE: return va_arg(t->args, size_t);
    default: return va_arg(t->args, unsigned);
    }
}

static void put_text(struct text *t, bool is_bounded)
{
    int most = is_bounded ? va_arg(t->args, int) : -1; /* a negative precision is none */
    const char *p = va_arg(t->args, const char *);
    p = p ? p : "";
    put(t, p, most < 0 ? strlen(p) : strnlen(p, (size_t)most));
}

static void put_directive(struct text *t, const struct directive *d)
{
    switch (d->conversion) {
    case 's': put_text(t, d->has_precision); break;
    case 'c': put(t, &(char){(char)va_arg(t->args, int)}, 1); break;
    case 'd': {
        int64_t v = take_signed(t, d->size);
        put_number(t, v < 0 ? 0 - (uint64_t)v : (uint64_t)v, v < 0, d);
        break;
    }
    case 'u':
    case 'x': put_number(t, take_unsigned(t, d->size), false, d); break;
    case '%': put(t, "%", 1); break;
    default: break;
    }
}

static size_t by_printf(char *to, size_t room, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));
static size_t by_printf(char *to, size_t room, const char *format, va_list args)
{
    int n = vsnprintf(to, room, format, args);
    if (n < 0 && room > 0)
        to[0] = '\0';
    return n < 0 ? 0 : (size_t)n;
}

size_t format_text(char *to, size_t room, const char *format, va_list args)
{
    struct text t = {.to = to, .room = room > 0 ? room - 1 : 0};
    struct directive d = {.conversion = '%'};
    const char *rest = format;
    va_copy(t.args, args);
    for (const char *next; d.conversion && (next = strchr(rest, '%')); rest = next) {
        put(&t, rest, (size_t)(next++ - rest));
        d = read_directive(&next);
        put_directive(&t, &d);
    }
    put(&t, rest, strlen(rest));
    va_end(t.args);
    if (!d.conversion)
        return by_printf(to, room, format, args);
    if (room > 0)
        to[t.n < t.room ? t.n : t.room] = '\0';
    return t.n;
}
