#include "base/network.h"

#include <arpa/inet.h>
#include <string.h>

#define ADDRESS_BITS 128

bool ip_address_read(struct str text, struct ip_address *out)
{
    static const unsigned char MAPPED[12] = {[10] = 0xff, [11] = 0xff};
    char c_text[INET6_ADDRSTRLEN];
    if (!text.p || text.n >= sizeof c_text || memchr(text.p, '\0', text.n))
        return false;
    memcpy(c_text, text.p, text.n);
    c_text[text.n] = '\0';
    if (inet_pton(AF_INET6, c_text, out->bytes) == 1)
        return true;
    memcpy(out->bytes, MAPPED, sizeof MAPPED);
    return inet_pton(AF_INET, c_text, out->bytes + sizeof MAPPED) == 1;
}

/* Whether the first `bits` are the same. */
static bool is_same(const unsigned char *a, const unsigned char *b, unsigned bits)
{
    unsigned whole = bits / 8, rest = bits % 8;
    return memcmp(a, b, whole) == 0 && (rest == 0 || (a[whole] ^ b[whole]) >> (8 - rest) == 0);
}

bool ip_address_is_ipv4(const struct ip_address *a)
{
    static const unsigned char MAPPED[12] = {[10] = 0xff, [11] = 0xff};
    return memcmp(a->bytes, MAPPED, sizeof MAPPED) == 0;
}

bool ip_address_is_loopback(const struct ip_address *a)
{
    static const unsigned char LOOPBACK[16] = {[15] = 1};
    return ip_address_is_ipv4(a) ? a->bytes[12] == IN_LOOPBACKNET
                                 : memcmp(a->bytes, LOOPBACK, sizeof LOOPBACK) == 0;
}

static struct ip_address masked(const struct ip_address *a, unsigned bits)
{
    struct ip_address to = {{0}};
    memcpy(to.bytes, a->bytes, bits / 8);
    if (bits % 8)
        to.bytes[bits / 8] = (unsigned char)(a->bytes[bits / 8] & 0xff << (8 - bits % 8));
    return to;
}

struct ip_address ip_address_network(const struct ip_address *a, unsigned ipv4_bits, unsigned ipv6_bits)
{
    unsigned bits = ip_address_is_ipv4(a) ? NETWORK_IPV4_AT + ipv4_bits : ipv6_bits;
    return masked(a, bits < ADDRESS_BITS ? bits : ADDRESS_BITS);
}

bool network_read(struct str text, struct network *out)
{
    struct str rest = text, address;
    uint32_t bits = ADDRESS_BITS;
    bool has_prefix = str_cut(&rest, '/', &address);
    if (!ip_address_read(has_prefix ? address : text, &out->at))
        return false;
    bool is_ipv4 = str_find_byte(text, ':') == STR_NONE;
    unsigned before = is_ipv4 ? NETWORK_IPV4_AT : 0;
    if (has_prefix && (rest.n > 3 || !str_to_u32(rest, &bits) || bits > ADDRESS_BITS - before))
        return false;
    out->bits = (uint8_t)(has_prefix ? before + bits : ADDRESS_BITS);
    struct ip_address prefix = masked(&out->at, out->bits);
    return memcmp(&prefix, &out->at, sizeof prefix) == 0;
}

bool network_holds(const struct network *n, const struct ip_address *a)
{
    return (n->bits >= NETWORK_IPV4_AT || !ip_address_is_ipv4(a)) && is_same(n->at.bytes, a->bytes, n->bits);
}

static bool is_between(char c)
{
    return ascii_is_space(c) || c == ',';
}

static struct str next_word(struct str *rest)
{
    size_t from = 0, n = 0;
    while (from < rest->n && is_between(rest->p[from]))
        from++;
    while (from + n < rest->n && !is_between(rest->p[from + n]))
        n++;
    struct str word = str_slice(*rest, from, n);
    *rest = str_from_offset(*rest, from + n);
    return word;
}

bool networks_read(struct str text, struct arena *a, struct network_list *out, struct str *bad)
{
    size_t count = 0;
    struct str rest = text;
    while (next_word(&rest).n > 0)
        count++;
    struct network *v = ARENA_ARRAY(a, struct network, count);
    rest = text;
    for (size_t i = 0; i < count; i++) {
        *bad = next_word(&rest);
        if (!network_read(*bad, &v[i]))
            return false;
    }
    *out = (struct network_list){v, count};
    return true;
}

bool networks_hold(const struct network_list *l, const char *address)
{
    struct ip_address a;
    if (l->n == 0 || !ip_address_read(str_from_c(address), &a))
        return false;
    for (size_t i = 0; i < l->n; i++)
        if (network_holds(&l->v[i], &a))
            return true;
    return false;
}
