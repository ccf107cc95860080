#include "smtp/fate.h"

#include "base/log.h"
#include "message/address.h"
#include "smtp/needs_utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOGGED_RECIPIENTS_MAX                                                     \
    ((size_t)1500) /* bytes of them in the log line, which has a bound of its own \
                    */

/* Who share an answer: all recipients; or, with LMTP and PRDR, each for itself. */
struct group {
    bool has_it;                           /* somebody has the message for them, or the queue has */
    const struct delivery_recipient *told; /* of their accounts that failed, whose words they hear */
    size_t failed;                         /* such accounts */
    const struct delivery_recipient *last; /* of them: targets are sorted by place */
};

/* One message on its way out of this process. Each place gets it once: those of `local` come first, those of
 * `remote` follow. */
struct fates {
    struct session *s;
    struct incoming *message;
    struct delivery_recipient *local;
    const struct envelope_recipient **local_asked; /* one each */
    bool *is_ours; /* one each: it failed, and to settle that is our task now */
    struct queue_recipient *remote;
    size_t locals, remotes;
    size_t stored, deferred, refused; /* of the locals */
    struct group *groups;
    size_t group_count;
    int64_t queue_id; /* 0: nothing was queued */
};

/* --- who gets it --- */

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

/* An address for another server, as it must stand in its RCPT. */
static struct str wire_address(struct str plain, struct arena *a)
{
    size_t at = str_rfind_byte(plain, '@');
    struct smtp_path path = {plain, STR("")};
    if (at != STR_NONE)
        path = (struct smtp_path){str_slice(plain, 0, at), str_from_offset(plain, at + 1)};
    return smtp_path_text(&path, a);
}

static void add_place(struct fates *f, const struct smtp_target *x)
{
    struct smtp_transaction *t = &f->s->transaction;
    const struct smtp_recipient *r = &t->recipients[x->recipient];
    if (x->to.is_local) {
        f->local_asked[f->locals] = &r->asked;
        f->local[f->locals++] = (struct delivery_recipient){.account = x->to.account,
                                                            .address = x->to.address,
                                                            .original = r->address,
                                                            .detail = x->to.detail};
    } else {
        f->remote[f->remotes++] = (struct queue_recipient){.address = wire_address(x->to.address, &t->arena),
                                                           .original = r->address,
                                                           .asked = r->asked,
                                                           .detail = STR("")};
    }
}

/* Everybody gets one copy, however many of the recipients lead there. */
static void sort_targets(struct fates *f)
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

/* --- the two places --- */

static bool enqueue(struct fates *f, struct queue_recipient *recipients, size_t n, struct err *e)
{
    int memfd = incoming_memfd(f->message, e);
    if (memfd < 0)
        return false;
    struct queue_message m = {
        .memfd = memfd,
        .size = f->message->size,
        .sender = f->s->transaction.sender,
        .is_8bit = f->message->is_8bit,
        .asked = f->s->transaction.asked,
        .recipients = recipients,
        .count = n,
    };
    if (m.is_8bit && m.asked.body == ENVELOPE_7BIT)
        m.asked.body = ENVELOPE_8BIT; /* whatever the client said */
    m.asked.is_utf8 = m.asked.is_utf8 && needs_utf8(&f->s->transaction, f->message);
    memcpy(m.id, f->s->transaction.id.bytes, sizeof m.id);
    return queue_enqueue(f->s->server->queue, &m, &f->queue_id, e);
}

/* What an account said becomes ours, if it has the form of an SMTP reply of its kind. */
static void check_reply(struct delivery_recipient *r)
{
    size_t n = strnlen(r->reply, sizeof r->reply - 1);
    r->reply[n] = '\0';
    bool temporary = r->fate == DELIVERY_TEMPORARY;
    if (n < 6 || r->reply[0] != (temporary ? '4' : '5') || r->reply[1] != '.')
        snprintf(r->reply, sizeof r->reply, "%s", temporary ? "4.3.0 Not now" : "5.0.0 Refused");
}

static void deliver(struct fates *f)
{
    struct delivery_message m = {
        .memfd = f->message->memfd,
        .bytes = buf_str(&f->message->small),
        .size = f->message->size,
        .sender = f->s->transaction.sender,
    };
    memcpy(m.id, f->s->transaction.id.bytes, sizeof m.id);
    if (f->locals > 0)
        delivery_deliver(f->s->server->delivery, &m, f->local, f->locals);
    for (size_t i = 0; i < f->locals; i++) {
        switch (f->local[i].fate) {
        case DELIVERY_STORED: f->stored++; continue;
        case DELIVERY_TEMPORARY: f->deferred++; break;
        default: f->local[i].fate = DELIVERY_PERMANENT; f->refused++;
        }
        check_reply(&f->local[i]);
    }
}

/* --- whose task the rest is --- */

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

/* Those that may still work are tried again from the queue. Those that will not are told to a sender whom we
 * know; for others the log line is all. */
static bool settle_rest(struct fates *f, struct err *e)
{
    struct queue_recipient *rest =
        ARENA_ARRAY(&f->s->transaction.arena, struct queue_recipient, f->deferred + f->refused);
    size_t n = 0;
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
        rest[n++] = (struct queue_recipient){.address = r->address,
                                             .account = is_refused ? QUEUE_REFUSED : r->account,
                                             .original = r->original,
                                             .asked = *f->local_asked[i],
                                             .detail = is_refused ? str_from_c(r->reply) : r->detail};
    }
    return n == 0 || enqueue(f, rest, n, e);
}

/* --- the log --- */

static struct str join_recipients(const struct fates *f, struct arena *a)
{
    CLEAN_BUF struct buf all;
    buf_init(&all, LOGGED_RECIPIENTS_MAX);
    for (size_t i = 0; i < f->locals; i++)
        buf_addf(&all, "%s%.*s", all.n ? "," : "", STR_ARGS(f->local[i].address));
    for (size_t i = 0; i < f->remotes; i++)
        buf_addf(&all, "%s%.*s", all.n ? "," : "", STR_ARGS(f->remote[i].address));
    return arena_copy(a, buf_str(&all));
}

/* Where those who have it put it. */
static struct str join_folders(const struct fates *f, struct arena *a)
{
    CLEAN_BUF struct buf all;
    buf_init(&all, LOGGED_RECIPIENTS_MAX);
    for (size_t i = 0; i < f->locals; i++)
        if (f->local[i].fate == DELIVERY_STORED)
            buf_addf(&all, "%s%s", all.n ? "," : "", f->local[i].where);
    return arena_copy(a, buf_str(&all));
}

/* Recipients that lead to another address, or for whom there was no room in the line: for the trace, which is
 * asked about those too. */
static void trace_recipients(const struct fates *f)
{
    const struct smtp_transaction *t = &f->s->transaction;
    bool *is_told = ARENA_ARRAY(&f->s->command, bool, t->recipient_count + 1);
    bool has_room = join_recipients(f, &f->s->command).n < LOGGED_RECIPIENTS_MAX / 2;
    for (size_t i = 0; i < t->target_count && has_room; i++)
        is_told[t->targets[i].recipient] |=
            str_eq_nocase(t->targets[i].to.address, t->recipients[t->targets[i].recipient].address);
    for (size_t i = 0; i < t->recipient_count;) {
        CLEAN_BUF struct buf some;
        buf_init(&some, LOG_TRACE_MAX / 2);
        for (; i < t->recipient_count && some.n + ADDRESS_MAX < LOG_TRACE_MAX / 2; i++)
            if (!is_told[i])
                buf_addf(&some, "%s%.*s", some.n ? "," : "", STR_ARGS(t->recipients[i].address));
        if (some.n > 0)
            LOG_TRACE("message.recipients", F_C("id", t->id.hex), F_STR("to", buf_str(&some)));
    }
}

static void log_accepted(const struct fates *f)
{
    struct session *s = f->s;
    const struct connection *c = &s->connection;
    struct received_with with = session_with(s);
    char protocol[RECEIVED_PROTOCOL_MAX];
    received_protocol(&with, c->tls.on, protocol);
    LOG_INFO("message.accepted", F_C("id", s->transaction.id.hex), F_STR("msgid", f->message->message_id),
             F_STR("from", s->transaction.sender), F_STR("to", join_recipients(f, &s->command)),
             F_STR("where", join_folders(f, &s->command)), F_INT("recipients", f->locals + f->remotes),
             F_INT("stored", f->stored), F_INT("deferred", f->deferred), F_INT("refused", f->refused),
             F_INT("relayed", f->remotes), F_INT("queue", f->queue_id), F_INT("size", f->message->size),
             F_C("peer", c->peer), F_C("helo", s->helo), F_C("user", s->user.address), F_C("with", protocol),
             F_C("tls", c->tls.version), F_C("cipher", c->tls.cipher));
    trace_recipients(f);
}

/* --- the answer --- */

/* The code that goes with an enhanced status: RFC 5321 section 4.2.3. */
static int code_for(const char *reply)
{
    bool is_full = strncmp(reply + 1, ".2.2", 4) == 0 || strncmp(reply + 1, ".3.1", 4) == 0;
    bool is_large = strncmp(reply, "5.3.4", 5) == 0 || strncmp(reply, "5.2.3", 5) == 0;
    if (reply[0] == '4')
        return is_full ? 452 : 451;
    return is_full || is_large ? 552 : 550;
}

static void refuse_group(const struct fates *f, const struct group *g, struct str recipient)
{
    const struct delivery_recipient *r = g->told;
    if (g->failed == 1)
        session_refuse(f->s, recipient, "%d %s", code_for(r->reply), r->reply);
    else
        session_refuse(f->s, recipient, "%d %s (and %zu others)", code_for(r->reply), r->reply,
                       g->failed - 1);
}

static bool has_anybody(const struct fates *f)
{
    for (size_t i = 0; i < f->group_count; i++)
        if (f->groups[i].has_it)
            return true;
    return false;
}

/* RFC 2033 section 4.2, and the same lines in PRDR: one for each RCPT that was accepted, in their order. */
static void answer_each(const struct fates *f)
{
    struct session *s = f->s;
    const struct smtp_transaction *t = &s->transaction;
    for (size_t i = 0; i < t->recipient_count; i++) {
        struct str recipient = t->recipients[i].address;
        if (f->groups[i].has_it)
            session_reply(s, "250 2.1.5 <%.*s> has it as %s", STR_ARGS(recipient), t->id.hex);
        else
            refuse_group(f, &f->groups[i], recipient);
    }
}

/* Exim's client takes 2xx for "as the lines before say", and a failure for one of all recipients. */
static void answer_prdr(const struct fates *f)
{
    struct session *s = f->s;
    session_reply(s, "353 An answer for each recipient follows");
    answer_each(f);
    if (has_anybody(f))
        session_reply(s, "250 2.0.0 Accepted as %s", s->transaction.id.hex);
    else
        session_reply(s, f->deferred > 0 ? "450 4.0.0 Nobody has it" : "550 5.0.0 Nobody has it");
}

static void answer(const struct fates *f)
{
    struct session *s = f->s;
    if (has_anybody(f)) {
        log_accepted(f);
        guard_accepted(s);
        s->errors = s->refusals = s->idling = 0;
    }
    if (session_is_lmtp(s))
        answer_each(f);
    else if (f->group_count > 1)
        answer_prdr(f);
    else if (f->groups[0].has_it)
        session_reply(s, "250 2.0.0 Accepted as %s", s->transaction.id.hex);
    else
        refuse_group(f, &f->groups[0], f->groups[0].told->address);
}

static void not_queued(const struct fates *f, const struct err *e)
{
    if (e->kind == ERR_PERMANENT)
        session_refuse_message(f->s, "554 5.3.0 %s", e->text);
    else
        session_refuse_message(f->s, "451 4.3.0 %s; try again later", e->text);
}

/* --- all of it --- */

/* PRDR has its own form of answer for several recipients only. */
static void make_groups(struct fates *f)
{
    const struct smtp_transaction *t = &f->s->transaction;
    bool each = session_is_lmtp(f->s) || t->wants_each;
    f->group_count = each ? t->recipient_count : 1;
    f->groups = ARENA_ARRAY(&f->s->transaction.arena, struct group, f->group_count);
}

/* RFC 4865: until then the message rests in the queue, also for those who are here. */
static bool hold(struct fates *f, struct err *e)
{
    size_t n = f->remotes;
    for (size_t i = 0; i < f->locals; i++)
        f->remote[n++] = (struct queue_recipient){.address = f->local[i].address,
                                                  .account = f->local[i].account,
                                                  .original = f->local[i].original,
                                                  .asked = *f->local_asked[i],
                                                  .detail = f->local[i].detail};
    f->locals = 0;
    f->remotes = n;
    return enqueue(f, f->remote, n, e);
}

static bool is_held(const struct session *s)
{
    return s->transaction.asked.hold_until > clock_wall();
}

void fate_decide(struct session *s, struct incoming *m)
{
    struct fates f = {.s = s, .message = m};
    struct err e = ERR_INIT;
    sort_targets(&f);
    make_groups(&f);
    /* The queue first: should it fail, nobody has the message yet, and the client's next attempt makes no
     * second copy. */
    if (is_held(s) ? !hold(&f, &e) : f.remotes > 0 && !enqueue(&f, f.remote, f.remotes, &e)) {
        not_queued(&f, &e);
        return;
    }
    deliver(&f);
    judge(&f);
    take_over(&f);
    if (settle_rest(&f, &e))
        answer(&f);
    else
        not_queued(&f, &e);
}
