/* The view of a session that slept, as it was: see store_view_past. */
#include "base/mem.h"
#include "mailbox/internal.h"

MAIL_STATEMENT(SELECTABLE, "SELECT count(*) FROM mailbox WHERE id = $1 AND selectable = 1");
MAIL_STATEMENT(STILL_THERE,
               "SELECT id, flags, modseq, keywords FROM message WHERE id BETWEEN $1 AND $2 ORDER BY id");
/* As in view.c: few, and found by their modseq. */
MAIL_STATEMENT(GONE_SINCE,
               "SELECT id FROM expunged WHERE modseq > $3 AND +id BETWEEN $1 AND $2 ORDER BY +id");

/* The uids of messages that are not there any more, and belong into the view nevertheless. */
struct gone {
    struct arena arena;
    uint32_t *v;
    size_t n, at;
};

static int compare_uids(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static bool read_gone(struct sql *db, const struct view_past *past, struct sql_params span, struct gone *g,
                      struct err *e)
{
    struct sql_rows rows;
    size_t cap = 0;
    if (!sql_query(db, &GONE_SINCE, span, &rows, e))
        return false;
    while (sql_next(&rows)) {
        g->v = list_room(&g->arena, g->v, g->n, &cap, sizeof *g->v);
        g->v[g->n++] = message_uid(sql_get_int(&rows, 0));
    }
    for (size_t i = 0; i < past->gone_count; i++) {
        g->v = list_room(&g->arena, g->v, g->n, &cap, sizeof *g->v);
        g->v[g->n++] = past->gone[i];
    }
    if (g->n > 1)
        qsort(g->v, g->n, sizeof *g->v, compare_uids);
    return sql_end(&rows, e);
}

static void add_gone(struct view *v, struct gone *g, uint32_t below)
{
    while (g->at < g->n && g->v[g->at] < below)
        view_add(v, &(struct changed_row){.uid = g->v[g->at++], .modseq = v->modseq});
}

/* What is there, with what is gone between. */
static bool read_rows(struct sql *db, uint32_t changed_flag, struct sql_params span, struct gone *g,
                      struct view *v, struct err *e)
{
    struct sql_rows rows;
    if (!sql_query(db, &STILL_THERE, (struct sql_params){span.v, 2}, &rows, e))
        return false;
    while (sql_next(&rows)) {
        struct changed_row row = {.uid = message_uid(sql_get_int(&rows, 0)),
                                  .flags = (uint32_t)sql_get_int(&rows, 1),
                                  .modseq = (uint64_t)sql_get_int(&rows, 2),
                                  .keywords = sql_get_str(&rows, 3)};
        bool is_changed = row.modseq > v->modseq;
        if (is_changed) /* and so a change is seen to come */
            row.modseq = v->modseq;
        add_gone(v, g, row.uid);
        view_add(v, &row);
        if (is_changed)
            v->v[v->n - 1].flags |= changed_flag;
    }
    add_gone(v, g, UID_MAX);
    return sql_end(&rows, e);
}

static enum store_result load(struct sql *db, const struct view_past *past, uint32_t changed_flag,
                              struct gone *g, struct view *v, struct err *e)
{
    int64_t selectable = 0;
    struct sql_params span =
        SQL(sql_int(message_id(past->mailbox, 0)), sql_int(message_id(past->mailbox, past->last_uid)),
            sql_int((int64_t)past->modseq));
    if (sql_one_int(db, &SELECTABLE, SQL(sql_int(past->mailbox)), &selectable, e) != 1)
        return STORE_FAILED;
    if (selectable == 0) {
        err_set(e, ERR_PERMANENT, "there is no such mailbox any more");
        return STORE_NONE;
    }
    v->modseq = past->modseq;
    if (!read_gone(db, past, span, g, e) || !read_rows(db, changed_flag, span, g, v, e))
        return STORE_FAILED;
    if (v->n == past->messages)
        return STORE_OK;
    err_set(e, ERR_TEMPORARY, "the view had %zu messages, and %zu can be found", past->messages, v->n);
    return STORE_INVALID;
}

enum store_result store_view_past(struct store *s, const struct view_past *past, bool keeps_modseqs,
                                  uint32_t changed_flag, struct view *v, struct err *e)
{
    struct gone g = {.arena = ARENA_INIT};
    view_free(v);
    if (keeps_modseqs)
        v->modseqs = mem_new(1, sizeof *v->modseqs);
    struct connection *c = store_take(s, e);
    if (!c)
        return STORE_FAILED;
    enum store_result r = STORE_FAILED;
    if (sql_begin_read(c->db, e)) {
        r = load(c->db, past, changed_flag, &g, v, e);
        sql_rollback(c->db);
    }
    pool_give(&s->pool, c);
    arena_free(&g.arena);
    return r;
}
