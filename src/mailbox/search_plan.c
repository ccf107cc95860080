#include "mailbox/search_plan.h"

#include "mailbox/catch_up.h"
#include "message/search_fold.h"

#define QUERIES_MAX 64 /* of one needle: enough to tell bodies apart */

static void add(struct search_queries *q, struct search_plan *p, struct str word, enum word_match match,
                unsigned places)
{
    if (p->count == QUERIES_MAX)
        return;
    q->v = list_room(q->a, q->v, q->n, &q->cap, sizeof *q->v);
    q->v[q->n++] = (struct word_query){.word = word, .match = match, .places = places};
    p->count++;
}

static unsigned places_of(enum search_kind kind, struct str field)
{
    if (kind == SEARCH_BODY)
        return WORD_PLACE(WORD_BODY);
    return kind == SEARCH_HEADER ? WORD_PLACE(word_place_of(field)) : WORD_ANYWHERE;
}

/* Each word of the needle that is not at its ends is one in the text; the first and the last may be parts. Of
 * a long one, the front is looked for. */
static void add_words(struct search_queries *q, struct search_plan *p, struct str needle, unsigned places)
{
    const char *end = needle.p + needle.n, *begin = needle.p;
    for (struct str word; search_word(&needle, &word);) {
        bool is_inside = word.p > begin && word.p + word.n < end && word.n <= WORD_CERTAIN;
        add(q, p, str_slice(word, 0, WORD_CERTAIN), is_inside ? WORD_EQUALS : WORD_CONTAINS, places);
    }
}

/* Loosely, a long word is not told by its pieces: it is not asked for, and if there is no other, all is read.
 */
static void add_fuzzy(struct search_queries *q, struct search_plan *p, const struct fuzzy *fuzzy,
                      unsigned places)
{
    for (size_t i = 0; i < fuzzy->count; i++)
        if (fuzzy->words[i].n + FUZZY_APART <= WORD_CERTAIN)
            add(q, p, fuzzy->words[i], WORD_NEAR, places);
}

/* The field is there: the words of its name are. */
static void add_name(struct search_queries *q, struct search_plan *p, struct str field)
{
    CLEAN_BUF struct buf folded;
    buf_init(&folded, BUF_MAX_DEFAULT);
    search_fold(field, &folded);
    struct str name = arena_copy(q->a, buf_str(&folded));
    for (struct str word; search_word(&name, &word);)
        add(q, p, str_slice(word, 0, WORD_CERTAIN), word.n <= WORD_CERTAIN ? WORD_EQUALS : WORD_CONTAINS,
            WORD_PLACE(WORD_NAME));
}

static bool is_one(struct str needle, bool (*take)(struct str *, struct str *))
{
    struct str rest = needle, word;
    return take(&rest, &word) && word.n == needle.n;
}

struct search_plan search_plan_make(struct search_queries *q, enum search_kind kind, struct str field,
                                    struct str needle, const struct fuzzy *fuzzy)
{
    struct search_plan p = {.first = q->n};
    unsigned places = places_of(kind, field);
    bool is_named = kind == SEARCH_HEADER && places == WORD_PLACE(WORD_HEADER);
    bool is_address = kind == SEARCH_HEADER && places & WORD_ADDRESSES;
    bool is_word = is_one(needle, is_address ? search_address_word : search_word);
    p.is_exact = !fuzzy && is_word && needle.n <= WORD_CERTAIN && !is_named;
    if (fuzzy && fuzzy->count > 0)
        add_fuzzy(q, &p, fuzzy, places);
    else if (p.is_exact)
        add(q, &p, needle, WORD_CONTAINS, places);
    else
        add_words(q, &p, needle, places);
    if (kind == SEARCH_HEADER && !p.is_exact)
        add_name(q, &p, field);
    return p;
}

bool search_plan_ask(struct search_queries *q, struct sql *db, struct err *e)
{
    int64_t indexed;
    return catch_up_progress(db, CATCH_UP_WORDS, &indexed, e) &&
           word_index_ask(db, q->v, q->n, indexed, q->a, &q->answer, e);
}

enum search_hint search_plan_judge(const struct search_queries *q, const struct search_plan *p, int64_t body)
{
    if (body >= q->answer.bodies || p->count == 0 || word_set_has(q->answer.unread, body))
        return HINT_READ;
    for (size_t i = p->first; i < p->first + p->count; i++)
        if (!word_set_has(q->v[i].bodies, body))
            return HINT_NO;
    return p->is_exact ? HINT_YES : HINT_READ;
}
