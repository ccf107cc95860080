/* What a setting may say. */
#include "config/reading.h"

#include "base/mem.h"
#include "base/pgsql.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

bool config_take_text(struct reading *r, void *to, struct str value, struct err *e)
{
    if (value.n == 0)
        return err_set(e, ERR_PERMANENT, "the value is empty");
    *(struct str *)to = arena_copy(r->a, value);
    return true;
}

bool config_take_path(struct reading *r, void *to, struct str value, struct err *e)
{
    if (value.n == 0)
        return err_set(e, ERR_PERMANENT, "the path is empty");
    *(struct str *)to = value.p[0] == '/'
                            ? arena_copy(r->a, value)
                            : arena_printf(r->a, "%.*s/%.*s", STR_ARGS(r->folder), STR_ARGS(value));
    return true;
}

bool config_take_yes(struct reading *r, void *to, struct str value, struct err *e)
{
    (void)r;
    if (!str_eq_nocase(value, STR("yes")) && !str_eq_nocase(value, STR("no")))
        return err_set(e, ERR_PERMANENT, "it is yes or no");
    *(bool *)to = str_eq_nocase(value, STR("yes"));
    return true;
}

bool config_take_sandbox(struct reading *r, void *to, struct str value, struct err *e)
{
    (void)r;
    if (!str_eq(value, STR("best")) && !str_eq(value, STR("require")))
        return err_set(e, ERR_PERMANENT,
                       "it is best (what the kernel offers) or require (Landlock or nothing)");
    *(bool *)to = str_eq(value, STR("require"));
    return true;
}

bool config_take_count(struct reading *r, void *to, struct str value, struct err *e)
{
    (void)r;
    uint32_t n;
    if (!str_to_u32(value, &n) || n == 0 || n > 10 * 1000 * 1000)
        return err_set(e, ERR_PERMANENT, "it is a number from 1 to 10000000");
    *(unsigned *)to = n;
    return true;
}

bool config_take_workers(struct reading *r, void *to, struct str value, struct err *e)
{
    uint32_t n;
    (void)r;
    if (!str_to_u32(value, &n) || n == 0 || n > CONFIG_WORKERS_MAX)
        return err_set(e, ERR_PERMANENT, "it is a number from 1 to %d", CONFIG_WORKERS_MAX);
    *(unsigned *)to = n;
    return true;
}

/* Every role reads the config, and only store may know the password. */
bool config_take_postgresql(struct reading *r, void *to, struct str value, struct err *e)
{
    struct pgsql_uses uses = {0};
    CLEAN_FREE char *conninfo = mem_copy_c(value.p, value.n);
    bool good = pgsql_uses(conninfo, &uses, e);
    bool has_password = uses.has_password;
    pgsql_uses_free(&uses);
    if (good && has_password)
        return err_set(e, ERR_PERMANENT,
                       "no password here: name a file that holds it, passfile=PATH (libpq's manual, \"The "
                       "Password File\")");
    return good && config_take_text(r, to, value, e);
}

bool config_take_connections(struct reading *r, void *to, struct str value, struct err *e)
{
    uint32_t n;
    (void)r;
    if (!str_to_u32(value, &n) || n == 0 || n > CONFIG_CONNECTIONS_MAX)
        return err_set(e, ERR_PERMANENT, "it is a number from 1 to %d", CONFIG_CONNECTIONS_MAX);
    *(unsigned *)to = n;
    return true;
}

/* Splits a number from its one-letter unit. */
static bool take_unit(struct str value, const char *units, uint64_t *number, char *unit)
{
    *unit = '\0';
    if (value.n > 1 && strchr(units, ascii_lower(value.p[value.n - 1]))) {
        *unit = ascii_lower(value.p[value.n - 1]);
        value.n--;
    }
    return str_to_u64(value, number);
}

bool config_take_bytes(struct reading *r, void *to, struct str value, struct err *e)
{
    (void)r;
    uint64_t n;
    char unit;
    bool good = take_unit(value, "kmg", &n, &unit) && n > 0 && n < (uint64_t)1 << 32;
    uint64_t bytes = good ? n << (unit == 'k' ? 10 : unit == 'm' ? 20 : unit == 'g' ? 30 : 0) : 0;
    if (!good || bytes > (uint64_t)1 << 31)
        return err_set(e, ERR_PERMANENT, "it is a number of bytes up to 2g, such as 52428800 or 50m");
    *(uint64_t *)to = bytes;
    return true;
}

bool config_take_room(struct reading *r, void *to, struct str value, struct err *e)
{
    (void)r;
    uint64_t n;
    char unit;
    bool good = take_unit(value, "mgt", &n, &unit) && unit != '\0' && n > 0 && n < (uint64_t)1 << 20;
    uint64_t bytes = good ? n << (unit == 'm' ? 20 : unit == 'g' ? 30 : 40) : 0;
    if (!good || bytes > (uint64_t)1 << 50)
        return err_set(e, ERR_PERMANENT, "it is a size with its unit m, g or t, such as 500m or 4g");
    *(uint64_t *)to = bytes;
    return true;
}

bool config_take_seconds(struct reading *r, void *to, struct str value, struct err *e)
{
    (void)r;
    uint64_t n;
    char unit;
    bool good = take_unit(value, "smhd", &n, &unit) && n <= 366 * 86400;
    uint64_t s = good ? n * (unit == 'd' ? 86400u : unit == 'h' ? 3600u : unit == 'm' ? 60u : 1u) : 0;
    if (!good || s > 366 * 86400)
        return err_set(e, ERR_PERMANENT, "it is a time of at most a year, such as 90s, 5m, 4h or 5d");
    *(unsigned *)to = (unsigned)s;
    return true;
}

/* RFC 2449 section 6.7. A policy of 0 days would mean that we delete what is fetched. */
bool config_take_expire(struct reading *r, void *to, struct str value, struct err *e)
{
    (void)r;
    uint64_t days = 0;
    char unit;
    bool never = str_eq(value, STR("never"));
    if (!never && (!take_unit(value, "d", &days, &unit) || days == 0 || days > 36500))
        return err_set(e, ERR_PERMANENT, "it is never, or a number of days such as 30d");
    *(unsigned *)to = (unsigned)days;
    return true;
}

bool config_take_days(struct reading *r, void *to, struct str value, struct err *e)
{
    (void)r;
    uint32_t days;
    if (!str_to_u32(value, &days) || days == 0 || days > 36500)
        return err_set(e, ERR_PERMANENT, "it is a number of days, at least 1");
    *(unsigned *)to = days;
    return true;
}

bool config_take_over_quota(struct reading *r, void *to, struct str value, struct err *e)
{
    (void)r;
    if (!str_eq(value, STR("temporary")) && !str_eq(value, STR("permanent")))
        return err_set(e, ERR_PERMANENT,
                       "it is temporary (senders try again) or permanent (mail is refused)");
    *(bool *)to = str_eq(value, STR("permanent"));
    return true;
}

bool config_take_hold(struct reading *r, void *to, struct str value, struct err *e)
{
    return config_take_seconds(r, to, value, e) &&
           (*(unsigned *)to > 0 || err_set(e, ERR_PERMANENT, "it is a time of at least a second"));
}

/* RFC 3865 section 2.2: a domain of the one who made the class up, and what it is. All stand in a line of the
 * answer to EHLO. */
bool config_take_classes(struct reading *r, void *to, struct str value, struct err *e)
{
    for (size_t i = 0; i < value.n; i++)
        if (!ascii_is_alpha(value.p[i]) && !ascii_is_digit(value.p[i]) && !strchr(".-_: ", value.p[i]))
            return err_set(e, ERR_PERMANENT, "it is classes such as org.example:ADV, with spaces between");
    if (value.n > 400)
        return err_set(e, ERR_PERMANENT, "all classes together have at most 400 bytes");
    return config_take_text(r, to, value, e);
}

bool config_take_dsn(struct reading *r, void *to, struct str value, struct err *e)
{
    (void)r;
    if (!str_eq(value, STR("ours")) && !str_eq(value, STR("all")))
        return err_set(e, ERR_PERMANENT, "it is ours (our users may ask for reports) or all (strangers too)");
    *(bool *)to = str_eq(value, STR("all"));
    return true;
}

bool config_take_utf8_headers(struct reading *r, void *to, struct str value, struct err *e)
{
    (void)r;
    if (!str_eq(value, STR("any")) && !str_eq(value, STR("asked")))
        return err_set(e, ERR_PERMANENT, "it is any (as real mail has them) or asked (with SMTPUTF8)");
    *(bool *)to = str_eq(value, STR("asked"));
    return true;
}

bool config_take_separator(struct reading *r, void *to, struct str value, struct err *e)
{
    (void)r;
    if (value.n != 1 || !strchr("+-=_.#", value.p[0]))
        return err_set(e, ERR_PERMANENT, "it is one of + - = _ . #");
    *(char *)to = value.p[0];
    return true;
}

bool config_take_networks(struct reading *r, void *to, struct str value, struct err *e)
{
    struct str bad;
    if (str_eq(value, STR("none")))
        value = STR("");
    return networks_read(arena_copy(r->a, value), r->a, to, &bad) ||
           err_set(
               e, ERR_PERMANENT,
               "\"%.*s\" is no network: write 192.0.2.0/24, 2001:db8::/32 or an address, or none for nobody",
               STR_ARGS(bad));
}

static bool take_bits(struct reading *r, void *to, struct str value, struct err *e, unsigned most)
{
    uint32_t n;
    (void)r;
    if (!str_to_u32(value, &n) || n == 0 || n > most)
        return err_set(e, ERR_PERMANENT, "it is a number of bits from 1 to %u", most);
    *(unsigned *)to = n;
    return true;
}

bool config_take_ipv4_bits(struct reading *r, void *to, struct str value, struct err *e)
{
    return take_bits(r, to, value, e, 32);
}

bool config_take_ipv6_bits(struct reading *r, void *to, struct str value, struct err *e)
{
    return take_bits(r, to, value, e, 64);
}

bool config_take_helo(struct reading *r, void *to, struct str value, struct err *e)
{
    static const char *const NAMES[] = {
        [HELO_ANY] = "any", [HELO_CERTAIN] = "certain", [HELO_STRICT] = "strict"};
    (void)r;
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++)
        if (str_eq(value, str_from_c(NAMES[i]))) {
            *(enum helo_policy *)to = (enum helo_policy)i;
            return true;
        }
    return err_set(e, ERR_PERMANENT, "it is any, certain or strict");
}

/* How many at once. */
bool config_take_most(struct reading *r, void *to, struct str value, struct err *e)
{
    if (!str_eq(value, STR("none")))
        return config_take_count(r, to, value, e);
    *(unsigned *)to = 0;
    return true;
}

/* How many in a time: 600/m. */
static const struct {
    char name;
    unsigned seconds;
} PERIODS[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
#define PERIOD_COUNT (sizeof PERIODS / sizeof *PERIODS)

bool config_read_rate(struct str text, struct tally_limit *out)
{
    struct tally_limit limit = {0, 0};
    struct str unit = text, number;
    bool is_none = str_eq(text, STR("none"));
    if (!is_none && str_cut(&unit, '/', &number) && unit.n == 1 && str_to_u32(str_trim(number), &limit.count))
        for (size_t i = 0; i < PERIOD_COUNT; i++)
            if (PERIODS[i].name == unit.p[0])
                limit.period_s = PERIODS[i].seconds;
    if (!is_none && (limit.period_s == 0 || limit.count == 0 || limit.count > CONFIG_RATE_MAX))
        return false;
    *out = limit;
    return true;
}

const char *config_rate_text(struct tally_limit limit, char out[CONFIG_RATE_TEXT])
{
    snprintf(out, CONFIG_RATE_TEXT, "none");
    for (size_t i = 0; i < PERIOD_COUNT; i++)
        if (limit.count > 0 && PERIODS[i].seconds == limit.period_s)
            snprintf(out, CONFIG_RATE_TEXT, "%u/%c", limit.count, PERIODS[i].name);
    return out;
}

bool config_take_rate(struct reading *r, void *to, struct str value, struct err *e)
{
    (void)r;
    return config_read_rate(value, to) || err_set(e, ERR_PERMANENT, "%s", CONFIG_RATE_FORMS);
}

bool config_take_sockets(struct reading *r, void *to, struct str value, struct err *e)
{
    struct str rest = value, one;
    while (rest.n > 0) {
        str_cut(&rest, ' ', &one);
        if (one.n > 0 && one.p[0] != '/')
            return err_set(e, ERR_PERMANENT, "\"%.*s\" is no absolute path of a socket", STR_ARGS(one));
    }
    *(struct str *)to = arena_copy(r->a, value);
    return true;
}

bool config_take_level(struct reading *r, void *to, struct str value, struct err *e)
{
    static const char *const NAMES[] = {"debug", "info", "warning", "error"};
    (void)r;
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++)
        if (str_eq(value, str_from_c(NAMES[i]))) {
            *(enum log_level *)to = (enum log_level)i;
            return true;
        }
    return err_set(e, ERR_PERMANENT, "it is debug, info, warning or error");
}

bool config_read_language(struct str text, enum config_language *out)
{
    for (enum config_language i = CONFIG_ENGLISH; i < CONFIG_LANGUAGES; i++)
        if (str_eq_nocase(text, str_from_c(config_language_tag(i)))) {
            *out = i;
            return true;
        }
    *out = CONFIG_SERBIAN_LATIN;
    return str_eq_nocase(text, STR("sr"));
}

const char *config_language_tag(enum config_language language)
{
    static const char *const TAGS[CONFIG_LANGUAGES] = {
        [CONFIG_ENGLISH] = "en", [CONFIG_SERBIAN_LATIN] = "sr-Latn", [CONFIG_SERBIAN_CYRILLIC] = "sr-Cyrl"};
    return language == CONFIG_LANGUAGE_UNSET ? "" : TAGS[language];
}

bool config_take_language(struct reading *r, void *to, struct str value, struct err *e)
{
    (void)r;
    return config_read_language(value, to) || err_set(e, ERR_PERMANENT, "it is en, sr-Latn or sr-Cyrl");
}

bool config_take_audience(struct reading *r, void *to, struct str value, struct err *e)
{
    static const char *const NAMES[] = {
        [QUEUE_TO_OWNERS] = "own", [QUEUE_TO_ANYONE] = "anyone", [QUEUE_TO_NOBODY] = "nobody"};
    (void)r;
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++)
        if (str_eq(value, str_from_c(NAMES[i]))) {
            *(enum queue_audience *)to = (enum queue_audience)i;
            return true;
        }
    return err_set(e, ERR_PERMANENT, "it is own, anyone or nobody");
}

bool config_take_format(struct reading *r, void *to, struct str value, struct err *e)
{
    (void)r;
    if (!str_eq(value, STR("text")) && !str_eq(value, STR("json")))
        return err_set(e, ERR_PERMANENT, "it is text or json");
    *(enum log_format *)to = str_eq(value, STR("json")) ? LOG_FORMAT_JSON : LOG_FORMAT_TEXT;
    return true;
}

bool config_take_local_senders(struct reading *r, void *to, struct str value, struct err *e)
{
    (void)r;
    if (!str_eq(value, STR("ours")) && !str_eq(value, STR("any")))
        return err_set(e, ERR_PERMANENT, "it is ours (addresses of our domains) or any");
    *(bool *)to = str_eq(value, STR("any"));
    return true;
}

/* The server may carry a port: 127.0.0.1@5353, as unbound writes it. */
