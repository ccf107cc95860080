#include "relay/tls.h"

#include "base/mem.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdio.h>

#define DESCRIPTION_MAX 100 /* version, space, cipher */

struct tls {
    SSL *ssl;
    char description[DESCRIPTION_MAX];
};

static SSL_CTX *context;

static bool fail(struct err *e, const char *what)
{
    char words[200] = "no reason given";
    unsigned long code = ERR_get_error();
    if (code != 0)
        ERR_error_string_n(code, words, sizeof words);
    ERR_clear_error();
    return err_set(e, ERR_TEMPORARY, "%s: %s", what, words);
}

bool tls_start(struct err *e)
{
    context = SSL_CTX_new(TLS_client_method());
    if (!context || !SSL_CTX_set_min_proto_version(context, TLS1_VERSION) ||
        !SSL_CTX_set_cipher_list(context, "DEFAULT:@SECLEVEL=0"))
        return fail(e, "setting up TLS");
    SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_options(context, SSL_OP_IGNORE_UNEXPECTED_EOF); /* many peers leave without close_notify */
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    return true;
}

static bool is_numeric(const char *host)
{
    unsigned char address[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
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

struct tls *tls_connect(int fd, const char *host, struct deadline d, struct err *e)
{
    struct tls *t = MEM_NEW(struct tls);
    t->ssl = SSL_new(context);
    if (!t->ssl || !SSL_set_fd(t->ssl, fd) || (!is_numeric(host) && !SSL_set_tlsext_host_name(t->ssl, host)))
        fail(e, "starting TLS");
    else if (handshake(t, fd, d, e)) {
        snprintf(t->description, sizeof t->description, "%s %s", SSL_get_version(t->ssl),
                 SSL_get_cipher_name(t->ssl));
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
