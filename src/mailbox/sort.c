#include "mailbox/found.h"

#include <stdlib.h>

/* What is compared of a row by one criterion. Of a text, `number` is its first bytes, so that most pairs are
 * told apart without looking at it. */
struct value {
    int64_t number;
    struct str text; /* what follows */
};

struct sort_row {
    uint32_t uid;
    struct value *values; /* one for each criterion */
};

struct sorting {
    const struct sort_criterion *criteria;
    size_t criterion_count;
    struct arena arena;
    struct sort_row *rows;
    size_t n, cap;
};

static struct value number(int64_t n)
{
    return (struct value){n, STR("")};
}

static struct value text(struct str s, struct arena *a)
{
    uint64_t front = 0;
    for (size_t i = 0; i < 8; i++)
        front = front << 8 | (i < s.n ? (unsigned char)s.p[i] : 0);
    struct str rest = str_from_offset(s, 8);
    /* as signed numbers compare; a text that ends in NULs is the same as a shorter one */
    return (struct value){(int64_t)(front ^ (uint64_t)1 << 63), rest.n > 0 ? arena_copy(a, rest) : STR("")};
}

static struct value value_of(const struct found_row *row, enum sort_key key, struct arena *a)
{
    switch (key) {
    case SORT_ARRIVAL: return number(row->received);
    case SORT_CC: return text(row->keys->copied, a);
    case SORT_DATE: return number(row->sent);
    case SORT_FROM: return text(row->keys->sender, a);
    case SORT_SIZE: return number((int64_t)row->size);
    case SORT_SUBJECT: return text(row->keys->subject, a);
    case SORT_TO: return text(row->keys->recipient, a);
    case SORT_DISPLAYFROM: return text(row->keys->display_from, a);
    case SORT_DISPLAYTO: return text(row->keys->display_to, a);
    case SORT_RELEVANCE: return number(-row->relevance);
    }
    return number(0);
}

static void add(void *context, const struct found_row *row)
{
    struct sorting *s = context;
    s->rows = list_room(&s->arena, s->rows, s->n, &s->cap, sizeof *s->rows);
    struct sort_row *to = &s->rows[s->n++];
    to->uid = row->uid;
    to->values = ARENA_ARRAY(&s->arena, struct value, s->criterion_count);
    for (size_t i = 0; i < s->criterion_count; i++)
        to->values[i] = value_of(row, s->criteria[i].key, &s->arena);
}

static int compare(const void *a, const void *b, void *context)
{
    const struct sorting *s = context;
    const struct sort_row *x = a, *y = b;
    for (size_t i = 0; i < s->criterion_count; i++) {
        const struct value *v = &x->values[i], *w = &y->values[i];
        int order = v->number < w->number ? -1 : v->number > w->number;
        if (order == 0)
            order = str_compare(v->text, w->text);
        if (order != 0)
            return s->criteria[i].reverse ? -order : order;
    }
    return x->uid < y->uid ? -1 : x->uid > y->uid;
}

enum store_result store_sort(struct store *s, int64_t mailbox, const struct search_node *tree,
                             const struct sort_criterion *criteria, size_t n, struct arena *a,
                             uint32_t **uids, size_t *count, uint64_t *highest_modseq, struct err *e)
{
    struct sorting sorting = {.criteria = criteria, .criterion_count = n};
    enum store_result r = found_each(s, mailbox, tree, highest_modseq, add, &sorting, e);
    if (r == STORE_OK) {
        if (sorting.n > 0)
            qsort_r(sorting.rows, sorting.n, sizeof *sorting.rows, compare, &sorting);
        *uids = ARENA_ARRAY(a, uint32_t, sorting.n);
        *count = sorting.n;
        for (size_t i = 0; i < sorting.n; i++)
            (*uids)[i] = sorting.rows[i].uid;
    }
    arena_free(&sorting.arena);
    return r;
}
