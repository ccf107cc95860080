/* One pass over the rows of a mailbox. Each row is judged by what is cheapest first: its own columns, then
 * its header, then its text; most rows are decided before anything of the message is read. */
#include "mailbox/search.h"

#include "base/clock.h"
#include "base/log.h"
#include "mailbox/catch_up.h"
#include "mailbox/search_plan.h"
#include "mailbox/search_text.h"
#include "message/date.h"
#include "message/search_fold.h"

enum level { LEVEL_ROW, LEVEL_HEADER, LEVEL_BODY, LEVEL_COUNT };
enum truth { NO, YES, UNKNOWN }; /* of Kleene: what is unknown may not matter */

struct condition {
    const struct search_node *node;
    struct condition *first, *second;
    enum level level;  /* of a leaf */
    struct str folded; /* node->text, as it is compared */
    bool is_fuzzy;
    struct fuzzy fuzzy;
    struct search_plan plan;
    uint8_t score;         /* of a fuzzy leaf and the row that was judged last */
    const int64_t *bodies; /* THREADID: those of the thread, ascending */
    size_t body_count;
};

struct search {
    struct arena *a;
    struct search_text text;
    struct search_queries queries;
    const struct read_row *row;
    enum level level; /* how far this row has been read */
    unsigned want;
    int64_t now;
    bool has_fuzzy, has_thread; /* somewhere in the tree */
    bool is_failed, is_damaged; /* damaged: the index */
    struct err *e;
};

static struct str fold(struct arena *a, struct str text)
{
    CLEAN_BUF struct buf folded;
    buf_init(&folded, BUF_MAX_DEFAULT);
    search_fold(text, &folded);
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

static void compile_text(struct search *s, struct condition *c)
{
    c->level = level_of(c->node->kind);
    c->folded = fold(s->a, c->node->text);
    if (c->is_fuzzy)
        c->fuzzy = fuzzy_prepare(c->folded);
    c->plan = search_plan_make(&s->queries, c->node->kind, c->node->name, c->folded,
                               c->is_fuzzy ? &c->fuzzy : NULL);
}

static struct condition *compile(struct search *s, const struct search_node *node, bool is_fuzzy)
{
    struct condition *c = ARENA_NEW(s->a, struct condition);
    c->node = node;
    c->is_fuzzy = is_fuzzy;
    switch (node->kind) {
    case SEARCH_AND:
    case SEARCH_OR: c->second = compile(s, node->second, is_fuzzy); __attribute__((fallthrough));
    case SEARCH_NOT: c->first = compile(s, node->first, is_fuzzy); break;
    case SEARCH_FUZZY:
        s->has_fuzzy = true;
        c->first = compile(s, node->first, true);
        break;
    case SEARCH_SENTBEFORE:
    case SEARCH_SENTON:
    case SEARCH_SENTSINCE: s->want |= WANT_SENT; break;
    case SEARCH_HEADER:
    case SEARCH_BODY:
    case SEARCH_TEXT: compile_text(s, c); break;
    case SEARCH_THREADID: s->has_thread = true; break;
    default: break;
    }
    return c;
}

MAIL_STATEMENT(BODIES_OF_THREAD, "SELECT body FROM body_key WHERE thread = $1 ORDER BY body");

static bool load_bodies(struct search *s, struct condition *c)
{
    struct sql_rows rows;
    size_t cap = 0;
    int64_t *bodies = NULL;
    struct sql *db = s->text.connection->db;
    if (!sql_query(db, &BODIES_OF_THREAD, SQL(sql_int((int64_t)c->node->number)), &rows, s->e))
        return false;
    while (sql_next(&rows)) {
        bodies = list_room(s->a, bodies, c->body_count, &cap, sizeof *bodies);
        bodies[c->body_count++] = sql_get_int(&rows, 0);
    }
    c->bodies = bodies;
    return sql_end(&rows, s->e);
}

/* What the conditions must know of the account. */
static bool load_threads(struct search *s, struct condition *c)
{
    if (!s->has_thread)
        return true;
    if (c->node->kind == SEARCH_THREADID)
        return load_bodies(s, c);
    return (!c->first || load_threads(s, c->first)) && (!c->second || load_threads(s, c->second));
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
    case SEARCH_FUZZY: return bounds(n->first);
    default: return (struct uid_range){1, UID_MAX};
    }
}

bool search_has_uid(const struct search_node *n, uint32_t uid)
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

static bool in_thread(const struct condition *c, int64_t body)
{
    size_t low = 0, high = c->body_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (c->bodies[middle] < body)
            low = middle + 1;
        else
            high = middle;
    }
    return low < c->body_count && c->bodies[low] == body;
}

/* The day on which it was saved, where this server stands. */
static int64_t saved_day(const struct message_row *row)
{
    return date_day_at(row->saved, date_local_zone(row->saved));
}

/* What the row itself tells. */
static bool judge_row(const struct search *s, const struct condition *c)
{
    const struct read_row *r = s->row;
    const struct message_row *row = &r->fetch.row;
    const struct search_node *n = c->node;
    int64_t received = date_day_at(row->received, row->zone), age = s->now - row->received;
    int64_t seconds = n->number > INT64_MAX ? INT64_MAX : (int64_t)n->number;
    switch (n->kind) {
    case SEARCH_ALL: return true;
    case SEARCH_UIDS: return search_has_uid(n, row->uid);
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
    case SEARCH_YOUNGER: return age <= seconds; /* RFC 5032 section 2: both take the moment itself in */
    case SEARCH_OLDER: return age >= seconds;
    case SEARCH_SAVEDBEFORE: return saved_day(row) < n->day;
    case SEARCH_SAVEDON: return saved_day(row) == n->day;
    case SEARCH_SAVEDSINCE: return saved_day(row) >= n->day;
    case SEARCH_EMAILID: return (uint64_t)row->body == n->number;
    case SEARCH_THREADID: return in_thread(c, row->body);
    default: return false;
    }
}

/* What has to be read from the message. */
static bool judge_exact(struct search *s, const struct condition *c)
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

/* RFC 6203. An empty needle, which HEADER has to ask whether a field is there, is no less exact. */
static bool judge_fuzzy(struct search *s, struct condition *c)
{
    c->score = judge_exact(s, c) ? FUZZY_EXACT : 0;
    if (c->score > 0 || c->fuzzy.count == 0 || s->is_failed)
        return c->score > 0;
    struct str header = STR(""), body = STR("");
    bool good = true;
    if (c->node->kind == SEARCH_HEADER)
        good = search_text_field(&s->text, c->node->name, &header, s->e);
    if (c->node->kind == SEARCH_TEXT)
        good = search_text_folded_header(&s->text, &header, s->e);
    if (good && c->node->kind != SEARCH_HEADER)
        good = search_text_folded_body(&s->text, &body, s->e);
    s->is_failed |= !good;
    fuzzy_start(&c->fuzzy);
    fuzzy_look(&c->fuzzy, header);
    fuzzy_look(&c->fuzzy, body);
    c->score = fuzzy_score(&c->fuzzy);
    return c->score > 0;
}

static bool judge_text(struct search *s, struct condition *c)
{
    return c->is_fuzzy ? judge_fuzzy(s, c) : judge_exact(s, c);
}

static enum truth judge(struct search *s, struct condition *c)
{
    enum truth a, b;
    switch (c->node->kind) {
    case SEARCH_FUZZY: return judge(s, c->first);
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
    enum search_hint hint =
        c->level > LEVEL_ROW ? search_plan_judge(&s->queries, &c->plan, s->row->fetch.row.body) : HINT_READ;
    if (hint != HINT_READ)
        return hint == HINT_YES ? YES : NO;
    if (c->level > s->level || s->is_failed)
        return UNKNOWN;
    bool yes = c->level == LEVEL_ROW ? judge_row(s, c) : judge_text(s, c);
    return yes ? YES : NO;
}

static bool matches(struct search *s, struct condition *c, const struct read_row *row)
{
    s->row = row;
    search_text_start(&s->text, &row->fetch);
    enum truth t = UNKNOWN;
    for (s->level = LEVEL_ROW; t == UNKNOWN && s->level < LEVEL_COUNT && !s->is_failed; s->level++)
        t = judge(s, c);
    return t == YES;
}

/* How well the row matches: of AND the worse, of OR the better. What is not fuzzy is exact. */
static uint8_t score(struct search *s, struct condition *c)
{
    uint8_t a, b;
    switch (c->node->kind) {
    case SEARCH_FUZZY: return score(s, c->first);
    case SEARCH_NOT: return judge(s, c) == YES ? FUZZY_EXACT : 0;
    case SEARCH_AND:
        a = score(s, c->first);
        b = score(s, c->second);
        return a < b ? a : b;
    case SEARCH_OR:
        a = score(s, c->first);
        b = score(s, c->second);
        return a > b ? a : b;
    default: break;
    }
    if (judge(s, c) != YES)
        return 0;
    return c->level != LEVEL_ROW && c->is_fuzzy ? c->score : FUZZY_EXACT;
}

static uint8_t relevance_of(struct search *s, struct condition *c)
{
    if (!s->has_fuzzy)
        return FUZZY_EXACT;
    s->level = LEVEL_COUNT - 1;
    return score(s, c);
}

struct found {
    uint32_t *uids;
    uint8_t *relevance; /* NULL: not asked for */
    size_t n, cap, relevance_cap;
    uint64_t highest_modseq;
    bool wants_relevance;
};

static void add_found(struct search *s, struct condition *c, const struct message_row *row, struct found *f)
{
    if (f->wants_relevance) {
        f->relevance = list_room(s->a, f->relevance, f->n, &f->relevance_cap, sizeof *f->relevance);
        f->relevance[f->n] = relevance_of(s, c);
    }
    f->uids = list_room(s->a, f->uids, f->n, &f->cap, sizeof *f->uids);
    f->uids[f->n++] = row->uid;
    if (row->modseq > f->highest_modseq)
        f->highest_modseq = row->modseq;
}

static void judge_batch(struct search *s, struct condition *c, const struct reader *r, struct found *f)
{
    for (size_t i = 0; i < r->count && !s->is_failed; i++)
        if (matches(s, c, &r->rows[i]))
            add_found(s, c, &r->rows[i].fetch.row, f);
}

/* A read transaction a batch: one for every message would cost more than reading it, one for all would keep
 * the WAL from being reused. */
static bool run(struct search *s, struct condition *c, struct reader *r, struct found *f)
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

/* An index that cannot be read is not missed: then all is read, and it is made anew. */
static void ask_index(struct search *s, struct store *store)
{
    struct sql *db = s->text.connection->db;
    struct err e = ERR_INIT;
    if (s->queries.n == 0 || store->reads_all || !sql_begin_read(db, &e))
        return;
    bool good = search_plan_ask(&s->queries, db, &e);
    sql_rollback(db);
    if (good)
        return;
    s->queries.answer.bodies = 0;
    if (e.kind != ERR_INTERNAL)
        return;
    LOG_ERROR("mailbox.word-index", F_C("error", e.text));
    s->is_damaged = true;
}

static bool search_with(struct search *s, struct store *store, int64_t mailbox, struct condition *c,
                        struct connection *connection, struct found *found)
{
    search_text_init(&s->text, connection);
    struct reader r;
    struct uid_range span = bounds(c->node);
    reader_open(&r, mailbox, NULL, 0, s->want);
    r.from = span.from;
    r.to = span.to;
    r.is_done = span.from > span.to;
    ask_index(s, store);
    bool good = load_threads(s, c) && run(s, c, &r, found);
    reader_close(&r);
    search_text_free(&s->text);
    return good;
}

enum store_result store_search(struct store *s, int64_t mailbox, const struct search_node *tree,
                               struct arena *a, uint32_t **uids, size_t *n, uint64_t *highest_modseq,
                               uint8_t **relevance, struct err *e)
{
    struct search search = {.a = a, .e = e, .now = clock_wall(), .queries = {.a = a}};
    struct condition *c = compile(&search, tree, false);
    if (search.has_thread && !catch_up_finish(s, CATCH_UP_KEYS, e))
        return STORE_FAILED;
    struct err ignored = ERR_INIT; /* what could not be put into the index is read */
    if (search.queries.n > 0 && !s->reads_all)
        catch_up_try(s, CATCH_UP_WORDS, &ignored);
    struct connection *connection = store_take(s, e);
    if (!connection)
        return STORE_FAILED;
    struct found found = {.wants_relevance = relevance != NULL};
    bool good = search_with(&search, s, mailbox, c, connection, &found);
    pool_give(&s->pool, connection);
    if (search.is_damaged)
        catch_up_again(s, CATCH_UP_WORDS, &ignored);
    *uids = found.uids;
    *n = found.n;
    if (highest_modseq)
        *highest_modseq = found.highest_modseq;
    if (relevance)
        *relevance = found.relevance;
    return good ? STORE_OK : STORE_FAILED;
}
