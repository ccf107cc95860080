#include "config/config.h"

#include "base/arena.h"
#include "base/mem.h"
#include "base/pgsql.h"
#include "config/ini.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>

#define CONFIG_FILE_MAX ((size_t)1 << 20) /* a thousand routes fit ten times */

static const struct {
    const char *name;
    uint16_t port;
    bool is_tls, is_smtp;
} SERVICES[SERVICE_COUNT] = {
    [SERVICE_SMTP] = {"smtp", 25, false, true},
    [SERVICE_SUBMISSION] = {"submission", 587, false, true},
    [SERVICE_SUBMISSIONS] = {"submissions", 465, true, true},
    [SERVICE_SUBMISSION_ALT] = {"submission_alt", 26, false, true},
    [SERVICE_IMAP] = {"imap", 143, false, false},
    [SERVICE_IMAPS] = {"imaps", 993, true, false},
    [SERVICE_POP3] = {"pop3", 110, false, false},
    [SERVICE_POP3S] = {"pop3s", 995, true, false},
    [SERVICE_LOCAL] = {"submission_socket", 0, false, true},
    [SERVICE_LMTP] = {"lmtp", 24, false, true},
};

const char *service_name(enum service s)
{
    return SERVICES[s].name;
}

uint16_t service_port(enum service s)
{
    return SERVICES[s].port;
}

bool service_is_tls(enum service s)
{
    return SERVICES[s].is_tls;
}

bool service_is_smtp(enum service s)
{
    return SERVICES[s].is_smtp;
}

/* What is being read: the config so far, and what only makes sense once all lines are known. */
struct reading {
    struct config *c;
    struct arena *a;
    struct str folder; /* of the config file: relative paths start here */
    struct str addresses[CONFIG_LISTENERS_MAX];
    size_t address_count;
    uint32_t port_base;
    bool has_port_base;
    int64_t ports[SERVICE_COUNT]; /* -1: by default, 0: none */
    struct config_listener lmtp[CONFIG_LISTENERS_MAX];
    size_t lmtp_count;
    struct str section; /* of the line at hand */
    bool has_no_socket; /* submission_socket = none */
};

typedef bool value_fn(struct reading *r, void *to, struct str value, struct err *e);

static bool take_text(struct reading *r, void *to, struct str value, struct err *e)
{
    if (value.n == 0)
        return err_set(e, ERR_PERMANENT, "the value is empty");
    *(struct str *)to = arena_copy(r->a, value);
    return true;
}

static bool take_path(struct reading *r, void *to, struct str value, struct err *e)
{
    if (value.n == 0)
        return err_set(e, ERR_PERMANENT, "the path is empty");
    *(struct str *)to = value.p[0] == '/'
                            ? arena_copy(r->a, value)
                            : arena_printf(r->a, "%.*s/%.*s", STR_ARGS(r->folder), STR_ARGS(value));
    return true;
}

static bool take_yes(struct reading *r, void *to, struct str value, struct err *e)
{
    (void)r;
    if (!str_eq_nocase(value, STR("yes")) && !str_eq_nocase(value, STR("no")))
        return err_set(e, ERR_PERMANENT, "it is yes or no");
    *(bool *)to = str_eq_nocase(value, STR("yes"));
    return true;
}

static bool take_sandbox(struct reading *r, void *to, struct str value, struct err *e)
{
    (void)r;
    if (!str_eq(value, STR("best")) && !str_eq(value, STR("require")))
        return err_set(e, ERR_PERMANENT,
                       "it is best (what the kernel offers) or require (Landlock or nothing)");
    *(bool *)to = str_eq(value, STR("require"));
    return true;
}

static bool take_count(struct reading *r, void *to, struct str value, struct err *e)
{
    (void)r;
    uint32_t n;
    if (!str_to_u32(value, &n) || n == 0 || n > 10 * 1000 * 1000)
        return err_set(e, ERR_PERMANENT, "it is a number from 1 to 10000000");
    *(unsigned *)to = n;
    return true;
}

static bool take_workers(struct reading *r, void *to, struct str value, struct err *e)
{
    uint32_t n;
    (void)r;
    if (!str_to_u32(value, &n) || n == 0 || n > CONFIG_WORKERS_MAX)
        return err_set(e, ERR_PERMANENT, "it is a number from 1 to %d", CONFIG_WORKERS_MAX);
    *(unsigned *)to = n;
    return true;
}

/* Every role reads the config, and only store may know the password. */
static bool take_postgresql(struct reading *r, void *to, struct str value, struct err *e)
{
    struct pgsql_uses uses = {0};
    CLEAN_FREE char *conninfo = mem_copy_c(value.p, value.n);
    bool good = pgsql_uses(conninfo, &uses, e);
    bool has_password = uses.has_password;
    pgsql_uses_free(&uses);
    if (good && has_password)
        return err_set(e, ERR_PERMANENT,
                       "no password here: name a file that holds it, passfile=PATH (libpq's manual, \"The "
                       "Password File\")");
    return good && take_text(r, to, value, e);
}

static bool take_connections(struct reading *r, void *to, struct str value, struct err *e)
{
    uint32_t n;
    (void)r;
    if (!str_to_u32(value, &n) || n == 0 || n > CONFIG_CONNECTIONS_MAX)
        return err_set(e, ERR_PERMANENT, "it is a number from 1 to %d", CONFIG_CONNECTIONS_MAX);
    *(unsigned *)to = n;
    return true;
}

/* Splits a number from its one-letter unit. */
static bool take_unit(struct str value, const char *units, uint64_t *number, char *unit)
{
    *unit = '\0';
    if (value.n > 1 && strchr(units, ascii_lower(value.p[value.n - 1]))) {
        *unit = ascii_lower(value.p[value.n - 1]);
        value.n--;
    }
    return str_to_u64(value, number);
}

static bool take_bytes(struct reading *r, void *to, struct str value, struct err *e)
{
    (void)r;
    uint64_t n;
    char unit;
    bool good = take_unit(value, "kmg", &n, &unit) && n > 0 && n < (uint64_t)1 << 32;
    uint64_t bytes = good ? n << (unit == 'k' ? 10 : unit == 'm' ? 20 : unit == 'g' ? 30 : 0) : 0;
    if (!good || bytes > (uint64_t)1 << 31)
        return err_set(e, ERR_PERMANENT, "it is a number of bytes up to 2g, such as 52428800 or 50m");
    *(uint64_t *)to = bytes;
    return true;
}

static bool take_room(struct reading *r, void *to, struct str value, struct err *e)
{
    (void)r;
    uint64_t n;
    char unit;
    bool good = take_unit(value, "mgt", &n, &unit) && unit != '\0' && n > 0 && n < (uint64_t)1 << 20;
    uint64_t bytes = good ? n << (unit == 'm' ? 20 : unit == 'g' ? 30 : 40) : 0;
    if (!good || bytes > (uint64_t)1 << 50)
        return err_set(e, ERR_PERMANENT, "it is a size with its unit m, g or t, such as 500m or 4g");
    *(uint64_t *)to = bytes;
    return true;
}

static bool take_seconds(struct reading *r, void *to, struct str value, struct err *e)
{
    (void)r;
    uint64_t n;
    char unit;
    bool good = take_unit(value, "smhd", &n, &unit) && n <= 366 * 86400;
    uint64_t s = good ? n * (unit == 'd' ? 86400u : unit == 'h' ? 3600u : unit == 'm' ? 60u : 1u) : 0;
    if (!good || s > 366 * 86400)
        return err_set(e, ERR_PERMANENT, "it is a time of at most a year, such as 90s, 5m, 4h or 5d");
    *(unsigned *)to = (unsigned)s;
    return true;
}

/* RFC 2449 section 6.7. A policy of 0 days would mean that we delete what is fetched. */
static bool take_expire(struct reading *r, void *to, struct str value, struct err *e)
{
    (void)r;
    uint64_t days = 0;
    char unit;
    bool never = str_eq(value, STR("never"));
    if (!never && (!take_unit(value, "d", &days, &unit) || days == 0 || days > 36500))
        return err_set(e, ERR_PERMANENT, "it is never, or a number of days such as 30d");
    *(unsigned *)to = (unsigned)days;
    return true;
}

static bool take_days(struct reading *r, void *to, struct str value, struct err *e)
{
    (void)r;
    uint32_t days;
    if (!str_to_u32(value, &days) || days == 0 || days > 36500)
        return err_set(e, ERR_PERMANENT, "it is a number of days, at least 1");
    *(unsigned *)to = days;
    return true;
}

static bool take_over_quota(struct reading *r, void *to, struct str value, struct err *e)
{
    (void)r;
    if (!str_eq(value, STR("temporary")) && !str_eq(value, STR("permanent")))
        return err_set(e, ERR_PERMANENT,
                       "it is temporary (senders try again) or permanent (mail is refused)");
    *(bool *)to = str_eq(value, STR("permanent"));
    return true;
}

static bool take_hold(struct reading *r, void *to, struct str value, struct err *e)
{
    return take_seconds(r, to, value, e) &&
           (*(unsigned *)to > 0 || err_set(e, ERR_PERMANENT, "it is a time of at least a second"));
}

/* RFC 3865 section 2.2: a domain of the one who made the class up, and what it is. All stand in a line of the
 * answer to EHLO. */
static bool take_classes(struct reading *r, void *to, struct str value, struct err *e)
{
    for (size_t i = 0; i < value.n; i++)
        if (!ascii_is_alpha(value.p[i]) && !ascii_is_digit(value.p[i]) && !strchr(".-_: ", value.p[i]))
            return err_set(e, ERR_PERMANENT, "it is classes such as org.example:ADV, with spaces between");
    if (value.n > 400)
        return err_set(e, ERR_PERMANENT, "all classes together have at most 400 bytes");
    return take_text(r, to, value, e);
}

static bool take_dsn(struct reading *r, void *to, struct str value, struct err *e)
{
    (void)r;
    if (!str_eq(value, STR("ours")) && !str_eq(value, STR("all")))
        return err_set(e, ERR_PERMANENT, "it is ours (our users may ask for reports) or all (strangers too)");
    *(bool *)to = str_eq(value, STR("all"));
    return true;
}

static bool take_utf8_headers(struct reading *r, void *to, struct str value, struct err *e)
{
    (void)r;
    if (!str_eq(value, STR("any")) && !str_eq(value, STR("asked")))
        return err_set(e, ERR_PERMANENT, "it is any (as real mail has them) or asked (with SMTPUTF8)");
    *(bool *)to = str_eq(value, STR("asked"));
    return true;
}

static bool take_separator(struct reading *r, void *to, struct str value, struct err *e)
{
    (void)r;
    if (value.n != 1 || !strchr("+-=_.#", value.p[0]))
        return err_set(e, ERR_PERMANENT, "it is one of + - = _ . #");
    *(char *)to = value.p[0];
    return true;
}

static bool take_networks(struct reading *r, void *to, struct str value, struct err *e)
{
    struct str bad;
    if (str_eq(value, STR("none")))
        value = STR("");
    return networks_read(arena_copy(r->a, value), r->a, to, &bad) ||
           err_set(
               e, ERR_PERMANENT,
               "\"%.*s\" is no network: write 192.0.2.0/24, 2001:db8::/32 or an address, or none for nobody",
               STR_ARGS(bad));
}

static bool take_bits(struct reading *r, void *to, struct str value, struct err *e, unsigned most)
{
    uint32_t n;
    (void)r;
    if (!str_to_u32(value, &n) || n == 0 || n > most)
        return err_set(e, ERR_PERMANENT, "it is a number of bits from 1 to %u", most);
    *(unsigned *)to = n;
    return true;
}

static bool take_ipv4_bits(struct reading *r, void *to, struct str value, struct err *e)
{
    return take_bits(r, to, value, e, 32);
}

static bool take_ipv6_bits(struct reading *r, void *to, struct str value, struct err *e)
{
    return take_bits(r, to, value, e, 64);
}

static bool take_helo(struct reading *r, void *to, struct str value, struct err *e)
{
    static const char *const NAMES[] = {
        [HELO_ANY] = "any", [HELO_CERTAIN] = "certain", [HELO_STRICT] = "strict"};
    (void)r;
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++)
        if (str_eq(value, str_from_c(NAMES[i]))) {
            *(enum helo_policy *)to = (enum helo_policy)i;
            return true;
        }
    return err_set(e, ERR_PERMANENT, "it is any, certain or strict");
}

/* How many at once. */
static bool take_most(struct reading *r, void *to, struct str value, struct err *e)
{
    if (!str_eq(value, STR("none")))
        return take_count(r, to, value, e);
    *(unsigned *)to = 0;
    return true;
}

/* How many in a time: 600/m. */
static bool take_rate(struct reading *r, void *to, struct str value, struct err *e)
{
    static const struct {
        char unit;
        unsigned seconds;
    } UNITS[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
    struct tally_limit limit = {0, 0};
    struct str unit = value, number;
    bool is_none = str_eq(value, STR("none")), good = is_none;
    if (!is_none && str_cut(&unit, '/', &number) && unit.n == 1 && str_to_u32(str_trim(number), &limit.count))
        for (size_t i = 0; i < sizeof UNITS / sizeof *UNITS; i++)
            if (UNITS[i].unit == unit.p[0])
                limit.period_s = UNITS[i].seconds;
    (void)r;
    good = good || (limit.period_s > 0 && limit.count > 0 && limit.count <= 1000 * 1000);
    if (!good)
        return err_set(
            e, ERR_PERMANENT,
            "it is a number up to 1000000 in a second, minute, hour or day, such as 600/m, or none");
    *(struct tally_limit *)to = limit;
    return true;
}

static bool take_sockets(struct reading *r, void *to, struct str value, struct err *e)
{
    struct str rest = value, one;
    while (rest.n > 0) {
        str_cut(&rest, ' ', &one);
        if (one.n > 0 && one.p[0] != '/')
            return err_set(e, ERR_PERMANENT, "\"%.*s\" is no absolute path of a socket", STR_ARGS(one));
    }
    *(struct str *)to = arena_copy(r->a, value);
    return true;
}

static bool take_level(struct reading *r, void *to, struct str value, struct err *e)
{
    static const char *const NAMES[] = {"debug", "info", "warning", "error"};
    (void)r;
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++)
        if (str_eq(value, str_from_c(NAMES[i]))) {
            *(enum log_level *)to = (enum log_level)i;
            return true;
        }
    return err_set(e, ERR_PERMANENT, "it is debug, info, warning or error");
}

static bool take_language(struct reading *r, void *to, struct str value, struct err *e)
{
    static const struct {
        struct str name;
        enum config_language language;
    } NAMES[] = {
        {STR_INIT("en"), CONFIG_ENGLISH},
        {STR_INIT("sr"), CONFIG_SERBIAN_LATIN},
        {STR_INIT("sr-Latn"), CONFIG_SERBIAN_LATIN},
        {STR_INIT("sr-Cyrl"), CONFIG_SERBIAN_CYRILLIC},
    };
    (void)r;
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++)
        if (str_eq_nocase(value, NAMES[i].name)) {
            *(enum config_language *)to = NAMES[i].language;
            return true;
        }
    return err_set(e, ERR_PERMANENT, "it is en, sr-Latn or sr-Cyrl");
}

static bool take_format(struct reading *r, void *to, struct str value, struct err *e)
{
    (void)r;
    if (!str_eq(value, STR("text")) && !str_eq(value, STR("json")))
        return err_set(e, ERR_PERMANENT, "it is text or json");
    *(enum log_format *)to = str_eq(value, STR("json")) ? LOG_FORMAT_JSON : LOG_FORMAT_TEXT;
    return true;
}

/* A numeric address as the kernel wants it: its size, or 0 if it is none. */
static socklen_t numeric_address(struct str s, uint16_t port, struct sockaddr_storage *to)
{
    char text[INET6_ADDRSTRLEN];
    struct sockaddr_in *v4 = (struct sockaddr_in *)to;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)to;
    memset(to, 0, sizeof *to);
    if (s.n >= sizeof text)
        return 0;
    memcpy(text, s.p, s.n);
    text[s.n] = '\0';
    if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        return sizeof *v4;
    }
    if (inet_pton(AF_INET6, text, &v6->sin6_addr) != 1)
        return 0;
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    return sizeof *v6;
}

static bool is_numeric_address(struct str s)
{
    struct sockaddr_storage ignored;
    return numeric_address(s, 0, &ignored) > 0;
}

unsigned config_listener_address(const struct config_listener *l, struct sockaddr_storage *to)
{
    struct sockaddr_un *local = (struct sockaddr_un *)to;
    if (l->path.n > 0) {
        memset(to, 0, sizeof *to);
        local->sun_family = AF_UNIX;
        memcpy(local->sun_path, l->path.p, l->path.n); /* take_lmtp has seen that it fits */
        return sizeof *local;
    }
    return numeric_address(l->address, l->port, to);
}

void config_listener_words(const struct config_listener *l, char words[CONFIG_LISTENER_WORDS_MAX])
{
    if (l->path.n > 0)
        snprintf(words, CONFIG_LISTENER_WORDS_MAX, "%.*s", STR_ARGS(l->path));
    else
        snprintf(words, CONFIG_LISTENER_WORDS_MAX, "%.*s port %u", STR_ARGS(l->address), l->port);
}

static bool take_socket(struct reading *r, void *to, struct str value, struct err *e)
{
    if (str_eq(value, STR("none"))) {
        r->has_no_socket = true;
        *(struct str *)to = STR("");
        return true;
    }
    r->has_no_socket = false;
    return take_path(r, to, value, e) && (((struct str *)to)->n < sizeof((struct sockaddr_un *)0)->sun_path ||
                                          err_set(e, ERR_PERMANENT, "a socket's path has less than %zu bytes",
                                                  sizeof((struct sockaddr_un *)0)->sun_path));
}

static bool take_local_senders(struct reading *r, void *to, struct str value, struct err *e)
{
    (void)r;
    if (!str_eq(value, STR("ours")) && !str_eq(value, STR("any")))
        return err_set(e, ERR_PERMANENT, "it is ours (addresses of our domains) or any");
    *(bool *)to = str_eq(value, STR("any"));
    return true;
}

/* The server may carry a port: 127.0.0.1@5353, as unbound writes it. */
static bool take_dns_server(struct reading *r, void *to, struct str value, struct err *e)
{
    struct str port = value, address;
    uint32_t number = 53;
    if (str_cut(&port, '@', &address) && (!str_to_u32(port, &number) || number == 0 || number > UINT16_MAX))
        return err_set(e, ERR_PERMANENT, "the port after @ is a number from 1 to 65535");
    if (!is_numeric_address(address))
        return err_set(e, ERR_PERMANENT, "it is a numeric address, with @port if that is not 53");
    return take_text(r, to, value, e);
}

static bool take_addresses(struct reading *r, void *to, struct str value, struct err *e)
{
    (void)to;
    r->address_count = 0;
    while (value.n > 0) {
        struct str one;
        str_cut(&value, ' ', &one);
        one = str_trim(one);
        if (one.n == 0)
            continue;
        bool any = str_eq(one, STR("*"));
        if (!any && !is_numeric_address(one))
            return err_set(e, ERR_PERMANENT, "\"%.*s\" is no numeric address; use * for all", STR_ARGS(one));
        if (r->address_count + 2 > CONFIG_LISTENERS_MAX)
            return err_set(e, ERR_PERMANENT, "too many addresses");
        r->addresses[r->address_count++] = any ? STR("0.0.0.0") : arena_copy(r->a, one);
        if (any)
            r->addresses[r->address_count++] = STR("::");
    }
    return r->address_count > 0 || err_set(e, ERR_PERMANENT, "there is no address; use * for all");
}

/* A unix socket's path, or a place on this machine's network. */
static bool take_lmtp_place(struct reading *r, struct str place, struct config_listener *to, struct err *e)
{
    struct str port = place, address;
    uint32_t number;
    *to = (struct config_listener){.service = SERVICE_LMTP, .address = STR(""), .path = STR("")};
    if (str_starts(place, STR("unix:")))
        return take_path(r, &to->path, str_from_offset(place, 5), e);
    if (str_find_byte(place, '/') != STR_NONE)
        return take_path(r, &to->path, place, e);
    bool has_address = str_cut(&port, '@', &address);
    if (!has_address) {
        port = place;
        address = STR("127.0.0.1");
    }
    if (!str_to_u32(port, &number) || number == 0 || number > UINT16_MAX || !is_numeric_address(address))
        return err_set(e, ERR_PERMANENT,
                       "\"%.*s\" is none of /PATH, unix:PATH, ADDRESS@PORT and PORT (on 127.0.0.1)",
                       STR_ARGS(place));
    to->address = arena_copy(r->a, address);
    to->port = (uint16_t)number;
    return true;
}

/* Only where it is asked for: whoever reaches it may deliver to our addresses. */
static bool take_lmtp(struct reading *r, void *to, struct str value, struct err *e)
{
    (void)to;
    r->lmtp_count = 0;
    if (str_eq(value, STR("none")))
        return true;
    while (value.n > 0) {
        struct str one;
        str_cut(&value, ' ', &one);
        one = str_trim(one);
        if (one.n == 0)
            continue;
        if (r->lmtp_count == CONFIG_LISTENERS_MAX)
            return err_set(e, ERR_PERMANENT, "more than %d places", CONFIG_LISTENERS_MAX);
        struct config_listener *l = &r->lmtp[r->lmtp_count++];
        if (!take_lmtp_place(r, one, l, e))
            return false;
        if (l->path.n >= sizeof((struct sockaddr_un *)NULL)->sun_path)
            return err_set(e, ERR_PERMANENT, "the path of a unix socket has at most %zu bytes",
                           sizeof((struct sockaddr_un *)NULL)->sun_path - 1);
    }
    return r->lmtp_count > 0 || err_set(e, ERR_PERMANENT, "there is no place; none for no LMTP");
}

static bool take_mode(struct reading *r, void *to, struct str value, struct err *e)
{
    unsigned mode = 0;
    bool good = value.n == 3 || (value.n == 4 && value.p[0] == '0');
    (void)r;
    for (size_t i = 0; i < value.n; i++) {
        good = good && value.p[i] >= '0' && value.p[i] <= '7';
        mode = mode << 3 | ((unsigned)value.p[i] & 7);
    }
    if (!good)
        return err_set(e, ERR_PERMANENT, "it is permissions in octal, such as 0660");
    *(unsigned *)to = mode;
    return true;
}

static bool take_port_base(struct reading *r, void *to, struct str value, struct err *e)
{
    (void)to;
    if (!str_to_u32(value, &r->port_base) || r->port_base > UINT16_MAX - 4190)
        return err_set(e, ERR_PERMANENT, "it is a number from 0 to %d", UINT16_MAX - 4190);
    r->has_port_base = true;
    return true;
}

static bool take_port(struct reading *r, void *to, struct str value, struct err *e)
{
    uint32_t port = 0;
    (void)r;
    if (!str_eq(value, STR("none")) && (!str_to_u32(value, &port) || port == 0 || port > UINT16_MAX))
        return err_set(e, ERR_PERMANENT, "it is a port from 1 to 65535, or none");
    *(int64_t *)to = port;
    return true;
}

struct setting {
    const char *section, *key;
    value_fn *take;
    size_t at; /* offset in struct config */
};

#define IN_CONFIG(member)       offsetof(struct config, member)
#define IN_LIMIT(scope, member) IN_CONFIG(limits[LIMIT_##scope].member)
static const struct setting SETTINGS[] = {
    {"server", "hostname", take_text, IN_CONFIG(hostname)},
    {"server", "origin", take_text, IN_CONFIG(origin)},
    {"server", "data", take_path, IN_CONFIG(data)},
    {"server", "user", take_text, IN_CONFIG(user)},
    {"server", "sandbox", take_sandbox, IN_CONFIG(sandbox_required)},
    {"server", "workers", take_workers, IN_CONFIG(workers)},
    {"listen", "address", take_addresses, 0},
    {"listen", "port_base", take_port_base, 0},
    {"listen", "submission_socket", take_socket, IN_CONFIG(submission_socket)},
    {"listen", "maildrop", take_path, IN_CONFIG(maildrop)},
    {"listen", "lmtp", take_lmtp, 0},
    {"listen", "lmtp_mode", take_mode, IN_CONFIG(lmtp_mode)},
    {"listen", "lmtp_group", take_text, IN_CONFIG(lmtp_group)},
    {"listen", "proxy", take_networks, IN_CONFIG(proxy_networks)},
    {"tls", "certificate", take_path, IN_CONFIG(tls_certificate)},
    {"tls", "key", take_path, IN_CONFIG(tls_key)},
    {"tls", "reports", take_yes, IN_CONFIG(sends_tls_reports)},
    {"tls", "sts_port", take_count, IN_CONFIG(sts_port)},
    {"tls", "authorities", take_path, IN_CONFIG(tls_authorities)},
    {"storage", "postgresql", take_postgresql, IN_CONFIG(storage_postgresql)},
    {"storage", "connections", take_connections, IN_CONFIG(storage_connections)},
    {"login", "plain_on_loopback", take_yes, IN_CONFIG(plain_on_loopback)},
    {"login", "failures", take_count, IN_CONFIG(failures_before_wait)},
    {"imap", "message_limit", take_count, IN_CONFIG(imap_message_limit)},
    {"pop3", "expire", take_expire, IN_CONFIG(pop3_expire_days)},
    {"pop3", "login_delay", take_seconds, IN_CONFIG(pop3_login_delay_s)},
    {"imap", "park_after", take_seconds, IN_CONFIG(imap_park_after_s)},
    {"mailbox", "expunged_days", take_days, IN_CONFIG(expunged_days)},
    {"mailbox", "recently_deleted", take_yes, IN_CONFIG(keeps_deleted)},
    {"mailbox", "over_quota", take_over_quota, IN_CONFIG(over_quota_is_permanent)},
    {"dns", "server", take_dns_server, IN_CONFIG(dns_server)},
    {"dns", "trust_anchor", take_path, IN_CONFIG(dns_trust_anchor)},
    {"smtp", "message_size", take_bytes, IN_CONFIG(message_size_max)},
    {"smtp", "local_senders", take_local_senders, IN_CONFIG(local_senders_any)},
    {"smtp", "recipients", take_count, IN_CONFIG(recipients_max)},
    {"smtp", "hops", take_count, IN_CONFIG(hops_max)},
    {"smtp", "separator", take_separator, IN_CONFIG(tag_separator)},
    {"smtp", "hold", take_hold, IN_CONFIG(hold_most_s)},
    {"smtp", "no_soliciting", take_classes, IN_CONFIG(unwanted_advertising)},
    {"smtp", "dsn", take_dsn, IN_CONFIG(dsn_for_all)},
    {"smtp", "utf8_headers", take_utf8_headers, IN_CONFIG(utf8_headers_only_when_asked)},
    {"smtp", "sessions", take_count, IN_CONFIG(smtp_sessions_max)},
    {"smtp", "trusted", take_networks, IN_CONFIG(smtp_trusted)},
    {"smtp", "xclient", take_networks, IN_CONFIG(smtp_xclient)},
    {"smtp", "ipv4_network", take_ipv4_bits, IN_CONFIG(smtp_ipv4_network)},
    {"smtp", "ipv6_network", take_ipv6_bits, IN_CONFIG(smtp_ipv6_network)},
    {"smtp", "greet_delay", take_seconds, IN_CONFIG(smtp_greet_delay_s)},
    {"smtp", "tarpit", take_seconds, IN_CONFIG(smtp_tarpit_s)},
    {"smtp", "helo", take_helo, IN_CONFIG(smtp_helo)},
    {"limit address", "connections", take_most, IN_LIMIT(ADDRESS, connections)},
    {"limit address", "connect_rate", take_rate, IN_LIMIT(ADDRESS, rates[LIMIT_CONNECTS])},
    {"limit address", "message_rate", take_rate, IN_LIMIT(ADDRESS, rates[LIMIT_MESSAGES])},
    {"limit address", "recipient_rate", take_rate, IN_LIMIT(ADDRESS, rates[LIMIT_RECIPIENTS])},
    {"limit address", "refused_rate", take_rate, IN_LIMIT(ADDRESS, rates[LIMIT_REFUSED])},
    {"limit network", "connections", take_most, IN_LIMIT(NETWORK, connections)},
    {"limit network", "connect_rate", take_rate, IN_LIMIT(NETWORK, rates[LIMIT_CONNECTS])},
    {"limit network", "message_rate", take_rate, IN_LIMIT(NETWORK, rates[LIMIT_MESSAGES])},
    {"limit network", "recipient_rate", take_rate, IN_LIMIT(NETWORK, rates[LIMIT_RECIPIENTS])},
    {"limit network", "refused_rate", take_rate, IN_LIMIT(NETWORK, rates[LIMIT_REFUSED])},
    {"limit account", "connections", take_most, IN_LIMIT(ACCOUNT, connections)},
    {"limit account", "networks", take_rate, IN_LIMIT(ACCOUNT, rates[LIMIT_CONNECTS])},
    {"limit account", "message_rate", take_rate, IN_LIMIT(ACCOUNT, rates[LIMIT_MESSAGES])},
    {"limit account", "recipient_rate", take_rate, IN_LIMIT(ACCOUNT, rates[LIMIT_RECIPIENTS])},
    {"limit account", "refused_rate", take_rate, IN_LIMIT(ACCOUNT, rates[LIMIT_REFUSED])},
    {"queue", "lifetime", take_seconds, IN_CONFIG(queue_lifetime_s)},
    {"queue", "warn", take_seconds, IN_CONFIG(queue_delay_warn_s)},
    {"queue", "retry", take_seconds, IN_CONFIG(queue_retry_first_s)},
    {"queue", "retry_most", take_seconds, IN_CONFIG(queue_retry_most_s)},
    {"queue", "language", take_language, IN_CONFIG(queue_language)},
    {"queue", "connections", take_count, IN_CONFIG(relay_per_destination)},
    {"trace", "days", take_days, IN_CONFIG(trace_days)},
    {"trace", "size", take_room, IN_CONFIG(trace_bytes)},
    {"relay", "lmtp_sockets", take_sockets, IN_CONFIG(lmtp_sockets)},
    {"log", "level", take_level, IN_CONFIG(log_level)},
    {"log", "format", take_format, IN_CONFIG(log_format)},
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
        return take_text(r, &route->host, l->value, e);
    if (!str_eq(l->key, STR("port")))
        return err_set(e, ERR_PERMANENT, "a route has the keys host and port");
    if (!take_port(r, &port, l->value, e) || port == 0)
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
        if (str_eq(l->key, str_from_c(SERVICES[s].name)))
            return take_port(r, &r->ports[s], l->value, e);
    return err_set(e, ERR_PERMANENT, "golub has no such setting; see golub.conf(5)");
}

static bool add_listener(struct config *c, struct config_listener l, struct err *e)
{
    if (c->listener_count == CONFIG_LISTENERS_MAX)
        return err_set(e, ERR_PERMANENT, "more than %d listening sockets", CONFIG_LISTENERS_MAX);
    c->listeners[c->listener_count++] = l;
    return true;
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

static bool make_listeners(struct reading *r, struct err *e)
{
    struct config *c = r->c;
    if (r->address_count == 0 && !take_addresses(r, NULL, r->has_port_base ? STR("127.0.0.1") : STR("*"), e))
        return false;
    for (enum service s = 0; s < SERVICE_LOCAL; s++) {
        int64_t port = r->ports[s] >= 0 ? r->ports[s] : (int64_t)r->port_base + SERVICES[s].port;
        for (size_t i = 0; port > 0 && i < r->address_count; i++) {
            struct config_listener l = {
                .service = s, .address = r->addresses[i], .port = (uint16_t)port, .path = STR("")};
            if (!add_listener(c, l, e))
                return false;
        }
    }
    struct config_listener local = {
        .service = SERVICE_LOCAL, .address = STR(""), .path = c->submission_socket};
    if (local.path.n > 0 && !add_listener(c, local, e))
        return false;
    for (size_t i = 0; i < r->lmtp_count; i++)
        if (!add_listener(c, r->lmtp[i], e))
            return false;
    return true;
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
    if (got == INI_BAD || !make_listeners(&r, e) || !is_complete(c, e)) {
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
