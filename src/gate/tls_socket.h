/* A nonblocking socket with TLS on it, the server's side. What it cannot do now it does when the socket is
 * ready for what it `wants`. */
#ifndef GATE_TLS_SOCKET_H
#define GATE_TLS_SOCKET_H
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tls_socket {
    SSL *ssl; /* the descriptor in it is lent */
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
/* Says that no more comes from here (close_notify), if the socket takes it. */
void tls_socket_say_end(struct tls_socket *s);

#endif
