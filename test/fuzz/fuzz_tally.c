/* A table of counts that was kept: what is taken of it, saved and taken again, is the same, and nobody is
 * refused for longer than the longest period, whatever the numbers. */
#include "base/tally.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

#define NOW  INT64_C(1000000000)
#define WALL INT64_C(1800000000000)
#define DAY  ((int64_t)86400 * 1000)

static void save(const struct tally *t, struct buf *out)
{
    buf_init(out, TALLY_SAVED_MAX);
    tally_save(t, out, NOW, WALL);
    must(!out->overflow);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tally *t = tally_new(), *again = tally_new();
    if (tally_restore(t, str_from(data, size), NOW, WALL)) {
        CLEAN_BUF struct buf first, second;
        uint64_t key = 0;
        save(t, &first);
        must(first.n <= size);
        must(tally_restore(again, buf_str(&first), NOW, WALL));
        save(again, &second);
        must(str_eq(buf_str(&first), buf_str(&second)));
        if (first.n > TALLY_SAVED_HEAD)
            memcpy(&key, first.p + TALLY_SAVED_HEAD, sizeof key); /* an entry begins with its key */
        for (unsigned rate = 0; key != 0 && rate < TALLY_RATES; rate++)
            must(tally_take(t, key, rate, 1, (struct tally_limit){1, 86400}, NOW + 2 * DAY));
    }
    tally_free(t);
    tally_free(again);
    return 0;
}
