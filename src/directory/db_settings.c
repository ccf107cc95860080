/* What is set of one account, or of all accounts of a domain that say nothing else: how much they may send,
 * and in which language they are written to. Kept in the spelling of golub.conf. */
#include "directory/db_parts.h"

#define COLUMNS(table)                                                                                  \
    table ".networks, " table ".message_rate, " table ".recipient_rate, " table ".refused_rate, " table \
          ".language"
#define COLUMN_COUNT (LIMIT_RATES + 1) /* in the order of enum limit_rate, and the language */

DIRECTORY_STATEMENT(SETTINGS_OF_ADDRESS, "SELECT " COLUMNS("a") ", " COLUMNS(
                                             "d") " FROM account a JOIN domain d ON d.id = a.domain"
                                                  " WHERE a.address = $1");
DIRECTORY_STATEMENT(SETTINGS_OF_ID, "SELECT " COLUMNS("a") ", " COLUMNS(
                                        "d") " FROM account a"
                                             " JOIN domain d ON d.id = a.domain WHERE a.id = $1");
DIRECTORY_STATEMENT(SETTINGS_OF_DOMAIN, "SELECT " COLUMNS("d") " FROM domain d WHERE d.name = $1");
#define ASSIGNMENTS "networks = $2, message_rate = $3, recipient_rate = $4, refused_rate = $5, language = $6"
DIRECTORY_STATEMENT(ACCOUNT_SET, "UPDATE account SET " ASSIGNMENTS " WHERE address = $1");
DIRECTORY_STATEMENT(DOMAIN_SET, "UPDATE domain SET " ASSIGNMENTS " WHERE name = $1");

/* What cannot be read holds as little as what is not there: it was not written by us. */
static struct directory_settings settings_of_row(const struct sql_rows *rows, int column)
{
    struct directory_settings s = DIRECTORY_SETTINGS_INIT;
    for (int i = 0; i < LIMIT_RATES; i++)
        s.rates[i].is_set = !sql_get_null(rows, column + i) &&
                            config_read_rate(sql_get_str(rows, column + i), &s.rates[i].limit);
    if (!config_read_language(sql_get_str(rows, column + LIMIT_RATES), &s.language))
        s.language = CONFIG_LANGUAGE_UNSET;
    return s;
}

static int read_settings(struct directory_db *db, const struct sql_statement *s, struct sql_value whose,
                         struct directory_settings *own, struct directory_settings *of_domain, struct err *e)
{
    struct sql_rows rows;
    if (!sql_query(db->sql, s, SQL(whose), &rows, e))
        return -1;
    bool found = sql_next(&rows);
    if (found && own)
        *own = settings_of_row(&rows, 0);
    if (found)
        *of_domain = settings_of_row(&rows, own ? COLUMN_COUNT : 0);
    return sql_end(&rows, e) ? found : -1;
}

struct directory_settings directory_settings_that_hold(const struct directory_settings *own,
                                                       const struct directory_settings *of_domain)
{
    struct directory_settings s = *own;
    for (size_t i = 0; i < LIMIT_RATES; i++)
        if (!s.rates[i].is_set)
            s.rates[i] = of_domain->rates[i];
    if (s.language == CONFIG_LANGUAGE_UNSET)
        s.language = of_domain->language;
    return s;
}

bool directory_account_settings(struct directory_db *db, struct str address, struct directory_settings *own,
                                struct directory_settings *of_domain, struct err *e)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct directory_address read;
    if (!directory_address_read(address, &a, &read, e))
        return false;
    int found = read_settings(db, &SETTINGS_OF_ADDRESS, sql_text(read.key), own, of_domain, e);
    return found == 0 ? directory_db_no_account(read.key, e) : found > 0;
}

bool directory_domain_settings(struct directory_db *db, struct str name, struct directory_settings *out,
                               struct err *e)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    if (!directory_domain_read(name, &a, &name, e))
        return false;
    int found = read_settings(db, &SETTINGS_OF_DOMAIN, sql_text(name), NULL, out, e);
    return found == 0 ? directory_db_no_domain(name, e) : found > 0;
}

bool directory_db_settings_of(struct directory_db *db, int64_t account, struct str key,
                              struct directory_settings *out, struct err *e)
{
    struct directory_settings own = DIRECTORY_SETTINGS_INIT, of_domain = DIRECTORY_SETTINGS_INIT;
    int found = account ? read_settings(db, &SETTINGS_OF_ID, sql_int(account), &own, &of_domain, e)
                        : read_settings(db, &SETTINGS_OF_ADDRESS, sql_text(key), &own, &of_domain, e);
    *out = directory_settings_that_hold(&own, &of_domain);
    return found >= 0;
}

/* --- setting --- */

static bool set(struct directory_db *db, const struct sql_statement *update, struct str whose,
                const struct directory_settings *s, bool *found, struct err *e)
{
    char texts[LIMIT_RATES][CONFIG_RATE_TEXT];
    struct sql_value v[LIMIT_RATES];
    int64_t changed = 0;
    for (size_t i = 0; i < LIMIT_RATES; i++)
        v[i] = s->rates[i].is_set ? sql_text(str_from_c(config_rate_text(s->rates[i].limit, texts[i])))
                                  : sql_null();
    struct sql_value language = s->language == CONFIG_LANGUAGE_UNSET
                                    ? sql_null()
                                    : sql_text(str_from_c(config_language_tag(s->language)));
    bool good = sql_exec(db->sql, update,
                         SQL(sql_text(whose), v[LIMIT_CONNECTS], v[LIMIT_MESSAGES], v[LIMIT_RECIPIENTS],
                             v[LIMIT_REFUSED], language),
                         &changed, e);
    *found = changed > 0;
    return good;
}

bool directory_account_set(struct directory_db *db, struct str address, const struct directory_settings *own,
                           struct err *e)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct directory_address read;
    bool found;
    return directory_address_read(address, &a, &read, e) && set(db, &ACCOUNT_SET, read.key, own, &found, e) &&
           (found || directory_db_no_account(read.key, e));
}

bool directory_domain_set(struct directory_db *db, struct str name, const struct directory_settings *s,
                          struct err *e)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    bool found;
    return directory_domain_read(name, &a, &name, e) && set(db, &DOMAIN_SET, name, s, &found, e) &&
           (found || directory_db_no_domain(name, e));
}
