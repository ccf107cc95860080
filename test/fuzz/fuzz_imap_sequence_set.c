/* A resolved set has the same numbers as the text, in order and apart; what is written is read back. The
 * first byte is the largest number in use. */
#include "imap/parse.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

static bool is_in(const struct imap_range *ranges, size_t n, uint32_t largest, uint32_t number)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t from = ranges[i].from == IMAP_STAR ? largest : ranges[i].from;
        uint32_t to = ranges[i].to == IMAP_STAR ? largest : ranges[i].to;
        if ((from <= number && number <= to) || (to <= number && number <= from))
            return true;
    }
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    uint32_t largest = data[0];
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct imap_cursor c = {.in = str_from(data + 1, size - 1)};
    struct imap_set set;
    if (!imap_take_set(&c, &a, &set)) {
        check(c.at == 0 && c.problem != NULL);
        return 0;
    }
    check(c.at <= c.in.n && set.n > 0);
    struct imap_range *as_sent = ARENA_ARRAY(&a, struct imap_range, set.n);
    size_t sent = set.n;
    for (size_t i = 0; i < sent; i++)
        as_sent[i] = set.v[i];
    imap_set_resolve(&set, largest);
    for (size_t i = 0; i < set.n; i++) {
        check(set.v[i].from <= set.v[i].to);
        check(i == 0 || set.v[i].from - set.v[i - 1].to > 1);
    }
    uint32_t numbers[300], n = 0;
    for (uint32_t number = 0; number < 300; number++) {
        check(is_in(set.v, set.n, largest, number) == is_in(as_sent, sent, largest, number));
        if (number > 0 && is_in(set.v, set.n, largest, number))
            numbers[n++] = number;
    }
    if (n == 0)
        return 0;
    CLEAN_BUF struct buf text;
    buf_init(&text, BUF_MAX_DEFAULT);
    imap_add_set(&text, numbers, n);
    struct imap_cursor again = {.in = buf_str(&text)};
    check(imap_take_set(&again, &a, &set) && imap_take_end(&again));
    for (uint32_t number = 1; number < 300; number++)
        check(is_in(set.v, set.n, largest, number) == is_in(as_sent, sent, largest, number));
    return 0;
}
