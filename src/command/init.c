/* golub init: a new server in one step. */
#include "base/mem.h"
#include "command/certificate.h"
#include "command/parts.h"
#include "command/records.h"
#include "directory/address.h"
#include "queue/db.h"
#include "storage/source.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define SERVICE_USER   "golub"
#define PORT_BASE_MOST (65535 - 4190) /* the highest service is ManageSieve's */

struct init {
    const char *dir; /* absolute */
    struct str domain, hostname;
    const char *postgresql; /* NULL: in files */
    const char *port_base;  /* NULL: the well-known ports on all addresses */
    struct arena arena;
};

static bool read_port_base(const char *value, struct err *e)
{
    uint32_t n;
    if (!str_to_u32(str_from_c(value), &n) || n == 0 || n > PORT_BASE_MOST)
        return err_set(e, ERR_PERMANENT, "--port-base is a number from 1 to %d", PORT_BASE_MOST);
    return true;
}

/* COMMAND_DONE, or COMMAND_MISUSED having said why. */
static int read_arguments(struct init *init, struct command_run *r)
{
    struct err e = ERR_INIT;
    bool bad = false;
    const char *domain = command_take_value(r, "--domain", &bad);
    const char *hostname = command_take_value(r, "--hostname", &bad);
    init->port_base = command_take_value(r, "--port-base", &bad);
    init->postgresql = command_take_value(r, "--postgresql", &bad);
    if (bad)
        return command_misuse(r, "an option lacks its value");
    if (!command_has_arguments(r, 1, 1))
        return COMMAND_MISUSED;
    if (!domain)
        return command_misuse(r, "--domain is missing: the part behind the @ of your addresses");
    init->dir = r->argv[0];
    if (!directory_domain_read(str_from_c(domain), &init->arena, &init->domain, &e))
        return command_misuse(r, e.text);
    struct str name =
        hostname ? str_from_c(hostname) : arena_printf(&init->arena, "mail.%.*s", STR_ARGS(init->domain));
    if (!directory_domain_read(name, &init->arena, &init->hostname, &e) ||
        (init->port_base && !read_port_base(init->port_base, &e)))
        return command_misuse(r, e.text);
    return COMMAND_DONE;
}

static const char *below(struct init *init, const char *name)
{
    return arena_printf(&init->arena, "%s/%s", init->dir, name).p;
}

static bool make_folder(const char *path, bool may_exist, struct err *e)
{
    /* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): command_misuse never says COMMAND_DONE */
    if (mkdir(path, 0700) == 0 || (may_exist && errno == EEXIST))
        return true;
    return err_set(e, ERR_PERMANENT, "making the folder %s: %s", path, strerror(errno));
}

/* What this machine's programs reach by its path when they send mail; what is there stays as it is. */
static bool make_open_folder(const char *path, mode_t mode, struct err *e)
{
    /* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): as above */
    if (mkdir(path, 0700) != 0)
        return errno == EEXIST ||
               err_set(e, ERR_PERMANENT, "making the folder %s: %s", path, strerror(errno));
    return chmod(path, mode) == 0 ||
           err_set(e, ERR_PERMANENT, "opening the folder %s: %s", path, strerror(errno));
}

static bool is_free(struct init *init, struct err *e)
{
    static const char *const OURS[] = {"golub.conf", "tls", "dkim", "directory", "queue", "account"};
    struct stat st;
    for (size_t i = 0; i < sizeof OURS / sizeof OURS[0]; i++)
        if (lstat(below(init, OURS[i]), &st) == 0)
            return err_set(e, ERR_PERMANENT,
                           "%s exists: init overwrites nothing. Choose another folder, or remove that one",
                           below(init, OURS[i]));
    return true;
}

static bool make_keys(struct init *init, struct err *e)
{
    return make_folder(below(init, "tls"), false, e) && make_folder(below(init, "dkim"), false, e) &&
           certificate_make_ca(below(init, "tls"), init->hostname, e) &&
           certificate_issue(below(init, "tls"), init->hostname, below(init, "tls/server.pem"),
                             below(init, "tls/server.key"), e) &&
           certificate_make_dkim_key(below(init, "dkim/" DKIM_SELECTOR ".key"), e);
}

/* A further server over the same PostgreSQL finds the domain there. */
static bool has_domain(struct init *init, struct directory_db *db, bool *has, struct err *e)
{
    struct directory_domain *v;
    size_t n;
    *has = false;
    if (!directory_domain_list(db, &init->arena, &v, &n, e))
        return false;
    for (size_t i = 0; i < n; i++)
        *has |= str_eq(v[i].name, init->domain);
    return true;
}

static bool make_directory(struct init *init, const struct config *c, struct err *e)
{
    const char *path = directory_db_path(c->data, &init->arena);
    struct sql_source source = source_of_command(c, path, NULL, &init->arena);
    CLEAN_DIRECTORY_DB struct directory_db *db = directory_db_open_at(&source, c->tag_separator, e);
    bool has;
    return db && has_domain(init, db, &has, e) && (has || directory_domain_add(db, init->domain, e));
}

static bool write_config(struct init *init, struct err *e)
{
    const char *path = below(init, "golub.conf");
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (!f)
        return err_set(e, ERR_PERMANENT, "%s: %s", path, strerror(errno));
    fprintf(f,
            "# golub.conf: see golub.conf(5). Domains, accounts and addresses: golub help\n"
            "[server]\n"
            "hostname = %.*s    # this server's name in DNS, in the MX record and in the certificate\n"
            "origin = %.*s    # what stands behind the @ of this machine's users\n\n"
            "[listen]\n",
            STR_ARGS(init->hostname), STR_ARGS(init->domain));
    if (init->port_base)
        fprintf(f, "port_base = %s    # every service on 127.0.0.1, at this plus its number\n",
                init->port_base);
    else
        fprintf(f, "address = *    # all addresses of this machine; or some: 192.0.2.1 2001:db8::1\n");
    fprintf(f,
            "\n[tls]\n"
            "certificate = tls/server.pem    # from the private CA tls/ca.pem; or your public certificate\n"
            "key = tls/server.key\n");
    if (init->postgresql)
        fprintf(f, "\n[storage]\npostgresql = %s\n", init->postgresql);
    bool good = fflush(f) == 0 && fsync(fd) == 0;
    good = fclose(f) == 0 && good;
    return good || err_set(e, ERR_TEMPORARY, "writing %s: %s", path, strerror(errno));
}

/* Reads the config back as the server will: where the databases are stands in it. */
static bool make_data(struct init *init, struct err *e)
{
    const struct config *c = config_load(below(init, "golub.conf"), e);
    struct sql *queue = NULL;
    bool good = c && make_directory(init, c, e) && make_folder(below(init, "account"), false, e) &&
                make_open_folder(below(init, "run"), 0755, e) &&
                make_open_folder(below(init, "maildrop"), 01733, e) && (queue = queue_db_open(c, true, e));
    sql_close(queue);
    if (c)
        config_free(c);
    return good;
}

/* --- whose it is --- all is the service user's but the CA's key, which only golub certificate renew needs.
 * nftw takes no context. */
static uid_t new_owner;
static gid_t new_group;

static int give_one(const char *path, const struct stat *st, int type, struct FTW *where)
{
    (void)st;
    (void)type;
    (void)where;
    return str_ends(str_from_c(path), STR("/tls/ca.key")) ? 0 : lchown(path, new_owner, new_group);
}

static bool give_away(struct init *init, struct err *e)
{
    const struct passwd *user = geteuid() == 0 ? getpwnam(SERVICE_USER) : NULL;
    if (!user)
        return true;
    new_owner = user->pw_uid;
    new_group = user->pw_gid;
    if (nftw(init->dir, give_one, 8, FTW_PHYS) != 0)
        return err_set(e, ERR_PERMANENT, "giving %s to the user " SERVICE_USER ": %s", init->dir,
                       strerror(errno));
    return true;
}

static bool make_server(struct init *init, struct err *e)
{
    if (!make_open_folder(init->dir, 0711, e))
        return false;
    CLEAN_FREE char *full = realpath(init->dir, NULL);
    if (!full)
        return err_set(e, ERR_PERMANENT, "%s: %s", init->dir, strerror(errno));
    init->dir = arena_copy_c(&init->arena, str_from_c(full));
    if (!is_free(init, e))
        return false;
    if (make_keys(init, e) && write_config(init, e) && make_data(init, e) && give_away(init, e))
        return true;
    return err_prefix(e, "%s is not complete, remove it before trying again", init->dir);
}

static bool print_result(struct init *init, struct err *e)
{
    struct str d = init->domain;
    printf("A server for %.*s is in %s. Publish in DNS (golub dns %.*s prints it again):\n\n", STR_ARGS(d),
           init->dir, STR_ARGS(d));
    const struct config *c = config_load(below(init, "golub.conf"), e);
    bool printed = c && records_print(c, &(struct records_of){.domain = d}, e);
    if (c)
        config_free(c);
    if (!printed)
        return false;
    printf("\nNext:\n"
           "  golub -c %s/golub.conf account add NAME@%.*s\n"
           "  golub -c %s/golub.conf address add postmaster@%.*s NAME@%.*s    who reads its mail\n"
           "  golub -c %s/golub.conf check\n"
           "  golub -c %s/golub.conf serve\n"
           "Mail clients trust the server once they trust %s/tls/ca.pem.\n",
           init->dir, STR_ARGS(d), init->dir, STR_ARGS(d), STR_ARGS(d), init->dir, init->dir, init->dir);
    return true;
}

int run_init(struct command_run *r)
{
    struct init init = {.arena = ARENA_INIT};
    struct err e = ERR_INIT;
    int code = read_arguments(&init, r);
    if (code == COMMAND_DONE && (!make_server(&init, &e) || !print_result(&init, &e)))
        code = command_fail(&e);
    arena_free(&init.arena);
    return code;
}

/* golub certificate renew: beside the old files, then over them, so that no moment is without. */
int run_certificate_renew(struct command_run *r)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct err e = ERR_INIT;
    if (!command_has_arguments(r, 0, 0))
        return COMMAND_MISUSED;
    const char *certificate = arena_copy_c(&a, r->config->tls_certificate);
    const char *key = arena_copy_c(&a, r->config->tls_key);
    const char *dir =
        arena_copy_c(&a, str_slice(str_from_c(certificate), 0, str_rfind_byte(str_from_c(certificate), '/')));
    const char *new_certificate = arena_printf(&a, "%s.new", certificate).p;
    const char *new_key = arena_printf(&a, "%s.new", key).p;
    struct stat old;
    unlink(new_certificate);
    unlink(new_key);
    if (!certificate_issue(dir, r->config->hostname, new_certificate, new_key, &e))
        return command_fail(&e);
    if (stat(key, &old) == 0 && geteuid() == 0 &&
        (lchown(new_key, old.st_uid, old.st_gid) != 0 ||
         lchown(new_certificate, old.st_uid, old.st_gid) != 0))
        err_set(&e, ERR_TEMPORARY, "giving %s to its owner: %s", new_key, strerror(errno));
    else if (rename(new_key, key) != 0 || rename(new_certificate, certificate) != 0)
        err_set(&e, ERR_TEMPORARY, "putting the new certificate in place: %s", strerror(errno));
    if (e.kind != ERR_NONE)
        return command_fail(&e);
    printf("renewed %s; send the server SIGHUP\n", certificate);
    return COMMAND_DONE;
}
