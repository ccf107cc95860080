#include "base/parcel.h"

#include "base/mem.h"
#include "base/sealed.h"

struct parcel parcel_of(struct str bytes)
{
    return (struct parcel){.fd = -1, .bytes = bytes, .size = bytes.n};
}

void parcel_put(struct ipc_frame *f, const struct parcel *p)
{
    ipc_put_u64(f, p->size);
    ipc_put_str(f, p->fd < 0 ? p->bytes : STR(""));
    if (p->fd >= 0)
        ipc_put_fd(f, p->fd);
}

struct parcel parcel_get(struct ipc_reader *in, struct ipc_frame *f)
{
    uint64_t size = ipc_get_u64(in);
    struct str bytes = ipc_get_str(in);
    struct parcel p = {.fd = -1, .bytes = {0}, .size = size};
    if (bytes.n == 0 && size > 0)
        p.fd = ipc_frame_take_fd(f, 0);
    bool is_whole = p.fd >= 0 || (bytes.n == size && bytes.n <= PARCEL_INLINE_MAX);
    if (in->bad || !is_whole) {
        in->bad = true;
        parcel_free(&p);
    } else if (p.fd < 0) {
        p.bytes = str_from(mem_copy_c(bytes.p, bytes.n), bytes.n);
    }
    return p;
}

bool parcel_read(const struct parcel *p, struct str *bytes, struct err *e)
{
    *bytes = p->bytes;
    return p->fd < 0 || sealed_read(p->fd, p->size, bytes, e);
}

void parcel_release(const struct parcel *p, struct str bytes)
{
    if (p->fd >= 0)
        sealed_release(bytes);
}

void parcel_free(struct parcel *p)
{
    if (p->fd >= 0)
        close(p->fd);
    free((char *)(uintptr_t)p->bytes.p);
    *p = (struct parcel)PARCEL_NONE;
}
