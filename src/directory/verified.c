#include "directory/verified.h"

#include "base/mem.h"

#include <sodium.h>
#include <string.h>

/* A table of fixed size: a tag has WAYS places, and a new one takes that of the oldest. Pages that are not
 * used cost nothing. */
#define SETS 4096
#define WAYS 4

struct place {
    unsigned char tag[VERIFIED_TAG_BYTES];
    int64_t until_ms; /* 0: free */
};

struct verified {
    unsigned char secret[crypto_generichash_KEYBYTES];
    struct place *places; /* SETS * WAYS */
};

struct verified *verified_new(void)
{
    struct verified *v = MEM_NEW(struct verified);
    randombytes_buf(v->secret, sizeof v->secret);
    v->places = mem_new(SETS * WAYS, sizeof *v->places);
    return v;
}

void verified_free(struct verified *v)
{
    mem_wipe(v->secret, sizeof v->secret);
    free(v->places);
    free(v);
}

static void add_part(crypto_generichash_state *hash, struct str part)
{
    uint64_t n = part.n; /* so that no two lists of parts are the same bytes */
    crypto_generichash_update(hash, (const unsigned char *)&n, sizeof n);
    crypto_generichash_update(hash, (const unsigned char *)part.p, part.n);
}

void verified_tag(const struct verified *v, struct str who, struct str stored_hash, struct str password,
                  unsigned char tag[VERIFIED_TAG_BYTES])
{
    crypto_generichash_state hash;
    crypto_generichash_init(&hash, v->secret, sizeof v->secret, VERIFIED_TAG_BYTES);
    add_part(&hash, who);
    add_part(&hash, stored_hash);
    add_part(&hash, password);
    crypto_generichash_final(&hash, tag, VERIFIED_TAG_BYTES);
    mem_wipe(&hash, sizeof hash);
}

static struct place *set_of(const struct verified *v, const unsigned char *tag)
{
    return &v->places[((unsigned)tag[0] << 8 | tag[1]) % SETS * WAYS];
}

bool verified_has(const struct verified *v, const unsigned char tag[VERIFIED_TAG_BYTES], int64_t now_ms)
{
    const struct place *set = set_of(v, tag);
    for (size_t i = 0; i < WAYS; i++)
        if (set[i].until_ms > now_ms && sodium_memcmp(set[i].tag, tag, VERIFIED_TAG_BYTES) == 0)
            return true;
    return false;
}

void verified_add(struct verified *v, const unsigned char tag[VERIFIED_TAG_BYTES], int64_t now_ms)
{
    struct place *set = set_of(v, tag), *oldest = set;
    for (size_t i = 1; i < WAYS; i++)
        if (set[i].until_ms < oldest->until_ms)
            oldest = &set[i];
    memcpy(oldest->tag, tag, VERIFIED_TAG_BYTES);
    oldest->until_ms = now_ms + VERIFIED_MS;
}
