/* Names of mailboxes: RFC 9051 section 5.1, in the form of RFC 5198 (Net-Unicode). */
#include "mailbox/internal.h"
#include "message/decode.h"

#include <unicode/unorm2.h>
#include <unicode/ustring.h>

#define INBOX_NAME     STR("INBOX")
/* UTF-16 units of a name while it is normalized: NFC makes at most three of one (UAX #15). */
#define NAME_UNITS_MAX (3 * MAILBOX_NAME_MAX)

static enum store_result invalid(struct err *e, const char *why)
{
    err_set(e, ERR_PERMANENT, "a mailbox name %s", why);
    return STORE_INVALID;
}

static bool is_ascii(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] >= 0x80)
            return false;
    return true;
}

/* C0, DEL, C1 (0xC2 0x80-0x9F), and the separators U+2028 and U+2029 (0xE2 0x80 0xA8-0xA9). */
static bool has_controls(struct str s)
{
    const unsigned char *p = (const unsigned char *)s.p;
    for (size_t i = 0; i < s.n; i++) {
        if (p[i] < 0x20 || p[i] == 0x7f)
            return true;
        if (p[i] == 0xc2 && i + 1 < s.n && p[i + 1] < 0xa0)
            return true;
        if (p[i] == 0xe2 && i + 2 < s.n && p[i + 1] == 0x80 && (p[i + 2] == 0xa8 || p[i + 2] == 0xa9))
            return true;
    }
    return false;
}

/* `in` is valid UTF-8 of at most MAILBOX_NAME_MAX bytes. */
static enum store_result to_nfc(struct str in, struct arena *a, struct str *out, struct err *e)
{
    UChar wide[MAILBOX_NAME_MAX], normal[NAME_UNITS_MAX];
    int32_t wide_n = 0, normal_n = 0, n = 0;
    UErrorCode code = U_ZERO_ERROR;
    const UNormalizer2 *nfc = unorm2_getNFCInstance(&code);
    u_strFromUTF8(wide, MAILBOX_NAME_MAX, &wide_n, in.p, (int32_t)in.n, &code);
    if (U_SUCCESS(code))
        normal_n = unorm2_normalize(nfc, wide, wide_n, normal, NAME_UNITS_MAX, &code);
    char *bytes = ARENA_ARRAY(a, char, NAME_UNITS_MAX * 3);
    if (U_SUCCESS(code))
        u_strToUTF8(bytes, NAME_UNITS_MAX * 3, &n, normal, normal_n, &code);
    if (U_FAILURE(code))
        return invalid(e, "must be valid Unicode");
    *out = str_from(bytes, (size_t)n);
    return STORE_OK;
}

static enum store_result check_components(struct str name, struct err *e)
{
    size_t depth = 0;
    for (struct str rest = name, part; rest.n > 0 || depth == 0; depth++) {
        struct str all = rest;
        bool more = str_cut(&rest, MAILBOX_DELIMITER, &part);
        if (!more)
            part = all;
        if (part.n == 0 || (more && rest.n == 0))
            return invalid(e, "must not have an empty level");
    }
    if (depth > MAILBOX_DEPTH_MAX) {
        err_set(e, ERR_PERMANENT, "mailboxes are nested at most %d deep", MAILBOX_DEPTH_MAX);
        return STORE_LIMIT;
    }
    return STORE_OK;
}

/* INBOX is the one name that knows no case (RFC 9051 section 5.1); as a parent it is the same mailbox. */
static struct str spell_inbox(struct str name, struct arena *a)
{
    struct str in = INBOX_NAME;
    if (!str_starts_nocase(name, in) || (name.n > in.n && name.p[in.n] != MAILBOX_DELIMITER))
        return name;
    struct str rest = str_from_offset(name, in.n);
    return arena_printf(a, "%.*s%.*s", STR_ARGS(in), STR_ARGS(rest));
}

static enum store_result too_long(struct err *e)
{
    err_set(e, ERR_PERMANENT, "a mailbox name has at most %d bytes", MAILBOX_NAME_MAX);
    return STORE_LIMIT;
}

enum store_result name_normal(struct str in, struct arena *a, struct str *out, struct err *e)
{
    if (in.n > MAILBOX_NAME_MAX)
        return too_long(e);
    if (in.n > 1 && in.p[in.n - 1] == MAILBOX_DELIMITER)
        in.n--;
    if (in.n == 0)
        return invalid(e, "must not be empty");
    if (!decode_is_utf8(in))
        return invalid(e, "must be UTF-8");
    if (has_controls(in))
        return invalid(e, "must not have control characters");
    enum store_result r = check_components(in, e);
    if (r == STORE_OK && !is_ascii(in))
        r = to_nfc(in, a, &in, e);
    if (r != STORE_OK)
        return r;
    if (in.n > MAILBOX_NAME_MAX)
        return too_long(e);
    *out = spell_inbox(in, a);
    return STORE_OK;
}

bool name_parent(struct str name, struct str *parent)
{
    size_t at = str_rfind_byte(name, MAILBOX_DELIMITER);
    if (at == STR_NONE)
        return false;
    *parent = str_slice(name, 0, at);
    return true;
}

size_t name_characters(struct str name)
{
    size_t n = 0;
    for (size_t i = 0; i < name.n; i++)
        n += ((unsigned char)name.p[i] & 0xc0) != 0x80; /* not a continuation byte */
    return n;
}
