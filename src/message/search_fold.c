#include "message/search_fold.h"

#include "message/decode.h"
#include "message/utf8.h"

#include <string.h>
#include <unicode/uchar.h>
#include <unicode/unorm2.h>
#include <unicode/utf16.h>

/* --- folding --- */

struct folding {
    struct buf *out;
    const UNormalizer2 *decomposer; /* NULL: not asked for yet */
    bool is_after_space;
};

static void add_space(struct folding *f)
{
    if (!f->is_after_space)
        buf_add_byte(f->out, ' ');
    f->is_after_space = true;
}

static bool is_space(uint32_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r') || c == 0x85 || c == 0x1680 || c == 0x2028 || c == 0x2029;
}

/* Marks on a letter that many leave out. */
static bool is_diacritic(uint32_t c)
{
    static const struct {
        uint32_t first, last;
    } RANGES[] = {
        {0x300, 0x36f}, /* combining diacritical marks */
        {0x483, 0x487}, /* Cyrillic titlo and others */
        {0x591, 0x5bd}, /* Hebrew accents and points */
        {0x5bf, 0x5bf},   {0x5c1, 0x5c2},   {0x5c4, 0x5c5},   {0x5c7, 0x5c7},   {0x610, 0x61a},
        {0x64b, 0x65f}, /* Arabic */
        {0x670, 0x670},   {0x6d6, 0x6dc},   {0x6df, 0x6e4},   {0x6e7, 0x6e8},   {0x6ea, 0x6ed},
        {0x1ab0, 0x1aff}, {0x1dc0, 0x1dff}, {0x20d0, 0x20ff}, {0xfe20, 0xfe2f},
    };
    for (size_t i = 0; i < sizeof RANGES / sizeof *RANGES && c >= RANGES[i].first; i++)
        if (c <= RANGES[i].last)
            return true;
    return false;
}

/* Lower-case Cyrillic from U+0430 on; "" is not Serbian. */
#define CYRILLIC_FIRST 0x430
static const char CYRILLIC[][3] = {
    "a", "b", "v",  "g", "d", "e", "z", "z", "i", "",   "k",  "l", "m", "n", "o", "p",  /* а to п */
    "r", "s", "t",  "u", "f", "h", "c", "c", "s", "",   "",   "",  "",  "",  "",  "",   /* р to я */
    "",  "",  "dj", "",  "",  "",  "",  "",  "j", "lj", "nj", "c", "",  "",  "",  "dz", /* ѐ to џ */
};

static const struct {
    uint32_t letter;
    char latin[3];
} STROKED[] = {
    {0xe6, "ae"}, {0xf0, "d"},  {0xf8, "o"},  {0xfe, "th"},  {0x111, "dj"},
    {0x127, "h"}, {0x131, "i"}, {0x142, "l"}, {0x153, "oe"}, {0x167, "t"},
};

static const char *latin_of(uint32_t c)
{
    if (c >= CYRILLIC_FIRST && c - CYRILLIC_FIRST < sizeof CYRILLIC / sizeof *CYRILLIC)
        return CYRILLIC[c - CYRILLIC_FIRST];
    for (size_t i = 0; i < sizeof STROKED / sizeof *STROKED; i++)
        if (STROKED[i].letter == c)
            return STROKED[i].latin;
    return "";
}

static void add_letter(struct folding *f, uint32_t c)
{
    if (is_diacritic(c))
        return;
    if (is_space(c)) {
        add_space(f);
        return;
    }
    const char *latin = latin_of(c);
    if (*latin)
        buf_add_c(f->out, latin);
    else
        utf8_add(f->out, c);
    f->is_after_space = false;
}

/* Taken apart only if a diacritic comes off: a syllable of Hangul or a voiced kana stays one character. */
static void add_character(struct folding *f, uint32_t c)
{
    UChar units[8]; /* of a canonical decomposition at most 4 */
    UErrorCode error = U_ZERO_ERROR;
    if (!f->decomposer)
        f->decomposer = unorm2_getNFDInstance(&error);
    int32_t n = f->decomposer ? unorm2_getDecomposition(f->decomposer, (UChar32)c, units, 8, &error) : -1;
    bool has_diacritic = false;
    if (U_FAILURE(error))
        n = -1;
    for (int32_t i = 0; i < n; i++)
        has_diacritic |= is_diacritic(units[i]);
    if (!has_diacritic) {
        add_letter(f, c);
        return;
    }
    for (int32_t i = 0; i < n;) {
        UChar32 piece;
        U16_NEXT(units, i, n, piece);
        add_letter(f, U_IS_SURROGATE(piece) ? 0xfffd : (uint32_t)piece);
    }
}

static void add_ascii(struct folding *f, struct str s)
{
    char *to = buf_room(f->out, s.n);
    if (!to)
        return;
    size_t n = 0;
    bool is_after_space = f->is_after_space;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (is_space((unsigned char)c)) {
            if (is_after_space)
                continue;
            is_after_space = true;
            to[n++] = ' ';
        } else {
            is_after_space = false;
            to[n++] = ascii_lower(c);
        }
    }
    f->is_after_space = is_after_space;
    buf_grew(f->out, n);
}

static size_t ascii_length(struct str s)
{
    size_t n = 0;
    for (uint64_t eight; n + 8 <= s.n; n += 8) {
        memcpy(&eight, s.p + n, 8);
        if (eight & 0x8080808080808080u)
            break;
    }
    while (n < s.n && (unsigned char)s.p[n] < 0x80)
        n++;
    return n;
}

void search_fold(struct str utf8, struct buf *folded)
{
    struct folding f = {.out = folded};
    if (ascii_length(utf8) == utf8.n) {
        add_ascii(&f, utf8);
        return;
    }
    CLEAN_BUF struct buf cased;
    buf_init(&cased, BUF_MAX_DEFAULT);
    decode_fold(utf8, &cased);
    struct str s = buf_str(&cased);
    while (s.n > 0) {
        size_t ascii = ascii_length(s);
        add_ascii(&f, str_slice(s, 0, ascii));
        s = str_from_offset(s, ascii);
        size_t at = 0;
        while (at < s.n && (unsigned char)s.p[at] >= 0x80)
            add_character(&f, utf8_next(s, &at));
        s = str_from_offset(s, at);
    }
}

/* --- words --- */

enum kind { SEPARATOR, LETTER, IDEOGRAM };

static enum kind kind_of(uint32_t c)
{
    static const uint32_t LETTERS = U_GC_L_MASK | U_GC_M_MASK | U_GC_N_MASK;
    if (!(U_GET_GC_MASK((UChar32)c) & LETTERS))
        return SEPARATOR;
    bool is_spaceless = (c >= 0xe00 && c <= 0xeff) || (c >= 0x1000 && c <= 0x109f) ||
                        (c >= 0x1780 && c <= 0x17ff) || (c >= 0x2e80 && c <= 0x312f) ||
                        (c >= 0x31a0 && c <= 0x9fff) || (c >= 0xf900 && c <= 0xfaff) ||
                        (c >= 0x20000 && c <= 0x3ffff);
    return is_spaceless ? IDEOGRAM : LETTER;
}

static enum kind next_kind(struct str s, size_t *at)
{
    unsigned char byte = (unsigned char)s.p[*at];
    if (byte < 0x80) {
        ++*at;
        return ascii_is_alpha((char)byte) || ascii_is_digit((char)byte) ? LETTER : SEPARATOR;
    }
    return kind_of(utf8_next(s, at));
}

bool search_word(struct str *rest, struct str *word)
{
    size_t start = 0, at = 0;
    enum kind kind = SEPARATOR;
    while (kind == SEPARATOR) {
        if (at == rest->n) {
            *rest = str_from_offset(*rest, at);
            return false;
        }
        start = at;
        kind = next_kind(*rest, &at);
    }
    while (kind == LETTER && at < rest->n) {
        size_t end = at;
        if (next_kind(*rest, &end) != LETTER)
            break;
        at = end;
    }
    *word = str_slice(*rest, start, at - start);
    *rest = str_from_offset(*rest, at);
    return true;
}

static bool ends_address_word(char c)
{
    static const struct str SEPARATORS = STR_INIT("<>()[]\",;:\x7f");
    return (unsigned char)c <= ' ' || str_find_byte(SEPARATORS, c) != STR_NONE;
}

bool search_address_word(struct str *rest, struct str *word)
{
    size_t start = 0, end;
    while (start < rest->n && ends_address_word(rest->p[start]))
        start++;
    for (end = start; end < rest->n && !ends_address_word(rest->p[end]);)
        end++;
    *word = str_slice(*rest, start, end - start);
    *rest = str_from_offset(*rest, end);
    return word->n > 0;
}
