/* What was expunged and is nowhere else any more, and bringing it back. */
#include "base/mem.h"
#include "mailbox/internal.h"

/* A page of the tables that are looked through: what a query gives is in memory as a whole in PostgreSQL. */
#define PAGE "1000"

MAIL_STATEMENT(EXPUNGED_PAGE,
               "SELECT modseq, id, expunged_at, flags, keywords, received, zone, size, body FROM expunged"
               " WHERE (modseq, id) > ($1, $2) ORDER BY modseq, id LIMIT " PAGE);
MAIL_STATEMENT(BODIES_PAGE, "SELECT id, body FROM message WHERE id > $1 ORDER BY id LIMIT " PAGE);
MAIL_STATEMENT(STILL_THERE, "SELECT 1 FROM expunged WHERE modseq = $1 AND id = $2");
MAIL_STATEMENT(MAILBOX_NAME, "SELECT name FROM mailbox WHERE id = $1 AND selectable = 1");

struct gathering {
    struct sql *db;
    struct arena *a;
    struct store_lost *v;
    size_t n, cap;
};

/* --- what was expunged --- */

static struct store_lost lost_of_row(const struct sql_rows *rows, struct arena *a)
{
    int64_t id = sql_get_int(rows, 1);
    return (struct store_lost){
        .mailbox = message_mailbox(id),
        .name = STR(""),
        .expunged_at = sql_get_int(rows, 2),
        .row = {.id = id,
                .uid = message_uid(id),
                .modseq = (uint64_t)sql_get_int(rows, 0),
                .flags = (uint32_t)sql_get_int(rows, 3),
                .keywords = arena_copy(a, sql_get_str(rows, 4)),
                .received = sql_get_int(rows, 5),
                .zone = (int16_t)sql_get_int(rows, 6),
                .size = (uint64_t)sql_get_int(rows, 7),
                .body = sql_get_int(rows, 8)},
    };
}

static bool read_page(struct gathering *g, int64_t since, int64_t *modseq, int64_t *id, bool *more,
                      struct err *e)
{
    struct sql_rows rows;
    *more = false;
    if (!sql_query(g->db, &EXPUNGED_PAGE, SQL(sql_int(*modseq), sql_int(*id)), &rows, e))
        return false;
    while (sql_next(&rows)) {
        *modseq = sql_get_int(&rows, 0);
        *id = sql_get_int(&rows, 1);
        *more = true;
        if (sql_get_int(&rows, 2) < since || sql_get_int(&rows, 8) == 0) /* 0: was in Recently Deleted */
            continue;
        g->v = list_room(g->a, g->v, g->n, &g->cap, sizeof *g->v);
        g->v[g->n++] = lost_of_row(&rows, g->a);
    }
    return sql_end(&rows, e);
}

static bool read_expunged(struct gathering *g, int64_t since, struct err *e)
{
    int64_t modseq = 0, id = 0;
    for (bool more = true; more;)
        if (!read_page(g, since, &modseq, &id, &more, e))
            return false;
    return true;
}

/* --- of which nothing is left --- */

static int compare(int64_t a, int64_t b)
{
    return a < b ? -1 : a > b;
}

static int compare_bodies(const void *a, const void *b)
{
    return compare(*(const int64_t *)a, *(const int64_t *)b);
}

static int by_body(const void *a, const void *b)
{
    const struct store_lost *x = a, *y = b;
    int order = compare(x->row.body, y->row.body);
    return order ? order : compare((int64_t)x->row.modseq, (int64_t)y->row.modseq);
}

static int by_time(const void *a, const void *b)
{
    const struct store_lost *x = a, *y = b;
    int order = compare((int64_t)x->row.modseq, (int64_t)y->row.modseq);
    return order ? order : compare(x->row.id, y->row.id);
}

static int by_body_alone(const void *body, const void *lost)
{
    return compare(*(const int64_t *)body, ((const struct store_lost *)lost)->row.body);
}

/* A message that was moved, or copied and then expunged, was expunged several times: the last place counts.
 */
static void keep_last_of_each(struct gathering *g)
{
    size_t n = 0;
    if (g->n > 1)
        qsort(g->v, g->n, sizeof *g->v, by_body);
    for (size_t i = 0; i < g->n; i++)
        if (i + 1 == g->n || g->v[i].row.body != g->v[i + 1].row.body)
            g->v[n++] = g->v[i];
    g->n = n;
}

/* Whoever has a living copy has lost nothing; one in Recently Deleted does not count. */
static bool mark_living(struct gathering *g, bool *lives, struct err *e)
{
    int64_t last = 0, recently_deleted;
    if (!recently_deleted_find(g->db, &recently_deleted, e))
        return false;
    for (bool more = true; more;) {
        struct sql_rows rows;
        more = false;
        if (!sql_query(g->db, &BODIES_PAGE, SQL(sql_int(last)), &rows, e))
            return false;
        while (sql_next(&rows)) {
            int64_t body = sql_get_int(&rows, 1);
            struct store_lost *at = bsearch(&body, g->v, g->n, sizeof *g->v, by_body_alone);
            last = sql_get_int(&rows, 0);
            if (at && message_mailbox(last) != recently_deleted)
                lives[at - g->v] = true;
            more = true;
        }
        if (!sql_end(&rows, e))
            return false;
    }
    return true;
}

static bool drop_living(struct gathering *g, struct err *e)
{
    size_t n = 0;
    if (g->n == 0)
        return true;
    bool *lives = arena_new(g->a, g->n, sizeof *lives);
    if (!mark_living(g, lives, e))
        return false;
    for (size_t i = 0; i < g->n; i++)
        if (!lives[i])
            g->v[n++] = g->v[i];
    g->n = n;
    return true;
}

static bool name_mailboxes(struct gathering *g, struct err *e)
{
    int64_t named = ROOT_MAILBOX;
    struct str name = STR("");
    for (size_t i = 0; i < g->n; i++) { /* most are of the same as the one before */
        struct sql_rows rows;
        if (g->v[i].mailbox != named) {
            if (!sql_query(g->db, &MAILBOX_NAME, SQL(sql_int(g->v[i].mailbox)), &rows, e))
                return false;
            name = sql_next(&rows) ? arena_copy(g->a, sql_get_str(&rows, 0)) : STR("");
            named = g->v[i].mailbox;
            if (!sql_end(&rows, e))
                return false;
        }
        g->v[i].name = name;
    }
    return true;
}

static bool gather(struct gathering *g, int64_t since, struct err *e)
{
    if (!read_expunged(g, since, e))
        return false;
    keep_last_of_each(g);
    if (!drop_living(g, e))
        return false;
    if (g->n > 1)
        qsort(g->v, g->n, sizeof *g->v, by_time);
    return name_mailboxes(g, e);
}

enum store_result store_lost_list(struct store *s, int64_t since, struct arena *a, struct store_lost **v,
                                  size_t *n, struct err *e)
{
    struct connection *c = store_take(s, e);
    if (!c)
        return STORE_FAILED;
    struct gathering g = {.db = c->db, .a = a};
    bool good = sql_begin_read(c->db, e) && gather(&g, since, e);
    if (good)
        good = sql_commit(c->db, e);
    if (!good)
        sql_rollback(c->db);
    pool_give(&s->pool, c);
    *v = g.v;
    *n = g.n;
    return good ? STORE_OK : STORE_FAILED;
}

enum store_result store_lost_bytes(struct store *s, const struct store_lost *l, uint64_t n, struct buf *out,
                                   struct err *e)
{
    struct body_reader b;
    struct connection *c = store_take(s, e);
    if (!c)
        return STORE_FAILED;
    body_reader_init(&b, NULL);
    bool good = body_read(&b, c, l->row.body, l->row.size, 0, n, out, e);
    body_reader_free(&b);
    pool_give(&s->pool, c);
    return good ? STORE_OK : STORE_FAILED;
}

/* --- bringing back --- */

static enum store_result bring_back(struct change *ch, const struct store_lost *l, int64_t inbox,
                                    struct err *e)
{
    struct counters *to;
    struct read_row row = {.fetch.row = l->row};
    int64_t one;
    int found =
        sql_one_int(ch->db, &STILL_THERE, SQL(sql_int((int64_t)l->row.modseq), sql_int(l->row.id)), &one, e);
    if (found <= 0) /* 0: purged a moment ago */
        return found == 0 ? STORE_NONE : STORE_FAILED;
    enum store_result r = change_mailbox(ch, l->mailbox, &to, e);
    if (r == STORE_NONE)
        r = change_mailbox(ch, inbox, &to, e);
    if (r == STORE_OK)
        r = quota_check(ch, 1, l->row.size, e);
    return r == STORE_OK ? copy_rows(ch, to, &row, 1, COPY_WITHOUT_DELETED, e) : r;
}

static enum store_result bring_all_back(struct change *ch, const struct store_lost *v, size_t n,
                                        int64_t inbox, size_t *restored, struct err *e)
{
    CLEAN_FREE int64_t *bodies = mem_new(n, sizeof *bodies);
    for (size_t i = 0; i < n; i++) {
        enum store_result r = bring_back(ch, &v[i], inbox, e);
        if (r == STORE_OK)
            bodies[(*restored)++] = v[i].row.body;
        else if (r != STORE_NONE)
            return r;
    }
    if (*restored > 1)
        qsort(bodies, *restored, sizeof *bodies, compare_bodies);
    return recently_deleted_forget(ch, bodies, *restored, e) ? STORE_OK : STORE_FAILED;
}

enum store_result store_undelete(struct store *s, const struct store_lost *v, size_t n, size_t *restored,
                                 struct err *e)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct mailbox inbox;
    struct change ch;
    *restored = 0;
    enum store_result r = store_mailbox_find(s, STR("INBOX"), &a, &inbox, e);
    if (r == STORE_OK)
        r = change_open(s, &ch, e);
    if (r != STORE_OK)
        return r;
    r = bring_all_back(&ch, v, n, inbox.id, restored, e);
    if (r == STORE_OK)
        return change_commit(&ch, e);
    change_cancel(&ch);
    return r;
}
