#include "mailbox/internal.h"

MAIL_STATEMENT(ADD, "INSERT INTO subscription(name) VALUES($1) ON CONFLICT(name) DO NOTHING");
MAIL_STATEMENT(REMOVE, "DELETE FROM subscription WHERE name = $1");
MAIL_STATEMENT(COUNT, "SELECT count(*) FROM subscription");
MAIL_STATEMENT(ALL,
               "SELECT name FROM subscription ORDER BY CASE WHEN name = 'INBOX' THEN 0 ELSE 1 END, name");

static enum store_result subscribe(struct change *ch, struct str name, bool subscribed, struct err *e)
{
    int64_t count = 0, changed = 0;
    if (!sql_exec(ch->db, subscribed ? &ADD : &REMOVE, SQL(sql_text(name)), &changed, e) ||
        sql_one_int(ch->db, &COUNT, SQL_NONE, &count, e) < 0)
        return STORE_FAILED;
    ch->is_visible |= changed != 0; /* whoever watches is told; it has no modseq */
    if (changed && subscribed && count > MAILBOX_COUNT_MAX) {
        err_set(e, ERR_PERMANENT, "an account has at most %d subscriptions", MAILBOX_COUNT_MAX);
        return STORE_LIMIT;
    }
    return STORE_OK;
}

enum store_result store_subscribe(struct store *s, struct str name, bool subscribed, struct err *e)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct change ch;
    enum store_result r = name_normal(name, &a, &name, e);
    if (r == STORE_OK)
        r = change_open(s, &ch, e);
    if (r != STORE_OK)
        return r;
    r = subscribe(&ch, name, subscribed, e);
    if (r == STORE_OK)
        return change_commit(&ch, e);
    change_cancel(&ch);
    return r;
}

enum store_result store_subscriptions(struct store *s, struct arena *a, struct str **names, size_t *n,
                                      struct err *e)
{
    *names = NULL;
    *n = 0;
    struct connection *c = pool_take(&s->pool, e);
    if (!c)
        return STORE_FAILED;
    struct sql_rows rows;
    size_t cap = 0;
    bool good = sql_query(c->db, &ALL, SQL_NONE, &rows, e);
    while (good && sql_next(&rows)) {
        *names = list_room(a, *names, *n, &cap, sizeof **names);
        (*names)[(*n)++] = arena_copy(a, sql_get_str(&rows, 0));
    }
    good = good && sql_end(&rows, e);
    pool_give(&s->pool, c);
    return good ? STORE_OK : STORE_FAILED;
}
