#include "queue/outcome.h"

#include "base/mem.h"

struct outcome *outcome_new(struct job *j)
{
    struct outcome *o = MEM_NEW(struct outcome);
    o->job = j;
    o->transcript = STR("");
    o->verdicts = ARENA_ARRAY(&o->arena, struct verdict, j->count);
    return o;
}

struct outcome *outcome_all(struct job *j, enum queue_fate fate, struct str reply)
{
    struct outcome *o = outcome_new(j);
    struct str words = arena_copy(&o->arena, reply);
    for (size_t i = 0; i < j->count; i++)
        o->verdicts[i] = (struct verdict){.answered = true, .fate = fate, .reply = words};
    return o;
}

void outcome_free(struct outcome *o)
{
    arena_free(&o->arena);
    free(o);
}

void outcome_wake(struct outcome *o, struct str domain, int64_t flow, int64_t at)
{
    struct wake *w = ARENA_NEW(&o->arena, struct wake);
    *w = (struct wake){.next = o->wakes, .domain = arena_copy(&o->arena, domain), .flow = flow, .at = at};
    o->wakes = w;
}
