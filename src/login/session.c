#include "login/session.h"

#include "base/log.h"
#include "config/config.h"
#include "login/voucher.h"
#include "role/role.h"

#include <poll.h>
#include <stdio.h>

/* Under keeper's own patience (it answers within 8 s) and over what an account needs to start. */
#define HAND_OVER_MS  ((int64_t)12 * 1000)
/* Somebody whose address must wait is answered late: trying faster gains nothing. */
#define WAIT_PAUSE_MS 2000

bool login_is_pop3(const struct login_session *s)
{
    return s->connection.service == SERVICE_POP3 || s->connection.service == SERVICE_POP3S;
}

bool login_may_send_password(const struct login_session *s)
{
    return s->connection.tls.on || (s->config->plain_on_loopback && connection_is_loopback(&s->connection));
}

enum stream_result login_wait(struct login_session *s)
{
    struct pollfd stop = {.fd = s->stop, .events = POLLIN};
    if (str_find_byte(stream_buffered(&s->stream), '\n') == STR_NONE)
        return stream_wait(&s->stream, s->stop, s->until);
    return poll(&stop, 1, 0) > 0 ? STREAM_WOKEN : STREAM_OK; /* pipelined commands end some time too */
}

static void log_login(enum log_level level, const char *event, const struct login_session *s, struct str user,
                      const char *why)
{
    LOG_AT(level, event, F_STR("user", user), F_C("peer", s->connection.peer),
           F_C("protocol", login_is_pop3(s) ? "pop3" : "imap"),
           F_C("tls", s->connection.tls.on ? s->connection.tls.version : "no"), F_C("result", why));
}

static struct login_answer refused(struct login_session *s, struct str user, enum login_result result,
                                   const char *words)
{
    struct login_answer a = {.result = result};
    snprintf(a.words, sizeof a.words, "%s", words);
    log_login(LOG_LEVEL_WARNING, "login.failure", s, user, words);
    return a;
}

static struct login_answer hand_over(struct login_session *s, struct str user,
                                     const struct directory_login *who, struct str tag)
{
    struct err e = ERR_INIT;
    voucher_put(&s->connection, s->voucher_key);
    struct keeper_login l = {.connection = &s->connection,
                             .is_pop3 = login_is_pop3(s),
                             .account = who->account,
                             .address = str_from_c(who->address),
                             .tag = tag,
                             .buffered = stream_buffered(&s->stream)};
    /* Answers to commands before this one go first: from here on the account writes. */
    if (stream_flush(&s->stream, s->until) != STREAM_OK)
        return refused(s, user, LOGIN_LOST, "The client is gone");
    s->is_given_away = keeper_hand_over(s->keeper, &l, deadline_in(HAND_OVER_MS), &e);
    if (s->is_given_away) {
        log_login(LOG_LEVEL_INFO, "login.success", s, l.address, "handed over");
        return (struct login_answer){.result = LOGIN_HANDED_OVER};
    }
    s->is_given_away = e.kind != ERR_TEMPORARY;
    LOG_ERROR("login.hand-over", F_STR("address", l.address), F_C("error", e.text));
    return refused(s, user, s->is_given_away ? LOGIN_LOST : LOGIN_UNAVAILABLE,
                   "The mailbox is not available now, try again later");
}

static struct login_answer make_wait(struct login_session *s, struct str user, unsigned wait_s)
{
    char words[80];
    struct pollfd stop = {.fd = s->stop, .events = POLLIN};
    snprintf(words, sizeof words, "Too many failures from your address, wait %u seconds", wait_s);
    struct login_answer a = refused(s, user, LOGIN_WAIT, words);
    poll(&stop, 1, WAIT_PAUSE_MS);
    return a;
}

/* LOGIN-DELAY (RFC 2449 section 6.5): asked once the password is known to be right, so that it tells a
 * stranger nothing. */
static struct login_answer let_in(struct login_session *s, struct str user, const struct directory_login *who,
                                  struct str tag)
{
    char words[80];
    unsigned left_s = login_is_pop3(s) ? login_delays_enter(s->delays, who->account, clock_ms(),
                                                            s->config->pop3_login_delay_s)
                                       : 0;
    if (left_s == 0)
        return hand_over(s, user, who, tag);
    snprintf(words, sizeof words, "You were here a moment ago; come again in %u seconds", left_s);
    return refused(s, user, LOGIN_TOO_OFTEN, words);
}

static struct login_answer settle(struct login_session *s, struct str user, enum directory_verdict verdict,
                                  const struct directory_login *who, struct str tag)
{
    switch (verdict) {
    case DIRECTORY_GOOD: return let_in(s, user, who, tag);
    case DIRECTORY_WAIT: s->failures++; return make_wait(s, user, who->wait_s);
    case DIRECTORY_WRONG: s->failures++; return refused(s, user, LOGIN_WRONG, "Wrong user name or password");
    case DIRECTORY_NO_ANSWER: break;
    }
    return refused(s, user, LOGIN_UNAVAILABLE, "Logins are not possible now, try again later");
}

struct login_answer login_attempt(struct login_session *s, struct str user, struct str password,
                                  struct str tag)
{
    struct directory_login who;
    enum directory_verdict verdict = directory_verify(s->directory, user, password, s->connection.peer, &who);
    return settle(s, user, verdict, &who, tag);
}

const struct channel_bindings *login_bindings(const struct login_session *s)
{
    return s->connection.tls.on ? &s->connection.tls.bindings : NULL;
}

enum sasl_result login_authenticate(struct login_session *s, struct sasl *x, const struct str *initial,
                                    struct str tag, struct login_answer *answer)
{
    struct directory_login who;
    enum directory_verdict verdict;
    enum sasl_result r = directory_authenticate(s->directory, x, &s->stream, "+ ", initial,
                                                s->connection.peer, s->until, &verdict, &who);
    switch (r) {
    case SASL_DONE:
    case SASL_PROVEN: *answer = settle(s, x->user, verdict, &who, tag); break;
    case SASL_FOREIGN:
        s->failures++;
        *answer = refused(s, x->user, LOGIN_WRONG, "Nobody may act for another user here");
        break;
    case SASL_UNBOUND:
        s->failures++;
        *answer = refused(s, x->user, LOGIN_WRONG, "The channel binding is not that of this connection");
        break;
    default: break;
    }
    return r;
}

bool login_starttls(struct login_session *s)
{
    struct err e = ERR_INIT;
    if (stream_flush(&s->stream, s->until) != STREAM_OK)
        return false;
    s->stream.fd = -1; /* it goes to gate; what was read from it goes nowhere */
    stream_close(&s->stream);
    bool secured = connection_starttls(s->gate, &s->connection, s->until, &e);
    stream_open(&s->stream, s->connection.fd, STR(""));
    if (!secured)
        LOG_INFO("login.starttls", F_C("peer", s->connection.peer), F_C("error", e.text));
    return secured;
}
