/* golub rewrite ... */
#include "command/parts.h"

#include <stdio.h>
#include <string.h>

static bool take_kind(const struct command_run *r, enum directory_canonical *kind)
{
    bool is_sender = strcmp(r->argv[0], "sender") == 0;
    *kind = is_sender ? DIRECTORY_CANONICAL_SENDER : DIRECTORY_CANONICAL_RECIPIENT;
    return is_sender || strcmp(r->argv[0], "recipient") == 0;
}

int run_rewrite_add(struct command_run *r)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    CLEAN_DIRECTORY_DB struct directory_db *db = NULL;
    struct directory_rewrite rewrite;
    struct err e = ERR_INIT;
    if (!command_has_arguments(r, 3, 3))
        return COMMAND_MISUSED;
    if (!take_kind(r, &rewrite.kind))
        return command_misuse(r, "first comes sender or recipient");
    rewrite.from = command_address(r->argv[1], &a);
    rewrite.to = command_address(r->argv[2], &a);
    if (!(db = command_open_directory(r, &e)) || !directory_rewrite_set(db, &rewrite, &e))
        return command_fail(&e);
    printf("%s %s becomes %s\n", r->argv[0], r->argv[1], r->argv[2]);
    return COMMAND_DONE;
}

int run_rewrite_remove(struct command_run *r)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    CLEAN_DIRECTORY_DB struct directory_db *db = NULL;
    enum directory_canonical kind;
    struct err e = ERR_INIT;
    if (!command_has_arguments(r, 2, 2))
        return COMMAND_MISUSED;
    if (!take_kind(r, &kind))
        return command_misuse(r, "first comes sender or recipient");
    if (!(db = command_open_directory(r, &e)) ||
        !directory_rewrite_remove(db, kind, command_address(r->argv[1], &a), &e))
        return command_fail(&e);
    printf("%s %s stays as it is\n", r->argv[0], r->argv[1]);
    return COMMAND_DONE;
}

int run_rewrite_list(struct command_run *r)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    CLEAN_DIRECTORY_DB struct directory_db *db = NULL;
    struct directory_rewrite *v;
    struct err e = ERR_INIT;
    size_t n;
    if (!command_has_arguments(r, 0, 0))
        return COMMAND_MISUSED;
    if (!(db = command_open_directory(r, &e)) || !directory_rewrite_list(db, &a, &v, &n, &e))
        return command_fail(&e);
    printf("%-9s  %-40s %s\n", "KIND", "ADDRESS", "BECOMES");
    for (size_t i = 0; i < n; i++)
        printf("%-9s  %-40.*s %.*s\n", v[i].kind == DIRECTORY_CANONICAL_SENDER ? "sender" : "recipient",
               STR_ARGS(v[i].from), STR_ARGS(v[i].to));
    return COMMAND_DONE;
}
