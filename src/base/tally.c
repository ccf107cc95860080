#include "base/tally.h"

#include "base/log.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

/* Some ten thousand clients an hour, each with its network; 8 MiB of addresses, of which only what is used
 * costs memory. */
#define SHARDS 64
#define SETS   128 /* of a shard */
#define WAYS   8

struct entry {
    uint64_t key; /* 0: free */
    int64_t seen_ms;
    int64_t full_us[TALLY_RATES]; /* when the bucket will have run empty */
    int64_t marks[TALLY_MARKS];
    uint32_t held[TALLY_HOLDERS_MAX];
};

struct shard {
    pthread_mutex_t lock; /* robust: who died with it held left numbers that are some */
    uint64_t
        used[SETS / 64]; /* bits: sets that have had an entry. Even reading the others would take memory */
    struct entry (*sets)[WAYS]; /* its own; the table lies at the same address in all processes */
};

struct tally {
    uint64_t secret;
    struct shard shards[SHARDS];
    struct entry sets[SHARDS][SETS][WAYS];
};

struct tally *tally_new(void)
{
    struct tally *t =
        mmap(NULL, sizeof *t, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (t == MAP_FAILED)
        return NULL;
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    for (size_t i = 0; i < SHARDS; i++) {
        pthread_mutex_init(&t->shards[i].lock, &attributes);
        t->shards[i].sets = t->sets[i];
    }
    pthread_mutexattr_destroy(&attributes);
    while (getrandom(&t->secret, sizeof t->secret, 0) != sizeof t->secret)
        continue; /* interrupted */
    return t;
}

void tally_free(struct tally *t)
{
    munmap(t, sizeof *t);
}

static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 32) * UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 29) * UINT64_C(0xd6e8feb86659fd93);
    return x ^ x >> 32;
}

uint64_t tally_key(const struct tally *t, unsigned char kind, const void *bytes, size_t n)
{
    const unsigned char *at = bytes;
    uint64_t key = mix(t->secret ^ kind);
    for (size_t i = 0; i < n; i += 8) {
        uint64_t word = 0;
        memcpy(&word, at + i, n - i < 8 ? n - i : 8);
        key = mix(key ^ word ^ t->secret);
    }
    return key ? key : 1;
}

/* --- entries --- */

static struct shard *lock(struct tally *t, uint64_t key)
{
    struct shard *s = &t->shards[key % SHARDS];
    int error = pthread_mutex_lock(&s->lock);
    if (error == EOWNERDEAD)
        error = pthread_mutex_consistent(&s->lock);
    if (error != 0)
        log_die("tally.lock", "errno %d", error);
    return s;
}

static void unlock(struct shard *s)
{
    pthread_mutex_unlock(&s->lock);
}

static size_t set_of(uint64_t key)
{
    return key / SHARDS % SETS;
}

static bool is_used(const struct shard *s, size_t set)
{
    return s->used[set / 64] >> set % 64 & 1;
}

static struct entry *find(struct shard *s, uint64_t key)
{
    struct entry *set = s->sets[set_of(key)];
    for (size_t i = 0; i < WAYS && is_used(s, set_of(key)); i++)
        if (set[i].key == key)
            return &set[i];
    return NULL;
}

static unsigned held(const struct entry *e)
{
    unsigned sum = 0;
    for (size_t i = 0; i < TALLY_HOLDERS_MAX; i++)
        sum += e->held[i];
    return sum;
}

/* NULL: every place is held. */
static struct entry *find_or_add(struct shard *s, uint64_t key, int64_t now_ms)
{
    struct entry *e = find(s, key), *set = s->sets[set_of(key)];
    s->used[set_of(key) / 64] |= UINT64_C(1) << set_of(key) % 64;
    for (size_t i = 0; i < WAYS && (!e || (e->key != key && e->key != 0)); i++)
        if (set[i].key == 0 || (held(&set[i]) == 0 && (!e || set[i].seen_ms < e->seen_ms)))
            e = &set[i];
    if (e && e->key != key)
        *e = (struct entry){.key = key};
    if (e)
        e->seen_ms = now_ms;
    return e;
}

void tally_join(struct tally *t, unsigned holder)
{
    for (uint64_t i = 0; i < SHARDS; i++) {
        struct shard *s = lock(t, i);
        for (size_t k = 0; k < SETS; k++)
            for (size_t w = 0; w < WAYS && is_used(s, k); w++)
                s->sets[k][w].held[holder % TALLY_HOLDERS_MAX] = 0;
        unlock(s);
    }
}

/* --- counting --- */

bool tally_hold(struct tally *t, unsigned holder, uint64_t key, unsigned max, int64_t now_ms)
{
    struct shard *s = lock(t, key);
    struct entry *e = find_or_add(s, key, now_ms);
    bool may = !e || max == 0 || held(e) < max;
    if (e && may)
        e->held[holder % TALLY_HOLDERS_MAX]++;
    unlock(s);
    return may;
}

void tally_let_go(struct tally *t, unsigned holder, uint64_t key)
{
    struct shard *s = lock(t, key);
    struct entry *e = find(s, key);
    if (e && e->held[holder % TALLY_HOLDERS_MAX] > 0) /* else it had found no room */
        e->held[holder % TALLY_HOLDERS_MAX]--;
    unlock(s);
}

bool tally_take(struct tally *t, uint64_t key, unsigned rate, unsigned amount, struct tally_limit limit,
                int64_t now_ms)
{
    if (limit.count == 0)
        return true;
    int64_t now_us = now_ms * 1000, period_us = (int64_t)limit.period_s * 1000000;
    int64_t cost_us = period_us / limit.count * amount;
    struct shard *s = lock(t, key);
    struct entry *e = find_or_add(s, key, now_ms);
    int64_t from_us = e && e->full_us[rate] > now_us ? e->full_us[rate] : now_us;
    bool may = from_us + cost_us - now_us <= period_us;
    if (e && may)
        e->full_us[rate] = from_us + cost_us;
    unlock(s);
    return may;
}

int64_t tally_mark(struct tally *t, uint64_t key, unsigned which)
{
    struct shard *s = lock(t, key);
    struct entry *e = find(s, key);
    int64_t value = e ? e->marks[which] : 0;
    unlock(s);
    return value;
}

int64_t tally_set_mark(struct tally *t, uint64_t key, unsigned which, int64_t value, int64_t now_ms)
{
    struct shard *s = lock(t, key);
    struct entry *e = find_or_add(s, key, now_ms);
    int64_t before = e ? e->marks[which] : value; /* as if it had been set: nobody must act twice */
    if (e)
        e->marks[which] = value;
    unlock(s);
    return before;
}

/* --- kept --- */

#define SAVED_MAGIC "golub tally 1"
#define LONGEST_MS  ((int64_t)86400 * 1000) /* a bucket runs empty within its period, a day at most */

/* As they lie in memory: a file is for the machine that wrote it. */
struct saved_head {
    char magic[16];
    uint64_t secret;
    int64_t wall_ms; /* when the monotonic clock was 0 */
};
struct saved_entry {
    uint64_t key;
    int64_t seen_ms;
    int64_t full_us[TALLY_RATES];
    int64_t marks[TALLY_MARKS];
};
_Static_assert(sizeof(struct saved_head) == TALLY_SAVED_HEAD, "as the header says");
_Static_assert(SHARDS *SETS *WAYS * sizeof(struct saved_entry) + sizeof(struct saved_head) <= TALLY_SAVED_MAX,
               "room for a full table");

static void save_set(const struct entry set[WAYS], struct buf *out)
{
    for (size_t w = 0; w < WAYS; w++) {
        struct saved_entry e = {.key = set[w].key, .seen_ms = set[w].seen_ms};
        memcpy(e.full_us, set[w].full_us, sizeof e.full_us);
        memcpy(e.marks, set[w].marks, sizeof e.marks);
        if (e.key != 0)
            buf_add(out, str_from(&e, sizeof e));
    }
}

void tally_save(const struct tally *t, struct buf *out, int64_t now_ms, int64_t wall_ms)
{
    struct saved_head head = {.magic = SAVED_MAGIC, .secret = t->secret, .wall_ms = wall_ms - now_ms};
    buf_add(out, str_from(&head, sizeof head));
    for (size_t i = 0; i < SHARDS; i++)
        for (size_t k = 0; k < SETS; k++)
            if (is_used(&t->shards[i], k)) /* not by its `sets`: that is a pointer that others can write */
                save_set(t->sets[i][k], out);
}

/* A moment of the clock that has been, as one of ours; what cannot be is now. */
static int64_t moved(int64_t at, int64_t by, int64_t now, int64_t ahead)
{
    int64_t there;
    return __builtin_add_overflow(at, by, &there) || there > now + ahead ? now : there;
}

static void restore_entry(struct tally *t, const struct saved_entry *saved, int64_t by_ms, int64_t now_ms)
{
    struct shard *s = &t->shards[saved->key % SHARDS];
    struct entry *e = find_or_add(s, saved->key, moved(saved->seen_ms, by_ms, now_ms, 0));
    if (!e)
        return;
    for (size_t i = 0; i < TALLY_RATES; i++)
        if (saved->full_us[i] != 0)
            e->full_us[i] = moved(saved->full_us[i], by_ms * 1000, now_ms * 1000, LONGEST_MS * 1000);
    memcpy(e->marks, saved->marks, sizeof e->marks);
}

bool tally_restore(struct tally *t, struct str saved, int64_t now_ms, int64_t wall_ms)
{
    struct saved_head head;
    struct saved_entry e;
    int64_t by_ms;
    if (saved.n < sizeof head || (saved.n - sizeof head) % sizeof e != 0 || saved.n > TALLY_SAVED_MAX)
        return false;
    memcpy(&head, saved.p, sizeof head);
    if (memcmp(head.magic, SAVED_MAGIC, sizeof SAVED_MAGIC) != 0 ||
        __builtin_sub_overflow(head.wall_ms, wall_ms - now_ms, &by_ms) || by_ms > INT64_MAX / 1000 ||
        by_ms < INT64_MIN / 1000)
        return false;
    t->secret = head.secret;
    for (size_t at = sizeof head; at < saved.n; at += sizeof e) {
        memcpy(&e, saved.p + at, sizeof e);
        if (e.key != 0)
            restore_entry(t, &e, by_ms, now_ms);
    }
    return true;
}
