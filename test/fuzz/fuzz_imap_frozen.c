/* What is taken for a session that slept is within its bounds, and is the same bytes when it sleeps again. */
#include "imap/frozen.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool what)
{
    if (!what)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct imap_frozen z;
    struct str bytes = str_from(data, size);
    if (!imap_frozen_get(bytes, &z))
        return 0;
    must(z.tag.n <= IMAP_TAG_MAX);
    must(z.recent_count <= FROZEN_RECENT_MAX && z.past.gone_count <= FROZEN_GONE_MAX);
    must(z.recent_messages <= z.past.messages && z.recent_messages >= z.recent_count);
    for (size_t i = 0; i < z.recent_count; i++)
        must(z.recent[i].from <= z.recent[i].to && z.recent[i].to <= z.past.last_uid);
    for (size_t i = 1; i < z.past.gone_count; i++)
        must(z.gone[i - 1] < z.gone[i]);
    CLEAN_FRAME struct ipc_frame f;
    ipc_frame_init(&f, 0);
    imap_frozen_put(&f, &z);
    must(str_eq(buf_str(&f.payload), bytes));
    return 0;
}
