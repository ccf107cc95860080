/* Segments of the full text index become fewer: neighbours of about one size are merged, and words of bodies
 * that are gone are left out. What is merged is worked out while others read and write; only putting it in
 * the place of what it is made of is a transaction. */
#include "mailbox/word_block.h"

#define MERGE_COUNT       8 /* neighbours that make one: each word is written again once for eightfold growth */
/* A segment larger than this stays as it is: a merge is written in some tens of milliseconds. */
#define SEGMENT_BYTES_MAX ((int64_t)8 * 1024 * 1024)
#define GONE_PARTS        4 /* a segment that has lost one body of so many is written anew */
#define SEGMENTS_MAX      100000
#define CLASSES           4 /* sizes from 4 KiB up, each MERGE_COUNT times the one before */

MAIL_STATEMENT(ALL_SEGMENTS,
               "SELECT id, first_body, last_body, bodies, gone, bytes FROM word_segment ORDER BY id");
MAIL_STATEMENT(BLOCK, "SELECT words, postings FROM word_block WHERE id = $1");
MAIL_STATEMENT(BODIES, "SELECT id FROM body WHERE id BETWEEN $1 AND $2 ORDER BY id");
MAIL_STATEMENT(DELETE_SEGMENTS, "DELETE FROM word_segment WHERE id BETWEEN $1 AND $2");
MAIL_STATEMENT(DELETE_BLOCKS, "DELETE FROM word_block WHERE id BETWEEN $1 AND $2");
MAIL_STATEMENT(FORGET, "UPDATE word_segment SET gone = gone + 1 WHERE first_body <= $1 AND last_body >= $1");

bool word_index_clear(struct sql *db, struct err *e)
{
    return sql_exec(db, &DELETE_SEGMENTS, SQL(sql_int(0), sql_int(INT64_MAX)), NULL, e) &&
           sql_exec(db, &DELETE_BLOCKS, SQL(sql_int(0), sql_int(INT64_MAX)), NULL, e);
}

bool word_index_forget(struct sql *db, int64_t body, struct err *e)
{
    return sql_exec(db, &FORGET, SQL(sql_int(body)), NULL, e);
}

/* --- a segment as it is read, word after word --- */

struct source {
    int64_t id, first_body, last_body, bodies, gone, bytes;
    int64_t block;
    struct buf words, postings; /* of the block */
    struct str words_left, postings_left;
    struct str word, list; /* the next; word.n 0: no more */
};

struct merge {
    struct sql *db;
    struct source *sources;
    size_t n;
    struct arena arena;
    uint64_t *live; /* of the bodies from first_body on: which are still there */
    int64_t first_body, last_body, bodies;
    struct postings list; /* of the word that is merged */
    struct segment_writer writer;
    struct err *e;
};

static bool read_block(struct merge *m, struct source *s, bool *found)
{
    struct sql_rows rows;
    int64_t id = block_id(s->id, s->block++);
    if (!sql_query(m->db, &BLOCK, SQL(sql_int(id)), &rows, m->e))
        return false;
    *found = sql_next(&rows);
    bool good = !*found || words_expand(sql_get_str(&rows, 0), &s->words, m->e);
    buf_reset(&s->postings);
    if (*found)
        buf_add(&s->postings, sql_get_str(&rows, 1));
    struct err end = ERR_INIT;
    good = sql_end(&rows, good ? m->e : &end) && good;
    s->words_left = *found ? buf_str(&s->words) : STR("");
    s->postings_left = buf_str(&s->postings);
    return good;
}

static bool next_word(struct merge *m, struct source *s)
{
    bool found = true;
    s->word = STR("");
    while (found && s->words_left.n == 0)
        if (!read_block(m, s, &found))
            return false;
    if (!words_take(&s->words_left, &s->word))
        return true;
    return postings_take(&s->postings_left, &s->list) ||
           err_set(m->e, ERR_INTERNAL, "segment %lld of the index of words is damaged", (long long)s->id);
}

static const struct source *least(const struct merge *m)
{
    const struct source *least = NULL;
    for (size_t i = 0; i < m->n; i++)
        if (m->sources[i].word.n > 0 && (!least || str_compare(m->sources[i].word, least->word) < 0))
            least = &m->sources[i];
    return least;
}

static void add_list(struct merge *m, const struct source *s)
{
    struct postings_reader r = {.rest = s->list, .last = s->first_body - 1};
    for (int64_t body; postings_next(&r, &body);)
        if (body >= m->first_body && body <= m->last_body && word_set_has(m->live, body - m->first_body))
            postings_add(&m->list, body);
}

/* One word of all that have it. Sources are in the order of their bodies. */
static bool merge_word(struct merge *m, struct str least_word)
{
    CLEAN_BUF struct buf word; /* the sources go on meanwhile */
    buf_init(&word, WORD_MAX + 1);
    buf_add(&word, least_word);
    postings_init(&m->list, m->first_body);
    for (size_t i = 0; i < m->n; i++) {
        struct source *s = &m->sources[i];
        if (!str_eq(s->word, buf_str(&word)))
            continue;
        add_list(m, s);
        if (!next_word(m, s))
            return false;
    }
    postings_finish(&m->list);
    if (m->list.bytes.n > 0) /* else all that had it are gone */
        segment_writer_add(&m->writer, buf_str(&word), buf_str(&m->list.bytes));
    return true;
}

static bool merge_words(struct merge *m)
{
    for (size_t i = 0; i < m->n; i++)
        if (!next_word(m, &m->sources[i]))
            return false;
    for (const struct source *s; (s = least(m));)
        if (!merge_word(m, s->word))
            return false;
    segment_writer_finish(&m->writer);
    return true;
}

static bool read_live(struct merge *m)
{
    struct sql_rows rows;
    m->live = ARENA_ARRAY(&m->arena, uint64_t, (size_t)(m->last_body - m->first_body) / 64 + 1);
    if (!sql_query(m->db, &BODIES, SQL(sql_int(m->first_body), sql_int(m->last_body)), &rows, m->e))
        return false;
    while (sql_next(&rows)) {
        int64_t at = sql_get_int(&rows, 0) - m->first_body;
        m->live[at / 64] |= (uint64_t)1 << (at % 64);
        m->bodies++;
    }
    return sql_end(&rows, m->e);
}

/* --- which --- */

static bool read_sources(struct sql *db, struct arena *a, struct source **sources, size_t *n, struct err *e)
{
    struct sql_rows rows;
    size_t cap = 0;
    *n = 0;
    if (!sql_query(db, &ALL_SEGMENTS, SQL_NONE, &rows, e))
        return false;
    while (*n < SEGMENTS_MAX && sql_next(&rows)) {
        *sources = list_room(a, *sources, *n, &cap, sizeof **sources);
        (*sources)[(*n)++] =
            (struct source){sql_get_int(&rows, 0), sql_get_int(&rows, 1), sql_get_int(&rows, 2),
                            sql_get_int(&rows, 3), sql_get_int(&rows, 4), sql_get_int(&rows, 5)};
    }
    return sql_end(&rows, e);
}

/* Size classes of factor MERGE_COUNT. */
static int class_of(const struct source *s)
{
    int class = 0;
    for (int64_t bytes = s->bytes / 4096; bytes > 0; bytes /= MERGE_COUNT)
        class ++;
    return class;
}

static bool is_mostly_gone(const struct source *s)
{
    return s->gone > 0 && s->gone * GONE_PARTS >= s->bodies;
}

/* MERGE_COUNT neighbours of a class or below it. */
static bool find_run(const struct source *all, size_t n, int class, size_t *from)
{
    for (size_t i = 0, run = 0; i < n; i++) {
        bool is_small = all[i].bytes < SEGMENT_BYTES_MAX / MERGE_COUNT && class_of(&all[i]) <= class;
        run = is_small ? run + 1 : 0;
        if (run == MERGE_COUNT) {
            *from = i + 1 - run;
            return true;
        }
    }
    return false;
}

static bool choose(const struct source *all, size_t n, size_t *from, size_t *count)
{
    *count = 1;
    for (*from = 0; *from < n; ++*from)
        if (is_mostly_gone(&all[*from]))
            return true;
    *count = MERGE_COUNT;
    for (int class = 0; class < CLASSES; class ++)
        if (find_run(all, n, class, from))
            return true;
    return false;
}

/* --- doing it --- */

static bool merge_store(struct merge *m, struct sql *db)
{
    int64_t first = m->sources[0].id, last = m->sources[m->n - 1].id, deleted;
    if (!sql_exec(db, &DELETE_SEGMENTS, SQL(sql_int(first), sql_int(last)), &deleted, m->e) ||
        !sql_exec(db, &DELETE_BLOCKS, SQL(sql_int(block_id(first, 0)), sql_int(block_id(last + 1, 0) - 1)),
                  NULL, m->e))
        return false;
    if (deleted != (int64_t)m->n)
        return err_set(m->e, ERR_TEMPORARY, "another process has merged the index of words");
    if (m->bodies == 0)
        return true;
    return segment_writer_store(&m->writer, db, first, m->first_body, m->last_body, m->bodies, m->e);
}

static bool merge_put(struct store *s, struct merge *m)
{
    struct change ch;
    if (change_open(s, &ch, m->e) != STORE_OK)
        return false;
    if (!merge_store(m, ch.db)) {
        change_cancel(&ch);
        return false;
    }
    return change_commit(&ch, m->e) == STORE_OK;
}

static void free_merge(struct merge *m)
{
    for (size_t i = 0; i < m->n; i++) {
        buf_free(&m->sources[i].words);
        buf_free(&m->sources[i].postings);
    }
    buf_free(&m->list.bytes);
    segment_writer_free(&m->writer);
    arena_free(&m->arena);
}

static bool read_and_merge(struct merge *m)
{
    struct source *all = NULL;
    size_t n, from, count;
    if (!read_sources(m->db, &m->arena, &all, &n, m->e))
        return false;
    if (!all || !choose(all, n, &from, &count))
        return true;
    m->sources = &all[from];
    m->n = count;
    for (size_t i = 0; i < count; i++) {
        buf_init(&m->sources[i].words, BUF_MAX_DEFAULT);
        buf_init(&m->sources[i].postings, BUF_MAX_DEFAULT);
    }
    m->first_body = all[from].first_body;
    m->last_body = all[from + count - 1].last_body;
    return read_live(m) && merge_words(m);
}

static bool prepare(struct store *s, struct merge *m)
{
    struct connection *c = store_take(s, m->e);
    if (!c)
        return false;
    m->db = c->db;
    bool good = sql_begin_read(c->db, m->e);
    if (good) {
        good = read_and_merge(m);
        sql_rollback(c->db);
    }
    pool_give(&s->pool, c);
    return good;
}

bool word_index_merge(struct store *s, bool *more, struct err *e)
{
    struct merge m = {.e = e};
    buf_init(&m.list.bytes, BUF_MAX_DEFAULT);
    segment_writer_init(&m.writer);
    bool good = prepare(s, &m) && (m.n == 0 || merge_put(s, &m));
    *more = m.n > 0;
    free_merge(&m);
    return good;
}
