/* What stands in a frame of the journal of arrivals: each record that is taken from it lies within it, and is
 * the same bytes when it is written again. */
#include "mailbox/arrivals_record.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool what)
{
    if (!what)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = str_from(data, size), before = rest;
    struct arrival m;
    while (rest.n > 0 && arrival_take(&rest, &m)) {
        size_t n = before.n - rest.n;
        must(arrival_bytes(&m) == n);
        char *again = malloc(n);
        must(again && arrival_put(again, &m) == again + n);
        must(memcmp(again, before.p, n) == 0);
        must(m.item.bytes.p + m.item.bytes.n == again + n); /* its slices are the copy's */
        free(again);
        before = rest;
    }
    must(before.n == rest.n); /* what cannot be taken stays */
    return 0;
}
