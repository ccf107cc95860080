/* Who may send as whom, and what is set of who sends. */
#include "directory/walk.h"

DIRECTORY_STATEMENT(RIGHT_FIND, "SELECT on_behalf FROM send_right WHERE account = $1 AND key IN ($2, $3)"
                                " ORDER BY on_behalf LIMIT 1");

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
