#include "command/command.h"

#include "base/mem.h"
#include "command/parts.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* Set by the build. */
#ifndef GOLUB_VERSION
#error "GOLUB_VERSION is the project's version, from meson.build"
#endif

int command_options(int argc, char **argv, const char **config_path)
{
    int at = 1;
    *config_path = COMMAND_CONFIG_DEFAULT;
    while (at < argc && argv[at][0] == '-') {
        bool is_config = strcmp(argv[at], "-c") == 0 || strcmp(argv[at], "--config") == 0;
        if (!is_config)
            break;
        if (at + 1 >= argc) {
            fprintf(stderr, "golub: %s needs the path of a config file\n", argv[at]);
            return -1;
        }
        *config_path = argv[at + 1];
        at += 2;
    }
    return at;
}

/* How many of the words that were typed are this command's; 0: it is another. */
static int words_of(const struct command *c, int argc, char **argv)
{
    struct str rest = str_from_c(c->words), word;
    int n = 0;
    for (bool more = true; more; n++) {
        more = str_cut(&rest, ' ', &word);
        if (n >= argc || !str_eq(word, str_from_c(argv[n])))
            return 0;
    }
    return n;
}

static const struct command *find_command(int argc, char **argv, int *words)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if ((*words = words_of(&COMMANDS[i], argc, argv)) > 0)
            return &COMMANDS[i];
    return NULL;
}

static bool is_of_group(const struct command *c, const char *group)
{
    struct str words = str_from_c(c->words);
    return str_starts(words, str_from_c(group)) &&
           (words.n == strlen(group) || words.p[strlen(group)] == ' ');
}

/* --- help --- */

static void print_usage(FILE *to, const struct command *c)
{
    fprintf(to, "usage: golub %s%s%s%s\n", c->needs == NEEDS_NOTHING ? "" : "[-c FILE] ", c->words,
            c->arguments[0] ? " " : "", c->arguments);
}

static void print_help(const struct command *c)
{
    print_usage(stdout, c);
    printf("\n%c%s.\n%s%s", ascii_upper(c->summary[0]), c->summary + 1, c->help[0] ? "\n" : "", c->help);
}

static void print_commands(FILE *to, const char *group)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (!group || is_of_group(&COMMANDS[i], group))
            fprintf(to, "  %-18s %s\n", COMMANDS[i].words, COMMANDS[i].summary);
}

static int print_overview(FILE *to)
{
    fprintf(to,
            "golub is a mail server.\n\n"
            "usage: golub [-c FILE] COMMAND ...        FILE is golub.conf (default %s)\n\n"
            "A server in three steps:\n"
            "  golub init /srv/golub --domain example.org            makes everything, says what DNS needs\n"
            "  golub -c /srv/golub/golub.conf account add ana@example.org\n"
            "  golub -c /srv/golub/golub.conf serve\n\n"
            "Commands:\n",
            COMMAND_CONFIG_DEFAULT);
    print_commands(to, NULL);
    fprintf(to, "  help [COMMAND]     this, or more about one command\n"
                "  --version          print the version\n\n"
                "Exit codes: 0 done, 1 failed, 2 wrong usage. More: man golub, man golub.conf\n");
    return to == stdout ? COMMAND_DONE : COMMAND_MISUSED;
}

static int help(int argc, char **argv)
{
    int words;
    bool known = false;
    if (argc == 0)
        return print_overview(stdout);
    const struct command *c = find_command(argc, argv, &words);
    if (c) {
        print_help(c);
        return COMMAND_DONE;
    }
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        known = known || is_of_group(&COMMANDS[i], argv[0]);
    if (!known) {
        fprintf(stderr, "golub: there is no command %s; golub help lists them\n", argv[0]);
        return COMMAND_MISUSED;
    }
    print_commands(stdout, argv[0]);
    return COMMAND_DONE;
}

static int no_such_command(char **argv)
{
    bool known = false;
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        known = known || is_of_group(&COMMANDS[i], argv[0]);
    if (known) {
        fprintf(stderr, "golub: %s what?\n", argv[0]);
        print_commands(stderr, argv[0]);
    } else {
        fprintf(stderr, "golub: there is no command %s; golub help lists them\n", argv[0]);
    }
    return COMMAND_MISUSED;
}

int command_misuse(const struct command_run *r, const char *why)
{
    if (why)
        fprintf(stderr, "golub: %s\n", why);
    print_usage(stderr, r->command);
    fprintf(stderr, "       golub help %s explains it\n", r->command->words);
    return COMMAND_MISUSED;
}

int command_fail(const struct err *e)
{
    fprintf(stderr, "golub: %s\n", e->text);
    return COMMAND_FAILED;
}

/* --- running --- */

/* main.c runs the server itself; what comes here has words behind it. */
int run_serve(struct command_run *r)
{
    return command_misuse(r, "serve takes no arguments");
}

int run_sendmail(struct command_run *r)
{
    return command_misuse(r, NULL); /* main.c has taken those with arguments */
}

/* Root becomes the owner of the data: what it makes there must be the server's, and nothing that a taken-over
 * server left there may lead root astray. */
static bool become_owner(const struct config *c, struct err *e)
{
    CLEAN_FREE char *data = mem_copy_c(c->data.p, c->data.n);
    struct stat st;
    if (stat(data, &st) != 0)
        return err_set(e, ERR_PERMANENT, "data directory %s: %s; `golub init` makes one", data,
                       strerror(errno));
    if (geteuid() != 0 || st.st_uid == 0)
        return true;
    if (setgroups(0, NULL) != 0 || setresgid(st.st_gid, st.st_gid, st.st_gid) != 0 ||
        setresuid(st.st_uid, st.st_uid, st.st_uid) != 0)
        return err_set(e, ERR_INTERNAL, "becoming the owner of %s: %s", data, strerror(errno));
    return true;
}

static int run(const struct command *c, const char *config_path, int argc, char **argv)
{
    struct command_run r = {.command = c, .config_path = config_path, .argc = argc, .argv = argv};
    struct err e = ERR_INIT;
    if (argc == 1 && (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0)) {
        print_help(c);
        return COMMAND_DONE;
    }
    bool has_data = c->needs == NEEDS_DATA || (c->needs == NEEDS_DATA_ALONE && argc == 0);
    if ((has_data || c->needs == NEEDS_CONFIG) && !(r.config = config_load(config_path, &e)))
        return command_fail(&e);
    if (has_data && !become_owner(r.config, &e)) {
        config_free(r.config);
        return command_fail(&e);
    }
    int code = c->run(&r);
    if (r.config)
        config_free(r.config);
    if (fflush(stdout) != 0 && code == COMMAND_DONE) {
        fprintf(stderr, "golub: writing the result: %s\n", strerror(errno));
        code = COMMAND_FAILED;
    }
    return code;
}

int command_main(int argc, char **argv)
{
    const char *config_path;
    int at = command_options(argc, argv, &config_path), words;
    if (at < 0)
        return COMMAND_MISUSED;
    if (at == argc)
        return print_overview(stderr);
    argc -= at;
    argv += at;
    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT); /* a command speaks for itself */
    if (strcmp(argv[0], "--version") == 0) {
        printf("golub %s\n", GOLUB_VERSION);
        return COMMAND_DONE;
    }
    if (strcmp(argv[0], "help") == 0 || strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0)
        return help(argc - 1, argv + 1);
    if (argv[0][0] == '-') {
        fprintf(stderr, "golub: there is no option %s; golub help explains\n", argv[0]);
        return COMMAND_MISUSED;
    }
    const struct command *c = find_command(argc, argv, &words);
    return c ? run(c, config_path, argc - words, argv + words) : no_such_command(argv);
}
