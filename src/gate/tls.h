/* TLS as gate serves it: 1.2 and 1.3, forward secrecy and authenticated encryption only, no renegotiation,
 * no client certificates, sessions resumed by tickets under a key that all gates share. */
#ifndef GATE_TLS_H
#define GATE_TLS_H
#include "gate/connection.h"

#include <openssl/ssl.h>

#define TLS_TICKET_KEY_BYTES ((size_t)80) /* OpenSSL's: 16 name, 32 HMAC, 32 AES */

/* Lets OpenSSL read its files and set up its tables, while files can still be opened. */
void tls_prepare(void);

/* A context for new connections. `chain` is PEM: certificates in any order, of one or several keys (ECDSA and
 * RSA side by side); `keys` is PEM with their private keys. NULL: *e says what is wrong with them. */
SSL_CTX *tls_context(struct str chain, struct str keys, struct str ticket_key, struct err *e);

/* The same from the supervisor's memory files. */
SSL_CTX *tls_context_from_files(int chain, int keys, struct str ticket_key, struct err *e);

/* What a finished handshake agreed on. */
void tls_describe(SSL *ssl, struct tls_info *tls);

/* The oldest queued error of OpenSSL in words, and the queue emptied; `otherwise` when there is none. */
const char *tls_error(const char *otherwise);

#endif
