/* Encoded words of header fields: RFC 2047, with the language of RFC 2231 section 5. */
#include "message/decode.h"
#include "message/hex.h"

#define CHARSET_MAX 75 /* section 2: a whole encoded word is not longer */

struct word {
    struct str charset, text;
    bool is_base64;
    size_t length; /* with =? and ?= */
};

/* An encoded word at the front of `in`. *no_more_ends: there is no "?=" further on; keeps a field of "=?"
 * linear. Longer words than allowed, and words with spaces in them, are read too: they occur. */
static bool read_word(struct str in, struct word *w, bool *no_more_ends)
{
    if (!str_starts(in, STR("=?")))
        return false;
    struct str head = str_slice(in, 2, CHARSET_MAX);
    size_t question = str_find_byte(head, '?');
    if (question == STR_NONE || question == 0 || question + 2 >= head.n || head.p[question + 2] != '?')
        return false;
    char encoding = ascii_lower(head.p[question + 1]);
    if (encoding != 'q' && encoding != 'b')
        return false;
    w->is_base64 = encoding == 'b';
    w->charset = str_slice(head, 0, question);
    w->charset.n = str_find_byte(w->charset, '*') == STR_NONE ? w->charset.n : str_find_byte(w->charset, '*');
    size_t text_at = 2 + question + 3;
    struct str rest = str_from_offset(in, text_at);
    size_t end = *no_more_ends ? STR_NONE : str_find(rest, STR("?="));
    *no_more_ends = end == STR_NONE;
    if (end == STR_NONE)
        return false;
    w->text = str_slice(rest, 0, end);
    w->length = text_at + end + 2;
    return true;
}

/* The "Q" encoding (section 4.2): quoted-printable with "_" for space. Folding inside is dropped. */
static void add_q_decoded(struct str text, struct buf *bytes)
{
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        int byte = c == '=' ? hex_byte(text, i + 1) : -1;
        if (byte >= 0)
            i += 2;
        if (byte >= 0 || (c != '\r' && c != '\n'))
            buf_add_byte(bytes, byte >= 0 ? (char)byte : c == '_' ? ' ' : c);
    }
}

static bool is_all_blank(struct str s)
{
    return str_trim(s).n == 0;
}

/* Text between words: unfolded. 8-bit bytes are there against the rules; they are UTF-8 where that fits. */
static void add_literal(struct str s, struct buf *utf8)
{
    while (s.n > 0) {
        size_t lf = str_find_byte(s, '\n');
        struct str line = str_slice(s, 0, lf);
        s = lf == STR_NONE ? str_slice(s, 0, 0) : str_from_offset(s, lf + 1);
        if (lf != STR_NONE && str_ends(line, STR("\r")))
            line.n--;
        decode_charset(line, STR(""), utf8);
    }
}

void decode_words(struct str value, struct buf *utf8)
{
    CLEAN_BUF struct buf bytes; /* of the words so far: a character may be cut in two by words */
    buf_init(&bytes, BUF_MAX_DEFAULT);
    struct str charset = STR("");
    bool no_more_ends = false;
    size_t literal_at = 0, at = 0;
    for (;;) {
        size_t start = str_find(str_from_offset(value, at), STR("=?"));
        if (start == STR_NONE || no_more_ends)
            break;
        at += start;
        struct word w;
        if (!read_word(str_from_offset(value, at), &w, &no_more_ends)) {
            at += 2;
            continue;
        }
        /* White space between two words is none of the text (section 6.2). */
        struct str literal = str_slice(value, literal_at, at - literal_at);
        bool is_between = bytes.n > 0 && is_all_blank(literal);
        if (!is_between || !str_eq_nocase(w.charset, charset)) {
            decode_charset(buf_str(&bytes), charset, utf8);
            buf_reset(&bytes);
        }
        if (!is_between)
            add_literal(literal, utf8);
        charset = w.charset;
        if (w.is_base64)
            decode_base64(w.text, &bytes);
        else
            add_q_decoded(w.text, &bytes);
        at += w.length;
        literal_at = at;
    }
    decode_charset(buf_str(&bytes), charset, utf8);
    add_literal(str_from_offset(value, literal_at), utf8);
}
