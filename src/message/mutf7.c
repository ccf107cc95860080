/* Modified UTF-7 of IMAP mailbox names: RFC 3501 section 5.1.3. Each name has one form only, so that two
 * spellings never name one mailbox: what could be written plainly must be. */
#include "message/decode.h"
#include "message/utf8.h"

static const char DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

static int digit_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (ascii_is_digit(c))
        return c - '0' + 52;
    return c == '+' ? 62 : c == ',' ? 63 : -1;
}

static bool is_direct(uint32_t c)
{
    return c >= 0x20 && c <= 0x7e;
}

/* The UTF-16 between "&" and "-", with neither. */
static bool decode_shifted(struct str in, struct buf *out)
{
    uint32_t bits = 0, high = 0;
    unsigned bit_count = 0;
    for (size_t i = 0; i < in.n; i++) {
        int value = digit_value(in.p[i]);
        if (value < 0)
            return false;
        bits = (bits << 6 | (uint32_t)value) & 0x3fffff;
        bit_count += 6;
        if (bit_count < 16)
            continue;
        bit_count -= 16;
        uint32_t unit = bits >> bit_count & 0xffff;
        bool is_low = (unit & 0xfc00) == 0xdc00;
        if (is_low != (high != 0))
            return false;
        if ((unit & 0xfc00) == 0xd800) {
            high = unit;
        } else if (is_low) {
            utf8_add(out, 0x10000 + ((high & 0x3ff) << 10) + (unit & 0x3ff));
            high = 0;
        } else if (is_direct(unit)) {
            return false;
        } else {
            utf8_add(out, unit);
        }
    }
    /* what is left over are zero bits, fewer than a digit */
    return in.n > 0 && high == 0 && bit_count < 6 && (bits & ((1u << bit_count) - 1)) == 0;
}

bool decode_mutf7(struct str in, struct buf *utf8)
{
    bool after_shift = false;
    while (in.n > 0) {
        if (!is_direct((unsigned char)in.p[0]))
            return false;
        if (in.p[0] != '&') {
            buf_add_byte(utf8, in.p[0]);
            in = str_from_offset(in, 1);
            after_shift = false;
            continue;
        }
        size_t end = str_find_byte(in, '-');
        if (end == STR_NONE)
            return false;
        if (end == 1)
            buf_add_byte(utf8, '&');
        else if (after_shift || !decode_shifted(str_slice(in, 1, end - 1), utf8))
            return false; /* two shifts in a row are one, cut in pieces */
        after_shift = end > 1;
        in = str_from_offset(in, end + 1);
    }
    return true;
}

/* The character at the front of valid UTF-8. */
static uint32_t take_utf8(struct str *in)
{
    unsigned char lead = (unsigned char)in->p[0];
    size_t n = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    uint32_t c = n == 1 ? lead : lead & (0x7fu >> n);
    for (size_t i = 1; i < n && i < in->n; i++)
        c = c << 6 | ((unsigned char)in->p[i] & 0x3f);
    *in = str_from_offset(*in, n);
    return c;
}

struct shift {
    struct buf *out;
    uint32_t bits;
    unsigned bit_count;
};

static void add_unit(struct shift *s, uint32_t unit)
{
    s->bits = s->bits << 16 | unit;
    s->bit_count += 16;
    while (s->bit_count >= 6) {
        s->bit_count -= 6;
        buf_add_byte(s->out, DIGITS[s->bits >> s->bit_count & 63]);
    }
    s->bits &= (1u << s->bit_count) - 1;
}

static void end_shift(struct shift *s)
{
    if (s->bit_count > 0)
        buf_add_byte(s->out, DIGITS[s->bits << (6 - s->bit_count) & 63]);
    buf_add_byte(s->out, '-');
}

void encode_mutf7(struct str utf8, struct buf *out)
{
    while (utf8.n > 0) {
        if (is_direct((unsigned char)utf8.p[0])) {
            buf_add(out, utf8.p[0] == '&' ? STR("&-") : str_slice(utf8, 0, 1));
            utf8 = str_from_offset(utf8, 1);
            continue;
        }
        struct shift s = {.out = out};
        buf_add_byte(out, '&');
        while (utf8.n > 0 && !is_direct((unsigned char)utf8.p[0])) {
            uint32_t c = take_utf8(&utf8);
            if (c >= 0x10000) {
                add_unit(&s, 0xd800 | ((c - 0x10000) >> 10 & 0x3ff));
                add_unit(&s, 0xdc00 | (c & 0x3ff));
            } else {
                add_unit(&s, c);
            }
        }
        end_shift(&s);
    }
}
