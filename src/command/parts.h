/* What the commands share. A command gets its arguments, takes options out of them, and works; errors go to
 * standard error as "golub: words", results to standard output. */
#ifndef COMMAND_PARTS_H
#define COMMAND_PARTS_H
#include "config/config.h"
#include "directory/db.h"
#include "directory/password.h"

enum command_exit { COMMAND_DONE, COMMAND_FAILED, COMMAND_MISUSED };

struct command_run;
struct command {
    const char *words;     /* "account add" */
    const char *arguments; /* "NAME@DOMAIN [--password-stdin]" */
    const char *summary;   /* one line of `golub help` */
    const char *help;      /* the rest of `golub help account add` */
    enum {
        NEEDS_NOTHING,
        NEEDS_CONFIG,
        NEEDS_DATA,       /* and becomes its owner */
        NEEDS_DATA_ALONE, /* without arguments; with some, nothing */
    } needs;
    int (*run)(struct command_run *r);
};

struct command_run {
    const struct command *command;
    const char *config_path;
    const struct config *config; /* NULL: it needs nothing */
    int argc;
    char **argv; /* behind the command's words */
};

extern const struct command COMMANDS[];
extern const size_t COMMAND_COUNT;

int command_fail(const struct err *e);
/* Says why (NULL: nothing) and how the command is used. */
int command_misuse(const struct command_run *r, const char *why);

/* Options are taken out of the arguments wherever they stand. A value that is missing makes *bad true. */
bool command_take_flag(struct command_run *r, const char *name);
const char *command_take_value(struct command_run *r, const char *name, bool *bad);
/* "a@x.example,b@x.example" -> two, each as command_address. */
struct str *command_address_list(const char *typed, size_t *n, struct arena *a);
/* What is left must be `least` to `most` arguments, none of them an option; else misused, having said so. */
bool command_has_arguments(const struct command_run *r, int least, int most);

/* An address as an administrator types it: with quotes around a strange local part or without. */
struct str command_address(const char *typed, struct arena *a);
/* "2026-11-24 12:00", in this machine's time zone; "-" for 0. */
const char *command_time(int64_t at, char out[20]);
/* A moment as it is typed: "3d" ago, or a day, with or without a time of it, of this machine's time zone; or
 * with is_ahead "3d" from now, and a day with all its hours. */
bool command_read_moment(const char *typed, int64_t *at);
bool command_moment(const char *typed, bool is_ahead, int64_t *at);
#define COMMAND_MOMENT_FORMS "3d, 12h, 30m, 2026-11-24 or '2026-11-24 18:00'"

/* What another server answered and what a sender wrote may be anything: a terminal must not obey it. */
void command_print_clean(struct str text);
/* Milliseconds since 1970 in this machine's time zone: "2026-11-24 12:00:00.123", or the time alone. */
void command_print_moment(int64_t ms, bool with_day);
/* The transcript of an attempt (queue/queue.h), which has a time in milliseconds before each line. */
void command_print_transcript(struct str text);
/* As a string of JSON, with its quotes; what is not UTF-8 becomes U+FFFD. */
void command_print_json(struct str text);
struct directory_db *command_open_directory(const struct command_run *r, struct err *e);

/* What to store of a password, which comes from where the options say: --password-stdin, --hash-stdin,
 * --generate (prints the password), or else a prompt without echo. */
#define PASSWORD_ARGUMENTS "[--password-stdin | --hash-stdin | --generate]"
enum password_source { PASSWORD_PROMPT, PASSWORD_STDIN, PASSWORD_HASH_STDIN, PASSWORD_GENERATE };
enum password_source command_take_password_source(struct command_run *r);
struct command_password {
    char hash[PASSWORD_HASH_MAX];
    char scram[SCRAM_VERIFIER_MAX]; /* "" with --hash-stdin: it is made when the password is first seen */
};
bool command_new_password(struct directory_db *db, struct str address, enum password_source from,
                          struct command_password *out, struct err *e);
/* Gives the account that verifier, as part of what has just been stored. */
bool command_store_scram(struct directory_db *db, struct str address, const struct command_password *p,
                         struct err *e);

/* One that is kept as it is, for another server: the first line of standard input, or asked for twice. The
 * caller wipes it. */
bool command_read_password(bool from_stdin, char out[PASSWORD_MAX + 1], struct err *e);

/* What holds for an account, and who said so, a line each (settings.c). */
void command_print_limits(const struct config *c, const struct directory_settings *own,
                          const struct directory_settings *of_domain);
void command_print_language(const struct config *c, const struct directory_settings *own,
                            const struct directory_settings *of_domain);

/* A whole command on one address, which turns something of it on or off: "ADDRESS is enabled", by `says`. */
typedef bool command_switch_fn(struct directory_db *db, struct str address, bool on, struct err *e);
int command_switch(struct command_run *r, command_switch_fn *turn, bool on, const char *says);

/* Asks for an irreversible step where somebody sits at a terminal; anywhere else the command itself is the
 * answer. */
bool command_confirm(const char *question, const char *expected);

int run_init(struct command_run *r);
int run_serve(struct command_run *r);
int run_check(struct command_run *r);
int run_certificate_renew(struct command_run *r);
int run_account_add(struct command_run *r);
int run_account_list(struct command_run *r);
int run_account_show(struct command_run *r);
int run_account_limit(struct command_run *r);
int run_account_language(struct command_run *r);
int run_account_password(struct command_run *r);
int run_account_enable(struct command_run *r);
int run_account_disable(struct command_run *r);
int run_account_remove(struct command_run *r);
int run_domain_add(struct command_run *r);
int run_domain_list(struct command_run *r);
int run_domain_limit(struct command_run *r);
int run_domain_language(struct command_run *r);
int run_domain_records(struct command_run *r);
int run_dns(struct command_run *r);
int run_tls_report(struct command_run *r);
int run_tls_report_list(struct command_run *r);
int run_tls_report_send(struct command_run *r);
int run_domain_remove(struct command_run *r);
int run_address_add(struct command_run *r);
int run_address_import(struct command_run *r);
int run_address_list(struct command_run *r);
int run_address_remove(struct command_run *r);
int run_account_forward(struct command_run *r);
int run_account_send_as(struct command_run *r);
int run_address_set(struct command_run *r);
int run_address_enable(struct command_run *r);
int run_address_disable(struct command_run *r);
int run_domain_recipients(struct command_run *r);
int run_rewrite_add(struct command_run *r);
int run_rewrite_list(struct command_run *r);
int run_rewrite_remove(struct command_run *r);
int run_route(struct command_run *r);
int run_route_add(struct command_run *r);
int run_route_remove(struct command_run *r);
int run_route_list(struct command_run *r);
int run_undelete(struct command_run *r);
int run_quota_set(struct command_run *r);
int run_quota_show(struct command_run *r);
int run_quota_list(struct command_run *r);
int run_queue_list(struct command_run *r);
int run_queue_show(struct command_run *r);
int run_queue_hold(struct command_run *r);
int run_queue_release(struct command_run *r);
int run_queue_retry(struct command_run *r);
int run_queue_redirect(struct command_run *r);
int run_queue_drop(struct command_run *r);
int run_trace(struct command_run *r);
int run_sendmail(struct command_run *r);

#endif
