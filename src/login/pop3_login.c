/* POP3 in its authorization state (RFC 1939 section 4, RFC 2595 for STLS, RFC 5034 for AUTH). */
#include "base/mem.h"
#include "login/session.h"
#include "pop3/parse.h"
#include "sasl/sasl.h"

struct pop3_login {
    struct login_session *s;
    struct stream *stream;
    char *user;   /* of USER, for the PASS that follows; NULL: none */
    bool is_utf8; /* UTF8 was said. It changes nothing here: names are UTF-8 anyhow, and a message's bytes are
                     what they are */
    bool is_over;
};

static void say(struct pop3_login *p, const char *line)
{
    stream_writef(p->stream, "%s\r\n", line);
}

static void bad(struct pop3_login *p, const char *words)
{
    stream_writef(p->stream, "-ERR %s\r\n", words);
    p->is_over |= ++p->s->bad_commands >= LOGIN_BAD_COMMANDS_MAX;
}

static void forget_user(struct pop3_login *p)
{
    free(p->user);
    p->user = NULL;
}

static bool password_is_safe(struct pop3_login *p)
{
    if (login_may_send_password(p->s))
        return true;
    say(p, "-ERR STLS first: no password goes over this connection");
    return false;
}

/* Codes of RFC 3206 and RFC 2449 section 8.1.1. */
static void refuse(struct pop3_login *p, const char *code, const char *words)
{
    stream_writef(p->stream, "-ERR [%s] %s\r\n", code, words);
    p->is_over = p->s->failures >= LOGIN_FAILURES_MAX;
}

static void settle(struct pop3_login *p, const struct login_answer *a)
{
    p->is_over = a->result == LOGIN_HANDED_OVER || a->result == LOGIN_LOST;
    if (!p->is_over)
        refuse(p,
               a->result == LOGIN_WRONG       ? "AUTH"
               : a->result == LOGIN_TOO_OFTEN ? "LOGIN-DELAY"
                                              : "SYS/TEMP",
               a->words);
}

/* --- commands --- */

static void do_apop(struct pop3_login *p, const struct pop3_command *c)
{
    (void)c;
    say(p, "-ERR APOP would need passwords in clear text on this side");
}

/* Older than RFC 5034, but some clients ask so which there are. */
static void list_mechanisms(struct pop3_login *p)
{
    CLEAN_BUF struct buf text;
    buf_init(&text, 1024);
    if (login_may_send_password(p->s)) {
        sasl_add_names(&text, "", "\r\n", login_bindings(p->s));
        buf_add(&text, STR("\r\n"));
    }
    stream_writef(p->stream, "+OK\r\n%.*s.\r\n", STR_ARGS(buf_str(&text)));
}

static void do_auth(struct pop3_login *p, const struct pop3_command *c)
{
    if (c->text.n == 0) {
        list_mechanisms(p);
        return;
    }
    CLEAN_SASL struct sasl x;
    struct login_answer a;
    if (!sasl_init(&x, c->text, login_bindings(p->s))) {
        say(p, "-ERR No such mechanism: CAPA lists those there are");
        return;
    }
    if (!password_is_safe(p))
        return;
    switch (login_authenticate(p->s, &x, c->has_response ? &c->response : NULL, STR(""), &a)) {
    case SASL_DONE:
    case SASL_PROVEN:
    case SASL_FOREIGN:
    case SASL_UNBOUND: settle(p, &a); break;
    case SASL_CANCELLED: bad(p, "AUTH cancelled"); break;
    case SASL_MALFORMED: bad(p, "That is not what the mechanism asks for"); break;
    case SASL_ASK:
    case SASL_NEEDS_SALT:
    case SASL_NEEDS_VERDICT:
    case SASL_TOO_LONG:
    case SASL_TIMEOUT:
    case SASL_LOST: p->is_over = true;
    }
}

static void do_capa(struct pop3_login *p, const struct pop3_command *c)
{
    CLEAN_BUF struct buf text;
    (void)c;
    buf_init(&text, 1024);
    const struct pop3_offer offer = {.starttls = !p->s->connection.tls.on && !p->is_utf8,
                                     .login = login_may_send_password(p->s),
                                     .bindings = login_bindings(p->s)};
    pop3_add_capabilities(&text, p->s->config, &offer);
    say(p, "+OK Capabilities follow");
    stream_write(p->stream, buf_str(&text));
}

static void attempt(struct pop3_login *p, struct str password)
{
    struct login_answer a = login_attempt(p->s, str_from_c(p->user), password, STR(""));
    settle(p, &a);
}

static void do_lang(struct pop3_login *p, const struct pop3_command *c)
{
    CLEAN_BUF struct buf text;
    buf_init(&text, 1024);
    pop3_answer_lang(c, &text);
    stream_write(p->stream, buf_str(&text));
}

static void do_pass(struct pop3_login *p, const struct pop3_command *c)
{
    if (!p->user) {
        bad(p, "USER first");
        return;
    }
    if (password_is_safe(p))
        attempt(p, c->text);
    forget_user(p);
}

static void do_quit(struct pop3_login *p, const struct pop3_command *c)
{
    (void)c;
    say(p, "+OK Goodbye");
    p->is_over = true;
}

static void do_stls(struct pop3_login *p, const struct pop3_command *c)
{
    (void)c;
    if (p->s->connection.tls.on) {
        bad(p, "TLS is on already");
        return;
    }
    if (p->is_utf8) { /* RFC 6856 section 2.1: a client must not, and a server may refuse */
        bad(p, "STLS comes before UTF8");
        return;
    }
    forget_user(p);
    say(p, "+OK Begin TLS now");
    p->is_over = !login_starttls(p->s);
}

static void do_user(struct pop3_login *p, const struct pop3_command *c)
{
    if (!password_is_safe(p))
        return;
    forget_user(p);
    p->user = mem_copy_c(c->text.p, c->text.n);
    say(p, "+OK Now the password"); /* whether the user exists is not told */
}

static void do_utf8(struct pop3_login *p, const struct pop3_command *c)
{
    (void)c;
    p->is_utf8 = true;
    say(p, "+OK UTF-8 it is");
}

static void do_too_early(struct pop3_login *p, const struct pop3_command *c)
{
    (void)c;
    bad(p, "Log in first");
}

static void (*const COMMANDS[])(struct pop3_login *p, const struct pop3_command *c) = {
    [POP3_APOP] = do_apop,      [POP3_AUTH] = do_auth,      [POP3_CAPA] = do_capa,
    [POP3_LANG] = do_lang,      [POP3_DELE] = do_too_early, [POP3_LIST] = do_too_early,
    [POP3_NOOP] = do_too_early, [POP3_PASS] = do_pass,      [POP3_QUIT] = do_quit,
    [POP3_RETR] = do_too_early, [POP3_RSET] = do_too_early, [POP3_STAT] = do_too_early,
    [POP3_STLS] = do_stls,      [POP3_TOP] = do_too_early,  [POP3_UIDL] = do_too_early,
    [POP3_USER] = do_user,      [POP3_UTF8] = do_utf8,
};

/* --- the loop --- */

static void serve_one(struct pop3_login *p)
{
    struct str line;
    struct pop3_command c;
    bool bare_lf;
    const char *problem = "lines end in CRLF";
    enum stream_result r = stream_read_line(p->stream, POP3_LINE_MAX, p->s->until, &line, &bare_lf);
    if (r == STREAM_TOO_LONG) {
        bad(p, "the line is too long");
        p->is_over |= stream_skip_line(p->stream, p->s->until) != STREAM_OK;
        return;
    }
    if (r != STREAM_OK) {
        p->is_over = true;
        return;
    }
    if (bare_lf || !pop3_parse(line, &c, &problem))
        bad(p, problem);
    else
        COMMANDS[c.verb](p, &c);
    stream_wipe_taken(p->stream);
}

void login_pop3(struct login_session *s)
{
    struct pop3_login p = {.s = s, .stream = &s->stream};
    stream_writef(p.stream, "+OK %.*s golub is ready\r\n", STR_ARGS(s->config->hostname));
    while (!p.is_over) {
        switch (login_wait(s)) {
        case STREAM_OK: serve_one(&p); break;
        case STREAM_WOKEN:
            say(&p, "-ERR [SYS/TEMP] The server is going down");
            p.is_over = true;
            break;
        default: p.is_over = true; /* gone, or too slow: RFC 1939 section 3 closes without a word */
        }
    }
    forget_user(&p);
}
