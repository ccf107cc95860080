#include "smtp/recent.h"

#include "base/mem.h"

#include <pthread.h>
#include <string.h>

#define KEPT_MS   1000
/* So many times, none a second behind the one before, make a question one that is asked all the time. A first
 * message after a change therefore always meets the change. */
#define OFTEN     4
#define SLOTS     1024 /* a question has one place; two that share it take turns */
#define TEXTS_MAX 256  /* of an address and what it leads to; longer ones are asked for each time */

struct question {
    struct str address;
    int64_t account; /* what that may do with it; 0: where its mail goes */
};

struct slot {
    int64_t asked_ms, answered_ms;  /* the last time */
    uint64_t generation;            /* of the directory, before it answered */
    unsigned asked;                 /* in a row */
    int64_t account;                /* as in struct question */
    struct directory_sender sender; /* with it */
    enum directory_fate fate;       /* without, as what follows */
    struct directory_target target; /* without its strings */
    uint16_t name, address, detail; /* bytes of `texts`, one after the other; name 0: no question */
    char texts[TEXTS_MAX];
};

struct recent {
    pthread_mutex_t lock;      /* over the slots */
    struct slot *slots[SLOTS]; /* NULL: not used yet */
};

struct recent *recent_new(void)
{
    struct recent *r = MEM_NEW(struct recent);
    pthread_mutex_init(&r->lock, NULL);
    return r;
}

void recent_free(struct recent *r)
{
    for (size_t i = 0; i < SLOTS; i++)
        free(r->slots[i]);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

/* FNV-1a. Who crafts addresses that share a place gains that they are asked for. */
static struct slot **place(struct recent *r, const struct question *q)
{
    uint32_t hash = 2166136261u ^ (uint32_t)q->account;
    for (size_t i = 0; i < q->address.n; i++)
        hash = (hash ^ (unsigned char)q->address.p[i]) * 16777619u;
    return &r->slots[hash % SLOTS];
}

static bool is_of(const struct slot *s, const struct question *q)
{
    return s && s->account == q->account && str_eq(str_from(s->texts, s->name), q->address);
}

/* --- under the lock --- */

/* The slot with an answer that still holds, or NULL: the directory is to be asked. */
static const struct slot *find(struct recent *r, const struct question *q, struct recent_moment now)
{
    struct slot *s = *place(r, q);
    if (!is_of(s, q))
        return NULL;
    s->asked = now.ms - s->asked_ms < KEPT_MS ? s->asked + 1 : 1;
    s->asked_ms = now.ms;
    bool holds = now.ms - s->answered_ms < KEPT_MS && s->generation == now.generation;
    return s->asked > OFTEN && holds ? s : NULL;
}

/* The question's slot, to be filled with the answer. */
static struct slot *note(struct recent *r, const struct question *q, struct recent_moment now)
{
    struct slot **at = place(r, q);
    if (!*at)
        *at = MEM_NEW(struct slot);
    struct slot *s = *at;
    if (!is_of(s, q)) {
        s->asked = 1;
        s->asked_ms = now.ms;
        s->account = q->account;
        s->name = (uint16_t)q->address.n;
        memcpy(s->texts, q->address.p, q->address.n);
    }
    s->answered_ms = now.ms;
    s->generation = now.generation;
    return s;
}

/* It has no such answer any more. */
static void forget(struct recent *r, const struct question *q)
{
    struct slot *s = *place(r, q);
    if (is_of(s, q))
        s->name = 0;
}

/* --- where mail goes --- */

static void read_answer(const struct slot *s, struct arena *a, struct directory_answer *out)
{
    *out = (struct directory_answer){.fate = s->fate,
                                     .targets = ARENA_NEW(a, struct directory_target),
                                     .count = 1,
                                     .reply = STR(""),
                                     .sender = STR("")};
    *out->targets = s->target;
    out->targets->address = arena_copy(a, str_from(s->texts + s->name, s->address));
    out->targets->detail = arena_copy(a, str_from(s->texts + s->name + s->address, s->detail));
}

static void write_answer(struct slot *s, const struct directory_answer *answer)
{
    const struct directory_target *to = answer->targets;
    s->fate = answer->fate;
    s->target = *to;
    s->target.address = s->target.detail = s->target.sender = STR("");
    s->address = (uint16_t)to->address.n;
    s->detail = (uint16_t)to->detail.n;
    memcpy(s->texts + s->name, to->address.p, to->address.n);
    if (to->detail.n > 0)
        memcpy(s->texts + s->name + s->address, to->detail.p, to->detail.n);
}

static bool is_kept(const struct directory_answer *answer, struct str address)
{
    const struct directory_target *to = answer->targets;
    return answer->count == 1 && !answer->rewrites && !answer->is_for_sender && to->sender.n == 0 &&
           (to->is_local ? answer->fate == DIRECTORY_LOCAL : answer->fate == DIRECTORY_REMOTE) &&
           address.n > 0 && address.n + to->address.n + to->detail.n <= TEXTS_MAX;
}

bool recent_find(struct recent *r, struct str address, struct recent_moment now, struct arena *a,
                 struct directory_answer *out)
{
    const struct question q = {.address = address};
    pthread_mutex_lock(&r->lock);
    const struct slot *s = find(r, &q, now);
    if (s)
        read_answer(s, a, out);
    pthread_mutex_unlock(&r->lock);
    return s != NULL;
}

void recent_note(struct recent *r, struct str address, struct recent_moment now,
                 const struct directory_answer *answer)
{
    const struct question q = {.address = address};
    pthread_mutex_lock(&r->lock);
    if (is_kept(answer, address))
        write_answer(note(r, &q, now), answer);
    else
        forget(r, &q);
    pthread_mutex_unlock(&r->lock);
}

/* --- senders --- */

bool recent_find_sender(struct recent *r, int64_t account, struct str address, struct recent_moment now,
                        struct directory_sender *out)
{
    const struct question q = {address, account};
    pthread_mutex_lock(&r->lock);
    const struct slot *s = find(r, &q, now);
    if (s)
        *out = s->sender;
    pthread_mutex_unlock(&r->lock);
    return s != NULL;
}

void recent_note_sender(struct recent *r, int64_t account, struct str address, struct recent_moment now,
                        const struct directory_sender *sender)
{
    const struct question q = {address, account};
    bool may = sender->right != DIRECTORY_SEND_NOT && address.n > 0 && address.n <= TEXTS_MAX;
    pthread_mutex_lock(&r->lock);
    if (may)
        note(r, &q, now)->sender = *sender;
    else
        forget(r, &q);
    pthread_mutex_unlock(&r->lock);
}
