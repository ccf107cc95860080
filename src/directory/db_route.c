/* Routes: what the administrator set for mail that leaves, by its sender and by its recipient's domain. */
#include "directory/db_parts.h"
#include "directory/trail.h"

#include <arpa/inet.h>
#include <stdlib.h>

#define ROUTE_COLUMNS \
    "sender, domain, host, port, is_lmtp, by_mx, tls, login, password, source_ipv4, source_ipv6"
DIRECTORY_STATEMENT(ROUTE_FIND, "SELECT " ROUTE_COLUMNS " FROM route"
                                " WHERE domain IN ($3, '*') AND sender IN ('', $1, $2)");
DIRECTORY_STATEMENT(ROUTE_LIST, "SELECT " ROUTE_COLUMNS " FROM route ORDER BY domain, sender");
DIRECTORY_STATEMENT(ROUTE_SET,
                    "INSERT INTO route (" ROUTE_COLUMNS
                    ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
                    " ON CONFLICT (domain, sender) DO UPDATE SET host = excluded.host, port = excluded.port,"
                    " is_lmtp = excluded.is_lmtp, by_mx = excluded.by_mx, tls = excluded.tls,"
                    " login = excluded.login, password = excluded.password,"
                    " source_ipv4 = excluded.source_ipv4, source_ipv6 = excluded.source_ipv6");
DIRECTORY_STATEMENT(ROUTE_DELETE, "DELETE FROM route WHERE domain = $2 AND sender = $1");

#define ANYWHERE    STR("*")
#define MATCHES_MAX 6 /* a sender, its domain, anybody; each to a domain and to any */

const char *directory_tls_name(enum directory_tls tls)
{
    static const char *const NAMES[] = {
        [DIRECTORY_TLS_ANY] = "any",   [DIRECTORY_TLS_ENCRYPT] = "encrypt", [DIRECTORY_TLS_VERIFY] = "verify",
        [DIRECTORY_TLS_DANE] = "dane", [DIRECTORY_TLS_NONE] = "none",
    };
    return (unsigned)tls < sizeof NAMES / sizeof NAMES[0] ? NAMES[tls] : "unknown";
}

/* --- changing --- */

/* "*", or a domain. */
static bool read_domain(struct str domain, struct arena *a, struct str *out, struct err *e)
{
    *out = ANYWHERE;
    return str_eq(domain, ANYWHERE) || directory_domain_read(domain, a, out, e);
}

/* "", "@domain", or an address. */
static bool read_sender(struct str sender, struct arena *a, struct str *out, struct err *e)
{
    struct directory_address read;
    *out = STR("");
    return sender.n == 0 || (directory_pattern_read(sender, a, &read, e) && (*out = read.key, true));
}

static bool is_address_of(int family, struct str text, struct arena *a)
{
    unsigned char bytes[sizeof(struct in6_addr)];
    return inet_pton(family, arena_copy_c(a, text), bytes) == 1;
}

static bool check(const struct directory_route_entry *r, struct arena *a, struct err *e)
{
    const struct directory_route *to = &r->route;
    if (to->by_mx && (to->host.n == 0 || to->is_lmtp))
        return err_set(e, ERR_PERMANENT, "MX records are asked of a domain, and lead to SMTP servers");
    if (to->host.n == 0 && (to->is_lmtp || to->port != 0 || to->user.n > 0))
        return err_set(e, ERR_PERMANENT, "LMTP, a port or a login need a host");
    if (to->host.n > 0 && to->host.p[0] == '/' && !to->is_lmtp)
        return err_set(e, ERR_PERMANENT, "%.*s is a unix socket, which is for LMTP", STR_ARGS(to->host));
    if (to->host.n == 0 && !r->has_tls && to->source_ipv4.n + to->source_ipv6.n == 0)
        return err_set(e, ERR_PERMANENT, "the route says nothing: give it a host, a TLS level or a source");
    if ((to->source_ipv4.n > 0 && !is_address_of(AF_INET, to->source_ipv4, a)) ||
        (to->source_ipv6.n > 0 && !is_address_of(AF_INET6, to->source_ipv6, a)))
        return err_set(e, ERR_PERMANENT, "a source is a numeric address of this machine");
    if ((to->user.n == 0) != (to->password.n == 0))
        return err_set(e, ERR_PERMANENT, "a login is a user and a password");
    return true;
}

bool directory_route_set(struct directory_db *db, const struct directory_route_entry *r, struct err *e)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct str domain, sender;
    const struct directory_route *to = &r->route;
    return read_domain(r->domain, &a, &domain, e) && read_sender(r->sender, &a, &sender, e) &&
           check(r, &a, e) &&
           sql_exec(db->sql, &ROUTE_SET,
                    SQL(sql_text(sender), sql_text(domain), sql_text(to->host), sql_int(to->port),
                        sql_int(to->is_lmtp), sql_int(to->by_mx), r->has_tls ? sql_int(to->tls) : sql_null(),
                        sql_text(to->user), sql_text(to->password), sql_text(to->source_ipv4),
                        sql_text(to->source_ipv6)),
                    NULL, e);
}

bool directory_route_remove(struct directory_db *db, struct str sender, struct str domain, struct err *e)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    int64_t changed = 0;
    if (!read_domain(domain, &a, &domain, e) || !read_sender(sender, &a, &sender, e) ||
        !sql_exec(db->sql, &ROUTE_DELETE, SQL(sql_text(sender), sql_text(domain)), &changed, e))
        return false;
    return changed > 0 || err_set(e, ERR_PERMANENT, "there is no such route: see golub route list");
}

/* --- reading --- */

static struct directory_route_entry entry_of_row(const struct sql_rows *rows, struct arena *a)
{
    return (struct directory_route_entry){
        .sender = arena_copy(a, sql_get_str(rows, 0)),
        .domain = arena_copy(a, sql_get_str(rows, 1)),
        .has_tls = !sql_get_null(rows, 6),
        .route =
            {
                .is_set = true,
                .host = arena_copy(a, sql_get_str(rows, 2)),
                .port = (uint16_t)sql_get_int(rows, 3),
                .is_lmtp = sql_get_int(rows, 4) != 0,
                .by_mx = sql_get_int(rows, 5) != 0,
                .tls = (enum directory_tls)sql_get_int(rows, 6),
                .user = arena_copy(a, sql_get_str(rows, 7)),
                .password = arena_copy(a, sql_get_str(rows, 8)),
                .source_ipv4 = arena_copy(a, sql_get_str(rows, 9)),
                .source_ipv6 = arena_copy(a, sql_get_str(rows, 10)),
            },
    };
}

bool directory_route_list(struct directory_db *db, struct arena *a, struct directory_route_entry **v,
                          size_t *n, struct err *e)
{
    struct sql_rows rows;
    *v = NULL;
    *n = 0;
    if (!sql_query(db->sql, &ROUTE_LIST, SQL_NONE, &rows, e))
        return false;
    while (sql_next(&rows)) {
        *v = directory_db_grow(a, *v, *n, sizeof **v);
        (*v)[(*n)++] = entry_of_row(&rows, a);
    }
    return sql_end(&rows, e);
}

/* --- what holds for a message --- */

/* The more exact goes first: a sender before any, an address before its domain, a domain before any. */
static unsigned rank(const struct directory_route_entry *r)
{
    unsigned by_sender = r->sender.n == 0 ? 0 : r->sender.p[0] == '@' ? 1 : 2;
    return 2 * by_sender + !str_eq(r->domain, ANYWHERE);
}

static int by_rank(const void *a, const void *b)
{
    unsigned x = rank(a), y = rank(b);
    return x > y ? -1 : x < y;
}

/* What is still unsaid is taken from `r`. A login is its host's. */
static void add(struct directory_route *out, bool *has_tls, const struct directory_route_entry *r,
                const char *where, struct directory_trail *trail)
{
    const struct directory_route *from = &r->route;
    out->is_set = true;
    directory_trail_add(trail, "route %s%.*s%s%.*s", where, STR_ARGS(r->domain),
                        r->sender.n > 0 ? " for mail from " : "", STR_ARGS(r->sender));
    if (out->host.n == 0) {
        out->host = from->host;
        out->port = from->port;
        out->is_lmtp = from->is_lmtp;
        out->by_mx = from->by_mx;
        out->user = from->user;
        out->password = from->password;
    }
    if (!*has_tls && r->has_tls) {
        out->tls = from->tls;
        *has_tls = true;
    }
    if (out->source_ipv4.n == 0)
        out->source_ipv4 = from->source_ipv4;
    if (out->source_ipv6.n == 0)
        out->source_ipv6 = from->source_ipv6;
}

/* A line of golub.conf. */
static struct directory_route_entry of_config(const struct config_route *c, struct arena *a)
{
    return (struct directory_route_entry){
        .sender = STR(""),
        .domain = arena_copy(a, c->domain),
        .route = {.host = arena_copy(a, c->host),
                  .port = c->port,
                  .user = STR(""),
                  .password = STR(""),
                  .source_ipv4 = STR(""),
                  .source_ipv6 = STR("")},
    };
}

static bool find(struct directory_db *db, struct str sender, struct str domain, struct arena *a,
                 struct directory_route_entry found[MATCHES_MAX], size_t *n, struct err *e)
{
    struct directory_address from = {.key = STR(""), .domain = STR("")};
    struct err why = ERR_INIT;
    struct sql_rows rows;
    bool is_address = directory_address_read(sender, a, &from, &why);
    struct str of_domain = is_address ? arena_printf(a, "@%.*s", STR_ARGS(from.domain)) : STR("");
    if (!sql_query(db->sql, &ROUTE_FIND,
                   SQL(sql_text(is_address ? from.key : STR("")), sql_text(of_domain), sql_text(domain)),
                   &rows, e))
        return false;
    while (*n < MATCHES_MAX && sql_next(&rows))
        found[(*n)++] = entry_of_row(&rows, a);
    if (*n > 1)
        qsort(found, *n, sizeof *found, by_rank);
    return sql_end(&rows, e);
}

bool directory_db_route(struct directory_db *db, const struct config *c, struct str sender, struct str domain,
                        struct arena *a, struct directory_route *out, struct directory_trail *trail,
                        struct err *e)
{
    struct directory_route_entry found[MATCHES_MAX] = {0};
    size_t n = 0, i = 0;
    bool has_tls = false;
    struct str canonical;
    struct err why = ERR_INIT;
    *out = (struct directory_route){.host = STR(""),
                                    .user = STR(""),
                                    .password = STR(""),
                                    .source_ipv4 = STR(""),
                                    .source_ipv6 = STR("")};
    if (!directory_domain_read(domain, a, &canonical, &why))
        return true; /* what is no domain has no route */
    if (!find(db, sender, canonical, a, found, &n, e))
        return false;
    const struct config_route *line = c ? config_route_for(c, canonical) : NULL;
    bool is_smarthost = line && str_eq(line->domain, ANYWHERE);
    struct directory_route_entry of_line = line ? of_config(line, a) : (struct directory_route_entry){0};
    if (line && !is_smarthost)
        add(out, &has_tls, &of_line, "of golub.conf: ", trail);
    for (; i < n && rank(&found[i]) > 0; i++)
        add(out, &has_tls, &found[i], "", trail);
    if (is_smarthost)
        add(out, &has_tls, &of_line, "of golub.conf: ", trail);
    for (; i < n; i++)
        add(out, &has_tls, &found[i], "", trail);
    return true;
}
