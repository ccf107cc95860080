/* Who may send as whom, and whose password a name stands for. */
#include "directory/walk.h"

DIRECTORY_STATEMENT(RIGHT_FIND, "SELECT on_behalf FROM send_right WHERE account = $1 AND key IN ($2, $3)"
                                " ORDER BY on_behalf LIMIT 1");
DIRECTORY_STATEMENT(RIGHT_SET, "INSERT INTO send_right (account, key, on_behalf) VALUES ($1, $2, $3)"
                               " ON CONFLICT (account, key) DO UPDATE SET on_behalf = excluded.on_behalf");
DIRECTORY_STATEMENT(RIGHT_DELETE, "DELETE FROM send_right WHERE account = $1 AND key = $2");
DIRECTORY_STATEMENT(RIGHT_LIST, "SELECT key, on_behalf FROM send_right WHERE account = $1 ORDER BY key");

/* --- rights that were given --- */

static bool find_account(struct directory_db *db, struct str address, struct arena *a, int64_t *id,
                         struct err *e)
{
    struct directory_account account;
    if (!directory_account_find(db, address, a, &account, e))
        return false;
    *id = account.id;
    return true;
}

bool directory_right_set(struct directory_db *db, struct str account, struct str whom, bool on_behalf,
                         struct err *e)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct directory_address read;
    int64_t id;
    return find_account(db, account, &a, &id, e) && directory_pattern_read(whom, &a, &read, e) &&
           sql_exec(db->sql, &RIGHT_SET, SQL(sql_int(id), sql_text(read.key), sql_int(on_behalf)), NULL, e);
}

bool directory_right_remove(struct directory_db *db, struct str account, struct str whom, struct err *e)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct directory_address read;
    int64_t id, changed = 0;
    if (!find_account(db, account, &a, &id, e) || !directory_pattern_read(whom, &a, &read, e) ||
        !sql_exec(db->sql, &RIGHT_DELETE, SQL(sql_int(id), sql_text(read.key)), &changed, e))
        return false;
    return changed > 0 || err_set(e, ERR_PERMANENT, "%.*s was not given the right to send as %.*s",
                                  STR_ARGS(account), STR_ARGS(read.key));
}

bool directory_right_list(struct directory_db *db, struct str account, struct arena *a,
                          struct directory_right **v, size_t *n, struct err *e)
{
    struct sql_rows rows;
    int64_t id;
    *v = NULL;
    *n = 0;
    if (!find_account(db, account, a, &id, e) || !sql_query(db->sql, &RIGHT_LIST, SQL(sql_int(id)), &rows, e))
        return false;
    while (sql_next(&rows)) {
        *v = directory_db_grow(a, *v, *n, sizeof **v);
        (*v)[(*n)++] = (struct directory_right){.whom = arena_copy(a, sql_get_str(&rows, 0)),
                                                .on_behalf = sql_get_int(&rows, 1) != 0};
    }
    return sql_end(&rows, e);
}

static bool given_right(struct directory_db *db, int64_t account, const struct directory_address *address,
                        struct arena *a, enum directory_send *out, struct err *e)
{
    int64_t on_behalf;
    struct str of_domain = arena_printf(a, "@%.*s", STR_ARGS(address->domain));
    int found =
        sql_one_int(db->sql, &RIGHT_FIND, SQL(sql_int(account), sql_text(address->key), sql_text(of_domain)),
                    &on_behalf, e);
    *out = found <= 0 ? DIRECTORY_SEND_NOT : on_behalf ? DIRECTORY_SEND_ON_BEHALF : DIRECTORY_SEND_AS;
    return found >= 0;
}

/* --- the right to an address --- */

static const struct directory_question NO_MAIL = {.address = STR_INIT(""), .sender = STR_INIT("")};

/* Its own address stays its own when an alias sends the mail elsewhere. */
static bool is_its_own(struct walk *w, int64_t account, const struct directory_address *address, bool *is)
{
    struct place p;
    int found = walk_look_up(w, address->key, &p);
    if (found == 0)
        found = walk_look_up_untagged(w, address, &p);
    *is = found > 0 && p.account == account;
    return found >= 0;
}

static bool send_right(struct directory_db *db, int64_t account, struct str address, struct arena *a,
                       enum directory_send *out, struct err *e)
{
    struct directory_answer answer;
    struct directory_address read;
    struct walk w = {.db = db, .question = &NO_MAIL, .a = a, .out = &answer, .e = e};
    struct err why = ERR_INIT;
    bool is_own;
    *out = DIRECTORY_SEND_NOT;
    if (!directory_address_read(address, a, &read, &why))
        return true;
    if (!is_its_own(&w, account, &read, &is_own))
        return false;
    if (!is_own) {
        if (!directory_db_expand(db, address, a, &answer, e))
            return false;
        is_own = answer.fate == DIRECTORY_LOCAL && answer.count == 1 && answer.targets[0].is_local &&
                 answer.targets[0].account == account;
    }
    if (is_own) {
        *out = DIRECTORY_SEND_AS;
        return true;
    }
    return given_right(db, account, &read, a, out, e);
}

bool directory_db_send_right(struct directory_db *db, int64_t account, struct str address,
                             enum directory_send *out, struct err *e)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    return sql_begin_read(db->sql, e) &&
           directory_db_end_read(db, send_right(db, account, address, &a, out, e), e);
}

static bool sender(struct directory_db *db, int64_t account, struct str address, struct arena *a,
                   struct directory_sender *out, struct err *e)
{
    struct directory_address read = {.key = STR("")};
    struct err why = ERR_INIT;
    out->right = DIRECTORY_SEND_NOT;
    if (account == 0 && !directory_address_read(address, a, &read, &why))
        read.key = STR("");
    return (account == 0 || send_right(db, account, address, a, &out->right, e)) &&
           directory_db_settings_of(db, account, read.key, &out->settings, e);
}

bool directory_db_sender(struct directory_db *db, int64_t account, struct str address,
                         struct directory_sender *out, struct err *e)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    return sql_begin_read(db->sql, e) &&
           directory_db_end_read(db, sender(db, account, address, &a, out, e), e);
}

bool directory_db_may_send_as(struct directory_db *db, int64_t account, struct str address, bool *may,
                              struct err *e)
{
    enum directory_send right;
    bool good = directory_db_send_right(db, account, address, &right, e);
    *may = good && right != DIRECTORY_SEND_NOT;
    return good;
}

/* --- names at login --- */

/* The address in the domain that this one is another name of. */
static int look_up_in_other_domain(struct walk *w, const struct directory_address *address, struct place *p)
{
    struct home home;
    struct directory_address there;
    int ours = walk_home(w, address->domain, &home);
    if (ours <= 0 || home.alias_of.n == 0)
        return ours < 0 ? -1 : 0;
    struct str moved = arena_printf(w->a, "%.*s@%.*s", STR_ARGS(address->local), STR_ARGS(home.alias_of));
    return directory_address_read(moved, w->a, &there, w->e) ? walk_look_up(w, there.key, p) : -1;
}

static bool login(struct directory_db *db, struct str user, struct arena *a, bool *found,
                  struct directory_account *out, struct err *e)
{
    struct directory_answer answer;
    struct directory_address read;
    struct walk w = {.db = db, .question = &NO_MAIL, .a = a, .out = &answer, .e = e};
    struct err why = ERR_INIT;
    struct place p;
    struct str key;
    *found = false;
    if (!directory_address_read(user, a, &read, &why))
        return true;
    int there = walk_look_up(&w, read.key, &p);
    if (there == 0)
        there = look_up_in_other_domain(&w, &read, &p);
    if (there <= 0)
        return there == 0;
    key = p.key;
    if (p.account == 0) {
        if (!directory_db_expand(db, p.key, a, &answer, e))
            return false;
        if (answer.fate != DIRECTORY_LOCAL || answer.count != 1 || !answer.targets[0].is_local)
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
    return sql_begin_read(db->sql, e) && directory_db_end_read(db, login(db, user, a, found, out, e), e);
}
