#include "relay/peer.h"

#include "relay/login.h"
#include "relay/peer_talk.h"

#include <stdio.h>
#include <string.h>

/* --- talking --- */

const char *peer_what_broke(enum stream_result r)
{
    switch (r) {
    case STREAM_EOF: return "closed the connection";
    case STREAM_TIMEOUT: return "did not answer in time";
    case STREAM_TOO_LONG: return "sent too long a line";
    default: return "broke the connection";
    }
}

void peer_say(struct peer *p, struct str lines)
{
    struct str line;
    stream_write(&p->stream, lines);
    while (p->transcript && lines.n > 0) {
        str_cut(&lines, '\n', &line);
        transcript_add(p->transcript, TRANSCRIPT_SENT, str_trim(line));
    }
}

bool peer_hear(struct peer *p, const char *what, int ms, struct reply *r, struct ehlo *ehlo, struct err *e)
{
    struct deadline d = deadline_in(ms);
    *r = (struct reply)REPLY_INIT;
    for (;;) {
        struct str line, words = STR("");
        enum stream_result got = stream_read_line(&p->stream, REPLY_LINE_MAX, d, &line, NULL);
        if (got != STREAM_OK) {
            transcript_addf(p->transcript, TRANSCRIPT_NOTE, "the server %s", peer_what_broke(got));
            return err_set(e, ERR_TEMPORARY, "4.4.2 %s[%s] %s at %s", p->host, p->address,
                           peer_what_broke(got), what);
        }
        transcript_add(p->transcript, TRANSCRIPT_GOT, line);
        enum reply_step step = reply_add_line(r, line, &words);
        if (step == REPLY_BAD)
            return err_set(e, ERR_TEMPORARY, "4.5.0 %s[%s] sent no valid reply to %s", p->host, p->address,
                           what);
        if (ehlo && r->lines > 1)
            ehlo_add_line(ehlo, words);
        if (step == REPLY_DONE)
            break;
    }
    p->is_busy |= reply_is_busy(r);
    return true;
}

bool peer_refused(const struct peer *p, const char *what, const struct reply *r, struct err *e)
{
    return err_set(e, ERR_TEMPORARY, "4.3.2 %s[%s] answered %s with: %.*s", p->host, p->address, what,
                   STR_ARGS(reply_text(r)));
}

/* --- opening --- */

static void say_hello(struct peer *p, const char *verb, const struct peer_target *t)
{
    char line[PEER_HOST_MAX + 20];
    snprintf(line, sizeof line, "%s %.*s\r\n", verb, STR_ARGS(str_slice(t->hostname, 0, PEER_HOST_MAX)));
    peer_say(p, str_from_c(line));
}

static bool greet(struct peer *p, const struct peer_target *t, struct err *e)
{
    struct reply r;
    const char *verb = t->is_lmtp ? "LHLO" : "EHLO";
    p->ehlo = (struct ehlo){0};
    say_hello(p, verb, t);
    if (!peer_hear(p, verb, EHLO_MS, &r, &p->ehlo, e))
        return false;
    if (reply_is_good(&r))
        return true;
    p->ehlo = (struct ehlo){0};
    if (r.code == 421 || t->is_lmtp)
        return peer_refused(p, verb, &r, e);
    say_hello(p, "HELO", t); /* RFC 5321 section 3.2 */
    return peer_hear(p, "HELO", EHLO_MS, &r, NULL, e) &&
           (reply_is_good(&r) || peer_refused(p, "HELO", &r, e));
}

/* True: TLS stands, or the server would not begin it after all and goes on as it was. */
static bool start_tls(struct peer *p, const struct tls_policy *policy, struct err *e)
{
    struct reply r;
    peer_say(p, STR("STARTTLS\r\n"));
    if (!peer_hear(p, "STARTTLS", EHLO_MS, &r, NULL, e))
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
    snprintf(p->tls_words, sizeof p->tls_words, "%s", why.text);
    p->stream.transport = &TLS_TRANSPORT;
    p->stream.context = p->tls;
    transcript_add(p->transcript, TRANSCRIPT_NOTE, tls_description(p->tls));
    return true;
}

/* A server that offers no TLS may be one that somebody in between keeps from offering it. */
static bool is_enough(const struct peer *p, const struct tls_policy *policy, struct err *e)
{
    if (!p->tls && policy->level > TLS_LEVEL_MAY)
        return err_set(e, ERR_TEMPORARY, "4.7.4 %s[%s] offers no TLS, without which this mail must not go",
                       p->host, p->address);
    return !policy->wants_requiretls || ehlo_has(&p->ehlo, EHLO_REQUIRETLS) ||
           err_set(e, ERR_PERMANENT, "5.7.30 REQUIRETLS: %s[%s] does not offer it", p->host, p->address);
}

static enum peer_result open_stream(struct peer *p, const struct peer_target *t, struct err *e)
{
    struct reply r;
    if (!peer_hear(p, "the greeting", GREETING_MS, &r, NULL, e) ||
        (r.code != 220 && !peer_refused(p, "our connection", &r, e)) || !greet(p, t, e))
        return PEER_NOT_OPEN;
    if (t->tls->level == TLS_LEVEL_NEVER)
        return PEER_OPEN;
    bool may_start = ehlo_has(&p->ehlo, EHLO_STARTTLS);
    p->tls_result = may_start ? TLS_RPT_VALIDATION_FAILURE : TLS_RPT_STARTTLS_NOT_SUPPORTED;
    if ((may_start && !start_tls(p, t->tls, e)) || (p->tls && !greet(p, t, e)) || !is_enough(p, t->tls, e))
        return PEER_TLS_FAILED;
    return PEER_OPEN;
}

void peer_shut(struct peer *p)
{
    if (!p->is_open)
        return;
    p->is_open = false;
    tls_free(p->tls);
    p->tls = NULL;
    p->stream.transport = NULL;
    stream_close(&p->stream);
}

enum peer_result peer_open(struct peer *p, int fd, const struct peer_target *t, struct transcript *log,
                           struct err *e)
{
    *p = (struct peer){.port = t->port, .is_lmtp = t->is_lmtp, .transcript = log};
    snprintf(p->host, sizeof p->host, "%.*s", STR_ARGS(t->host));
    snprintf(p->address, sizeof p->address, "%.*s", STR_ARGS(t->address));
    stream_open(&p->stream, fd, STR(""));
    p->is_open = true;
    enum peer_result result = open_stream(p, t, e);
    if (result == PEER_OPEN && t->user.n > 0 && !peer_login(p, t->user, t->password, e))
        result = PEER_NOT_OPEN;
    if (result != PEER_OPEN)
        peer_shut(p);
    else if (!p->tls) /* OpenSSL's socket stays as it is */
        stream_wait_in_reads(&p->stream);
    return result;
}

void peer_close(struct peer *p)
{
    if (!p->is_open)
        return;
    stream_write(&p->stream, STR("QUIT\r\n"));
    stream_flush(&p->stream, deadline_in(QUIT_MS));
    peer_shut(p);
}

bool peer_is_used_up(const struct peer *p)
{
    return p->ehlo.mail_max > 0 && p->messages >= p->ehlo.mail_max;
}
