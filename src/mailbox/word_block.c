#include "mailbox/word_block.h"

#include <zstd.h>

#define WORDS_LEVEL  3 /* of zstd: words are sorted, and shrink to a third */
#define WORDS_MAX    (BLOCK_WORDS + WORD_MAX + 2)
#define POSTINGS_MAX ((size_t)256 * 1024 * 1024) /* one word in every body of a segment, at worst */

MAIL_STATEMENT(INSERT_BLOCK, "INSERT INTO word_block(id, words, postings) VALUES($1, $2, $3)");
MAIL_STATEMENT(INSERT_SEGMENT, "INSERT INTO word_segment(id, first_body, last_body, bodies, gone, bytes)"
                               " VALUES($1, $2, $3, $4, 0, $5)");

static void put_number(struct buf *out, uint64_t n)
{
    char bytes[10];
    size_t at = 0;
    for (; n >= 0x80; n >>= 7)
        bytes[at++] = (char)(n | 0x80);
    bytes[at++] = (char)n;
    buf_add(out, str_from(bytes, at));
}

static bool take_number(struct str *rest, uint64_t *n)
{
    *n = 0;
    for (unsigned shift = 0, at = 0; shift < 63 && at < rest->n; shift += 7, at++) {
        unsigned char byte = (unsigned char)rest->p[at];
        *n |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *rest = str_from_offset(*rest, at + 1);
            return true;
        }
    }
    return false;
}

void postings_init(struct postings *p, int64_t first_body)
{
    buf_reset(&p->bytes);
    p->last = first_body - 1;
    p->run = 0;
}

static void end_run(struct postings *p)
{
    if (p->run > 0)
        put_number(&p->bytes, p->run * 2 + 1);
    p->run = 0;
}

void postings_add(struct postings *p, int64_t body)
{
    if (body == p->last + 1) {
        p->run++;
    } else {
        end_run(p);
        put_number(&p->bytes, (uint64_t)(body - p->last) * 2);
    }
    p->last = body;
}

void postings_finish(struct postings *p)
{
    end_run(p);
}

bool postings_next(struct postings_reader *r, int64_t *body)
{
    if (r->run == 0) {
        uint64_t n;
        if (!take_number(&r->rest, &n) || n < 2)
            return false;
        if (n % 2 == 0) {
            *body = r->last += (int64_t)(n / 2);
            return true;
        }
        r->run = n / 2;
    }
    r->run--;
    *body = ++r->last;
    return true;
}

bool postings_take(struct str *rest, struct str *list)
{
    uint64_t n;
    if (!take_number(rest, &n) || n > rest->n)
        return false;
    *list = str_slice(*rest, 0, n);
    *rest = str_from_offset(*rest, n);
    return true;
}

bool words_take(struct str *rest, struct str *word)
{
    if (rest->n == 0)
        return false;
    size_t n = 1;
    while (n < rest->n && (unsigned char)rest->p[n] >= WORD_PLACES)
        n++;
    *word = str_slice(*rest, 0, n);
    *rest = str_from_offset(*rest, n);
    return true;
}

void segment_writer_init(struct segment_writer *w)
{
    *w = (struct segment_writer){0};
    buf_init(&w->words, WORDS_MAX);
    buf_init(&w->postings, POSTINGS_MAX);
}

void segment_writer_free(struct segment_writer *w)
{
    arena_free(&w->arena);
    buf_free(&w->words);
    buf_free(&w->postings);
}

static void close_block(struct segment_writer *w)
{
    CLEAN_BUF struct buf packed;
    buf_init(&packed, ZSTD_COMPRESSBOUND(WORDS_MAX));
    size_t bound = ZSTD_compressBound(w->words.n);
    char *room = buf_room(&packed, bound);
    size_t n = room ? ZSTD_compress(room, bound, w->words.p, w->words.n, WORDS_LEVEL) : 0;
    w->failed |= !room || ZSTD_isError(n) || w->postings.overflow || w->n == (size_t)BLOCKS_MAX;
    if (w->failed)
        return;
    buf_grew(&packed, n);
    w->blocks = list_room(&w->arena, w->blocks, w->n, &w->cap, sizeof *w->blocks);
    w->blocks[w->n++] =
        (struct block){arena_copy(&w->arena, buf_str(&packed)), arena_copy(&w->arena, buf_str(&w->postings))};
    buf_reset(&w->words);
    buf_reset(&w->postings);
}

void segment_writer_add(struct segment_writer *w, struct str word, struct str list)
{
    buf_add(&w->words, word);
    put_number(&w->postings, list.n);
    buf_add(&w->postings, list);
    if (w->words.n >= BLOCK_WORDS || w->postings.n >= BLOCK_POSTINGS)
        close_block(w);
}

void segment_writer_finish(struct segment_writer *w)
{
    if (w->words.n > 0)
        close_block(w);
}

bool segment_writer_store(struct segment_writer *w, struct sql *db, int64_t segment, int64_t first_body,
                          int64_t last_body, int64_t bodies, struct err *e)
{
    int64_t bytes = 0;
    if (w->failed)
        return err_set(e, ERR_INTERNAL, "the index of words: a segment is too large");
    for (size_t i = 0; i < w->n; i++) {
        struct block *b = &w->blocks[i];
        bytes += (int64_t)(b->words.n + b->postings.n);
        if (!sql_exec(db, &INSERT_BLOCK,
                      SQL(sql_int(block_id(segment, (int64_t)i)), sql_blob(b->words), sql_blob(b->postings)),
                      NULL, e))
            return false;
    }
    return sql_exec(
        db, &INSERT_SEGMENT,
        SQL(sql_int(segment), sql_int(first_body), sql_int(last_body), sql_int(bodies), sql_int(bytes)), NULL,
        e);
}

bool words_expand(struct str packed, struct buf *out, struct err *e)
{
    unsigned long long size = ZSTD_getFrameContentSize(packed.p, packed.n);
    buf_reset(out);
    char *room = size <= WORDS_MAX ? buf_room(out, size) : NULL;
    size_t n = room ? ZSTD_decompress(room, size, packed.p, packed.n) : 0;
    if (!room || n != size)
        return err_set(e, ERR_INTERNAL, "a block of the index of words is damaged");
    buf_grew(out, n);
    return true;
}
