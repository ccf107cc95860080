/* What stands in a frame of the queue's journal: each record that is taken from it lies within it, and says
 * the same when it is written again. */
#include "queue/transit_record.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool what)
{
    if (!what)
        abort();
}

/* False: it says nothing that can be read. */
static bool write_again(const struct transit_record *r, struct ipc_frame *out, struct arena *a)
{
    struct transit_message m;
    struct transit_gone g;
    if (r->kind == TRANSIT_GONE)
        return transit_get_gone(r, &g) && transit_put_gone(out, &g);
    if (!transit_get_message(r, &m, a))
        return false;
    must(m.row.id == r->message && m.row.size == m.bytes.n);
    m.row.asked.uid = m.row.asked.uid < 0 ? -1 : m.row.asked.uid;
    return transit_put_message(out, &m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = str_from(data, size);
    struct transit_record r, again;
    while (transit_take(&rest, &r)) {
        CLEAN_ARENA struct arena a = ARENA_INIT;
        CLEAN_FRAME struct ipc_frame out, second;
        must(r.fields.p >= (const char *)data && r.fields.p + r.fields.n == rest.p);
        ipc_frame_init(&out, 0);
        ipc_frame_init(&second, 0);
        if (!write_again(&r, &out, &a))
            continue;
        size_t n = transit_bytes(out.payload.n);
        char *copy = malloc(n);
        must(copy && transit_put(copy, buf_str(&out.payload)) == copy + n);
        struct str written = str_from(copy, n);
        must(transit_take(&written, &again) && written.n == 0);
        must(again.kind == r.kind && again.message == r.message && again.fields.n == r.fields.n);
        must(write_again(&again, &second, &a));
        must(str_eq(buf_str(&out.payload), buf_str(&second.payload)));
        free(copy);
    }
    return 0;
}
