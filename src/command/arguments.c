/* Arguments and options of commands, and small things that they print. */
#include "base/clock.h"
#include "command/parts.h"
#include "message/address.h"
#include "storage/source.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void take_out(struct command_run *r, int at, int n)
{
    memmove(&r->argv[at], &r->argv[at + n], (size_t)(r->argc - at - n) * sizeof *r->argv);
    r->argc -= n;
}

bool command_take_flag(struct command_run *r, const char *name)
{
    for (int i = 0; i < r->argc; i++)
        if (strcmp(r->argv[i], name) == 0) {
            take_out(r, i, 1);
            return true;
        }
    return false;
}

const char *command_take_value(struct command_run *r, const char *name, bool *bad)
{
    size_t n = strlen(name);
    for (int i = 0; i < r->argc; i++) {
        if (strncmp(r->argv[i], name, n) == 0 && r->argv[i][n] == '=') {
            const char *value = r->argv[i] + n + 1;
            take_out(r, i, 1);
            return value;
        }
        if (strcmp(r->argv[i], name) == 0) {
            const char *value = i + 1 < r->argc ? r->argv[i + 1] : NULL;
            *bad = *bad || !value;
            take_out(r, i, value ? 2 : 1);
            return value;
        }
    }
    return NULL;
}

bool command_has_arguments(const struct command_run *r, int least, int most)
{
    for (int i = 0; i < r->argc; i++)
        if (r->argv[i][0] == '-') {
            fprintf(stderr, "golub: %s has no option %s\n", r->command->words, r->argv[i]);
            command_misuse(r, NULL);
            return false;
        }
    if (r->argc >= least && r->argc <= most)
        return true;
    command_misuse(r, r->argc < least ? "something is missing" : "that is more than it takes");
    return false;
}

struct str command_address(const char *typed, struct arena *a)
{
    struct str in = str_from_c(typed), local, domain;
    if (typed[0] != '"' || !address_take_smtp(&in, true, a, &local, &domain) || in.n > 0)
        return str_from_c(typed);
    return arena_printf(a, "%.*s@%.*s", STR_ARGS(local), STR_ARGS(domain));
}

struct str *command_address_list(const char *typed, size_t *n, struct arena *a)
{
    struct str rest = str_from_c(typed), one;
    struct str *v = ARENA_ARRAY(a, struct str, rest.n + 1);
    *n = 0;
    for (bool more = rest.n > 0; more;) {
        more = str_cut(&rest, ',', &one);
        one = str_trim(one);
        if (one.n > 0)
            v[(*n)++] = command_address(arena_copy_c(a, one), a);
    }
    return v;
}

const char *command_time(int64_t at, char out[20])
{
    time_t t = (time_t)at;
    struct tm tm;
    if (at == 0 || !localtime_r(&t, &tm) || strftime(out, 20, "%Y-%m-%d %H:%M", &tm) == 0)
        return "-";
    return out;
}

bool command_moment(const char *typed, bool is_ahead, int64_t *at)
{
    static const char *const FORMS[] = {"%Y-%m-%d %H:%M", "%Y-%m-%d"};
    struct str s = str_from_c(typed);
    uint64_t n;
    const char *unit = s.n > 1 ? strchr("mhd", s.p[s.n - 1]) : NULL;
    if (unit && str_to_u64(str_slice(s, 0, s.n - 1), &n) && n < 1000000) {
        int64_t seconds = (int64_t)n * (*unit == 'd' ? 86400 : *unit == 'h' ? 3600 : 60);
        *at = clock_wall() + (is_ahead ? seconds : -seconds);
        return true;
    }
    for (size_t i = 0; i < sizeof FORMS / sizeof *FORMS; i++) {
        struct tm tm = {.tm_isdst = -1};
        const char *end = strptime(typed, FORMS[i], &tm);
        if (!end || *end != '\0')
            continue;
        tm.tm_mday += is_ahead && i == 1; /* until a day: that day too */
        *at = mktime(&tm);
        return true;
    }
    return false;
}

bool command_read_moment(const char *typed, int64_t *at)
{
    return command_moment(typed, false, at);
}

struct directory_db *command_open_directory(const struct command_run *r, struct err *e)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct sql_source source = source_of_command(r->config, directory_db_path(r->config->data, &a), NULL, &a);
    return directory_db_open_at(&source, r->config->tag_separator, e);
}

int command_switch(struct command_run *r, command_switch_fn *turn, bool on, const char *says)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    CLEAN_DIRECTORY_DB struct directory_db *db = NULL;
    struct err e = ERR_INIT;
    if (!command_has_arguments(r, 1, 1))
        return COMMAND_MISUSED;
    struct str address = command_address(r->argv[0], &a);
    if (!(db = command_open_directory(r, &e)) || !turn(db, address, on, &e))
        return command_fail(&e);
    printf("%.*s %s\n", STR_ARGS(address), says);
    return COMMAND_DONE;
}

bool command_confirm(const char *question, const char *expected)
{
    char line[512];
    if (!isatty(STDIN_FILENO))
        return true;
    fprintf(stderr, "%s", question);
    if (!fgets(line, sizeof line, stdin))
        return false;
    return str_eq_nocase(str_trim(str_from_c(line)), str_from_c(expected));
}
