#include "gate/gate.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/network.h"
#include "base/sandbox.h"
#include "gate/acceptor.h"
#include "gate/crowd.h"
#include "gate/proxied.h"
#include "gate/services.h"
#include "gate/tls.h"
#include "gate/tunnel.h"
#include "role/role.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

/* TLS connections of one gate. Each holds two descriptors and some 30 KiB: at most 600 MiB. */
#define TUNNELS_MAX ((size_t)20000)
#define FILES_MAX   65536u            /* for those, and what passes through */
#define FILES_OTHER ((size_t)1 << 10) /* kept for plain connections on their way, channels and listeners */

/* TLS connections of one client address in one gate. A company behind one address: a hundred people, each
 * with a phone and two mail programs that hold several IMAP connections; in several gates. */
#define TUNNELS_PER_ADDRESS ((size_t)500)

/* What happens to every connection of a flood is said once in so long. */
#define COMPLAIN_MS 1000

struct gate {
    struct role *role;
    struct loop *loop;
    struct services *services;
    struct acceptor *acceptor;
    struct tunnels *tunnels;
    struct proxied *proxied;
    struct crowd *crowd;
    SSL_CTX *tls; /* NULL until the supervisor has sent it */
    size_t tunnels_max;
    struct deadline complain_again;
    bool stopping;
};

static void complain(struct gate *g, const char *event, const char *why)
{
    if (!deadline_passed(g->complain_again))
        return;
    g->complain_again = deadline_in(COMPLAIN_MS);
    LOG_WARNING(event, F_C("why", why), F_INT("connections", tunnels_count(g->tunnels)));
}

/* --- tunnels --- */

static bool is_proxy(const struct gate *g, const char *peer)
{
    return networks_hold(&g->role->config->proxy_networks, peer);
}

/* Room for one more from this address; tunnel_ended gives it back. At STARTTLS we know the proxy's address
 * only, which stands for many. */
static bool enter(struct gate *g, const char *peer)
{
    const char *why = NULL;
    if (!g->tls)
        why = "there is no certificate";
    else if (tunnels_count(g->tunnels) >= g->tunnels_max)
        why = "this gate holds as many as it can";
    else if (!crowd_enter(g->crowd, peer, is_proxy(g, peer) ? SIZE_MAX : TUNNELS_PER_ADDRESS))
        why = "one address holds as many as it may";
    if (why)
        complain(g, "gate.refused", why);
    return !why;
}

static void tunnel_ended(void *gate, const char *peer)
{
    struct gate *g = gate;
    crowd_leave(g->crowd, peer);
    if (g->stopping && tunnels_count(g->tunnels) == 0)
        loop_stop(g->loop);
}

static bool deliver(void *gate, const struct connection *c)
{
    return services_deliver(((struct gate *)gate)->services, c);
}

static bool make_nonblocking_socket(int fd)
{
    struct stat st;
    int flags = fcntl(fd, F_GETFL);
    return fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode) && flags >= 0 &&
           fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0;
}

/* The service may have been taken over: what it sends need not be what it says. Closing the socketpair's end
 * without a preface tells it that there will be no TLS. */
static void start_starttls(void *gate, int client, int service)
{
    struct gate *g = gate;
    struct sockaddr_storage peer;
    socklen_t n = sizeof peer;
    char text[CONNECTION_ADDRESS_MAX];
    uint16_t port;
    if (make_nonblocking_socket(client) && make_nonblocking_socket(service) &&
        getpeername(client, (struct sockaddr *)&peer, &n) == 0 &&
        connection_write_address(&peer, text, &port) && enter(g, text)) {
        tunnel_starttls(g->tunnels, g->tls, client, service, text);
        return;
    }
    close(client);
    close(service);
}

/* --- connections --- */

/* Takes c->fd over. */
static void route_connection(void *gate, const struct connection *c)
{
    struct gate *g = gate;
    if (service_is_tls(c->service) && !c->tls.on && enter(g, c->peer)) {
        tunnel_accept(g->tunnels, g->tls, c);
        return;
    }
    if (!service_is_tls(c->service) || c->tls.on)
        services_deliver(g->services, c); /* has logged what is wrong, if anything; nobody else can take it */
    close(c->fd);
}

static void take_connection(void *gate, const struct connection *c)
{
    struct gate *g = gate;
    if (!connection_is_unix(c) && is_proxy(g, c->peer))
        proxied_accept(g->proxied, c);
    else
        route_connection(g, c);
}

static void accepting_rests(void *gate, const char *why)
{
    complain(gate, "gate.resting", why);
}

/* --- what the supervisor sends --- */

static void take_listeners(struct gate *g, struct ipc_frame *f)
{
    struct ipc_reader r = ipc_read(f);
    bool first = ipc_get_u8(&r) != 0;
    uint32_t count = ipc_get_u32(&r);
    if (first)
        acceptor_close_all(g->acceptor);
    for (uint32_t i = 0; i < count && i < f->nfds && !r.bad; i++) {
        uint32_t service = ipc_get_u32(&r);
        if (service < SERVICE_COUNT && !g->stopping)
            acceptor_add(g->acceptor, ipc_frame_take_fd(f, i), (enum service)service);
    }
}

/* A new certificate serves new connections; those that are there keep the context they began with. */
static void take_tls(struct gate *g, struct ipc_frame *f)
{
    struct ipc_reader r = ipc_read(f);
    struct str ticket_key = ipc_get_str(&r);
    CLEAN_CLOSE int chain = ipc_frame_take_fd(f, 0);
    CLEAN_CLOSE int keys = ipc_frame_take_fd(f, 1);
    struct err e = ERR_INIT;
    SSL_CTX *context = tls_context_from_files(chain, keys, ticket_key, &e);
    if (!context) {
        LOG_ERROR("gate.certificate", F_C("error", e.text),
                  F_C("now", g->tls ? "the old one stays" : "no TLS is possible"));
        return;
    }
    SSL_CTX_free(g->tls);
    g->tls = context;
}

static void take_frame(void *gate, struct ipc_frame *f)
{
    if (f->type == ROLE_FRAME_LISTENERS)
        take_listeners(gate, f);
    else if (f->type == ROLE_FRAME_TLS)
        take_tls(gate, f);
}

/* Takes nothing new; what is under way goes on until its ends close it, or the supervisor loses patience. */
static void stop(void *gate)
{
    struct gate *g = gate;
    g->stopping = true;
    acceptor_close_all(g->acceptor);
    if (tunnels_count(g->tunnels) == 0)
        loop_stop(g->loop);
}

static size_t room_for_tunnels(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) < 0 || files.rlim_cur < 2 * FILES_OTHER)
        return files.rlim_cur / 4;
    size_t room = ((size_t)files.rlim_cur - FILES_OTHER) / 2;
    return room < TUNNELS_MAX ? room : TUNNELS_MAX;
}

int gate_main(struct role *r)
{
    struct err e = ERR_INIT;
    struct gate g = {.role = r};
    const struct sandbox_profile profile = {.name = "gate",
                                            .rights = SANDBOX_ACCEPT,
                                            .files_max = FILES_MAX,
                                            .landlock_required = r->config->sandbox_required};
    signal(SIGPIPE, SIG_IGN); /* OpenSSL writes with write(2) */
    tls_prepare();
    if (!role_drop_user(r, &e) || !sandbox_enter(&profile, NULL, &e))
        log_die("gate.start", "%s", e.text);
    g.tunnels_max = room_for_tunnels();
    g.loop = loop_new();
    g.crowd = crowd_new();
    g.acceptor = acceptor_new(g.loop, &(struct acceptor_user){take_connection, accepting_rests, &g});
    g.services = services_new(r, g.loop, start_starttls, &g);
    g.proxied = proxied_new(g.loop, route_connection, &g);
    g.tunnels = tunnels_new(g.loop, &(struct tunnels_user){deliver, tunnel_ended, &g});
    role_attach(r, g.loop, &(struct role_handlers){.frame = take_frame, .stop = stop}, &g);
    loop_run(g.loop);
    return 0;
}
