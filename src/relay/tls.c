#include "relay/tls.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/network.h"
#include "config/config.h"
#include "relay/tls_sessions.h"
#include "sasl/binding.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define DESCRIPTION_MAX 120               /* version, cipher, and what was proven */
#define AUTHORITIES_MAX ((size_t)4 << 20) /* Debian's has 220 KiB */

struct tls {
    SSL *ssl;
    char description[DESCRIPTION_MAX];
};

/* Set by tls_start, before threads. */
static SSL_CTX *any_context;    /* whatever the other side can do */
static SSL_CTX *strict_context; /* what is worth checking */
static struct tls_sessions *sessions;
static struct buf
    authorities; /* PEM; parsed when the first certificate is to be verified: most servers never do */

static bool fail(struct err *e, const char *what)
{
    char words[200] = "no reason given";
    unsigned long code = ERR_get_error();
    if (code != 0)
        ERR_error_string_n(code, words, sizeof words);
    ERR_clear_error();
    return err_set(e, ERR_TEMPORARY, "%s: %s", what, words);
}

/* --- who vouches for names --- */

static void read_authorities(const struct config *c)
{
    CLEAN_FREE char *path = mem_copy_c(c->tls_authorities.p, c->tls_authorities.n);
    CLEAN_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    int error = fd < 0 ? errno : 0;
    buf_init(&authorities, AUTHORITIES_MAX);
    while (error == 0) {
        char *room = buf_room(&authorities, 65536);
        ssize_t n = room ? read(fd, room, 65536) : -1;
        if (n == 0)
            return;
        if (n > 0)
            buf_grew(&authorities, (size_t)n);
        else if (!room || errno != EINTR)
            error = room ? errno : EFBIG;
    }
    buf_reset(&authorities);
    LOG_WARNING(
        "relay.authorities", F_C("path", path), F_C("reason", strerror(error)),
        F_C("effect", "no server's certificate can be verified: MTA-STS and tls = verify refuse mail"));
}

struct str tls_authorities(void)
{
    return buf_str(&authorities);
}

static X509_STORE *store;

static void make_store(void)
{
    BIO *bio = BIO_new_mem_buf(authorities.p, (int)authorities.n);
    X509 *x;
    store = X509_STORE_new();
    if (!store || !bio)
        abort(); /* out of memory */
    while ((x = PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL))) {
        X509_STORE_add_cert(store, x);
        X509_free(x);
    }
    ERR_clear_error(); /* the end of the text is one */
    BIO_free(bio);
}

static X509_STORE *known_authorities(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_store);
    return store;
}

/* --- contexts --- */

static SSL_CTX *make_context(int version, const char *ciphers)
{
    SSL_CTX *c = SSL_CTX_new(TLS_client_method());
    if (!c || !SSL_CTX_set_min_proto_version(c, version) || !SSL_CTX_set_cipher_list(c, ciphers) ||
        SSL_CTX_dane_enable(c) <= 0)
        return NULL;
    /* The handshake goes on whatever the certificate; check() looks at it before anything is sent. So there
     * is one way to a result, and the other side gets a QUIT and not a broken connection. */
    SSL_CTX_set_verify(c, SSL_VERIFY_NONE, NULL);
    SSL_CTX_set_mode(c, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                            SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_options(c, SSL_OP_IGNORE_UNEXPECTED_EOF); /* many peers leave without close_notify */
    tls_sessions_attach(sessions, c);
    return c;
}

bool tls_start(const struct config *c, struct err *e)
{
    if (!(sessions = tls_sessions_new(e)))
        return false;
    any_context = make_context(TLS1_VERSION, "DEFAULT:@SECLEVEL=0");
    strict_context = make_context(TLS1_2_VERSION, "DEFAULT"); /* RFC 8461 section 10.2 wants 1.2 at least */
    if (!any_context || !strict_context)
        return fail(e, "setting up TLS");
    read_authorities(c);
    return true;
}

/* --- the handshake --- */

static bool is_numeric(const char *host)
{
    struct ip_address address;
    return ip_address_read(str_from_c(host), &address);
}

static bool wait_for(int fd, short events, struct deadline d)
{
    struct pollfd p = {.fd = fd, .events = events};
    for (;;) {
        int n = poll(&p, 1, deadline_left_ms(d));
        if (n > 0)
            return true;
        if (n == 0 || errno != EINTR)
            return false;
    }
}

static bool handshake(struct tls *t, int fd, struct deadline d, struct err *e)
{
    for (;;) {
        ERR_clear_error();
        int result = SSL_connect(t->ssl);
        if (result == 1)
            return true;
        int wants = SSL_get_error(t->ssl, result);
        if (wants != SSL_ERROR_WANT_READ && wants != SSL_ERROR_WANT_WRITE)
            return fail(e, "TLS handshake");
        if (!wait_for(fd, wants == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, d))
            return err_set(e, ERR_TEMPORARY, "TLS handshake: timed out");
    }
}

/* RFC 8461 section 4.1: a DNS-ID, in which "*" may stand for the whole first label; the CN is not looked at.
 */
static bool demand_name(SSL *ssl, const char *host)
{
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    return SSL_set1_verify_cert_store(ssl, known_authorities()) == 1 &&
           (is_numeric(host) ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host)
                             : SSL_set1_host(ssl, host)) == 1;
}

/* RFC 7672 section 3.1.1: with DANE-EE neither names nor dates count. Section 3.2.2: names for DANE-TA. */
static bool demand_dane(SSL *ssl, const char *host, const struct tls_demand *demand)
{
    if (SSL_dane_enable(ssl, host) <= 0)
        return false;
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    SSL_dane_set_flags(ssl, DANE_FLAG_NO_DANE_EE_NAMECHECKS);
    if (demand->other.n > 0) {
        CLEAN_FREE char *other = mem_copy_c(demand->other.p, demand->other.n);
        if (SSL_add1_host(ssl, other) != 1)
            return false;
    }
    int usable = 0;
    for (size_t i = 0; i < demand->record_count; i++) {
        const struct dane_record *r = &demand->records[i];
        usable += SSL_dane_tlsa_add(ssl, r->usage, r->selector, r->matching, (const unsigned char *)r->data.p,
                                    r->data.n) > 0;
    }
    return usable > 0; /* without any, OpenSSL would not check at all */
}

/* DANE has the certificate shown each time: its records may be new. */
static void resume(SSL *ssl, int fd, const struct tls_demand *demand)
{
    CLEAN_BUF struct buf name;
    struct sockaddr_storage peer = {0};
    socklen_t size = sizeof peer;
    buf_init(&name, BUF_MAX_DEFAULT);
    if (demand->check == TLS_CHECK_DANE || getpeername(fd, (struct sockaddr *)&peer, &size) != 0)
        return;
    buf_addf(&name, "%d %d %.*s ", demand->check, demand->is_strict, STR_ARGS(demand->host));
    buf_add(&name, str_from(&peer, size));
    tls_sessions_use(sessions, ssl, buf_str(&name));
}

static bool prepare(SSL *ssl, int fd, const struct tls_demand *demand)
{
    CLEAN_FREE char *host = mem_copy_c(demand->host.p, demand->host.n);
    return SSL_set_fd(ssl, fd) == 1 && (demand->check != TLS_CHECK_DANE || demand_dane(ssl, host, demand)) &&
           (demand->check != TLS_CHECK_NAME || demand_name(ssl, host)) &&
           (is_numeric(host) || SSL_set_tlsext_host_name(ssl, host) == 1);
}

/* --- what it proved --- */

static enum tls_rpt_result result_of(long verified)
{
    switch (verified) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH: return TLS_RPT_CERTIFICATE_HOST_MISMATCH;
    case X509_V_ERR_CERT_NOT_YET_VALID:
    case X509_V_ERR_CERT_HAS_EXPIRED: return TLS_RPT_CERTIFICATE_EXPIRED;
    case X509_V_ERR_DANE_NO_MATCH: return TLS_RPT_TLSA_INVALID;
    default: return TLS_RPT_CERTIFICATE_NOT_TRUSTED;
    }
}

/* A resumed session shows no certificate, and OpenSSL repeats what it found of the one that it remembers:
 * that was right then. As of now? */
static long verify_again(SSL *ssl)
{
    long result = X509_V_ERR_OUT_OF_MEM;
    X509_STORE_CTX *c = X509_STORE_CTX_new();
    if (c &&
        X509_STORE_CTX_init(c, known_authorities(), SSL_get0_peer_certificate(ssl),
                            SSL_get_peer_cert_chain(ssl)) == 1 &&
        X509_STORE_CTX_set_default(c, "ssl_server") == 1 &&
        X509_VERIFY_PARAM_set1(X509_STORE_CTX_get0_param(c), SSL_get0_param(ssl)) == 1) {
        X509_verify_cert(c);
        result = X509_STORE_CTX_get_error(c);
    }
    X509_STORE_CTX_free(c);
    ERR_clear_error();
    return result;
}

static enum tls_rpt_result check(struct tls *t, const struct tls_demand *demand, struct err *e)
{
    if (demand->check == TLS_CHECK_NONE)
        return TLS_RPT_SUCCESS;
    if (!SSL_get0_peer_certificate(t->ssl)) { /* of which OpenSSL would say that nothing is wrong with it */
        err_set(e, ERR_TEMPORARY, "the server shows no certificate");
        return TLS_RPT_CERTIFICATE_NOT_TRUSTED;
    }
    bool is_resumed = demand->check == TLS_CHECK_NAME && SSL_session_reused(t->ssl);
    long verified = is_resumed ? verify_again(t->ssl) : SSL_get_verify_result(t->ssl);
    if (verified == X509_V_OK &&
        (demand->check != TLS_CHECK_DANE || SSL_get0_dane_authority(t->ssl, NULL, NULL) >= 0))
        return TLS_RPT_SUCCESS;
    if (verified == X509_V_OK || verified == X509_V_ERR_DANE_NO_MATCH) {
        err_set(e, ERR_TEMPORARY, "no TLSA record fits the server's certificate");
        return TLS_RPT_TLSA_INVALID;
    }
    err_set(e, ERR_TEMPORARY, "the server's certificate: %s", X509_verify_cert_error_string(verified));
    return result_of(verified);
}

static void describe(struct tls *t, const struct tls_demand *demand, enum tls_rpt_result result)
{
    static const char *const PROVEN[] = {
        [TLS_CHECK_NONE] = "", [TLS_CHECK_NAME] = " verified", [TLS_CHECK_DANE] = " DANE"};
    snprintf(t->description, sizeof t->description, "%s %s%s%s", SSL_get_version(t->ssl),
             SSL_get_cipher_name(t->ssl), result == TLS_RPT_SUCCESS ? PROVEN[demand->check] : "",
             SSL_session_reused(t->ssl) ? " resumed" : "");
}

struct tls *tls_connect(int fd, const struct tls_demand *demand, struct deadline d,
                        enum tls_rpt_result *result, struct err *e)
{
    struct tls *t = MEM_NEW(struct tls);
    *result = TLS_RPT_VALIDATION_FAILURE;
    t->ssl = SSL_new(demand->is_strict ? strict_context : any_context);
    if (!t->ssl || !prepare(t->ssl, fd, demand)) {
        fail(e, "starting TLS");
    } else if (resume(t->ssl, fd, demand), handshake(t, fd, d, e)) {
        *result = check(t, demand, e);
        describe(t, demand, *result);
        if (*result == TLS_RPT_SUCCESS || !demand->is_strict)
            return t;
    }
    tls_free(t);
    return NULL;
}

void tls_free(struct tls *t)
{
    if (!t)
        return;
    SSL_shutdown(t->ssl); /* says goodbye, and does not wait for the answer */
    ERR_clear_error();
    SSL_free(t->ssl);
    free(t);
}

struct str tls_description(const struct tls *t)
{
    return str_from_c(t->description);
}

/* What SSL_read and SSL_write left, as read(2) and write(2) would say it. */
static ssize_t explain(struct tls *t, int result, short *wants)
{
    int error = errno, why = SSL_get_error(t->ssl, result);
    ERR_clear_error();
    switch (why) {
    case SSL_ERROR_ZERO_RETURN: return 0;
    case SSL_ERROR_WANT_READ: *wants = POLLIN; break;
    case SSL_ERROR_WANT_WRITE: *wants = POLLOUT; break;
    default: errno = why == SSL_ERROR_SYSCALL && error != 0 && error != EAGAIN ? error : EPROTO; return -1;
    }
    errno = EAGAIN;
    return -1;
}

static ssize_t tls_read(void *tls, void *to, size_t n, short *wants)
{
    struct tls *t = tls;
    size_t got;
    ERR_clear_error();
    int result = SSL_read_ex(t->ssl, to, n, &got);
    return result == 1 ? (ssize_t)got : explain(t, result, wants);
}

static ssize_t tls_write(void *tls, const void *from, size_t n, short *wants)
{
    struct tls *t = tls;
    size_t put;
    ERR_clear_error();
    int result = SSL_write_ex(t->ssl, from, n, &put);
    return result == 1 ? (ssize_t)put : explain(t, result, wants);
}

const struct stream_transport TLS_TRANSPORT = {.read = tls_read, .write = tls_write};

void tls_bindings(const struct tls *t, struct channel_bindings *out)
{
    binding_of_connection(t->ssl, out);
}
