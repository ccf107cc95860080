/* Passwords that were right a moment ago, so that a mail client that opens eight connections or comes every
 * few minutes does not cost Argon2 each time. Kept as keyed hashes over who, the stored hash and the
 * password, under a key that lives in this process alone: a changed password, a removed account or a disabled
 * one never matches. Wrong passwords are not kept. For one thread. */
#ifndef DIRECTORY_VERIFIED_H
#define DIRECTORY_VERIFIED_H
#include "base/str.h"

#define VERIFIED_MS \
    (5 * 60 * 1000) /* mail clients poll every 1 to 5 minutes; never longer, however often used */
#define VERIFIED_TAG_BYTES 32

struct verified;
struct verified *verified_new(void);
void verified_free(struct verified *v);

/* The keyed hash: `who` is the account's address, or what was typed where there is no account. */
void verified_tag(const struct verified *v, struct str who, struct str stored_hash, struct str password,
                  unsigned char tag[VERIFIED_TAG_BYTES]);
bool verified_has(const struct verified *v, const unsigned char tag[VERIFIED_TAG_BYTES], int64_t now_ms);
void verified_add(struct verified *v, const unsigned char tag[VERIFIED_TAG_BYTES], int64_t now_ms);

#endif
