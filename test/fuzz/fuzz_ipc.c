/* A packet is a frame or it is not; a frame's fields never lie outside it; written again, it is the same. So
 * is a parcel at its front. */
#include "base/parcel.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Reads fields as the bytes themselves tell, and writes what was read into `again`. */
static void read_fields(const struct ipc_frame *f, struct ipc_frame *again)
{
    struct ipc_reader r = ipc_read(f);
    const char *end = r.rest.p + r.rest.n;
    while (!r.bad && r.rest.n > 0) {
        switch ((unsigned char)r.rest.p[0] % 4) {
        case 0: ipc_put_u8(again, ipc_get_u8(&r)); break;
        case 1: ipc_put_u32(again, ipc_get_u32(&r)); break;
        case 2: ipc_put_u64(again, ipc_get_u64(&r)); break;
        case 3: {
            struct str s = ipc_get_str(&r);
            if (s.n > 0 && (s.p < f->payload.p || s.p + s.n > end))
                abort();
            ipc_put_str(again, s);
            break;
        }
        }
    }
    if (ipc_done(&r) && !str_eq(buf_str(&again->payload), buf_str(&f->payload)))
        abort();
}

static void read_parcel(struct ipc_frame *f)
{
    struct ipc_reader r = ipc_read(f);
    struct str all = r.rest;
    struct parcel p = parcel_get(&r, f);
    CLEAN_FRAME struct ipc_frame again;
    ipc_frame_init(&again, f->type);
    if (r.bad == parcel_is_there(&p))
        abort();
    if (!r.bad) {
        parcel_put(&again, &p);
        if (p.fd >= 0 || p.size != p.bytes.n || p.size > PARCEL_INLINE_MAX ||
            !str_eq(buf_str(&again.payload), str_slice(all, 0, all.n - r.rest.n)))
            abort();
    }
    parcel_free(&p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ipc_frame f, again;
    if (!ipc_parse(str_from(data, size), &f))
        return 0;
    if (f.payload.n != size - 12 || f.nfds != 0)
        abort();
    ipc_frame_init(&again, f.type);
    read_fields(&f, &again);
    read_parcel(&f);
    ipc_frame_free(&again);
    ipc_frame_free(&f);
    return 0;
}
