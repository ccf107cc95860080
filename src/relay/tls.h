/* TLS for mail that leaves, as a transport under a stream, and the check of what the other side's certificate
 * proves. What it has to prove, and whether mail may go out if it does not, is decided by tls_policy.h. */
#ifndef RELAY_TLS_H
#define RELAY_TLS_H
#include "base/channel_binding.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/stream.h"
#include "trust/dane.h"
#include "trust/tls_rpt.h"

struct config;

/* Once, before the sandbox: OpenSSL reads its files now, and so do we the authorities of [tls] authorities.
 * Without that file no certificate is verified (a warning says so), and the rest goes on. */
bool tls_start(const struct config *c, struct err *e);

struct str tls_authorities(void); /* the certificates of that file, in PEM */

enum tls_check {
    TLS_CHECK_NONE, /* opportunistic (RFC 7435): the name in a certificate proves nothing when nobody vouched
                       for the host's name, so weak and odd TLS is better than none */
    TLS_CHECK_NAME, /* by a known authority, for the host's name (RFC 8461 section 4.1) */
    TLS_CHECK_DANE, /* as the TLSA records say (RFC 7672 section 3) */
};
struct tls_demand {
    enum tls_check check;
    bool is_strict;   /* a certificate that fails ends the connection, and TLS is 1.2 or newer. False: the
                         result   is only told (MTA-STS in testing mode) */
    struct str host;  /* its name, or a numeric address: SNI, and what the certificate must name */
    struct str other; /* DANE-TA: a further name that will do (RFC 7672 section 3.2.2); "" for none */
    const struct dane_record *records; /* TLS_CHECK_DANE: usable ones */
    size_t record_count;
};

struct tls;
/* The client's handshake over `fd`. NULL: *e says why. *result is what a report calls it, also when the
 * connection stands and only the check has failed. The descriptor stays the caller's. */
struct tls *tls_connect(int fd, const struct tls_demand *demand, struct deadline d,
                        enum tls_rpt_result *result, struct err *e);
void tls_free(struct tls *t); /* NULL is fine */

extern const struct stream_transport TLS_TRANSPORT; /* its context is a struct tls */
struct str tls_description(
    const struct tls *t); /* "TLSv1.3 TLS_AES_256_GCM_SHA384", and " DANE" or " verified", " resumed" */

/* What a login over this connection can be bound to: RFC 9266, RFC 5929. */
void tls_bindings(const struct tls *t, struct channel_bindings *out);

#endif
