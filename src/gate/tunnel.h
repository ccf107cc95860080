/* Connections whose TLS ends here: the handshake, then bytes both ways between the client's socket and the
 * service's socketpair until both are done. Nothing is held for a quiet connection but OpenSSL's state; what
 * one side does not take stops the reading from the other. */
#ifndef GATE_TUNNEL_H
#define GATE_TUNNEL_H
#include "base/loop.h"
#include "gate/connection.h"

#include <openssl/ssl.h>

/* A client that has not finished its handshake by then holds room that others could use; a slow phone needs a
 * few seconds. */
#define TUNNEL_HANDSHAKE_MS (60 * 1000)
/* After the service has closed: how long the client may take to read what it was sent and to close. */
#define TUNNEL_LINGER_MS    (10 * 1000)

struct tunnels;

struct tunnels_user {
    /* Takes a connection to its service; the descriptor is lent. False: no service takes it. */
    bool (*deliver)(void *context, const struct connection *c);
    /* A tunnel from this address has ended. */
    void (*ended)(void *context, const char *peer);
    void *context;
};

struct tunnels *tunnels_new(struct loop *l, const struct tunnels_user *user);
void tunnels_free(struct tunnels *all); /* ends those that are left */
size_t tunnels_count(const struct tunnels *all);

/* TLS from the first byte: after the handshake a socketpair is made and delivered. Takes c->fd over. */
void tunnel_accept(struct tunnels *all, SSL_CTX *context, const struct connection *c);

/* STARTTLS: as connection_starttls() asks; takes both descriptors over. `peer` is the client's address. */
void tunnel_starttls(struct tunnels *all, SSL_CTX *context, int client, int service, const char *peer);

#endif
