#include "relay/nexthop.h"

#include "base/mem.h"

struct nexthop *nexthop_find(struct nexthop **all, struct str key)
{
    for (struct nexthop *n = *all; n; n = n->next)
        if (str_eq(n->key, key))
            return n;
    struct nexthop *n = MEM_NEW(struct nexthop);
    n->key = str_from(mem_copy_c(key.p, key.n), key.n);
    n->last = &n->first;
    n->next = *all;
    *all = n;
    return n;
}

void nexthop_drop_if_unused(struct nexthop **all, struct nexthop *n)
{
    if (n->first || n->threads > 0)
        return;
    for (struct nexthop **at = all; *at; at = &(*at)->next)
        if (*at == n) {
            *at = n->next;
            break;
        }
    free((char *)(uintptr_t)n->key.p);
    free(n);
}

void nexthop_add(struct nexthop *n, struct relay_job *j)
{
    j->next = NULL;
    *n->last = j;
    n->last = &j->next;
    n->waiting++;
}

struct relay_job *nexthop_take(struct nexthop *n)
{
    struct relay_job *j = n->first;
    if (!j)
        return NULL;
    n->first = j->next;
    if (!n->first)
        n->last = &n->first;
    n->waiting--;
    return j;
}

bool nexthop_may_grow(const struct nexthop *n, unsigned most)
{
    return n->waiting > 0 && n->threads < most;
}

struct nexthop *nexthop_find_starving(struct nexthop *all, unsigned most)
{
    for (struct nexthop *n = all; n; n = n->next)
        if (nexthop_may_grow(n, most))
            return n;
    return NULL;
}
