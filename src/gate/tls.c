#include "gate/tls.h"

#include "base/mem.h"
#include "sasl/binding.h"

#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <sys/stat.h>

/* RFC 9325 section 4.2 without the cipher suites that lack forward secrecy; AES-128 first because it is the
 * faster of equals. */
#define CIPHERS_TLS12 "ECDHE+AESGCM:ECDHE+CHACHA20"
#define CIPHERS_TLS13 "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
#define GROUPS        "X25519:P-256:P-384"

/* Of one PEM file: a chain of a few kilobytes, with room for several. */
#define PEM_BYTES_MAX ((off_t)256 * 1024)

/* One is what a client that comes back needs; the second of OpenSSL's default costs bytes and a cipher run.
 */
#define TICKETS_PER_HANDSHAKE 1

const char *tls_error(const char *otherwise)
{
    unsigned long code = ERR_get_error();
    const char *words = code ? ERR_reason_error_string(code) : NULL;
    ERR_clear_error();
    return words ? words : otherwise;
}

void tls_prepare(void)
{
    OPENSSL_init_ssl(OPENSSL_INIT_LOAD_CONFIG | OPENSSL_INIT_LOAD_SSL_STRINGS, NULL);
    SSL_CTX *c = SSL_CTX_new(TLS_server_method()); /* fetches every algorithm */
    SSL *s = c ? SSL_new(c) : NULL;
    SSL_free(s);
    SSL_CTX_free(c);
    ERR_clear_error();
}

/* --- certificates and keys --- */

typedef STACK_OF(X509) certificates;

static void clean_certificates(certificates **list)
{
    sk_X509_pop_free(*list, X509_free);
}
#define CLEAN_CERTIFICATES __attribute__((cleanup(clean_certificates)))

static void clean_bio(BIO **bio)
{
    BIO_free(*bio);
}
#define CLEAN_BIO __attribute__((cleanup(clean_bio)))

static BIO *reader(struct str pem)
{
    BIO *bio = BIO_new_mem_buf(pem.p, pem.n > INT_MAX ? 0 : (int)pem.n);
    if (!bio)
        abort(); /* out of memory */
    return bio;
}

static certificates *read_certificates(struct str pem, struct err *e)
{
    CLEAN_BIO BIO *bio = reader(pem);
    certificates *list = sk_X509_new_null();
    for (X509 *x; list && (x = PEM_read_bio_X509(bio, NULL, NULL, NULL));)
        sk_X509_push(list, x);
    bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    if (list && sk_X509_num(list) > 0 && at_end) {
        ERR_clear_error();
        return list;
    }
    err_set(e, ERR_PERMANENT, "the certificate file: %s", tls_error("is empty"));
    clean_certificates(&list);
    return NULL;
}

static X509 *certificate_of(certificates *list, EVP_PKEY *key)
{
    for (int i = 0; i < sk_X509_num(list); i++)
        if (X509_check_private_key(sk_X509_value(list, i), key) == 1)
            return sk_X509_value(list, i);
    return NULL;
}

static X509 *issuer_of(certificates *list, X509 *x)
{
    for (int i = 0; i < sk_X509_num(list); i++) {
        X509 *other = sk_X509_value(list, i);
        if (other != x && X509_check_issued(other, x) == X509_V_OK)
            return other;
    }
    return NULL;
}

/* Those that lead from `leaf` towards the root, whatever their order in the file. The root itself, which a
 * client has or does not trust, is left out. */
static certificates *chain_of(certificates *list, X509 *leaf)
{
    certificates *chain = sk_X509_new_null();
    X509 *x = issuer_of(list, leaf);
    for (int i = 0; x && i < sk_X509_num(list); i++) { /* bounded: two may claim to issue each other */
        if (X509_check_issued(x, x) != X509_V_OK)
            sk_X509_push(chain, x);
        x = issuer_of(list, x);
    }
    return chain;
}

static bool use_key(SSL_CTX *c, certificates *list, EVP_PKEY *key, struct err *e)
{
    X509 *leaf = certificate_of(list, key);
    if (!leaf)
        return err_set(e, ERR_PERMANENT, "the key file holds a key that no certificate belongs to");
    certificates *chain = chain_of(list, leaf);
    bool ok = SSL_CTX_use_cert_and_key(c, leaf, key, chain, 1) == 1;
    sk_X509_free(chain); /* the certificates were counted by the context */
    return ok || err_set(e, ERR_PERMANENT, "the certificate cannot be used: %s", tls_error("unknown"));
}

static bool use_keys(SSL_CTX *c, struct str chain, struct str keys, struct err *e)
{
    CLEAN_CERTIFICATES certificates *list = read_certificates(chain, e);
    if (!list)
        return false;
    CLEAN_BIO BIO *bio = reader(keys);
    int used = 0;
    for (EVP_PKEY *key; (key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL)); used++) {
        bool ok = use_key(c, list, key, e);
        EVP_PKEY_free(key);
        if (!ok)
            return false;
    }
    if (used == 0)
        return err_set(e, ERR_PERMANENT, "the key file: %s", tls_error("holds no key"));
    ERR_clear_error(); /* that there was no further key */
    return true;
}

/* --- contexts --- */

static bool configure(SSL_CTX *c)
{
    SSL_CTX_set_options(c, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA |
                               SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                               /* Many clients end without close_notify. SMTP and IMAP say themselves where a
                                * message ends, so a cut loses nothing unnoticed. */
                               SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(c, SSL_MODE_RELEASE_BUFFERS | /* an idle connection must cost little */
                            SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(c, 1);                          /* header and record in one system call */
    SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF); /* tickets: the client keeps its session */
    SSL_CTX_set_num_tickets(c, TICKETS_PER_HANDSHAKE);
    SSL_CTX_set_verify(c, SSL_VERIFY_NONE, NULL);
    return SSL_CTX_set_min_proto_version(c, TLS1_2_VERSION) == 1 &&
           SSL_CTX_set_cipher_list(c, CIPHERS_TLS12) == 1 &&
           SSL_CTX_set_ciphersuites(c, CIPHERS_TLS13) == 1 && SSL_CTX_set1_groups_list(c, GROUPS) == 1 &&
           SSL_CTX_set_session_id_context(c, (const unsigned char *)"golub", 5) == 1;
}

SSL_CTX *tls_context(struct str chain, struct str keys, struct str ticket_key, struct err *e)
{
    if (ticket_key.n != TLS_TICKET_KEY_BYTES) {
        err_set(e, ERR_INTERNAL, "a ticket key of %zu bytes", ticket_key.n);
        return NULL;
    }
    SSL_CTX *c = SSL_CTX_new(TLS_server_method());
    unsigned char tickets[TLS_TICKET_KEY_BYTES];
    memcpy(tickets, ticket_key.p, sizeof tickets);
    bool ok = c && configure(c) && SSL_CTX_set_tlsext_ticket_keys(c, tickets, (long)sizeof tickets) == 1;
    mem_wipe(tickets, sizeof tickets);
    if (!ok)
        err_set(e, ERR_INTERNAL, "OpenSSL does not know our settings: %s", tls_error("unknown"));
    if (ok && use_keys(c, chain, keys, e))
        return c;
    SSL_CTX_free(c);
    return NULL;
}

static bool read_file(int fd, struct buf *to, struct err *e)
{
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0 || st.st_size > PEM_BYTES_MAX)
        return err_set(e, ERR_INTERNAL, "certificate or key is missing or too large");
    char *room = buf_room(to, (size_t)st.st_size);
    ssize_t n = room ? pread(fd, room, (size_t)st.st_size, 0) : -1;
    if (n != st.st_size)
        return err_set(e, ERR_INTERNAL, "reading certificate or key: %s", strerror(errno));
    buf_grew(to, (size_t)n);
    return true;
}

SSL_CTX *tls_context_from_files(int chain, int keys, struct str ticket_key, struct err *e)
{
    CLEAN_BUF struct buf chain_pem, keys_pem;
    buf_init(&chain_pem, (size_t)PEM_BYTES_MAX);
    buf_init(&keys_pem, (size_t)PEM_BYTES_MAX);
    SSL_CTX *c = NULL;
    if (read_file(chain, &chain_pem, e) && read_file(keys, &keys_pem, e))
        c = tls_context(buf_str(&chain_pem), buf_str(&keys_pem), ticket_key, e);
    if (keys_pem.n > 0)
        mem_wipe(keys_pem.p, keys_pem.n);
    return c;
}

/* --- connections --- */

static void copy_name(char to[TLS_NAME_MAX], const char *name)
{
    size_t n = strlen(name);
    memcpy(to, name, n < TLS_NAME_MAX ? n + 1 : TLS_NAME_MAX);
    to[TLS_NAME_MAX - 1] = '\0';
}

void tls_describe(SSL *ssl, struct tls_info *tls)
{
    *tls = (struct tls_info){.on = true};
    copy_name(tls->version, SSL_get_version(ssl));
    copy_name(tls->cipher, SSL_get_cipher_name(ssl));
    binding_of_connection(ssl, &tls->bindings);
}
