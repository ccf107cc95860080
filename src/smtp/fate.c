#include "smtp/fate.h"

#include "smtp/fates.h"
#include "smtp/needs_utf8.h"

#include <stdio.h>
#include <string.h>

/* --- the two places --- */

bool fates_enqueue(struct fates *f, struct queue_recipient *recipients, size_t n, struct err *e)
{
    struct queue_message m = {
        .body = {.fd = f->message->memfd, .bytes = buf_str(&f->message->small), .size = f->message->size},
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
    int64_t id = 0;
    if (!queue_enqueue(f->s->server->queue, &m, &id, e))
        return false;
    if (f->queue_id == 0) /* of two, the one that is relayed; the queue's own log line tells of both */
        f->queue_id = id;
    return true;
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
        fates_log(f);
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
    return fates_enqueue(f, f->remote, n, e);
}

static bool is_held(const struct session *s)
{
    return s->transaction.asked.hold_until > clock_wall();
}

void fate_decide(struct session *s, struct incoming *m)
{
    struct fates f = {.s = s, .message = m};
    struct err e = ERR_INIT;
    fates_sort(&f);
    make_groups(&f);
    /* The queue first: should it fail, nobody has the message yet, and the client's next attempt makes no
     * second copy. */
    if (is_held(s) ? !hold(&f, &e) : f.remotes > 0 && !fates_enqueue(&f, f.remote, f.remotes, &e)) {
        not_queued(&f, &e);
        return;
    }
    deliver(&f);
    if (!fates_settle(&f, &e)) {
        not_queued(&f, &e);
        return;
    }
    answer(&f);
    fates_read_report(&f);
}
