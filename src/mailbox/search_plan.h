/* What the full text index can say about a condition on text. Inside the module only. */
#ifndef MAILBOX_SEARCH_PLAN_H
#define MAILBOX_SEARCH_PLAN_H
#include "mailbox/fuzzy.h"
#include "mailbox/word_index.h"

/* All queries of a search, which the index answers in one pass. */
struct search_queries {
    struct arena *a;
    struct word_query *v;
    size_t n, cap;
    struct word_answer answer;
};

/* Bodies that do not have all of the queries' words do not match. With `is_exact`, the others do; else they
 * have to be read, as have all if there are no queries. */
struct search_plan {
    size_t first, count; /* of the queries */
    bool is_exact;
};

enum search_hint { HINT_NO, HINT_YES, HINT_READ };

/* `needle` is folded; `field`: of SEARCH_HEADER. `fuzzy`: NULL for an exact search. */
struct search_plan search_plan_make(struct search_queries *q, enum search_kind kind, struct str field,
                                    struct str needle, const struct fuzzy *fuzzy);

/* Asks the index, in a read transaction that the caller began. */
bool search_plan_ask(struct search_queries *q, struct sql *db, struct err *e);

enum search_hint search_plan_judge(const struct search_queries *q, const struct search_plan *p, int64_t body);

#endif
