/* What will become of what stands in the journal: counters as the transaction will leave them, worked out
 * before it. */
#include "base/mem.h"
#include "mailbox/arrivals_parts.h"

/* --- the plan --- */

void arrivals_forget_plan(struct arrivals *a)
{
    if (a->plan)
        arena_free(&a->plan->arena);
    free(a->plan);
    a->plan = NULL;
}

void arrivals_keep_uid(struct change *ch, const struct store_append *item)
{
    struct counters *c;
    struct err ignored = ERR_INIT; /* append_place finds the same and says it */
    if (change_mailbox(ch, item->mailbox, &c, &ignored) == STORE_OK && c->uidnext < item->uid)
        c->uidnext = item->uid;
}

/* Counts what is in `b`, as yet another change after those that are planned. False: the database cannot be
 * asked. */
static bool place(struct change *plan, struct arrival_batch *b, size_t *bytes, struct err *e)
{
    b->modseq = plan->modseq = plan->root.highestmodseq + 1;
    for (size_t i = 0; i < b->n; i++) {
        struct store_append *item = &b->items[i];
        if (item->result == STORE_OK)
            item->result = append_place(plan, item, e);
        if (item->result == STORE_FAILED)
            return false;
        if (item->result == STORE_OK)
            *bytes += arrivals_bytes(b, i);
    }
    return true;
}

/* What stands in the journal has been asked about its quota, and keeps its uids. */
static bool place_again(struct change *plan, const struct arrival_batch *b, struct err *e)
{
    plan->modseq = b->modseq;
    for (size_t i = 0; i < b->n; i++) {
        struct store_append item = b->items[i];
        item.beyond_quota = true;
        arrivals_keep_uid(plan, &item);
        if (item.result == STORE_OK && append_place(plan, &item, e) == STORE_FAILED)
            return false;
    }
    return true;
}

/* A new plan, of what stands in the journal. */
static bool make_plan(struct store *s, struct connection *c, struct err *e)
{
    struct arrivals *a = &s->arrivals;
    struct change *plan = a->plan = MEM_NEW(struct change);
    *plan = (struct change){.store = s, .connection = c, .db = c->db};
    bool good = change_plan(plan, e);
    for (const struct arrival_batch *b = a->first; good && b; b = b->next)
        good = place_again(plan, b, e);
    if (!good)
        arrivals_forget_plan(a);
    return good;
}

uint32_t arrivals_last_time(struct store *s)
{
    struct err ignored = ERR_INIT;
    struct change now = {.store = s, .connection = pool_take(&s->pool, &ignored)};
    if (!now.connection)
        return 0;
    now.db = now.connection->db;
    bool good = change_plan(&now, &ignored);
    pool_give(&s->pool, now.connection);
    return good ? now.root.first_recent : 0; /* see ROOT_MAILBOX */
}

bool arrivals_plan(struct store *s, struct arrival_batch *b, size_t *bytes)
{
    struct arrivals *a = &s->arrivals;
    struct err ignored = ERR_INIT; /* the way without a journal is the way out */
    struct connection *c = pool_take(&s->pool, &ignored);
    bool good = c && (a->plan || make_plan(s, c, &ignored));
    if (good && b) {
        a->plan->connection = c;
        a->plan->db = c->db;
        good = place(a->plan, b, bytes, &ignored);
    }
    if (c)
        pool_give(&s->pool, c);
    return good;
}

/* --- counters as they will be --- */

struct connection *store_peek(struct store *s, struct err *e)
{
    pthread_mutex_lock(&s->arrivals.lock);
    struct connection *c = pool_take(&s->pool, e);
    if (!c)
        pthread_mutex_unlock(&s->arrivals.lock);
    return c;
}

void store_peeked(struct store *s, struct connection *c)
{
    pool_give(&s->pool, c);
    pthread_mutex_unlock(&s->arrivals.lock);
}

uint64_t arrivals_modseq(struct store *s, int64_t mailbox)
{
    struct arrivals *a = &s->arrivals;
    uint64_t modseq = 0;
    if (atomic_load(&a->count) == 0)
        return 0;
    pthread_mutex_lock(&a->lock);
    for (const struct counters *c = a->plan ? a->plan->touched : NULL; c; c = c->next)
        if (c->mailbox == mailbox)
            modseq = c->highestmodseq;
    pthread_mutex_unlock(&a->lock);
    return modseq;
}

bool arrivals_recall(struct store *s, struct str name, struct arena *a, struct mailbox *out)
{
    const struct mailbox *found = s->arrivals.found;
    if (!found || !str_eq(found->name, name))
        return false;
    *out = *found;
    out->name = arena_copy(a, name);
    arrivals_count(s, out);
    return true;
}

void arrivals_remember(struct store *s, const struct mailbox *m)
{
    struct arrivals *a = &s->arrivals;
    if (atomic_load(&a->count) == 0)
        return;
    if (!a->found)
        a->found = ARENA_NEW(&a->arena, struct mailbox);
    struct str name = a->found->name;
    *a->found = *m;
    a->found->name = str_eq(name, m->name) ? name : arena_copy(&a->arena, m->name);
}

void arrivals_count(struct store *s, struct mailbox *m)
{
    const struct change *plan = s->arrivals.plan;
    for (const struct counters *c = plan ? plan->touched : NULL; c; c = c->next)
        if (c->mailbox == m->id) {
            m->uidnext = c->uidnext;
            m->highestmodseq = c->highestmodseq;
            m->messages = c->messages;
            m->unseen = c->unseen;
            m->deleted = c->deleted;
            m->size = c->size;
            m->deleted_size = c->deleted_size;
        }
}
