#include "directory/srs.h"

#include "base/buf.h"
#include "directory/directory.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#define SHA1_BYTES    20
#define DAY_SECONDS   86400
#define STAMP_DAYS    1024           /* two digits of 32: it comes round after not quite three years */
#define HASH_LEAST    4              /* characters of a hash that we look at */
#define HASHED_MAX    ((size_t)2048) /* two addresses */
#define HASH_TEXT_MAX 28             /* base64 of SHA1_BYTES */

static const char DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/* --- the parts --- */

/* HMAC-SHA1 over the lower-case parts, as libsrs2 does it. */
static struct str hash(const struct srs *s, const struct str *parts, size_t n, struct arena *a)
{
    CLEAN_BUF struct buf data, text;
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    buf_init(&data, HASHED_MAX);
    buf_init(&text, HASH_TEXT_MAX);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < parts[i].n; k++)
            buf_add_byte(&data, ascii_lower(parts[i].p[k]));
    if (data.overflow ||
        !HMAC(EVP_sha1(), s->key.p, (int)s->key.n, (const unsigned char *)data.p, data.n, digest, &size))
        return STR("");
    buf_add_base64(&text, str_from(digest, size));
    return arena_copy(a, str_slice(buf_str(&text), 0, s->hash_chars));
}

static bool is_hash(const struct srs *s, struct str given, const struct str *parts, size_t n, struct arena *a)
{
    return given.n >= HASH_LEAST && str_eq_nocase(given, hash(s, parts, n, a));
}

static unsigned day(const struct srs *s)
{
    return (unsigned)(s->now / DAY_SECONDS % STAMP_DAYS);
}

static bool read_digit(char c, unsigned *value)
{
    size_t at = str_find_byte(STR("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"), ascii_upper(c));
    *value = (unsigned)at;
    return at != STR_NONE;
}

static bool is_fresh(const struct srs *s, struct str stamp)
{
    unsigned high, low;
    if (stamp.n != 2 || !read_digit(stamp.p[0], &high) || !read_digit(stamp.p[1], &low))
        return false;
    return (day(s) + STAMP_DAYS - (high * 32 + low)) % STAMP_DAYS <= SRS_DAYS;
}

/* "SRS0", one of the separators that are in use, and something behind it. */
static bool starts_as(struct str local, struct str tag)
{
    return local.n > tag.n + 1 && str_starts_nocase(local, tag) &&
           (local.p[tag.n] == '=' || local.p[tag.n] == '+' || local.p[tag.n] == '-');
}

#define TAG_BYTES 4 /* "SRS0" */

/* SRS1's HASH=HOST=REST; REST begins with the separator that stood behind SRS0. */
static bool take_guarded(struct str local, struct str *given, struct str *host, struct str *rest)
{
    *rest = str_from_offset(local, TAG_BYTES + 1);
    return str_cut(rest, '=', given) && str_cut(rest, '=', host) && host->n > 0 && rest->n > 1;
}

/* --- there --- */

static struct str guard(const struct srs *s, struct str host, struct str rest, struct str domain,
                        struct arena *a)
{
    struct str parts[] = {host, rest};
    return arena_printf(a, "SRS1=%.*s=%.*s=%.*s@%.*s", STR_ARGS(hash(s, parts, 2, a)), STR_ARGS(host),
                        STR_ARGS(rest), STR_ARGS(domain));
}

static struct str shortcut(const struct srs *s, struct str host, struct str user, struct str domain,
                           struct arena *a)
{
    const char stamp[2] = {DIGITS[day(s) / 32], DIGITS[day(s) % 32]};
    struct str parts[] = {str_from(stamp, 2), host, user};
    return arena_printf(a, "SRS0=%.*s=%.2s=%.*s=%.*s@%.*s", STR_ARGS(hash(s, parts, 3, a)), stamp,
                        STR_ARGS(host), STR_ARGS(user), STR_ARGS(domain));
}

/* No address that may stand in a command. */
static bool has_controls(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < ' ' || s.p[i] == 127)
            return true;
    return false;
}

bool srs_forward(const struct srs *s, struct str sender, struct str domain, struct arena *a, struct str *out)
{
    size_t at = str_rfind_byte(sender, '@');
    if (at == STR_NONE || at == 0 || at + 1 == sender.n || sender.n > ADDRESS_MAX || has_controls(sender))
        return false;
    struct str local = str_slice(sender, 0, at), host = str_from_offset(sender, at + 1), given, first, rest;
    if (str_find_byte(host, '=') != STR_NONE) /* no domain has one, and there it ends on the way back */
        return false;
    if (starts_as(local, STR("SRS1")) && take_guarded(local, &given, &first, &rest))
        *out = guard(s, first, rest, domain, a);
    else if (starts_as(local, STR("SRS0")))
        *out = guard(s, host, str_from_offset(local, TAG_BYTES), domain, a);
    else
        *out = shortcut(s, host, local, domain, a);
    return out->n <= ADDRESS_MAX;
}

/* --- and back --- */

static enum srs_result unguard(const struct srs *s, struct str local, struct arena *a, struct str *out)
{
    struct str given, host, rest;
    if (!take_guarded(local, &given, &host, &rest))
        return SRS_FORGED;
    struct str parts[] = {host, rest};
    if (!is_hash(s, given, parts, 2, a))
        return SRS_FORGED;
    *out = arena_printf(a, "SRS0%.*s@%.*s", STR_ARGS(rest), STR_ARGS(host));
    return SRS_GOOD;
}

static enum srs_result undo_shortcut(const struct srs *s, struct str local, struct arena *a, struct str *out)
{
    struct str user = str_from_offset(local, TAG_BYTES + 1), given, stamp, host;
    if (!str_cut(&user, '=', &given) || !str_cut(&user, '=', &stamp) || !str_cut(&user, '=', &host) ||
        host.n == 0 || user.n == 0)
        return SRS_FORGED;
    struct str parts[] = {stamp, host, user};
    if (!is_hash(s, given, parts, 3, a))
        return SRS_FORGED;
    *out = arena_printf(a, "%.*s@%.*s", STR_ARGS(user), STR_ARGS(host));
    return is_fresh(s, stamp) ? SRS_GOOD : SRS_EXPIRED;
}

enum srs_result srs_reverse(const struct srs *s, struct str local, struct arena *a, struct str *out)
{
    *out = STR("");
    if (local.n > ADDRESS_MAX || has_controls(local))
        return SRS_NONE;
    if (starts_as(local, STR("SRS1")))
        return unguard(s, local, a, out);
    return starts_as(local, STR("SRS0")) ? undo_shortcut(s, local, a, out) : SRS_NONE;
}
