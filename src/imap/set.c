#include "imap/parse.h"

#include <stdlib.h>

static bool take_sequence_number(struct imap_cursor *c, uint32_t *n)
{
    if (imap_peek(c) == '*') {
        *n = IMAP_STAR;
        return imap_take_byte(c, '*');
    }
    return imap_take_nz_number(c, n);
}

static bool take_range(struct imap_cursor *c, struct imap_range *r)
{
    if (!take_sequence_number(c, &r->from))
        return false;
    if (imap_peek(c) != ':') {
        r->to = r->from;
        return true;
    }
    return imap_take_byte(c, ':') && take_sequence_number(c, &r->to);
}

/* How many ranges can be there at most: the commas of what could be a set, and one. */
static size_t count_ranges(const struct imap_cursor *c)
{
    size_t n = 1;
    for (size_t i = c->at; i < c->in.n; i++) {
        char byte = c->in.p[i];
        if (byte == ',')
            n++;
        else if (!ascii_is_digit(byte) && byte != ':' && byte != '*')
            break;
    }
    return n;
}

bool imap_take_set(struct imap_cursor *c, struct arena *a, struct imap_set *set)
{
    size_t start = c->at;
    set->v = ARENA_ARRAY(a, struct imap_range, count_ranges(c));
    set->n = 0;
    do {
        if (!take_range(c, &set->v[set->n])) {
            c->at = start;
            c->problem = "expected message numbers like 1,3:5,*";
            return false;
        }
        set->n++;
    } while (imap_peek(c) == ',' && imap_take_byte(c, ','));
    return true;
}

static int by_start(const void *a, const void *b)
{
    const struct imap_range *x = a, *y = b;
    return x->from < y->from ? -1 : x->from > y->from;
}

void imap_set_resolve(struct imap_set *set, uint32_t largest)
{
    for (size_t i = 0; i < set->n; i++) {
        struct imap_range *r = &set->v[i];
        uint32_t from = r->from == IMAP_STAR ? largest : r->from;
        uint32_t to = r->to == IMAP_STAR ? largest : r->to;
        *r = from <= to ? (struct imap_range){from, to} : (struct imap_range){to, from};
    }
    if (set->n == 0)
        return;
    qsort(set->v, set->n, sizeof *set->v, by_start);
    size_t last = 0;
    for (size_t i = 1; i < set->n; i++) {
        struct imap_range *r = &set->v[last];
        if (set->v[i].from <= r->to || set->v[i].from - r->to == 1) {
            if (set->v[i].to > r->to)
                r->to = set->v[i].to;
        } else {
            set->v[++last] = set->v[i];
        }
    }
    set->n = last + 1;
}

void imap_add_set(struct buf *out, const uint32_t *numbers, size_t n)
{
    for (size_t i = 0; i < n;) {
        size_t end = i + 1;
        while (end < n && numbers[end] - numbers[end - 1] == 1)
            end++;
        if (i > 0)
            buf_add_byte(out, ',');
        buf_add_u64(out, numbers[i]);
        if (end - i > 1) {
            buf_add_byte(out, ':');
            buf_add_u64(out, numbers[end - 1]);
        }
        i = end;
    }
}
