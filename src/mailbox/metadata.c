#include "mailbox/metadata.h"

#include "mailbox/internal.h"

/* Of a shared entry, `owner` is ''. */
#define SEEN "(owner = '' OR owner = $1)"
MAIL_STATEMENT(OF_MAILBOX, "SELECT mailbox, name, value FROM metadata WHERE " SEEN
                           " AND mailbox = $2 AND value IS NOT NULL ORDER BY name");
MAIL_STATEMENT(OF_ALL, "SELECT mailbox, name, value FROM metadata WHERE " SEEN
                       " AND value IS NOT NULL ORDER BY mailbox, name");
MAIL_STATEMENT(CHANGED, "SELECT mailbox, name, '' FROM metadata WHERE " SEEN
                        " AND modseq > $2 AND modseq <= $3 ORDER BY mailbox, name");
MAIL_STATEMENT(NOW, "SELECT highestmodseq FROM mailbox WHERE id = 0");
MAIL_STATEMENT(SET, "INSERT INTO metadata(mailbox, owner, name, value, modseq) VALUES($1, $2, $3, $4, $5)"
                    " ON CONFLICT(mailbox, owner, name) DO UPDATE SET value = $4, modseq = $5");
/* What is not there need not be removed. */
MAIL_STATEMENT(UNSET, "UPDATE metadata SET value = NULL, modseq = $4"
                      " WHERE mailbox = $1 AND owner = $2 AND name = $3");
MAIL_STATEMENT(COUNT, "SELECT count(*) FROM metadata WHERE mailbox = $1");
MAIL_STATEMENT(FORGET, "DELETE FROM metadata WHERE mailbox = $1 AND value IS NULL");
MAIL_STATEMENT(BYTES, "SELECT coalesce(sum(length(value)), 0) FROM metadata");
MAIL_STATEMENT(DELETE, "DELETE FROM metadata WHERE mailbox = $1");
MAIL_STATEMENT(COPY,
               "INSERT INTO metadata(mailbox, owner, name, value, modseq)"
               " SELECT $2, owner, name, value, $3 FROM metadata WHERE mailbox = $1 AND value IS NOT NULL");
MAIL_STATEMENT(EXISTS, "SELECT 1 FROM mailbox WHERE id = $1");

/* --- reading --- */

static enum store_result read_list(struct store *s, const struct sql_statement *query,
                                   struct sql_params params, struct arena *a, struct metadata_list *out,
                                   struct err *e)
{
    struct sql_rows rows;
    size_t cap = 0;
    *out = (struct metadata_list){0};
    struct connection *c = pool_take(&s->pool, e);
    if (!c)
        return STORE_FAILED;
    bool good = sql_query(c->db, query, params, &rows, e);
    while (good && sql_next(&rows)) {
        out->v = list_room(a, out->v, out->n, &cap, sizeof *out->v);
        out->v[out->n++] = (struct metadata_entry){
            .mailbox = sql_get_int(&rows, 0),
            .name = arena_copy(a, sql_get_str(&rows, 1)),
            .value = arena_copy(a, sql_get_str(&rows, 2)),
            .is_nil = sql_get_null(&rows, 2),
        };
    }
    good = good && sql_end(&rows, e);
    pool_give(&s->pool, c);
    return good ? STORE_OK : STORE_FAILED;
}

enum store_result store_metadata_list(struct store *s, int64_t mailbox, struct str user, struct arena *a,
                                      struct metadata_list *out, struct err *e)
{
    if (mailbox == METADATA_ALL)
        return read_list(s, &OF_ALL, SQL(sql_text(user)), a, out, e);
    return read_list(s, &OF_MAILBOX, SQL(sql_text(user), sql_int(mailbox)), a, out, e);
}

enum store_result store_metadata_changes(struct store *s, uint64_t since, struct str user, struct arena *a,
                                         struct metadata_list *out, uint64_t *now, struct err *e)
{
    int64_t newest = 0;
    *out = (struct metadata_list){0};
    struct connection *c = pool_take(&s->pool, e);
    if (!c)
        return STORE_FAILED;
    bool good = sql_one_int(c->db, &NOW, SQL_NONE, &newest, e) >= 0;
    pool_give(&s->pool, c);
    *now = (uint64_t)newest;
    if (!good || since >= *now)
        return good ? STORE_OK : STORE_FAILED;
    return read_list(s, &CHANGED, SQL(sql_text(user), sql_int((int64_t)since), sql_int(newest)), a, out, e);
}

/* --- setting --- */

static enum store_result check_bounds(struct change *ch, int64_t mailbox, struct err *e)
{
    int64_t n = 0, bytes = 0;
    if (sql_one_int(ch->db, &COUNT, SQL(sql_int(mailbox)), &n, e) < 0)
        return STORE_FAILED;
    if (n > METADATA_ENTRIES_MAX && (!sql_exec(ch->db, &FORGET, SQL(sql_int(mailbox)), NULL, e) ||
                                     sql_one_int(ch->db, &COUNT, SQL(sql_int(mailbox)), &n, e) < 0))
        return STORE_FAILED;
    if (sql_one_int(ch->db, &BYTES, SQL_NONE, &bytes, e) < 0)
        return STORE_FAILED;
    if (n <= METADATA_ENTRIES_MAX && bytes <= METADATA_BYTES_MAX)
        return STORE_OK;
    err_set(e, ERR_PERMANENT, "a mailbox has at most %d annotations, an account at most %lld bytes of them",
            METADATA_ENTRIES_MAX, (long long)METADATA_BYTES_MAX);
    return STORE_LIMIT;
}

static bool set_one(struct change *ch, int64_t mailbox, struct str user, const struct metadata_entry *v,
                    struct err *e)
{
    struct sql_value where = sql_int(mailbox), modseq = sql_int((int64_t)ch->modseq);
    struct sql_value owner = sql_text(str_starts(v->name, STR("/private/")) ? user : STR(""));
    if (v->is_nil)
        return sql_exec(ch->db, &UNSET, SQL(where, owner, sql_text(v->name), modseq), NULL, e);
    return sql_exec(ch->db, &SET, SQL(where, owner, sql_text(v->name), sql_blob(v->value), modseq), NULL, e);
}

static enum store_result set_all(struct change *ch, int64_t mailbox, struct str user,
                                 const struct metadata_entry *v, size_t n, struct err *e)
{
    int64_t one;
    int found = sql_one_int(ch->db, &EXISTS, SQL(sql_int(mailbox)), &one, e);
    if (found == 0)
        err_set(e, ERR_PERMANENT, "there is no such mailbox any more");
    if (found != 1)
        return found == 0 ? STORE_NONE : STORE_FAILED;
    for (size_t i = 0; i < n; i++)
        if (!set_one(ch, mailbox, user, &v[i], e))
            return STORE_FAILED;
    return check_bounds(ch, mailbox, e);
}

enum store_result store_metadata_set(struct store *s, int64_t mailbox, struct str user,
                                     const struct metadata_entry *v, size_t n, struct err *e)
{
    struct change ch;
    enum store_result r = change_open(s, &ch, e);
    if (r != STORE_OK)
        return r;
    r = set_all(&ch, mailbox, user, v, n, e);
    if (r != STORE_OK) {
        change_cancel(&ch);
        return r;
    }
    change_tree(&ch);
    return change_commit(&ch, e);
}

bool metadata_remove(struct change *ch, int64_t mailbox, struct err *e)
{
    return sql_exec(ch->db, &DELETE, SQL(sql_int(mailbox)), NULL, e);
}

bool metadata_copy(struct change *ch, int64_t from, int64_t to, struct err *e)
{
    return sql_exec(ch->db, &COPY, SQL(sql_int(from), sql_int(to), sql_int((int64_t)ch->modseq)), NULL, e);
}
