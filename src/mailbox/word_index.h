/* The full text index: which word stands in which body. It answers "is this needle a part of a word", which
 * is what IMAP's searches ask, by looking through all words there are; they are far fewer than the text.
 *
 * It is kept in segments, each of a range of body ids, written once and later merged with its neighbours. A
 * segment is a row of blocks of sorted words, each with the list of its bodies (word_block.h). Plain tables
 * hold them, so both engines keep the same index.
 *
 * A word is kept for where it stands: see enum word_place. What a word is: message/search_fold.h. Words
 * longer than WORD_MAX are kept in pieces that overlap, so that each stretch of WORD_CERTAIN bytes is within
 * one. */
#ifndef MAILBOX_WORD_INDEX_H
#define MAILBOX_WORD_INDEX_H
#include "mailbox/internal.h"
#include "mailbox/search_text.h"

/* On disk, as the first byte of each word: never change the numbers. All are below those of letters. */
enum word_place {
    WORD_NONE = 1, /* no word: the bodies that are not in the index and have to be read */
    WORD_BODY,
    WORD_NAME, /* of header fields: the field's name */
    WORD_SUBJECT,
    WORD_FROM,
    WORD_TO,
    WORD_CC,
    WORD_HEADER, /* the values of all other fields */
    WORD_PLACES
};
#define WORD_PLACE(place) (1u << (place))
/* Kept as search_address_word() cuts them: a word is a part of one of these, and so is an address. */
#define WORD_ADDRESSES    (WORD_PLACE(WORD_FROM) | WORD_PLACE(WORD_TO) | WORD_PLACE(WORD_CC))
#define WORD_ANYWHERE     (WORD_PLACE(WORD_PLACES) - WORD_PLACE(WORD_BODY))

/* Of pieces of long words: 48 bytes, beginning every 24. */
#define WORD_MAX     48
#define WORD_CERTAIN 24

/* Different words of one body; a body with more (a hex dump) is WORD_NONE, and read by each search. */
#define BODY_WORDS_MAX 50000

/* The place of a header field's value. */
enum word_place word_place_of(struct str field);

/* --- making it --- */
/* A new segment is built in memory from bodies in the order of their ids. */
struct word_builder;
struct word_builder *word_builder_new(void);
void word_builder_free(struct word_builder *b);
/* A body that cannot be read is WORD_NONE. */
void word_builder_add(struct word_builder *b, int64_t body, struct search_text *t);
size_t word_builder_bytes(const struct word_builder *b); /* of text that went in */
/* No more are to come. Then it is written, in the caller's transaction. */
void word_builder_finish(struct word_builder *b);
bool word_builder_write(struct word_builder *b, struct sql *db, struct err *e);

bool word_index_clear(struct sql *db, struct err *e);
/* A body goes for good: its words go with the next merge of its segment. */
bool word_index_forget(struct sql *db, int64_t body, struct err *e);
/* Merges some neighbours, if there are enough of about one size, or a segment that lost many of its bodies.
 * *more: again. Called under store.catching_up. */
bool word_index_merge(struct store *s, bool *more, struct err *e);

/* --- asking it --- */
enum word_match { WORD_CONTAINS, WORD_EQUALS, WORD_NEAR /* fuzzy.h */ };
struct word_query {
    struct str word;
    enum word_match match;
    unsigned places;  /* WORD_PLACE bits */
    uint64_t *bodies; /* out: a bit for each body that has such a word */
};
struct word_answer {
    int64_t bodies;   /* ids below this are answered for; bits of each set, rounded up to 64 */
    uint64_t *unread; /* WORD_NONE */
};
/* All queries in one pass, in one read transaction that the caller began. Sets live in `a`. */
bool word_index_ask(struct sql *db, struct word_query *queries, size_t n, int64_t indexed, struct arena *a,
                    struct word_answer *out, struct err *e);

static inline bool word_set_has(const uint64_t *set, int64_t body)
{
    return set[body / 64] >> (body % 64) & 1;
}

#endif
