/* Mailboxes as they are: list, find, status, what is recent. */
#include "mailbox/internal.h"

/* '0' is the character after the delimiter '/': children lie between the two. */
#define COLUMNS                                                                                            \
    "SELECT m.id, m.name, m.role, m.selectable,"                                                           \
    " CASE WHEN EXISTS(SELECT 1 FROM subscription s WHERE s.name = m.name) THEN 1 ELSE 0 END,"             \
    " CASE WHEN EXISTS(SELECT 1 FROM mailbox c"                                                            \
    "  WHERE c.name > m.name || '/' AND c.name < m.name || '0') THEN 1 ELSE 0 END,"                        \
    " m.uidvalidity, m.uidnext, m.first_recent, m.highestmodseq, m.messages, m.unseen, m.deleted, m.size," \
    " m.deleted_size"                                                                                      \
    " FROM mailbox m"
MAIL_STATEMENT(ALL, COLUMNS " WHERE m.id > 0 ORDER BY CASE WHEN m.name = 'INBOX' THEN 0 ELSE 1 END, m.name");
MAIL_STATEMENT(BY_NAME, COLUMNS " WHERE m.name = $1 AND m.id > 0");
MAIL_STATEMENT(BY_ID, COLUMNS " WHERE m.id = $1 AND m.id > 0");
MAIL_STATEMENT(RECENT, "SELECT first_recent, uidnext FROM mailbox WHERE id = $1 AND selectable = 1");

static struct mailbox read_mailbox(struct store *s, const struct sql_rows *rows, struct arena *a)
{
    struct mailbox m = {
        .id = sql_get_int(rows, 0),
        .name = arena_copy(a, sql_get_str(rows, 1)),
        .role = (enum mailbox_role)sql_get_int(rows, 2),
        .selectable = sql_get_int(rows, 3) != 0,
        .subscribed = sql_get_int(rows, 4) != 0,
        .has_children = sql_get_int(rows, 5) != 0,
        .uidvalidity = (uint32_t)sql_get_int(rows, 6),
        .uidnext = (uint32_t)sql_get_int(rows, 7),
        .first_recent = (uint32_t)sql_get_int(rows, 8),
        .highestmodseq = (uint64_t)sql_get_int(rows, 9),
        .messages = (uint32_t)sql_get_int(rows, 10),
        .unseen = (uint32_t)sql_get_int(rows, 11),
        .deleted = (uint32_t)sql_get_int(rows, 12),
        .size = (uint64_t)sql_get_int(rows, 13),
        .deleted_size = (uint64_t)sql_get_int(rows, 14),
    };
    arrivals_count(s, &m);
    return m;
}

enum store_result store_mailbox_list(struct store *s, struct arena *a, struct mailbox_list *out,
                                     struct err *e)
{
    *out = (struct mailbox_list){0};
    struct connection *c = store_peek(s, e);
    if (!c)
        return STORE_FAILED;
    struct sql_rows rows;
    size_t cap = 0;
    bool good = sql_query(c->db, &ALL, SQL_NONE, &rows, e);
    while (good && sql_next(&rows)) {
        out->v = list_room(a, out->v, out->n, &cap, sizeof *out->v);
        out->v[out->n++] = read_mailbox(s, &rows, a);
    }
    good = good && sql_end(&rows, e);
    store_peeked(s, c);
    return good ? STORE_OK : STORE_FAILED;
}

/* `name`: what it is asked for by; NULL: by something else. */
static enum store_result one(struct store *s, const struct sql_statement *by, struct sql_value key,
                             const struct str *name, struct arena *a, struct mailbox *out, struct err *e)
{
    struct connection *c = store_peek(s, e);
    if (!c)
        return STORE_FAILED;
    if (name && arrivals_recall(s, *name, a, out)) {
        store_peeked(s, c);
        return STORE_OK;
    }
    struct sql_rows rows;
    bool found = false, good = sql_query(c->db, by, SQL(key), &rows, e);
    if (good) {
        found = sql_next(&rows);
        if (found)
            *out = read_mailbox(s, &rows, a);
        good = sql_end(&rows, e);
    }
    if (good && found)
        arrivals_remember(s, out);
    store_peeked(s, c);
    return !good ? STORE_FAILED : found ? STORE_OK : STORE_NONE;
}

enum store_result store_mailbox_find(struct store *s, struct str name, struct arena *a, struct mailbox *out,
                                     struct err *e)
{
    struct str normal;
    enum store_result r = name_normal(name, a, &normal, NULL);
    if (r == STORE_OK) /* a name that cannot be is not there */
        r = one(s, &BY_NAME, sql_text(normal), &normal, a, out, e);
    if (r == STORE_OK || r == STORE_FAILED)
        return r;
    err_set(e, ERR_PERMANENT, "there is no mailbox \"%.*s\"", STR_ARGS(name));
    return STORE_NONE;
}

enum store_result store_mailbox_by_id(struct store *s, int64_t id, struct arena *a, struct mailbox *out,
                                      struct err *e)
{
    enum store_result r = one(s, &BY_ID, sql_int(id), NULL, a, out, e);
    if (r == STORE_NONE)
        err_set(e, ERR_PERMANENT, "there is no such mailbox any more");
    return r;
}

static enum store_result read_recent(struct store *s, int64_t mailbox, uint32_t *first, uint32_t *uidnext,
                                     struct err *e)
{
    struct connection *c = store_take(s, e);
    *first = *uidnext = 0;
    if (!c)
        return STORE_FAILED;
    struct sql_rows rows;
    bool found = false, good = sql_query(c->db, &RECENT, SQL(sql_int(mailbox)), &rows, e);
    if (good) {
        found = sql_next(&rows);
        if (found) {
            *first = (uint32_t)sql_get_int(&rows, 0);
            *uidnext = (uint32_t)sql_get_int(&rows, 1);
        }
        good = sql_end(&rows, e);
    }
    pool_give(&s->pool, c);
    if (good && !found)
        err_set(e, ERR_PERMANENT, "there is no such mailbox any more");
    return !good ? STORE_FAILED : found ? STORE_OK : STORE_NONE;
}

enum store_result store_claim_recent(struct store *s, int64_t mailbox, uint32_t *first_recent, struct err *e)
{
    uint32_t uidnext;
    enum store_result r = read_recent(s, mailbox, first_recent, &uidnext, e);
    if (r != STORE_OK || *first_recent >= uidnext)
        return r;
    struct change ch;
    struct counters *c;
    r = change_open(s, &ch, e);
    if (r != STORE_OK)
        return r;
    r = change_mailbox(&ch, mailbox, &c, e);
    if (r != STORE_OK) {
        change_cancel(&ch);
        return r;
    }
    *first_recent = c->first_recent; /* another session may have been faster */
    c->first_recent = c->uidnext;
    c->is_dirty = true; /* without a modseq: \Recent is nobody's flag but the session's */
    return change_commit(&ch, e);
}
