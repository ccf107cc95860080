/* Whose password a name stands for at login. */
#include "directory/walk.h"

static const struct directory_question NO_MAIL = {.address = STR_INIT(""), .sender = STR_INIT("")};

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
