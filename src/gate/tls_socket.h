/* A nonblocking socket with TLS on it, the server's side. What it cannot do now it does when the socket is
 * ready for what it `wants`. */
#ifndef GATE_TLS_SOCKET_H
#define GATE_TLS_SOCKET_H
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Stays where it is once it was started: OpenSSL writes through it. */
struct tls_socket {
    SSL *ssl; /* the descriptor in it is lent */
    int fd;
    /* Set after the start: our side has the first word, so a session ticket, for which nobody waits, travels
     * with it: a packet and a system call of ours less, and the client is woken once less. (Where the client
     * goes first, it may wait for what the ticket acknowledges.) */
    bool speaks_first;
    bool says_end; /* set before what is written last: it travels with the end, which is said at once */
    /* EPOLLIN or EPOLLOUT: what the next read, or the handshake, and the next write wait for. */
    uint32_t read_wants, write_wants;
    bool ended;  /* nothing more comes: closed, broken, or no TLS any more */
    bool broken; /* nothing can be sent */
};

/* No memory ends the process. */
void tls_socket_start(struct tls_socket *s, SSL_CTX *context, int fd);
void tls_socket_free(struct tls_socket *s); /* sends nothing; twice is fine */

enum tls_handshake {
    TLS_HANDSHAKE_DONE,
    TLS_HANDSHAKE_WAITS,  /* for read_wants */
    TLS_HANDSHAKE_FAILED, /* tls_error() says why, if it was not the client who left */
};
enum tls_handshake tls_socket_accept(struct tls_socket *s);

/* What has come, as far as it fits: how many bytes. */
size_t tls_socket_read(struct tls_socket *s, char *to, size_t room);
/* Whether bytes have been taken from the socket that no read gave yet: whole records that did not fit, for
 * which the socket need not be ready again; or, where nothing more can be done now, a piece of one. */
bool tls_socket_holds_some(const struct tls_socket *s);

/* Sends what the socket takes now: how many bytes. */
size_t tls_socket_write(struct tls_socket *s, const char *from, size_t n);
/* Says that no more comes from here (close_notify), if the socket takes it; the client sees it when the
 * socket is shut down or closed, which is next. */
void tls_socket_say_end(struct tls_socket *s);

#endif
