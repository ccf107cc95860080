#include "gate/proxy.h"

#include <arpa/inet.h>
#include <string.h>

/* --- version 1: section 2.1 --- */

/* A port without sign or leading zero. */
static bool read_port(struct str text, uint16_t *out)
{
    uint32_t n;
    if (text.n > 5 || !str_to_u32(text, &n) || n > UINT16_MAX || (text.n > 1 && text.p[0] == '0'))
        return false;
    *out = (uint16_t)n;
    return true;
}

static bool read_address(struct str text, int family, char to[CONNECTION_ADDRESS_MAX])
{
    struct in6_addr bytes;
    char c_text[CONNECTION_ADDRESS_MAX];
    if (text.n == 0 || text.n >= sizeof c_text || memchr(text.p, '\0', text.n))
        return false;
    memcpy(c_text, text.p, text.n);
    c_text[text.n] = '\0';
    return inet_pton(family, c_text, &bytes) == 1 && inet_ntop(family, &bytes, to, CONNECTION_ADDRESS_MAX);
}

/* What follows "PROXY ", without the line's end. */
static bool read_line(struct str rest, struct proxy_header *out)
{
    struct str protocol, peer, local, port;
    if (str_starts(rest, STR("UNKNOWN"))) /* whatever follows is to be ignored */
        return rest.n == 7 || rest.p[7] == ' ';
    if (!str_cut(&rest, ' ', &protocol) || !str_cut(&rest, ' ', &peer) || !str_cut(&rest, ' ', &local) ||
        !str_cut(&rest, ' ', &port))
        return false;
    int family = str_eq(protocol, STR("TCP4")) ? AF_INET : str_eq(protocol, STR("TCP6")) ? AF_INET6 : -1;
    out->has_addresses = true;
    return family >= 0 && read_address(peer, family, out->peer) && read_address(local, family, out->local) &&
           read_port(port, &out->peer_port) && read_port(rest, &out->local_port);
}

static enum proxy_result read_v1(struct str in, struct proxy_header *out)
{
    static const struct str BEGIN = STR_INIT("PROXY ");
    struct str line = str_slice(in, 0, PROXY_LINE_MAX);
    size_t lf = str_find_byte(line, '\n');
    if (lf == STR_NONE)
        return line.n < PROXY_LINE_MAX ? PROXY_MORE : PROXY_BAD;
    if (lf == 0 || line.p[lf - 1] != '\r')
        return PROXY_BAD;
    out->bytes = lf + 1;
    return read_line(str_slice(line, BEGIN.n, lf - 1 - BEGIN.n), out) ? PROXY_DONE : PROXY_BAD;
}

/* --- version 2: section 2.2 --- */

#define V2_FIXED ((size_t)16) /* signature, version and command, family, length */
enum v2_command { V2_LOCAL, V2_PROXY };
enum v2_family { V2_UNSPEC, V2_INET, V2_INET6, V2_UNIX };
enum v2_transport { V2_ANY, V2_STREAM };
enum v2_addition { V2_CRC32C = 0x03, V2_SSL = 0x20, V2_SSL_VERSION = 0x21, V2_SSL_CIPHER = 0x23 };
#define V2_SSL_USED 0x01 /* PP2_CLIENT_SSL: the client spoke TLS with the proxy */

static const struct str SIGNATURE = STR_INIT("\r\n\r\n\0\r\nQUIT\n");

static unsigned u8_at(struct str s, size_t i)
{
    return (unsigned char)s.p[i];
}

static unsigned u16_at(struct str s, size_t i)
{
    return u8_at(s, i) << 8 | u8_at(s, i + 1);
}

static bool add_addresses(struct str in, int family, size_t size, struct proxy_header *out)
{
    out->has_addresses = true;
    out->peer_port = (uint16_t)u16_at(in, 2 * size);
    out->local_port = (uint16_t)u16_at(in, 2 * size + 2);
    return inet_ntop(family, in.p, out->peer, sizeof out->peer) &&
           inet_ntop(family, in.p + size, out->local, sizeof out->local);
}

/* The fixed part that the family asks for; *rest then stands at the additions. */
static bool take_addresses(struct str *rest, unsigned family, unsigned transport, struct proxy_header *out)
{
    static const size_t SIZES[] = {[V2_UNSPEC] = 0, [V2_INET] = 12, [V2_INET6] = 36, [V2_UNIX] = 216};
    if (family > V2_UNIX || transport > V2_STREAM || rest->n < SIZES[family]) /* datagrams bring no mail */
        return false;
    struct str in = str_slice(*rest, 0, SIZES[family]);
    *rest = str_from_offset(*rest, SIZES[family]);
    if (transport != V2_STREAM || family == V2_UNSPEC || family == V2_UNIX)
        return true;
    return family == V2_INET ? add_addresses(in, AF_INET, 4, out) : add_addresses(in, AF_INET6, 16, out);
}

/* One type-length-value: section 2.2, "pp2_tlv". */
static bool take_addition(struct str *rest, unsigned *type, struct str *value)
{
    if (rest->n < 3 || rest->n - 3 < u16_at(*rest, 1))
        return false;
    *type = u8_at(*rest, 0);
    *value = str_slice(*rest, 3, u16_at(*rest, 1));
    *rest = str_from_offset(*rest, 3 + value->n);
    return true;
}

/* As a field of the trace header: printable, and cut where it is too long. */
static void copy_name(char to[TLS_NAME_MAX], struct str name)
{
    size_t n = 0;
    for (; n < name.n && n < TLS_NAME_MAX - 1; n++)
        to[n] = name.p[n] > ' ' && name.p[n] <= '~' ? name.p[n] : '?';
    to[n] = '\0';
}

/* Section 2.2.6, PP2_TYPE_SSL: u8 client, u32 verify, further additions. */
static bool read_tls(struct str value, struct tls_info *tls)
{
    if (value.n < 5)
        return false;
    tls->on = u8_at(value, 0) & V2_SSL_USED;
    struct str rest = str_from_offset(value, 5), inner;
    copy_name(tls->version, STR("TLS"));
    copy_name(tls->cipher, STR("unknown"));
    while (rest.n > 0) {
        unsigned type;
        if (!take_addition(&rest, &type, &inner))
            return false;
        if (type == V2_SSL_VERSION)
            copy_name(tls->version, inner);
        else if (type == V2_SSL_CIPHER)
            copy_name(tls->cipher, inner);
    }
    return true;
}

/* CRC-32C (RFC 4960 appendix B) of the header with zeros in place of the checksum, which is `at` bytes in. */
static uint32_t checksum(struct str header, size_t at)
{
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < header.n; i++) {
        crc ^= i >= at && i < at + 4 ? 0 : u8_at(header, i);
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? UINT32_C(0x82f63b78) : 0);
    }
    return ~crc;
}

static bool is_intact(struct str header, struct str sum)
{
    if (sum.n != 4)
        return false;
    return checksum(header, (size_t)(sum.p - header.p)) == ((uint32_t)u16_at(sum, 0) << 16 | u16_at(sum, 2));
}

static bool read_additions(struct str header, struct str rest, struct proxy_header *out)
{
    while (rest.n > 0) {
        unsigned type;
        struct str value;
        if (!take_addition(&rest, &type, &value))
            return false;
        if (type == V2_SSL && !read_tls(value, &out->tls))
            return false;
        if (type == V2_CRC32C && !is_intact(header, value))
            return false;
    }
    return true;
}

static enum proxy_result read_v2(struct str in, struct proxy_header *out)
{
    if (in.n < V2_FIXED)
        return PROXY_MORE;
    unsigned version = u8_at(in, 12) >> 4, command = u8_at(in, 12) & 0xf;
    out->bytes = V2_FIXED + u16_at(in, 14);
    if (version != 2 || command > V2_PROXY || out->bytes > PROXY_BYTES_MAX)
        return PROXY_BAD;
    if (in.n < out->bytes)
        return PROXY_MORE;
    if (command == V2_LOCAL) /* a health check of the proxy: what else it says is to be skipped */
        return PROXY_DONE;
    struct str header = str_slice(in, 0, out->bytes), rest = str_from_offset(header, V2_FIXED);
    bool good = take_addresses(&rest, u8_at(in, 13) >> 4, u8_at(in, 13) & 0xf, out) &&
                read_additions(header, rest, out);
    return good ? PROXY_DONE : PROXY_BAD;
}

/* --- which of them --- */

/* Whether `in` is `whole`, or its beginning. */
static bool may_become(struct str in, struct str whole)
{
    struct str head = str_slice(in, 0, whole.n);
    return str_starts(whole, head);
}

enum proxy_result proxy_read(struct str in, struct proxy_header *out)
{
    *out = (struct proxy_header){0};
    if (may_become(in, SIGNATURE))
        return read_v2(in, out);
    if (may_become(in, STR("PROXY ")))
        return in.n < 6 ? PROXY_MORE : read_v1(in, out);
    return PROXY_BAD;
}
