#include "relay/memory.h"

#include "base/clock.h"
#include "base/mem.h"
#include "relay/name_hash.h"

#include <pthread.h>

#define PLACES 4096 /* 96 KiB; far more than the hosts that one server writes to in ten minutes */

struct place {
    uint64_t key;
    int64_t until_ms;
    uint8_t value;
};

struct memory {
    pthread_mutex_t lock;
    struct place places[PLACES];
};

static uint64_t key_of(enum memory_kind kind, struct str name)
{
    return name_hash(NAME_HASH_BEGIN ^ (uint64_t)kind, name);
}

struct memory *memory_new(void)
{
    struct memory *m = MEM_NEW(struct memory);
    pthread_mutex_init(&m->lock, NULL);
    return m;
}

void memory_free(struct memory *m)
{
    pthread_mutex_destroy(&m->lock);
    free(m);
}

void memory_put(struct memory *m, enum memory_kind kind, struct str name, uint8_t value, int64_t ms)
{
    uint64_t key = key_of(kind, name);
    pthread_mutex_lock(&m->lock);
    m->places[key % PLACES] = (struct place){.key = key, .until_ms = clock_ms() + ms, .value = value};
    pthread_mutex_unlock(&m->lock);
}

uint8_t memory_get(struct memory *m, enum memory_kind kind, struct str name)
{
    uint64_t key = key_of(kind, name);
    pthread_mutex_lock(&m->lock);
    struct place found = m->places[key % PLACES];
    pthread_mutex_unlock(&m->lock);
    return found.key == key && found.until_ms > clock_ms() ? found.value : 0;
}
