#include "gate/connection.h"

#include "base/mem.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

/* --- the wire form --- */

static void put_tls(struct ipc_frame *f, const struct tls_info *tls)
{
    ipc_put_u8(f, tls->on);
    if (!tls->on)
        return;
    ipc_put_str(f, str_from_c(tls->version));
    ipc_put_str(f, str_from_c(tls->cipher));
    for (enum channel_binding_type t = 0; t < BINDING_TYPES; t++)
        ipc_put_str(f, channel_binding(&tls->bindings, t));
}

/* Copies a string that must be printable ASCII and fit with its NUL. */
static bool get_text(struct ipc_reader *r, char *to, size_t size)
{
    struct str s = ipc_get_str(r);
    if (r->bad || s.n >= size)
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < ' ' || s.p[i] > '~')
            return false;
    memcpy(to, s.p, s.n);
    to[s.n] = '\0';
    return true;
}

static bool get_bool(struct ipc_reader *r, bool *to)
{
    uint8_t v = ipc_get_u8(r);
    *to = v == 1;
    return !r->bad && v <= 1;
}

static bool get_binding(struct ipc_reader *r, struct channel_binding *to)
{
    struct str s = ipc_get_str(r);
    if (r->bad || s.n > sizeof to->bytes)
        return false;
    memcpy(to->bytes, s.p, s.n);
    to->n = (uint8_t)s.n;
    return true;
}

static bool get_tls(struct ipc_reader *r, struct tls_info *tls)
{
    *tls = (struct tls_info){0};
    if (!get_bool(r, &tls->on))
        return false;
    if (!tls->on)
        return true;
    if (!get_text(r, tls->version, sizeof tls->version) || !get_text(r, tls->cipher, sizeof tls->cipher))
        return false;
    for (enum channel_binding_type t = 0; t < BINDING_TYPES; t++)
        if (!get_binding(r, &tls->bindings.v[t]))
            return false;
    return true;
}

void connection_put(struct ipc_frame *f, const struct connection *c)
{
    ipc_put_u8(f, (uint8_t)c->service);
    ipc_put_str(f, str_from_c(c->peer));
    ipc_put_u32(f, c->peer_port);
    ipc_put_str(f, str_from_c(c->local));
    ipc_put_u32(f, c->local_port);
    if (c->service == SERVICE_LOCAL)
        ipc_put_u32(f, c->uid);
    put_tls(f, &c->tls);
    ipc_put_u8(f, c->has_voucher);
    if (c->has_voucher)
        ipc_put_str(f, str_from(c->voucher, sizeof c->voucher));
    ipc_put_fd(f, c->fd);
}

static bool get_endpoint(struct ipc_reader *r, char *address, uint16_t *port)
{
    struct in6_addr parsed;
    if (!get_text(r, address, CONNECTION_ADDRESS_MAX))
        return false;
    if (inet_pton(AF_INET, address, &parsed) != 1 && inet_pton(AF_INET6, address, &parsed) != 1)
        return false;
    uint32_t number = ipc_get_u32(r);
    *port = (uint16_t)number;
    return !r->bad && number <= UINT16_MAX;
}

static bool get_voucher(struct ipc_reader *r, struct connection *c)
{
    if (!get_bool(r, &c->has_voucher))
        return false;
    if (!c->has_voucher)
        return true;
    struct str voucher = ipc_get_str(r);
    if (voucher.n != sizeof c->voucher)
        return false;
    memcpy(c->voucher, voucher.p, voucher.n);
    return true;
}

static bool get_uid(struct ipc_reader *r, uint32_t *uid)
{
    *uid = ipc_get_u32(r);
    return !r->bad;
}

bool connection_get(struct ipc_frame *f, struct ipc_reader *r, struct connection *c)
{
    *c = (struct connection){.fd = -1};
    uint8_t service = ipc_get_u8(r);
    if (r->bad || service >= SERVICE_COUNT)
        return false;
    c->service = (enum service)service;
    if (!get_endpoint(r, c->peer, &c->peer_port) || !get_endpoint(r, c->local, &c->local_port) ||
        (c->service == SERVICE_LOCAL && !get_uid(r, &c->uid)) || !get_tls(r, &c->tls) || !get_voucher(r, c))
        return false;
    c->fd = ipc_frame_take_fd(f, 0);
    return c->fd >= 0;
}

/* --- STARTTLS, gate's side --- */

#define PREFACE_MAX 384 /* bytes of put_tls: two names, three bindings, their lengths */

bool connection_starttls_done(int service, const struct tls_info *tls)
{
    CLEAN_FRAME struct ipc_frame f;
    ipc_frame_init(&f, 0);
    put_tls(&f, tls);
    struct str fields = buf_str(&f.payload);
    char preface[4 + PREFACE_MAX] = {(char)fields.n, (char)(fields.n >> 8)};
    ssize_t n = (ssize_t)fields.n + 4;
    if (fields.n > PREFACE_MAX)
        return false;
    memcpy(preface + 4, fields.p, fields.n);
    return send(service, preface, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT) == n;
}

bool connection_starttls_failed(int service)
{
    return send(service, (char[4]){0}, 4, MSG_NOSIGNAL | MSG_DONTWAIT) == 4;
}

/* --- STARTTLS, the service's side --- */

/* Exactly n bytes and not one more: what follows them is the protocol's. */
static bool read_exactly(int fd, void *to, size_t n, struct deadline d, struct err *e)
{
    char *at = to;
    while (n > 0) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        int ready = poll(&p, 1, deadline_left_ms(d));
        if (ready == 0 && deadline_passed(d))
            return err_set(e, ERR_TEMPORARY, "the TLS handshake took too long");
        ssize_t got = ready > 0 ? recv(fd, at, n, MSG_DONTWAIT) : -1;
        if (got == 0)
            return err_set(e, ERR_TEMPORARY, "gate went away during the TLS handshake");
        if (got < 0 && ready != 0 && errno != EINTR && errno != EAGAIN)
            return err_set(e, ERR_TEMPORARY, "reading what gate says of the handshake: %s", strerror(errno));
        if (got > 0) {
            at += got;
            n -= (size_t)got;
        }
    }
    return true;
}

static bool read_preface(int fd, struct tls_info *tls, struct deadline d, struct err *e)
{
    unsigned char wire[4];
    char bytes[PREFACE_MAX];
    if (!read_exactly(fd, wire, sizeof wire, d, e))
        return false;
    size_t n = (size_t)wire[0] | (size_t)wire[1] << 8 | (size_t)wire[2] << 16 | (size_t)wire[3] << 24;
    if (n == 0)
        return err_set(e, ERR_PERMANENT, "the TLS handshake failed");
    if (n > sizeof bytes)
        return err_set(e, ERR_INTERNAL, "gate sent a preface of %zu bytes", n);
    if (!read_exactly(fd, bytes, n, d, e))
        return false;
    struct ipc_reader r = {.rest = str_from(bytes, n)};
    if (!get_tls(&r, tls) || !ipc_done(&r) || !tls->on)
        return err_set(e, ERR_INTERNAL, "gate sent a preface that is none");
    return true;
}

bool connection_starttls(int gate_channel, struct connection *c, struct deadline d, struct err *e)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0)
        return err_set(e, ERR_TEMPORARY, "a socketpair for TLS: %s", strerror(errno));
    CLEAN_CLOSE int mine = ends[0];
    CLEAN_CLOSE int gates = ends[1];
    CLEAN_FRAME struct ipc_frame f;
    ipc_frame_init(&f, GATE_FRAME_STARTTLS);
    ipc_put_fd(&f, c->fd);
    ipc_put_fd(&f, gates);
    if (ipc_send(gate_channel, &f, d) != IPC_OK)
        return err_set(e, ERR_TEMPORARY, "gate is gone: no TLS for this connection");
    close(gates); /* else we would never see that gate closed its own */
    gates = -1;
    if (!read_preface(mine, &c->tls, d, e))
        return false;
    close(c->fd);
    c->fd = mine;
    mine = -1;
    return true;
}

/* --- addresses --- */

static bool write_ipv6(const struct in6_addr *six, char text[CONNECTION_ADDRESS_MAX])
{
    if (IN6_IS_ADDR_V4MAPPED(six))
        return inet_ntop(AF_INET, six->s6_addr + 12, text, CONNECTION_ADDRESS_MAX) != NULL;
    return inet_ntop(AF_INET6, six, text, CONNECTION_ADDRESS_MAX) != NULL;
}

bool connection_write_address(const struct sockaddr_storage *a, char text[CONNECTION_ADDRESS_MAX],
                              uint16_t *port)
{
    const struct sockaddr_in *four = (const struct sockaddr_in *)a;
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)a;
    switch (a->ss_family) {
    case AF_UNIX: /* whoever may open it is a program of this machine */
        *port = 0;
        memcpy(text, "127.0.0.1", sizeof "127.0.0.1");
        return true;
    case AF_INET:
        *port = ntohs(four->sin_port);
        return inet_ntop(AF_INET, &four->sin_addr, text, CONNECTION_ADDRESS_MAX) != NULL;
    case AF_INET6: *port = ntohs(six->sin6_port); return write_ipv6(&six->sin6_addr, text);
    default: return false;
    }
}

bool connection_is_unix(const struct connection *c)
{
    return c->peer_port == 0 && c->local_port == 0;
}

bool connection_is_loopback(const struct connection *c)
{
    return str_starts(str_from_c(c->peer), STR("127.")) || str_eq(str_from_c(c->peer), STR("::1"));
}
