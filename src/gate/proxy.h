/* The PROXY protocol, versions 1 and 2 (HAProxy's proxy-protocol.txt of 2020/03/05): what a load balancer
 * says in front of the first byte of a connection, so that we know whose it is. Pure.
 *
 * It is believed only from networks that the config names, and from those a connection without it is refused:
 * one that could leave it out could claim to be the proxy itself. */
#ifndef GATE_PROXY_H
#define GATE_PROXY_H
#include "gate/connection.h"

/* Version 1 is one line (section 2.1). A header of version 2 may have 64 KiB, but for its addresses and what
 * we know of its additions a few hundred bytes do; a client's certificate fits too. */
#define PROXY_LINE_MAX  ((size_t)107)
#define PROXY_BYTES_MAX ((size_t)4096)

enum proxy_result {
    PROXY_MORE, /* so far it is a header, and it goes on: all of `in` belongs to it */
    PROXY_DONE,
    PROXY_BAD, /* not one, or one that makes no sense */
};

struct proxy_header {
    size_t bytes;       /* how many of `in` it takes */
    bool has_addresses; /* false: the proxy speaks for itself (LOCAL, UNKNOWN), or of no TCP connection */
    char peer[CONNECTION_ADDRESS_MAX], local[CONNECTION_ADDRESS_MAX];
    uint16_t peer_port, local_port;
    struct tls_info tls; /* on: the proxy has taken TLS off (PP2_TYPE_SSL); nothing can be bound to it */
};

/* Reads the beginning of a connection. *out has a meaning with PROXY_DONE only. */
enum proxy_result proxy_read(struct str in, struct proxy_header *out);

#endif
