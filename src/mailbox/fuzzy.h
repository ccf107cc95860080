/* Loose matching of words (RFC 6203): a needle's words against those of a text, both folded. */
#ifndef MAILBOX_FUZZY_H
#define MAILBOX_FUZZY_H
#include "base/arena.h"

enum { FUZZY_EXACT = 100, FUZZY_WORD = 90, FUZZY_PART = 75, FUZZY_NEAR = 50 };
#define FUZZY_APART     2  /* letters by which words that are near may differ in length */
#define FUZZY_WORDS_MAX 32 /* of a needle that are looked for; more say nothing more */

struct fuzzy {
    struct str words[FUZZY_WORDS_MAX];
    uint8_t best[FUZZY_WORDS_MAX]; /* how well each was found so far; 0: not */
    size_t count;
};

/* Slices point into `needle`. No words: count 0, which matches nothing. */
struct fuzzy fuzzy_prepare(struct str needle);
void fuzzy_start(struct fuzzy *f);
void fuzzy_look(struct fuzzy *f, struct str text);
uint8_t fuzzy_score(const struct fuzzy *f); /* the mean; 0: a word was not found */

/* How well `word` of a text matches that of a needle. */
uint8_t fuzzy_compare(struct str needle, struct str word);

#endif
