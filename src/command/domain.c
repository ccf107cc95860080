/* golub domain ... */
#include "base/mem.h"
#include "command/parts.h"
#include "directory/address.h"

#include <stdio.h>

static bool add(struct directory_db *db, struct str name, const char *other, bool is_backup,
                struct str *recipients, size_t n, struct err *e)
{
    if (other)
        return directory_domain_add_alias(db, name, str_from_c(other), e);
    if (is_backup)
        return directory_domain_add_backup(db, name, e) &&
               (n == 0 || directory_backup_add(db, name, recipients, n, e));
    return directory_domain_add(db, name, e);
}

int run_domain_add(struct command_run *r)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    CLEAN_DIRECTORY_DB struct directory_db *db = NULL;
    struct err e = ERR_INIT;
    struct str name, *list = NULL;
    size_t n = 0;
    bool bad = false, is_backup = command_take_flag(r, "--backup-mx");
    const char *other = command_take_value(r, "--alias-of", &bad);
    const char *recipients = command_take_value(r, "--recipients", &bad);
    if (bad || (other && is_backup) || (recipients && !is_backup))
        return command_misuse(r, bad ? "a value is missing" : "those options do not go together");
    if (!command_has_arguments(r, 1, 1))
        return COMMAND_MISUSED;
    if (recipients)
        list = command_address_list(recipients, &n, &a);
    if (!directory_domain_read(str_from_c(r->argv[0]), &a, &name, &e) ||
        !(db = command_open_directory(r, &e)) || !add(db, name, other, is_backup, list, n, &e))
        return command_fail(&e);
    if (is_backup)
        printf("added %.*s: its mail is taken here and goes on to its better MX\n", STR_ARGS(name));
    else
        printf("added %.*s; golub dns %.*s prints what DNS needs\n", STR_ARGS(name), STR_ARGS(name));
    return COMMAND_DONE;
}

static struct str kind_of(const struct directory_domain *d, struct arena *a)
{
    if (d->alias_of.n > 0)
        return arena_printf(a, "another name of %.*s", STR_ARGS(d->alias_of));
    if (d->is_backup)
        return d->recipients > 0 ? arena_printf(a, "backup MX, for %lld recipients", (long long)d->recipients)
                                 : STR("backup MX, for any recipient");
    return STR("");
}

int run_domain_list(struct command_run *r)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    CLEAN_DIRECTORY_DB struct directory_db *db = NULL;
    struct directory_domain *v;
    struct err e = ERR_INIT;
    char created[20];
    size_t n;
    if (!command_has_arguments(r, 0, 0))
        return COMMAND_MISUSED;
    if (!(db = command_open_directory(r, &e)) || !directory_domain_list(db, &a, &v, &n, &e))
        return command_fail(&e);
    printf("%-40s %8s  %9s  %-16s  %s\n", "DOMAIN", "ACCOUNTS", "ADDRESSES", "CREATED", "");
    for (size_t i = 0; i < n; i++)
        printf("%-40.*s %8lld  %9lld  %-16s  %.*s\n", STR_ARGS(v[i].name), (long long)v[i].accounts,
               (long long)v[i].aliases, command_time(v[i].created, created), STR_ARGS(kind_of(&v[i], &a)));
    return COMMAND_DONE;
}

static int print_recipients(struct directory_db *db, struct str name)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct err e = ERR_INIT;
    struct str *v;
    size_t n;
    if (!directory_backup_list(db, name, &a, &v, &n, &e))
        return command_fail(&e);
    for (size_t i = 0; i < n; i++)
        printf("%.*s\n", STR_ARGS(v[i]));
    if (n == 0)
        printf("any\n");
    return COMMAND_DONE;
}

int run_domain_recipients(struct command_run *r)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    CLEAN_DIRECTORY_DB struct directory_db *db = NULL;
    struct err e = ERR_INIT;
    bool bad = false, any = command_take_flag(r, "--any");
    const char *add = command_take_value(r, "--add", &bad), *remove = command_take_value(r, "--remove", &bad);
    size_t added, removed;
    struct str *more = command_address_list(add ? add : "", &added, &a);
    struct str *fewer = command_address_list(remove ? remove : "", &removed, &a);
    if (bad)
        return command_misuse(r, "a value is missing");
    if (!command_has_arguments(r, 1, 1))
        return COMMAND_MISUSED;
    struct str name = str_from_c(r->argv[0]);
    if (!(db = command_open_directory(r, &e)) ||
        (removed > 0 && !directory_backup_remove(db, name, fewer, removed, &e)) ||
        (any && !directory_backup_remove(db, name, NULL, 0, &e)) ||
        (added > 0 && !directory_backup_add(db, name, more, added, &e)))
        return command_fail(&e);
    return print_recipients(db, name);
}

int run_domain_remove(struct command_run *r)
{
    CLEAN_DIRECTORY_DB struct directory_db *db = NULL;
    struct err e = ERR_INIT;
    if (!command_has_arguments(r, 1, 1))
        return COMMAND_MISUSED;
    if (!(db = command_open_directory(r, &e)) || !directory_domain_remove(db, str_from_c(r->argv[0]), &e))
        return command_fail(&e);
    printf("removed %s\n", r->argv[0]);
    return COMMAND_DONE;
}
