#include "mailbox/catch_up.h"

#include "mailbox/keys.h"
#include "mailbox/search_text.h"

/* Bodies of one transaction. When an answer waits, a commit's fsync should not count; behind delivery a
 * writer should not wait long: some milliseconds. */
#define BATCH_AT_ONCE 1000
#define BATCH_BEHIND  50

/* Of the program's way to work it out: raise it and what is stored is made anew. */
static const int64_t VERSIONS[] = {[CATCH_UP_KEYS] = 1};

MAIL_STATEMENT(PROGRESS, "SELECT version, body FROM catch_up WHERE work = $1");
MAIL_STATEMENT(SET_PROGRESS, "INSERT INTO catch_up(work, version, body) VALUES($1, $2, $3)"
                             " ON CONFLICT(work) DO UPDATE SET version = $2, body = $3");
MAIL_STATEMENT(LAST_BODY, "SELECT coalesce(max(id), 0) FROM body");
MAIL_STATEMENT(NEXT_BODIES, "SELECT id, parts FROM body WHERE id > $1 ORDER BY id LIMIT $2");

struct piece {
    int64_t body;
    struct str parts;
    struct body_keys keys;
    struct str answers;
};

struct batch {
    struct store *store;
    enum catch_up_work work;
    size_t max;
    int64_t from, to; /* done before, done after */
    struct arena arena;
    struct piece *pieces;
    size_t n;
    bool more;
};

/* Bodies that are done: 0 when none is, or when what is stored is of another version. */
static bool read_progress(struct sql *db, enum catch_up_work work, int64_t *body, struct err *e)
{
    struct sql_rows rows;
    *body = 0;
    if (!sql_query(db, &PROGRESS, SQL(sql_int(work)), &rows, e))
        return false;
    if (sql_next(&rows) && sql_get_int(&rows, 0) == VERSIONS[work])
        *body = sql_get_int(&rows, 1);
    return sql_end(&rows, e);
}

/* A body that cannot be read any more has no keys; whoever reads it is told what is wrong with it. */
static void work_out(struct batch *b, struct search_text *t, struct piece *p)
{
    struct err ignored = ERR_INIT;
    struct str header = STR("");
    if (!search_text_header(t, &header, &ignored))
        header = STR("");
    keys_of_header(header, &b->arena, &p->keys, &p->answers);
}

static bool read_bodies(struct batch *b, struct sql *db, struct err *e)
{
    struct sql_rows rows;
    if (!sql_query(db, &NEXT_BODIES, SQL(sql_int(b->from), sql_int((int64_t)b->max + 1)), &rows, e))
        return false;
    while (sql_next(&rows)) {
        b->more = b->n == b->max;
        if (b->more)
            break;
        b->to = sql_get_int(&rows, 0);
        b->pieces[b->n++] =
            (struct piece){.body = b->to, .parts = arena_copy(&b->arena, sql_get_str(&rows, 1))};
    }
    return sql_end(&rows, e);
}

static void work_all_out(struct batch *b, struct connection *c)
{
    struct search_text text;
    search_text_init(&text, c);
    for (size_t i = 0; i < b->n; i++) {
        search_text_start_body(&text, b->pieces[i].body, b->pieces[i].parts);
        work_out(b, &text, &b->pieces[i]);
    }
    search_text_free(&text);
}

static bool prepare(struct batch *b, struct err *e)
{
    struct connection *c = pool_take(&b->store->pool, e);
    if (!c)
        return false;
    bool good = sql_begin_read(c->db, e);
    if (good) {
        good = read_progress(c->db, b->work, &b->from, e) && read_bodies(b, c->db, e);
        if (good)
            work_all_out(b, c);
        sql_rollback(c->db);
    }
    pool_give(&b->store->pool, c);
    return good;
}

static bool write_batch(struct batch *b, struct sql *db, struct err *e)
{
    int64_t from;
    if (!read_progress(db, b->work, &from, e))
        return false;
    if (from != b->from) { /* another process has done it meanwhile */
        b->more = true;
        return true;
    }
    for (size_t i = 0; i < b->n; i++)
        if (!keys_write(db, b->pieces[i].body, &b->pieces[i].keys, b->pieces[i].answers, e))
            return false;
    return sql_exec(db, &SET_PROGRESS, SQL(sql_int(b->work), sql_int(VERSIONS[b->work]), sql_int(b->to)),
                    NULL, e);
}

static bool store_batch(struct batch *b, struct err *e)
{
    struct change ch;
    if (change_open(b->store, &ch, e) != STORE_OK)
        return false;
    if (!write_batch(b, ch.db, e)) {
        change_cancel(&ch);
        return false;
    }
    return change_commit(&ch, e) == STORE_OK;
}

static bool do_batch(struct store *s, enum catch_up_work work, size_t max, bool *more, struct err *e)
{
    struct batch b = {.store = s, .work = work, .max = max, .arena = ARENA_INIT};
    b.pieces = ARENA_ARRAY(&b.arena, struct piece, max);
    pthread_mutex_lock(&s->catching_up);
    bool good = prepare(&b, e) && (b.n == 0 || store_batch(&b, e));
    pthread_mutex_unlock(&s->catching_up);
    *more = b.more;
    arena_free(&b.arena);
    return good;
}

/* Whether all is done, which is the rule, costs two look-ups. */
static bool is_done(struct store *s, enum catch_up_work work, bool *done, struct err *e)
{
    struct connection *c = pool_take(&s->pool, e);
    if (!c)
        return false;
    int64_t body, last = 0;
    bool good =
        read_progress(c->db, work, &body, e) && sql_one_int(c->db, &LAST_BODY, SQL_NONE, &last, e) >= 0;
    pool_give(&s->pool, c);
    *done = good && body >= last;
    return good;
}

bool catch_up_finish(struct store *s, enum catch_up_work work, struct err *e)
{
    bool done;
    if (!is_done(s, work, &done, e))
        return false;
    for (bool more = !done; more;)
        if (!do_batch(s, work, BATCH_AT_ONCE, &more, e))
            return false;
    return true;
}

enum store_result store_catch_up(struct store *s, bool *more, struct err *e)
{
    *more = false;
    return do_batch(s, CATCH_UP_KEYS, BATCH_BEHIND, more, e) ? STORE_OK : STORE_FAILED;
}
