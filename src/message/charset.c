/* Charsets to UTF-8, by ICU's converters: their tables are linked in, no file is opened. */
#include "message/decode.h"

#include <string.h>
#include <unicode/ucnv.h>

#define CHARSET_NAME_MAX 64 /* the longest registered one has 45 bytes */

/* What mail says and what it means. As in browsers (WHATWG Encoding), the Windows superset is read where
 * senders name the smaller standard but write the larger one. */
static const struct {
    struct str name;
    const char *converter;
} MEANT[] = {
    {STR_INIT("iso-8859-1"), "windows-1252"},
    {STR_INIT("iso8859-1"), "windows-1252"},
    {STR_INIT("iso_8859-1"), "windows-1252"},
    {STR_INIT("latin1"), "windows-1252"},
    {STR_INIT("l1"), "windows-1252"},
    {STR_INIT("iso-8859-9"), "windows-1254"},
    {STR_INIT("latin5"), "windows-1254"},
    {STR_INIT("iso-8859-11"), "windows-874"},
    {STR_INIT("tis-620"), "windows-874"},
    {STR_INIT("gb2312"), "GBK"},
    {STR_INIT("gb_2312-80"), "GBK"},
    {STR_INIT("x-gbk"), "GBK"},
    {STR_INIT("euc-cn"), "GBK"},
    {STR_INIT("big5"), "Big5-HKSCS"},
    {STR_INIT("x-x-big5"), "Big5-HKSCS"},
    {STR_INIT("ks_c_5601-1987"), "windows-949"},
    {STR_INIT("ks_c_5601"), "windows-949"},
    {STR_INIT("euc-kr"), "windows-949"},
    {STR_INIT("ksc5601"), "windows-949"},
    {STR_INIT("shift_jis"), "windows-31j"},
    {STR_INIT("shift-jis"), "windows-31j"},
    {STR_INIT("x-sjis"), "windows-31j"},
    {STR_INIT("sjis"), "windows-31j"},
    {STR_INIT("iso-8859-8-i"), "iso-8859-8"},
    {STR_INIT("iso-8859-8-e"), "iso-8859-8"},
    {STR_INIT("iso-8859-6-i"), "iso-8859-6"},
    {STR_INIT("cp-850"), "ibm-850"},
    {STR_INIT("unicode-1-1-utf-7"), "UTF-7"},
    {STR_INIT("iso-2022-jp-ms"), "ISO-2022-JP"},
    {STR_INIT("cp1252"), "windows-1252"},
};

/* UTF-8 and what is taken for it: text without a charset, or with one that promises plain ASCII. */
static const struct str UTF8_NAMES[] = {
    STR_INIT("utf-8"),          STR_INIT("utf8"),     STR_INIT("us-ascii"),     STR_INIT("ascii"),
    STR_INIT("ansi_x3.4-1968"), STR_INIT(""),         STR_INIT("unknown-8bit"), STR_INIT("x-unknown"),
    STR_INIT("unknown"),        STR_INIT("utf-8mb4"),
};

/* Bytes of the valid character at the front of s (RFC 3629 section 4); 0: there is none. */
static size_t utf8_length(struct str s)
{
    const unsigned char *p = (const unsigned char *)s.p;
    if (p[0] < 0x80)
        return 1;
    size_t n = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    if (p[0] < 0xc2 || p[0] > 0xf4 || s.n < n)
        return 0;
    unsigned char low = p[0] == 0xe0 ? 0xa0 : p[0] == 0xf0 ? 0x90 : 0x80; /* no overlong forms */
    unsigned char high = p[0] == 0xed   ? 0x9f
                         : p[0] == 0xf4 ? 0x8f
                                        : 0xbf; /* no surrogates, not over 10FFFF */
    if (p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < n; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    return n;
}

/* Length of the valid UTF-8 at the front of s. */
static size_t utf8_valid_prefix(struct str s)
{
    size_t at = 0;
    while (at < s.n) {
        uint64_t eight;
        if (s.n - at >= sizeof eight) {
            memcpy(&eight, s.p + at, sizeof eight);
            if ((eight & 0x8080808080808080u) == 0) {
                at += sizeof eight;
                continue;
            }
        }
        size_t n = utf8_length(str_from_offset(s, at));
        if (n == 0)
            break;
        at += n;
    }
    return at;
}

bool decode_is_utf8(struct str s)
{
    return utf8_valid_prefix(s) == s.n;
}

static void add_utf8(struct str in, struct buf *out)
{
    for (;;) {
        size_t good = utf8_valid_prefix(in);
        buf_add(out, str_slice(in, 0, good));
        if (good == in.n)
            return;
        buf_add(out, STR("\xef\xbf\xbd"));
        in = str_from_offset(in, good + 1);
        while (in.n > 0 && (in.p[0] & 0xc0) == 0x80) /* one mark for all bytes of a broken character */
            in = str_from_offset(in, 1);
    }
}

static bool is_utf8_name(struct str charset)
{
    for (size_t i = 0; i < sizeof UTF8_NAMES / sizeof *UTF8_NAMES; i++)
        if (str_eq_nocase(charset, UTF8_NAMES[i]))
            return true;
    return false;
}

/* The name for ICU, NUL-terminated; false: it cannot be one. A language tag of RFC 2231 section 5
 * ("us-ascii*en") has been taken off. */
static bool converter_name(struct str charset, char name[CHARSET_NAME_MAX + 1])
{
    const char *meant = NULL;
    for (size_t i = 0; i < sizeof MEANT / sizeof *MEANT && !meant; i++)
        if (str_eq_nocase(charset, MEANT[i].name))
            meant = MEANT[i].converter;
    if (meant)
        charset = str_from_c(meant);
    if (charset.n == 0 || charset.n > CHARSET_NAME_MAX)
        return false;
    for (size_t i = 0; i < charset.n; i++) {
        char c = charset.p[i];
        /* ICU takes options behind a comma and paths to files; names have neither */
        if (!ascii_is_alpha(c) && !ascii_is_digit(c) && !strchr("-_.:+", c))
            return false;
        name[i] = c;
    }
    name[charset.n] = '\0';
    return true;
}

static UConverter *open_converter(struct str charset)
{
    char name[CHARSET_NAME_MAX + 1];
    UErrorCode error = U_ZERO_ERROR;
    if (!converter_name(charset, name) || ucnv_countAliases(name, &error) == 0 || U_FAILURE(error))
        return NULL;
    UConverter *converter = ucnv_open(name, &error);
    return U_SUCCESS(error) ? converter : NULL;
}

static struct str trim_charset(struct str charset)
{
    charset = str_trim(charset);
    while (charset.n > 0 && (charset.p[0] == '"' || charset.p[0] == '\''))
        charset = str_from_offset(charset, 1);
    while (charset.n > 0 && (charset.p[charset.n - 1] == '"' || charset.p[charset.n - 1] == '\''))
        charset.n--;
    return charset;
}

bool decode_knows_charset(struct str charset)
{
    if (is_utf8_name(charset))
        return charset.n > 0;
    UConverter *converter = open_converter(charset);
    ucnv_close(converter);
    return converter != NULL;
}

/* Runs the converter over all of `in`. Bytes that do not fit come out as U+FFFD, ICU's default. */
static void convert(UConverter *from, UConverter *to, struct str in, struct buf *out)
{
    UChar pivot[1024], *pivot_source = pivot, *pivot_target = pivot;
    const char *source = in.p, *end = in.p + in.n;
    UErrorCode error = U_BUFFER_OVERFLOW_ERROR;
    UBool is_first = true;
    while (error == U_BUFFER_OVERFLOW_ERROR) {
        size_t want = (size_t)(end - source) + 64;
        char *start = buf_room(out, want), *target = start;
        if (!start)
            return;
        error = U_ZERO_ERROR;
        ucnv_convertEx(to, from, &target, start + want, &source, end, pivot, &pivot_source, &pivot_target,
                       pivot + sizeof pivot / sizeof *pivot, is_first, true, &error);
        is_first = false;
        buf_grew(out, (size_t)(target - start));
    }
}

void decode_charset(struct str in, struct str charset, struct buf *utf8)
{
    charset = trim_charset(charset);
    bool is_utf8 = is_utf8_name(charset);
    bool names_utf8 = is_utf8 && str_starts_nocase(charset, STR("utf"));
    if (names_utf8 || (is_utf8 && decode_is_utf8(in))) {
        add_utf8(in, utf8);
        return;
    }
    UErrorCode error = U_ZERO_ERROR;
    UConverter *from = is_utf8 ? NULL : open_converter(charset);
    if (!from)
        from = ucnv_open("windows-1252", &error);
    UConverter *to = ucnv_open("UTF-8", &error);
    if (U_SUCCESS(error) && from && to)
        convert(from, to, in, utf8);
    else
        add_utf8(in, utf8);
    ucnv_close(from);
    ucnv_close(to);
}
