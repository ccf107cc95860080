/* What ties an authentication to the TLS connection that it came over (RFC 5056), so that nobody in the
 * middle can pass it on: gate takes it from the handshake, sasl/ holds it against what the client says. */
#ifndef BASE_CHANNEL_BINDING_H
#define BASE_CHANNEL_BINDING_H
#include "base/str.h"

enum channel_binding_type {
    BINDING_TLS_EXPORTER,         /* RFC 9266; the one for TLS 1.3 */
    BINDING_TLS_UNIQUE,           /* RFC 5929 section 3, TLS 1.2 only (RFC 9266 section 3) */
    BINDING_TLS_SERVER_END_POINT, /* RFC 5929 section 4: a hash of the certificate */
    BINDING_TYPES
};

#define CHANNEL_BINDING_BYTES_MAX 64 /* SHA-512 of a certificate; the others are shorter */

struct channel_bindings {
    struct channel_binding {
        unsigned char bytes[CHANNEL_BINDING_BYTES_MAX];
        uint8_t n; /* 0: this connection has none of this type */
    } v[BINDING_TYPES];
};

static inline struct str channel_binding(const struct channel_bindings *b, enum channel_binding_type type)
{
    return (struct str){(const char *)b->v[type].bytes, b->v[type].n};
}

#endif
