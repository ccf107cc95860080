/* Shared mailboxes as keeper asks of them. */
#include "directory/frames.h"
#include "directory/service.h"

#define GUESTS_MAX 1000 /* of one owner; more have to be written as "anyone" */

static void reply_owners(struct loop_channel *c, uint32_t id, const struct directory_owner *v, size_t n)
{
    CLEAN_FRAME struct ipc_frame reply;
    ipc_frame_init(&reply, DIRECTORY_FRAME_OWNERS);
    ipc_put_u32(&reply, (uint32_t)n);
    for (size_t i = 0; i < n; i++) {
        ipc_put_u64(&reply, (uint64_t)v[i].account);
        ipc_put_str(&reply, v[i].address);
    }
    directory_reply(c, &reply, id);
}

void directory_serve_share(struct directory_service *s, struct loop_channel *c, const struct ipc_frame *f)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct err e = ERR_INIT;
    struct ipc_reader r = ipc_read(f);
    int64_t owner = (int64_t)ipc_get_u64(&r);
    uint32_t n = ipc_get_u32(&r);
    if (n > GUESTS_MAX) {
        directory_fail(c, f->id, "too many guests");
        return;
    }
    struct str *guests = ARENA_ARRAY(&a, struct str, n);
    for (uint32_t i = 0; i < n; i++)
        guests[i] = ipc_get_str(&r);
    if (!ipc_done(&r)) {
        loop_channel_close(c);
        return;
    }
    if (directory_db_share(s->db, owner, guests, n, &e))
        reply_owners(c, f->id, NULL, 0);
    else
        directory_fail_and_log(c, f->id, &e);
}

void directory_serve_shared_with(struct directory_service *s, struct loop_channel *c,
                                 const struct ipc_frame *f)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct err e = ERR_INIT;
    struct directory_owner *v;
    size_t n;
    struct ipc_reader r = ipc_read(f);
    int64_t guest = (int64_t)ipc_get_u64(&r);
    struct str owner = ipc_get_str(&r);
    if (!ipc_done(&r)) {
        loop_channel_close(c);
        return;
    }
    if (directory_db_shared_with(s->db, guest, owner, &a, &v, &n, &e))
        reply_owners(c, f->id, v, n);
    else
        directory_fail_and_log(c, f->id, &e);
}
