#include "directory/scram.h"

#include "base/mem.h"
#include "sasl/prepare.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define SCHEME        "SCRAM-SHA-256$"
#define PREPARED_MAX  ((size_t)16 * 1024)
#define FIRST_BLOCK   "\0\0\0\1" /* PBKDF2's INT(1): one block is all of the key */
#define ITERATIONS_OK 10000000   /* more is no number that anybody chose */

typedef crypto_auth_hmacsha256_state hmac_state;

static void hmac(struct str key, struct str message, unsigned char out[SCRAM_KEY_BYTES])
{
    hmac_state state;
    crypto_auth_hmacsha256_init(&state, (const unsigned char *)key.p, key.n);
    crypto_auth_hmacsha256_update(&state, (const unsigned char *)message.p, message.n);
    crypto_auth_hmacsha256_final(&state, out);
    mem_wipe(&state, sizeof state);
}

static struct str key_str(const unsigned char key[SCRAM_KEY_BYTES])
{
    return str_from(key, SCRAM_KEY_BYTES);
}

static void hash(const unsigned char in[SCRAM_KEY_BYTES], unsigned char out[SCRAM_KEY_BYTES])
{
    crypto_hash_sha256(out, in, SCRAM_KEY_BYTES);
}

/* Hi() of RFC 5802 section 2.2: PBKDF2 of one block. The keyed state is made once and copied. */
static void stretch(struct str password, const unsigned char *salt, uint32_t iterations,
                    unsigned char out[SCRAM_KEY_BYTES])
{
    hmac_state keyed, state;
    unsigned char u[SCRAM_KEY_BYTES];
    crypto_auth_hmacsha256_init(&keyed, (const unsigned char *)password.p, password.n);
    state = keyed;
    crypto_auth_hmacsha256_update(&state, salt, SCRAM_SALT_BYTES);
    crypto_auth_hmacsha256_update(&state, (const unsigned char *)FIRST_BLOCK, 4);
    crypto_auth_hmacsha256_final(&state, u);
    memcpy(out, u, sizeof u);
    for (uint32_t i = 1; i < iterations; i++) {
        state = keyed;
        crypto_auth_hmacsha256_update(&state, u, sizeof u);
        crypto_auth_hmacsha256_final(&state, u);
        for (size_t k = 0; k < sizeof u; k++)
            out[k] ^= u[k];
    }
    mem_wipe(&keyed, sizeof keyed);
    mem_wipe(&state, sizeof state);
    mem_wipe(u, sizeof u);
}

void scram_derive(struct str password, const unsigned char salt[SCRAM_SALT_BYTES], uint32_t iterations,
                  struct scram_verifier *out)
{
    unsigned char salted[SCRAM_KEY_BYTES], client_key[SCRAM_KEY_BYTES];
    CLEAN_BUF struct buf prepared;
    buf_init(&prepared, PREPARED_MAX);
    buf_room(&prepared, password.n < PREPARED_MAX ? password.n : PREPARED_MAX);
    sasl_prepare(password, &prepared);
    stretch(buf_str(&prepared), salt, iterations, salted);
    *out = (struct scram_verifier){.iterations = iterations};
    memcpy(out->salt, salt, SCRAM_SALT_BYTES);
    hmac(key_str(salted), STR("Client Key"), client_key);
    hash(client_key, out->stored_key);
    hmac(key_str(salted), STR("Server Key"), out->server_key);
    mem_wipe(salted, sizeof salted);
    mem_wipe(client_key, sizeof client_key);
    if (prepared.p)
        mem_wipe(prepared.p, prepared.cap);
}

void scram_salt(const unsigned char key[SCRAM_KEY_BYTES], struct str name,
                unsigned char salt[SCRAM_SALT_BYTES])
{
    unsigned char whole[SCRAM_KEY_BYTES];
    hmac(key_str(key), name, whole);
    memcpy(salt, whole, SCRAM_SALT_BYTES);
}

void scram_nobody(const unsigned char key[SCRAM_KEY_BYTES], struct str name, struct scram_verifier *out)
{
    *out = (struct scram_verifier){.iterations = SCRAM_ITERATIONS};
    scram_salt(key, name, out->salt);
    randombytes_buf(out->stored_key, sizeof out->stored_key);
    randombytes_buf(out->server_key, sizeof out->server_key);
}

void scram_verifier_write(const struct scram_verifier *v, char text[SCRAM_VERIFIER_MAX])
{
    CLEAN_BUF struct buf out;
    buf_init(&out, SCRAM_VERIFIER_MAX - 1);
    buf_addf(&out, SCHEME "%u:", v->iterations);
    buf_add_base64(&out, str_from(v->salt, sizeof v->salt));
    buf_add_byte(&out, '$');
    buf_add_base64(&out, key_str(v->stored_key));
    buf_add_byte(&out, ':');
    buf_add_base64(&out, key_str(v->server_key));
    snprintf(text, SCRAM_VERIFIER_MAX, "%.*s", STR_ARGS(buf_str(&out)));
}

static bool take_bytes(struct str *rest, char end, unsigned char *to, size_t n)
{
    CLEAN_BUF struct buf bytes;
    struct str text;
    buf_init(&bytes, SCRAM_VERIFIER_MAX);
    str_cut(rest, end, &text);
    if (!buf_add_base64_decoded(&bytes, text) || bytes.n != n)
        return false;
    memcpy(to, bytes.p, n);
    return true;
}

bool scram_verifier_read(struct str text, struct scram_verifier *out)
{
    struct str rest = text, iterations;
    if (!str_starts(rest, STR(SCHEME)))
        return false;
    rest = str_from_offset(rest, STR(SCHEME).n);
    return str_cut(&rest, ':', &iterations) && str_to_u32(iterations, &out->iterations) &&
           out->iterations > 0 && out->iterations <= ITERATIONS_OK &&
           take_bytes(&rest, '$', out->salt, sizeof out->salt) &&
           take_bytes(&rest, ':', out->stored_key, sizeof out->stored_key) &&
           take_bytes(&rest, '\0', out->server_key, sizeof out->server_key) && rest.n == 0;
}

/* ClientKey = ClientProof XOR HMAC(StoredKey, AuthMessage), and its hash must be StoredKey. */
bool scram_check(const struct scram_verifier *v, struct str auth_message,
                 const unsigned char proof[SCRAM_KEY_BYTES], unsigned char signature[SCRAM_KEY_BYTES])
{
    unsigned char key[SCRAM_KEY_BYTES], hashed[SCRAM_KEY_BYTES];
    hmac(key_str(v->stored_key), auth_message, key);
    for (size_t i = 0; i < sizeof key; i++)
        key[i] ^= proof[i];
    hash(key, hashed);
    mem_wipe(key, sizeof key); /* with it one could log in */
    hmac(key_str(v->server_key), auth_message, signature);
    return sodium_memcmp(hashed, v->stored_key, sizeof hashed) == 0;
}
