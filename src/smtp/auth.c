/* AUTH (RFC 4954), with the mechanisms of sasl/. */
#include "base/log.h"
#include "sasl/sasl.h"
#include "smtp/session.h"

static void failed(struct session *s, struct str user)
{
    LOG_INFO("login.failed", F_STR("user", user), F_C("peer", s->connection.peer), F_C("service", "smtp"));
    session_reply(s, "535 5.7.8 Wrong user name or password");
    if (++s->logins >= SMTP_LOGINS_MAX)
        session_goodbye(s, "421 4.7.0 Too many failed logins");
}

static void settle(struct session *s, struct str user, enum directory_verdict verdict)
{
    switch (verdict) {
    case DIRECTORY_GOOD:
        s->is_authenticated = true;
        if (!guard_authenticated(s))
            return;
        LOG_DEBUG("login", F_C("user", s->user.address), F_C("peer", s->connection.peer),
                  F_C("service", "smtp"));
        session_reply(s, "235 2.7.0 Welcome");
        return;
    case DIRECTORY_WRONG: failed(s, user); break;
    case DIRECTORY_WAIT:
        LOG_INFO("login.waits", F_STR("user", user), F_C("peer", s->connection.peer),
                 F_INT("seconds", s->user.wait_s));
        session_error(s, "454 4.7.0 Too many failed logins from your address; try again in %u seconds",
                      s->user.wait_s);
        break;
    case DIRECTORY_NO_ANSWER:
        session_reply(s, "454 4.7.0 Passwords cannot be checked now; try again later");
        break;
    }
    s->user = (struct directory_login){0};
}

static void exchange(struct session *s, struct sasl *x, const struct smtp_command *c)
{
    enum directory_verdict verdict;
    enum sasl_result r = directory_authenticate(s->server->directory, x, &s->stream, "334 ",
                                                c->has_initial ? &c->initial : NULL, s->connection.peer,
                                                deadline_in(SMTP_COMMAND_MS), &verdict, &s->user);
    if (r != SASL_DONE && r != SASL_PROVEN)
        s->user = (struct directory_login){0};
    switch (r) {
    case SASL_DONE:
    case SASL_PROVEN: settle(s, x->user, verdict); break;
    case SASL_FOREIGN:
    case SASL_UNBOUND: failed(s, x->user); break;
    case SASL_CANCELLED: session_error(s, "501 5.7.0 Authentication cancelled"); break;
    case SASL_MALFORMED: session_error(s, "501 5.5.2 That is not what the mechanism asks for"); break;
    case SASL_TOO_LONG: session_goodbye(s, "421 4.5.2 The answer is too long"); break;
    case SASL_TIMEOUT: session_goodbye(s, "421 4.4.2 Nothing heard for too long"); break;
    case SASL_ASK:
    case SASL_NEEDS_SALT:
    case SASL_NEEDS_VERDICT:
    case SASL_LOST: s->is_over = true;
    }
    stream_wipe_taken(&s->stream);
}

void smtp_auth(struct session *s, const struct smtp_command *c)
{
    if (s->is_authenticated || s->transaction.is_open) {
        session_error(s, "503 5.5.1 Not now: %s",
                      s->is_authenticated ? "you are authenticated" : "a message is under way");
        return;
    }
    if (session_is_lmtp(s)) {
        session_error(s, "502 5.5.1 No AUTH in LMTP");
        return;
    }
    if (!session_may_authenticate(s)) {
        session_error(s, "538 5.7.11 No passwords without TLS: STARTTLS first");
        return;
    }
    CLEAN_SASL struct sasl x;
    if (sasl_init(&x, c->argument, session_bindings(s)))
        exchange(s, &x, c);
    else
        session_error(s, "504 5.5.4 No such mechanism: EHLO lists those there are");
}
