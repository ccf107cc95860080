/* Keys to sort and compare texts by: i;unicode-casemap of RFC 5051. */
#include "message/decode.h"
#include "message/utf8.h"

#include <unicode/uchar.h>
#include <unicode/unorm2.h>
#include <unicode/utf16.h>

#define DECOMPOSED_MAX 32 /* units of the longest: U+FDFA has 18 */

/* Section 2, step 2: titlecase, then decomposed, compatibility forms too, until nothing is left to do. */
static void add_character(const UNormalizer2 *decomposer, uint32_t c, struct buf *key)
{
    UChar units[DECOMPOSED_MAX];
    UErrorCode error = U_ZERO_ERROR;
    UChar32 title = u_totitle((UChar32)c);
    int32_t n = decomposer ? unorm2_getDecomposition(decomposer, title, units, DECOMPOSED_MAX, &error) : -1;
    if (n < 0 || U_FAILURE(error)) {
        utf8_add(key, (uint32_t)title);
        return;
    }
    for (int32_t i = 0; i < n;) {
        UChar32 piece;
        U16_NEXT(units, i, n, piece);
        utf8_add(key, U_IS_SURROGATE(piece) ? 0xfffd : (uint32_t)piece);
    }
}

void decode_casemap(struct str utf8, struct buf *key)
{
    UErrorCode error = U_ZERO_ERROR;
    const UNormalizer2 *decomposer = NULL;
    for (size_t at = 0; at < utf8.n;) {
        if ((unsigned char)utf8.p[at] < 0x80) {
            buf_add_byte(key, ascii_upper(utf8.p[at++]));
            continue;
        }
        if (!decomposer)
            decomposer = unorm2_getNFKDInstance(&error);
        add_character(U_SUCCESS(error) ? decomposer : NULL, utf8_next(utf8, &at), key);
    }
}
