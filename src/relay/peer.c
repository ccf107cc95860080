#include "relay/peer.h"

#include "relay/body.h"
#include "relay/dial.h"

#include <stdio.h>
#include <string.h>

/* RFC 5321 section 4.5.3.2, but for connecting, of which it says nothing: Postfix waits as long. */
#define CONNECT_MS  (30 * 1000)
#define GREETING_MS (5 * 60 * 1000)
#define EHLO_MS     (5 * 60 * 1000)
#define MAIL_MS     (5 * 60 * 1000)
#define RCPT_MS     (5 * 60 * 1000)
#define DATA_MS     (2 * 60 * 1000)
#define BLOCK_MS    (3 * 60 * 1000)
#define END_MS      (10 * 60 * 1000)
#define TLS_MS      (60 * 1000)
#define QUIT_MS     (2 * 1000) /* nobody waits for a goodbye */

/* --- talking --- */

static const char *what_broke(enum stream_result r)
{
    switch (r) {
    case STREAM_EOF: return "closed the connection";
    case STREAM_TIMEOUT: return "did not answer in time";
    case STREAM_TOO_LONG: return "sent too long a line";
    default: return "broke the connection";
    }
}

/* False: *e says what happened while `what` was going on. *ehlo (may be NULL) gets the lines after the first.
 */
static bool read_reply(struct peer *p, const char *what, int ms, struct reply *r, struct ehlo *ehlo,
                       struct err *e)
{
    struct deadline d = deadline_in(ms);
    *r = (struct reply)REPLY_INIT;
    for (;;) {
        struct str line, words = STR("");
        enum stream_result got = stream_read_line(&p->stream, REPLY_LINE_MAX, d, &line, NULL);
        if (got != STREAM_OK)
            return err_set(e, ERR_TEMPORARY, "4.4.2 %s[%s] %s at %s", p->host, p->address, what_broke(got),
                           what);
        enum reply_step step = reply_add_line(r, line, &words);
        if (step == REPLY_BAD)
            return err_set(e, ERR_TEMPORARY, "4.5.0 %s[%s] sent no valid reply to %s", p->host, p->address,
                           what);
        if (ehlo && r->lines > 1)
            ehlo_add_line(ehlo, words);
        if (step == REPLY_DONE)
            return true;
    }
}

static bool refused(struct peer *p, const char *what, const struct reply *r, struct err *e)
{
    return err_set(e, ERR_TEMPORARY, "4.3.2 %s[%s] answered %s with: %.*s", p->host, p->address, what,
                   STR_ARGS(reply_text(r)));
}

/* --- opening --- */

static bool greet(struct peer *p, const struct peer_target *t, struct err *e)
{
    struct reply r;
    p->ehlo = (struct ehlo){0};
    stream_writef(&p->stream, "EHLO %.*s\r\n", STR_ARGS(t->hostname));
    if (!read_reply(p, "EHLO", EHLO_MS, &r, &p->ehlo, e))
        return false;
    if (reply_is_good(&r))
        return true;
    p->ehlo = (struct ehlo){0};
    if (r.code == 421)
        return refused(p, "EHLO", &r, e);
    stream_writef(&p->stream, "HELO %.*s\r\n", STR_ARGS(t->hostname)); /* RFC 5321 section 3.2 */
    return read_reply(p, "HELO", EHLO_MS, &r, NULL, e) && (reply_is_good(&r) || refused(p, "HELO", &r, e));
}

/* True: TLS stands, or the server would not begin it after all and goes on as it was. */
static bool start_tls(struct peer *p, const struct tls_policy *policy, struct err *e)
{
    struct reply r;
    stream_write(&p->stream, STR("STARTTLS\r\n"));
    if (!read_reply(p, "STARTTLS", EHLO_MS, &r, NULL, e))
        return false;
    if (r.code != 220) {
        p->tls_result = TLS_RPT_STARTTLS_NOT_SUPPORTED;
        return true;
    }
    /* What came before the handshake is from somebody else (RFC 3207 section 6). */
    if (stream_buffered(&p->stream).n > 0)
        return err_set(e, ERR_TEMPORARY, "4.7.5 %s[%s] sent data before the TLS handshake", p->host,
                       p->address);
    struct err why = ERR_INIT;
    p->tls = tls_connect(p->stream.fd, &policy->demand, deadline_in(TLS_MS), &p->tls_result, &why);
    if (!p->tls)
        return err_set(e, ERR_TEMPORARY, "4.7.5 %s[%s]: %s", p->host, p->address, why.text);
    p->stream.transport = &TLS_TRANSPORT;
    p->stream.context = p->tls;
    return true;
}

/* A server that offers no TLS may be one that somebody in between keeps from offering it. */
static bool is_enough(const struct peer *p, const struct tls_policy *policy, struct err *e)
{
    if (!p->tls && policy->level > TLS_LEVEL_MAY)
        return err_set(e, ERR_TEMPORARY, "4.7.4 %s[%s] offers no TLS, without which this mail must not go",
                       p->host, p->address);
    return !policy->wants_requiretls || p->ehlo.requiretls ||
           err_set(e, ERR_PERMANENT, "5.7.30 REQUIRETLS: %s[%s] does not offer it", p->host, p->address);
}

static enum peer_result open_stream(struct peer *p, const struct peer_target *t, struct err *e)
{
    struct reply r;
    if (!read_reply(p, "the greeting", GREETING_MS, &r, NULL, e) ||
        (r.code != 220 && !refused(p, "our connection", &r, e)) || !greet(p, t, e))
        return PEER_NOT_OPEN;
    if (t->tls->level == TLS_LEVEL_NEVER)
        return PEER_OPEN;
    p->tls_result = p->ehlo.starttls ? TLS_RPT_VALIDATION_FAILURE : TLS_RPT_STARTTLS_NOT_SUPPORTED;
    if ((p->ehlo.starttls && !start_tls(p, t->tls, e)) || (p->tls && !greet(p, t, e)) ||
        !is_enough(p, t->tls, e))
        return PEER_TLS_FAILED;
    return PEER_OPEN;
}

static void shut(struct peer *p)
{
    if (!p->is_open)
        return;
    p->is_open = false;
    tls_free(p->tls);
    p->tls = NULL;
    stream_close(&p->stream);
}

enum peer_result peer_open(struct peer *p, const struct peer_target *t, struct err *e)
{
    *p = (struct peer){.port = t->port};
    snprintf(p->host, sizeof p->host, "%.*s", STR_ARGS(t->host));
    snprintf(p->address, sizeof p->address, "%.*s", STR_ARGS(t->address));
    struct err why = ERR_INIT;
    int fd = dial(p->address, p->port, deadline_in(CONNECT_MS), &why);
    if (fd < 0) {
        err_set(e, ERR_TEMPORARY, "4.4.1 cannot connect to %s[%s]:%u: %s", p->host, p->address, p->port,
                why.text);
        return PEER_NOT_OPEN;
    }
    stream_open(&p->stream, fd, STR(""));
    p->is_open = true;
    enum peer_result result = open_stream(p, t, e);
    if (result != PEER_OPEN)
        shut(p);
    return result;
}

void peer_close(struct peer *p)
{
    if (!p->is_open)
        return;
    stream_write(&p->stream, STR("QUIT\r\n"));
    stream_flush(&p->stream, deadline_in(QUIT_MS));
    shut(p);
}

/* --- a transaction --- */

static void answer(struct peer_recipient *r, enum queue_fate fate, struct str reply)
{
    if (!r->answered)
        *r = (struct peer_recipient){.path = r->path, .answered = true, .fate = fate, .reply = reply};
}

static void answer_all(struct peer_message *m, enum queue_fate fate, struct str reply)
{
    for (size_t i = 0; i < m->count; i++)
        answer(&m->recipients[i], fate, reply);
}

static void answer_with(struct peer_message *m, const struct reply *r)
{
    enum queue_fate fate = reply_fate(r);
    answer_all(m, fate == QUEUE_SENT ? QUEUE_DEFERRED : fate, arena_copy(m->arena, reply_text(r)));
}

static void write_mail(struct peer *p, const struct peer_message *m)
{
    stream_writef(&p->stream, "MAIL FROM:<%.*s>", STR_ARGS(m->sender));
    if (p->ehlo.size)
        stream_writef(&p->stream, " SIZE=%zu", m->bytes.n);
    if (p->ehlo.eightbit && m->is_8bit)
        stream_write(&p->stream, STR(" BODY=8BITMIME"));
    if (m->requires_tls)
        stream_write(&p->stream, STR(" REQUIRETLS"));
    stream_write(&p->stream, STR("\r\n"));
}

static void write_rcpt(struct peer *p, const struct peer_recipient *r)
{
    stream_writef(&p->stream, "RCPT TO:<%.*s>\r\n", STR_ARGS(r->path));
}

/* RFC 5321 section 4.5.3.1.10: 552 to RCPT is an old way to say "too many recipients". */
static enum queue_fate rcpt_fate(const struct reply *r)
{
    return r->code == 552 ? QUEUE_DEFERRED : reply_fate(r);
}

enum step { STEP_GO_ON, STEP_STOP, STEP_BROKEN };

/* A transaction under way. */
struct transaction {
    struct peer *peer;
    struct peer_message *message;
    size_t accepted; /* recipients */
    bool *is_accepted;
    struct err error; /* of STEP_BROKEN */
};

static enum step mail(struct transaction *t)
{
    struct reply r;
    struct peer *p = t->peer;
    bool piped = p->ehlo.pipelining;
    if (!piped) {
        if (p->needs_reset) {
            stream_write(&p->stream, STR("RSET\r\n"));
            if (!read_reply(p, "RSET", MAIL_MS, &r, NULL, &t->error))
                return STEP_BROKEN;
        }
        write_mail(p, t->message);
    } else if (p->needs_reset && !read_reply(p, "RSET", MAIL_MS, &r, NULL, &t->error)) {
        return STEP_BROKEN;
    }
    p->needs_reset = true;
    if (!read_reply(p, "MAIL FROM", MAIL_MS, &r, NULL, &t->error))
        return STEP_BROKEN;
    if (r.code == 421) { /* not about this message: the server is going away */
        refused(p, "MAIL FROM", &r, &t->error);
        return STEP_BROKEN;
    }
    if (reply_is_good(&r))
        return STEP_GO_ON;
    answer_with(t->message, &r);
    return piped ? STEP_GO_ON : STEP_STOP; /* the answers to what is on its way must be read */
}

static enum step rcpt(struct transaction *t)
{
    struct reply r;
    struct peer *p = t->peer;
    struct peer_message *m = t->message;
    for (size_t i = 0; i < m->count; i++) {
        if (!p->ehlo.pipelining)
            write_rcpt(p, &m->recipients[i]);
        if (!read_reply(p, "RCPT TO", RCPT_MS, &r, NULL, &t->error))
            return STEP_BROKEN;
        if (reply_is_good(&r) && !m->recipients[i].answered) {
            t->is_accepted[i] = true;
            t->accepted++;
        } else {
            answer(&m->recipients[i], rcpt_fate(&r), arena_copy(m->arena, reply_text(&r)));
        }
        if (r.code == 421) {
            refused(p, "RCPT TO", &r, &t->error);
            return STEP_BROKEN;
        }
    }
    return t->accepted > 0 || p->ehlo.pipelining ? STEP_GO_ON : STEP_STOP;
}

static enum step data(struct transaction *t)
{
    struct reply r;
    struct peer *p = t->peer;
    if (!p->ehlo.pipelining)
        stream_write(&p->stream, STR("DATA\r\n"));
    if (!read_reply(p, "DATA", DATA_MS, &r, NULL, &t->error))
        return STEP_BROKEN;
    if (r.code == 354)
        return STEP_GO_ON;
    answer_with(t->message, &r);
    return STEP_STOP;
}

/* RFC 2920 section 3.1: a server that says 354 although it took no recipient gets an empty message. */
static enum step end_without_recipients(struct transaction *t)
{
    struct reply r;
    stream_write(&t->peer->stream, STR(".\r\n"));
    return read_reply(t->peer, "end of data", END_MS, &r, NULL, &t->error) ? STEP_STOP : STEP_BROKEN;
}

static bool write_body(struct transaction *t)
{
    struct body body = body_of(t->message->bytes);
    struct str piece;
    struct peer *p = t->peer;
    while (body_next(&body, &piece)) {
        stream_write(&p->stream, piece);
        if (p->stream.write_failed != STREAM_OK)
            return false;
    }
    return true;
}

static enum step body(struct transaction *t)
{
    struct reply r;
    struct peer *p = t->peer;
    if (t->accepted == 0)
        return end_without_recipients(t);
    if (!write_body(t)) {
        err_set(&t->error, ERR_TEMPORARY, "4.4.2 %s[%s] %s while it was sent the message", p->host,
                p->address, what_broke(p->stream.write_failed));
        return STEP_BROKEN;
    }
    if (atomic_load(t->message->is_orphan)) {
        err_set(&t->error, ERR_TEMPORARY, "4.3.0 the queue does not wait for this result any more");
        return STEP_BROKEN;
    }
    stream_write(&p->stream, STR(".\r\n"));
    stream_flush(&p->stream, deadline_in(BLOCK_MS));
    if (!read_reply(p, "end of data", END_MS, &r, NULL, &t->error))
        return STEP_BROKEN;
    struct str reply = arena_copy(t->message->arena, reply_text(&r));
    for (size_t i = 0; i < t->message->count; i++)
        if (t->is_accepted[i])
            answer(&t->message->recipients[i], reply_fate(&r), reply);
    p->needs_reset = false;
    p->messages++;
    return r.code == 421 ? STEP_BROKEN : STEP_GO_ON;
}

static enum step run(struct transaction *t)
{
    static enum step (*const STEPS[])(struct transaction *) = {mail, rcpt, data, body};
    enum step step = STEP_GO_ON;
    for (size_t i = 0; step == STEP_GO_ON && i < sizeof STEPS / sizeof *STEPS; i++)
        step = STEPS[i](t);
    return step;
}

/* RFC 1870 section 6.1: a message over the limit that EHLO told need not be tried. */
static bool is_too_large(const struct peer *p, struct peer_message *m)
{
    if (p->ehlo.size_max == 0 || m->bytes.n <= p->ehlo.size_max)
        return false;
    answer_all(m, QUEUE_FAILED,
               arena_printf(m->arena, "5.3.4 the message has %zu bytes; %s[%s] takes at most %llu",
                            m->bytes.n, p->host, p->address, (unsigned long long)p->ehlo.size_max));
    return true;
}

bool peer_send(struct peer *p, struct peer_message *m)
{
    if (is_too_large(p, m))
        return true;
    bool was_used = p->messages > 0;
    struct transaction t = {.peer = p, .message = m, .error = ERR_INIT};
    t.is_accepted = ARENA_ARRAY(m->arena, bool, m->count);
    if (p->ehlo.pipelining) {
        if (p->needs_reset)
            stream_write(&p->stream, STR("RSET\r\n"));
        write_mail(p, m);
        for (size_t i = 0; i < m->count; i++)
            write_rcpt(p, &m->recipients[i]);
        stream_write(&p->stream, STR("DATA\r\n"));
    }
    enum step step = run(&t);
    if (step != STEP_BROKEN)
        return true;
    bool is_stale = was_used && t.accepted == 0;
    if (!is_stale)
        answer_all(m, QUEUE_DEFERRED, arena_copy(m->arena, str_from_c(t.error.text)));
    shut(p);
    return false;
}
