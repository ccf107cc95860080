/* golub address ... */
#include "command/parts.h"

#include <limits.h>
#include <stdio.h>

static struct str *take_addresses(const struct command_run *r, struct arena *a)
{
    struct str *v = ARENA_ARRAY(a, struct str, (size_t)r->argc);
    for (int i = 0; i < r->argc; i++)
        v[i] = command_address(r->argv[i], a);
    return v;
}

int run_address_add(struct command_run *r)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    CLEAN_DIRECTORY_DB struct directory_db *db = NULL;
    struct err e = ERR_INIT;
    if (!command_has_arguments(r, 2, INT_MAX))
        return COMMAND_MISUSED;
    struct str *v = take_addresses(r, &a);
    if (!(db = command_open_directory(r, &e)) ||
        !directory_alias_add(db, v[0], v + 1, (size_t)r->argc - 1, &e))
        return command_fail(&e);
    printf("%.*s leads to", STR_ARGS(v[0]));
    for (int i = 1; i < r->argc; i++)
        printf(" %.*s", STR_ARGS(v[i]));
    putchar('\n');
    return COMMAND_DONE;
}

int run_address_list(struct command_run *r)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    CLEAN_DIRECTORY_DB struct directory_db *db = NULL;
    struct directory_alias *v;
    struct err e = ERR_INIT;
    size_t n;
    if (!command_has_arguments(r, 0, 0))
        return COMMAND_MISUSED;
    if (!(db = command_open_directory(r, &e)) || !directory_alias_list(db, &a, &v, &n, &e))
        return command_fail(&e);
    printf("%-40s %s\n", "ADDRESS", "LEADS TO");
    for (size_t i = 0; i < n; i++) {
        bool again = i > 0 && str_eq(v[i].address, v[i - 1].address);
        printf("%-40.*s %.*s\n", STR_ARGS(again ? STR("") : v[i].address), STR_ARGS(v[i].target));
    }
    return COMMAND_DONE;
}

int run_address_remove(struct command_run *r)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    CLEAN_DIRECTORY_DB struct directory_db *db = NULL;
    struct err e = ERR_INIT;
    if (!command_has_arguments(r, 1, INT_MAX))
        return COMMAND_MISUSED;
    struct str *v = take_addresses(r, &a);
    if (!(db = command_open_directory(r, &e)) ||
        !directory_alias_remove(db, v[0], v + 1, (size_t)r->argc - 1, &e))
        return command_fail(&e);
    printf("removed %.*s\n", STR_ARGS(v[r->argc > 1 ? 1 : 0]));
    return COMMAND_DONE;
}
