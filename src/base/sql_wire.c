/* Values in frames. */
#include "base/mem.h"
#include "base/sealed.h"
#include "base/sql_remote.h"

#define LONG_VALUE 0xff

static bool put_long(struct ipc_frame *f, struct str s, struct err *e)
{
    if (f->nfds == IPC_FDS_MAX)
        return false;
    int fd = sealed_from("golub-value", s, e);
    if (fd < 0)
        return false;
    ipc_put_u8(f, LONG_VALUE);
    ipc_put_u64(f, s.n);
    ipc_put_fd(f, fd);
    return true;
}

bool sql_wire_put(struct ipc_frame *f, const struct sql_value *v, size_t inline_max, struct err *e)
{
    size_t before = f->payload.n;
    bool is_bytes = v->type == SQL_TEXT || v->type == SQL_BLOB;
    if (is_bytes && v->s.n > inline_max)
        return put_long(f, v->s, e);
    ipc_put_u8(f, (uint8_t)v->type);
    if (v->type == SQL_INT)
        ipc_put_u64(f, (uint64_t)v->i);
    else if (is_bytes)
        ipc_put_str(f, v->s);
    if (!f->payload.overflow)
        return true;
    buf_truncate(&f->payload, before);
    f->payload.overflow = false;
    return false;
}

static bool get_long(struct sql_wire *w, struct sql_value *v)
{
    uint64_t size = ipc_get_u64(&w->in);
    if (w->in.bad || w->fds >= w->frame->nfds ||
        !sealed_read(w->frame->fds[w->fds], size, &w->mapped[w->mapped_count], NULL))
        return false;
    w->fds++;
    v->type = SQL_BLOB;
    v->s = w->mapped[w->mapped_count++];
    return true;
}

bool sql_wire_get(struct sql_wire *w, struct sql_value *v)
{
    uint8_t type = ipc_get_u8(&w->in);
    *v = (struct sql_value){.type = SQL_NULL};
    switch (type) {
    case SQL_NULL: return !w->in.bad;
    case SQL_INT:
        v->type = SQL_INT;
        v->i = (int64_t)ipc_get_u64(&w->in);
        return !w->in.bad;
    case SQL_TEXT:
    case SQL_BLOB:
        v->type = type == SQL_TEXT ? SQL_TEXT : SQL_BLOB;
        v->s = ipc_get_str(&w->in);
        return !w->in.bad;
    case LONG_VALUE: return get_long(w, v);
    default: return false;
    }
}

void sql_wire_release(struct sql_wire *w)
{
    while (w->mapped_count > 0)
        sealed_release(w->mapped[--w->mapped_count]);
}
