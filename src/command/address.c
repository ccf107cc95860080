/* golub address ... */
#include "command/parts.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

static struct str *take_addresses(const struct command_run *r, struct arena *a)
{
    struct str *v = ARENA_ARRAY(a, struct str, (size_t)r->argc);
    for (int i = 0; i < r->argc; i++)
        v[i] = command_address(r->argv[i], a);
    return v;
}

/* "disabled; until 2026-12-31 00:00; from members, boss@example.org": what is not as usual. */
static struct str notes(const struct directory_alias *x, struct arena *a)
{
    CLEAN_BUF struct buf text;
    char at[20];
    buf_init(&text, BUF_MAX_DEFAULT);
    if (!x->enabled)
        buf_add_c(&text, "  disabled");
    if (x->ends)
        buf_addf(&text, "  until %s", command_time(x->ends, at));
    if (x->post)
        buf_addf(&text, "  only from%s%s%s%.*s", x->post & DIRECTORY_POST_MEMBERS ? " members" : "",
                 x->post & DIRECTORY_POST_ACCOUNTS ? " accounts" : "", x->posters.n ? " " : "",
                 STR_ARGS(x->posters));
    return arena_copy(a, buf_str(&text));
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
        printf("%-40.*s %.*s%.*s\n", STR_ARGS(again ? STR("") : v[i].address), STR_ARGS(v[i].target),
               STR_ARGS(again ? STR("") : notes(&v[i], &a)));
    }
    return COMMAND_DONE;
}

/* --- who may write, and until when --- */

struct terms {
    bool has_ends, has_post;
    int64_t ends;
    unsigned post;
    struct str *posters;
    size_t poster_count;
};

/* "anyone", or of "members", "accounts" and addresses what is wanted, with commas between. */
static void read_post(const char *typed, struct terms *out, struct arena *a)
{
    size_t n;
    struct str *words = command_address_list(typed, &n, a);
    out->has_post = true;
    out->posters = words;
    for (size_t i = 0; i < n; i++) {
        if (str_eq(words[i], STR("members")))
            out->post |= DIRECTORY_POST_MEMBERS;
        else if (str_eq(words[i], STR("accounts")))
            out->post |= DIRECTORY_POST_ACCOUNTS;
        else if (!str_eq(words[i], STR("anyone")))
            out->posters[out->poster_count++] = words[i];
    }
    if (out->poster_count > 0)
        out->post |= DIRECTORY_POST_LISTED;
}

/* Takes the options, and what is left must be `least` to `most` addresses. False: misused, having said so. */
static bool take_terms(struct command_run *r, int least, int most, struct terms *out, struct arena *a)
{
    bool bad = false;
    const char *until = command_take_value(r, "--until", &bad), *post = command_take_value(r, "--post", &bad);
    *out = (struct terms){.has_ends = until != NULL};
    if (bad)
        command_misuse(r, "a value is missing");
    else if (until && strcmp(until, "none") != 0 && !command_moment(until, true, &out->ends))
        command_misuse(r, "until when: 30d, 12h, 2026-12-31, '2026-12-31 18:00' or none");
    else if (command_has_arguments(r, least, most)) {
        if (post)
            read_post(post, out, a);
        return true;
    }
    return false;
}

static bool set_terms(struct directory_db *db, struct str address, const struct terms *t, struct err *e)
{
    return (!t->has_ends || directory_address_end(db, address, t->ends, e)) &&
           (!t->has_post || directory_alias_post(db, address, t->post, t->posters, t->poster_count, e));
}

int run_address_set(struct command_run *r)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    CLEAN_DIRECTORY_DB struct directory_db *db = NULL;
    struct terms terms;
    struct err e = ERR_INIT;
    if (!take_terms(r, 1, 1, &terms, &a))
        return COMMAND_MISUSED;
    if (!terms.has_ends && !terms.has_post)
        return command_misuse(r, "say what: --until or --post");
    struct str address = command_address(r->argv[0], &a);
    if (!(db = command_open_directory(r, &e)) || !set_terms(db, address, &terms, &e))
        return command_fail(&e);
    printf("%.*s is set\n", STR_ARGS(address));
    return COMMAND_DONE;
}

int run_address_add(struct command_run *r)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    CLEAN_DIRECTORY_DB struct directory_db *db = NULL;
    struct terms terms;
    struct err e = ERR_INIT;
    if (!take_terms(r, 2, INT_MAX, &terms, &a))
        return COMMAND_MISUSED;
    struct str *v = take_addresses(r, &a);
    if (!(db = command_open_directory(r, &e)) ||
        !directory_alias_add(db, v[0], v + 1, (size_t)r->argc - 1, &e) || !set_terms(db, v[0], &terms, &e))
        return command_fail(&e);
    printf("%.*s leads to", STR_ARGS(v[0]));
    for (int i = 1; i < r->argc; i++)
        printf(" %.*s", STR_ARGS(v[i]));
    putchar('\n');
    return COMMAND_DONE;
}

int run_address_enable(struct command_run *r)
{
    return command_switch(r, directory_address_enable, true, "takes mail");
}

int run_address_disable(struct command_run *r)
{
    return command_switch(r, directory_address_enable, false, "takes no mail");
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
