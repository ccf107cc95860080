/* golub account list, golub account show: what is known of accounts. */
#include "command/parts.h"
#include "command/stores.h"

#include <stdio.h>

static const char *login_of(const struct directory_account *account)
{
    return !account->enabled ? "disabled" : account->hash.n == 0 ? "no password" : "yes";
}

int run_account_list(struct command_run *r)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    CLEAN_DIRECTORY_DB struct directory_db *db = NULL;
    struct directory_account *accounts;
    struct err e = ERR_INIT;
    char created[20], quota[COMMAND_QUOTA_TEXT];
    size_t n;
    if (!command_has_arguments(r, 0, 0))
        return COMMAND_MISUSED;
    if (!(db = command_open_directory(r, &e)) || !directory_account_list(db, &a, &accounts, &n, &e))
        return command_fail(&e);
    printf("%-40s %7s  %-11s  %-16s  %s\n", "ADDRESS", "ACCOUNT", "LOGIN", "CREATED", "QUOTA");
    for (size_t i = 0; i < n; i++)
        printf("%-40.*s %7lld  %-11s  %-16s  %s\n", STR_ARGS(accounts[i].address), (long long)accounts[i].id,
               login_of(&accounts[i]), command_time(accounts[i].created, created),
               command_quota_text(&accounts[i].quota, quota));
    return COMMAND_DONE;
}

static void print_account(const struct directory_account *account)
{
    char created[20], quota[COMMAND_QUOTA_TEXT];
    printf("%-16s %.*s\n", "address", STR_ARGS(account->address));
    printf("%-16s %lld\n", "account", (long long)account->id);
    printf("%-16s %s\n", "login", login_of(account));
    printf("%-16s %s\n", "created", command_time(account->created, created));
    printf("%-16s %s\n", "quota", command_quota_text(&account->quota, quota));
}

/* Where an alias of its own name takes its mail, and as whom else it may send. */
static bool print_ways(struct directory_db *db, struct str address, struct arena *a, struct err *e)
{
    struct directory_right *rights;
    struct str *targets;
    size_t n;
    if (!directory_alias_targets(db, address, a, &targets, &n, e))
        return false;
    for (size_t i = 0; i < n; i++)
        printf("%-16s %.*s\n", i == 0 ? "mail goes to" : "",
               STR_ARGS(str_eq_nocase(targets[i], address) ? STR("its own mailbox") : targets[i]));
    if (!directory_right_list(db, address, a, &rights, &n, e))
        return false;
    for (size_t i = 0; i < n; i++)
        printf("%-16s %.*s%s\n", i == 0 ? "sends as" : "", STR_ARGS(rights[i].whom),
               rights[i].on_behalf ? ", on behalf" : "");
    return true;
}

int run_account_show(struct command_run *r)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    CLEAN_DIRECTORY_DB struct directory_db *db = NULL;
    struct directory_account account;
    struct directory_settings own, of_domain;
    struct err e = ERR_INIT;
    if (!command_has_arguments(r, 1, 1))
        return COMMAND_MISUSED;
    if (!(db = command_open_directory(r, &e)) ||
        !directory_account_find(db, command_address(r->argv[0], &a), &a, &account, &e) ||
        !directory_account_settings(db, account.address, &own, &of_domain, &e))
        return command_fail(&e);
    print_account(&account);
    if (!print_ways(db, account.address, &a, &e))
        return command_fail(&e);
    command_print_limits(r->config, &own, &of_domain);
    command_print_language(r->config, &own, &of_domain);
    return COMMAND_DONE;
}
