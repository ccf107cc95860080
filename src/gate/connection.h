/* A client's connection as it travels from gate to smtp and login, and from login through keeper to an
 * account. gate knows no mail protocol; who serves a connection knows no TLS. */
#ifndef GATE_CONNECTION_H
#define GATE_CONNECTION_H
#include "base/channel_binding.h"
#include "base/ipc.h"
#include "config/config.h"

#include <sys/socket.h>

#define CONNECTION_ADDRESS_MAX 46 /* INET6_ADDRSTRLEN */
#define TLS_NAME_MAX           40
#define VOUCHER_BYTES          32

struct tls_info {
    bool on;
    char version[TLS_NAME_MAX]; /* "TLSv1.3" */
    char cipher[TLS_NAME_MAX];  /* "TLS_AES_256_GCM_SHA384" */
    struct channel_bindings bindings;
};

struct connection {
    int fd; /* the socket, or one end of a socketpair whose other end gate encrypts */
    enum service service;
    char peer[CONNECTION_ADDRESS_MAX]; /* numeric; IPv4-mapped addresses are written as IPv4; of a unix socket
                                          127.0.0.1, port 0 */
    uint16_t peer_port;
    char local[CONNECTION_ADDRESS_MAX];
    uint16_t local_port;
    uint32_t uid; /* SERVICE_LOCAL: whose program it is, as the kernel says */
    struct tls_info tls;
    /* login's word for the above: an account that gives the connection back (UNAUTHENTICATE) returns it, and
     * cannot make another up. */
    unsigned char voucher[VOUCHER_BYTES];
    bool has_voucher;
};

/* Frames on the channels gate -> smtp and gate -> login. */
enum gate_frame {
    GATE_FRAME_CONNECTION = 1, /* gate to service: a connection, fd */
    GATE_FRAME_STARTTLS,       /* service to gate: fds: the client's socket, gate's end of a new socketpair */
};

/* Both halves of the wire form, for every frame that carries a connection. The descriptor is lent by put and
 * taken by get. get returns false for anything that is not a well-formed connection with its descriptor. */
void connection_put(struct ipc_frame *f, const struct connection *c);
bool connection_get(struct ipc_frame *f, struct ipc_reader *r, struct connection *c);

/* What `peer` and `local` say of an address. False: of a kind that no client has. */
bool connection_write_address(const struct sockaddr_storage *a, char text[CONNECTION_ADDRESS_MAX],
                              uint16_t *port);

/* --- STARTTLS ---
 * Before the first protocol byte gate writes a preface on the socketpair: u32 length (little endian), then
 * what connection_put writes of a tls_info; length 0 means that the handshake failed. */

/* The service's side: hands the socket to the gate behind `gate_channel`, waits for its handshake, and
 * replaces c->fd (the old one is closed) and c->tls. Nothing may be buffered from the plain connection: the
 * caller has already dropped what came before (RFC 3207 section 4.2, RFC 9051 section 6.2.1), and the reply
 * to STARTTLS has been flushed. False: the connection is of no more use (close it). */
bool connection_starttls(int gate_channel, struct connection *c, struct deadline d, struct err *e);

/* gate's side, on its end of the pair, which is new, so that neither waits. False: the service is gone. */
bool connection_starttls_done(int service, const struct tls_info *tls);
bool connection_starttls_failed(int service);

/* Came by a unix socket. */
bool connection_is_unix(const struct connection *c);

/* 127.0.0.0/8 or ::1 */
bool connection_is_loopback(const struct connection *c);

#endif
