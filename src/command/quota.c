/* golub quota ... The directory says what was set; each account's store keeps to its copy of it. */
#include "command/parts.h"
#include "command/stores.h"

#include <stdio.h>
#include <string.h>

/* --- reading and printing limits --- */

/* SIZE is a number with k, m, g or t behind it, or none, or "default". */
static bool read_limit(const char *typed, bool is_bytes, int64_t *limit)
{
    static const char UNITS[] = "kmgt";
    struct str s = str_from_c(typed);
    uint64_t n;
    unsigned shift = 0;
    if (str_eq(s, STR("none")) || str_eq(s, STR("default"))) {
        *limit = str_eq(s, STR("none")) ? 0 : DIRECTORY_QUOTA_UNSET;
        return true;
    }
    const char *unit = is_bytes && s.n > 1 ? strchr(UNITS, ascii_lower(s.p[s.n - 1])) : NULL;
    if (unit) {
        shift = 10 * (unsigned)(unit - UNITS + 1);
        s.n--;
    }
    if (!str_to_u64(s, &n) || n == 0 || n > (uint64_t)DIRECTORY_QUOTA_MAX >> shift)
        return false;
    *limit = (int64_t)(n << shift);
    return true;
}

#define LIMIT_TEXT 24
/* "2g" where it is so many; `unset` is what to call UNSET. */
static const char *limit_text(int64_t limit, bool is_bytes, const char *unset, char out[LIMIT_TEXT])
{
    static const char UNITS[] = " kmgt";
    unsigned unit = 0;
    while (is_bytes && limit > 0 && limit % 1024 == 0 && unit < 4) {
        limit /= 1024;
        unit++;
    }
    if (limit > 0)
        snprintf(out, LIMIT_TEXT, "%lld%.*s", (long long)limit, unit > 0, &UNITS[unit]);
    else
        snprintf(out, LIMIT_TEXT, "%s", limit == 0 ? "none" : unset);
    return out;
}

/* --- telling the stores --- */

static bool tell(const struct command_run *r, const struct directory_account *account, struct err *e)
{
    CLEAN_STORE struct store *s = NULL;
    const struct directory_quota *q = &account->quota;
    bool has_limit = q->bytes > 0 || q->messages > 0;
    if (!has_limit && !command_has_store(r, account->id))
        return true; /* it never got mail, and its store begins without limits */
    if (!(s = command_open_store(r, account->id, e)) ||
        store_set_quota(s, q->bytes > 0 ? (uint64_t)q->bytes : QUOTA_NONE,
                        q->messages > 0 ? (uint64_t)q->messages : QUOTA_NONE, e) != STORE_OK)
        return err_prefix(e, "%.*s (golub quota set again, when that is mended)", STR_ARGS(account->address));
    return true;
}

bool command_tell_quota(const struct command_run *r, struct directory_db *db, struct str address,
                        struct err *e)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct directory_account account;
    return directory_account_find(db, address, &a, &account, e) && tell(r, &account, e);
}

static bool is_in(const struct directory_account *account, struct str domain)
{
    return str_ends(account->address, domain) && account->address.p[account->address.n - domain.n - 1] == '@';
}

static bool tell_domain(const struct command_run *r, struct directory_db *db, struct str domain,
                        struct err *e)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct directory_account *v;
    size_t n;
    if (!directory_account_list(db, &a, &v, &n, e))
        return false;
    for (size_t i = 0; i < n; i++)
        if (is_in(&v[i], domain) && !tell(r, &v[i], e))
            return false;
    return true;
}

/* --- golub quota set --- */

struct wish {
    const char *bytes, *messages; /* NULL: as it is */
};

static bool change(struct directory_quota *q, const struct wish *w)
{
    return (!w->bytes || read_limit(w->bytes, true, &q->bytes)) &&
           (!w->messages || read_limit(w->messages, false, &q->messages));
}

static int bad_limit(const struct command_run *r)
{
    return command_misuse(r, "a limit is a number (of bytes also with k, m, g or t: 2g), none, or default");
}

static int set_domain(struct command_run *r, struct directory_db *db, struct str name, const struct wish *w)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct directory_domain *v;
    struct directory_quota quota = {DIRECTORY_QUOTA_UNSET, DIRECTORY_QUOTA_UNSET};
    struct str domain;
    struct err e = ERR_INIT;
    size_t n;
    if (!directory_domain_read(name, &a, &domain, &e) || !directory_domain_list(db, &a, &v, &n, &e))
        return command_fail(&e);
    for (size_t i = 0; i < n; i++)
        if (str_eq(v[i].name, domain))
            quota = v[i].quota;
    if (!change(&quota, w))
        return bad_limit(r);
    if (!directory_domain_set_quota(db, domain, &quota, &e) || !tell_domain(r, db, domain, &e))
        return command_fail(&e);
    printf("set for the accounts of %.*s that have none of their own\n", STR_ARGS(domain));
    return COMMAND_DONE;
}

static int set_account(struct command_run *r, struct directory_db *db, struct str address,
                       const struct wish *w)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct directory_account account;
    struct err e = ERR_INIT;
    if (!directory_account_find(db, address, &a, &account, &e))
        return command_fail(&e);
    if (!change(&account.own_quota, w))
        return bad_limit(r);
    if (!directory_account_set_quota(db, address, &account.own_quota, &e) ||
        !command_tell_quota(r, db, address, &e))
        return command_fail(&e);
    printf("set for %.*s\n", STR_ARGS(account.address));
    return COMMAND_DONE;
}

int run_quota_set(struct command_run *r)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    CLEAN_DIRECTORY_DB struct directory_db *db = NULL;
    struct err e = ERR_INIT;
    bool bad = false;
    struct wish w = {.bytes = command_take_value(r, "--bytes", &bad)};
    w.messages = command_take_value(r, "--messages", &bad);
    if (bad || (!w.bytes && !w.messages))
        return command_misuse(r, bad ? NULL : "say what: --bytes, --messages or both");
    if (!command_has_arguments(r, 1, 1))
        return COMMAND_MISUSED;
    if (!(db = command_open_directory(r, &e)))
        return command_fail(&e);
    return r->argv[0][0] == '@' ? set_domain(r, db, str_from_c(r->argv[0] + 1), &w)
                                : set_account(r, db, command_address(r->argv[0], &a), &w);
}

/* --- golub quota show, list --- */

static bool usage(const struct command_run *r, int64_t account, struct quota *q, struct err *e)
{
    CLEAN_STORE struct store *s = NULL;
    *q = (struct quota){0};
    if (!command_has_store(r, account))
        return true;
    return (s = command_open_store(r, account, e)) && store_quota(s, q, e) == STORE_OK;
}

int run_quota_show(struct command_run *r)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    CLEAN_DIRECTORY_DB struct directory_db *db = NULL;
    struct directory_account account;
    struct quota q;
    struct err e = ERR_INIT;
    char own[LIMIT_TEXT], holds[LIMIT_TEXT];
    if (!command_has_arguments(r, 1, 1))
        return COMMAND_MISUSED;
    if (!(db = command_open_directory(r, &e)) ||
        !directory_account_find(db, command_address(r->argv[0], &a), &a, &account, &e) ||
        !usage(r, account.id, &q, &e))
        return command_fail(&e);
    printf("%-10s %14s  %8s  %s\n", "", "USED", "LIMIT", "SET");
    printf("%-10s %14llu  %8s  %s\n", "bytes", (unsigned long long)q.used[QUOTA_BYTES],
           limit_text(account.quota.bytes, true, "none", holds),
           limit_text(account.own_quota.bytes, true, "default", own));
    printf("%-10s %14llu  %8s  %s\n", "messages", (unsigned long long)q.used[QUOTA_MESSAGES],
           limit_text(account.quota.messages, false, "none", holds),
           limit_text(account.own_quota.messages, false, "default", own));
    return COMMAND_DONE;
}

static bool print_domains(struct directory_db *db, struct arena *a, struct err *e)
{
    struct directory_domain *v;
    size_t n;
    char bytes[LIMIT_TEXT], messages[LIMIT_TEXT];
    if (!directory_domain_list(db, a, &v, &n, e))
        return false;
    for (size_t i = 0; i < n; i++)
        printf("@%-39.*s %14s  %8s %10s  %8s\n", STR_ARGS(v[i].name), "",
               limit_text(v[i].quota.bytes, true, "none", bytes), "",
               limit_text(v[i].quota.messages, false, "none", messages));
    return true;
}

int run_quota_list(struct command_run *r)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    CLEAN_DIRECTORY_DB struct directory_db *db = NULL;
    struct directory_account *v;
    struct err e = ERR_INIT;
    char bytes[LIMIT_TEXT], messages[LIMIT_TEXT];
    size_t n;
    if (!command_has_arguments(r, 0, 0))
        return COMMAND_MISUSED;
    if (!(db = command_open_directory(r, &e)) || !directory_account_list(db, &a, &v, &n, &e))
        return command_fail(&e);
    printf("%-40s %14s  %8s %10s  %8s\n", "ADDRESS", "BYTES", "LIMIT", "MESSAGES", "LIMIT");
    if (!print_domains(db, &a, &e))
        return command_fail(&e);
    for (size_t i = 0; i < n; i++) {
        struct quota q;
        if (!usage(r, v[i].id, &q, &e))
            return command_fail(&e);
        printf("%-40.*s %14llu  %8s %10llu  %8s\n", STR_ARGS(v[i].address),
               (unsigned long long)q.used[QUOTA_BYTES], limit_text(v[i].quota.bytes, true, "none", bytes),
               (unsigned long long)q.used[QUOTA_MESSAGES],
               limit_text(v[i].quota.messages, false, "none", messages));
    }
    return COMMAND_DONE;
}

const char *command_quota_text(const struct directory_quota *q, char out[COMMAND_QUOTA_TEXT])
{
    char bytes[LIMIT_TEXT], messages[LIMIT_TEXT];
    if (q->bytes <= 0 && q->messages <= 0)
        snprintf(out, COMMAND_QUOTA_TEXT, "-");
    else if (q->messages <= 0)
        snprintf(out, COMMAND_QUOTA_TEXT, "%s", limit_text(q->bytes, true, "", bytes));
    else
        snprintf(out, COMMAND_QUOTA_TEXT, "%s, %s messages",
                 q->bytes > 0 ? limit_text(q->bytes, true, "", bytes) : "any size",
                 limit_text(q->messages, false, "", messages));
    return out;
}
