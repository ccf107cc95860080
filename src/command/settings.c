/* golub account limit, golub account language, golub domain limit, golub domain language: what is set of one
 * account, or of all of a domain that say nothing else. */
#include "command/parts.h"

#include <stdio.h>
#include <string.h>

/* In the order in which they are shown; the options are the names with - for _. */
static const struct {
    const char *name, *option;
    enum limit_rate rate;
} LIMITS[] = {
    {"message_rate", "--message-rate", LIMIT_MESSAGES},
    {"recipient_rate", "--recipient-rate", LIMIT_RECIPIENTS},
    {"refused_rate", "--refused-rate", LIMIT_REFUSED},
    {"networks", "--networks", LIMIT_CONNECTS},
};
#define LIMIT_COUNT (sizeof LIMITS / sizeof *LIMITS)

/* Whose settings a command is about. */
struct subject {
    struct directory_db *db;
    bool is_domain;
    struct str name;
    struct directory_settings own, of_domain; /* of a domain: `own` is not set */
};

/* s->db is the caller's to close, in any case. */
static bool open_subject(const struct command_run *r, bool is_domain, struct arena *a, struct subject *s,
                         struct err *e)
{
    static const struct directory_settings NONE = DIRECTORY_SETTINGS_INIT;
    *s = (struct subject){.is_domain = is_domain,
                          .name = is_domain ? str_from_c(r->argv[0]) : command_address(r->argv[0], a),
                          .own = NONE};
    if (!(s->db = command_open_directory(r, e)))
        return false;
    return is_domain ? directory_domain_settings(s->db, s->name, &s->of_domain, e)
                     : directory_account_settings(s->db, s->name, &s->own, &s->of_domain, e);
}

static void close_subject(struct subject *s)
{
    directory_db_close(s->db);
}
#define CLEAN_SUBJECT __attribute__((cleanup(close_subject)))

/* What the command changes. */
static struct directory_settings *settings_of(struct subject *s)
{
    return s->is_domain ? &s->of_domain : &s->own;
}

static bool store(const struct subject *s, struct err *e)
{
    return s->is_domain ? directory_domain_set(s->db, s->name, &s->of_domain, e)
                        : directory_account_set(s->db, s->name, &s->own, e);
}

void command_print_limits(const struct config *c, const struct directory_settings *own,
                          const struct directory_settings *of_domain)
{
    char text[CONFIG_RATE_TEXT];
    for (size_t i = 0; i < LIMIT_COUNT; i++) {
        enum limit_rate rate = LIMITS[i].rate;
        const char *from = own->rates[rate].is_set         ? "of the account"
                           : of_domain->rates[rate].is_set ? "of the domain"
                                                           : "of golub.conf";
        struct tally_limit limit = own->rates[rate].is_set         ? own->rates[rate].limit
                                   : of_domain->rates[rate].is_set ? of_domain->rates[rate].limit
                                                                   : c->limits[LIMIT_ACCOUNT].rates[rate];
        printf("%-16s %-10s %s\n", LIMITS[i].name, config_rate_text(limit, text), from);
    }
}

void command_print_language(const struct config *c, const struct directory_settings *own,
                            const struct directory_settings *of_domain)
{
    bool is_own = own->language != CONFIG_LANGUAGE_UNSET;
    bool is_set = is_own || of_domain->language != CONFIG_LANGUAGE_UNSET;
    printf("%-16s %-10s %s\n", "language",
           config_language_tag(is_own   ? own->language
                               : is_set ? of_domain->language
                                        : c->queue_language),
           is_own   ? "of the account"
           : is_set ? "of the domain"
                    : "of golub.conf, where the message does not tell");
}

/* --- limits --- */

static bool take_limits(struct command_run *r, const char *typed[LIMIT_COUNT], bool *any)
{
    bool bad = false;
    *any = false;
    for (size_t i = 0; i < LIMIT_COUNT; i++) {
        typed[i] = command_take_value(r, LIMITS[i].option, &bad);
        *any = *any || typed[i];
    }
    return !bad;
}

static bool change_limits(struct directory_settings *s, const char *const typed[LIMIT_COUNT])
{
    for (size_t i = 0; i < LIMIT_COUNT; i++) {
        if (!typed[i])
            continue;
        s->rates[LIMITS[i].rate].is_set = strcmp(typed[i], "default") != 0;
        if (s->rates[LIMITS[i].rate].is_set &&
            !config_read_rate(str_from_c(typed[i]), &s->rates[LIMITS[i].rate].limit))
            return false;
    }
    return true;
}

static int run_limit(struct command_run *r, bool is_domain)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    CLEAN_SUBJECT struct subject s = {0};
    struct err e = ERR_INIT;
    const char *typed[LIMIT_COUNT];
    bool any;
    if (!take_limits(r, typed, &any))
        return command_misuse(r, "a value is missing");
    if (!command_has_arguments(r, 1, 1))
        return COMMAND_MISUSED;
    bool good = open_subject(r, is_domain, &a, &s, &e);
    if (good && !change_limits(settings_of(&s), typed))
        return command_misuse(
            r, "a limit is a number in a second, minute, hour or day (200/h), none, or default");
    if (!good || (any && !store(&s, &e)))
        return command_fail(&e);
    command_print_limits(r->config, &s.own, &s.of_domain);
    return COMMAND_DONE;
}

int run_account_limit(struct command_run *r)
{
    return run_limit(r, false);
}

int run_domain_limit(struct command_run *r)
{
    return run_limit(r, true);
}

/* --- language --- */

static int run_language(struct command_run *r, bool is_domain)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    CLEAN_SUBJECT struct subject s = {0};
    struct err e = ERR_INIT;
    enum config_language language = CONFIG_LANGUAGE_UNSET;
    if (!command_has_arguments(r, 1, 2))
        return COMMAND_MISUSED;
    if (r->argc == 2 && strcmp(r->argv[1], "default") != 0 &&
        !config_read_language(str_from_c(r->argv[1]), &language))
        return command_misuse(r, "a language is en, sr-Latn, sr-Cyrl, or default");
    bool good = open_subject(r, is_domain, &a, &s, &e);
    if (good && r->argc == 2)
        settings_of(&s)->language = language;
    if (!good || (r->argc == 2 && !store(&s, &e)))
        return command_fail(&e);
    command_print_language(r->config, &s.own, &s.of_domain);
    return COMMAND_DONE;
}

int run_account_language(struct command_run *r)
{
    return run_language(r, false);
}

int run_domain_language(struct command_run *r)
{
    return run_language(r, true);
}
