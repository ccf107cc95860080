/* golub account forward, golub account send-as */
#include "command/parts.h"

#include <stdio.h>

/* --- forwards --- an alias of the account's own name (directory/db.h) */

#define FORWARDS_MAX 64 /* --to on one command line */

static bool forward(struct directory_db *db, struct str address, struct str *to, size_t n, bool keep,
                    struct err *e)
{
    struct str *v;
    size_t there;
    CLEAN_ARENA struct arena a = ARENA_INIT;
    if (!directory_alias_targets(db, address, &a, &v, &there, e) ||
        (there > 0 && !directory_alias_remove(db, address, NULL, 0, e)))
        return false;
    if (keep)
        to[n++] = address;
    return n == 0 || directory_alias_add(db, address, to, n, e);
}

static int print_forward(struct directory_db *db, struct str address)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct err e = ERR_INIT;
    struct str *v;
    size_t n;
    if (!directory_alias_targets(db, address, &a, &v, &n, &e))
        return command_fail(&e);
    printf("mail for %.*s ", STR_ARGS(address));
    if (n == 0)
        printf("stays here\n");
    for (size_t i = 0; i < n; i++)
        printf("%s%.*s%s", i == 0 ? "goes to " : ", ",
               STR_ARGS(str_eq_nocase(v[i], address) ? STR("its own mailbox") : v[i]),
               i + 1 == n ? "\n" : "");
    return COMMAND_DONE;
}

int run_account_forward(struct command_run *r)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    CLEAN_DIRECTORY_DB struct directory_db *db = NULL;
    struct directory_account account;
    struct str to[FORWARDS_MAX + 1];
    struct err e = ERR_INIT;
    size_t n = 0;
    const char *target;
    bool bad = false, keep = command_take_flag(r, "--keep"), off = command_take_flag(r, "--off");
    while (n < FORWARDS_MAX && (target = command_take_value(r, "--to", &bad)))
        to[n++] = command_address(target, &a);
    if (bad || (off && (keep || n > 0)) || (keep && n == 0))
        return command_misuse(r, bad   ? "--to needs an address"
                                 : off ? "--off goes alone"
                                       : "--keep needs a --to");
    if (!command_has_arguments(r, 1, 1))
        return COMMAND_MISUSED;
    if (!(db = command_open_directory(r, &e)) ||
        !directory_account_find(db, command_address(r->argv[0], &a), &a, &account, &e) ||
        ((n > 0 || off) && !forward(db, account.address, to, n, keep, &e)))
        return command_fail(&e);
    return print_forward(db, account.address);
}

/* --- rights --- */

static int print_rights(struct directory_db *db, struct str account)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct directory_right *v;
    struct err e = ERR_INIT;
    size_t n;
    if (!directory_right_list(db, account, &a, &v, &n, &e))
        return command_fail(&e);
    printf("%.*s sends as itself, and as what leads to it alone\n", STR_ARGS(account));
    for (size_t i = 0; i < n; i++)
        printf("%s %.*s\n", v[i].on_behalf ? "on behalf of" : "as          ", STR_ARGS(v[i].whom));
    return COMMAND_DONE;
}

int run_account_send_as(struct command_run *r)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    CLEAN_DIRECTORY_DB struct directory_db *db = NULL;
    struct err e = ERR_INIT;
    bool bad = false, on_behalf = command_take_flag(r, "--on-behalf");
    const char *add = command_take_value(r, "--add", &bad), *remove = command_take_value(r, "--remove", &bad);
    if (bad || (on_behalf && !add))
        return command_misuse(r, bad ? "a value is missing" : "--on-behalf is said of what is added");
    if (!command_has_arguments(r, 1, 1))
        return COMMAND_MISUSED;
    struct str account = command_address(r->argv[0], &a);
    if (!(db = command_open_directory(r, &e)) ||
        (remove && !directory_right_remove(db, account, command_address(remove, &a), &e)) ||
        (add && !directory_right_set(db, account, command_address(add, &a), on_behalf, &e)))
        return command_fail(&e);
    return print_rights(db, account);
}
