#include "mailbox/fuzzy.h"

#include "message/search_fold.h"

#include <string.h>

/* Letters that may be wrong: one in a word of 4 (below that, most words are near each other), two from 8 on.
 */
#define NEAR_LENGTH   4
#define NEARER_LENGTH 8
#define LENGTH_MAX    64 /* bytes of words that are compared so */

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Whether one becomes the other by at most `max` letters left out, put in, changed or swapped with their
 * neighbour (optimal string alignment). */
static bool is_near(struct str a, struct str b, size_t max)
{
    size_t rows[3][LENGTH_MAX + 1]; /* before the last, the last, this one */
    size_t *before = rows[0], *last = rows[1], *row = rows[2];
    for (size_t j = 0; j <= b.n; j++)
        last[j] = j;
    for (size_t i = 1; i <= a.n; i++) {
        row[0] = i;
        size_t best = row[0];
        for (size_t j = 1; j <= b.n; j++) {
            size_t changed = last[j - 1] + (a.p[i - 1] != b.p[j - 1]);
            row[j] = least(changed, least(last[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] && a.p[i - 2] == b.p[j - 1])
                row[j] = least(row[j], before[j - 2] + 1);
            best = least(best, row[j]);
        }
        if (best > max)
            return false;
        size_t *oldest = before;
        before = last;
        last = row;
        row = oldest;
    }
    return last[b.n] <= max;
}

uint8_t fuzzy_compare(struct str needle, struct str word)
{
    if (word.n >= needle.n) {
        if (str_eq(word, needle))
            return FUZZY_WORD;
        if (str_find(word, needle) != STR_NONE)
            return FUZZY_PART;
    }
    size_t max = needle.n >= NEARER_LENGTH ? FUZZY_APART : needle.n >= NEAR_LENGTH ? 1 : 0;
    size_t apart = needle.n > word.n ? needle.n - word.n : word.n - needle.n;
    if (apart > max || max == 0 || needle.n > LENGTH_MAX || word.n > LENGTH_MAX)
        return 0;
    return is_near(needle, word, max) ? FUZZY_NEAR : 0;
}

struct fuzzy fuzzy_prepare(struct str needle)
{
    struct fuzzy f = {.count = 0};
    while (f.count < FUZZY_WORDS_MAX && search_word(&needle, &f.words[f.count]))
        f.count++;
    return f;
}

void fuzzy_start(struct fuzzy *f)
{
    memset(f->best, 0, sizeof f->best);
}

void fuzzy_look(struct fuzzy *f, struct str text)
{
    for (struct str word; search_word(&text, &word);)
        for (size_t i = 0; i < f->count; i++)
            if (f->best[i] < FUZZY_WORD) {
                uint8_t score = fuzzy_compare(f->words[i], word);
                if (score > f->best[i])
                    f->best[i] = score;
            }
}

uint8_t fuzzy_score(const struct fuzzy *f)
{
    unsigned sum = 0;
    for (size_t i = 0; i < f->count; i++) {
        if (f->best[i] == 0)
            return 0;
        sum += f->best[i];
    }
    if (f->count == 0)
        return 0;
    return (uint8_t)(sum / f->count);
}
