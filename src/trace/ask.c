#include "trace/ask.h"

#include "base/mem.h"

#include <string.h>

/* What a question finds may name a message by its delivery id or by its number in the queue alone; the lines
 * that have both join them. Each round looks for all names that the rounds before it found, until there is
 * nothing new: an address leads to relay's line with a number, that to the queue's with the id, and that to
 * the accounts' lines. */
#define ROUNDS_MAX 5

/* A message while it is being put together: one that was joined with another points to it. */
struct draft {
    size_t joined; /* itself, if it is not */
    struct str delivery;
    uint64_t queue;
    int64_t last;     /* when it was last spoken of */
    bool is_left_out; /* beyond the limit */
    size_t count;     /* lines, once all are there */
    size_t message;   /* its place in the answer */
};

struct name { /* a token that names a draft */
    uint64_t token;
    size_t draft;
};

struct asking {
    struct trace_answer *out;
    const struct trace_question *question;
    const char *folder;
    struct draft *drafts;
    size_t draft_count, draft_room;
    struct name *names; /* open addressing: token 0 is free */
    size_t name_count, name_room;
    struct trace_said *said;
    size_t *said_of; /* the draft of each */
    size_t said_count, said_room;
    size_t nameless; /* how many of those at the beginning name no message */
    bool is_first;   /* round */
    bool is_too_much;
};

/* --- drafts and their names --- */

static size_t root(const struct asking *a, size_t draft)
{
    while (a->drafts[draft].joined != draft)
        draft = a->drafts[draft].joined;
    return draft;
}

static size_t new_draft(struct asking *a)
{
    if (a->draft_count == a->draft_room) {
        a->draft_room = a->draft_room ? a->draft_room * 2 : 64;
        a->drafts = mem_resize(a->drafts, a->draft_room, sizeof *a->drafts);
    }
    a->drafts[a->draft_count] = (struct draft){.joined = a->draft_count, .delivery = STR("")};
    return a->draft_count++;
}

static struct name *place_of(const struct asking *a, uint64_t token)
{
    size_t at = token & (a->name_room - 1);
    while (a->names[at].token != 0 && a->names[at].token != token)
        at = (at + 1) & (a->name_room - 1);
    return &a->names[at];
}

static void make_room(struct asking *a)
{
    struct name *old = a->names;
    size_t n = a->name_room;
    if (a->name_room > 0 && a->name_count < a->name_room / 2)
        return;
    a->name_room = n ? n * 2 : 64;
    a->names = mem_new(a->name_room, sizeof *a->names);
    for (size_t i = 0; i < n; i++)
        if (old[i].token != 0)
            *place_of(a, old[i].token) = old[i];
    free(old);
}

#define NO_DRAFT SIZE_MAX
static size_t find(const struct asking *a, uint64_t token)
{
    const struct name *n = a->name_room > 0 ? place_of(a, token) : NULL;
    return n && n->token != 0 ? root(a, n->draft) : NO_DRAFT;
}

static void name_draft(struct asking *a, uint64_t token, size_t draft)
{
    make_room(a);
    struct name *n = place_of(a, token);
    a->name_count += n->token == 0;
    *n = (struct name){token, draft};
}

static void join(struct asking *a, size_t into, size_t other)
{
    struct draft *to = &a->drafts[into], *from = &a->drafts[other];
    if (into == other)
        return;
    from->joined = into;
    if (to->delivery.n == 0)
        to->delivery = from->delivery;
    if (to->queue == 0)
        to->queue = from->queue;
    to->last = from->last > to->last ? from->last : to->last;
    to->is_left_out = to->is_left_out && from->is_left_out;
}

/* The draft that a line belongs to, by either name. */
static size_t draft_of(struct asking *a, struct str delivery, uint64_t queue)
{
    uint64_t id = delivery.n ? trace_token_delivery(delivery) : 0;
    uint64_t number = queue ? trace_token_queue(queue) : 0;
    size_t by_id = id ? find(a, id) : NO_DRAFT, by_number = number ? find(a, number) : NO_DRAFT;
    if (by_id != NO_DRAFT && by_number != NO_DRAFT)
        join(a, by_id, by_number);
    size_t draft = by_id != NO_DRAFT ? by_id : by_number != NO_DRAFT ? by_number : new_draft(a);
    struct draft *d = &a->drafts[draft];
    if (id && by_id == NO_DRAFT)
        name_draft(a, id, draft);
    if (number && by_number == NO_DRAFT)
        name_draft(a, number, draft);
    if (id && d->delivery.n == 0)
        d->delivery = arena_copy(&a->out->arena, delivery);
    if (number && d->queue == 0)
        d->queue = queue;
    return draft;
}

/* --- what is read --- */

static void keep(struct asking *a, const struct trace_line *l, size_t draft)
{
    if (a->said_count == TRACE_SAID_MAX) {
        a->is_too_much = true;
        return;
    }
    if (a->said_count == a->said_room) {
        a->said_room = a->said_room ? a->said_room * 2 : 256;
        a->said = mem_resize(a->said, a->said_room, sizeof *a->said);
        a->said_of = mem_resize(a->said_of, a->said_room, sizeof *a->said_of);
    }
    a->said[a->said_count] =
        (struct trace_said){.at = l->at, .text = arena_copy(&a->out->arena, l->text), .order = a->said_count};
    a->said_of[a->said_count++] = draft;
}

/* The first round finds the names of messages, and keeps what names none; the others find what is said of
 * them. */
static void take(void *context, const struct trace_line *l)
{
    struct asking *a = context;
    struct str delivery = trace_line_delivery(l);
    uint64_t queue = trace_line_queue(l);
    bool is_nameless = delivery.n == 0 && queue == 0;
    if (is_nameless && !a->is_first)
        return;
    size_t draft = is_nameless ? new_draft(a) : draft_of(a, delivery, queue);
    if (l->at > a->drafts[draft].last)
        a->drafts[draft].last = l->at;
    if (is_nameless || !a->is_first)
        keep(a, l, draft);
}

static size_t mark(void *context)
{
    const struct asking *a = context;
    return a->said_count;
}

static void restart(void *context, size_t to)
{
    struct asking *a = context;
    a->said_count = to;
}

static bool read_round(struct asking *a, const struct trace_tokens *tokens, int64_t since, int64_t until,
                       struct trace_result *result, struct err *e)
{
    struct trace_wish wish = {.tokens = tokens, .since = since, .until = until};
    struct trace_taker to = {.each = take, .mark = mark, .restart = restart, .context = a};
    return trace_read(a->folder, &wish, &to, result, e) &&
           (!a->is_too_much || err_set(e, ERR_PERMANENT,
                                       "more than %zu lines are about that: ask for less (--since, --until, "
                                       "--limit)",
                                       TRACE_SAID_MAX));
}

/* --- the limit --- */

static int latest_first(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return a > b ? -1 : a < b;
}

/* The newest stay, those that name no message among them. */
static void leave_out(struct asking *a)
{
    int64_t *last = mem_new(a->draft_count + 1, sizeof *last);
    size_t n = 0, kept = 0;
    for (size_t i = 0; i < a->draft_count; i++)
        if (root(a, i) == i)
            last[n++] = a->drafts[i].last;
    qsort(last, n, sizeof *last, latest_first);
    int64_t oldest = n > a->question->limit ? last[a->question->limit] : INT64_MIN; /* the first too old */
    for (size_t i = a->draft_count; i-- > 0;)
        if (root(a, i) == i) {
            bool stays = a->drafts[i].last > oldest && kept < a->question->limit;
            kept += stays;
            a->drafts[i].is_left_out = !stays;
        }
    a->out->left_out = n - kept;
    free(last);
}

static void collect_names(const struct asking *a, struct trace_tokens *out)
{
    for (size_t i = 0; i < a->name_room; i++)
        if (a->names[i].token != 0 && !a->drafts[root(a, a->names[i].draft)].is_left_out)
            trace_tokens_add(out, a->names[i].token);
    trace_tokens_sort(out);
}

static bool read_all(struct asking *a, struct err *e)
{
    CLEAN_TOKENS struct trace_tokens typed = {0};
    struct trace_result result;
    if (!trace_tokens_of_question(a->question->typed, &typed))
        return err_set(e, ERR_PERMANENT,
                       "\"%.*s\" is no address, no Message-ID, no delivery id and no number of the queue",
                       STR_ARGS(a->question->typed));
    a->is_first = true;
    if (!read_round(a, &typed, a->question->since, a->question->until, &result, e))
        return false;
    a->out->lost = result.lost;
    a->nameless = a->said_count;
    a->is_first = false;
    leave_out(a);
    size_t known = SIZE_MAX;
    for (int round = 0; round < ROUNDS_MAX && a->name_count > 0 && a->name_count != known; round++) {
        CLEAN_TOKENS struct trace_tokens names = {0};
        known = a->name_count;
        a->said_count = a->nameless;
        collect_names(a, &names);
        if (names.n > 0 && !read_round(a, &names, 0, INT64_MAX, &result, e))
            return false;
    }
    return true;
}

/* --- the answer --- */

static int by_time(const void *left, const void *right)
{
    const struct trace_said *a = left, *b = right;
    if (a->at != b->at)
        return a->at < b->at ? -1 : 1;
    return a->order < b->order ? -1 : a->order > b->order;
}

static int by_first_line(const void *left, const void *right)
{
    const struct trace_message *a = left, *b = right;
    return by_time(a->lines, b->lines);
}

static void put_together(struct asking *a)
{
    struct trace_answer *out = a->out;
    for (size_t i = 0; i < a->said_count; i++)
        a->drafts[root(a, a->said_of[i])].count++;
    out->messages = ARENA_ARRAY(&out->arena, struct trace_message, a->draft_count + 1);
    for (size_t i = 0; i < a->draft_count; i++) {
        struct draft *d = &a->drafts[i];
        if (d->joined != i || d->count == 0 || d->is_left_out)
            continue;
        d->message = out->count++;
        out->messages[d->message] =
            (struct trace_message){.delivery = d->delivery,
                                   .queue = d->queue,
                                   .lines = ARENA_ARRAY(&out->arena, struct trace_said, d->count)};
    }
    for (size_t i = 0; i < a->said_count; i++) {
        const struct draft *d = &a->drafts[root(a, a->said_of[i])];
        struct trace_message *m = &out->messages[d->message];
        if (!d->is_left_out)
            m->lines[m->count++] = a->said[i];
    }
    for (size_t i = 0; i < out->count; i++)
        qsort(out->messages[i].lines, out->messages[i].count, sizeof *out->messages[i].lines, by_time);
    if (out->count > 1)
        qsort(out->messages, out->count, sizeof *out->messages, by_first_line);
}

bool trace_ask(const char *folder, const struct trace_question *q, struct trace_answer *out, struct err *e)
{
    struct asking a = {.out = out, .question = q, .folder = folder};
    *out = (struct trace_answer){0};
    bool good = read_all(&a, e);
    if (good)
        put_together(&a);
    free(a.drafts);
    free(a.names);
    free(a.said);
    free(a.said_of);
    return good;
}

void trace_answer_free(struct trace_answer *a)
{
    arena_free(&a->arena);
}
