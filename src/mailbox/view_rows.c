/* The rows of a view in memory. Most messages carry no keywords, and those that do mostly the same as many
 * others: so each distinct list is kept once, and a row holds its number. */
#include "base/mem.h"
#include "mailbox/internal.h"

#define LISTS_MAX   ((UINT32_C(1) << (32 - VIEW_KEYWORDS_SHIFT)) - 1) /* numbers that a row has room for */
#define FLAGS_MASK  ((UINT32_C(1) << VIEW_KEYWORDS_SHIFT) - 1)
#define SLOTS_FIRST ((size_t)64)
/* Lists are packed when the text of all is this much more than twice what it was after the last packing. */
#define LISTS_SLACK ((size_t)65536)
#define FNV_OFFSET  UINT64_C(14695981039346656037)
#define FNV_PRIME   UINT64_C(1099511628211)

struct view_lists {
    struct arena text;
    size_t packed; /* bytes of text after the last packing */
    struct str *v; /* list 1 is v[0] */
    uint32_t n, cap;
    uint32_t *slots; /* hash table of numbers, 0: free; never more than half full */
    size_t slot_count;
};

/* --- lists of keywords --- */

static struct view_lists *lists_new(void)
{
    struct view_lists *l = MEM_NEW(struct view_lists);
    l->slot_count = SLOTS_FIRST;
    l->slots = mem_new(l->slot_count, sizeof *l->slots);
    return l;
}

static void lists_free(struct view_lists *l)
{
    if (!l)
        return;
    arena_free(&l->text);
    free(l->v);
    free(l->slots);
    free(l);
}

/* The slot that holds the list, or the free one where it belongs. */
static uint32_t *slot_of(const struct view_lists *l, struct str list)
{
    uint64_t hash = FNV_OFFSET;
    for (size_t i = 0; i < list.n; i++)
        hash = (hash ^ (unsigned char)list.p[i]) * FNV_PRIME;
    for (size_t at = (size_t)hash;; at++) {
        uint32_t *slot = &l->slots[at & (l->slot_count - 1)];
        if (*slot == 0 || str_eq(l->v[*slot - 1], list))
            return slot;
    }
}

static void grow_slots(struct view_lists *l)
{
    free(l->slots);
    l->slot_count *= 2;
    l->slots = mem_new(l->slot_count, sizeof *l->slots);
    for (uint32_t i = 0; i < l->n; i++)
        *slot_of(l, l->v[i]) = i + 1;
}

static uint32_t list_number(struct view *v, struct str list)
{
    if (list.n == 0)
        return 0;
    if (!v->lists)
        v->lists = lists_new();
    struct view_lists *l = v->lists;
    uint32_t *slot = slot_of(l, list);
    if (*slot != 0)
        return *slot;
    if (l->n == LISTS_MAX) /* sixteen million different ones: then this row shows none */
        return 0;
    if (l->n == l->cap) {
        l->cap = l->cap ? l->cap * 2 : 16;
        l->v = mem_resize(l->v, l->cap, sizeof *l->v);
    }
    l->v[l->n++] = arena_copy(&l->text, list);
    uint32_t number = *slot = l->n;
    if (l->n * (size_t)2 > l->slot_count)
        grow_slots(l);
    return number;
}

uint32_t view_list_count(const struct view *v)
{
    return v->lists ? v->lists->n : 0;
}

struct str view_list(const struct view *v, uint32_t number)
{
    return number > 0 && number <= view_list_count(v) ? v->lists->v[number - 1] : STR("");
}

void view_pack(struct view *v)
{
    struct view_lists *old = v->lists;
    if (!old || old->text.used < 2 * old->packed + LISTS_SLACK)
        return;
    v->lists = NULL;
    for (size_t i = 0; i < v->n; i++) {
        uint32_t number = v->v[i].flags >> VIEW_KEYWORDS_SHIFT;
        if (number > 0)
            v->v[i].flags = (v->v[i].flags & FLAGS_MASK) | list_number(v, old->v[number - 1])
                                                               << VIEW_KEYWORDS_SHIFT;
    }
    lists_free(old);
    if (v->lists)
        v->lists->packed = v->lists->text.used;
}

/* --- rows --- */

void view_free(struct view *v)
{
    free(v->v);
    free(v->modseqs);
    lists_free(v->lists);
    *v = (struct view){0};
}

size_t view_place(const struct view *v, uint32_t uid)
{
    size_t low = 0, high = v->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (v->v[middle].uid < uid)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct str view_keywords(const struct view *v, size_t row)
{
    return view_list(v, v->v[row].flags >> VIEW_KEYWORDS_SHIFT);
}

void view_reserve(struct view *v, size_t rows)
{
    if (rows <= v->cap)
        return;
    v->cap = rows;
    v->v = mem_resize(v->v, v->cap, sizeof *v->v);
    if (v->modseqs)
        v->modseqs = mem_resize(v->modseqs, v->cap, sizeof *v->modseqs);
}

void view_add(struct view *v, const struct changed_row *row)
{
    if (v->n == v->cap)
        view_reserve(v, v->cap ? v->cap + v->cap / 2 + 1 : 16);
    v->v[v->n] = (struct view_row){row->uid, (row->flags & FLAG_ALL) | list_number(v, row->keywords)
                                                                           << VIEW_KEYWORDS_SHIFT};
    if (v->modseqs)
        v->modseqs[v->n] = row->modseq;
    v->n++;
}

void view_move(struct view *v, size_t to, size_t from)
{
    v->v[to] = v->v[from];
    if (v->modseqs)
        v->modseqs[to] = v->modseqs[from];
}

bool view_change(struct view *v, size_t row, const struct changed_row *to)
{
    uint32_t before = v->v[row].flags, own = before & FLAGS_MASK & ~FLAG_ALL;
    if (v->modseqs && to->modseq > v->modseqs[row])
        v->modseqs[row] = to->modseq;
    uint32_t after = (to->flags & FLAG_ALL) | own | list_number(v, to->keywords) << VIEW_KEYWORDS_SHIFT;
    v->v[row].flags = after;
    return after != before;
}
