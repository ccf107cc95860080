/* One message to one server: the envelope, and the order of everything. */
#include "relay/transaction.h"

/* --- answers --- */

void transaction_answer(struct peer_recipient *r, enum queue_fate fate, struct str reply)
{
    if (r->answered)
        return;
    r->answered = true;
    r->fate = fate;
    r->reply = reply;
}

struct peer_recipient *transaction_tried(const struct transaction *t, size_t i)
{
    return &t->message->recipients[t->tried[i]];
}

void transaction_answer_tried(const struct transaction *t, enum queue_fate fate, struct str reply)
{
    for (size_t i = 0; i < t->count; i++)
        transaction_answer(transaction_tried(t, i), fate, reply);
}

struct str transaction_keep(const struct transaction *t, const struct reply *r)
{
    return arena_copy(t->message->arena, reply_text(r));
}

/* Not good, though it may begin with 2. */
enum queue_fate transaction_bad_fate(const struct reply *r)
{
    return reply_fate(r) == QUEUE_SENT ? QUEUE_DEFERRED : reply_fate(r);
}

/* RFC 5321 section 4.5.3.1.10: 552 to RCPT is an old way to say "too many recipients". */
static enum queue_fate rcpt_fate(const struct reply *r)
{
    return r->code == 552 ? QUEUE_DEFERRED : transaction_bad_fate(r);
}

/* --- commands --- */

void transaction_say(struct transaction *t)
{
    peer_say(t->peer, buf_str(&t->lines));
    buf_reset(&t->lines);
}

enum step transaction_broken(const struct transaction *t, const char *what, const struct reply *r)
{
    peer_refused(t->peer, what, r, t->error);
    return STEP_BROKEN;
}

/* Everything that need not wait for an answer (RFC 2920 section 3.1). */
static void say_all(struct transaction *t)
{
    const struct ehlo *e = &t->peer->ehlo;
    if (t->peer->needs_reset)
        buf_add_c(&t->lines, "RSET\r\n");
    command_mail(&t->lines, &t->about, e, &t->terms);
    for (size_t i = 0; i < t->count; i++)
        command_rcpt(&t->lines, transaction_tried(t, i)->path, transaction_tried(t, i)->asked, e, &t->terms);
    if (!t->uses_bdat)
        buf_add_c(&t->lines, "DATA\r\n");
    else if (t->at_once)
        transaction_add_bdat(t);
    transaction_say(t);
    if (!t->at_once)
        return;
    stream_write(&t->peer->stream, t->bytes);
    t->is_ended = true;
}

static enum step mail(struct transaction *t)
{
    struct reply r;
    struct peer *p = t->peer;
    if (p->needs_reset) {
        if (!t->is_piped)
            peer_say(p, STR("RSET\r\n"));
        if (!peer_hear(p, "RSET", MAIL_MS, &r, NULL, t->error))
            return STEP_BROKEN;
    }
    p->needs_reset = true;
    if (!t->is_piped) {
        command_mail(&t->lines, &t->about, &p->ehlo, &t->terms);
        transaction_say(t);
    }
    if (!peer_hear(p, "MAIL FROM", MAIL_MS, &r, NULL, t->error))
        return STEP_BROKEN;
    if (r.code == 421) /* not about this message: the server is going away */
        return transaction_broken(t, "MAIL FROM", &r);
    if (reply_is_good(&r))
        return STEP_GO_ON;
    transaction_answer_tried(t, transaction_bad_fate(&r), transaction_keep(t, &r));
    return t->is_piped ? STEP_GO_ON : STEP_STOP; /* the answers to what is on its way must be read */
}

static enum step rcpt(struct transaction *t)
{
    struct reply r;
    struct peer *p = t->peer;
    for (size_t i = 0; i < t->count; i++) {
        struct peer_recipient *to = transaction_tried(t, i);
        if (!t->is_piped) {
            command_rcpt(&t->lines, to->path, to->asked, &p->ehlo, &t->terms);
            transaction_say(t);
        }
        if (!peer_hear(p, "RCPT TO", RCPT_MS, &r, NULL, t->error))
            return STEP_BROKEN;
        if (r.code == 421)
            return transaction_broken(t, "RCPT TO", &r);
        if (reply_is_good(&r) && !to->answered) {
            t->is_accepted[i] = true;
            t->accepted++;
        } else {
            transaction_answer(to, rcpt_fate(&r), transaction_keep(t, &r));
        }
    }
    return t->accepted > 0 || (t->is_piped && (!t->uses_bdat || t->at_once)) ? STEP_GO_ON : STEP_STOP;
}

/* --- all of it --- */

static enum step run(struct transaction *t)
{
    static enum step (*const STEPS[])(struct transaction *) = {mail, rcpt, transaction_send,
                                                               transaction_hear_end};
    enum step step = STEP_GO_ON;
    if (t->is_piped)
        say_all(t);
    for (size_t i = 0; step == STEP_GO_ON && i < sizeof STEPS / sizeof *STEPS; i++)
        step = STEPS[i](t);
    return step;
}

static enum peer_sent end(struct transaction *t, enum step step, bool was_used)
{
    if (step != STEP_BROKEN)
        return PEER_SENT;
    enum peer_sent result = PEER_BROKEN;
    if (was_used && t->accepted == 0)
        result = PEER_STALE;
    else if (t->is_ended && t->accepted > 0)
        result = PEER_LOST;
    if (result == PEER_LOST)
        transaction_answer_tried(t, QUEUE_DEFERRED,
                                 arena_copy(t->message->arena, str_from_c(t->error->text)));
    peer_shut(t->peer);
    return result;
}

enum peer_sent peer_send(struct peer *p, struct peer_message *m, struct err *e)
{
    struct transaction t = {.peer = p, .message = m, .error = e};
    bool was_used = p->messages > 0;
    enum peer_sent result = PEER_SENT;
    buf_init(&t.lines, BUF_MAX_DEFAULT);
    buf_init(&t.converted, BUF_MAX_DEFAULT);
    t.tried = ARENA_ARRAY(m->arena, size_t, m->count);
    t.is_accepted = ARENA_ARRAY(m->arena, bool, m->count);
    if (transaction_fit(&t))
        result = end(&t, run(&t), was_used);
    buf_free(&t.lines);
    buf_free(&t.converted);
    return result;
}
