/* What an account asks keeper to hold, on the wire: see parked.h. */
#include "keeper/parked.h"

void parked_request_put(struct ipc_frame *f, const struct parked_request *r)
{
    ipc_put_u64(f, (uint64_t)r->wake_at_ms);
    ipc_put_u32(f, r->still_every_ms);
    ipc_put_str(f, r->still);
    ipc_put_str(f, r->bye);
    ipc_put_str(f, r->address);
    ipc_put_str(f, r->state);
    ipc_put_fd(f, r->fd);
}

bool parked_request_get(struct ipc_frame *f, struct parked_request *r)
{
    struct ipc_reader in = ipc_read(f);
    uint64_t wake_at = ipc_get_u64(&in);
    *r = (struct parked_request){.fd = -1, .wake_at_ms = (int64_t)wake_at};
    r->still_every_ms = ipc_get_u32(&in);
    r->still = ipc_get_str(&in);
    r->bye = ipc_get_str(&in);
    r->address = ipc_get_str(&in);
    r->state = ipc_get_str(&in);
    if (!ipc_done(&in) || wake_at > INT64_MAX || r->address.n == 0 ||
        str_find_byte(r->address, '\0') != STR_NONE || f->nfds != 1)
        return false;
    r->fd = ipc_frame_take_fd(f, 0);
    return r->fd >= 0;
}
