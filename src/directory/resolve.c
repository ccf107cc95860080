/* Where an address leads, step by step: to accounts, by aliases to others, out to other servers. */
#include "base/clock.h"
#include "base/log.h"
#include "directory/walk.h"

static void add_target(struct walk *w, struct directory_target t)
{
    for (size_t i = 0; i < w->out->count; i++) {
        const struct directory_target *seen = &w->out->targets[i];
        if (seen->is_local == t.is_local &&
            (t.is_local ? seen->account == t.account : str_eq(seen->address, t.address)))
            return;
    }
    w->out->targets = directory_db_grow(w->a, w->out->targets, w->out->count, sizeof t);
    w->out->targets[w->out->count++] = t;
}

/* What would take mail, but not now. Where others are left, they get theirs. */
static void refuse(struct walk *w, struct str key, enum place_state state)
{
    bool has_ended = state == PLACE_ENDED;
    directory_trail_add(w->trail, "%.*s %s", STR_ARGS(key), has_ended ? "has ended" : "is disabled");
    w->refusal = has_ended ? STR("5.1.1 this address is no longer in use")
                           : STR("5.2.1 this address takes no mail at present");
}

static void add_account(struct walk *w, const struct place *p, struct str detail)
{
    if (p->account_state != PLACE_OPEN) {
        refuse(w, p->key, p->account_state);
        return;
    }
    directory_trail_add(w->trail, "%.*s is account %lld", STR_ARGS(p->key), (long long)p->account);
    add_target(w, (struct directory_target){.is_local = true,
                                            .has_quota = p->has_quota,
                                            .account = p->account,
                                            .address = p->key,
                                            .detail = detail,
                                            .sender = STR("")});
}

static bool add_remote(struct walk *w, struct str address, bool is_target)
{
    struct directory_target t = {.address = address, .detail = STR(""), .sender = STR("")};
    directory_trail_add(w->trail, "%.*s is at another server", STR_ARGS(address));
    if (!is_target)
        w->out->fate = DIRECTORY_REMOTE;
    else if (!walk_forward_sender(w, &t.sender))
        return false;
    add_target(w, t);
    return true;
}

static bool loops(struct walk *w, const char *what, struct str key)
{
    w->out->fate = DIRECTORY_LOOP;
    w->out->reply = arena_printf(w->a, "5.4.6 %s: %.*s", what, STR_ARGS(key));
    return err_set(w->e, ERR_PERMANENT, "%s: %.*s", what, STR_ARGS(key));
}

/* --- aliases --- */

DIRECTORY_STATEMENT(TARGETS, "SELECT target FROM alias_target WHERE alias = $1 ORDER BY key");

static bool follow(struct walk *w, const struct directory_address *address, struct str detail,
                   bool is_target);

/* The rows are read before any is followed: a statement may be open only once. */
static bool read_targets(struct walk *w, const struct place *p, struct str **targets, size_t *n)
{
    struct sql_rows rows;
    *targets = NULL;
    *n = 0;
    if (!sql_query(w->db->sql, &TARGETS, SQL(sql_int(p->alias)), &rows, w->e))
        return false;
    while (*n <= DIRECTORY_TARGETS_MAX && sql_next(&rows)) {
        *targets = directory_db_grow(w->a, *targets, *n, sizeof **targets);
        struct str target = arena_copy(w->a, sql_get_str(&rows, 0));
        (*targets)[(*n)++] = p->match ? pattern_expand(target, p->match, w->a) : target;
    }
    return sql_end(&rows, w->e);
}

static struct str domain_of(struct str key)
{
    return str_from_offset(key, str_rfind_byte(key, '@') + 1);
}

static bool follow_targets(struct walk *w, const struct place *p, struct str detail)
{
    struct str *targets;
    size_t n;
    if (!read_targets(w, p, &targets, &n))
        return false;
    directory_trail_add(w->trail, "%.*s leads to %zu address%s", STR_ARGS(p->key), n, n == 1 ? "" : "es");
    directory_trail_down(w->trail);
    for (size_t i = 0; i < n; i++) {
        struct directory_address target;
        if (++w->steps > DIRECTORY_TARGETS_MAX)
            return loops(w, "the alias leads to too many addresses", p->key);
        w->via = domain_of(p->key);
        if (!directory_address_read(targets[i], w->a, &target, w->e))
            return err_prefix(w->e, "a target of %.*s", STR_ARGS(p->key));
        if (!follow(w, &target, detail, true))
            return false;
    }
    directory_trail_up(w->trail);
    return true;
}

static bool follow_alias(struct walk *w, const struct place *p, struct str detail)
{
    bool may = true;
    if (p->alias_state != PLACE_OPEN) {
        refuse(w, p->key, p->alias_state);
        return true;
    }
    w->path[w->depth++] = p->alias;
    bool good = follow_targets(w, p, detail);
    w->depth--;
    /* Who may write is asked of the address that was written to, not of those that it leads to. */
    if (good && w->depth == 0)
        good = walk_may_post(w, p, &may);
    if (!may)
        w->out->count = 0;
    return good;
}

/* An alias that comes round again is taken as the account of that name where there is one: ana@ may forward
 * to bob@ and keep a copy, and so may bob@ to ana@. */
static bool follow_place(struct walk *w, const struct place *p, struct str detail)
{
    bool round = false;
    for (unsigned i = 0; i < w->depth; i++)
        round = round || w->path[i] == p->alias;
    if (p->alias == 0 || (round && p->account != 0)) {
        add_account(w, p, detail);
        return true;
    }
    if (round)
        return loops(w, "the alias leads back to itself", p->key);
    if (w->depth == DIRECTORY_DEPTH_MAX)
        return loops(w, "aliases lead to aliases too many times", p->key);
    return follow_alias(w, p, detail);
}

/* --- addresses --- */

static bool nobody(struct walk *w, struct str key, bool is_target)
{
    directory_trail_add(w->trail, "%.*s: there is no such address", STR_ARGS(key));
    if (is_target)
        LOG_WARNING("address.leads_nowhere", F_STR("target", key));
    return true;
}

/* Another server's domain: it knows its own addresses, and gets the mail as it came. */
static bool follow_backup(struct walk *w, const struct directory_address *address, const struct home *home,
                          bool is_target)
{
    int takes = walk_backup_takes(w, home, address);
    if (takes <= 0)
        return takes == 0 && nobody(w, address->key, is_target);
    directory_trail_add(w->trail, "%.*s: we keep mail for this domain's own servers (backup MX)",
                        STR_ARGS(address->domain));
    add_target(w, (struct directory_target){.address = address->whole, .detail = STR(""), .sender = STR("")});
    return true;
}

static bool follow_alias_domain(struct walk *w, const struct directory_address *address,
                                const struct home *home, struct str detail, bool is_target)
{
    struct directory_address there;
    if (w->steps++ > DIRECTORY_TARGETS_MAX) /* domains do not go round, but a damaged table might */
        return loops(w, "the domain leads back to itself", address->domain);
    directory_trail_add(w->trail, "%.*s is another name of %.*s", STR_ARGS(address->domain),
                        STR_ARGS(home->alias_of));
    return directory_address_read(
               arena_printf(w->a, "%.*s@%.*s", STR_ARGS(address->local), STR_ARGS(home->alias_of)), w->a,
               &there, w->e) &&
           follow(w, &there, detail, is_target);
}

static bool follow(struct walk *w, const struct directory_address *address, struct str detail, bool is_target)
{
    struct place p;
    struct home home;
    struct directory_address to;
    int found = walk_look_up(w, address->key, &p);
    if (found >= 0 && w->has_canonical && !w->is_canonical) {
        int changed = walk_canonical(w, address, &to);
        if (changed != 0)
            return changed > 0 && follow(w, &to, detail, is_target);
    }
    if (found == 0) {
        int ours = walk_home(w, address->domain, &home);
        if (ours == 0)
            return add_remote(w, address->whole, is_target);
        if (ours > 0 && home.is_backup)
            return follow_backup(w, address, &home, is_target);
        if (ours > 0 && home.alias_of.n > 0) {
            found = walk_look_up_untagged(w, address, &p);
            if (found == 0)
                return follow_alias_domain(w, address, &home, detail, is_target);
        } else {
            found = ours < 0 ? -1 : walk_look_further(w, address, &home, &p);
        }
    }
    if (found < 0)
        return false;
    return found > 0 ? follow_place(w, &p, p.detail.n ? p.detail : detail)
                     : nobody(w, address->key, is_target);
}

/* Longer than we allow, but other servers may: above all return addresses that they made. */
static bool follow_long(struct walk *w, struct str address)
{
    size_t at = str_rfind_byte(address, '@');
    struct err why = ERR_INIT;
    struct home home;
    struct str domain;
    if (at == STR_NONE || at <= LOCAL_PART_MAX || address.n > ADDRESS_MAX ||
        !directory_domain_read(str_from_offset(address, at + 1), w->a, &domain, &why))
        return true; /* what is no address is nobody's */
    int ours = walk_home(w, domain, &home);
    if (ours != 0)
        return ours > 0;
    return add_remote(
        w, arena_printf(w->a, "%.*s@%.*s", STR_ARGS(str_slice(address, 0, at)), STR_ARGS(domain)), false);
}

static bool is_bare_postmaster(struct str address)
{
    return str_eq_nocase(address, STR("postmaster"));
}

static bool start(struct walk *w, struct str address)
{
    struct directory_address read;
    struct err why = ERR_INIT;
    struct str back;
    struct place p;
    if (is_bare_postmaster(address)) {
        int found = walk_look_up_postmaster(w, &p);
        return found > 0 ? follow_place(w, &p, STR("")) : found == 0;
    }
    int returns = walk_take_srs(w, address, &back);
    if (returns != 0)
        return returns > 0 &&
               (directory_address_read(back, w->a, &read, &why) ? follow(w, &read, STR(""), true)
                                                                : add_remote(w, back, true));
    return directory_address_read(address, w->a, &read, &why) ? follow(w, &read, STR(""), false)
                                                              : follow_long(w, address);
}

bool directory_db_expand_question(struct directory_db *db, const struct directory_question *q,
                                  struct directory_trail *trail, struct arena *a,
                                  struct directory_answer *out, struct err *e)
{
    struct walk w = {.db = db,
                     .question = q,
                     .a = a,
                     .out = out,
                     .trail = trail,
                     .e = e,
                     .now = clock_wall(),
                     .sender = q->sender,
                     .via = STR(""),
                     .refusal = STR("")};
    *out = (struct directory_answer){.fate = DIRECTORY_LOCAL, .reply = STR(""), .sender = STR("")};
    bool good = start(&w, q->address);
    if (out->fate == DIRECTORY_LOOP) {
        out->count = 0;
        return true;
    }
    out->rewrites = w.has_canonical;
    if (good && out->count == 0) {
        out->fate = w.refusal.n > 0 ? DIRECTORY_REFUSED : DIRECTORY_UNKNOWN;
        out->reply = w.refusal.n > 0 ? w.refusal : STR("5.1.1 no such address here");
    }
    return good;
}

bool directory_db_expand(struct directory_db *db, struct str address, struct arena *a,
                         struct directory_answer *out, struct err *e)
{
    const struct directory_question q = {.address = address, .sender = STR("")};
    return directory_db_expand_question(db, &q, NULL, a, out, e);
}

bool directory_db_end_read(struct directory_db *db, bool good, struct err *e)
{
    if (good)
        return sql_commit(db->sql, e);
    sql_rollback(db->sql);
    return false;
}

bool directory_db_answer(struct directory_db *db, const struct directory_question *q,
                         struct directory_trail *trail, struct arena *a, struct directory_answer *out,
                         struct err *e)
{
    return directory_db_load_srs_key(db, e) && sql_begin_read(db->sql, e) &&
           directory_db_end_read(db, directory_db_expand_question(db, q, trail, a, out, e), e);
}

bool directory_db_resolve(struct directory_db *db, struct str address, struct arena *a,
                          struct directory_answer *out, struct err *e)
{
    const struct directory_question q = {.address = address, .sender = STR("")};
    return directory_db_answer(db, &q, NULL, a, out, e);
}
