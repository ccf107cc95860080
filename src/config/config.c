#include "config/config.h"

#include "base/arena.h"
#include "base/mem.h"
#include "config/ini.h"
#include "config/reading.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>

#define CONFIG_FILE_MAX ((size_t)1 << 20) /* a thousand routes fit ten times */

struct setting {
    const char *section, *key;
    value_fn *take;
    size_t at; /* offset in struct config */
};

#define IN_CONFIG(member)       offsetof(struct config, member)
#define IN_LIMIT(scope, member) IN_CONFIG(limits[LIMIT_##scope].member)
static const struct setting SETTINGS[] = {
    {"server", "hostname", config_take_text, IN_CONFIG(hostname)},
    {"server", "origin", config_take_text, IN_CONFIG(origin)},
    {"server", "data", config_take_path, IN_CONFIG(data)},
    {"server", "user", config_take_text, IN_CONFIG(user)},
    {"server", "sandbox", config_take_sandbox, IN_CONFIG(sandbox_required)},
    {"server", "workers", config_take_workers, IN_CONFIG(workers)},
    {"listen", "address", config_take_addresses, 0},
    {"listen", "port_base", config_take_port_base, 0},
    {"listen", "submission_socket", config_take_socket, IN_CONFIG(submission_socket)},
    {"listen", "maildrop", config_take_path, IN_CONFIG(maildrop)},
    {"listen", "lmtp", config_take_lmtp, 0},
    {"listen", "lmtp_mode", config_take_mode, IN_CONFIG(lmtp_mode)},
    {"listen", "lmtp_group", config_take_text, IN_CONFIG(lmtp_group)},
    {"listen", "proxy", config_take_networks, IN_CONFIG(proxy_networks)},
    {"tls", "certificate", config_take_path, IN_CONFIG(tls_certificate)},
    {"tls", "key", config_take_path, IN_CONFIG(tls_key)},
    {"tls", "reports", config_take_yes, IN_CONFIG(sends_tls_reports)},
    {"tls", "sts_port", config_take_count, IN_CONFIG(sts_port)},
    {"tls", "authorities", config_take_path, IN_CONFIG(tls_authorities)},
    {"storage", "postgresql", config_take_postgresql, IN_CONFIG(storage_postgresql)},
    {"storage", "connections", config_take_connections, IN_CONFIG(storage_connections)},
    {"login", "plain_on_loopback", config_take_yes, IN_CONFIG(plain_on_loopback)},
    {"login", "failures", config_take_count, IN_CONFIG(failures_before_wait)},
    {"imap", "message_limit", config_take_count, IN_CONFIG(imap_message_limit)},
    {"pop3", "expire", config_take_expire, IN_CONFIG(pop3_expire_days)},
    {"pop3", "login_delay", config_take_seconds, IN_CONFIG(pop3_login_delay_s)},
    {"imap", "park_after", config_take_seconds, IN_CONFIG(imap_park_after_s)},
    {"mailbox", "expunged_days", config_take_days, IN_CONFIG(expunged_days)},
    {"mailbox", "recently_deleted", config_take_yes, IN_CONFIG(keeps_deleted)},
    {"mailbox", "stay_awake", config_take_hold, IN_CONFIG(stay_awake_s)},
    {"mailbox", "over_quota", config_take_over_quota, IN_CONFIG(over_quota_is_permanent)},
    {"dns", "server", config_take_dns_server, IN_CONFIG(dns_server)},
    {"dns", "trust_anchor", config_take_path, IN_CONFIG(dns_trust_anchor)},
    {"smtp", "message_size", config_take_bytes, IN_CONFIG(message_size_max)},
    {"smtp", "local_senders", config_take_local_senders, IN_CONFIG(local_senders_any)},
    {"smtp", "recipients", config_take_count, IN_CONFIG(recipients_max)},
    {"smtp", "hops", config_take_count, IN_CONFIG(hops_max)},
    {"smtp", "separator", config_take_separator, IN_CONFIG(tag_separator)},
    {"smtp", "hold", config_take_hold, IN_CONFIG(hold_most_s)},
    {"smtp", "no_soliciting", config_take_classes, IN_CONFIG(unwanted_advertising)},
    {"smtp", "dsn", config_take_dsn, IN_CONFIG(dsn_for_all)},
    {"smtp", "utf8_headers", config_take_utf8_headers, IN_CONFIG(utf8_headers_only_when_asked)},
    {"smtp", "sessions", config_take_count, IN_CONFIG(smtp_sessions_max)},
    {"smtp", "trusted", config_take_networks, IN_CONFIG(smtp_trusted)},
    {"smtp", "xclient", config_take_networks, IN_CONFIG(smtp_xclient)},
    {"smtp", "ipv4_network", config_take_ipv4_bits, IN_CONFIG(smtp_ipv4_network)},
    {"smtp", "ipv6_network", config_take_ipv6_bits, IN_CONFIG(smtp_ipv6_network)},
    {"smtp", "greet_delay", config_take_seconds, IN_CONFIG(smtp_greet_delay_s)},
    {"smtp", "tarpit", config_take_seconds, IN_CONFIG(smtp_tarpit_s)},
    {"smtp", "helo", config_take_helo, IN_CONFIG(smtp_helo)},
    {"limit address", "connections", config_take_most, IN_LIMIT(ADDRESS, connections)},
    {"limit address", "connect_rate", config_take_rate, IN_LIMIT(ADDRESS, rates[LIMIT_CONNECTS])},
    {"limit address", "message_rate", config_take_rate, IN_LIMIT(ADDRESS, rates[LIMIT_MESSAGES])},
    {"limit address", "recipient_rate", config_take_rate, IN_LIMIT(ADDRESS, rates[LIMIT_RECIPIENTS])},
    {"limit address", "refused_rate", config_take_rate, IN_LIMIT(ADDRESS, rates[LIMIT_REFUSED])},
    {"limit network", "connections", config_take_most, IN_LIMIT(NETWORK, connections)},
    {"limit network", "connect_rate", config_take_rate, IN_LIMIT(NETWORK, rates[LIMIT_CONNECTS])},
    {"limit network", "message_rate", config_take_rate, IN_LIMIT(NETWORK, rates[LIMIT_MESSAGES])},
    {"limit network", "recipient_rate", config_take_rate, IN_LIMIT(NETWORK, rates[LIMIT_RECIPIENTS])},
    {"limit network", "refused_rate", config_take_rate, IN_LIMIT(NETWORK, rates[LIMIT_REFUSED])},
    {"limit account", "connections", config_take_most, IN_LIMIT(ACCOUNT, connections)},
    {"limit account", "networks", config_take_rate, IN_LIMIT(ACCOUNT, rates[LIMIT_CONNECTS])},
    {"limit account", "message_rate", config_take_rate, IN_LIMIT(ACCOUNT, rates[LIMIT_MESSAGES])},
    {"limit account", "recipient_rate", config_take_rate, IN_LIMIT(ACCOUNT, rates[LIMIT_RECIPIENTS])},
    {"limit account", "refused_rate", config_take_rate, IN_LIMIT(ACCOUNT, rates[LIMIT_REFUSED])},
    {"queue", "lifetime", config_take_seconds, IN_CONFIG(queue_lifetime_s)},
    {"queue", "warn", config_take_seconds, IN_CONFIG(queue_delay_warn_s)},
    {"queue", "retry", config_take_seconds, IN_CONFIG(queue_retry_first_s)},
    {"queue", "retry_most", config_take_seconds, IN_CONFIG(queue_retry_most_s)},
    {"queue", "readers", config_take_audience, IN_CONFIG(queue_readers)},
    {"queue", "flushers", config_take_audience, IN_CONFIG(queue_flushers)},
    {"queue", "language", config_take_language, IN_CONFIG(queue_language)},
    {"queue", "connections", config_take_count, IN_CONFIG(relay_per_destination)},
    {"trace", "days", config_take_days, IN_CONFIG(trace_days)},
    {"trace", "size", config_take_room, IN_CONFIG(trace_bytes)},
    {"relay", "lmtp_sockets", config_take_sockets, IN_CONFIG(lmtp_sockets)},
    {"log", "level", config_take_level, IN_CONFIG(log_level)},
    {"log", "format", config_take_format, IN_CONFIG(log_format)},
};

static bool is_known_section(struct str section)
{
    if (str_starts(section, STR("route ")))
        return true;
    for (size_t i = 0; i < sizeof SETTINGS / sizeof *SETTINGS; i++)
        if (str_eq(section, str_from_c(SETTINGS[i].section)))
            return true;
    return false;
}

static struct config_route *route_of(struct reading *r, struct str section)
{
    struct str domain = str_trim(str_from_offset(section, STR("route").n));
    for (size_t i = 0; i < r->c->route_count; i++)
        if (str_eq_nocase(r->c->routes[i].domain, domain))
            return &r->c->routes[i];
    if (r->c->route_count == CONFIG_ROUTES_MAX)
        return NULL;
    char *lower = arena_new(r->a, domain.n, 1);
    for (size_t i = 0; i < domain.n; i++)
        lower[i] = ascii_lower(domain.p[i]);
    struct config_route *route = &r->c->routes[r->c->route_count++];
    *route = (struct config_route){.domain = str_from(lower, domain.n), .port = 25};
    return route;
}

static bool take_route(struct reading *r, const struct ini_line *l, struct err *e)
{
    struct config_route *route = route_of(r, l->section);
    int64_t port = 0;
    if (!route)
        return err_set(e, ERR_PERMANENT, "more than %d routes", CONFIG_ROUTES_MAX);
    if (str_eq(l->key, STR("host")))
        return config_take_text(r, &route->host, l->value, e);
    if (!str_eq(l->key, STR("port")))
        return err_set(e, ERR_PERMANENT, "a route has the keys host and port");
    if (!config_take_port(r, &port, l->value, e) || port == 0)
        return err_set(e, ERR_PERMANENT, "it is a port from 1 to 65535");
    route->port = (uint16_t)port;
    return true;
}

static bool take_line(struct reading *r, const struct ini_line *l, struct err *e)
{
    if (l->key.n == 0)
        return is_known_section(l->section) ||
               err_set(e, ERR_PERMANENT, "golub has no such section; see golub.conf(5)");
    if (str_starts(l->section, STR("route ")))
        return take_route(r, l, e);
    for (size_t i = 0; i < sizeof SETTINGS / sizeof *SETTINGS; i++)
        if (str_eq(l->section, str_from_c(SETTINGS[i].section)) &&
            str_eq(l->key, str_from_c(SETTINGS[i].key)))
            return SETTINGS[i].take(r, (char *)r->c + SETTINGS[i].at, l->value, e);
    for (enum service s = 0; str_eq(l->section, STR("listen")) && s < SERVICE_COUNT; s++)
        if (str_eq(l->key, str_from_c(service_name(s))))
            return config_take_port(r, &r->ports[s], l->value, e);
    return err_set(e, ERR_PERMANENT, "golub has no such setting; see golub.conf(5)");
}
/* What follows from other settings. A data directory whose path is too long for a socket has none. */
static void set_places(struct reading *r)
{
    struct config *c = r->c;
    if (c->origin.n == 0)
        c->origin = c->hostname;
    if (c->maildrop.n == 0)
        c->maildrop = arena_printf(r->a, "%.*s/maildrop", STR_ARGS(c->data));
    struct str path = arena_printf(r->a, "%.*s/run/submission.sock", STR_ARGS(c->data));
    if (c->submission_socket.n == 0 && !r->has_no_socket &&
        path.n < sizeof((struct sockaddr_un *)0)->sun_path)
        c->submission_socket = path;
}
static bool is_complete(const struct config *c, struct err *e)
{
    if (c->hostname.n == 0)
        return err_set(e, ERR_PERMANENT, "[server] hostname is missing: the name of this server in DNS");
    if (c->tls_certificate.n == 0 || c->tls_key.n == 0)
        return err_set(e, ERR_PERMANENT, "[tls] needs certificate and key: paths of PEM files");
    for (size_t i = 0; i < c->route_count; i++)
        if (c->routes[i].host.n == 0)
            return err_set(e, ERR_PERMANENT, "[route %.*s] needs a host", STR_ARGS(c->routes[i].domain));
    return true;
}

static const struct network LOOPBACK[] = {
    {.at = {{[10] = 0xff, [11] = 0xff, [12] = 127}}, .bits = NETWORK_IPV4_AT + 8}, /* 127.0.0.0/8 */
    {.at = {{[15] = 1}}, .bits = 128},                                             /* ::1 */
};

/* What large senders stay far below, and machines that were taken over soon pass. Connections at once as
 * Postfix has them. Of an account: what large hosts give a person (500 to 2,000 messages a day or an hour,
 * some thousand recipients a day). */
static const struct config_limit LIMITS[LIMIT_SCOPES] = {
    [LIMIT_ADDRESS] = {50, {{600, 60}, {6000, 60}, {30000, 60}, {1000, 3600}}},
    [LIMIT_NETWORK] = {200, {{2400, 60}, {24000, 60}, {120000, 60}, {4000, 3600}}},
    [LIMIT_ACCOUNT] = {50, {{20, 3600}, {1000, 3600}, {5000, 86400}, {200, 3600}}},
};

static struct str folder_of(const char *where)
{
    struct str path = str_from_c(where);
    size_t slash = str_rfind_byte(path, '/');
    return slash == STR_NONE ? STR(".") : slash == 0 ? STR("/") : str_slice(path, 0, slash);
}

static unsigned cores(void)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n < 1 ? 1 : n > CONFIG_WORKERS_MAX ? CONFIG_WORKERS_MAX : (unsigned)n;
}

/* A config and all that it points to. */
struct owned_config {
    struct arena memory;
    struct config config;
};

void config_free(const struct config *c)
{
    struct owned_config *owned = (void *)((char *)(uintptr_t)c - offsetof(struct owned_config, config));
    arena_free(&owned->memory);
    free(owned);
}

const struct config *config_parse(struct str text, const char *where, struct err *e)
{
    struct owned_config *owned = MEM_NEW(struct owned_config);
    struct arena *a = &owned->memory;
    struct config *c = &owned->config;
    struct reading r = {.c = c, .a = a, .folder = arena_copy(a, folder_of(where))};
    for (enum service s = 0; s < SERVICE_COUNT; s++)
        r.ports[s] = -1;
    *c = (struct config){
        .user = STR("golub"),
        .workers = cores(),
        .lmtp_mode = 0660,
        .lmtp_group = STR(""),
        .sts_port = 443,
        .sends_tls_reports = true,
        .tls_authorities = STR("/etc/ssl/certs/ca-certificates.crt"),
        .storage_connections =
            8, /* a write of a commit each on the way; PostgreSQL has 100 in all as a rule */
        .failures_before_wait = 5,
        .imap_park_after_s = 5,
        .expunged_days = 14,
        .stay_awake_s = 60,
        .data = r.folder,
        .imap_message_limit = 2000000,
        .message_size_max = (uint64_t)50 << 20, /* what Gmail and Outlook.com take, doubled for base64 */
        .recipients_max = 1000,                 /* ten times what RFC 5321 section 4.5.3.1.8 asks for */
        .hops_max = 50, /* half of section 6.3's "at least 100": loops end sooner; Postfix too */
        .tag_separator = '+',
        .smtp_sessions_max = 8000,
        .smtp_trusted = {LOOPBACK, sizeof LOOPBACK / sizeof *LOOPBACK},
        .smtp_ipv4_network = 24, /* the least that is routed */
        .smtp_ipv6_network = 48, /* what a site has: RFC 6177 section 2 */
        .smtp_greet_delay_s = 1,
        .smtp_tarpit_s = 5,
        .smtp_helo = HELO_CERTAIN,
        .limits = {LIMITS[LIMIT_ADDRESS], LIMITS[LIMIT_NETWORK], LIMITS[LIMIT_ACCOUNT]},
        .hold_most_s = 30 * 86400,
        .unwanted_advertising = STR(""),
        .queue_lifetime_s = 5 * 86400,
        .queue_delay_warn_s = 4 * 3600, /* RFC 5321 section 4.5.4.1 */
        .queue_retry_first_s = 5 * 60,
        .queue_retry_most_s = 4 * 3600,
        .relay_per_destination = 20, /* as Postfix */
        .trace_days = 30,
        .trace_bytes = (uint64_t)1 << 30,
        .log_level = LOG_LEVEL_INFO,
        .log_format = LOG_FORMAT_TEXT,
        .text = arena_copy(a, text),
    };
    struct ini ini = ini_open(c->text);
    struct ini_line l;
    enum ini_result got;
    while ((got = ini_next(&ini, &l, e)) == INI_LINE)
        if (!take_line(&r, &l, e)) {
            err_prefix(e, "%s: line %u: [%.*s]%s%.*s", where, l.number, STR_ARGS(l.section),
                       l.key.n ? " " : "", STR_ARGS(l.key));
            config_free(c);
            return NULL;
        }
    set_places(&r);
    if (got == INI_BAD || !config_make_listeners(&r, e) || !is_complete(c, e)) {
        err_prefix(e, "%s", where);
        config_free(c);
        return NULL;
    }
    return c;
}

const struct config *config_load(const char *path, struct err *e)
{
    CLEAN_FREE char *full = realpath(path, NULL);
    CLEAN_CLOSE int fd = full ? open(full, O_RDONLY | O_CLOEXEC) : -1;
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0) {
        err_set(e, ERR_PERMANENT, "%s: %s; `golub init` makes one", path, strerror(errno));
        return NULL;
    }
    if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size > CONFIG_FILE_MAX) {
        err_set(e, ERR_PERMANENT, "%s: not a file of at most %zu bytes", path, CONFIG_FILE_MAX);
        return NULL;
    }
    CLEAN_FREE char *text = mem_new((size_t)st.st_size + 1, 1);
    ssize_t n = read(fd, text, (size_t)st.st_size);
    if (n < 0) {
        err_set(e, ERR_PERMANENT, "%s: %s", path, strerror(errno));
        return NULL;
    }
    return config_parse(str_from(text, (size_t)n), full, e);
}

const struct config_route *config_route_for(const struct config *c, struct str domain)
{
    const struct config_route *smarthost = NULL;
    for (size_t i = 0; i < c->route_count; i++) {
        if (str_eq_nocase(c->routes[i].domain, domain))
            return &c->routes[i];
        if (str_eq(c->routes[i].domain, STR("*")))
            smarthost = &c->routes[i];
    }
    return smarthost;
}
