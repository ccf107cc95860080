/* What it takes to say where an address leads: bench_directory FOLDER makes a directory there with 5,000
 * accounts and as many aliases, and asks. */
#include "base/clock.h"
#include "directory/db.h"

#include <stdio.h>
#include <stdlib.h>

#define ACCOUNTS  5000
#define QUESTIONS 40000

static void need(bool good, const struct err *e)
{
    if (good)
        return;
    fprintf(stderr, "bench_directory: %s\n", e->text);
    exit(1);
}

static void fill(struct directory_db *db)
{
    struct err e = ERR_INIT;
    int64_t id;
    char name[64], alias[64];
    need(directory_domain_add(db, STR("example.org"), &e), &e);
    need(directory_domain_add(db, STR("plain.example"), &e), &e);
    for (int i = 0; i < ACCOUNTS; i++) {
        snprintf(name, sizeof name, "user%d@example.org", i);
        snprintf(alias, sizeof alias, "alias%d@example.org", i);
        struct str to = str_from_c(name);
        need(directory_account_add(db, to, STR("$hash"), &id, &e), &e);
        need(directory_alias_add(db, str_from_c(alias), &to, 1, &e), &e);
    }
}

static void ask(struct directory_db *db, const char *what, const char *format)
{
    struct arena a = ARENA_INIT;
    struct err e = ERR_INIT;
    char address[64];
    int64_t best = INT64_MAX;
    for (int round = 0; round < 5; round++) {
        int64_t start = clock_ms();
        for (int i = 0; i < QUESTIONS / 5; i++) {
            struct directory_answer answer;
            snprintf(address, sizeof address, format, i * 7 % ACCOUNTS);
            need(directory_db_resolve(db, str_from_c(address), &a, &answer, &e), &e);
            arena_reset(&a);
        }
        int64_t took = clock_ms() - start;
        best = took < best ? took : best;
    }
    printf("%-24s %6.2f us\n", what, (double)best * 1000 / (QUESTIONS / 5));
    arena_free(&a);
}

int main(int argc, char **argv)
{
    struct err e = ERR_INIT;
    if (argc != 2) {
        fprintf(stderr, "usage: bench_directory FOLDER (an empty one)\n");
        return 2;
    }
    struct directory_db *db = directory_db_open(str_from_c(argv[1]), '+', &e);
    need(db != NULL, &e);
    fill(db);
    ask(db, "an account", "user%d@example.org");
    ask(db, "with a tag", "user%d+tag@example.org");
    ask(db, "an alias", "alias%d@example.org");
    ask(db, "nobody", "nobody%d@plain.example");
    ask(db, "another server", "user%d@elsewhere.example");
    directory_db_close(db);
    return 0;
}
