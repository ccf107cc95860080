/* Password hashes: Argon2id of our own, and those that come with accounts from elsewhere. Thread-safe; each
 * call takes tens of milliseconds by design. sodium_init() must have been called. */
#ifndef DIRECTORY_PASSWORD_H
#define DIRECTORY_PASSWORD_H
#include "base/err.h"

#define PASSWORD_MAX      1024 /* bytes; longer ones are wrong. RFC 4616 leaves it open; nobody types this */
#define PASSWORD_HASH_MAX 512  /* of any known format, with its NUL */

/* A new hash of `password`, prepared by SASLprep. ERR_TEMPORARY: no memory. */
bool password_hash(struct str password, char out[PASSWORD_HASH_MAX], struct err *e);

/* `hash` as libsodium or crypt(3) write it ($argon2id$ $argon2i$ $2a$ $2b$ $2y$ $5$ $6$ $y$ $7$ ...), with or
 * without a scheme in front as Dovecot writes it ({ARGON2ID}, {BLF-CRYPT}, {SHA512-CRYPT}, {CRYPT} ...).
 * False for a wrong password and for a hash of no known format. The password is tried as SASLprep prepares it
 * (RFC 4616 section 2), and as it came: hashes from elsewhere were made of that. */
bool password_verify(struct str password, struct str hash);

/* Is this a hash that password_verify can ever be true for? */
bool password_hash_is_known(struct str hash);

#define PASSWORD_GENERATED 20 /* characters */
/* A random password with 100 bits, easy to type: no 0 O 1 l I. */
void password_generate(char out[PASSWORD_GENERATED + 1]);

#endif
