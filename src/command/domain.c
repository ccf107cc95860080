/* golub domain ... */
#include "base/mem.h"
#include "command/parts.h"
#include "command/records.h"
#include "directory/address.h"

#include <stdio.h>

int run_domain_add(struct command_run *r)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    CLEAN_DIRECTORY_DB struct directory_db *db = NULL;
    struct err e = ERR_INIT;
    struct str name;
    if (!command_has_arguments(r, 1, 1))
        return COMMAND_MISUSED;
    if (!directory_domain_read(str_from_c(r->argv[0]), &a, &name, &e) ||
        !(db = command_open_directory(r, &e)) || !directory_domain_add(db, name, &e))
        return command_fail(&e);
    printf("added %.*s; golub dns %.*s prints what DNS needs\n", STR_ARGS(name), STR_ARGS(name));
    return COMMAND_DONE;
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
    printf("%-40s %8s  %9s  %s\n", "DOMAIN", "ACCOUNTS", "ADDRESSES", "CREATED");
    for (size_t i = 0; i < n; i++)
        printf("%-40.*s %8lld  %9lld  %s\n", STR_ARGS(v[i].name), (long long)v[i].accounts,
               (long long)v[i].aliases, command_time(v[i].created, created));
    return COMMAND_DONE;
}

int run_domain_records(struct command_run *r)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct err e = ERR_INIT;
    struct str name;
    if (!command_has_arguments(r, 1, 1))
        return COMMAND_MISUSED;
    if (!directory_domain_read(str_from_c(r->argv[0]), &a, &name, &e) ||
        !records_print(r->config, name, false, &e))
        return command_fail(&e);
    return COMMAND_DONE;
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
