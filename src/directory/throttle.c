#include "directory/throttle.h"

#include "base/mem.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sodium.h>
#include <string.h>

#define BUCKETS       4096 /* of the hash table: short chains up to tens of thousands of clients */
#define ATTEMPTS_KEPT 8    /* wrong passwords remembered a client, to know a repeated one */
#define DOUBLINGS_MAX 20   /* 2 s doubled so often is far beyond the longest wait; keeps the shift defined */

struct seen {
    unsigned char key[THROTTLE_KEY_BYTES];
    struct seen *next_in_bucket;
    struct seen *newer, *older; /* by the last attempt */
    unsigned failures, under_way;
    int64_t forgotten_to_ms; /* failures up to here have been forgotten at their pace */
    int64_t wait_until_ms;
    uint64_t attempts[ATTEMPTS_KEPT]; /* a ring */
    unsigned attempt_at;
};

struct throttle {
    unsigned char secret[crypto_generichash_KEYBYTES];
    struct seen *buckets[BUCKETS];
    struct seen *newest, *oldest;
    size_t count;
};

struct throttle *throttle_new(void)
{
    struct throttle *t = MEM_NEW(struct throttle);
    randombytes_buf(t->secret, sizeof t->secret);
    return t;
}

void throttle_free(struct throttle *t)
{
    for (struct seen *s = t->newest, *older; s; s = older) {
        older = s->older;
        free(s);
    }
    free(t);
}

static bool is_local(const unsigned char *ip, int family)
{
    static const unsigned char LOOPBACK6[16] = {[15] = 1};
    return family == AF_INET ? ip[0] == 127 : memcmp(ip, LOOPBACK6, sizeof LOOPBACK6) == 0;
}

void throttle_key(const struct throttle *t, const char *peer, struct str user,
                  unsigned char key[THROTTLE_KEY_BYTES])
{
    unsigned char ip[16] = {0};
    int family = inet_pton(AF_INET, peer, ip) == 1    ? AF_INET
                 : inet_pton(AF_INET6, peer, ip) == 1 ? AF_INET6
                                                      : 0;
    crypto_generichash_state hash;
    crypto_generichash_init(&hash, t->secret, sizeof t->secret, THROTTLE_KEY_BYTES);
    crypto_generichash_update(&hash, (const unsigned char *)&family, sizeof family);
    crypto_generichash_update(&hash, ip, family == AF_INET6 ? 8 : 4);
    if (family == 0 || is_local(ip, family))
        for (size_t i = 0; i < user.n; i++) {
            unsigned char c = (unsigned char)ascii_lower(user.p[i]);
            crypto_generichash_update(&hash, &c, 1);
        }
    crypto_generichash_final(&hash, key, THROTTLE_KEY_BYTES);
}

static struct seen **bucket_of(struct throttle *t, const unsigned char *key)
{
    return &t->buckets[((unsigned)key[0] << 8 | key[1]) % BUCKETS]; /* keys are hashes already */
}

static struct seen *find(struct throttle *t, const unsigned char *key)
{
    struct seen *s = *bucket_of(t, key);
    while (s && memcmp(s->key, key, THROTTLE_KEY_BYTES) != 0)
        s = s->next_in_bucket;
    return s;
}

static void unlink_age(struct throttle *t, struct seen *s)
{
    *(s->newer ? &s->newer->older : &t->newest) = s->older;
    *(s->older ? &s->older->newer : &t->oldest) = s->newer;
}

static void link_newest(struct throttle *t, struct seen *s)
{
    s->newer = NULL;
    s->older = t->newest;
    *(t->newest ? &t->newest->newer : &t->oldest) = s;
    t->newest = s;
}

static void forget(struct throttle *t, struct seen *s)
{
    struct seen **at = bucket_of(t, s->key);
    while (*at != s)
        at = &(*at)->next_in_bucket;
    *at = s->next_in_bucket;
    unlink_age(t, s);
    free(s);
    t->count--;
}

static struct seen *find_or_add(struct throttle *t, const unsigned char *key, int64_t now_ms)
{
    struct seen *s = find(t, key);
    if (s) {
        unlink_age(t, s);
        link_newest(t, s);
        return s;
    }
    if (t->count >= THROTTLE_CLIENTS_MAX)
        forget(t, t->oldest);
    s = MEM_NEW(struct seen);
    memcpy(s->key, key, THROTTLE_KEY_BYTES);
    s->forgotten_to_ms = now_ms;
    s->next_in_bucket = *bucket_of(t, key);
    *bucket_of(t, key) = s;
    link_newest(t, s);
    t->count++;
    return s;
}

static void pass_time(struct seen *s, int64_t now_ms)
{
    int64_t steps = (now_ms - s->forgotten_to_ms) / THROTTLE_FORGET_MS;
    s->failures = steps >= s->failures ? 0 : s->failures - (unsigned)steps;
    s->forgotten_to_ms += steps * THROTTLE_FORGET_MS;
}

static unsigned seconds_up(int64_t ms)
{
    return (unsigned)((ms + 999) / 1000);
}

unsigned throttle_enter(struct throttle *t, const unsigned char key[THROTTLE_KEY_BYTES], int64_t now_ms)
{
    struct seen *s = find_or_add(t, key, now_ms);
    pass_time(s, now_ms);
    if (s->wait_until_ms > now_ms)
        return seconds_up(s->wait_until_ms - now_ms);
    if (s->under_way >= THROTTLE_AT_ONCE)
        return seconds_up(THROTTLE_FIRST_MS);
    s->under_way++;
    return 0;
}

void throttle_leave(struct throttle *t, const unsigned char key[THROTTLE_KEY_BYTES], int64_t now_ms)
{
    struct seen *s = find(t, key);
    if (!s || s->under_way == 0) /* forgotten meanwhile, for want of room */
        return;
    s->under_way--;
    pass_time(s, now_ms);
    if (s->under_way == 0 && s->failures == 0 && s->wait_until_ms <= now_ms)
        forget(t, s);
}

unsigned throttle_failed(struct throttle *t, const unsigned char key[THROTTLE_KEY_BYTES], uint64_t attempt,
                         unsigned allowed, int64_t now_ms)
{
    struct seen *s = find_or_add(t, key, now_ms);
    pass_time(s, now_ms);
    for (unsigned i = 0; s->failures > 0 && i < ATTEMPTS_KEPT; i++)
        if (s->attempts[i] == attempt)
            return s->wait_until_ms > now_ms ? seconds_up(s->wait_until_ms - now_ms) : 0;
    s->attempts[s->attempt_at++ % ATTEMPTS_KEPT] = attempt;
    s->forgotten_to_ms = now_ms;
    if (++s->failures < allowed)
        return 0;
    unsigned doublings = s->failures - allowed;
    int64_t wait = (int64_t)THROTTLE_FIRST_MS << (doublings > DOUBLINGS_MAX ? DOUBLINGS_MAX : doublings);
    if (wait > THROTTLE_MOST_MS)
        wait = THROTTLE_MOST_MS;
    if (now_ms + wait > s->wait_until_ms)
        s->wait_until_ms = now_ms + wait;
    return seconds_up(s->wait_until_ms - now_ms);
}
