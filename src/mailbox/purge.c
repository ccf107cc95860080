/* What was expunged long enough ago goes for good, and with it the bodies that no message is left of. */
#include "base/mem.h"
#include "mailbox/internal.h"
#include "mailbox/keys.h"
#include "mailbox/word_index.h"

#define PURGE_BATCH 2000 /* rows of one transaction: the writers in between wait a moment, not minutes */

MAIL_STATEMENT(OLDEST, "SELECT modseq, id, body, expunged_at FROM expunged ORDER BY modseq, id LIMIT $1");
MAIL_STATEMENT(DELETE_OLDEST, "DELETE FROM expunged WHERE (modseq, id) <= ($1, $2)");
/* What a client does not know of since before this, QRESYNC must find out in another way. */
MAIL_STATEMENT(NOTE_PURGED, "UPDATE mailbox SET purged_modseq = $1 WHERE id = 0");
/* A page behind the row ($1, $2), which the next page's begin with: a server holds its answer in memory. */
#define PAGE_ROWS 20000
MAIL_STATEMENT(LIVE_BODIES, "SELECT body, id, 0 FROM message WHERE id > $1 AND $2 >= 0 ORDER BY id LIMIT $3");
MAIL_STATEMENT(KEPT_BODIES, "SELECT body, modseq, id FROM expunged WHERE (modseq, id) > ($1, $2)"
                            " ORDER BY modseq, id LIMIT $3");

struct purge {
    int64_t *bodies; /* of the rows that go; sorted, each once */
    bool *used;      /* by a message that stays */
    size_t n;
    size_t rows;
    int64_t last_modseq, last_id;
};

static int compare_bodies(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static bool read_oldest(struct sql *db, int64_t before, struct purge *p, struct err *e)
{
    struct sql_rows rows;
    if (!sql_query(db, &OLDEST, SQL(sql_int(PURGE_BATCH)), &rows, e))
        return false;
    while (p->rows < PURGE_BATCH && sql_next(&rows) && sql_get_int(&rows, 3) < before) {
        p->last_modseq = sql_get_int(&rows, 0);
        p->last_id = sql_get_int(&rows, 1);
        p->bodies[p->rows++] = sql_get_int(&rows, 2);
    }
    if (!sql_end(&rows, e))
        return false;
    qsort(p->bodies, p->rows, sizeof *p->bodies, compare_bodies);
    for (size_t i = 0; i < p->rows; i++) /* without the 0 of what was in Recently Deleted */
        if (p->bodies[i] > 0 && (p->n == 0 || p->bodies[i] != p->bodies[p->n - 1]))
            p->bodies[p->n++] = p->bodies[i];
    return true;
}

/* A pass over small rows, once in a while, instead of a count that every copy would have to keep. */
static bool mark_used(struct sql *db, const struct sql_statement *from, struct purge *p, struct err *e)
{
    int64_t first = 0, second = 0;
    size_t read = PAGE_ROWS;
    while (read == PAGE_ROWS) {
        struct sql_rows rows;
        read = 0;
        if (!sql_query(db, from, SQL(sql_int(first), sql_int(second), sql_int(PAGE_ROWS)), &rows, e))
            return false;
        for (; sql_next(&rows); read++) {
            int64_t body = sql_get_int(&rows, 0);
            int64_t *at = bsearch(&body, p->bodies, p->n, sizeof body, compare_bodies);
            if (at)
                p->used[at - p->bodies] = true;
            first = sql_get_int(&rows, 1);
            second = sql_get_int(&rows, 2);
        }
        if (!sql_end(&rows, e))
            return false;
    }
    return true;
}

static bool purge_batch(struct sql *db, int64_t before, struct purge *p, struct err *e)
{
    if (!read_oldest(db, before, p, e))
        return false;
    if (p->rows == 0)
        return true;
    if (!sql_exec(db, &DELETE_OLDEST, SQL(sql_int(p->last_modseq), sql_int(p->last_id)), NULL, e) ||
        !sql_exec(db, &NOTE_PURGED, SQL(sql_int(p->last_modseq)), NULL, e) ||
        !mark_used(db, &LIVE_BODIES, p, e) || !mark_used(db, &KEPT_BODIES, p, e))
        return false;
    for (size_t i = 0; i < p->n; i++)
        if (!p->used[i] && (!keys_delete(db, p->bodies[i], e) || !word_index_forget(db, p->bodies[i], e) ||
                            !body_delete(db, p->bodies[i], e)))
            return false;
    return true;
}

static bool purge_some(struct store *s, int64_t before, struct purge *p, struct err *e)
{
    struct change ch;
    if (change_open(s, &ch, e) != STORE_OK)
        return false;
    if (purge_batch(ch.db, before, p, e))
        return change_commit(&ch, e) == STORE_OK;
    change_cancel(&ch);
    return false;
}

enum store_result store_purge(struct store *s, int64_t now, int64_t kept_s, struct err *e)
{
    CLEAN_FREE int64_t *bodies = mem_new(PURGE_BATCH, sizeof *bodies);
    CLEAN_FREE bool *used = mem_new(PURGE_BATCH, sizeof *used);
    /* First: whoever finds a message there finds its body. */
    bool good = recently_deleted_purge(s, now - kept_s, e);
    for (struct purge p = {.rows = PURGE_BATCH}; good && p.rows == PURGE_BATCH;) {
        memset(used, 0, PURGE_BATCH * sizeof *used);
        p = (struct purge){.bodies = bodies, .used = used};
        pthread_mutex_lock(&s->catching_up); /* what is being worked out of a body must not outlive it */
        good = purge_some(s, now - kept_s, &p, e);
        pthread_mutex_unlock(&s->catching_up);
    }
    return good ? STORE_OK : STORE_FAILED;
}
