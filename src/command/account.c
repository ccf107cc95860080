/* golub account ... */
#include "command/parts.h"
#include "command/stores.h"
#include "directory/password.h"
#include "mailbox/store.h"
#include "storage/source.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

int run_account_add(struct command_run *r)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    CLEAN_DIRECTORY_DB struct directory_db *db = NULL;
    struct command_password password;
    struct err e = ERR_INIT;
    int64_t id;
    enum password_source from = command_take_password_source(r);
    if (!command_has_arguments(r, 1, 1))
        return COMMAND_MISUSED;
    struct str address = command_address(r->argv[0], &a);
    if (!(db = command_open_directory(r, &e)) || !directory_account_may_add(db, address, &e) ||
        !command_new_password(db, address, from, &password, &e) ||
        !directory_account_add(db, address, str_from_c(password.hash), &id, &e) ||
        !command_store_scram(db, address, &password, &e))
        return command_fail(&e);
    if (!command_tell_quota(r, db, address, &e)) /* its domain's */
        return command_fail(&e);
    printf("added %.*s, account %lld\n", STR_ARGS(address), (long long)id);
    return COMMAND_DONE;
}

int run_account_password(struct command_run *r)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    CLEAN_DIRECTORY_DB struct directory_db *db = NULL;
    struct directory_account account;
    struct command_password password;
    struct err e = ERR_INIT;
    enum password_source from = command_take_password_source(r);
    if (!command_has_arguments(r, 1, 1))
        return COMMAND_MISUSED;
    struct str address = command_address(r->argv[0], &a);
    if (!(db = command_open_directory(r, &e)) || !directory_account_find(db, address, &a, &account, &e) ||
        !command_new_password(db, address, from, &password, &e) ||
        !directory_account_set_hash(db, address, str_from_c(password.hash), &e) ||
        !command_store_scram(db, address, &password, &e))
        return command_fail(&e);
    printf("%.*s has a new password\n", STR_ARGS(account.address));
    return COMMAND_DONE;
}

int run_account_enable(struct command_run *r)
{
    return command_switch(r, directory_account_enable, true, "is enabled");
}

int run_account_disable(struct command_run *r)
{
    return command_switch(r, directory_account_enable, false, "is disabled");
}

/* --- removing --- */

static int delete_one(const char *path, const struct stat *st, int type, struct FTW *where)
{
    (void)st;
    (void)type;
    (void)where;
    return remove(path);
}

#define OPEN_FOLDERS 16 /* that the walk may hold open; mailboxes are flat */
/* A process of the account that still runs may put a file there while the walk is on. */
#define REMOVE_AGAIN 3

/* Renamed first: an account process that still runs finds its folder gone at once, and a deletion that is
 * interrupted leaves nothing that looks like a mailbox. */
static bool delete_mailbox(const struct config *c, int64_t id, struct arena *a, struct err *e)
{
    struct str data = c->data;
    struct sql_source source = source_of_command(c, NULL, source_account(id, a), a);
    if (source.kind != SQL_SQLITE)
        return store_remove_at(&source, e) || err_prefix(e, "the account is removed, but not its mail");
    const char *folder = arena_printf(a, "%.*s/account/%lld", STR_ARGS(data), (long long)id).p;
    const char *removed = arena_printf(a, "%s.removed", folder).p;
    if (rename(folder, removed) != 0)
        return errno == ENOENT || /* it never got mail */
               err_set(e, ERR_TEMPORARY, "the account is removed, but not its folder %s: %s", folder,
                       strerror(errno));
    for (int again = REMOVE_AGAIN; nftw(removed, delete_one, OPEN_FOLDERS, FTW_DEPTH | FTW_PHYS) != 0;
         again--)
        if (errno != ENOTEMPTY || again == 0)
            return err_set(e, ERR_TEMPORARY, "the account is removed, but not all of its folder %s: %s",
                           removed, strerror(errno));
    return true;
}

int run_account_remove(struct command_run *r)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    CLEAN_DIRECTORY_DB struct directory_db *db = NULL;
    struct directory_account account;
    struct err e = ERR_INIT;
    int64_t id;
    bool yes = command_take_flag(r, "--yes");
    if (!command_has_arguments(r, 1, 1))
        return COMMAND_MISUSED;
    struct str address = command_address(r->argv[0], &a);
    if (!(db = command_open_directory(r, &e)) || !directory_account_find(db, address, &a, &account, &e))
        return command_fail(&e);
    const char *canonical = arena_copy_c(&a, account.address);
    const char *question =
        arena_printf(&a, "This deletes all mail of %s for good. Type the address again: ", canonical).p;
    if (!yes && !command_confirm(question, canonical)) {
        fprintf(stderr, "golub: nothing is removed\n");
        return COMMAND_FAILED;
    }
    if (!directory_account_remove(db, address, &id, &e) || !delete_mailbox(r->config, id, &a, &e))
        return command_fail(&e);
    printf("removed %s and its mail\n", canonical);
    return COMMAND_DONE;
}
