#include "sasl/binding.h"

#include <openssl/evp.h>
#include <openssl/x509.h>

/* RFC 9266 section 4.2: a context of no bytes. */
#define EXPORTER_BYTES 32
static void bind_exporter(SSL *ssl, struct channel_binding *to)
{
    static const char LABEL[] = "EXPORTER-Channel-Binding";
    if (SSL_export_keying_material(ssl, to->bytes, EXPORTER_BYTES, LABEL, sizeof LABEL - 1,
                                   (const unsigned char *)"", 0, 1) == 1)
        to->n = EXPORTER_BYTES;
}

/* RFC 5929 section 3.1: the first Finished of the handshake, which is the client's, or the server's where the
 * session was resumed. There is no second handshake: neither side of ours renegotiates. */
static void bind_unique(const SSL *ssl, struct channel_binding *to)
{
    bool is_ours = SSL_is_server(ssl) == SSL_session_reused(ssl);
    size_t n = is_ours ? SSL_get_finished(ssl, to->bytes, sizeof to->bytes)
                       : SSL_get_peer_finished(ssl, to->bytes, sizeof to->bytes);
    to->n = n <= sizeof to->bytes ? (uint8_t)n : 0;
}

/* RFC 5929 section 4.1: the hash function of the certificate's signature, or SHA-256 where that is older. A
 * signature without one (Ed25519) leaves it undefined. */
static void bind_end_point(const X509 *certificate, struct channel_binding *to)
{
    unsigned n = 0;
    int hash;
    if (!certificate || !X509_get_signature_info((X509 *)(uintptr_t)certificate, &hash, NULL, NULL, NULL))
        return;
    const EVP_MD *md = hash == NID_md5 || hash == NID_sha1 ? EVP_sha256() : EVP_get_digestbynid(hash);
    if (md && EVP_MD_get_size(md) <= CHANNEL_BINDING_BYTES_MAX &&
        X509_digest(certificate, md, to->bytes, &n) == 1)
        to->n = (uint8_t)n;
}

void binding_of_connection(SSL *ssl, struct channel_bindings *out)
{
    *out = (struct channel_bindings){0};
    bool is_13 = SSL_version(ssl) >= TLS1_3_VERSION;
    /* Under TLS 1.2 both need the extended master secret, else two connections may share theirs (RFC 7627;
     * RFC 9266 section 4.2). */
    bool is_unique = is_13 || SSL_get_extms_support(ssl) == 1;
    if (is_unique)
        bind_exporter(ssl, &out->v[BINDING_TLS_EXPORTER]);
    if (is_unique && !is_13)
        bind_unique(ssl, &out->v[BINDING_TLS_UNIQUE]);
    bind_end_point(SSL_is_server(ssl) ? SSL_get_certificate(ssl) : SSL_get0_peer_certificate(ssl),
                   &out->v[BINDING_TLS_SERVER_END_POINT]);
}
