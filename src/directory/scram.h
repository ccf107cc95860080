/* SCRAM-SHA-256's verifiers (RFC 5802 section 3): what is kept of a password so that its owner can prove to
 * know it, and we to them. Whoever steals one can guess passwords against it, as against a hash. Pure;
 * thread-safe once sodium_init() was called. */
#ifndef DIRECTORY_SCRAM_H
#define DIRECTORY_SCRAM_H
#include "sasl/scram.h"

/* A client works this out at each login: some 15 ms of a computer, 100 ms of an old telephone. RFC 7677
 * section 4 asks for 4096 at least; Cyrus SASL's clients take 65536 at most. */
#define SCRAM_ITERATIONS   32768
#define SCRAM_SALT_BYTES   16
#define SCRAM_VERIFIER_MAX 192 /* of the text, with its NUL */

struct scram_verifier {
    uint32_t iterations;
    unsigned char salt[SCRAM_SALT_BYTES];
    unsigned char stored_key[SCRAM_KEY_BYTES], server_key[SCRAM_KEY_BYTES];
};

/* `password` is prepared first (sasl/prepare.h). Takes tens of milliseconds. */
void scram_derive(struct str password, const unsigned char salt[SCRAM_SALT_BYTES], uint32_t iterations,
                  struct scram_verifier *out);

/* The salt of a user, whether or not there is such a user, so that nobody learns which (RFC 5802 section 9):
 * made from the name under a key that this directory alone has. */
void scram_salt(const unsigned char key[SCRAM_KEY_BYTES], struct str name,
                unsigned char salt[SCRAM_SALT_BYTES]);
/* A verifier that no proof fits, with that salt. */
void scram_nobody(const unsigned char key[SCRAM_KEY_BYTES], struct str name, struct scram_verifier *out);

/* The text that is stored, of RFC 5803: SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey. */
void scram_verifier_write(const struct scram_verifier *v, char text[SCRAM_VERIFIER_MAX]);
bool scram_verifier_read(struct str text, struct scram_verifier *out);

/* Whether `proof` is that of who knows the password; then *signature is ours. */
bool scram_check(const struct scram_verifier *v, struct str auth_message,
                 const unsigned char proof[SCRAM_KEY_BYTES], unsigned char signature[SCRAM_KEY_BYTES]);

#endif
