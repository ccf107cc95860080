/* golub check: what is wrong with the config, this machine and the world around it. */
#include "command/check.h"

#include "base/mem.h"
#include "base/sandbox.h"
#include "command/parts.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#define SPACE_LOW ((uint64_t)1 << 30) /* a day's mail of a small server */

static unsigned errors;

void check_say(enum check_level level, const char *format, ...)
{
    static const char *const NAMES[] = {"ok", "warning", "error"};
    va_list args;
    printf("%-8s ", NAMES[level]);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
    errors += level == CHECK_ERROR;
}

static void check_hostname(const struct config *c)
{
    if (str_find_byte(c->hostname, '.') == STR_NONE)
        check_say(CHECK_WARNING,
                  "hostname %.*s has no dot: other servers expect a full name, such as mail.example.org",
                  STR_ARGS(c->hostname));
    else
        check_say(CHECK_OK, "hostname %.*s", STR_ARGS(c->hostname));
}

static void check_data(const struct config *c)
{
    CLEAN_FREE char *data = mem_copy_c(c->data.p, c->data.n);
    struct stat st;
    struct statvfs space;
    if (stat(data, &st) != 0 || !S_ISDIR(st.st_mode)) {
        check_say(CHECK_ERROR, "data directory %s: %s; golub init makes one", data,
                  errno ? strerror(errno) : "not a folder");
        return;
    }
    if (geteuid() == 0 && st.st_uid == 0)
        check_say(CHECK_WARNING,
                  "data directory %s belongs to root, so the server stays root: make a system user golub and "
                  "chown -R golub: %s",
                  data, data);
    else if (access(data, R_OK | W_OK | X_OK) != 0)
        check_say(CHECK_ERROR, "data directory %s: %s; give it to the user that the server runs as", data,
                  strerror(errno));
    else if ((st.st_mode & 07) != 0)
        check_say(CHECK_WARNING, "data directory %s is open to every user of this machine: chmod 700 %s",
                  data, data);
    else
        check_say(CHECK_OK, "data directory %s", data);
    if (statvfs(data, &space) == 0 && (uint64_t)space.f_bavail * space.f_frsize < SPACE_LOW)
        check_say(CHECK_WARNING, "data directory %s has less than 1 GiB of free space", data);
}

static void check_user(const struct config *c)
{
    CLEAN_FREE char *name = mem_copy_c(c->user.p, c->user.n);
    if (geteuid() != 0)
        return;
    if (getpwnam(name))
        check_say(CHECK_OK, "the server becomes the user %s", name);
    else
        check_say(CHECK_WARNING, "there is no user %s: the server becomes the owner of the data directory",
                  name);
}

static void check_sandbox(const struct config *c)
{
    int abi = sandbox_landlock_abi();
    if (abi > 0)
        check_say(CHECK_OK, "sandbox: Landlock version %d and seccomp", abi);
    else
        check_say(c->sandbox_required ? CHECK_ERROR : CHECK_WARNING,
                  "sandbox: this kernel has no Landlock, seccomp alone remains; enable it with the kernel "
                  "parameter lsm=landlock,...");
}

/* Mail for postmaster that nobody reads is how broken servers stay broken. */
static void check_postmaster(struct directory_db *db, struct str first)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct directory_answer answer;
    struct directory_account account;
    struct err e = ERR_INIT;
    struct str postmaster = arena_printf(&a, "postmaster@%.*s", STR_ARGS(first));
    if (!directory_db_resolve(db, postmaster, &a, &answer, &e)) {
        check_say(CHECK_ERROR, "directory: %s", e.text);
        return;
    }
    bool leads_on = answer.count > 1 || (answer.count == 1 && !str_eq(answer.targets[0].address, postmaster));
    bool has_password = directory_account_find(db, postmaster, &a, &account, &e) && account.hash.n > 0;
    if (leads_on || has_password)
        check_say(CHECK_OK, "mail for %.*s is read", STR_ARGS(postmaster));
    else
        check_say(CHECK_WARNING,
                  "nobody reads the mail of %.*s: golub address add %.*s NAME@DOMAIN, or give it a password",
                  STR_ARGS(postmaster), STR_ARGS(postmaster));
}

static void check_directory(struct command_run *r, bool offline)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    CLEAN_DIRECTORY_DB struct directory_db *db = NULL;
    struct directory_domain *domains = NULL;
    struct err e = ERR_INIT;
    size_t n = 0;
    /* Opening would make it, and a check makes nothing. */
    const char *folder = directory_db_folder(r->config->data, &a);
    if (access(folder, F_OK) != 0) {
        check_say(CHECK_ERROR, "directory %s: %s; golub domain add DOMAIN makes it", folder, strerror(errno));
        return;
    }
    if (!(db = command_open_directory(r, &e)) || !directory_domain_list(db, &a, &domains, &n, &e)) {
        check_say(CHECK_ERROR, "directory: %s", e.text);
        return;
    }
    if (n == 0) {
        check_say(CHECK_ERROR, "there is no domain to receive mail for: golub domain add DOMAIN");
    } else {
        check_say(CHECK_OK, "%zu domain%s in the directory", n, n == 1 ? "" : "s");
        check_postmaster(db, domains[0].name);
    }
    if (!offline)
        check_dns(r->config, domains, n);
}

int run_check(struct command_run *r)
{
    bool offline = command_take_flag(r, "--offline");
    if (!command_has_arguments(r, 0, 0))
        return COMMAND_MISUSED;
    check_say(CHECK_OK, "config %s", r->config_path);
    check_hostname(r->config);
    check_user(r->config);
    check_data(r->config);
    check_certificate(r->config);
    check_listeners(r->config);
    check_sandbox(r->config);
    check_directory(r, offline);
    return errors > 0 ? COMMAND_FAILED : COMMAND_DONE;
}
