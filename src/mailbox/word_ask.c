/* Searches in the full text index: one pass over all words. */
#include "mailbox/fuzzy.h"
#include "mailbox/word_block.h"
#include "message/search_fold.h"

#include <stdlib.h>

#define BLOCKS_AT_ONCE 64 /* that one query of the database gives */

MAIL_STATEMENT(SEGMENTS, "SELECT id, first_body FROM word_segment ORDER BY id");
MAIL_STATEMENT(BLOCKS, "SELECT id, words FROM word_block WHERE id BETWEEN $1 AND $2 ORDER BY id LIMIT 64");
MAIL_STATEMENT(POSTINGS, "SELECT postings FROM word_block WHERE id = $1");

struct asking {
    struct sql *db;
    struct word_query *queries;
    size_t n;
    int64_t limit; /* bits of a set */
    uint64_t *unread;
    int64_t first_body; /* of the segment */
    struct buf words;
    struct err *e;
};

/* A word of the block that somebody asks for. */
struct hit {
    uint64_t *set;
    size_t ordinal;
};
struct hits {
    struct hit *v;
    size_t n, cap;
    struct arena arena;
};

static void add_hit(struct hits *h, uint64_t *set, size_t ordinal)
{
    h->v = list_room(&h->arena, h->v, h->n, &h->cap, sizeof *h->v);
    h->v[h->n++] = (struct hit){set, ordinal};
}

static bool is_near(const struct word_query *q, struct str letters)
{
    for (struct str word; search_word(&letters, &word);)
        if (fuzzy_compare(q->word, word) > 0)
            return true;
    return false;
}

static bool is_match(const struct word_query *q, struct str word)
{
    unsigned place = WORD_PLACE((unsigned char)word.p[0]);
    struct str letters = str_from_offset(word, 1);
    if (!(q->places & place))
        return false;
    switch (q->match) {
    case WORD_EQUALS:
        if (!(place & WORD_ADDRESSES))
            return str_eq(letters, q->word);
        __attribute__((fallthrough));
    case WORD_CONTAINS: return str_find(letters, q->word) != STR_NONE;
    case WORD_NEAR: return is_near(q, letters);
    }
    return false;
}

/* What is near has to be compared with each word. */
static void look_at_each(struct asking *a, const struct word_query *q, struct hits *h)
{
    struct str rest = buf_str(&a->words), word;
    for (size_t ordinal = 0; words_take(&rest, &word); ordinal++)
        if (is_match(q, word))
            add_hit(h, q->bodies, ordinal);
}

static size_t count_words(struct str words)
{
    size_t n = 0;
    for (size_t i = 0; i < words.n; i++)
        n += (unsigned char)words.p[i] < WORD_PLACES;
    return n;
}

/* What is contained is found in all of the block's text at once; then the word around it. */
static void look_through(struct asking *a, const struct word_query *q, struct hits *h)
{
    struct str text = buf_str(&a->words);
    size_t at = 0, ordinal = 0; /* words that begin before `at` */
    for (size_t found; (found = str_find(str_from_offset(text, at), q->word)) != STR_NONE;) {
        size_t start = at + found, end = start + q->word.n;
        while ((unsigned char)text.p[start] >= WORD_PLACES)
            start--;
        while (end < text.n && (unsigned char)text.p[end] >= WORD_PLACES)
            end++;
        ordinal += count_words(str_slice(text, at, start - at));
        if (is_match(q, str_slice(text, start, end - start)))
            add_hit(h, q->bodies, ordinal);
        ordinal++;
        at = end;
    }
}

static int compare_hits(const void *a, const void *b)
{
    size_t x = ((const struct hit *)a)->ordinal, y = ((const struct hit *)b)->ordinal;
    return x < y ? -1 : x > y;
}

static bool mark(struct asking *a, struct str list, uint64_t *set)
{
    struct postings_reader r = {.rest = list, .last = a->first_body - 1};
    int64_t body;
    while (postings_next(&r, &body)) {
        if (body < 0 || body >= a->limit)
            return false;
        set[body / 64] |= (uint64_t)1 << (body % 64);
    }
    return r.rest.n == 0;
}

static bool mark_hits(struct asking *a, const struct hits *h, struct str postings)
{
    struct str list = STR("");
    size_t taken = 0;
    for (size_t i = 0; i < h->n; i++) {
        for (; taken <= h->v[i].ordinal; taken++)
            if (!postings_take(&postings, &list))
                return false;
        if (!mark(a, list, h->v[i].set))
            return false;
    }
    return true;
}

static bool read_postings(struct asking *a, int64_t block, struct hits *h)
{
    struct sql_rows rows;
    if (!sql_query(a->db, &POSTINGS, SQL(sql_int(block)), &rows, a->e))
        return false;
    if (h->n > 1)
        qsort(h->v, h->n, sizeof *h->v, compare_hits);
    bool good = sql_next(&rows) && mark_hits(a, h, sql_get_str(&rows, 0));
    if (!sql_end(&rows, a->e))
        return false;
    return good ||
           err_set(a->e, ERR_INTERNAL, "block %lld of the index of words is damaged", (long long)block);
}

static void look_at_block(struct asking *a, struct hits *h)
{
    if (a->words.n > 0 && a->words.p[0] == WORD_NONE)
        add_hit(h, a->unread, 0);
    for (size_t i = 0; i < a->n; i++)
        if (a->queries[i].match == WORD_NEAR)
            look_at_each(a, &a->queries[i], h);
        else
            look_through(a, &a->queries[i], h);
}

struct found_block {
    int64_t id;
    struct hits hits;
};

/* The next blocks of the segment: their words first, then the postings of those that matter. */
static bool ask_blocks(struct asking *a, int64_t from, int64_t to, int64_t *next)
{
    struct sql_rows rows;
    struct found_block found[BLOCKS_AT_ONCE];
    size_t n = 0, count = 0;
    if (!sql_query(a->db, &BLOCKS, SQL(sql_int(from), sql_int(to)), &rows, a->e))
        return false;
    bool good = true;
    while (good && count < BLOCKS_AT_ONCE && sql_next(&rows)) {
        found[n] = (struct found_block){.id = sql_get_int(&rows, 0)};
        good = words_expand(sql_get_str(&rows, 1), &a->words, a->e);
        *next = found[n].id + 1;
        count++;
        if (good)
            look_at_block(a, &found[n].hits);
        n += found[n].hits.n > 0;
    }
    if (count < BLOCKS_AT_ONCE)
        *next = to + 1;
    struct err end = ERR_INIT;
    if (!sql_end(&rows, good ? a->e : &end))
        good = false;
    for (size_t i = 0; i < n; i++) {
        good = good && read_postings(a, found[i].id, &found[i].hits);
        arena_free(&found[i].hits.arena);
    }
    return good;
}

static bool ask_segment(struct asking *a, int64_t segment)
{
    int64_t to = block_id(segment + 1, 0) - 1;
    for (int64_t from = block_id(segment, 0); from <= to;)
        if (!ask_blocks(a, from, to, &from))
            return false;
    return true;
}

struct segment {
    int64_t id, first_body;
};

static bool read_segments(struct asking *a, struct arena *arena, struct segment **segments, size_t *n)
{
    struct sql_rows rows;
    size_t cap = 0;
    *n = 0;
    *segments = NULL;
    if (!sql_query(a->db, &SEGMENTS, SQL_NONE, &rows, a->e))
        return false;
    while (sql_next(&rows)) {
        *segments = list_room(arena, *segments, *n, &cap, sizeof **segments);
        (*segments)[(*n)++] = (struct segment){sql_get_int(&rows, 0), sql_get_int(&rows, 1)};
    }
    return sql_end(&rows, a->e);
}

static bool ask_all(struct asking *a)
{
    CLEAN_ARENA struct arena arena = ARENA_INIT;
    struct segment *segments;
    size_t n;
    if (!read_segments(a, &arena, &segments, &n))
        return false;
    for (size_t i = 0; i < n; i++) {
        a->first_body = segments[i].first_body;
        if (!ask_segment(a, segments[i].id))
            return false;
    }
    return true;
}

bool word_index_ask(struct sql *db, struct word_query *queries, size_t n, int64_t indexed, struct arena *a,
                    struct word_answer *out, struct err *e)
{
    size_t words = (size_t)(indexed + 1) / 64 + 1;
    *out = (struct word_answer){.bodies = indexed + 1, .unread = ARENA_ARRAY(a, uint64_t, words)};
    for (size_t i = 0; i < n; i++)
        queries[i].bodies = ARENA_ARRAY(a, uint64_t, words);
    struct asking asking = {
        .db = db, .queries = queries, .n = n, .limit = (int64_t)words * 64, .unread = out->unread, .e = e};
    buf_init(&asking.words, BUF_MAX_DEFAULT);
    bool good = ask_all(&asking);
    buf_free(&asking.words);
    return good;
}
