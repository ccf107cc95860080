#include "imap/vanished.h"

#include "base/mem.h"

/* Ranges that grow as uids and ranges are added in ascending order. */
struct ranges {
    struct arena *a;
    struct imap_range *v;
    size_t n, cap;
};

static void add_range(struct ranges *r, uint32_t from, uint32_t to)
{
    if (r->n > 0 && r->v[r->n - 1].to + 1 == from) {
        r->v[r->n - 1].to = to;
        return;
    }
    if (r->n == r->cap) {
        r->cap = r->cap ? r->cap * 2 : 64;
        struct imap_range *larger = ARENA_ARRAY(r->a, struct imap_range, r->cap);
        for (size_t i = 0; i < r->n; i++)
            larger[i] = r->v[i];
        r->v = larger;
    }
    r->v[r->n++] = (struct imap_range){from, to};
}

/* The uids between rows of the view, from `from` to `to`. */
static void add_gaps(struct ranges *out, const struct imap_view *v, uint32_t from, uint32_t to)
{
    for (size_t row = view_place(&v->rows, from); from <= to; row++) {
        uint32_t next = row < v->rows.n && v->rows.v[row].uid <= to ? v->rows.v[row].uid : to;
        bool is_there = row < v->rows.n && v->rows.v[row].uid == next;
        if (is_there && next > from)
            add_range(out, from, next - 1);
        else if (!is_there)
            add_range(out, from, to);
        if (next == to)
            return;
        from = next + 1;
    }
}

static void add_all_gaps(struct ranges *out, const struct imap_view *v, const struct imap_set *known,
                         uint32_t from, uint32_t to)
{
    if (known->n == 0 && from <= to)
        add_gaps(out, v, from, to);
    for (size_t i = 0; i < known->n; i++) {
        uint32_t first = known->v[i].from > from ? known->v[i].from : from;
        uint32_t last = known->v[i].to < to ? known->v[i].to : to;
        if (first <= last)
            add_gaps(out, v, first, last);
    }
}

static void add_expunged(struct ranges *out, const struct imap_view *v, const struct imap_set *known,
                         const uint32_t *uids, size_t n)
{
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        while (at < known->n && known->v[at].to < uids[i])
            at++;
        bool is_known = known->n == 0 || (at < known->n && known->v[at].from <= uids[i]);
        /* What the view still holds is told by a VANISHED of its own. */
        if (is_known && imap_view_find(v, uids[i]) < 0)
            add_range(out, uids[i], uids[i]);
    }
}

static void tell(struct imap_session *s, const struct ranges *r)
{
    if (r->n == 0)
        return;
    CLEAN_BUF struct buf text;
    buf_init(&text, BUF_MAX_DEFAULT);
    buf_add(&text, STR("* VANISHED (EARLIER) "));
    for (size_t i = 0; i < r->n; i++) {
        if (i > 0)
            buf_add_byte(&text, ',');
        buf_add_u64(&text, r->v[i].from);
        if (r->v[i].to == r->v[i].from)
            continue;
        buf_add_byte(&text, ':');
        buf_add_u64(&text, r->v[i].to);
    }
    buf_add(&text, STR("\r\n"));
    stream_write(s->stream, buf_str(&text));
}

enum store_result imap_tell_vanished(struct imap_session *s, uint64_t since, const struct imap_set *known,
                                     uint32_t uidnext, uint32_t surely, struct err *e)
{
    uint32_t *uids;
    size_t n;
    bool is_complete;
    enum store_result r =
        store_view_expunged(s->store, s->mailbox, since, &s->arena, &uids, &n, &is_complete, e);
    if (r != STORE_OK)
        return r;
    struct ranges ranges = {.a = &s->arena};
    if (is_complete)
        add_expunged(&ranges, &s->view, known, uids, n);
    else if (surely + 1 < uidnext)
        add_all_gaps(&ranges, &s->view, known, surely + 1, uidnext - 1);
    tell(s, &ranges);
    return STORE_OK;
}

uint32_t imap_matched_uid(const struct imap_view *v, const struct qresync *q)
{
    uint32_t matched = 0;
    if (q->numbers.n == 0)
        return 0;
    const struct imap_range *numbers = q->numbers.v, *uids = q->uids.v;
    uint32_t number = numbers->from, uid = uids->from;
    /* As many of one as of the other: they end together. */
    while (number <= v->rows.n && v->rows.v[number - 1].uid == uid) {
        matched = uid;
        if (number == numbers->to && ++numbers == q->numbers.v + q->numbers.n)
            break;
        number = number < numbers->from ? numbers->from : number + 1;
        if (uid == uids->to)
            uids++;
        uid = uid < uids->from ? uids->from : uid + 1;
    }
    return matched;
}
