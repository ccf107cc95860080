/* The bytes of a message, by DATA or by BDAT, and the answer to them. */
#include "relay/body.h"
#include "relay/transaction.h"

void transaction_add_bdat(struct transaction *t)
{
    buf_addf(&t->lines, "BDAT %zu%s\r\n", t->bytes.n, t->at_once ? " LAST" : "");
}

/* The server does not want them. */
static enum step unwanted(struct transaction *t, const char *what, const struct reply *r)
{
    if (r->code == 421)
        return transaction_broken(t, what, r);
    transaction_answer_tried(t, transaction_bad_fate(r), transaction_keep(t, r));
    return STEP_STOP;
}

static enum step lost_while_sending(struct transaction *t)
{
    struct peer *p = t->peer;
    err_set(t->error, ERR_TEMPORARY, "4.4.2 %s[%s] %s while it was sent the message", p->host, p->address,
            peer_what_broke(p->stream.write_failed));
    transcript_add(p->transcript, TRANSCRIPT_NOTE, str_from_c(t->error->text));
    return STEP_BROKEN;
}

static bool write_data(struct transaction *t)
{
    struct body body = body_of(t->bytes);
    struct str piece;
    struct stream *s = &t->peer->stream;
    while (body_next(&body, &piece)) {
        stream_write(s, piece);
        if (s->write_failed != STREAM_OK)
            return false;
    }
    return true;
}

static bool is_orphan(struct transaction *t)
{
    if (!atomic_load(t->message->is_orphan))
        return false;
    err_set(t->error, ERR_TEMPORARY, "4.3.0 the queue does not wait for this result any more");
    return true;
}

/* RFC 2920 section 3.1: a server that says 354 although it took no recipient gets an empty message. */
static enum step end_without_recipients(struct transaction *t)
{
    struct reply r;
    peer_say(t->peer, STR(".\r\n"));
    return peer_hear(t->peer, "end of data", END_MS, &r, NULL, t->error) ? STEP_STOP : STEP_BROKEN;
}

static enum step data(struct transaction *t)
{
    struct reply r;
    struct peer *p = t->peer;
    if (!t->is_piped)
        peer_say(p, STR("DATA\r\n"));
    if (!peer_hear(p, "DATA", DATA_MS, &r, NULL, t->error))
        return STEP_BROKEN;
    if (r.code != 354)
        return unwanted(t, "DATA", &r);
    if (t->accepted == 0)
        return end_without_recipients(t);
    if (!write_data(t))
        return lost_while_sending(t);
    if (is_orphan(t))
        return STEP_BROKEN;
    transcript_addf(p->transcript, TRANSCRIPT_NOTE, "the message: %zu bytes", t->bytes.n);
    peer_say(p, STR(".\r\n"));
    t->is_ended = true;
    stream_flush(&p->stream, deadline_in(BLOCK_MS));
    return STEP_GO_ON;
}

/* RFC 3030 section 2. A large message ends with an empty chunk, so that it can still be called off. */
static enum step bdat(struct transaction *t)
{
    struct reply r;
    struct peer *p = t->peer;
    transcript_addf(p->transcript, TRANSCRIPT_NOTE, "the message: %zu bytes", t->bytes.n);
    if (t->at_once)
        return STEP_GO_ON;
    transaction_add_bdat(t);
    transaction_say(t);
    stream_write(&p->stream, t->bytes);
    if (stream_flush(&p->stream, deadline_in(BLOCK_MS)) != STREAM_OK)
        return lost_while_sending(t);
    if (!peer_hear(p, "BDAT", END_MS, &r, NULL, t->error))
        return STEP_BROKEN;
    if (!reply_is_good(&r))
        return unwanted(t, "BDAT", &r);
    if (is_orphan(t))
        return STEP_BROKEN;
    peer_say(p, STR("BDAT 0 LAST\r\n"));
    t->is_ended = true;
    return STEP_GO_ON;
}

enum step transaction_send(struct transaction *t)
{
    return t->uses_bdat ? bdat(t) : data(t);
}

/* 500 to 504 to BDAT: a server, or a box before it, that offers what it does not know. DATA then, the next
 * time. */
static bool is_bdat_unknown(const struct transaction *t, const struct reply *r)
{
    return t->uses_bdat && t->accepted > 0 && t->terms.body != ENVELOPE_BINARY && r->code >= 500 &&
           r->code <= 504;
}

static enum step take_end(struct transaction *t, size_t i, const struct reply *r)
{
    enum queue_fate fate = reply_fate(r);
    if (is_bdat_unknown(t, r)) {
        t->peer->no_chunking = true;
        fate = QUEUE_DEFERRED;
    }
    for (; i < t->count; i++)
        if (t->is_accepted[i]) {
            transaction_answer(transaction_tried(t, i), fate, transaction_keep(t, r));
            if (t->peer->is_lmtp)
                break;
        }
    return r->code == 421 ? STEP_BROKEN : STEP_GO_ON;
}

/* What became of it: an answer for all, or with LMTP one for each whom it accepted, in their order (RFC 2033
 * section 4.2). */
enum step transaction_hear_end(struct transaction *t)
{
    struct reply r = REPLY_INIT;
    struct peer *p = t->peer;
    enum step step = STEP_GO_ON;
    size_t replies = p->is_lmtp && t->accepted > 0 ? t->accepted : 1, i = 0;
    for (; replies > 0 && step == STEP_GO_ON; replies--, i++) {
        while (p->is_lmtp && i < t->count && !t->is_accepted[i])
            i++;
        if (!peer_hear(p, "end of data", END_MS, &r, NULL, t->error))
            return STEP_BROKEN;
        step = take_end(t, i, &r);
    }
    if (step == STEP_BROKEN)
        peer_refused(p, "end of data", &r, t->error);
    if (t->accepted > 0) {
        p->needs_reset = false; /* RFC 5321 section 4.1.1.4: whatever the answer was, it is over */
        p->messages++;
    }
    return step;
}
