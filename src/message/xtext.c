#include "message/xtext.h"

#include "message/hex.h"

/* xchar = any ASCII CHAR between "!" (33) and "~" (126) inclusive, except for "+" and "=" */
static bool is_xchar(char c)
{
    return c >= '!' && c <= '~' && c != '+' && c != '=';
}

static bool is_upper_hex(char c)
{
    return ascii_is_digit(c) || (c >= 'A' && c <= 'F');
}

bool xtext_decode(struct str text, struct buf *out)
{
    size_t before = out->n;
    for (size_t i = 0; i < text.n; i++) {
        /* hexchar = ASCII "+" immediately followed by two upper case hexadecimal digits */
        bool is_hexchar =
            text.p[i] == '+' && i + 2 < text.n && is_upper_hex(text.p[i + 1]) && is_upper_hex(text.p[i + 2]);
        if (!is_hexchar && !is_xchar(text.p[i])) {
            buf_truncate(out, before);
            return false;
        }
        buf_add_byte(out, is_hexchar ? (char)hex_byte(text, i + 1) : text.p[i]);
        i += is_hexchar ? 2 : 0;
    }
    return true;
}

void xtext_encode(struct str bytes, struct buf *out)
{
    for (size_t i = 0; i < bytes.n; i++) {
        if (is_xchar(bytes.p[i]))
            buf_add_byte(out, bytes.p[i]);
        else
            buf_addf(out, "+%02X", (unsigned char)bytes.p[i]);
    }
}
