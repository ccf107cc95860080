/* What an administrator writes to say where PostgreSQL is: libpq's conninfo (its manual, section 34.1.1). */
#include "base/buf.h"
#include "base/mem.h"
#include "base/pgsql.h"
#include "base/pgsql_parts.h"

#include <netdb.h>
#include <pwd.h>
#include <string.h>

static const char *value_of(const PQconninfoOption *options, const char *keyword)
{
    for (const PQconninfoOption *o = options; o->keyword; o++)
        if (strcmp(o->keyword, keyword) == 0)
            return o->val && *o->val ? o->val : NULL;
    return NULL;
}

static PQconninfoOption *parse(const char *conninfo, struct err *e)
{
    char *why = NULL;
    if (!libpq_open(e))
        return NULL;
    PQconninfoOption *options = pq.conninfoParse(conninfo, &why);
    if (!options) {
        struct str words = str_trim(str_from_c(why));
        err_set(e, ERR_PERMANENT, "where PostgreSQL is: %.*s", STR_ARGS(words));
    }
    pq.freemem(why);
    return options;
}

static bool is_path(struct str host)
{
    return host.n == 0 || host.p[0] == '/' || host.p[0] == '@';
}

static void note_uses(const PQconninfoOption *options, struct pgsql_uses *uses)
{
    static const char *const FILES[PGSQL_FILES] = {"sslrootcert", "sslcert", "sslkey", "sslcrl"};
    const char *hosts = value_of(options, "hostaddr");
    struct str rest = str_from_c(hosts ? hosts : value_of(options, "host")), host;
    *uses = (struct pgsql_uses){0};
    for (bool more = true; more;) {
        more = str_cut(&rest, ',', &host);
        uses->is_unix |= is_path(host);
        uses->is_tcp |= !is_path(host);
    }
    uses->has_password = value_of(options, "password") != NULL;
    size_t n = 0;
    for (size_t i = 0; i < PGSQL_FILES; i++) {
        const char *path = value_of(options, FILES[i]);
        if (path && path[0] == '/')
            uses->files[n++] = mem_copy_c(path, strlen(path));
    }
}

bool pgsql_uses(const char *conninfo, struct pgsql_uses *uses, struct err *e)
{
    PQconninfoOption *options = parse(conninfo, e);
    if (!options)
        return false;
    note_uses(options, uses);
    pq.conninfoFree(options);
    return true;
}

void pgsql_uses_free(struct pgsql_uses *uses)
{
    for (size_t i = 0; i < PGSQL_FILES; i++)
        free(uses->files[i]);
}

static void add(struct buf *out, const char *keyword, const char *value)
{
    buf_addf(out, "%s='", keyword);
    for (; *value; value++) {
        if (*value == '\'' || *value == '\\')
            buf_add_byte(out, '\\');
        buf_add_byte(out, *value);
    }
    buf_add(out, STR("' "));
}

/* The numeric address of one host. */
static bool look_up(struct str host, struct buf *out, struct err *e)
{
    struct addrinfo wanted = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    char text[NI_MAXHOST];
    CLEAN_FREE char *name = mem_copy_c(host.p, host.n);
    int r = getaddrinfo(name, NULL, &wanted, &found);
    if (r == 0)
        r = getnameinfo(found->ai_addr, found->ai_addrlen, text, sizeof text, NULL, 0, NI_NUMERICHOST);
    if (found)
        freeaddrinfo(found);
    if (r != 0)
        return err_set(e, ERR_TEMPORARY, "PostgreSQL's host %s: %s", name, gai_strerror(r));
    return buf_add_c(out, text);
}

/* As many addresses as there are hosts; a socket's folder has none. */
static bool look_up_all(const char *hosts, struct buf *out, struct err *e)
{
    struct str rest = str_from_c(hosts), host;
    for (bool more = true, first = true; more; first = false) {
        more = str_cut(&rest, ',', &host);
        if (!first)
            buf_add_byte(out, ',');
        if (!is_path(host) && !look_up(host, out, e))
            return false;
    }
    return true;
}

/* All that was given, and what is missing of user, addresses and password. */
static bool complete(const PQconninfoOption *options, const char *password, struct buf *out, struct err *e)
{
    CLEAN_BUF struct buf addresses;
    buf_init(&addresses, BUF_MAX_DEFAULT);
    const char *hosts = value_of(options, "host");
    const struct passwd *user = value_of(options, "user") ? NULL : getpwuid(geteuid());
    for (const PQconninfoOption *o = options; o->keyword; o++)
        if (o->val && *o->val)
            add(out, o->keyword, o->val);
    if (user)
        add(out, "user", user->pw_name);
    if (password && *password && !value_of(options, "password"))
        add(out, "password", password);
    if (!hosts || value_of(options, "hostaddr"))
        return true;
    if (!look_up_all(hosts, &addresses, e))
        return false;
    buf_add_byte(&addresses, '\0');
    add(out, "hostaddr", addresses.p);
    return true;
}

char *pgsql_resolve(const char *conninfo, struct err *e)
{
    PQconninfoOption *options = parse(conninfo, e);
    if (!options)
        return NULL;
    CLEAN_BUF struct buf out;
    buf_init(&out, BUF_MAX_DEFAULT);
    PGconn *conn = pgsql_dial(conninfo); /* reads what has to be read of files, for all that follow */
    bool good = pq.status(conn) == CONNECTION_OK;
    struct str words = str_trim(str_from_c(pq.errorMessage(conn)));
    if (!good)
        err_set(e, ERR_TEMPORARY, "PostgreSQL: %.*s",
                STR_ARGS(str_slice(words, 0, str_find_byte(words, '\n'))));
    good = good && complete(options, pq.pass(conn), &out, e);
    pq.finish(conn);
    pq.conninfoFree(options);
    return good ? mem_copy_c(out.p, out.n) : NULL;
}
