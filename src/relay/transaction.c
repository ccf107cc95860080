/* One message to one server: MAIL, RCPT, and the bytes by DATA or by BDAT. */
#include "relay/body.h"
#include "relay/command.h"
#include "relay/convert.h"
#include "relay/peer_talk.h"

#include "message/header.h"

#include <string.h>

/* A message of at most so many bytes leaves together with its envelope where BDAT is offered: in one packet
 * or a few, without waiting for anything. A larger one waits until somebody takes it. */
#define BDAT_AT_ONCE_MAX ((size_t)64 * 1024)

enum step { STEP_GO_ON, STEP_STOP, STEP_BROKEN };

struct transaction {
    struct peer *peer;
    struct peer_message *message;
    struct err *error; /* of STEP_BROKEN */
    struct buf lines;  /* commands that are being written */
    struct buf converted;
    struct str bytes; /* as they are sent */
    struct command_message about;
    struct command_terms terms;
    bool is_piped, uses_bdat, at_once;
    size_t *tried; /* places in message->recipients */
    size_t count, accepted;
    bool *is_accepted; /* of those tried */
    bool is_ended;     /* the end of the message has been sent: it may have arrived */
};

/* --- answers --- */

static void answer(struct peer_recipient *r, enum queue_fate fate, struct str reply)
{
    if (r->answered)
        return;
    r->answered = true;
    r->fate = fate;
    r->reply = reply;
}

static struct peer_recipient *tried(const struct transaction *t, size_t i)
{
    return &t->message->recipients[t->tried[i]];
}

static void answer_tried(const struct transaction *t, enum queue_fate fate, struct str reply)
{
    for (size_t i = 0; i < t->count; i++)
        answer(tried(t, i), fate, reply);
}

static struct str keep(const struct transaction *t, const struct reply *r)
{
    return arena_copy(t->message->arena, reply_text(r));
}

/* Not good, though it may begin with 2. */
static enum queue_fate bad_fate(const struct reply *r)
{
    return reply_fate(r) == QUEUE_SENT ? QUEUE_DEFERRED : reply_fate(r);
}

/* RFC 5321 section 4.5.3.1.10: 552 to RCPT is an old way to say "too many recipients". */
static enum queue_fate rcpt_fate(const struct reply *r)
{
    return r->code == 552 ? QUEUE_DEFERRED : bad_fate(r);
}

/* In our words, after a status code: "5.3.4 mail.example.org[192.0.2.1]: the message ..." */
static struct str with_host(const struct transaction *t, struct str why)
{
    struct str status = reply_enhanced(why);
    return arena_printf(t->message->arena, "%.*s %s[%s]: %.*s", STR_ARGS(status), t->peer->host,
                        t->peer->address, STR_ARGS(str_trim(str_from_offset(why, status.n))));
}

/* --- commands --- */

static void say(struct transaction *t)
{
    peer_say(t->peer, buf_str(&t->lines));
    buf_reset(&t->lines);
}

static enum step broken(const struct transaction *t, const char *what, const struct reply *r)
{
    peer_refused(t->peer, what, r, t->error);
    return STEP_BROKEN;
}

static void add_bdat(struct transaction *t)
{
    buf_addf(&t->lines, "BDAT %zu%s\r\n", t->bytes.n, t->at_once ? " LAST" : "");
}

/* Everything that need not wait for an answer (RFC 2920 section 3.1). */
static void say_all(struct transaction *t)
{
    const struct ehlo *e = &t->peer->ehlo;
    if (t->peer->needs_reset)
        buf_add_c(&t->lines, "RSET\r\n");
    command_mail(&t->lines, &t->about, e, &t->terms);
    for (size_t i = 0; i < t->count; i++)
        command_rcpt(&t->lines, tried(t, i)->path, tried(t, i)->asked, e, &t->terms);
    if (!t->uses_bdat)
        buf_add_c(&t->lines, "DATA\r\n");
    else if (t->at_once)
        add_bdat(t);
    say(t);
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
        say(t);
    }
    if (!peer_hear(p, "MAIL FROM", MAIL_MS, &r, NULL, t->error))
        return STEP_BROKEN;
    if (r.code == 421) /* not about this message: the server is going away */
        return broken(t, "MAIL FROM", &r);
    if (reply_is_good(&r))
        return STEP_GO_ON;
    answer_tried(t, bad_fate(&r), keep(t, &r));
    return t->is_piped ? STEP_GO_ON : STEP_STOP; /* the answers to what is on its way must be read */
}

static enum step rcpt(struct transaction *t)
{
    struct reply r;
    struct peer *p = t->peer;
    for (size_t i = 0; i < t->count; i++) {
        struct peer_recipient *to = tried(t, i);
        if (!t->is_piped) {
            command_rcpt(&t->lines, to->path, to->asked, &p->ehlo, &t->terms);
            say(t);
        }
        if (!peer_hear(p, "RCPT TO", RCPT_MS, &r, NULL, t->error))
            return STEP_BROKEN;
        if (r.code == 421)
            return broken(t, "RCPT TO", &r);
        if (reply_is_good(&r) && !to->answered) {
            t->is_accepted[i] = true;
            t->accepted++;
        } else {
            answer(to, rcpt_fate(&r), keep(t, &r));
        }
    }
    return t->accepted > 0 || (t->is_piped && (!t->uses_bdat || t->at_once)) ? STEP_GO_ON : STEP_STOP;
}

/* --- the bytes --- */

/* The server does not want them. */
static enum step unwanted(struct transaction *t, const char *what, const struct reply *r)
{
    if (r->code == 421)
        return broken(t, what, r);
    answer_tried(t, bad_fate(r), keep(t, r));
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
    add_bdat(t);
    say(t);
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

static enum step send_bytes(struct transaction *t)
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
            answer(tried(t, i), fate, keep(t, r));
            if (t->peer->is_lmtp)
                break;
        }
    return r->code == 421 ? STEP_BROKEN : STEP_GO_ON;
}

/* What became of it: an answer for all, or with LMTP one for each whom it accepted, in their order (RFC 2033
 * section 4.2). */
static enum step hear_end(struct transaction *t)
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

/* --- all of it --- */

static enum step run(struct transaction *t)
{
    static enum step (*const STEPS[])(struct transaction *) = {mail, rcpt, send_bytes, hear_end};
    enum step step = STEP_GO_ON;
    if (t->is_piped)
        say_all(t);
    for (size_t i = 0; step == STEP_GO_ON && i < sizeof STEPS / sizeof *STEPS; i++)
        step = STEPS[i](t);
    return step;
}

static bool has_8bit(struct str s)
{
    return command_needs_utf8(s);
}

/* False: the server cannot take it, and everybody has an answer. */
static bool fit(struct transaction *t)
{
    struct str why = STR("");
    struct peer_message *m = t->message;
    struct err e = ERR_INIT;
    t->bytes = m->bytes;
    t->terms = (struct command_terms){.body = m->body, .is_authenticated = t->peer->is_authenticated};
    t->about = (struct command_message){
        .sender = m->sender,
        .asked = m->asked,
        .size = m->bytes.n,
        .body = m->body,
        .has_utf8_header = m->asked->is_utf8 && has_8bit(str_slice(m->bytes, 0, header_size(m->bytes))),
        .now = clock_wall(),
    };
    enum command_fit f = command_fit(&t->about, &t->peer->ehlo, m->arena, &why);
    if (f == COMMAND_NEEDS_7BIT || f == COMMAND_NEEDS_8BIT) {
        enum envelope_body to = f == COMMAND_NEEDS_7BIT ? ENVELOPE_7BIT : ENVELOPE_8BIT;
        if (convert_message(m->bytes, to, &t->converted, &e)) {
            t->bytes = buf_str(&t->converted);
            t->terms.body = to;
            t->about.size = t->bytes.n;
            transcript_addf(t->peer->transcript, TRANSCRIPT_NOTE, "converted: %s",
                            to == ENVELOPE_7BIT ? "8BITMIME is not offered" : "BINARYMIME is not offered");
            return true;
        }
        why = str_from_c(e.text);
        f = COMMAND_REFUSED;
    }
    if (f == COMMAND_REFUSED)
        for (size_t i = 0; i < m->count; i++)
            answer(&m->recipients[i], QUEUE_FAILED, with_host(t, why));
    return f != COMMAND_REFUSED;
}

/* Those whom this transaction is for. Who cannot be written for this server has an answer then. */
static void choose(struct transaction *t)
{
    struct peer_message *m = t->message;
    bool may_utf8 = ehlo_has(&t->peer->ehlo, EHLO_SMTPUTF8);
    uint64_t most = t->peer->ehlo.rcpt_max;
    t->terms.is_utf8 = may_utf8 && (m->asked->is_utf8 || command_needs_utf8(m->sender));
    for (size_t i = 0; i < m->count && (most == 0 || t->count < most); i++) {
        struct peer_recipient *r = &m->recipients[i];
        if (r->answered)
            continue;
        if (command_needs_utf8(r->path) && !may_utf8) {
            answer(
                r, QUEUE_FAILED, /* RFC 6531 section 3.5 */
                with_host(t, STR("5.6.7 the address is in UTF-8, and this server does not offer SMTPUTF8")));
            continue;
        }
        t->terms.is_utf8 |= command_needs_utf8(r->path);
        t->tried[t->count++] = i;
    }
}

/* BDAT needs no dots doubled, and no 354 waited for. It carries the bytes as they are, so they must be lines
 * unless the server takes binary ones. With LMTP an end without recipients is not defined for it. */
static void choose_way(struct transaction *t)
{
    const struct peer *p = t->peer;
    t->is_piped = ehlo_has(&p->ehlo, EHLO_PIPELINING);
    bool is_binary = t->terms.body == ENVELOPE_BINARY;
    t->uses_bdat = is_binary || (ehlo_has(&p->ehlo, EHLO_CHUNKING) && t->is_piped && !p->no_chunking &&
                                 !p->is_lmtp && body_is_lines(t->bytes));
    t->at_once = t->uses_bdat && t->is_piped && !p->is_lmtp && t->bytes.n <= BDAT_AT_ONCE_MAX;
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
        answer_tried(t, QUEUE_DEFERRED, arena_copy(t->message->arena, str_from_c(t->error->text)));
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
    if (fit(&t)) {
        choose(&t);
        choose_way(&t);
        if (t.count > 0)
            result = end(&t, run(&t), was_used);
    }
    buf_free(&t.lines);
    buf_free(&t.converted);
    return result;
}
