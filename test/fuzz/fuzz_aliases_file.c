/* Every entry has a line number higher than the one before, and nothing longer than the file; targets have no
 * bytes that the file has not. */
#include "directory/aliases_file.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct aliases_reader r = ALIASES_READER(str_from(data, size));
    struct aliases_entry x;
    unsigned line = 0;
    size_t bytes = 0;
    while (aliases_next(&r, &a, &x)) {
        if (x.line <= line)
            abort();
        line = x.line;
        bytes += x.name.n;
        for (size_t i = 0; i < x.count; i++) {
            bytes += x.targets[i].n;
            aliases_other_kind(x.targets[i]);
        }
    }
    if (bytes > size || r.rest.n > 0)
        abort();
    return 0;
}
