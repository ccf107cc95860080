#include "directory/address.h"

#include "base/log.h"

#include <pthread.h>
#include <unicode/uidna.h>
#include <unicode/unorm2.h>
#include <unicode/ustring.h>

#define LABEL_MAX 63                   /* RFC 1035 section 2.3.4 */
#define FOLD_MAX  (4 * LOCAL_PART_MAX) /* UTF-16 units: a folded character is at most three, NFC adds none */

static pthread_once_t icu_once = PTHREAD_ONCE_INIT;
static UIDNA *idna;
static const UNormalizer2 *nfc;

static void icu_open(void)
{
    UErrorCode status = U_ZERO_ERROR;
    idna = uidna_openUTS46(UIDNA_NONTRANSITIONAL_TO_ASCII | UIDNA_CHECK_BIDI | UIDNA_CHECK_CONTEXTJ |
                               UIDNA_USE_STD3_RULES,
                           &status);
    nfc = unorm2_getNFCInstance(&status);
    if (U_FAILURE(status))
        log_die("icu.broken", "ICU does not load its tables: %s; reinstall libicu", u_errorName(status));
}

void directory_address_init(void)
{
    pthread_once(&icu_once, icu_open);
}

static bool is_ascii(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] > 127)
            return false;
    return true;
}

static struct str lower(struct str s, struct arena *a)
{
    char *copy = arena_new(a, s.n + 1, 1);
    for (size_t i = 0; i < s.n; i++)
        copy[i] = ascii_lower(s.p[i]);
    return str_from(copy, s.n);
}

/* Letters, digits, hyphens (RFC 1123 section 2.1), and the underscore that some real mail domains have. */
static bool is_label(struct str label)
{
    if (label.n == 0 || label.n > LABEL_MAX || label.p[0] == '-' || label.p[label.n - 1] == '-')
        return false;
    for (size_t i = 0; i < label.n; i++)
        if (!ascii_is_alpha(label.p[i]) && !ascii_is_digit(label.p[i]) && label.p[i] != '-' &&
            label.p[i] != '_')
            return false;
    return true;
}

static bool is_host_name(struct str name)
{
    struct str rest = name, label;
    bool more;
    if (name.n == 0 || name.n > DOMAIN_MAX)
        return false;
    do {
        more = str_cut(&rest, '.', &label);
        if (!is_label(label))
            return false;
    } while (more);
    return true;
}

static bool is_literal(struct str s)
{
    if (s.n < 3 || s.n > DOMAIN_MAX || s.p[0] != '[' || s.p[s.n - 1] != ']')
        return false;
    for (size_t i = 1; i < s.n - 1; i++)
        if ((unsigned char)s.p[i] <= ' ' || (unsigned char)s.p[i] > 126 || s.p[i] == '[' || s.p[i] == ']')
            return false;
    return true;
}

bool directory_domain_read(struct str domain, struct arena *a, struct str *out, struct err *e)
{
    if (domain.n > 4 * DOMAIN_MAX) /* U-labels may be longer than their A-labels, but not by more */
        return err_set(e, ERR_PERMANENT, "a domain of %zu bytes is too long", domain.n);
    if (!is_ascii(domain)) {
        char ascii[DOMAIN_MAX + 2];
        UIDNAInfo info = UIDNA_INFO_INITIALIZER;
        UErrorCode status = U_ZERO_ERROR;
        directory_address_init();
        int32_t n = uidna_nameToASCII_UTF8(idna, domain.p, (int32_t)domain.n, ascii, (int32_t)sizeof ascii,
                                           &info, &status);
        if (U_FAILURE(status) || info.errors != 0 || n <= 0)
            return err_set(e, ERR_PERMANENT, "\"%.*s\" is not a domain name (IDNA)", STR_ARGS(domain));
        *out = lower(str_from(ascii, (size_t)n), a);
    } else {
        *out = lower(domain, a);
    }
    if (!is_host_name(*out) && !is_literal(*out))
        return err_set(e, ERR_PERMANENT, "\"%.*s\" is not a domain name", STR_ARGS(domain));
    return true;
}

/* Canonical caseless matching (Unicode section 3.13, D145) with NFC in the place of NFD. */
static bool fold_utf8(struct str local, struct arena *a, struct str *out)
{
    UChar raw[FOLD_MAX], composed[FOLD_MAX], folded[FOLD_MAX];
    char utf8[3 * FOLD_MAX];
    int32_t n = 0;
    UErrorCode status = U_ZERO_ERROR;
    directory_address_init();
    u_strFromUTF8(raw, FOLD_MAX, &n, local.p, (int32_t)local.n, &status);
    n = unorm2_normalize(nfc, raw, n, composed, FOLD_MAX, &status);
    n = u_strFoldCase(folded, FOLD_MAX, composed, n, U_FOLD_CASE_DEFAULT, &status);
    n = unorm2_normalize(nfc, folded, n, composed, FOLD_MAX, &status);
    u_strToUTF8(utf8, (int32_t)sizeof utf8, &n, composed, n, &status);
    if (U_FAILURE(status) || n > LOCAL_PART_MAX)
        return false;
    *out = arena_copy(a, str_from(utf8, (size_t)n));
    return true;
}

bool directory_local_fold(struct str local, struct arena *a, struct str *out)
{
    if (local.n > LOCAL_PART_MAX)
        return false;
    for (size_t i = 0; i < local.n; i++)
        if ((unsigned char)local.p[i] < ' ' || local.p[i] == 127)
            return false;
    if (!is_ascii(local))
        return fold_utf8(local, a, out);
    *out = lower(local, a);
    return true;
}

static struct str join(struct str local, struct str domain, struct arena *a)
{
    return arena_printf(a, "%.*s@%.*s", STR_ARGS(local), STR_ARGS(domain));
}

bool directory_address_read(struct str address, struct arena *a, struct directory_address *out, struct err *e)
{
    struct str folded;
    size_t at = str_rfind_byte(address, '@');
    if (at == STR_NONE || at == 0)
        return err_set(e, ERR_PERMANENT, "\"%.*s\" is not an address: NAME@DOMAIN", STR_ARGS(address));
    if (at > LOCAL_PART_MAX)
        return err_set(e, ERR_PERMANENT, "the part before the @ is longer than %d bytes", LOCAL_PART_MAX);
    out->local = str_slice(address, 0, at);
    if (!directory_local_fold(out->local, a, &folded))
        return err_set(e, ERR_PERMANENT, "the part before the @ is not UTF-8 or has control characters");
    if (!directory_domain_read(str_from_offset(address, at + 1), a, &out->domain, e))
        return false;
    out->key = join(folded, out->domain, a);
    out->whole = join(out->local, out->domain, a);
    return true;
}

bool directory_pattern_read(struct str text, struct arena *a, struct directory_address *out, struct err *e)
{
    if (text.n == 0 || text.p[0] != '@')
        return directory_address_read(text, a, out, e);
    out->local = STR("");
    if (!directory_domain_read(str_from_offset(text, 1), a, &out->domain, e))
        return false;
    out->key = out->whole = arena_printf(a, "@%.*s", STR_ARGS(out->domain));
    return true;
}
