#include "mailbox/catch_up.h"

#include "mailbox/body_pack.h"
#include "mailbox/keys.h"
#include "mailbox/search_text.h"
#include "mailbox/word_index.h"
#include "message/search_fold.h"

/* Bodies of one transaction. When an answer waits, a commit's fsync should not count; behind delivery a
 * writer should not wait long: some milliseconds. */
#define BATCH_AT_ONCE 1000
#define BATCH_BEHIND  200
#define BATCH_PACKED  (4 * PACK_BODIES) /* several packs */
/* Of text, after which a batch ends: some memory, and some tens of milliseconds. */
#define BATCH_BYTES   ((size_t)4 * 1024 * 1024)

/* Of the program's way to work it out: raise it and what is stored is made anew. Words are as they are
 * folded. */
static const int64_t VERSIONS[] = {
    [CATCH_UP_KEYS] = 1, [CATCH_UP_WORDS] = 1000 + SEARCH_FOLD_VERSION, [CATCH_UP_PACKS] = 1};

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
    struct word_builder *words; /* CATCH_UP_WORDS */
};

bool catch_up_progress(struct sql *db, enum catch_up_work work, int64_t *body, struct err *e)
{
    struct sql_rows rows;
    *body = 0; /* when none is, or when what is stored is of another version */
    if (!sql_query(db, &PROGRESS, SQL(sql_int(work)), &rows, e))
        return false;
    if (sql_next(&rows) && sql_get_int(&rows, 0) == VERSIONS[work])
        *body = sql_get_int(&rows, 1);
    return sql_end(&rows, e);
}

bool catch_up_set(struct sql *db, enum catch_up_work work, int64_t body, struct err *e)
{
    return sql_exec(db, &SET_PROGRESS, SQL(sql_int(work), sql_int(VERSIONS[work]), sql_int(body)), NULL, e);
}

static bool read_bodies(struct batch *b, struct sql *db, struct err *e)
{
    struct sql_rows rows;
    size_t cap = 0;
    if (!sql_query(db, &NEXT_BODIES, SQL(sql_int(b->from), sql_int((int64_t)b->max + 1)), &rows, e))
        return false;
    while (sql_next(&rows)) {
        b->more = b->n == b->max;
        if (b->more)
            break;
        b->pieces = list_room(&b->arena, b->pieces, b->n, &cap, sizeof *b->pieces);
        b->pieces[b->n++] = (struct piece){.body = sql_get_int(&rows, 0),
                                           .parts = arena_copy(&b->arena, sql_get_str(&rows, 1))};
    }
    return sql_end(&rows, e);
}

/* A body that cannot be read any more has no keys; whoever reads it is told what is wrong with it. */
static void make_keys(struct batch *b, struct search_text *t, struct piece *p)
{
    struct err ignored = ERR_INIT;
    struct str header = STR("");
    if (!search_text_header(t, &header, &ignored))
        header = STR("");
    keys_of_header(header, &b->arena, &p->keys, &p->answers);
}

static void work_out(struct batch *b, struct connection *c)
{
    struct search_text text;
    size_t done = 0;
    search_text_init(&text, c);
    for (; done < b->n && (!b->words || word_builder_bytes(b->words) < BATCH_BYTES); done++) {
        struct piece *p = &b->pieces[done];
        search_text_start_body(&text, p->body, p->parts);
        if (b->words)
            word_builder_add(b->words, p->body, &text);
        else
            make_keys(b, &text, p);
        b->to = p->body;
    }
    search_text_free(&text);
    b->more |= done < b->n;
    b->n = done;
}

static bool prepare(struct batch *b, struct err *e)
{
    struct connection *c = store_take(b->store, e);
    if (!c)
        return false;
    bool good = sql_begin_read(c->db, e);
    if (good) {
        good = catch_up_progress(c->db, b->work, &b->from, e) && read_bodies(b, c->db, e);
        if (good)
            work_out(b, c);
        sql_rollback(c->db);
    }
    pool_give(&b->store->pool, c);
    if (b->words)
        word_builder_finish(b->words);
    return good;
}

static bool write_keys(struct batch *b, struct sql *db, struct err *e)
{
    for (size_t i = 0; i < b->n; i++)
        if (!keys_write(db, b->pieces[i].body, &b->pieces[i].keys, b->pieces[i].answers, e))
            return false;
    return true;
}

/* Of another version, if there is something. */
static bool write_words(struct batch *b, struct sql *db, struct err *e)
{
    return (b->from > 0 || word_index_clear(db, e)) && word_builder_write(b->words, db, e);
}

static bool write_batch(struct batch *b, struct sql *db, struct err *e)
{
    int64_t from;
    if (!catch_up_progress(db, b->work, &from, e))
        return false;
    if (from != b->from) { /* another process has done it meanwhile */
        b->more = true;
        return true;
    }
    return (b->words ? write_words(b, db, e) : write_keys(b, db, e)) &&
           sql_exec(db, &SET_PROGRESS, SQL(sql_int(b->work), sql_int(VERSIONS[b->work]), sql_int(b->to)),
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

/* Called under store.catching_up. */
static bool do_batch(struct store *s, enum catch_up_work work, size_t max, bool *more, struct err *e)
{
    struct batch b = {.store = s, .work = work, .max = max, .arena = ARENA_INIT};
    b.words = work == CATCH_UP_WORDS ? word_builder_new() : NULL;
    bool good = prepare(&b, e) && (b.n == 0 || store_batch(&b, e));
    *more = b.more;
    if (b.words)
        word_builder_free(b.words);
    arena_free(&b.arena);
    return good;
}

/* Bodies that wait, at most: ids may be missing. That there is none, the rule, costs two look-ups. */
static bool count_waiting(struct store *s, enum catch_up_work work, int64_t *waiting, struct err *e)
{
    struct connection *c = store_take(s, e);
    int64_t body, last = 0;
    if (!c)
        return false;
    bool good =
        catch_up_progress(c->db, work, &body, e) && sql_one_int(c->db, &LAST_BODY, SQL_NONE, &last, e) >= 0;
    pool_give(&s->pool, c);
    *waiting = good && last > body ? last - body : 0;
    return good;
}

static bool finish(struct store *s, enum catch_up_work work, int64_t most, struct err *e)
{
    int64_t waiting;
    if (!count_waiting(s, work, &waiting, e))
        return false;
    bool more = waiting > 0 && waiting <= most, good = true;
    while (good && more) {
        pthread_mutex_lock(&s->catching_up);
        good = do_batch(s, work, BATCH_AT_ONCE, &more, e);
        pthread_mutex_unlock(&s->catching_up);
    }
    return good;
}

bool catch_up_finish(struct store *s, enum catch_up_work work, struct err *e)
{
    return finish(s, work, INT64_MAX, e);
}

bool catch_up_try(struct store *s, enum catch_up_work work, struct err *e)
{
    return finish(s, work, CATCH_UP_WAIT_MAX, e);
}

bool catch_up_again(struct store *s, enum catch_up_work work, struct err *e)
{
    struct change ch;
    if (change_open(s, &ch, e) != STORE_OK)
        return false;
    if (catch_up_set(ch.db, work, 0, e))
        return change_commit(&ch, e) == STORE_OK;
    change_cancel(&ch);
    return false;
}

static bool make_words(struct store *s, bool *more, struct err *e)
{
    return do_batch(s, CATCH_UP_KEYS, BATCH_BEHIND, more, e) &&
           (*more || do_batch(s, CATCH_UP_WORDS, BATCH_BEHIND, more, e)) &&
           (*more || word_index_merge(s, more, e));
}

/* Of the room that a burst has taken, once its bodies are in packs. */
static bool give_back(struct store *s, bool *more, struct err *e)
{
    struct connection *c = store_take(s, e);
    if (!c)
        return false;
    pthread_mutex_lock(&s->writer);
    bool good = sql_give_back(c->db, &s->gives_back, e);
    pthread_mutex_unlock(&s->writer);
    pool_give(&s->pool, c);
    *more = s->gives_back;
    return good;
}

enum store_result store_catch_up(struct store *s, bool *more, struct err *e)
{
    bool packs_more = false;
    *more = false;
    struct err failure = ERR_INIT;
    pthread_mutex_lock(&s->catching_up);
    /* First: the pages that it frees are used by the others. They go on without it, should it fail. */
    bool packed = pack_more(s, BATCH_PACKED, &packs_more, &failure);
    packs_more &= packed;
    bool good = packs_more || (make_words(s, more, e) && (*more || give_back(s, more, e)));
    pthread_mutex_unlock(&s->catching_up);
    *more |= packs_more;
    if (good && !packed)
        err_set(e, failure.kind, "%s", failure.text);
    return good && packed ? STORE_OK : STORE_FAILED;
}
