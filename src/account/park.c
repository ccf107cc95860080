#include "account/park.h"

#include <unistd.h>

void account_parked_put(struct ipc_frame *f, const struct account_parked *p)
{
    connection_put(f, &p->connection);
    ipc_put_u64(f, (uint64_t)p->since_ms);
    ipc_put_u32(f, p->patience_ms);
    ipc_put_str(f, p->protocol);
}

bool account_parked_get(struct ipc_frame *f, struct str bytes, struct account_parked *p)
{
    struct ipc_reader in = {.rest = bytes};
    *p = (struct account_parked){.connection.fd = -1};
    if (!connection_get(f, &in, &p->connection))
        return false;
    uint64_t since = ipc_get_u64(&in);
    p->since_ms = (int64_t)since;
    p->patience_ms = ipc_get_u32(&in);
    p->protocol = ipc_get_str(&in);
    if (ipc_done(&in) && since <= INT64_MAX)
        return true;
    close(p->connection.fd);
    p->connection.fd = -1;
    return false;
}

uint32_t account_patience(const struct account_parked *p, int64_t now, uint32_t least_ms)
{
    int64_t twice = 2 * (int64_t)p->patience_ms;
    if (now - p->since_ms > PARK_SHORT_MS || twice < least_ms)
        return least_ms;
    if (twice > PARK_PATIENCE_MAX_MS)
        twice = PARK_PATIENCE_MAX_MS;
    return twice > least_ms ? (uint32_t)twice : least_ms;
}
