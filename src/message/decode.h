/* From bytes on the wire to text: transfer encodings (RFC 2045), charsets (ICU), encoded words (RFC 2047).
 * All take what they can from broken input and never fail. */
#ifndef MESSAGE_DECODE_H
#define MESSAGE_DECODE_H
#include "base/buf.h"
#include "message/mime.h"

void decode_quoted_printable(struct str in, struct buf *out);
void decode_base64(struct str in, struct buf *out); /* skips what is not base64, stops at padding */
void decode_transfer(struct str in, enum mime_encoding e, struct buf *out);

/* The same for bytes that come in pieces, with what a piece leaves over kept inside; out comes what
 * decode_transfer gives for all of them (but for a line of over DECODE_CARRY_MAX bytes that ends in nothing
 * but white space, which is kept). */
#define DECODE_CARRY_MAX ((size_t)64 * 1024)
struct decode_stream {
    enum mime_encoding encoding;
    uint32_t bits; /* base64: of the digits that do not make three bytes yet */
    unsigned digits;
    bool is_over;     /* base64: padding came */
    struct buf carry; /* quoted-printable: a line that has not ended */
};
void decode_stream_init(struct decode_stream *d, enum mime_encoding e);
void decode_stream_free(struct decode_stream *d);
void decode_stream_add(struct decode_stream *d, struct str in, struct buf *out);
void decode_stream_end(struct decode_stream *d, struct buf *out); /* what is left over */

/* `charset` as it stands in mail (aliases, any case); unknown ones are read as Windows-1252, bytes that do
 * not fit become U+FFFD. Output is valid UTF-8. */
void decode_charset(struct str in, struct str charset, struct buf *utf8);
bool decode_knows_charset(struct str charset);

/* Encoded words of a (folded) header value to UTF-8, inside of quotes too; outer white space stays; raw 8-bit
 * is taken as UTF-8 if valid, else Windows-1252.
 */
void decode_words(struct str value, struct buf *utf8);

/* Case-folded, composed form: NFKC_Casefold of Unicode. A search folds further: message/search_fold.h. */
void decode_fold(struct str utf8, struct buf *folded);
/* What i;unicode-casemap (RFC 5051) compares by bytes: for sorting, and for what counts as equal there. */
void decode_casemap(struct str utf8, struct buf *key);
bool decode_is_utf8(struct str s);

/* The text of one text/ part, decoded to UTF-8. html: tags, comments, script and style are left out and
 * entities resolved. */
void decode_text_part(struct str message, const struct mime_part *part, struct buf *utf8);

/* Modified UTF-7 of IMAP mailbox names (RFC 3501 section 5.1.3). False: not valid. */
bool decode_mutf7(struct str in, struct buf *utf8);
void encode_mutf7(struct str utf8, struct buf *out);

#endif
