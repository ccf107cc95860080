#include "login/voucher.h"

#include <sodium.h>

_Static_assert(VOUCHER_BYTES == crypto_auth_BYTES && VOUCHER_KEY_BYTES == crypto_auth_KEYBYTES,
               "sizes of crypto_auth");

void voucher_make_key(unsigned char key[VOUCHER_KEY_BYTES])
{
    randombytes_buf(key, VOUCHER_KEY_BYTES);
}

/* The wire form of all but the voucher itself. */
static void seal(const struct connection *c, const unsigned char *key, unsigned char voucher[VOUCHER_BYTES])
{
    struct connection plain = *c;
    CLEAN_FRAME struct ipc_frame f;
    ipc_frame_init(&f, 0);
    plain.has_voucher = false;
    connection_put(&f, &plain);
    struct str bytes = buf_str(&f.payload);
    crypto_auth(voucher, (const unsigned char *)bytes.p, bytes.n, key);
}

void voucher_put(struct connection *c, const unsigned char key[VOUCHER_KEY_BYTES])
{
    seal(c, key, c->voucher);
    c->has_voucher = true;
}

bool voucher_is_good(const struct connection *c, const unsigned char key[VOUCHER_KEY_BYTES])
{
    unsigned char right[VOUCHER_BYTES];
    seal(c, key, right);
    return c->has_voucher && sodium_memcmp(right, c->voucher, sizeof right) == 0;
}
