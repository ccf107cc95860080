#include "gate/tls_socket.h"

#include "base/log.h"
#include "gate/tls.h"

#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/socket.h>

/* --- what OpenSSL writes through --- */

/* The kernel keeps the piece for the next one, which follows at once: a session ticket for our first word,
 * the last words for close_notify and the end. (Where the first word takes longer than 200 ms, the ticket
 * goes alone: tcp(7), TCP_CORK.) */
static bool goes_with_the_next(const struct tls_socket *s)
{
    return s->says_end || (s->speaks_first && SSL_get_state(s->ssl) == TLS_ST_SW_SESSION_TICKET);
}

static int write_socket(BIO *bio, const char *p, int n)
{
    struct tls_socket *s = BIO_get_data(bio);
    int more = goes_with_the_next(s) ? MSG_MORE : 0;
    BIO_clear_retry_flags(bio);
    ssize_t sent = send(s->fd, p, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT | more);
    if (sent < 0 && (errno == EAGAIN || errno == EINTR))
        BIO_set_retry_write(bio);
    return (int)sent;
}

static long control(BIO *bio, int what, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return what == BIO_CTRL_FLUSH; /* nothing is held here */
}

static BIO_METHOD *method;

static void make_method(void)
{
    method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket of a gate");
    if (!method || BIO_meth_set_write(method, write_socket) != 1 || BIO_meth_set_ctrl(method, control) != 1)
        log_die("gate.tls", "no memory for a BIO: %s", tls_error("unknown"));
}

static BIO *writer(struct tls_socket *s)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_method);
    BIO *bio = BIO_new(method);
    if (!bio)
        return NULL;
    BIO_set_data(bio, s);
    BIO_set_init(bio, 1);
    return bio;
}

/* --- a connection --- */

void tls_socket_start(struct tls_socket *s, SSL_CTX *context, int fd)
{
    BIO *reads = BIO_new_socket(fd, BIO_NOCLOSE), *writes = writer(s);
    *s = (struct tls_socket){
        .ssl = SSL_new(context), .fd = fd, .read_wants = EPOLLIN, .write_wants = EPOLLOUT};
    if (!s->ssl || !reads || !writes)
        log_die("gate.tls", "no memory for a connection: %s", tls_error("unknown"));
    SSL_set_bio(s->ssl, reads, writes);
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
    s->says_end = true;
    ERR_clear_error();
    SSL_shutdown(s->ssl);
    ERR_clear_error();
}
