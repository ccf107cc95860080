/* Case folding for comparisons: NFKC_Casefold of Unicode, which is i;unicode-casemap (RFC 5051) and a little
 * more. */
#include "message/decode.h"

#include <unicode/unorm2.h>
#include <unicode/ustring.h>

/* Text is folded in pieces, cut where no character of the next piece joins those before it. A single run
 * without such a place is cut all the same at twice the size. */
#define PIECE      1024
#define UNITS_MAX  (2 * PIECE)
#define FOLDED_MAX (6 * UNITS_MAX) /* the longest expansion: U+FDFA, 3 bytes, becomes 18 units */

static void add_ascii_lower(struct str s, struct buf *out)
{
    char *to = buf_room(out, s.n);
    if (!to)
        return;
    for (size_t i = 0; i < s.n; i++)
        to[i] = ascii_lower(s.p[i]);
    buf_grew(out, s.n);
}

static size_t ascii_length(struct str s)
{
    size_t n = 0;
    while (n < s.n && (unsigned char)s.p[n] < 0x80)
        n++;
    return n;
}

/* How much of `s` to fold at once: up to an ASCII byte, which never joins what is before it. */
static size_t piece_length(struct str s)
{
    if (s.n <= PIECE)
        return s.n;
    size_t n = PIECE;
    while (n > 1 && (unsigned char)s.p[n] >= 0x80)
        n--;
    if (n > 1)
        return n;
    n = PIECE;
    while (n < s.n && n < UNITS_MAX && (unsigned char)s.p[n] >= 0x80)
        n++;
    while (n > PIECE && n < s.n && (s.p[n] & 0xc0) == 0x80)
        n--; /* not inside of a character */
    return n;
}

static bool fold_piece(const UNormalizer2 *casefold, struct str s, struct buf *out)
{
    UChar units[UNITS_MAX], folded[FOLDED_MAX];
    int32_t n = 0, m, written = 0;
    UErrorCode error = U_ZERO_ERROR;
    u_strFromUTF8WithSub(units, UNITS_MAX, &n, s.p, (int32_t)s.n, 0xfffd, NULL, &error);
    m = unorm2_normalize(casefold, units, n, folded, FOLDED_MAX, &error);
    if (U_FAILURE(error))
        return false;
    size_t room = (size_t)m * 3; /* UTF-8 bytes of one UTF-16 unit at most */
    char *to = buf_room(out, room);
    if (!to)
        return true;
    u_strToUTF8(to, (int32_t)room, &written, folded, m, &error);
    buf_grew(out, U_FAILURE(error) ? 0 : (size_t)written);
    return true;
}

void decode_fold(struct str utf8, struct buf *folded)
{
    UErrorCode error = U_ZERO_ERROR;
    const UNormalizer2 *casefold = NULL;
    while (utf8.n > 0) {
        size_t ascii = ascii_length(utf8);
        /* the last ASCII byte may be the letter that an accent stands on */
        if (ascii > 0 && ascii < utf8.n)
            ascii--;
        add_ascii_lower(str_slice(utf8, 0, ascii), folded);
        utf8 = str_from_offset(utf8, ascii);
        struct str piece = str_slice(utf8, 0, piece_length(utf8));
        if (piece.n == 0)
            return;
        if (!casefold)
            casefold = unorm2_getNFKCCasefoldInstance(&error);
        if (U_FAILURE(error) || !fold_piece(casefold, piece, folded))
            add_ascii_lower(piece, folded);
        utf8 = str_from_offset(utf8, piece.n);
    }
}
