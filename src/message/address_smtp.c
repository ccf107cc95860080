#include "message/address.h"

#include "message/decode.h"

#include <arpa/inet.h>
#include <string.h>

/* Addresses as SMTP writes them, strictly: RFC 5321 section 4.1.2, with UTF-8 as RFC 6531 section 3.3. */

#define LOCAL_MAX  255 /* 64 in RFC 5321 section 4.5.3.1.1, but bounce addresses (VERP, SRS) are longer */
#define DOMAIN_MAX 255 /* section 4.5.3.1.2 */
#define LABEL_MAX  63  /* RFC 1035 section 2.3.4 */

static bool is_atext(char c)
{
    return ascii_is_alpha(c) || ascii_is_digit(c) || (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c));
}

static bool is_high(char c)
{
    return (unsigned char)c >= 0x80;
}

/* Dot-string = Atom *("." Atom) */
static bool take_dot_string(struct str *in, bool utf8, struct str *local)
{
    size_t n = 0;
    bool after_dot = true;
    for (; n < in->n; n++) {
        char c = in->p[n];
        if (c == '.' ? after_dot : !is_atext(c) && !(utf8 && is_high(c)))
            break;
        after_dot = c == '.';
    }
    *local = str_slice(*in, 0, n);
    *in = str_from_offset(*in, n);
    return n > 0 && !after_dot;
}

/* Quoted-string = DQUOTE *QcontentSMTP DQUOTE */
static bool take_quoted_string(struct str *in, bool utf8, struct arena *a, struct str *local)
{
    char *to = ARENA_ARRAY(a, char, LOCAL_MAX);
    size_t n = 0, i = 1;
    for (; i < in->n && in->p[i] != '"'; i++) {
        bool is_escape = in->p[i] == '\\';
        i += is_escape;
        char c = i < in->n ? in->p[i] : '\0';
        bool is_allowed = (c >= ' ' && c < 0x7f) || (utf8 && is_high(c) && !is_escape);
        if (!is_allowed || n >= LOCAL_MAX)
            return false;
        to[n++] = c;
    }
    if (i >= in->n)
        return false;
    *local = str_from(to, n);
    *in = str_from_offset(*in, i + 1);
    return true;
}

/* sub-domain = Let-dig [Ldh-str]. The underscore is no part of it, but stands in names that get mail. */
static bool is_label(struct str label, bool utf8)
{
    if (label.n == 0 || label.n > LABEL_MAX || label.p[0] == '-' || label.p[label.n - 1] == '-')
        return false;
    for (size_t i = 0; i < label.n; i++) {
        char c = label.p[i];
        if (!ascii_is_alpha(c) && !ascii_is_digit(c) && c != '-' && c != '_' && !(utf8 && is_high(c)))
            return false;
    }
    return true;
}

static bool is_domain(struct str domain, bool utf8)
{
    struct str label;
    bool more = domain.n > 0;
    while (more) {
        more = str_cut(&domain, '.', &label);
        if (!is_label(label, utf8))
            return false;
    }
    return true;
}

/* address-literal of section 4.1.3: "[192.0.2.1]" or "[IPv6:2001:db8::1]". */
static bool is_literal(struct str domain)
{
    static const struct str IPV6 = STR_INIT("IPv6:");
    char text[INET6_ADDRSTRLEN];
    unsigned char address[sizeof(struct in6_addr)];
    struct str inner = str_slice(domain, 1, domain.n - 2);
    bool is_v6 = str_starts_nocase(inner, IPV6);
    if (is_v6)
        inner = str_from_offset(inner, IPV6.n);
    if (inner.n >= sizeof text || str_find_byte(inner, '\0') != STR_NONE)
        return false;
    memcpy(text, inner.p, inner.n);
    text[inner.n] = '\0';
    return inet_pton(is_v6 ? AF_INET6 : AF_INET, text, address) == 1;
}

bool address_take_smtp(struct str *in, bool utf8, struct arena *a, struct str *local, struct str *domain)
{
    struct str rest = *in;
    bool is_quoted = str_starts(rest, STR("\""));
    if (!(is_quoted ? take_quoted_string(&rest, utf8, a, local) : take_dot_string(&rest, utf8, local)))
        return false;
    if (local->n > LOCAL_MAX || !str_starts(rest, STR("@")))
        return false;
    rest = str_from_offset(rest, 1);
    *domain = str_slice(rest, 0, str_find_byte(rest, '>'));
    if (domain->n == 0 || domain->n > DOMAIN_MAX)
        return false;
    bool is_bracketed = domain->n > 2 && domain->p[0] == '[' && domain->p[domain->n - 1] == ']';
    if (!(is_bracketed ? is_literal(*domain) : is_domain(*domain, utf8)))
        return false;
    if (utf8 && (!decode_is_utf8(*local) || !decode_is_utf8(*domain)))
        return false;
    *in = str_from_offset(rest, domain->n);
    return true;
}

void address_add(struct buf *out, struct str local, struct str domain)
{
    struct str rest = local, atoms;
    bool is_dot_string = take_dot_string(&rest, true, &atoms) && rest.n == 0;
    if (is_dot_string) {
        buf_add(out, local);
    } else {
        buf_add_byte(out, '"');
        for (size_t i = 0; i < local.n; i++) {
            if (local.p[i] == '"' || local.p[i] == '\\')
                buf_add_byte(out, '\\');
            buf_add_byte(out, local.p[i]);
        }
        buf_add_byte(out, '"');
    }
    if (domain.n > 0) {
        buf_add_byte(out, '@');
        buf_add(out, domain);
    }
}
