#include "imap/context.h"

#include "base/log.h"
#include "base/mem.h"
#include "imap/fetch.h"
#include "imap/search_view.h"

#include <string.h>

struct imap_context {
    struct imap_context *next;
    char tag[IMAP_TAG_MAX];
    size_t tag_size;
    bool are_uids;
    struct arena arena; /* of the two below */
    struct search_node *tree;
    struct sort_criterion *criteria; /* of SORT */
    size_t criteria_count;
    uint32_t *uids; /* of the messages that it holds, in the order asked for */
    size_t n;
    struct fetch_request update; /* of messages that are new in the mailbox; nothing asked for: empty */
    uint32_t last_uid;           /* messages behind it are new */
};

static int by_uid(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static bool holds(const uint32_t *sorted, size_t n, uint32_t uid)
{
    return n > 0 && bsearch(&uid, sorted, n, sizeof uid, by_uid) != NULL;
}

/* --- making and ending --- */

static struct str tag_of(const struct imap_context *x)
{
    return str_from(x->tag, x->tag_size);
}

struct imap_context *imap_context_find(const struct imap_session *s, struct str tag)
{
    struct imap_context *x = s->contexts;
    while (x && !str_eq(tag_of(x), tag))
        x = x->next;
    return x;
}

/* As deep as the parser lets it be. */
static struct search_node *copy_tree(struct arena *a, const struct search_node *node)
{
    if (!node)
        return NULL;
    struct search_node *copy = ARENA_NEW(a, struct search_node);
    *copy = *node;
    copy->first = copy_tree(a, node->first);
    copy->second = copy_tree(a, node->second);
    copy->name = arena_copy(a, node->name);
    copy->text = arena_copy(a, node->text);
    copy->ranges = ARENA_ARRAY(a, struct uid_range, node->range_count + 1);
    if (node->range_count > 0)
        memcpy(copy->ranges, node->ranges, node->range_count * sizeof *node->ranges);
    return copy;
}

static void free_context(struct imap_context *x)
{
    arena_free(&x->arena);
    free(x->uids);
    free(x);
}

void imap_contexts_close(struct imap_session *s)
{
    while (s->contexts) {
        struct imap_context *x = s->contexts;
        s->contexts = x->next;
        free_context(x);
    }
}

static size_t count_ranges(const struct search_node *node)
{
    return node ? node->range_count + count_ranges(node->first) + count_ranges(node->second) : 0;
}

/* Why it cannot be kept; NULL: it can. */
static const char *refusal(const struct imap_session *s, const struct search_request *q)
{
    size_t count = 0;
    for (const struct imap_context *x = s->contexts; x; x = x->next)
        count++;
    if (count >= IMAP_CONTEXTS_MAX)
        return "Too many searches are being updated";
    if (count_ranges(q->keys.tree) > CONTEXT_RANGES_MAX)
        return "The search names too many messages to be updated";
    for (size_t i = 0; i < q->criteria_count; i++)
        if (q->criteria[i].key == SORT_RELEVANCE)
            return "What is sorted by relevancy cannot be updated"; /* a new message may change all scores */
    return NULL;
}

void imap_context_refuse(struct imap_session *s, const char *words)
{
    stream_writef(s->stream, "* NO [NOUPDATE \"%.*s\"] %s\r\n", STR_ARGS(str_from(s->tag, s->tag_size)),
                  words);
}

void imap_context_add(struct imap_session *s, bool are_uids, const struct search_request *q,
                      const uint32_t *uids, size_t n)
{
    const char *problem = refusal(s, q);
    if (problem) {
        imap_context_refuse(s, problem);
        return;
    }
    struct imap_context *x = MEM_NEW(struct imap_context);
    memcpy(x->tag, s->tag, s->tag_size);
    x->tag_size = s->tag_size;
    x->are_uids = are_uids;
    x->tree = copy_tree(&x->arena, q->keys.tree);
    x->criteria_count = q->criteria_count;
    x->criteria = ARENA_ARRAY(&x->arena, struct sort_criterion, q->criteria_count + 1);
    if (q->criteria_count > 0)
        memcpy(x->criteria, q->criteria, q->criteria_count * sizeof *q->criteria);
    x->uids = mem_new(n + 1, sizeof *x->uids);
    x->n = n;
    if (n > 0)
        memcpy(x->uids, uids, n * sizeof *uids);
    struct imap_cursor c = {.in = arena_copy(&x->arena, q->update_attributes)};
    if (c.in.n > 0 && imap_take_fetch_request(&c, &x->arena, &x->update))
        x->update.sets_seen = false;
    x->last_uid = imap_view_last_uid(&s->view);
    if (!s->contexts)
        s->contexts_seen = s->view.rows.modseq;
    x->next = s->contexts;
    s->contexts = x;
}

/* CANCELUPDATE: 1*(SP quoted), the tags. */
enum imap_status imap_do_cancelupdate(struct imap_session *s, struct imap_cursor *c)
{
    struct imap_context *ended[IMAP_CONTEXTS_MAX];
    size_t n = 0;
    do {
        struct str tag;
        if (!imap_take_space(c) || !imap_take_string(c, &s->arena, &tag))
            return imap_bad_syntax(s, c);
        struct imap_context *x = imap_context_find(s, tag);
        for (size_t i = 0; i < n; i++)
            if (ended[i] == x)
                x = NULL;
        if (!x)
            return imap_bad(s, "No search of that tag is being updated");
        ended[n++] = x;
    } while (imap_peek(c) >= 0);
    for (size_t i = 0; i < n; i++) {
        struct imap_context **at = &s->contexts;
        while (*at != ended[i])
            at = &(*at)->next;
        *at = ended[i]->next;
        free_context(ended[i]);
    }
    return imap_ok(s, "No longer updated");
}

/* --- telling --- */

/* A pair of ADDTO or REMOVEFROM: the place of the first in the list, and what comes or goes. Position 0 is
 * for SEARCH, whose results have no order of their own (section 4.3.3). */
static void add_pair(struct imap_session *s, const struct imap_context *x, struct buf *out, bool is_first,
                     size_t at, const uint32_t *uids, size_t n)
{
    uint32_t *shown = ARENA_ARRAY(&s->arena, uint32_t, n + 1);
    for (size_t i = 0; i < n; i++)
        shown[i] = x->are_uids ? uids[i] : (uint32_t)imap_view_find(&s->view, uids[i]) + 1;
    buf_add_c(out, is_first ? "" : " ");
    buf_add_u64(out, x->criteria_count > 0 ? at + 1 : 0);
    buf_add_byte(out, ' ');
    imap_add_set(out, shown, n);
}

static void start_answer(const struct imap_context *x, struct buf *out)
{
    if (out->n == 0)
        buf_addf(out, "* ESEARCH (TAG \"%.*s\")%s", STR_ARGS(tag_of(x)), x->are_uids ? " UID" : "");
}

/* --- leaving --- */

/* A sorted list is taken apart from its end, so that the places in front stay what they are. */
static void remove_in_order(struct imap_session *s, struct imap_context *x, const bool *leaves,
                            struct buf *out)
{
    bool is_first = true;
    for (size_t end = x->n; end > 0; end--) {
        size_t start = end;
        while (start > 0 && leaves[start - 1])
            start--;
        if (start == end)
            continue;
        add_pair(s, x, out, is_first, start, x->uids + start, end - start);
        is_first = false;
        end = start + 1;
    }
}

/* Those of its messages that `leaves` says. */
static void remove_messages(struct imap_session *s, struct imap_context *x, const bool *leaves,
                            struct buf *out)
{
    uint32_t *left = ARENA_ARRAY(&s->arena, uint32_t, x->n + 1);
    size_t kept = 0, n = 0;
    for (size_t i = 0; i < x->n; i++)
        if (leaves[i])
            left[n++] = x->uids[i];
    if (n == 0)
        return;
    start_answer(x, out);
    buf_add(out, STR(" REMOVEFROM ("));
    if (x->criteria_count > 0)
        remove_in_order(s, x, leaves, out);
    else
        add_pair(s, x, out, true, 0, left, n);
    buf_add_byte(out, ')');
    for (size_t i = 0; i < x->n; i++)
        if (!leaves[i])
            x->uids[kept++] = x->uids[i];
    x->n = kept;
}

static void send_answer(struct imap_session *s, struct buf *out)
{
    if (out->n > 0)
        buf_add(out, STR("\r\n"));
    stream_write(s->stream, buf_str(out));
}

void imap_contexts_before_expunge(struct imap_session *s)
{
    for (struct imap_context *x = s->contexts; x; x = x->next) {
        CLEAN_BUF struct buf out;
        buf_init(&out, BUF_MAX_DEFAULT);
        bool *leaves = ARENA_ARRAY(&s->arena, bool, x->n + 1);
        for (size_t i = 0; i < x->n; i++) {
            ptrdiff_t row = imap_view_find(&s->view, x->uids[i]);
            leaves[i] = row >= 0 && s->view.rows.v[row].flags & VIEW_GONE;
        }
        remove_messages(s, x, leaves, &out);
        send_answer(s, &out);
    }
}

/* --- coming --- */

static struct search_node *uids_node(struct arena *a, const uint32_t *uids, size_t n)
{
    struct search_node *node = ARENA_NEW(a, struct search_node);
    node->kind = SEARCH_UIDS;
    node->ranges = ARENA_ARRAY(a, struct uid_range, n + 1);
    for (size_t i = 0; i < n; i++) {
        struct uid_range *last = &node->ranges[node->range_count];
        if (node->range_count > 0 && last[-1].to + 1 == uids[i])
            last[-1].to = uids[i];
        else
            node->ranges[node->range_count++] = (struct uid_range){uids[i], uids[i]};
    }
    return node;
}

/* Takes `merged` for the context's list. */
static void replace_list(struct imap_context *x, const uint32_t *merged, size_t n)
{
    x->uids = mem_resize(x->uids, n + 1, sizeof *x->uids);
    memcpy(x->uids, merged, n * sizeof *merged);
    x->n = n;
}

/* All of its messages and the new ones, by uid. */
static uint32_t *union_of(struct imap_session *s, const struct imap_context *x, const uint32_t *new, size_t n)
{
    uint32_t *all = ARENA_ARRAY(&s->arena, uint32_t, x->n + n + 1);
    memcpy(all, x->uids, x->n * sizeof *all);
    if (n > 0)
        memcpy(all + x->n, new, n * sizeof *all);
    qsort(all, x->n + n, sizeof *all, by_uid);
    return all;
}

/* The new ones take their places among the old ones, from the front on. What has been expunged and is not
 * told yet has no place in `order`, and keeps the one that it has in the list. */
static void add_in_order(struct imap_session *s, struct imap_context *x, const uint32_t *new, size_t n,
                         const uint32_t *order, size_t order_count, struct buf *out)
{
    uint32_t *merged = ARENA_ARRAY(&s->arena, uint32_t, x->n + n + 1);
    uint32_t *ordered = ARENA_ARRAY(&s->arena, uint32_t, order_count + 1);
    size_t old = 0, count = 0, run = 0;
    bool is_first = true;
    memcpy(ordered, order, order_count * sizeof *order);
    qsort(ordered, order_count, sizeof *ordered, by_uid);
    for (size_t i = 0; i <= order_count; i++) {
        if (i < order_count && holds(new, n, order[i])) {
            merged[count++] = order[i];
            run++;
            continue;
        }
        if (run > 0) {
            add_pair(s, x, out, is_first, count - run, merged + count - run, run);
            is_first = false;
            run = 0;
        }
        while (old < x->n && (i == order_count || !holds(ordered, order_count, x->uids[old])))
            merged[count++] = x->uids[old++];
        if (old < x->n && x->uids[old] == order[i])
            merged[count++] = x->uids[old++];
    }
    replace_list(x, merged, count);
}

/* `new`, ascending, are not in it yet. */
static bool add_messages(struct imap_session *s, struct imap_context *x, const uint32_t *new, size_t n,
                         struct buf *out, struct err *e)
{
    if (n == 0)
        return true;
    size_t count = x->n + n, ordered;
    uint32_t *all = union_of(s, x, new, n), *order;
    if (x->criteria_count == 0) {
        start_answer(x, out);
        buf_add(out, STR(" ADDTO ("));
        add_pair(s, x, out, true, 0, new, n);
        buf_add_byte(out, ')');
        replace_list(x, all, count);
        return true;
    }
    if (store_sort(s->store, s->mailbox, uids_node(&s->arena, all, count), x->criteria, x->criteria_count,
                   &s->arena, &order, &ordered, NULL, e) != STORE_OK)
        return false;
    size_t start = out->n;
    start_answer(x, out);
    buf_add(out, STR(" ADDTO ("));
    size_t before = out->n;
    add_in_order(s, x, new, n, order, ordered, out);
    if (out->n > before)
        buf_add_byte(out, ')');
    else
        buf_truncate(out, start); /* all of them were expunged in between */
    return true;
}

/* --- looking again --- */

/* The uids of `changed` that the client knows of. */
static uint32_t *known_uids(struct imap_session *s, const struct view_changes *changes, size_t *n)
{
    uint32_t *uids = ARENA_ARRAY(&s->arena, uint32_t, changes->changed_count + 1);
    *n = 0;
    for (size_t i = 0; i < changes->changed_count; i++) {
        ptrdiff_t row = imap_view_find(&s->view, changes->changed[i].uid);
        if (row >= 0 && !(s->view.rows.v[row].flags & VIEW_GONE))
            uids[(*n)++] = changes->changed[i].uid;
    }
    return uids;
}

/* Those that are new in the mailbox too are described before the list tells of them (RFC 5465 section 7). */
static bool describe(struct imap_session *s, struct imap_context *x, const uint32_t *new, size_t n,
                     struct err *e)
{
    uint32_t *uids = ARENA_ARRAY(&s->arena, uint32_t, n + 1);
    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        if (new[i] > x->last_uid)
            uids[count++] = new[i];
    x->last_uid = imap_view_last_uid(&s->view);
    if (count == 0 || (x->update.items == 0 && x->update.section_count == 0))
        return true;
    return imap_fetch_told(s, &x->update, uids, count, e) == STORE_OK;
}

static bool update(struct imap_session *s, struct imap_context *x, const uint32_t *changed, size_t n,
                   struct err *e)
{
    struct search_node both = {
        .kind = SEARCH_AND, .first = uids_node(&s->arena, changed, n), .second = x->tree};
    uint32_t *match, *sorted = union_of(s, x, NULL, 0), *new = ARENA_ARRAY(&s->arena, uint32_t, n + 1);
    size_t match_count, new_count = 0;
    if (!imap_search_view(&s->view, &both, &s->arena, &match, &match_count) &&
        store_search(s->store, s->mailbox, &both, &s->arena, &match, &match_count, NULL, NULL, e) != STORE_OK)
        return false;
    bool *leaves = ARENA_ARRAY(&s->arena, bool, x->n + 1);
    for (size_t i = 0; i < x->n; i++)
        leaves[i] = holds(changed, n, x->uids[i]) && !holds(match, match_count, x->uids[i]);
    for (size_t i = 0; i < match_count; i++)
        if (!holds(sorted, x->n, match[i]))
            new[new_count++] = match[i];
    CLEAN_BUF struct buf out;
    buf_init(&out, BUF_MAX_DEFAULT);
    remove_messages(s, x, leaves, &out);
    bool good = add_messages(s, x, new, new_count, &out, e) && describe(s, x, new, new_count, e);
    send_answer(s, &out);
    return good;
}

void imap_contexts_after_sync(struct imap_session *s)
{
    uint64_t now = s->view.rows.modseq;
    if (!s->contexts || now <= s->contexts_seen)
        return;
    struct view_changes changes;
    struct err e = ERR_INIT;
    size_t n = 0;
    bool good =
        store_view_changes(s->store, s->mailbox, s->contexts_seen, &s->arena, &changes, &e) == STORE_OK;
    uint32_t *changed = good ? known_uids(s, &changes, &n) : NULL;
    for (struct imap_context *x = s->contexts; good && n > 0 && x; x = x->next)
        good = update(s, x, changed, n, &e);
    if (good)
        s->contexts_seen = now;
    else /* what could not be looked at now is looked at next time */
        LOG_ERROR("imap.context_failed", F_STR("account", s->host->address), F_C("error", e.text));
}
