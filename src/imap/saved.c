#include "imap/saved.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

static int by_uid(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

void imap_saved_clear(struct imap_session *s)
{
    free(s->saved.v);
    s->saved = (struct imap_set){0};
}

/* Messages next to each other in the view are one range, whatever their uids: nothing can come between them
 * any more. So a large result is mostly a few ranges. */
void imap_saved_set(struct imap_session *s, const uint32_t *uids, size_t n)
{
    uint32_t *sorted = ARENA_ARRAY(&s->arena, uint32_t, n + 1);
    struct imap_range *ranges = ARENA_ARRAY(&s->arena, struct imap_range, n + 1);
    size_t count = 0;
    ptrdiff_t row_before = -1;
    imap_saved_clear(s);
    if (n == 0)
        return;
    memcpy(sorted, uids, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, by_uid); /* SORT finds them in another order */
    for (size_t i = 0; i < n; i++) {
        ptrdiff_t row = imap_view_find(&s->view, sorted[i]);
        if (count > 0 && row == row_before + 1)
            ranges[count - 1].to = sorted[i];
        else
            ranges[count++] = (struct imap_range){sorted[i], sorted[i]};
        row_before = row;
    }
    s->saved.v = mem_new(count, sizeof *ranges);
    s->saved.n = count;
    memcpy(s->saved.v, ranges, count * sizeof *ranges);
}

void imap_saved_messages(struct imap_session *s, bool as_uids, struct imap_set *set)
{
    size_t n;
    uint32_t *uids = imap_view_uids(&s->view, &s->saved, true, &s->arena, &n);
    *set = (struct imap_set){.v = ARENA_ARRAY(&s->arena, struct imap_range, n + 1)};
    for (size_t i = 0; i < n; i++) {
        uint32_t number = as_uids ? uids[i] : (uint32_t)imap_view_find(&s->view, uids[i]) + 1;
        if (set->n > 0 && set->v[set->n - 1].to + 1 == number)
            set->v[set->n - 1].to = number;
        else
            set->v[set->n++] = (struct imap_range){number, number};
    }
}
