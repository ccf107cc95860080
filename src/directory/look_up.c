/* What stands at an address: an alias or account of that name, of that name without its tag, a pattern that
 * fits it, postmaster, the catch-all. An ordinary address takes the first statement and no other. */
#include "base/log.h"
#include "directory/walk.h"

#include <string.h>

/* A row for the alias, for the account, and one that says that there are canonical maps; mostly one row. */
enum { ROW_ALIAS, ROW_ACCOUNT, ROW_CANONICAL };
DIRECTORY_STATEMENT(LOOK_UP, "SELECT 0, id, enabled, ends, post FROM alias WHERE address = $1 AND kind = 0"
                             " UNION ALL SELECT 1, account.id, receives, ends,"
                             " CASE WHEN coalesce(account.quota_bytes, domain.quota_bytes, 0)"
                             " + coalesce(account.quota_messages, domain.quota_messages, 0) > 0"
                             " THEN 1 ELSE 0 END"
                             " FROM account JOIN domain ON domain.id = account.domain WHERE address = $1"
                             " UNION ALL SELECT 2, 0, 0, 0, 0 WHERE EXISTS (SELECT 1 FROM canonical)");
DIRECTORY_STATEMENT(HOME, "SELECT domain.id, coalesce(other.name, ''), domain.is_backup,"
                          " CASE WHEN EXISTS (SELECT 1 FROM alias WHERE alias.domain = domain.id"
                          " AND alias.kind > 0) THEN 1 ELSE 0 END"
                          " FROM domain LEFT JOIN domain AS other ON other.id = domain.alias_of"
                          " WHERE domain.name = $1");
DIRECTORY_STATEMENT(DOMAIN_FIRST, "SELECT name FROM domain ORDER BY id LIMIT 1");
DIRECTORY_STATEMENT(PATTERNS, "SELECT id, address, kind, enabled, ends, post FROM alias"
                              " WHERE domain = $1 AND kind > 0 ORDER BY id LIMIT $2");
DIRECTORY_STATEMENT(BACKUP_TAKES,
                    "SELECT 1 FROM domain WHERE id = $1 AND"
                    " (NOT EXISTS (SELECT 1 FROM backup_recipient WHERE domain = $1)"
                    " OR EXISTS (SELECT 1 FROM backup_recipient WHERE domain = $1 AND key IN ($2, $3)))");

static enum place_state state_of(const struct walk *w, int64_t enabled, int64_t ends)
{
    return ends != 0 && ends <= w->now ? PLACE_ENDED : enabled ? PLACE_OPEN : PLACE_DISABLED;
}

int walk_look_up(struct walk *w, struct str key, struct place *p)
{
    struct sql_rows rows;
    *p = (struct place){.key = key, .detail = STR("")};
    if (!sql_query(w->db->sql, &LOOK_UP, SQL(sql_text(key)), &rows, w->e))
        return -1;
    while (sql_next(&rows)) {
        int64_t what = sql_get_int(&rows, 0), id = sql_get_int(&rows, 1);
        enum place_state state = state_of(w, sql_get_int(&rows, 2), sql_get_int(&rows, 3));
        if (what == ROW_ALIAS) {
            p->alias = id;
            p->alias_state = state;
            p->post = (unsigned)sql_get_int(&rows, 4);
        } else if (what == ROW_ACCOUNT) {
            p->account = id;
            p->account_state = state;
            p->has_quota = sql_get_int(&rows, 4) != 0;
        } else {
            w->has_canonical = true;
        }
    }
    if (!sql_end(&rows, w->e))
        return -1;
    return p->alias != 0 || p->account != 0;
}

int walk_look_up_untagged(struct walk *w, const struct directory_address *address, struct place *p)
{
    struct str name = address->local, folded;
    char separator = w->db->separator;
    size_t at;
    while (separator && (at = str_rfind_byte(name, separator)) != STR_NONE && at > 0) {
        name = str_slice(name, 0, at);
        if (!directory_local_fold(name, w->a, &folded))
            return 0;
        int found =
            walk_look_up(w, arena_printf(w->a, "%.*s@%.*s", STR_ARGS(folded), STR_ARGS(address->domain)), p);
        if (found == 0)
            continue;
        p->detail = str_from_offset(address->local, at + 1);
        if (found > 0)
            directory_trail_add(w->trail, "%.*s: no such address, but %.*s with the tag %.*s",
                                STR_ARGS(address->key), STR_ARGS(p->key), STR_ARGS(p->detail));
        return found;
    }
    return 0;
}

static struct str without_tag(const struct walk *w, struct str local)
{
    size_t at = w->db->separator ? str_find_byte(local, w->db->separator) : STR_NONE;
    return str_slice(local, 0, at == 0 ? STR_NONE : at);
}

static bool is_role_name(const struct walk *w, struct str local)
{
    struct str name = without_tag(w, local);
    return str_eq_nocase(name, STR("postmaster")) || str_eq_nocase(name, STR("abuse"));
}

int walk_look_up_postmaster(struct walk *w, struct place *p)
{
    struct sql_rows rows;
    struct str key = STR("");
    if (!sql_query(w->db->sql, &DOMAIN_FIRST, SQL_NONE, &rows, w->e))
        return -1;
    if (sql_next(&rows))
        key = arena_printf(w->a, "postmaster@%.*s", STR_ARGS(sql_get_str(&rows, 0)));
    if (!sql_end(&rows, w->e))
        return -1;
    directory_trail_add(w->trail, "postmaster and abuse of every domain lead to %.*s", STR_ARGS(key));
    return key.n ? walk_look_up(w, key, p) : 0;
}

/* --- patterns --- */

struct candidate {
    struct place place;
    struct str local; /* of the pattern */
    enum directory_alias_kind kind;
    size_t weight;
};

static bool goes_before(const struct candidate *a, const struct candidate *b)
{
    return a->kind != b->kind ? a->kind < b->kind : a->weight > b->weight;
}

/* Wildcards before regular expressions, those with more characters of their own before others; then in the
 * order in which they were made. */
static int read_patterns(struct walk *w, const struct home *home, struct candidate *v, size_t *n)
{
    struct sql_rows rows;
    *n = 0;
    if (!sql_query(w->db->sql, &PATTERNS, SQL(sql_int(home->id), sql_int(DIRECTORY_PATTERNS_MAX)), &rows,
                   w->e))
        return -1;
    while (*n < DIRECTORY_PATTERNS_MAX && sql_next(&rows)) {
        struct candidate c = {
            .place = {.key = arena_copy(w->a, sql_get_str(&rows, 1)),
                      .alias = sql_get_int(&rows, 0),
                      .alias_state = state_of(w, sql_get_int(&rows, 3), sql_get_int(&rows, 4)),
                      .post = (unsigned)sql_get_int(&rows, 5),
                      .detail = STR("")},
            .kind = (enum directory_alias_kind)sql_get_int(&rows, 2),
        };
        c.local = str_slice(c.place.key, 0, str_rfind_byte(c.place.key, '@'));
        c.weight = c.kind == DIRECTORY_ALIAS_WILDCARD ? pattern_weight(c.local) : 0;
        size_t at = (*n)++;
        for (; at > 0 && goes_before(&c, &v[at - 1]); at--)
            v[at] = v[at - 1];
        v[at] = c;
    }
    return sql_end(&rows, w->e) ? 1 : -1;
}

static int fits(struct walk *w, const struct candidate *c, struct str local, struct pattern_match *m)
{
    if (!w->db->patterns)
        w->db->patterns = pattern_cache_new();
    const struct pattern *p = pattern_cache_get(w->db->patterns, c->local, c->kind, w->e);
    if (!p)
        return -1;
    switch (pattern_match(p, local, m)) {
    case PATTERN_FITS: return 1;
    case PATTERN_FITS_NOT: return 0;
    case PATTERN_TOO_HARD: break;
    }
    LOG_WARNING("address.pattern_too_hard", F_STR("pattern", c->place.key), F_STR("address", local));
    err_set(w->e, ERR_TEMPORARY, "whether %.*s fits takes too long to find out", STR_ARGS(c->place.key));
    return -1;
}

/* The whole local part, then without its tag. */
static int look_up_pattern(struct walk *w, const struct directory_address *address, const struct home *home,
                           struct place *p)
{
    struct candidate *v = ARENA_ARRAY(w->a, struct candidate, DIRECTORY_PATTERNS_MAX);
    struct pattern_match *m = ARENA_NEW(w->a, struct pattern_match);
    struct str names[2] = {address->local, without_tag(w, address->local)};
    size_t n;
    int found = read_patterns(w, home, v, &n);
    for (size_t k = 0; found >= 0 && k < (names[1].n < names[0].n ? 2 : 1); k++)
        for (size_t i = 0; i < n; i++) {
            found = fits(w, &v[i], names[k], m);
            if (found == 0)
                continue;
            *p = v[i].place;
            p->match = m;
            p->detail = str_from_offset(address->local, names[k].n + 1);
            if (found > 0)
                directory_trail_add(w->trail, "%.*s: no such address, but %.*s fits", STR_ARGS(address->key),
                                    STR_ARGS(p->key));
            return found;
        }
    return found < 0 ? -1 : 0;
}

/* --- everything else --- */

int walk_look_further(struct walk *w, const struct directory_address *address, const struct home *home,
                      struct place *p)
{
    int found = walk_look_up_untagged(w, address, p);
    if (found == 0 && is_role_name(w, address->local))
        found = walk_look_up_postmaster(w, p);
    if (found == 0 && home->has_patterns)
        found = look_up_pattern(w, address, home, p);
    if (found != 0)
        return found;
    found = walk_look_up(w, arena_printf(w->a, "@%.*s", STR_ARGS(address->domain)), p);
    if (found > 0)
        directory_trail_add(w->trail, "%.*s: no such address, but %.*s catches what else is unknown",
                            STR_ARGS(address->key), STR_ARGS(p->key));
    return found;
}

int walk_home(struct walk *w, struct str domain, struct home *out)
{
    struct sql_rows rows;
    *out = (struct home){.alias_of = STR("")};
    if (!sql_query(w->db->sql, &HOME, SQL(sql_text(domain)), &rows, w->e))
        return -1;
    bool found = sql_next(&rows);
    if (found)
        *out = (struct home){.id = sql_get_int(&rows, 0),
                             .alias_of = arena_copy(w->a, sql_get_str(&rows, 1)),
                             .is_backup = sql_get_int(&rows, 2) != 0,
                             .has_patterns = sql_get_int(&rows, 3) != 0};
    return sql_end(&rows, w->e) ? found : -1;
}

int walk_backup_takes(struct walk *w, const struct home *home, const struct directory_address *address)
{
    struct str local = str_slice(address->key, 0, str_rfind_byte(address->key, '@'));
    struct str plain =
        arena_printf(w->a, "%.*s@%.*s", STR_ARGS(without_tag(w, local)), STR_ARGS(address->domain));
    int64_t one;
    return sql_one_int(w->db->sql, &BACKUP_TAKES,
                       SQL(sql_int(home->id), sql_text(address->key), sql_text(plain)), &one, w->e);
}
