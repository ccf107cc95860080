#include "directory/password.h"

#include "base/mem.h"
#include "sasl/prepare.h"

#include <crypt.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

/* OWASP's Argon2id choice with the least work that still counts as strong: 19 MiB and two passes
 * (cheatsheetseries.owasp.org, Password Storage). About 20 ms of a core; the login throttle does the rest. */
#define ARGON2_MEMORY ((size_t)19 * 1024 * 1024)
#define ARGON2_PASSES 2

static const struct str SCHEMES[] = {
    STR_INIT("{CRYPT}"),        STR_INIT("{ARGON2ID}"),     STR_INIT("{ARGON2I}"),   STR_INIT("{BLF-CRYPT}"),
    STR_INIT("{SHA512-CRYPT}"), STR_INIT("{SHA256-CRYPT}"), STR_INIT("{MD5-CRYPT}"),
};
static const struct str ARGON2_PREFIXES[] = {STR_INIT("$argon2id$"), STR_INIT("$argon2i$")};
static const struct str CRYPT_PREFIXES[] = {
    STR_INIT("$y$"),  STR_INIT("$gy$"), STR_INIT("$7$"), STR_INIT("$2a$"), STR_INIT("$2b$"),
    STR_INIT("$2y$"), STR_INIT("$6$"),  STR_INIT("$5$"), STR_INIT("$1$"),
};

static struct str without_scheme(struct str hash)
{
    for (size_t i = 0; i < sizeof SCHEMES / sizeof SCHEMES[0]; i++)
        if (str_starts_nocase(hash, SCHEMES[i]))
            return str_from_offset(hash, SCHEMES[i].n);
    return hash;
}

static bool starts_with_any(struct str hash, const struct str *prefixes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (str_starts(hash, prefixes[i]))
            return true;
    return false;
}

static bool is_argon2(struct str hash)
{
    return starts_with_any(hash, ARGON2_PREFIXES, sizeof ARGON2_PREFIXES / sizeof ARGON2_PREFIXES[0]);
}

static bool is_crypt(struct str hash)
{
    return starts_with_any(hash, CRYPT_PREFIXES, sizeof CRYPT_PREFIXES / sizeof CRYPT_PREFIXES[0]);
}

bool password_hash_is_known(struct str hash)
{
    hash = without_scheme(hash);
    for (size_t i = 0; i < hash.n; i++)
        if (hash.p[i] <= ' ' || hash.p[i] > '~')
            return false;
    return hash.n < PASSWORD_HASH_MAX && (is_argon2(hash) || is_crypt(hash));
}

#define PREPARED_MAX ((size_t)16 * 1024) /* a password of the longest prepares to no more in any language */

static void prepare(struct str password, struct buf *prepared)
{
    buf_init(prepared, PREPARED_MAX);
    sasl_prepare(password, prepared);
}

static void forget(struct buf *prepared)
{
    if (prepared->p)
        mem_wipe(prepared->p, prepared->cap);
    buf_free(prepared);
}

bool password_hash(struct str password, char out[PASSWORD_HASH_MAX], struct err *e)
{
    char hash[crypto_pwhash_STRBYTES];
    struct buf prepared;
    if (password.n == 0 || password.n > PASSWORD_MAX)
        return err_set(e, ERR_PERMANENT, "a password has 1 to %d bytes", PASSWORD_MAX);
    prepare(password, &prepared);
    bool fits = prepared.n <= PASSWORD_MAX;
    bool good = fits && crypto_pwhash_str_alg(hash, prepared.p, prepared.n, ARGON2_PASSES, ARGON2_MEMORY,
                                              crypto_pwhash_ALG_ARGON2ID13) == 0;
    forget(&prepared);
    if (!fits)
        return err_set(e, ERR_PERMANENT, "the password is longer than %d bytes when prepared", PASSWORD_MAX);
    if (!good)
        return err_set(e, ERR_TEMPORARY, "no memory to hash a password (%zu MiB)", ARGON2_MEMORY >> 20);
    snprintf(out, PASSWORD_HASH_MAX, "%s", hash);
    return true;
}

/* crypt_data is 32 KiB: too much for a small thread stack. */
static bool verify_crypt(const char *password, const char *hash)
{
    struct crypt_data *data = MEM_NEW(struct crypt_data);
    const char *made = crypt_rn(password, hash, data, (int)sizeof *data);
    bool good = made && strlen(made) == strlen(hash) && sodium_memcmp(made, hash, strlen(hash)) == 0;
    mem_wipe(data, sizeof *data);
    free(data);
    return good;
}

static bool verify(struct str password, struct str hash)
{
    char stored[PASSWORD_HASH_MAX], typed[PASSWORD_MAX + 1];
    if (password.n == 0 || password.n > PASSWORD_MAX)
        return false;
    memcpy(stored, hash.p, hash.n);
    stored[hash.n] = '\0';
    if (is_argon2(hash))
        return crypto_pwhash_str_verify(stored, password.p, password.n) == 0;
    if (str_find_byte(password, '\0') != STR_NONE)
        return false;
    memcpy(typed, password.p, password.n);
    typed[password.n] = '\0';
    bool good = verify_crypt(typed, stored);
    mem_wipe(typed, sizeof typed);
    return good;
}

bool password_verify(struct str password, struct str hash)
{
    struct buf prepared;
    if (!password_hash_is_known(hash) || password.n > PASSWORD_MAX)
        return false;
    hash = without_scheme(hash);
    prepare(password, &prepared);
    bool good =
        verify(buf_str(&prepared), hash) || (!str_eq(buf_str(&prepared), password) && verify(password, hash));
    forget(&prepared);
    return good;
}

void password_generate(char out[PASSWORD_GENERATED + 1])
{
    static const char LETTERS[32] = {'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k',
                                     'm', 'n', 'p', 'q', 'r', 's', 't', 'u', 'v', 'w', 'x',
                                     'y', 'z', '2', '3', '4', '5', '6', '7', '8', '9'};
    for (size_t i = 0; i < PASSWORD_GENERATED; i++)
        out[i] = LETTERS[randombytes_uniform(sizeof LETTERS)];
    out[PASSWORD_GENERATED] = '\0';
}
