#include "supervisor/order.h"

/* In the order of starting. */
static const struct {
    enum role_kind kind;
    bool per_worker;
    enum stop_step stops;
} ROLES[] = {
    {ROLE_STORE, false, STOP_STORE}, /* only with PostgreSQL */
    {ROLE_TRACE, false, STOP_STORE},     {ROLE_DIRECTORY, false, STOP_LAST}, {ROLE_DNS, false, STOP_LAST},
    {ROLE_KEEPER, false, STOP_ACCOUNTS}, {ROLE_QUEUE, false, STOP_LAST},     {ROLE_RELAY, false, STOP_FIRST},
    {ROLE_SMTP, true, STOP_FIRST},       {ROLE_LOGIN, false, STOP_FIRST},    {ROLE_GATE, true, STOP_LAST},
    {ROLE_PICKUP, false, STOP_FIRST},
};

enum stop_step order_stops(enum role_kind kind)
{
    for (size_t r = 0; r < sizeof ROLES / sizeof *ROLES; r++)
        if (ROLES[r].kind == kind)
            return ROLES[r].stops;
    return STOP_LAST;
}

bool order_starts(size_t at, const struct config *c, enum role_kind *kind, unsigned *processes)
{
    if (at >= sizeof ROLES / sizeof *ROLES)
        return false;
    *kind = ROLES[at].kind;
    *processes = ROLES[at].per_worker ? c->workers : 1;
    if (*kind == ROLE_STORE && c->storage_postgresql.n == 0)
        *processes = 0;
    return true;
}
