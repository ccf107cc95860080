/* How the index's words and their bodies are laid out. Inside the module only.
 *
 * Words of a block, sorted by bytes, stand one after the other, each beginning with the byte of its place,
 * which ends the one before; compressed by zstd. Their postings stand in the same order: the length, then the
 * bodies. Ids ascend; each is written as its distance from the one before (the first from the segment's first
 * body less one), and a run of neighbours as its length: LEB128 of distance * 2, or of length * 2 + 1. */
#ifndef MAILBOX_WORD_BLOCK_H
#define MAILBOX_WORD_BLOCK_H
#include "base/arena.h"
#include "base/buf.h"
#include "mailbox/word_index.h"

/* A block is closed when it has more than this of either. */
#define BLOCK_WORDS    ((size_t)32 * 1024)
#define BLOCK_POSTINGS ((size_t)64 * 1024)
#define BLOCKS_MAX     ((int64_t)1 << 20) /* of one segment */

/* --- lists of bodies --- */
struct postings {
    struct buf bytes;
    int64_t last; /* written or counted in run */
    uint64_t run;
};
void postings_init(struct postings *p, int64_t first_body);
void postings_add(struct postings *p, int64_t body); /* above the one before */
void postings_finish(struct postings *p);

struct postings_reader {
    struct str rest;
    int64_t last;
    uint64_t run;
};
bool postings_next(struct postings_reader *r, int64_t *body);
/* Takes the next word's list off the front of a block's postings. False: the block is damaged. */
bool postings_take(struct str *rest, struct str *list);

/* --- words --- */
/* Takes the next word (with its place) off the front of a block's words. */
bool words_take(struct str *rest, struct str *word);

/* --- a segment that is made --- in memory, so that the transaction that stores it is short. */
struct block {
    struct str words, postings; /* as they are stored */
};
struct segment_writer {
    struct arena arena;
    struct block *blocks;
    size_t n, cap;
    struct buf words, postings; /* of the block that is being filled */
    bool failed;
};
void segment_writer_init(struct segment_writer *w);
void segment_writer_add(struct segment_writer *w, struct str word, struct str list);
void segment_writer_finish(struct segment_writer *w);
bool segment_writer_store(struct segment_writer *w, struct sql *db, int64_t segment, int64_t first_body,
                          int64_t last_body, int64_t bodies, struct err *e);
void segment_writer_free(struct segment_writer *w);

/* A block's words as they were before compression. */
bool words_expand(struct str packed, struct buf *out, struct err *e);

static inline int64_t block_id(int64_t segment, int64_t n)
{
    return segment * BLOCKS_MAX + n;
}

#endif
