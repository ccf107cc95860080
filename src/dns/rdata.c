#include "dns/rdata.h"

#include <arpa/inet.h>

#define NAME_MAX_WIRE 255 /* RFC 1035 section 2.3.4 */
#define LABEL_MAX     63

static bool add_address(int family, struct str rdata, struct buf *out)
{
    char text[INET6_ADDRSTRLEN];
    if (rdata.n != (family == AF_INET ? sizeof(struct in_addr) : sizeof(struct in6_addr)))
        return false;
    return inet_ntop(family, rdata.p, text, sizeof text) && buf_add_c(out, text);
}

/* Bytes that would read as something else in text (a dot inside a label, a space, a control) make the name
 * unusable: no mail host is called that. */
static bool is_plain(char c)
{
    return c > ' ' && c < 127 && c != '.' && c != '\\';
}

bool rdata_add_name(struct str wire, struct buf *out)
{
    if (wire.n > NAME_MAX_WIRE)
        return false;
    for (bool first = true; wire.n > 0; first = false) {
        size_t label = (unsigned char)wire.p[0];
        if (label == 0)
            return wire.n == 1;
        if (label > LABEL_MAX || wire.n < label + 2) /* its bytes, and at least the root after it */
            return false;
        if (!first)
            buf_add_byte(out, '.');
        for (size_t i = 1; i <= label; i++) {
            if (!is_plain(wire.p[i]))
                return false;
            buf_add_byte(out, ascii_lower(wire.p[i]));
        }
        wire = str_from_offset(wire, label + 1);
    }
    return false; /* no root */
}

static uint16_t number(struct str rdata, size_t at)
{
    return (uint16_t)((unsigned char)rdata.p[at] << 8 | (unsigned char)rdata.p[at + 1]);
}

static bool add_mx(struct str rdata, struct buf *out, uint16_t *preference)
{
    if (rdata.n < 3)
        return false;
    *preference = number(rdata, 0);
    return rdata_add_name(str_from_offset(rdata, 2), out);
}

/* RFC 2782: priority, weight, port, target. */
static bool add_srv(struct str rdata, struct buf *out, uint16_t *priority)
{
    if (rdata.n < 7)
        return false;
    *priority = number(rdata, 0);
    buf_addf(out, "%u %u ", number(rdata, 2), number(rdata, 4));
    return rdata_add_name(str_from_offset(rdata, 6), out);
}

/* Character-strings of a length byte each; RFC 7208 section 3.3 and RFC 6376 section 3.6.2.2 join them
 * without anything between. */
static bool add_txt(struct str rdata, struct buf *out)
{
    while (rdata.n > 0) {
        size_t n = (unsigned char)rdata.p[0];
        if (rdata.n < n + 1)
            return false;
        buf_add(out, str_slice(rdata, 1, n));
        rdata = str_from_offset(rdata, n + 1);
    }
    return true;
}

static bool add_record(enum dns_type type, struct str rdata, struct buf *out, uint16_t *preference)
{
    switch (type) {
    case DNS_A: return add_address(AF_INET, rdata, out);
    case DNS_AAAA: return add_address(AF_INET6, rdata, out);
    case DNS_MX: return add_mx(rdata, out, preference);
    case DNS_PTR:
    case DNS_CNAME: return rdata_add_name(rdata, out);
    case DNS_SRV: return add_srv(rdata, out, preference);
    case DNS_TXT: return add_txt(rdata, out);
    case DNS_TLSA: return buf_add(out, rdata);
    }
    return false;
}

bool rdata_add(enum dns_type type, struct str rdata, struct buf *out, uint16_t *preference)
{
    size_t before = out->n;
    *preference = 0;
    if (add_record(type, rdata, out, preference) && !out->overflow)
        return true;
    buf_truncate(out, before);
    return false;
}

bool rdata_is_name(struct str name)
{
    if (str_ends(name, STR(".")))
        name.n--;
    if (name.n == 0 || name.n > NAME_MAX_TEXT)
        return false;
    size_t label = 0;
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        if (c == '.' && label == 0)
            return false;
        if (c != '.' && !ascii_is_alpha(c) && !ascii_is_digit(c) && c != '-' && c != '_')
            return false;
        label = c == '.' ? 0 : label + 1;
        if (label > LABEL_MAX)
            return false;
    }
    return label > 0;
}
