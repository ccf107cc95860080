/* The arguments of SEARCH, SORT and THREAD: a tree is within its bounds and its sets are ascending; what is
 * asked for is consistent; the answer to any results can be read back: a set with as many numbers as there
 * are results. */
#include "imap/search_answer.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

static size_t check_tree(const struct search_node *n, size_t depth)
{
    if (!n)
        return 0;
    check(depth <= SEARCH_DEPTH_MAX + 16);
    for (size_t i = 0; i < n->range_count; i++) {
        check(n->ranges[i].from <= n->ranges[i].to);
        check(i == 0 || n->ranges[i].from > n->ranges[i - 1].to);
    }
    bool is_leaf =
        n->kind != SEARCH_AND && n->kind != SEARCH_OR && n->kind != SEARCH_NOT && n->kind != SEARCH_FUZZY;
    check(is_leaf == (n->first == NULL));
    check((n->second != NULL) == (n->kind == SEARCH_AND || n->kind == SEARCH_OR));
    return 1 + check_tree(n->first, depth + 1) + check_tree(n->second, depth + 1);
}

/* Sets of results come back as they were, in their order. */
static void check_set(struct str text, const uint32_t *numbers, size_t n, struct arena *a)
{
    struct imap_cursor c = {.in = text};
    struct imap_set set;
    size_t at = 0;
    check(imap_take_set(&c, a, &set));
    for (size_t i = 0; i < set.n; i++)
        for (uint32_t number = set.v[i].from; number <= set.v[i].to; number++)
            check(at < n && numbers[at++] == number);
    check(at == n);
}

static void check_answer(const struct search_request *q, struct arena *a)
{
    static const uint32_t NUMBERS[] = {7, 3, 4, 5, 1, 2, 90, 12, 13};
    static const uint64_t MODSEQS[] = {5, 6, 7, 8, 9, 10, 4, 3, 2};
    static const uint8_t SCORES[] = {1, 2, 3, 4, 5, 100, 7, 8, 9};
    const struct search_results r = {.shown = NUMBERS, .modseqs = MODSEQS, .scores = SCORES, .n = 9};
    CLEAN_BUF struct buf out;
    buf_init(&out, 1 << 16);
    imap_add_esearch(&out, STR("TAG \"x\""), true, q, &r);
    check((out.n == 0) == (q->returns == RETURN_SAVE));
    check(!out.overflow && str_find_byte(buf_str(&out), '\n') == (out.n == 0 ? STR_NONE : out.n - 1));
    size_t all = str_find(buf_str(&out), STR(" ALL "));
    check((all != STR_NONE) == ((q->returns & RETURN_ALL) != 0));
    if (all != STR_NONE)
        check_set(str_from_offset(buf_str(&out), all + 5), NUMBERS, 9, a);
    size_t first, count;
    if (q->returns & RETURN_PARTIAL && imap_partial_slice(&q->partial, 9, &first, &count))
        check(first + count <= 9 &&
              count == (size_t)(q->partial.to < 9 ? q->partial.to : 9) - q->partial.from + 1);
}

static void check_request(enum search_parse_result r, const struct imap_cursor *c,
                          const struct search_request *q, struct arena *a)
{
    check(c->at <= c->in.n);
    if (r != SEARCH_PARSED) {
        check(r == SEARCH_BAD_CHARSET || c->problem != NULL);
        return;
    }
    check(c->at == c->in.n && check_tree(q->keys.tree, 0) <= 4 * SEARCH_KEYS_MAX);
    check(q->criteria_count <= SORT_CRITERIA_MAX && q->is_extended == (q->returns != 0));
    check(!(q->returns & RETURN_PARTIAL) || (!(q->returns & RETURN_ALL) && q->partial.from <= q->partial.to));
    check_answer(q, a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct view_row rows[9];
    for (uint32_t i = 0; i < 9; i++)
        rows[i] = (struct view_row){.uid = 3 + i * i, .flags = i % 3 ? 0 : VIEW_RECENT};
    const struct imap_view v = {
        .rows = {.v = rows, .n = 9, .cap = 9}, .recent = 3, .enabled = size % 3 ? 0 : ENABLED_UIDONLY};
    struct imap_range saved[] = {{3, 4}, {12, 12}};
    const struct imap_set dollar = {.v = saved, .n = 2};
    const struct search_scope scope = {.view = &v, .saved = size % 2 ? &dollar : NULL};
    static enum search_parse_result (*const TAKE[])(struct imap_cursor *, const struct search_scope *,
                                                    struct arena *, struct search_request *) = {
        imap_take_search, imap_take_sort, imap_take_thread};
    for (size_t i = 0; i < sizeof TAKE / sizeof *TAKE; i++) {
        struct imap_cursor c = {.in = str_from(data, size)};
        struct search_request q;
        enum search_parse_result r = TAKE[i](&c, &scope, &a, &q);
        check_request(r, &c, &q, &a);
    }
    return 0;
}
