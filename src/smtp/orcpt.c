#include "smtp/orcpt.h"

#include "message/decode.h"
#include "message/hex.h"
#include "message/utf8.h"
#include "message/xtext.h"
#include "queue/envelope.h"

/* addr-type = atom: what IANA lists are letters, digits, "-" and ".". */
static bool is_type(struct str type)
{
    for (size_t i = 0; i < type.n; i++)
        if (!ascii_is_alpha(type.p[i]) && !ascii_is_digit(type.p[i]) && type.p[i] != '-' && type.p[i] != '.')
            return false;
    return type.n > 0;
}

/* EmbeddedUnicodeChar = "\x{" HEXPOINT "}", of two to six digits; returns its length, 0: that is none. */
static size_t read_embedded(struct str s, uint32_t *c)
{
    size_t at = 3;
    *c = 0;
    if (!str_starts_nocase(s, STR("\\x{")))
        return 0;
    while (at < s.n && at < 9 && hex_value(s.p[at]) >= 0)
        *c = *c << 4 | (uint32_t)hex_value(s.p[at++]);
    bool is_character = *c <= 0x10ffff && (*c < 0xd800 || *c > 0xdfff);
    return at >= 5 && at < s.n && s.p[at] == '}' && is_character ? at + 1 : 0;
}

/* utf-8-addr-xtext and utf-8-addr-unitext. Some write plain xtext, whose "+" can mean nothing else here. */
static bool decode_utf8_address(struct str text, struct buf *out)
{
    while (text.n > 0) {
        size_t n = 1;
        uint32_t c;
        if (text.p[0] == '\\') {
            n = read_embedded(text, &c);
            if (n == 0)
                return false;
            utf8_add(out, c);
        } else if ((unsigned char)text.p[0] >= 0x80) {
            buf_add_byte(out, text.p[0]);
        } else {
            n = text.p[0] == '+' ? 3 : 1;
            if (!xtext_decode(str_slice(text, 0, n), out))
                return false;
        }
        text = str_from_offset(text, n);
    }
    return decode_is_utf8(buf_str(out));
}

/* RFC 3461 section 4.2: what decodes must be printable. C1 controls (U+0080 to U+009F) are none either. */
static bool is_printable(struct str s, bool is_utf8)
{
    for (size_t at = 0; at < s.n;) {
        uint32_t c = utf8_next(s, &at);
        if (c < ' ' || (c > '~' && c < 0xa0) || (c > '~' && !is_utf8))
            return false;
    }
    return true;
}

bool orcpt_read(struct str value, struct arena *a, struct str *out)
{
    struct str text = value, type;
    CLEAN_BUF struct buf address;
    buf_init(&address, ENVELOPE_ORIGINAL_MAX);
    if (!str_cut(&text, ';', &type) || !is_type(type) || text.n == 0)
        return false;
    bool is_utf8 = str_eq_nocase(type, STR("utf-8"));
    bool good = is_utf8 ? decode_utf8_address(text, &address) : xtext_decode(text, &address);
    if (!good || address.overflow || !is_printable(buf_str(&address), is_utf8) ||
        type.n + 1 + address.n > ENVELOPE_ORIGINAL_MAX)
        return false;
    *out = arena_printf(a, "%.*s;%.*s", STR_ARGS(type), STR_ARGS(buf_str(&address)));
    return true;
}
