/* TLS for mail that leaves, as a transport under a stream. Opportunistic (RFC 7435): without DANE or MTA-STS
 * the name in a certificate proves nothing about a mail server, so it is not looked at; weak encryption is
 * still better than none. */
#ifndef RELAY_TLS_H
#define RELAY_TLS_H
#include "base/clock.h"
#include "base/err.h"
#include "base/stream.h"

/* Once, before the sandbox: OpenSSL reads its files now. */
bool tls_start(struct err *e);

struct tls;
/* The client's handshake over `fd`; `host` for SNI (a numeric address sends none). NULL: *e. The descriptor
 * stays the caller's. */
struct tls *tls_connect(int fd, const char *host, struct deadline d, struct err *e);
void tls_free(struct tls *t); /* NULL is fine */

extern const struct stream_transport TLS_TRANSPORT; /* its context is a struct tls */
struct str tls_description(const struct tls *t);    /* "TLSv1.3 TLS_AES_256_GCM_SHA384" */

#endif
