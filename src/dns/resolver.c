#include "dns/resolver.h"

#include "base/buf.h"
#include "base/mem.h"
#include "dns/libunbound.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define SYSTEM_RESOLVER    "/etc/resolv.conf"
#define SYSTEM_HOSTS       "/etc/hosts"
#define SYSTEM_ANCHOR      "/usr/share/dns/root.key" /* Debian's dns-root-data */
#define ANCHOR_FILE_MAX    ((size_t)1 << 20)         /* a few keys; more is not an anchor file */
#define SERVER_ADDRESS_MAX 80                        /* IPv6 text, "@", port */

/* A mail server asks for a few thousand names again and again: small caches do, and the idle server stays
 * small. */
static const char *const OPTIONS[][2] = {
    {"msg-cache-size:", "2m"},         {"rrset-cache-size:", "4m"},         {"key-cache-size:", "1m"},
    {"neg-cache-size:", "512k"},       {"num-queries-per-thread:", "1024"}, {"outgoing-range:", "256"},
    {"val-log-level:", "2"},           /* fills why_bogus, which goes to our own log */
    {"do-not-query-localhost:", "no"}, /* systemd-resolved and test servers live there */
};

/* A private server answers for names that the world does not have (RFC 6761, RFC 1918): libunbound's own
 * empty answers must not stand before it. */
static const char *const PRIVATE_OPTIONS[][2] = {
    {"unblock-lan-zones:", "yes"},
    {"insecure-lan-zones:", "yes"},
};
static const char *const PRIVATE_ZONES[] = {"test.", "invalid.", "home.arpa."};

static bool check(int result, const char *what, struct err *e)
{
    return result == 0 || err_set(e, ERR_INTERNAL, "%s: %s", what, unbound.strerror(result));
}

static bool set_options(struct ub_ctx *ctx, const char *const (*options)[2], size_t n, struct err *e)
{
    for (size_t i = 0; i < n; i++)
        if (!check(unbound.ctx_set_option(ctx, options[i][0], options[i][1]), options[i][0], e))
            return false;
    return true;
}

static bool read_file(const char *path, struct buf *out, struct err *e)
{
    CLEAN_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    for (;;) {
        char *room = fd < 0 ? NULL : buf_room(out, 4096);
        ssize_t n = room ? read(fd, room, 4096) : -1;
        if (n == 0)
            return true;
        if (n < 0 && !(room && errno == EINTR))
            return err_set(e, ERR_INTERNAL, "cannot read %s: %s", path,
                           fd >= 0 && !room ? "too large for a trust anchor" : strerror(errno));
        if (n > 0)
            buf_grew(out, (size_t)n);
    }
}

/* A record a line; ";" begins a comment. libunbound would open the file only at the first question, which is
 * too late for the sandbox. */
static bool add_anchors(struct ub_ctx *ctx, const char *path, struct err *e)
{
    CLEAN_BUF struct buf text;
    buf_init(&text, ANCHOR_FILE_MAX);
    if (!read_file(path, &text, e))
        return false;
    struct str rest = buf_str(&text), line;
    size_t found = 0;
    for (bool more = true; more;) {
        more = str_cut(&rest, '\n', &line);
        struct str before, record = line;
        if (str_cut(&record, ';', &before))
            line = before;
        line = str_trim(line);
        if (line.n == 0)
            continue;
        CLEAN_FREE char *c = mem_copy_c(line.p, line.n);
        if (!check(unbound.ctx_add_ta(ctx, c), path, e))
            return false;
        found++;
    }
    return found > 0 || err_set(e, ERR_PERMANENT, "%s holds no DS or DNSKEY record", path);
}

static bool use_private_server(struct ub_ctx *ctx, const struct config *c, struct err *e)
{
    if (c->dns_server.n > SERVER_ADDRESS_MAX)
        return err_set(e, ERR_PERMANENT, "dns server: not an address");
    CLEAN_FREE char *server = mem_copy_c(c->dns_server.p, c->dns_server.n);
    if (!check(unbound.ctx_set_fwd(ctx, server), server, e) ||
        !set_options(ctx, PRIVATE_OPTIONS, sizeof PRIVATE_OPTIONS / sizeof *PRIVATE_OPTIONS, e))
        return false;
    /* Without an anchor there is nothing to validate against, and a server without the root zone would make
     * everything look forged. */
    if (c->dns_trust_anchor.n == 0)
        return check(unbound.ctx_set_option(ctx, "module-config:", "iterator"), "module-config", e);
    CLEAN_FREE char *anchor = mem_copy_c(c->dns_trust_anchor.p, c->dns_trust_anchor.n);
    return add_anchors(ctx, anchor, e);
}

static bool use_system_server(struct ub_ctx *ctx, const struct config *c, struct err *e)
{
    CLEAN_FREE char *anchor = c->dns_trust_anchor.n > 0
                                  ? mem_copy_c(c->dns_trust_anchor.p, c->dns_trust_anchor.n)
                                  : mem_copy_c(SYSTEM_ANCHOR, strlen(SYSTEM_ANCHOR));
    int servers = unbound.ctx_resolvconf(ctx, SYSTEM_RESOLVER);
    if (servers != 0 && servers != UB_READFILE) /* without that file it asks the root servers itself */
        return check(servers, SYSTEM_RESOLVER, e);
    int hosts = unbound.ctx_hosts(ctx, SYSTEM_HOSTS);
    if (hosts != 0 && hosts != UB_READFILE)
        return check(hosts, SYSTEM_HOSTS, e);
    return add_anchors(ctx, anchor, e);
}

/* Ends the time of settings: libunbound reads what it was told and builds its tables, before the sandbox.
 * With a system resolver a zone is removed that is not there, only for that. */
static bool finalize(struct ub_ctx *ctx, bool is_private, struct err *e)
{
    static const char *const NO_ZONES[] = {"golub.invalid."};
    const char *const *zones = is_private ? PRIVATE_ZONES : NO_ZONES;
    size_t n = is_private ? sizeof PRIVATE_ZONES / sizeof *PRIVATE_ZONES : 1;
    for (size_t i = 0; i < n; i++)
        if (unbound.ctx_zone_remove(ctx, zones[i]) != 0)
            return err_set(
                e, ERR_PERMANENT,
                "libunbound refuses the settings of [dns]: is the trust anchor a file of DS or DNSKEY "
                "records, and the server an address?");
    return true;
}

struct ub_ctx *resolver_new(const struct config *c, struct err *e)
{
    struct ub_ctx *ctx = libunbound_open(e) ? unbound.ctx_create() : NULL;
    if (!ctx && e->kind == ERR_NONE) {
        err_set(e, ERR_INTERNAL, "libunbound does not start");
        return NULL;
    }
    bool is_private = c->dns_server.n > 0;
    unbound.ctx_debugout(ctx, NULL); /* it speaks through why_bogus; stray lines would break our log */
    if (set_options(ctx, OPTIONS, sizeof OPTIONS / sizeof *OPTIONS, e) &&
        (is_private ? use_private_server : use_system_server)(ctx, c, e) &&
        check(unbound.ctx_async(ctx, 1), "ub_ctx_async", e) && finalize(ctx, is_private, e))
        return ctx;
    unbound.ctx_delete(ctx);
    return NULL;
}
