#include "directory/exchanges.h"

#include "base/mem.h"

#include <sodium.h>

/* A ring: what comes next takes the oldest place. */
struct exchanges {
    size_t next;
    struct exchange v[EXCHANGES_MAX];
};

struct exchanges *exchanges_new(void)
{
    return MEM_NEW(struct exchanges);
}

void exchange_free(struct exchange *x)
{
    arena_free(&x->arena);
    *x = (struct exchange){0};
}

void exchanges_free(struct exchanges *all)
{
    for (size_t i = 0; i < EXCHANGES_MAX; i++)
        exchange_free(&all->v[i]);
    free(all);
}

/* The id cannot be guessed, and tells the place. */
struct exchange *exchanges_add(struct exchanges *all, int64_t now_ms)
{
    size_t at = all->next++ % EXCHANGES_MAX;
    struct exchange *x = &all->v[at];
    uint64_t random;
    exchange_free(x);
    randombytes_buf(&random, sizeof random);
    x->id = random / EXCHANGES_MAX * EXCHANGES_MAX + at;
    x->id += x->id == 0 ? EXCHANGES_MAX : 0;
    x->until_ms = now_ms + EXCHANGE_MS;
    return x;
}

bool exchanges_take(struct exchanges *all, uint64_t id, int64_t now_ms, struct exchange *out)
{
    struct exchange *x = &all->v[id % EXCHANGES_MAX];
    *out = (struct exchange){0};
    if (id == 0 || x->id != id)
        return false;
    *out = *x;
    *x = (struct exchange){0};
    return out->until_ms > now_ms;
}
