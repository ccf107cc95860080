#include "smtp/guard.h"

#include "base/log.h"
#include "smtp/helo.h"
#include "smtp/notice.h"
#include "smtp/session.h"

#include <poll.h>
#include <sys/socket.h>

/* Somebody of whom nothing is known, on the port for other servers. */
static bool is_stranger(const struct session *s)
{
    const struct guard *g = &s->guard;
    return s->connection.service == SERVICE_SMTP && !g->is_trusted && !g->is_known && !s->is_authenticated;
}

static bool is_short(const struct session *s)
{
    return atomic_load_explicit(&s->server->is_short, memory_order_relaxed);
}

/* --- beginning --- */

static void look_at_client(struct session *s)
{
    struct guard *g = &s->guard;
    limits_init(&g->limits, s->server->tally, s->server->holder, s->config, s->connection.peer);
    g->is_trusted = networks_hold(&s->config->smtp_trusted, s->connection.peer);
    g->is_known = limits_is_known(&g->limits);
    g->offences = 0;
    g->progress_ms = clock_ms();
}

void guard_begin(struct session *s)
{
    look_at_client(s);
    s->guard.may_xclient = networks_hold(&s->config->smtp_xclient, s->connection.peer);
    s->guard.is_trusted = s->guard.is_trusted || s->guard.may_xclient;
}

/* From here on the account is counted, by what is set of it; is_theirs (mail.c) keeps that up to
 * date. Without an answer golub.conf's limits hold. */
static void count_account(struct session *s)
{
    struct directory_sender sender = {.settings = DIRECTORY_SETTINGS_INIT};
    struct err e = ERR_INIT;
    if (!directory_sender(s->server->directory, s->user.account, str_from_c(s->user.address), &sender, &e))
        LOG_WARNING("account.settings_unknown", F_C("user", s->user.address), F_C("error", e.text));
    s->settings = sender.settings;
    limits_set_account(&s->guard.limits, s->user.account, &s->settings);
}

void guard_changes_client(struct session *s)
{
    limits_let_go(&s->guard.limits);
    look_at_client(s);
    if (s->is_authenticated)
        count_account(s);
}

void guard_end(struct session *s)
{
    limits_let_go(&s->guard.limits);
}

bool guard_awaits_greeting(struct session *s)
{
    if (!is_stranger(s) || s->config->smtp_greet_delay_s == 0 || is_short(s))
        return true;
    struct pollfd p[] = {{.fd = s->stream.fd, .events = POLLIN},
                         {.fd = s->server->stop_fd, .events = POLLIN}};
    if (poll(p, 2, (int)s->config->smtp_greet_delay_s * 1000) <= 0 || !p[0].revents)
        return true;
    if (recv(s->stream.fd, (char[1]){0}, 1, MSG_PEEK | MSG_DONTWAIT) <= 0) { /* it closed */
        s->is_over = true;
        return false;
    }
    LOG_INFO("smtp.early_talker", F_C("peer", s->connection.peer));
    session_goodbye(s, "554 5.5.0 You spoke before the greeting");
    return false;
}

/* --- what is no SMTP --- */

bool guard_hears_smtp(struct session *s)
{
    struct str first = STR("");
    bool has_spoken = s->stream.received > stream_buffered(&s->stream).n; /* before what is there now */
    if (has_spoken || s->connection.tls.on ||
        stream_peek(&s->stream, guard_patience(s), &first) != STREAM_OK || first.p[0] != 0x16)
        return true; /* what else went wrong, the next read tells */
    LOG_INFO("smtp.tls_unasked", F_C("peer", s->connection.peer));
    session_goodbye(s, "554 5.5.1 This port begins without TLS: say EHLO, then STARTTLS");
    return false;
}

bool guard_takes_for_smtp(struct session *s, struct str line)
{
    static const struct str METHODS[] = {STR_INIT("GET "),     STR_INIT("POST "),   STR_INIT("HEAD "),
                                         STR_INIT("PUT "),     STR_INIT("DELETE "), STR_INIT("OPTIONS "),
                                         STR_INIT("CONNECT "), STR_INIT("PATCH "),  STR_INIT("PRI * HTTP/")};
    for (size_t i = 0; i < sizeof METHODS / sizeof *METHODS; i++)
        if (str_starts_nocase(line, METHODS[i])) {
            LOG_WARNING("smtp.http", F_C("peer", s->connection.peer), F_STR("line", str_slice(line, 0, 100)));
            session_goodbye(s, "554 5.5.1 This is no web server");
            return false;
        }
    return true;
}

bool guard_is_in_step(struct session *s, bool must_be_last)
{
    size_t waiting = stream_buffered(&s->stream).n;
    bool speaks_helo = s->helo[0] != '\0' && !s->is_esmtp;
    if (waiting == 0 || (!must_be_last && !speaks_helo) || s->guard.is_trusted || s->is_authenticated)
        return true;
    LOG_INFO("smtp.out_of_step", F_C("peer", s->connection.peer), F_C("helo", s->helo),
             F_INT("bytes", waiting));
    session_goodbye(s, "554 5.5.0 Wait for the answer before you send more (RFC 2920 section 3.1)");
    return false;
}

/* --- time --- */

struct deadline guard_patience(const struct session *s)
{
    struct deadline for_one = deadline_in(is_short(s) && is_stranger(s) ? GUARD_SHORT_MS : SMTP_COMMAND_MS);
    struct deadline for_mail = {s->guard.progress_ms + GUARD_PROGRESS_MS};
    return s->guard.is_trusted || s->is_authenticated ? for_one : deadline_sooner(for_one, for_mail);
}

void guard_progressed(struct session *s)
{
    s->guard.progress_ms = clock_ms();
}

/* How long the next faulty answer waits. */
static int64_t hold_back_ms(const struct session *s)
{
    const struct guard *g = &s->guard;
    unsigned beyond = g->offences > GUARD_FREE_OFFENCES ? g->offences - GUARD_FREE_OFFENCES : 0;
    unsigned seconds = beyond < s->config->smtp_tarpit_s ? beyond : s->config->smtp_tarpit_s;
    return g->held_back_ms < GUARD_TARPIT_ALL_MS ? (int64_t)seconds * 1000 : 0;
}

void guard_slow_down(struct session *s)
{
    if (s->guard.is_trusted || s->guard.is_known || s->is_authenticated || s->is_over)
        return;
    s->guard.offences++;
    int64_t ms = hold_back_ms(s);
    if (ms == 0)
        return;
    if (is_short(s)) { /* no thread to spare for it */
        session_goodbye(s, "421 4.7.0 Too many errors while others wait");
        return;
    }
    s->guard.held_back_ms += ms;
    stream_flush(&s->stream, deadline_in(SMTP_FAREWELL_MS)); /* a failure shows at the next read */
    struct pollfd p[] = {{.fd = s->stream.fd, .events = POLLRDHUP},
                         {.fd = s->server->stop_fd, .events = POLLIN}};
    poll(p, 2, (int)ms);
}

/* --- MAIL and RCPT --- */

/* Tells the client that it has done enough for now. Of an account postmaster hears too. */
static bool is_within(struct session *s, enum limit_rate rate, const char *what)
{
    const char *whose = limits_take(&s->guard.limits, rate);
    if (!whose)
        return true;
    if (s->is_authenticated)
        notice_account(s, rate, what);
    session_refuse(s, STR(""), "450 4.7.1 Too many %s from %s%s%s%s; try again later", what, whose,
                   s->is_authenticated ? " (" : "", s->user.address, s->is_authenticated ? ")" : "");
    return false;
}

bool guard_lets_mail(struct session *s)
{
    bool is_doubted = s->connection.service == SERVICE_SMTP && !s->guard.is_trusted && !s->is_authenticated;
    const char *why = is_doubted ? helo_fault(str_from_c(s->helo), s->config) : NULL;
    if (why) {
        session_refuse(s, STR(""), "550 5.7.1 HELO %s: %s", s->helo, why);
        guard_recipient_refused(s);
        return false;
    }
    return is_within(s, LIMIT_MESSAGES, "messages");
}

bool guard_lets_rcpt(struct session *s)
{
    return is_within(s, LIMIT_RECIPIENTS, "recipients");
}

void guard_recipient_refused(struct session *s)
{
    const char *whose = limits_take(&s->guard.limits, LIMIT_REFUSED);
    if (!whose)
        return;
    if (s->is_authenticated)
        notice_account(s, LIMIT_REFUSED, "refused recipients");
    session_goodbye(s, "421 4.7.0 Too many refused recipients from %s", whose);
}

bool guard_authenticated(struct session *s)
{
    struct limits *l = &s->guard.limits;
    limits_make_known(l);
    count_account(s);
    if (limits_hold(l)) {
        session_goodbye(s, "421 4.7.0 Too many connections at once of %s", s->user.address);
        return false;
    }
    if (limits_is_everywhere(l))
        notice_account(s, LIMIT_CONNECTS, "networks that it logs in from");
    return true;
}

void guard_accepted(struct session *s)
{
    guard_progressed(s);
    if (s->refusals == 0 && s->errors == 0 && !s->guard.is_known) {
        limits_make_known(&s->guard.limits);
        s->guard.is_known = true;
    }
}
