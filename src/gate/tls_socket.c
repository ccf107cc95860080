#include "gate/tls_socket.h"

#include "base/log.h"
#include "gate/tls.h"

#include <limits.h>
#include <openssl/err.h>
#include <sys/epoll.h>

void tls_socket_start(struct tls_socket *s, SSL_CTX *context, int fd)
{
    *s = (struct tls_socket){.ssl = SSL_new(context), .read_wants = EPOLLIN, .write_wants = EPOLLOUT};
    if (!s->ssl || SSL_set_fd(s->ssl, fd) != 1)
        log_die("gate.tls", "no memory for a connection: %s", tls_error("unknown"));
    SSL_set_accept_state(s->ssl);
}

void tls_socket_free(struct tls_socket *s)
{
    SSL_free(s->ssl);
    s->ssl = NULL;
}

/* After a call that did nothing: whether it can be made again, once the socket is ready for *wants. */
static bool may_go_on(const struct tls_socket *s, int result, uint32_t *wants)
{
    int error = SSL_get_error(s->ssl, result);
    if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)
        return false;
    *wants = error == SSL_ERROR_WANT_READ ? EPOLLIN : EPOLLOUT;
    return true;
}

enum tls_handshake tls_socket_accept(struct tls_socket *s)
{
    ERR_clear_error();
    int result = SSL_accept(s->ssl);
    if (result == 1) {
        s->read_wants = EPOLLIN;
        return TLS_HANDSHAKE_DONE;
    }
    return may_go_on(s, result, &s->read_wants) ? TLS_HANDSHAKE_WAITS : TLS_HANDSHAKE_FAILED;
}

static int int_of(size_t n)
{
    return n < INT_MAX ? (int)n : INT_MAX;
}

size_t tls_socket_read(struct tls_socket *s, char *to, size_t room)
{
    size_t n = 0;
    s->read_wants = EPOLLIN;
    do {
        ERR_clear_error();
        int got = SSL_read(s->ssl, to + n, int_of(room - n));
        if (got <= 0) {
            s->ended = !may_go_on(s, got, &s->read_wants);
            break;
        }
        n += (size_t)got;
        /* Nothing is held: the next read would most likely only say EAGAIN; epoll tells when there is more.
         */
    } while (n < room && SSL_has_pending(s->ssl));
    return n;
}

bool tls_socket_holds_some(const struct tls_socket *s)
{
    return SSL_has_pending(s->ssl) == 1;
}

size_t tls_socket_write(struct tls_socket *s, const char *from, size_t n)
{
    size_t at = 0;
    while (at < n && !s->broken) {
        ERR_clear_error();
        int sent = SSL_write(s->ssl, from + at, int_of(n - at));
        if (sent > 0)
            at += (size_t)sent;
        else if (may_go_on(s, sent, &s->write_wants))
            break;
        else
            s->broken = true;
    }
    return at;
}

void tls_socket_say_end(struct tls_socket *s)
{
    ERR_clear_error();
    SSL_shutdown(s->ssl);
    ERR_clear_error();
}
