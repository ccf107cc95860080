/* Where an address leads: accounts, aliases to aliases, tags, postmaster, catch-all. */
#include "base/log.h"
#include "directory/db_parts.h"

#include <string.h>

DIRECTORY_STATEMENT(
    LOOKUP, "SELECT (SELECT id FROM alias WHERE address = $1), (SELECT id FROM account WHERE address = $1),"
            " (SELECT coalesce(account.quota_bytes, domain.quota_bytes, 0)"
            "   + coalesce(account.quota_messages, domain.quota_messages, 0)"
            "  FROM account JOIN domain ON domain.id = account.domain WHERE address = $1)");
DIRECTORY_STATEMENT(DOMAIN_IS_OURS, "SELECT 1 FROM domain WHERE name = $1");
DIRECTORY_STATEMENT(DOMAIN_FIRST, "SELECT name FROM domain ORDER BY id LIMIT 1");
DIRECTORY_STATEMENT(TARGETS, "SELECT target FROM alias_target WHERE alias = $1 ORDER BY key");

/* What stands at an address. */
struct place {
    struct str key;         /* under which it was found */
    int64_t alias, account; /* 0: none */
    bool has_quota;         /* the account */
    struct str detail;
};

/* One resolution under way. */
struct walk {
    struct directory_db *db;
    struct arena *a;
    struct directory_answer *out;
    struct err *e;
    int64_t path[DIRECTORY_DEPTH_MAX]; /* the aliases that led here */
    unsigned depth;
    unsigned steps; /* targets looked at, all steps together */
};

/* 1 found, 0 not, -1 error */
static int look_up(struct directory_db *db, struct str key, struct place *p, struct err *e)
{
    struct sql_rows rows;
    if (!sql_query(db->sql, &LOOKUP, SQL(sql_text(key)), &rows, e))
        return -1;
    if (sql_next(&rows)) {
        p->key = key;
        p->alias = sql_get_int(&rows, 0);
        p->account = sql_get_int(&rows, 1);
        p->has_quota = sql_get_int(&rows, 2) > 0;
    }
    if (!sql_end(&rows, e))
        return -1;
    return p->alias != 0 || p->account != 0;
}

/* foo+a+b: foo+a with b, else foo with a+b. The longest name that exists wins. */
static int look_up_untagged(struct directory_db *db, const struct directory_address *address, struct arena *a,
                            struct place *p, struct err *e)
{
    struct str name = address->local, folded;
    size_t at;
    while (db->separator && (at = str_rfind_byte(name, db->separator)) != STR_NONE && at > 0) {
        name = str_slice(name, 0, at);
        if (!directory_local_fold(name, a, &folded))
            return 0;
        int found =
            look_up(db, arena_printf(a, "%.*s@%.*s", STR_ARGS(folded), STR_ARGS(address->domain)), p, e);
        if (found != 0) {
            p->detail = str_from_offset(address->local, at + 1);
            return found;
        }
    }
    return 0;
}

static bool is_role_name(struct str local, char separator)
{
    struct str name = str_slice(local, 0, separator ? str_find_byte(local, separator) : STR_NONE);
    return str_eq_nocase(name, STR("postmaster")) || str_eq_nocase(name, STR("abuse"));
}

/* postmaster@ the first domain. */
static int look_up_postmaster(struct directory_db *db, struct arena *a, struct place *p, struct err *e)
{
    struct sql_rows rows;
    struct str key = STR("");
    if (!sql_query(db->sql, &DOMAIN_FIRST, SQL_NONE, &rows, e))
        return -1;
    if (sql_next(&rows))
        key = arena_printf(a, "postmaster@%.*s", STR_ARGS(sql_get_str(&rows, 0)));
    if (!sql_end(&rows, e))
        return -1;
    return key.n ? look_up(db, key, p, e) : 0;
}

/* In the order of what is more exact. Our domain is taken for granted. */
static int look_up_any(struct directory_db *db, const struct directory_address *address, struct arena *a,
                       struct place *p, struct err *e)
{
    int found = look_up_untagged(db, address, a, p, e);
    if (found == 0 && is_role_name(address->local, db->separator))
        found = look_up_postmaster(db, a, p, e);
    if (found == 0)
        found = look_up(db, arena_printf(a, "@%.*s", STR_ARGS(address->domain)), p, e);
    return found;
}

static int is_our_domain(struct directory_db *db, struct str domain, struct err *e)
{
    int64_t one;
    return sql_one_int(db->sql, &DOMAIN_IS_OURS, SQL(sql_text(domain)), &one, e);
}

static bool add_target(struct walk *w, struct directory_target t)
{
    for (size_t i = 0; i < w->out->count; i++) {
        const struct directory_target *seen = &w->out->targets[i];
        if (seen->is_local == t.is_local &&
            (t.is_local ? seen->account == t.account : str_eq(seen->address, t.address)))
            return true;
    }
    w->out->targets = directory_db_grow(w->a, w->out->targets, w->out->count, sizeof t);
    w->out->targets[w->out->count++] = t;
    return true;
}

static bool add_account(struct walk *w, const struct place *p, struct str detail)
{
    return add_target(w, (struct directory_target){.is_local = true,
                                                   .has_quota = p->has_quota,
                                                   .account = p->account,
                                                   .address = p->key,
                                                   .detail = detail});
}

static bool loops(struct walk *w, const char *what, struct str key)
{
    w->out->fate = DIRECTORY_LOOP;
    return err_set(w->e, ERR_PERMANENT, "%s: %.*s", what, STR_ARGS(key));
}

static bool follow(struct walk *w, const struct directory_address *address, struct str detail,
                   bool is_target);

/* The rows are read before any is followed: a statement may be open only once. */
static bool follow_alias(struct walk *w, const struct place *p, struct str detail)
{
    struct str *targets = NULL;
    size_t n = 0;
    struct sql_rows rows;
    if (!sql_query(w->db->sql, &TARGETS, SQL(sql_int(p->alias)), &rows, w->e))
        return false;
    while (n <= DIRECTORY_TARGETS_MAX && sql_next(&rows)) {
        targets = directory_db_grow(w->a, targets, n, sizeof *targets);
        targets[n++] = arena_copy(w->a, sql_get_str(&rows, 0));
    }
    if (!sql_end(&rows, w->e))
        return false;
    w->path[w->depth++] = p->alias;
    for (size_t i = 0; i < n; i++) {
        struct directory_address target;
        if (++w->steps > DIRECTORY_TARGETS_MAX)
            return loops(w, "the alias leads to too many addresses", p->key);
        if (!directory_address_read(targets[i], w->a, &target, w->e))
            return err_prefix(w->e, "a target of %.*s", STR_ARGS(p->key));
        if (!follow(w, &target, detail, true))
            return false;
    }
    w->depth--;
    return true;
}

/* An alias that comes round again is taken as the account of that name where there is one: ana@ may forward
 * to bob@ and keep a copy, and so may bob@ to ana@. */
static bool follow_place(struct walk *w, const struct place *p, struct str detail)
{
    bool round = false;
    for (unsigned i = 0; i < w->depth; i++)
        round = round || w->path[i] == p->alias;
    if (p->alias == 0 || (round && p->account != 0))
        return add_account(w, p, detail);
    if (round)
        return loops(w, "the alias leads back to itself", p->key);
    if (w->depth == DIRECTORY_DEPTH_MAX)
        return loops(w, "aliases lead to aliases too many times", p->key);
    return follow_alias(w, p, detail);
}

static bool follow(struct walk *w, const struct directory_address *address, struct str detail, bool is_target)
{
    struct place p = {.detail = STR("")};
    int found = look_up(w->db, address->key, &p, w->e);
    if (found == 0) {
        int ours = is_our_domain(w->db, address->domain, w->e);
        if (ours == 0) {
            if (!is_target)
                w->out->fate = DIRECTORY_REMOTE;
            return add_target(w, (struct directory_target){.address = address->whole, .detail = STR("")});
        }
        found = ours < 0 ? -1 : look_up_any(w->db, address, w->a, &p, w->e);
    }
    if (found < 0)
        return false;
    if (found > 0)
        return follow_place(w, &p, p.detail.n ? p.detail : detail);
    if (is_target)
        LOG_WARNING("address.leads_nowhere", F_STR("target", address->key));
    return true;
}

static bool is_bare_postmaster(struct str address)
{
    return str_eq_nocase(address, STR("postmaster"));
}

bool directory_db_expand(struct directory_db *db, struct str address, struct arena *a,
                         struct directory_answer *out, struct err *e)
{
    struct walk w = {.db = db, .a = a, .out = out, .e = e};
    struct directory_address read;
    struct err why = ERR_INIT;
    bool good;
    *out = (struct directory_answer){.fate = DIRECTORY_LOCAL};
    if (is_bare_postmaster(address)) {
        struct place p = {.detail = STR("")};
        int found = look_up_postmaster(db, a, &p, e);
        good = found > 0 ? follow_place(&w, &p, STR("")) : found == 0;
    } else if (directory_address_read(address, a, &read, &why)) {
        good = follow(&w, &read, STR(""), false);
    } else {
        good = true; /* what is no address is nobody's */
    }
    if (out->fate == DIRECTORY_LOOP) {
        out->count = 0;
        return true;
    }
    if (good && out->count == 0)
        out->fate = DIRECTORY_UNKNOWN;
    return good;
}

/* One consistent view, and one lock instead of one a statement. */
static bool end_read(struct directory_db *db, bool good, struct err *e)
{
    if (good)
        return sql_commit(db->sql, e);
    sql_rollback(db->sql);
    return false;
}

bool directory_db_resolve(struct directory_db *db, struct str address, struct arena *a,
                          struct directory_answer *out, struct err *e)
{
    return sql_begin_read(db->sql, e) && end_read(db, directory_db_expand(db, address, a, out, e), e);
}

static bool may_send_as(struct directory_db *db, int64_t account, struct str address, struct arena *a,
                        bool *may, struct err *e)
{
    struct directory_answer answer;
    struct directory_address read;
    struct place p = {.detail = STR("")};
    struct err why = ERR_INIT;
    *may = false;
    if (!directory_address_read(address, a, &read, &why))
        return true;
    /* Its own address stays its own when an alias sends the mail elsewhere. */
    int found = look_up(db, read.key, &p, e);
    if (found == 0)
        found = look_up_untagged(db, &read, a, &p, e);
    if (found < 0)
        return false;
    *may = found > 0 && p.account == account;
    if (*may)
        return true;
    if (!directory_db_expand(db, address, a, &answer, e))
        return false;
    *may = answer.fate == DIRECTORY_LOCAL && answer.count == 1 && answer.targets[0].is_local &&
           answer.targets[0].account == account;
    return true;
}

bool directory_db_may_send_as(struct directory_db *db, int64_t account, struct str address, bool *may,
                              struct err *e)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    return sql_begin_read(db->sql, e) && end_read(db, may_send_as(db, account, address, &a, may, e), e);
}

static bool login(struct directory_db *db, struct str user, struct arena *a, bool *found,
                  struct directory_account *out, struct err *e)
{
    struct directory_answer answer = {.fate = DIRECTORY_LOCAL};
    struct walk w = {.db = db, .a = a, .out = &answer, .e = e};
    struct directory_address read;
    struct place p = {.detail = STR("")};
    struct err why = ERR_INIT;
    struct str key;
    *found = false;
    if (!directory_address_read(user, a, &read, &why))
        return true;
    int there = look_up(db, read.key, &p, e);
    if (there <= 0)
        return there == 0;
    if (p.account != 0) {
        key = p.key;
    } else {
        if (!follow_place(&w, &p, STR("")))
            return answer.fate == DIRECTORY_LOOP;
        if (answer.count != 1 || !answer.targets[0].is_local)
            return true;
        key = answer.targets[0].address;
    }
    there = directory_db_account(db, key, a, out, e);
    *found = there == 1;
    return there >= 0;
}

bool directory_db_login(struct directory_db *db, struct str user, struct arena *a, bool *found,
                        struct directory_account *out, struct err *e)
{
    return sql_begin_read(db->sql, e) && end_read(db, login(db, user, a, found, out, e), e);
}
