#include "gate/crowd.h"

#include "base/mem.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <string.h>
#include <sys/random.h>

#define BUCKETS 1024 /* some thousand addresses at a time at most */

struct member {
    struct member *next;
    uint64_t key; /* the /64, or the IPv4 address below an otherwise unused prefix */
    size_t count;
};

struct crowd {
    uint64_t secret; /* so that nobody can choose addresses that share a bucket */
    struct member *buckets[BUCKETS];
};

struct crowd *crowd_new(void)
{
    struct crowd *c = MEM_NEW(struct crowd);
    while (getrandom(&c->secret, sizeof c->secret, 0) != sizeof c->secret)
        continue; /* interrupted */
    return c;
}

void crowd_free(struct crowd *c)
{
    for (size_t i = 0; i < BUCKETS; i++)
        while (c->buckets[i]) {
            struct member *m = c->buckets[i];
            c->buckets[i] = m->next;
            free(m);
        }
    free(c);
}

/* False for what is not counted. */
static bool key_of(const char *address, uint64_t *key)
{
    struct in_addr four;
    struct in6_addr six;
    if (inet_pton(AF_INET, address, &four) == 1) {
        *key = ntohl(four.s_addr); /* ::/64 itself belongs to nobody but loopback */
        return *key >> 24 != IN_LOOPBACKNET;
    }
    if (inet_pton(AF_INET6, address, &six) != 1 || IN6_IS_ADDR_LOOPBACK(&six))
        return false;
    memcpy(key, &six, sizeof *key);
    return true;
}

static struct member **find(struct crowd *c, uint64_t key)
{
    uint64_t mixed = (key ^ c->secret) * UINT64_C(0x9e3779b97f4a7c15);
    mixed = (mixed ^ mixed >> 32 ^ c->secret) * UINT64_C(0xd6e8feb86659fd93);
    struct member **at = &c->buckets[(mixed >> 40) % BUCKETS];
    while (*at && (*at)->key != key)
        at = &(*at)->next;
    return at;
}

bool crowd_enter(struct crowd *c, const char *address, size_t max)
{
    uint64_t key;
    if (!key_of(address, &key))
        return true;
    struct member **at = find(c, key);
    if (!*at) {
        *at = MEM_NEW(struct member);
        (*at)->key = key;
    }
    if ((*at)->count >= max)
        return false;
    (*at)->count++;
    return true;
}

void crowd_leave(struct crowd *c, const char *address)
{
    uint64_t key;
    if (!key_of(address, &key))
        return;
    struct member **at = find(c, key), *m = *at;
    if (m && --m->count == 0) {
        *at = m->next;
        free(m);
    }
}
