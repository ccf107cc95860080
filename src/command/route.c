/* golub route add | remove | list */
#include "base/mem.h"
#include "command/parts.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

static bool take_tls(const char *text, struct directory_route_entry *r)
{
    for (int i = 0; i <= DIRECTORY_TLS_NONE; i++)
        if (strcmp(text, directory_tls_name((enum directory_tls)i)) == 0) {
            r->route.tls = (enum directory_tls)i;
            r->has_tls = true;
            return true;
        }
    return false;
}

/* One of each kind; the second of a kind is a mistake. */
static bool take_source(const char *text, struct directory_route *to)
{
    unsigned char bytes[sizeof(struct in6_addr)];
    struct str *place = inet_pton(AF_INET, text, bytes) == 1    ? &to->source_ipv4
                        : inet_pton(AF_INET6, text, bytes) == 1 ? &to->source_ipv6
                                                                : NULL;
    if (!place || place->n > 0)
        return false;
    *place = str_from_c(text);
    return true;
}

static const char *take_options(struct command_run *r, struct directory_route_entry *out)
{
    bool bad = false;
    struct directory_route *to = &out->route;
    const char *sender = command_take_value(r, "--from", &bad);
    const char *host = command_take_value(r, "--host", &bad), *mx = command_take_value(r, "--mx", &bad);
    const char *port = command_take_value(r, "--port", &bad), *tls = command_take_value(r, "--tls", &bad);
    const char *user = command_take_value(r, "--user", &bad), *source;
    uint32_t number = 0;
    while ((source = command_take_value(r, "--source", &bad)))
        if (!take_source(source, to))
            return "--source is a numeric address of this machine, one of IPv4 and one of IPv6";
    if (bad)
        return "a value is missing";
    if (host && mx)
        return "--host and --mx do not go together";
    if (port && (!str_to_u32(str_from_c(port), &number) || number == 0 || number > UINT16_MAX))
        return "a port is a number from 1 to 65535";
    if (tls && !take_tls(tls, out))
        return "--tls is one of: any, encrypt, verify, dane, none";
    to->is_lmtp = command_take_flag(r, "--lmtp");
    to->by_mx = mx != NULL;
    to->host = str_from_c(mx ? mx : host);
    to->port = (uint16_t)number;
    to->user = str_from_c(user);
    out->sender = str_from_c(sender);
    return NULL;
}

int run_route_add(struct command_run *r)
{
    CLEAN_DIRECTORY_DB struct directory_db *db = NULL;
    struct directory_route_entry entry = {
        .route = {.password = STR(""), .source_ipv4 = STR(""), .source_ipv6 = STR("")}};
    char password[PASSWORD_MAX + 1] = "";
    struct err e = ERR_INIT;
    bool from_stdin = command_take_flag(r, "--password-stdin");
    const char *wrong = take_options(r, &entry);
    if (wrong)
        return command_misuse(r, wrong);
    if (!command_has_arguments(r, 1, 1))
        return COMMAND_MISUSED;
    if (from_stdin && entry.route.user.n == 0)
        return command_misuse(r, "a password needs a --user");
    entry.domain = str_from_c(r->argv[0]);
    bool good = entry.route.user.n == 0 || command_read_password(from_stdin, password, &e);
    entry.route.password = str_from_c(password);
    good = good && (db = command_open_directory(r, &e)) && directory_route_set(db, &entry, &e);
    mem_wipe(password, sizeof password);
    if (!good)
        return command_fail(&e);
    printf("mail for %s%s%.*s takes this route from now on\n", r->argv[0], entry.sender.n > 0 ? " from " : "",
           STR_ARGS(entry.sender));
    return COMMAND_DONE;
}

int run_route_remove(struct command_run *r)
{
    CLEAN_DIRECTORY_DB struct directory_db *db = NULL;
    struct err e = ERR_INIT;
    bool bad = false;
    const char *sender = command_take_value(r, "--from", &bad);
    if (bad)
        return command_misuse(r, "--from needs an address or @DOMAIN");
    if (!command_has_arguments(r, 1, 1))
        return COMMAND_MISUSED;
    if (!(db = command_open_directory(r, &e)) ||
        !directory_route_remove(db, str_from_c(sender), str_from_c(r->argv[0]), &e))
        return command_fail(&e);
    printf("removed the route for %s\n", r->argv[0]);
    return COMMAND_DONE;
}

/* "smtp.provider.example:587 login ana tls verify". The password is not printed, nor how long it is. */
static struct str route_text(const struct directory_route_entry *e, struct arena *a)
{
    CLEAN_BUF struct buf text;
    const struct directory_route *to = &e->route;
    buf_init(&text, BUF_MAX_DEFAULT);
    if (to->by_mx)
        buf_addf(&text, "the MX of %.*s", STR_ARGS(to->host));
    else if (to->host.n > 0)
        buf_addf(&text, "%s%.*s", to->is_lmtp ? "LMTP to " : "", STR_ARGS(to->host));
    else
        buf_add_c(&text, "as without this route");
    if (to->port > 0)
        buf_addf(&text, ", port %u", to->port);
    if (to->user.n > 0)
        buf_addf(&text, ", logged in as %.*s", STR_ARGS(to->user));
    if (e->has_tls)
        buf_addf(&text, ", tls %s", directory_tls_name(to->tls));
    if (to->source_ipv4.n > 0)
        buf_addf(&text, ", from %.*s", STR_ARGS(to->source_ipv4));
    if (to->source_ipv6.n > 0)
        buf_addf(&text, ", from %.*s", STR_ARGS(to->source_ipv6));
    return arena_copy(a, buf_str(&text));
}

static void print_route(const struct directory_route_entry *e, const char *where, struct arena *a)
{
    printf("%-30.*s %-30.*s %.*s%s\n", STR_ARGS(e->domain), STR_ARGS(e->sender.n > 0 ? e->sender : STR("*")),
           STR_ARGS(route_text(e, a)), where);
}

int run_route_list(struct command_run *r)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    CLEAN_DIRECTORY_DB struct directory_db *db = NULL;
    struct directory_route_entry *v;
    struct err e = ERR_INIT;
    size_t n;
    if (!command_has_arguments(r, 0, 0))
        return COMMAND_MISUSED;
    if (!(db = command_open_directory(r, &e)) || !directory_route_list(db, &a, &v, &n, &e))
        return command_fail(&e);
    printf("%-30s %-30s %s\n", "TO", "FROM", "GOES TO");
    for (size_t i = 0; i < r->config->route_count; i++) {
        const struct config_route *c = &r->config->routes[i];
        struct directory_route_entry line = {.domain = c->domain,
                                             .route = {.host = c->host, .port = c->port}};
        print_route(&line, " (golub.conf)", &a);
    }
    for (size_t i = 0; i < n; i++)
        print_route(&v[i], "", &a);
    return COMMAND_DONE;
}
