#include "mailbox/rights.h"

#include "mailbox/internal.h"

MAIL_STATEMENT(OF_MAILBOX,
               "SELECT mailbox, identifier, rights FROM acl WHERE mailbox = $1 ORDER BY identifier");
MAIL_STATEMENT(OF_ALL, "SELECT mailbox, identifier, rights FROM acl ORDER BY mailbox, identifier");
MAIL_STATEMENT(ONE, "SELECT rights FROM acl WHERE mailbox = $1 AND identifier = $2");
MAIL_STATEMENT(COUNT, "SELECT count(*) FROM acl WHERE mailbox = $1");
MAIL_STATEMENT(SET, "INSERT INTO acl(mailbox, identifier, rights) VALUES($1, $2, $3)"
                    " ON CONFLICT(mailbox, identifier) DO UPDATE SET rights = $3");
MAIL_STATEMENT(DELETE, "DELETE FROM acl WHERE mailbox = $1 AND identifier = $2");
MAIL_STATEMENT(DELETE_ALL, "DELETE FROM acl WHERE mailbox = $1");
MAIL_STATEMENT(
    INHERIT,
    "INSERT INTO acl(mailbox, identifier, rights)"
    " SELECT $1, a.identifier, a.rights FROM acl a JOIN mailbox m ON a.mailbox = m.id WHERE m.name = $2");
MAIL_STATEMENT(ROLE, "SELECT role FROM mailbox WHERE id = $1");
MAIL_STATEMENT(EXISTS, "SELECT 1 FROM mailbox WHERE id = $1 AND id > 0");

/* --- what somebody may do --- */

unsigned rights_of(const struct rights_entry *v, size_t n, struct str user, bool is_owner)
{
    unsigned has = 0, lacks = 0;
    bool is_named = false;
    for (size_t i = 0; i < n; i++) {
        struct str who = v[i].identifier;
        bool is_negative = str_starts(who, STR("-"));
        if (is_negative)
            who = str_from_offset(who, 1);
        bool is_user = str_eq(who, user);
        if (!is_user && !str_eq(who, RIGHTS_ANYONE))
            continue;
        *(is_negative ? &lacks : &has) |= v[i].rights;
        is_named |= is_user && !is_negative;
    }
    if (!is_owner)
        return has & ~lacks;
    return ((is_named ? has : RIGHTS_ALL) & ~lacks) | RIGHTS_OWNER;
}

static bool read_entries(struct sql *db, int64_t mailbox, struct arena *a, struct rights_list *out,
                         struct err *e)
{
    struct sql_rows rows;
    size_t cap = 0;
    *out = (struct rights_list){0};
    bool good = mailbox > 0 ? sql_query(db, &OF_MAILBOX, SQL(sql_int(mailbox)), &rows, e)
                            : sql_query(db, &OF_ALL, SQL_NONE, &rows, e);
    if (!good)
        return false;
    while (sql_next(&rows)) {
        out->v = list_room(a, out->v, out->n, &cap, sizeof *out->v);
        out->v[out->n++] = (struct rights_entry){
            .mailbox = sql_get_int(&rows, 0),
            .identifier = arena_copy(a, sql_get_str(&rows, 1)),
            .rights = (unsigned)sql_get_int(&rows, 2) & RIGHTS_ALL,
        };
    }
    return sql_end(&rows, e);
}

enum store_result store_rights_list(struct store *s, int64_t mailbox, struct arena *a,
                                    struct rights_list *out, struct err *e)
{
    struct connection *c = pool_take(&s->pool, e);
    if (!c)
        return STORE_FAILED;
    bool good = read_entries(c->db, mailbox, a, out, e);
    pool_give(&s->pool, c);
    return good ? STORE_OK : STORE_FAILED;
}

static bool read_role(struct store *s, int64_t mailbox, enum mailbox_role *role, struct err *e)
{
    int64_t number = MAILBOX_NO_ROLE;
    struct connection *c = pool_take(&s->pool, e);
    if (!c)
        return false;
    bool good = sql_one_int(c->db, &ROLE, SQL(sql_int(mailbox)), &number, e) >= 0;
    pool_give(&s->pool, c);
    *role = (enum mailbox_role)number;
    return good;
}

enum store_result store_rights(struct store *s, int64_t mailbox, struct str user, bool is_owner,
                               unsigned *rights, struct err *e)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct rights_list list;
    enum mailbox_role role;
    *rights = 0;
    if (!read_role(s, mailbox, &role, e))
        return STORE_FAILED;
    enum store_result r = store_rights_list(s, mailbox, &a, &list, e);
    if (r == STORE_OK)
        *rights = rights_within(role, rights_of(list.v, list.n, user, is_owner));
    return r;
}

uint64_t store_rights_version(struct store *s)
{
    return atomic_load(&s->rights_version);
}

/* --- changing --- */

static enum store_result check_count(struct change *ch, int64_t mailbox, struct err *e)
{
    int64_t n = 0;
    if (sql_one_int(ch->db, &COUNT, SQL(sql_int(mailbox)), &n, e) < 0)
        return STORE_FAILED;
    if (n < RIGHTS_ENTRIES_MAX)
        return STORE_OK;
    err_set(e, ERR_PERMANENT, "a mailbox has rights for at most %d users", RIGHTS_ENTRIES_MAX);
    return STORE_LIMIT;
}

static enum store_result set(struct change *ch, int64_t mailbox, struct str identifier,
                             enum rights_change how, unsigned rights, unsigned base, struct err *e)
{
    int64_t has = 0;
    int found = sql_one_int(ch->db, &ONE, SQL(sql_int(mailbox), sql_text(identifier)), &has, e);
    if (found < 0)
        return STORE_FAILED;
    if (!found)
        has = base;
    enum store_result r = found ? STORE_OK : check_count(ch, mailbox, e);
    if (r != STORE_OK)
        return r;
    switch (how) {
    case RIGHTS_REPLACE: break;
    case RIGHTS_ADD: rights |= (unsigned)has; break;
    case RIGHTS_REMOVE: rights = (unsigned)has & ~rights; break;
    }
    bool good = sql_exec(ch->db, &SET,
                         SQL(sql_int(mailbox), sql_text(identifier), sql_int(rights & RIGHTS_ALL)), NULL, e);
    return good ? STORE_OK : STORE_FAILED;
}

static enum store_result begin(struct store *s, struct change *ch, int64_t mailbox, struct err *e)
{
    int64_t one;
    enum store_result r = change_open(s, ch, e);
    if (r != STORE_OK)
        return r;
    int found = mailbox > 0 ? sql_one_int(ch->db, &EXISTS, SQL(sql_int(mailbox)), &one, e) : 0;
    if (found == 1)
        return STORE_OK;
    if (found == 0)
        err_set(e, ERR_PERMANENT, "there is no such mailbox any more");
    change_cancel(ch);
    return found == 0 ? STORE_NONE : STORE_FAILED;
}

/* Rights are part of how an account's mailboxes look: the account takes a modseq, and sessions look again. */
static enum store_result finish(struct change *ch, enum store_result r, struct err *e)
{
    if (r != STORE_OK) {
        change_cancel(ch);
        return r;
    }
    change_tree(ch);
    ch->is_of_rights = true;
    return change_commit(ch, e);
}

enum store_result store_rights_set(struct store *s, int64_t mailbox, struct str identifier,
                                   enum rights_change how, unsigned rights, unsigned base, struct err *e)
{
    struct change ch;
    enum store_result r = begin(s, &ch, mailbox, e);
    return r == STORE_OK ? finish(&ch, set(&ch, mailbox, identifier, how, rights, base, e), e) : r;
}

enum store_result store_rights_delete(struct store *s, int64_t mailbox, struct str identifier, struct err *e)
{
    struct change ch;
    enum store_result r = begin(s, &ch, mailbox, e);
    if (r != STORE_OK)
        return r;
    if (!sql_exec(ch.db, &DELETE, SQL(sql_int(mailbox), sql_text(identifier)), NULL, e))
        r = STORE_FAILED;
    return finish(&ch, r, e);
}

bool rights_inherit(struct change *ch, int64_t mailbox, struct str name, struct err *e)
{
    struct str parent;
    return !name_parent(name, &parent) ||
           sql_exec(ch->db, &INHERIT, SQL(sql_int(mailbox), sql_text(parent)), NULL, e);
}

bool rights_remove(struct change *ch, int64_t mailbox, struct err *e)
{
    return sql_exec(ch->db, &DELETE_ALL, SQL(sql_int(mailbox)), NULL, e);
}
