/* What a login over a TLS connection can be bound to (RFC 5056): base/channel_binding.h from OpenSSL. */
#ifndef SASL_BINDING_H
#define SASL_BINDING_H
#include "base/channel_binding.h"

#include <openssl/ssl.h>

/* Of a connection whose handshake has finished, on either side. A type that this connection has not, or that
 * would be of no worth in it, is left empty. */
void binding_of_connection(SSL *ssl, struct channel_bindings *out);

#endif
