#include "smtp/helo.h"

/* A Domain of RFC 5321 section 4.1.2, with the underscore that machines named elsewhere bring. An
 * internationalized one comes as A-labels (RFC 6531 section 3.7.1), or with SMTPUTF8 clients as it is. */
static bool is_name(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        bool inside = i > 0 && i + 1 < s.n;
        if (c < 128 && !ascii_is_alpha(s.p[i]) && !ascii_is_digit(s.p[i]) && c != '_' &&
            !(inside && c == '-') && !(i > 0 && c == '.' && s.p[i - 1] != '.'))
            return false;
    }
    return s.n > 0;
}

/* An address literal of section 4.1.3; *bare is what stands inside. */
static bool is_literal(struct str s, struct str *bare)
{
    static const struct str IPV6 = STR_INIT("IPv6:");
    struct ip_address ignored;
    if (s.n < 2 || s.p[0] != '[' || s.p[s.n - 1] != ']')
        return false;
    *bare = str_slice(s, 1, s.n - 2);
    if (str_starts_nocase(*bare, IPV6))
        *bare = str_from_offset(*bare, IPV6.n);
    return ip_address_read(*bare, &ignored);
}

const char *helo_fault(struct str helo, const struct config *config)
{
    struct str bare;
    struct ip_address ignored;
    if (config->smtp_helo == HELO_ANY)
        return NULL;
    if (str_eq_nocase(helo, config->hostname))
        return "that is this server's own name";
    if (is_literal(helo, &bare))
        return NULL;
    if (ip_address_read(helo, &ignored))
        return "a bare address is no name; write [192.0.2.1] (RFC 5321 section 4.1.3)";
    if (!is_name(helo))
        return "that is no name of a host (RFC 5321 section 4.1.2)";
    if (config->smtp_helo == HELO_STRICT && str_find_byte(helo, '.') == STR_NONE)
        return "the whole name is asked for, with its domain";
    return NULL;
}
