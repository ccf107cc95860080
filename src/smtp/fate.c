#include "smtp/fate.h"

#include "base/log.h"
#include "message/address.h"
#include "smtp/received.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOGGED_RECIPIENTS_MAX                                                     \
    ((size_t)1500) /* bytes of them in the log line, which has a bound of its own \
                    */

/* One message on its way out of this process. */
struct fates {
    struct session *s;
    struct incoming *message;
    struct delivery_recipient *local;
    const struct envelope_recipient **local_asked; /* one each */
    struct queue_recipient *remote;
    size_t locals, remotes;
    size_t stored, deferred, refused; /* of the locals */
    int64_t queue_id;                 /* 0: nothing was queued */
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

/* Everybody gets one copy, however many of the recipients lead there. */
static void sort_targets(struct fates *f)
{
    struct smtp_transaction *t = &f->s->transaction;
    f->local = ARENA_ARRAY(&t->arena, struct delivery_recipient, t->target_count);
    f->local_asked = ARENA_ARRAY(&t->arena, const struct envelope_recipient *, t->target_count);
    f->remote = ARENA_ARRAY(&t->arena, struct queue_recipient, t->target_count);
    qsort(t->targets, t->target_count, sizeof *t->targets, by_place);
    for (size_t i = 0; i < t->target_count; i++) {
        const struct smtp_target *x = &t->targets[i];
        const struct smtp_recipient *r = &t->recipients[x->recipient];
        if (i > 0 && is_same_place(&t->targets[i - 1], x))
            continue;
        if (x->to.is_local)
            f->local_asked[f->locals] = &r->asked;
        if (x->to.is_local)
            f->local[f->locals++] = (struct delivery_recipient){.account = x->to.account,
                                                                .address = x->to.address,
                                                                .original = r->address,
                                                                .detail = x->to.detail};
        else
            f->remote[f->remotes++] =
                (struct queue_recipient){.address = wire_address(x->to.address, &t->arena),
                                         .original = r->address,
                                         .asked = r->asked,
                                         .detail = STR("")};
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

/* --- the answer --- */

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

static void accept(struct fates *f)
{
    struct session *s = f->s;
    const struct connection *c = &s->connection;
    LOG_INFO("message.accepted", F_C("id", s->transaction.id.hex), F_STR("msgid", f->message->message_id),
             F_STR("from", s->transaction.sender), F_STR("to", join_recipients(f, &s->command)),
             F_STR("where", join_folders(f, &s->command)), F_INT("recipients", f->locals + f->remotes),
             F_INT("stored", f->stored), F_INT("deferred", f->deferred), F_INT("refused", f->refused),
             F_INT("relayed", f->remotes), F_INT("queue", f->queue_id), F_INT("size", f->message->size),
             F_C("peer", c->peer), F_C("helo", s->helo), F_C("user", s->user.address),
             F_C("with", received_protocol(s->is_esmtp, c->tls.on, s->is_authenticated)),
             F_C("tls", c->tls.version), F_C("cipher", c->tls.cipher));
    session_reply(s, "250 2.0.0 Accepted as %s", s->transaction.id.hex);
    s->errors = s->refusals = s->idling = 0;
}

/* The code that goes with an enhanced status: RFC 5321 section 4.2.3. */
static int code_for(const char *reply)
{
    bool is_full = strncmp(reply + 1, ".2.2", 4) == 0 || strncmp(reply + 1, ".3.1", 4) == 0;
    bool is_large = strncmp(reply, "5.3.4", 5) == 0 || strncmp(reply, "5.2.3", 5) == 0;
    if (reply[0] == '4')
        return is_full ? 452 : 451;
    return is_full || is_large ? 552 : 550;
}

/* Nobody has it. One recipient's own answer becomes the answer; of several, that of one that may still work.
 */
static void refuse(struct fates *f)
{
    size_t i = 0;
    while (f->deferred > 0 && f->local[i].fate != DELIVERY_TEMPORARY)
        i++;
    const struct delivery_recipient *r = &f->local[i];
    if (f->locals == 1)
        session_refuse(f->s, r->address, "%d %s", code_for(r->reply), r->reply);
    else
        session_refuse(f->s, r->address, "%d %s (and %zu others)", code_for(r->reply), r->reply,
                       f->locals - 1);
}

/* The locals that failed beside others that did not: those that may still work are tried again from the
 * queue. Those that will not are told to a sender whom we know. A stranger's address may be forged, and a
 * report to it would be spam: there the log line is all. */
static bool settle_rest(struct fates *f, struct err *e)
{
    struct session *s = f->s;
    bool may_report = s->is_authenticated && s->transaction.sender.n > 0;
    struct queue_recipient *rest =
        ARENA_ARRAY(&s->transaction.arena, struct queue_recipient, f->deferred + f->refused);
    size_t n = 0;
    for (size_t i = 0; i < f->locals; i++) {
        const struct delivery_recipient *r = &f->local[i];
        bool is_refused = r->fate == DELIVERY_PERMANENT;
        if (r->fate == DELIVERY_STORED)
            continue;
        if (is_refused)
            LOG_INFO("message.recipient_refused", F_C("id", s->transaction.id.hex),
                     F_STR("from", s->transaction.sender), F_STR("to", r->address), F_C("reply", r->reply),
                     F_C("then", may_report ? "reported" : "dropped"));
        if (is_refused && !may_report)
            continue;
        rest[n++] = (struct queue_recipient){.address = r->address,
                                             .account = is_refused ? QUEUE_REFUSED : r->account,
                                             .original = r->original,
                                             .asked = *f->local_asked[i],
                                             .detail = is_refused ? str_from_c(r->reply) : r->detail};
    }
    return n == 0 || enqueue(f, rest, n, e);
}

static void not_queued(struct fates *f, const struct err *e)
{
    if (e->kind == ERR_PERMANENT)
        session_refuse(f->s, session_first_recipient(f->s), "554 5.3.0 %s", e->text);
    else
        session_refuse(f->s, session_first_recipient(f->s), "451 4.3.0 %s; try again later", e->text);
}

void fate_decide(struct session *s, struct incoming *m)
{
    struct fates f = {.s = s, .message = m};
    struct err e = ERR_INIT;
    sort_targets(&f);
    /* The queue first: should it fail, nobody has the message yet, and the client's next attempt makes no
     * second copy. */
    if (f.remotes > 0 && !enqueue(&f, f.remote, f.remotes, &e)) {
        not_queued(&f, &e);
        return;
    }
    deliver(&f);
    if (f.stored == 0 && f.remotes == 0)
        refuse(&f);
    else if (!settle_rest(&f, &e))
        not_queued(&f, &e);
    else
        accept(&f);
}
