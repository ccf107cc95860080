#include "base/generation.h"

#include <stdatomic.h>
#include <stddef.h>
#include <sys/mman.h>

struct generation {
    _Atomic uint64_t number;
};

struct generation *generation_new(void)
{
    void *g =
        mmap(NULL, sizeof(struct generation), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return g == MAP_FAILED ? NULL : g;
}

void generation_free(struct generation *g)
{
    if (g)
        munmap(g, sizeof *g);
}

void generation_raise(struct generation *g)
{
    if (g)
        atomic_fetch_add(&g->number, 1);
}

uint64_t generation_now(const struct generation *g)
{
    return g ? atomic_load(&g->number) : 0;
}
