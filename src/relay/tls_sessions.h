/* TLS sessions of servers that we were connected with, so that the next handshake is short (RFC 8446
 * section 2.2, RFC 5077). A small table with a place for each server; two that fall on one place push each
 * other out. Safe from any thread. */
#ifndef RELAY_TLS_SESSIONS_H
#define RELAY_TLS_SESSIONS_H
#include "base/err.h"

#include <openssl/ssl.h>

struct tls_sessions;
/* NULL with *e. */
struct tls_sessions *tls_sessions_new(struct err *e);
/* Sessions of connections of this context are kept from now on. */
void tls_sessions_attach(struct tls_sessions *all, SSL_CTX *c);
/* Before the handshake: `name` says which server this is, and what its certificate must prove, for a session
 * that is resumed shows none anew. Takes the session that there is, for none is used twice (RFC 8446
 * appendix C.4). */
void tls_sessions_use(struct tls_sessions *all, SSL *ssl, struct str name);

#endif
