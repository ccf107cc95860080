/* One pass over the rows of a mailbox. Each row is judged by what is cheapest first: its own columns, then
 * its header, then its text; most rows are decided before anything of the message is read. */
#include "mailbox/search.h"

#include "mailbox/search_text.h"
#include "message/date.h"
#include "message/decode.h"

enum level { LEVEL_ROW, LEVEL_HEADER, LEVEL_BODY, LEVEL_COUNT };
enum truth { NO, YES, UNKNOWN }; /* of Kleene: what is unknown may not matter */

struct condition {
    const struct search_node *node;
    struct condition *first, *second;
    enum level level;  /* of a leaf */
    struct str folded; /* node->text, as it is compared */
};

struct search {
    struct arena *a;
    struct search_text text;
    const struct read_row *row;
    enum level level; /* how far this row has been read */
    unsigned want;
    bool is_failed;
    struct err *e;
};

static struct str fold(struct arena *a, struct str text)
{
    CLEAN_BUF struct buf folded;
    buf_init(&folded, BUF_MAX_DEFAULT);
    decode_fold(text, &folded);
    return arena_copy(a, buf_str(&folded));
}

static enum level level_of(enum search_kind kind)
{
    switch (kind) {
    case SEARCH_HEADER: return LEVEL_HEADER;
    case SEARCH_BODY:
    case SEARCH_TEXT: return LEVEL_BODY;
    default: return LEVEL_ROW;
    }
}

static struct condition *compile(struct search *s, const struct search_node *node)
{
    struct condition *c = ARENA_NEW(s->a, struct condition);
    c->node = node;
    switch (node->kind) {
    case SEARCH_AND:
    case SEARCH_OR: c->second = compile(s, node->second); __attribute__((fallthrough));
    case SEARCH_NOT: c->first = compile(s, node->first); break;
    case SEARCH_SENTBEFORE:
    case SEARCH_SENTON:
    case SEARCH_SENTSINCE: s->want |= WANT_SENT; break;
    case SEARCH_HEADER:
    case SEARCH_BODY:
    case SEARCH_TEXT:
        s->want |= WANT_PARTS;
        c->level = level_of(node->kind);
        c->folded = fold(s->a, node->text);
        break;
    default: break;
    }
    return c;
}

/* The uids between which everything that can match lies. */
static struct uid_range bounds(const struct search_node *n)
{
    struct uid_range a, b;
    switch (n->kind) {
    case SEARCH_UIDS:
        if (n->range_count == 0)
            return (struct uid_range){1, 0};
        return (struct uid_range){n->ranges[0].from, n->ranges[n->range_count - 1].to};
    case SEARCH_AND:
        a = bounds(n->first);
        b = bounds(n->second);
        return (struct uid_range){a.from > b.from ? a.from : b.from, a.to < b.to ? a.to : b.to};
    case SEARCH_OR:
        a = bounds(n->first);
        b = bounds(n->second);
        return (struct uid_range){a.from < b.from ? a.from : b.from, a.to > b.to ? a.to : b.to};
    default: return (struct uid_range){1, UID_MAX};
    }
}

static bool in_ranges(const struct search_node *n, uint32_t uid)
{
    size_t low = 0, high = n->range_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (n->ranges[middle].to < uid)
            low = middle + 1;
        else
            high = middle;
    }
    return low < n->range_count && n->ranges[low].from <= uid;
}

/* What the row itself tells. */
static bool judge_row(const struct read_row *r, const struct search_node *n)
{
    const struct message_row *row = &r->fetch.row;
    int64_t received = date_day_at(row->received, row->zone);
    switch (n->kind) {
    case SEARCH_ALL: return true;
    case SEARCH_UIDS: return in_ranges(n, row->uid);
    case SEARCH_FLAGS_SET: return (row->flags & n->flags) == n->flags;
    case SEARCH_FLAGS_UNSET: return (row->flags & n->flags) == 0;
    case SEARCH_KEYWORD: return keywords_has(row->keywords, n->text);
    case SEARCH_UNKEYWORD: return !keywords_has(row->keywords, n->text);
    case SEARCH_BEFORE: return received < n->day;
    case SEARCH_ON: return received == n->day;
    case SEARCH_SINCE: return received >= n->day;
    case SEARCH_SENTBEFORE: return r->sent != SENT_UNKNOWN && r->sent < n->day;
    case SEARCH_SENTON: return r->sent != SENT_UNKNOWN && r->sent == n->day;
    case SEARCH_SENTSINCE: return r->sent != SENT_UNKNOWN && r->sent >= n->day;
    case SEARCH_LARGER: return row->size > n->number;
    case SEARCH_SMALLER: return row->size < n->number;
    case SEARCH_MODSEQ: return row->modseq >= n->number;
    default: return false;
    }
}

/* What has to be read from the message. */
static bool judge_text(struct search *s, const struct condition *c)
{
    bool found = false, good = true;
    if (c->node->kind == SEARCH_HEADER)
        good = search_text_in_field(&s->text, c->node->name, c->folded, &found, s->e);
    if (c->node->kind == SEARCH_TEXT)
        good = search_text_in_header(&s->text, c->folded, &found, s->e);
    if (good && !found && c->node->kind != SEARCH_HEADER)
        good = search_text_in_body(&s->text, c->folded, &found, s->e);
    s->is_failed |= !good;
    return found;
}

static enum truth judge(struct search *s, const struct condition *c)
{
    enum truth a, b;
    switch (c->node->kind) {
    case SEARCH_NOT: a = judge(s, c->first); return a == UNKNOWN ? a : a == YES ? NO : YES;
    case SEARCH_AND:
        a = judge(s, c->first);
        b = a == NO ? NO : judge(s, c->second);
        return b == NO ? NO : a == UNKNOWN ? UNKNOWN : b;
    case SEARCH_OR:
        a = judge(s, c->first);
        b = a == YES ? YES : judge(s, c->second);
        return b == YES ? YES : a == UNKNOWN ? UNKNOWN : b;
    default: break;
    }
    if (c->level > s->level || s->is_failed)
        return UNKNOWN;
    bool yes = c->level == LEVEL_ROW ? judge_row(s->row, c->node) : judge_text(s, c);
    return yes ? YES : NO;
}

static bool matches(struct search *s, const struct condition *c, const struct read_row *row)
{
    s->row = row;
    search_text_start(&s->text, &row->fetch);
    enum truth t = UNKNOWN;
    for (s->level = LEVEL_ROW; t == UNKNOWN && s->level < LEVEL_COUNT && !s->is_failed; s->level++)
        t = judge(s, c);
    return t == YES;
}

struct found {
    uint32_t *uids;
    size_t n, cap;
    uint64_t highest_modseq;
};

static void judge_batch(struct search *s, const struct condition *c, const struct reader *r, struct found *f)
{
    for (size_t i = 0; i < r->count; i++) {
        const struct message_row *row = &r->rows[i].fetch.row;
        if (!matches(s, c, &r->rows[i]))
            continue;
        f->uids = list_room(s->a, f->uids, f->n, &f->cap, sizeof *f->uids);
        f->uids[f->n++] = row->uid;
        if (row->modseq > f->highest_modseq)
            f->highest_modseq = row->modseq;
    }
}

/* A read transaction a batch: one for every message would cost more than reading it, one for all would keep
 * the WAL from being reused. */
static bool run(struct search *s, const struct condition *c, struct reader *r, struct found *f)
{
    struct sql *db = s->text.connection->db;
    do {
        if (!sql_begin_read(db, s->e))
            return false;
        s->is_failed = !reader_next(r, db, s->e);
        if (!s->is_failed)
            judge_batch(s, c, r, f);
        sql_rollback(db);
    } while (r->count > 0 && !s->is_failed);
    return !s->is_failed;
}

enum store_result store_search(struct store *s, int64_t mailbox, const struct search_node *tree,
                               struct arena *a, uint32_t **uids, size_t *n, uint64_t *highest_modseq,
                               struct err *e)
{
    struct search search = {.a = a, .e = e};
    struct condition *c = compile(&search, tree);
    struct connection *connection = pool_take(&s->pool, e);
    if (!connection)
        return STORE_FAILED;
    search_text_init(&search.text, connection);
    struct reader r;
    struct found found = {0};
    struct uid_range span = bounds(tree);
    reader_open(&r, mailbox, NULL, 0, search.want);
    r.from = span.from;
    r.to = span.to;
    r.is_done = span.from > span.to;
    bool good = run(&search, c, &r, &found);
    reader_close(&r);
    search_text_free(&search.text);
    pool_give(&s->pool, connection);
    *uids = found.uids;
    *n = found.n;
    if (highest_modseq)
        *highest_modseq = found.highest_modseq;
    return good ? STORE_OK : STORE_FAILED;
}
