/* AUTH PLAIN (RFC 4616) and LOGIN, as RFC 4954 carries them. */
#include "base/log.h"
#include "base/mem.h"
#include "smtp/session.h"

/* The decoded answers of a client hold passwords: wiped before the memory goes back. */
static void wipe(struct buf *b)
{
    if (b->p)
        mem_wipe(b->p, b->cap);
    buf_free(b);
}
#define CLEAN_SECRET __attribute__((cleanup(wipe)))

static bool decode(struct session *s, struct str text, struct buf *out)
{
    if (buf_add_base64_decoded(out, text))
        return true;
    session_error(s, "501 5.5.2 That is not base64");
    return false;
}

/* "334 prompt", and what the client says to it. False: it has been answered, or is gone. */
static bool ask(struct session *s, const char *prompt, struct buf *answer)
{
    struct str line;
    bool bare_lf;
    session_reply(s, "334 %s", prompt);
    switch (stream_read_line(&s->stream, SMTP_LINE_MAX, deadline_in(SMTP_COMMAND_MS), &line, &bare_lf)) {
    case STREAM_OK: break;
    case STREAM_TOO_LONG: session_goodbye(s, "421 4.5.2 The answer is too long"); return false;
    case STREAM_TIMEOUT: session_goodbye(s, "421 4.4.2 Nothing heard for too long"); return false;
    default: s->is_over = true; return false;
    }
    if (bare_lf) {
        session_error(s, "500 5.5.2 The line ends in LF without CR");
        return false;
    }
    if (str_eq(line, STR("*"))) {
        session_error(s, "501 5.7.0 Authentication cancelled");
        return false;
    }
    return decode(s, line, answer);
}

/* The initial response, where there is one; "=" stands for an empty one. */
static bool first_answer(struct session *s, const struct smtp_command *c, const char *prompt,
                         struct buf *answer)
{
    if (!c->has_initial)
        return ask(s, prompt, answer);
    return str_eq(c->initial, STR("=")) || decode(s, c->initial, answer);
}

static void failed(struct session *s, struct str user)
{
    LOG_INFO("login.failed", F_STR("user", user), F_C("peer", s->connection.peer), F_C("service", "smtp"));
    session_reply(s, "535 5.7.8 Wrong user name or password");
    if (++s->logins >= SMTP_LOGINS_MAX)
        session_goodbye(s, "421 4.7.0 Too many failed logins");
}

static void verify(struct session *s, struct str user, struct str password)
{
    switch (directory_verify(s->server->directory, user, password, s->connection.peer, &s->user)) {
    case DIRECTORY_GOOD:
        s->is_authenticated = true;
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

/* message = [authzid] NUL authcid NUL passwd. Nobody may act for another here. */
static void plain(struct session *s, const struct smtp_command *c)
{
    CLEAN_SECRET struct buf answer;
    struct str authzid, user;
    buf_init(&answer, SMTP_LINE_MAX);
    if (!first_answer(s, c, "", &answer))
        return;
    struct str password = buf_str(&answer);
    if (!str_cut(&password, '\0', &authzid) || !str_cut(&password, '\0', &user) ||
        str_find_byte(password, '\0') != STR_NONE)
        session_error(s, "501 5.5.2 That is no answer to PLAIN: NUL user NUL password");
    else if (authzid.n > 0 && !str_eq_nocase(authzid, user))
        failed(s, user);
    else
        verify(s, user, password);
}

/* Never a standard, but what Outlook speaks: two prompts, "Username:" and "Password:". */
static void login(struct session *s, const struct smtp_command *c)
{
    CLEAN_SECRET struct buf user;
    CLEAN_SECRET struct buf password;
    buf_init(&user, SMTP_LINE_MAX);
    buf_init(&password, SMTP_LINE_MAX);
    if (first_answer(s, c, "VXNlcm5hbWU6", &user) && ask(s, "UGFzc3dvcmQ6", &password))
        verify(s, buf_str(&user), buf_str(&password));
}

static const struct mechanism {
    struct str name;
    void (*act)(struct session *s, const struct smtp_command *c);
} MECHANISMS[] = {
    {STR_INIT("PLAIN"), plain},
    {STR_INIT("LOGIN"), login},
};

void smtp_auth(struct session *s, const struct smtp_command *c)
{
    if (s->is_authenticated || s->transaction.is_open) {
        session_error(s, "503 5.5.1 Not now: %s",
                      s->is_authenticated ? "you are authenticated" : "a message is under way");
        return;
    }
    if (!session_may_authenticate(s)) {
        session_error(s, "538 5.7.11 No passwords without TLS: STARTTLS first");
        return;
    }
    for (size_t i = 0; i < sizeof MECHANISMS / sizeof *MECHANISMS; i++) {
        if (str_eq_nocase(c->argument, MECHANISMS[i].name)) {
            MECHANISMS[i].act(s, c);
            return;
        }
    }
    session_error(s, "504 5.5.4 No such mechanism: PLAIN or LOGIN");
}
