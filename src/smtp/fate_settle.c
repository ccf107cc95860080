/* A message whose recipients fare differently: what the client hears of, and what becomes of the rest. */
#include "base/log.h"
#include "smtp/fates.h"

static struct group *group_of(const struct fates *f, const struct smtp_target *x)
{
    return &f->groups[f->group_count > 1 ? x->recipient : 0];
}

/* What each group has, and what it hears if it has nothing: rather of an account that may still work. */
static void judge(struct fates *f)
{
    const struct smtp_transaction *t = &f->s->transaction;
    for (size_t i = 0; i < t->target_count; i++) {
        const struct smtp_target *x = &t->targets[i];
        struct group *g = group_of(f, x);
        const struct delivery_recipient *r = x->to.is_local ? &f->local[x->place] : NULL;
        if (!r || r->fate == DELIVERY_STORED) {
            g->has_it = true;
            continue;
        }
        g->failed += g->last != r;
        g->last = r;
        if (!g->told || (g->told->fate == DELIVERY_PERMANENT && r->fate == DELIVERY_TEMPORARY))
            g->told = r;
    }
}

/* A group that has the message gets a 250, and its client will not try again: what failed of it is our task.
 * Two recipients may lead to one account: when that is tried again for one of them, the other has it too. */
static void take_over(struct fates *f)
{
    const struct smtp_transaction *t = &f->s->transaction;
    bool changed = f->deferred + f->refused > 0;
    while (changed) {
        changed = false;
        for (size_t i = 0; i < t->target_count; i++) {
            const struct smtp_target *x = &t->targets[i];
            struct group *g = group_of(f, x);
            if (!x->to.is_local || f->local[x->place].fate == DELIVERY_STORED)
                continue;
            bool *is_ours = &f->is_ours[x->place];
            bool will_be_tried = *is_ours && f->local[x->place].fate == DELIVERY_TEMPORARY;
            changed = changed || (g->has_it && !*is_ours) || (!g->has_it && will_be_tried);
            *is_ours = *is_ours || g->has_it;
            g->has_it = g->has_it || will_be_tried;
        }
    }
}

/* May a report go to the sender of a message that we have taken? An authenticated sender's address is theirs.
 * A stranger's may be forged, and a report to it would be spam; when SPF and DKIM are checked, a sender whom
 * they prove belongs here too. */
static bool is_known_sender(const struct session *s)
{
    return s->is_authenticated && s->transaction.sender.n > 0;
}

/* RFC 3461 section 4.1: without NOTIFY a failure is reported. */
static bool wants_failures(const struct envelope_recipient *asked)
{
    return asked->notify == 0 || asked->notify & ENVELOPE_NOTIFY_FAILURE;
}

static void log_refused(const struct fates *f, const struct delivery_recipient *r, const char *then)
{
    LOG_INFO("message.recipient_refused", F_C("id", f->s->transaction.id.hex),
             F_STR("from", f->s->transaction.sender), F_STR("to", r->address), F_C("reply", r->reply),
             F_C("then", then));
}

/* What settling the message hands to the queue, beside what is relayed. */
struct rest {
    struct queue_recipient *v;
    size_t n;
    bool is_only_good_news; /* nothing hangs on it but reports of success */
};

/* Those that may still work are tried again from the queue. Those that will not are told to a sender whom we
 * know; for others the log line is all. */
static void add_failed(const struct fates *f, struct rest *rest)
{
    for (size_t i = 0; i < f->locals; i++) {
        const struct delivery_recipient *r = &f->local[i];
        bool is_refused = r->fate == DELIVERY_PERMANENT;
        bool is_reported = is_refused && is_known_sender(f->s) && wants_failures(f->local_asked[i]);
        if (!f->is_ours[i])
            continue;
        if (is_refused)
            log_refused(f, r, is_reported ? "reported" : "dropped");
        if (is_refused && !is_reported)
            continue;
        rest->is_only_good_news = false;
        rest->v[rest->n++] =
            (struct queue_recipient){.address = r->address,
                                     .account = is_refused ? QUEUE_REFUSED : r->account,
                                     .original = r->original,
                                     .asked = *f->local_asked[i],
                                     .detail = is_refused ? str_from_c(r->reply) : r->detail};
    }
}

/* RFC 3461 section 5.2: "delivered" for who has it, "expanded" for an address that led to several. Relay, or
 * the queue, tells of the others. */
static void add_successes(const struct fates *f, struct rest *rest)
{
    const struct smtp_transaction *t = &f->s->transaction;
    for (size_t i = 0; i < t->target_count && t->sender.n > 0; i++) {
        const struct smtp_target *x = &t->targets[i];
        struct smtp_recipient *r = &t->recipients[x->recipient];
        bool is_expanded = r->targets > 1;
        bool is_stored = x->to.is_local && f->locals > 0 && f->local[x->place].fate == DELIVERY_STORED;
        if (r->is_told || !(r->asked.notify & ENVELOPE_NOTIFY_SUCCESS) ||
            !(is_expanded ? group_of(f, x)->has_it : is_stored))
            continue;
        r->is_told = true; /* once, of an address that led to several */
        rest->v[rest->n++] = (struct queue_recipient){.address = is_expanded ? r->address : x->to.address,
                                                      .account = is_expanded ? QUEUE_EXPANDED : QUEUE_STORED,
                                                      .original = r->address,
                                                      .asked = r->asked,
                                                      .detail = STR("2.0.0 Delivered")};
    }
}

bool fates_settle(struct fates *f, struct err *e)
{
    const struct smtp_transaction *t = &f->s->transaction;
    judge(f);
    take_over(f);
    size_t most = f->deferred + f->refused + t->recipient_count;
    struct rest rest = {.v = ARENA_ARRAY(&f->s->transaction.arena, struct queue_recipient, most),
                        .is_only_good_news = true};
    add_failed(f, &rest);
    add_successes(f, &rest);
    if (rest.n == 0 || fates_enqueue(f, rest.v, rest.n, e))
        return true;
    if (rest.is_only_good_news) /* those who have the message shall not get it again for that */
        LOG_ERROR("message.unreported", F_C("id", t->id.hex), F_STR("from", t->sender),
                  F_C("error", e->text));
    return rest.is_only_good_news;
}
