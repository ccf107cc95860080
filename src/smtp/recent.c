#include "smtp/recent.h"

#include "base/mem.h"

#include <pthread.h>
#include <string.h>

#define KEPT_MS   1000
/* So many questions, none a second behind the one before, make an address one that is asked for all the time.
 * A first message after a change therefore always meets the change. */
#define OFTEN     4
#define SLOTS     1024 /* an address has one place; two that share it take turns */
#define TEXTS_MAX 256  /* of an address and what it leads to; longer ones are asked for each time */

struct slot {
    int64_t asked_ms, answered_ms;  /* the last time */
    uint64_t generation;            /* of the directory, before it answered */
    unsigned asked;                 /* in a row */
    uint16_t name, address, detail; /* bytes of `texts`, one after the other */
    struct directory_target target; /* without its strings */
    char texts[TEXTS_MAX];
};

struct recent {
    pthread_mutex_t lock;      /* over the slots */
    struct slot *slots[SLOTS]; /* NULL: not used yet */
};

struct recent *recent_new(void)
{
    struct recent *r = MEM_NEW(struct recent);
    pthread_mutex_init(&r->lock, NULL);
    return r;
}

void recent_free(struct recent *r)
{
    for (size_t i = 0; i < SLOTS; i++)
        free(r->slots[i]);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

/* FNV-1a. Who crafts addresses that share a place gains that they are asked for. */
static struct slot **place(struct recent *r, struct str address)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < address.n; i++)
        hash = (hash ^ (unsigned char)address.p[i]) * 16777619u;
    return &r->slots[hash % SLOTS];
}

static bool is_of(const struct slot *s, struct str address)
{
    return s && str_eq(str_from(s->texts, s->name), address);
}

bool recent_find(struct recent *r, struct str address, int64_t now_ms, uint64_t generation, struct arena *a,
                 struct directory_answer *out)
{
    bool found = false;
    pthread_mutex_lock(&r->lock);
    struct slot *s = *place(r, address);
    if (is_of(s, address)) {
        s->asked = now_ms - s->asked_ms < KEPT_MS ? s->asked + 1 : 1;
        s->asked_ms = now_ms;
        found = s->asked > OFTEN && now_ms - s->answered_ms < KEPT_MS && s->generation == generation;
    }
    if (found) {
        *out = (struct directory_answer){.fate = DIRECTORY_LOCAL,
                                         .targets = ARENA_NEW(a, struct directory_target),
                                         .count = 1,
                                         .reply = STR(""),
                                         .sender = STR("")};
        *out->targets = s->target;
        out->targets->address = arena_copy(a, str_from(s->texts + s->name, s->address));
        out->targets->detail = arena_copy(a, str_from(s->texts + s->name + s->address, s->detail));
    }
    pthread_mutex_unlock(&r->lock);
    return found;
}

static void fill(struct slot *s, struct str address, int64_t now_ms, uint64_t generation,
                 const struct directory_target *to)
{
    bool is_known = is_of(s, address);
    *s = (struct slot){.asked_ms = now_ms,
                       .answered_ms = now_ms,
                       .generation = generation,
                       .asked = is_known ? s->asked : 1,
                       .name = (uint16_t)address.n,
                       .address = (uint16_t)to->address.n,
                       .detail = (uint16_t)to->detail.n,
                       .target = *to};
    s->target.address = s->target.detail = s->target.sender = STR("");
    memcpy(s->texts, address.p, address.n);
    memcpy(s->texts + address.n, to->address.p, to->address.n);
    if (to->detail.n > 0)
        memcpy(s->texts + address.n + to->address.n, to->detail.p, to->detail.n);
}

void recent_note(struct recent *r, struct str address, int64_t now_ms, uint64_t generation,
                 const struct directory_answer *answer)
{
    const struct directory_target *to = answer->targets;
    bool is_kept = answer->fate == DIRECTORY_LOCAL && answer->count == 1 && to->is_local &&
                   !answer->rewrites && !answer->is_for_sender &&
                   address.n + to->address.n + to->detail.n <= TEXTS_MAX;
    pthread_mutex_lock(&r->lock);
    struct slot **at = place(r, address);
    if (is_kept && !*at)
        *at = MEM_NEW(struct slot);
    if (is_kept)
        fill(*at, address, now_ms, generation, to);
    else if (is_of(*at, address))
        (*at)->name = 0; /* it is no such address any more */
    pthread_mutex_unlock(&r->lock);
}
