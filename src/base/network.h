/* IP addresses and networks as an administrator writes them: "192.0.2.0/24", "2001:db8::/32" (RFC 4632
 * section 3.1, RFC 4291 section 2.3), or an address alone. Pure. */
#ifndef BASE_NETWORK_H
#define BASE_NETWORK_H
#include "base/arena.h"

/* Either kind; IPv4 in its mapped form (RFC 4291 section 2.5.5.2), so that one comparison serves both. */
struct ip_address {
    unsigned char bytes[16];
};
struct network {
    struct ip_address at;
    uint8_t bits; /* of `bytes`: an IPv4 /24 has 120 */
};
struct network_list {
    const struct network *v;
    size_t n;
};

#define NETWORK_IPV4_AT 96 /* the bits before an IPv4 address in its mapped form */

/* A numeric address; false for anything else. */
bool ip_address_read(struct str text, struct ip_address *out);
bool ip_address_is_ipv4(const struct ip_address *a);
bool ip_address_is_loopback(const struct ip_address *a); /* 127.0.0.0/8, ::1 */

/* The network of so many bits (IPv4: counted without those before NETWORK_IPV4_AT) that the address lies in.
 */
struct ip_address ip_address_network(const struct ip_address *a, unsigned ipv4_bits, unsigned ipv6_bits);

/* False where it is no network, or where bits behind the prefix are set: then the administrator meant some
 * other one. */
bool network_read(struct str text, struct network *out);
bool network_holds(const struct network *n, const struct ip_address *a); /* ::/0 holds no IPv4 */

/* Networks with spaces or commas between them. False: *bad is the word that is none. */
bool networks_read(struct str text, struct arena *a, struct network_list *out, struct str *bad);
bool networks_hold(const struct network_list *l, const char *address); /* false for what is no address */

#endif
