/* Who gets a message: every account and every address elsewhere once. */
#include "smtp/fates.h"

#include "message/address.h"

#include <stdlib.h>

static int by_place(const void *left, const void *right)
{
    const struct smtp_target *a = left, *b = right;
    if (a->to.is_local != b->to.is_local)
        return a->to.is_local ? -1 : 1;
    if (a->to.is_local && a->to.account != b->to.account)
        return a->to.account < b->to.account ? -1 : 1;
    int order = a->to.is_local ? 0 : str_compare(a->to.address, b->to.address);
    /* So that of two ways to one place the same is taken every time, one without a tag first. */
    return order ? order : str_compare(a->to.detail, b->to.detail);
}

static bool is_same_place(const struct smtp_target *a, const struct smtp_target *b)
{
    return a->to.is_local == b->to.is_local &&
           (a->to.is_local ? a->to.account == b->to.account : str_eq(a->to.address, b->to.address));
}

/* Of an address that leads to several, "expanded" is the report of success, and theirs are nobody's business:
 * RFC 3461 section 5.2.7.3. */
static const struct envelope_recipient *asked_for(const struct smtp_recipient *r, struct arena *a)
{
    if (r->targets <= 1 || !(r->asked.notify & ENVELOPE_NOTIFY_SUCCESS))
        return &r->asked;
    struct envelope_recipient *one = ARENA_NEW(a, struct envelope_recipient);
    unsigned left = r->asked.notify & ~(unsigned)ENVELOPE_NOTIFY_SUCCESS;
    *one = (struct envelope_recipient){.notify = left ? left : ENVELOPE_NOTIFY_NEVER,
                                       .original = r->asked.original};
    return one;
}

static void add_place(struct fates *f, const struct smtp_target *x)
{
    struct smtp_transaction *t = &f->s->transaction;
    const struct smtp_recipient *r = &t->recipients[x->recipient];
    const struct envelope_recipient *asked = asked_for(r, &t->arena);
    if (x->to.is_local) {
        f->local_asked[f->locals] = asked;
        f->local[f->locals++] = (struct delivery_recipient){.account = x->to.account,
                                                            .address = x->to.address,
                                                            .original = r->address,
                                                            .detail = x->to.detail};
    } else {
        f->remote[f->remotes++] =
            (struct queue_recipient){.address = smtp_address_text(x->to.address, &t->arena),
                                     .original = r->address,
                                     .asked = *asked,
                                     .detail = STR(""),
                                     .sender = smtp_address_text(x->to.sender, &t->arena)};
    }
}

void fates_sort(struct fates *f)
{
    struct smtp_transaction *t = &f->s->transaction;
    f->local = ARENA_ARRAY(&t->arena, struct delivery_recipient, t->target_count);
    f->local_asked = ARENA_ARRAY(&t->arena, const struct envelope_recipient *, t->target_count);
    f->is_ours = ARENA_ARRAY(&t->arena, bool, t->target_count);
    f->remote = ARENA_ARRAY(&t->arena, struct queue_recipient, t->target_count);
    qsort(t->targets, t->target_count, sizeof *t->targets, by_place);
    for (size_t i = 0; i < t->target_count; i++) {
        if (i == 0 || !is_same_place(&t->targets[i - 1], &t->targets[i]))
            add_place(f, &t->targets[i]);
        t->targets[i].place = f->locals + f->remotes - 1;
    }
}
