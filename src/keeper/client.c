/* keeper as smtp, queue and login call it. */
#include "base/mem.h"
#include "keeper/keeper.h"
#include "role/role.h"

/* Logins or openings that one process may have under way. keeper answers most within microseconds; they take
 * long only while an account's last process is going away. */
#define KEEPER_CHANNELS 64

struct keeper {
    struct role_target target;
    struct ipc_pool *pool;
};

struct keeper *keeper_client(struct role *r)
{
    struct keeper *k = MEM_NEW(struct keeper); /* lives as long as the process */
    k->target = (struct role_target){.role = r, .to = ROLE_KEEPER};
    k->pool = ipc_pool_new("keeper", KEEPER_CHANNELS, role_connect_pool, &k->target);
    return k;
}

/* What keeper says of a request that it refused. */
static bool refused(struct ipc_frame *reply, struct err *e)
{
    struct ipc_reader in = ipc_read(reply);
    struct str why = ipc_get_str(&in);
    if (reply->type != KEEPER_FRAME_FAILED || !ipc_done(&in))
        return err_set(e, ERR_INTERNAL, "keeper sent a frame that is no answer");
    return err_set(e, ERR_TEMPORARY, "%.*s", STR_ARGS(why));
}

int keeper_open_delivery(struct keeper *k, int64_t account, struct str address, struct deadline d,
                         struct err *e)
{
    CLEAN_FRAME struct ipc_frame ask, reply = {0};
    ipc_frame_init(&ask, KEEPER_FRAME_DELIVERY);
    ipc_put_u64(&ask, (uint64_t)account);
    ipc_put_str(&ask, address);
    if (!ipc_pool_call(k->pool, &ask, &reply, d, e))
        return -1;
    int channel = reply.type == KEEPER_FRAME_DONE ? ipc_frame_take_fd(&reply, 0) : -1;
    if (channel < 0)
        refused(&reply, e);
    return channel;
}

bool keeper_hand_over(struct keeper *k, const struct keeper_login *l, struct deadline d, struct err *e)
{
    if (l->buffered.n > KEEPER_BUFFERED_MAX)
        return err_set(e, ERR_TEMPORARY, "more than %d bytes were sent behind the login command",
                       KEEPER_BUFFERED_MAX);
    CLEAN_FRAME struct ipc_frame ask, reply = {0};
    ipc_frame_init(&ask, KEEPER_FRAME_LOGIN);
    ipc_put_u64(&ask, (uint64_t)l->account);
    ipc_put_str(&ask, l->address);
    ipc_put_u8(&ask, l->is_pop3);
    ipc_put_str(&ask, l->tag);
    ipc_put_str(&ask, l->buffered);
    connection_put(&ask, l->connection);
    if (!ipc_pool_call(k->pool, &ask, &reply, d, e)) {
        if (e)
            e->kind = ERR_INTERNAL; /* it may have been handed over all the same */
        return false;
    }
    return reply.type == KEEPER_FRAME_DONE || refused(&reply, e);
}
