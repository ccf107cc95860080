/* IMAP in its not authenticated state (RFC 3501 sections 6.1 and 6.2). */
#include "base/mem.h"
#include "imap/capability.h"
#include "imap/read.h"
#include "login/session.h"
#include "sasl/sasl.h"

struct imap_login {
    struct login_session *s;
    struct stream *stream;
    struct imap_reader reader;
    struct arena arena; /* of the command under way */
    bool is_over;
};

static void answer(struct imap_login *i, const struct imap_command *c, const char *status, const char *words)
{
    struct str tag = c->tag.n > 0 ? c->tag : STR("*");
    stream_writef(i->stream, "%.*s %s %s\r\n", STR_ARGS(tag), status, words);
}

static void bye(struct imap_login *i, const char *words)
{
    stream_writef(i->stream, "* BYE %s\r\n", words);
    i->is_over = true;
}

static void bad(struct imap_login *i, const struct imap_command *c, const char *words)
{
    answer(i, c, "BAD", words);
    if (++i->s->bad_commands >= LOGIN_BAD_COMMANDS_MAX)
        bye(i, "Too many commands that are none");
}

static void add_capabilities(const struct imap_login *i, struct buf *out)
{
    const struct imap_offer offer = {.starttls = !i->s->connection.tls.on,
                                     .login = login_may_send_password(i->s),
                                     .bindings = login_bindings(i->s)};
    imap_add_capability_before_login(out, &offer);
}

/* --- commands --- */

static void do_capability(struct imap_login *i, struct imap_command *c)
{
    CLEAN_BUF struct buf text;
    buf_init(&text, 1024);
    add_capabilities(i, &text);
    stream_writef(i->stream, "* CAPABILITY %.*s\r\n", STR_ARGS(buf_str(&text)));
    answer(i, c, "OK", "CAPABILITY completed");
}

static void do_noop(struct imap_login *i, struct imap_command *c)
{
    answer(i, c, "OK", "NOOP completed");
}

static void do_logout(struct imap_login *i, struct imap_command *c)
{
    bye(i, "Goodbye");
    answer(i, c, "OK", "LOGOUT completed");
}

/* RFC 2971. What the client calls itself is not asked: the log holds what was done, not by which program. */
static void do_id(struct imap_login *i, struct imap_command *c)
{
    stream_write(i->stream, STR("* ID (\"name\" \"golub\")\r\n"));
    answer(i, c, "OK", "ID completed");
}

static void do_starttls(struct imap_login *i, struct imap_command *c)
{
    if (i->s->connection.tls.on) {
        bad(i, c, "TLS is on already");
        return;
    }
    answer(i, c, "OK", "Begin TLS now");
    if (!login_starttls(i->s))
        i->is_over = true;
}

/* Answers of RFC 5530. */
static void refuse(struct imap_login *i, struct imap_command *c, const char *code, const char *words)
{
    stream_writef(i->stream, "%.*s NO [%s] %s\r\n", STR_ARGS(c->tag), code, words);
    if (i->s->failures >= LOGIN_FAILURES_MAX)
        bye(i, "Too many failed logins");
}

static void settle(struct imap_login *i, struct imap_command *c, const struct login_answer *a)
{
    i->is_over = a->result == LOGIN_HANDED_OVER || a->result == LOGIN_LOST;
    if (!i->is_over)
        refuse(i, c, a->result == LOGIN_WRONG ? "AUTHENTICATIONFAILED" : "UNAVAILABLE", a->words);
}

static bool password_is_safe(struct imap_login *i, struct imap_command *c)
{
    if (login_may_send_password(i->s))
        return true;
    answer(i, c, "NO", "[PRIVACYREQUIRED] Start TLS first: no password goes over this connection");
    return false;
}

static void do_login(struct imap_login *i, struct imap_command *c)
{
    struct str user, password;
    if (!imap_take_space(&c->args) || !imap_take_astring(&c->args, &i->arena, &user) ||
        !imap_take_space(&c->args) || !imap_take_astring(&c->args, &i->arena, &password) ||
        !imap_take_end(&c->args)) {
        bad(i, c, c->args.problem);
        return;
    }
    if (!password_is_safe(i, c))
        return;
    struct login_answer a = login_attempt(i->s, user, password, c->tag);
    settle(i, c, &a);
    mem_wipe((void *)(uintptr_t)password.p, password.n); /* perhaps a copy in the arena */
}

static void do_authenticate(struct imap_login *i, struct imap_command *c)
{
    struct str name, initial;
    if (!imap_take_space(&c->args) || !imap_take_atom(&c->args, &name)) {
        bad(i, c, c->args.problem);
        return;
    }
    bool has_initial = imap_peek(&c->args) == ' '; /* SASL-IR, RFC 4959 */
    initial = str_from_offset(c->args.in, c->args.at + 1);
    CLEAN_SASL struct sasl x;
    struct login_answer a;
    if (!sasl_init(&x, name, login_bindings(i->s)) || (!has_initial && imap_peek(&c->args) != -1)) {
        answer(i, c, "NO", "[CANNOT] No such mechanism: CAPABILITY lists those there are");
        return;
    }
    if (!password_is_safe(i, c))
        return;
    switch (login_authenticate(i->s, &x, has_initial ? &initial : NULL, c->tag, &a)) {
    case SASL_DONE:
    case SASL_PROVEN:
    case SASL_UNBOUND: settle(i, c, &a); break;
    case SASL_CANCELLED: bad(i, c, "AUTHENTICATE cancelled"); break;
    case SASL_MALFORMED: bad(i, c, "That is not what the mechanism asks for"); break;
    case SASL_FOREIGN: refuse(i, c, "AUTHORIZATIONFAILED", a.words); break;
    case SASL_TOO_LONG: bye(i, "The line is too long"); break;
    case SASL_TIMEOUT: bye(i, "Too slow to log in"); break;
    case SASL_ASK:
    case SASL_NEEDS_SALT:
    case SASL_NEEDS_VERDICT:
    case SASL_LOST: i->is_over = true;
    }
}

static const struct {
    struct str name;
    bool has_arguments;
    void (*run)(struct imap_login *i, struct imap_command *c);
} COMMANDS[] = {
    {STR_INIT("AUTHENTICATE"), true, do_authenticate},
    {STR_INIT("CAPABILITY"), false, do_capability},
    {STR_INIT("ID"), true, do_id},
    {STR_INIT("LOGIN"), true, do_login},
    {STR_INIT("LOGOUT"), false, do_logout},
    {STR_INIT("NOOP"), false, do_noop},
    {STR_INIT("STARTTLS"), false, do_starttls},
};

/* --- the loop --- */

static void run(struct imap_login *i)
{
    struct imap_command c;
    if (!imap_parse_command(buf_str(&i->reader.command), &c)) {
        bad(i, &c, c.args.problem);
        return;
    }
    for (size_t k = 0; k < sizeof COMMANDS / sizeof *COMMANDS; k++) {
        if (!str_eq_nocase(c.name, COMMANDS[k].name) || c.by_uid)
            continue;
        if (!COMMANDS[k].has_arguments && !imap_take_end(&c.args))
            bad(i, &c, c.args.problem);
        else
            COMMANDS[k].run(i, &c);
        return;
    }
    bad(i, &c, "Not a command, or one for after login");
}

/* A command that was not even read whole: its tag may be known, the rest of it is dropped. */
static void drop(struct imap_login *i, const char *why)
{
    struct imap_command c;
    imap_parse_command(buf_str(&i->reader.command), &c);
    bad(i, &c, why);
    if (!i->is_over && imap_read_skip(&i->reader, IMAP_LOGIN_COMMAND_MAX, i->s->until) != IMAP_READ_DONE)
        bye(i, "Too much was sent");
}

static void serve_one(struct imap_login *i)
{
    switch (imap_read_command(&i->reader, i->s->until)) {
    case IMAP_READ_DONE: run(i); break;
    case IMAP_READ_BARE_LF: drop(i, "Lines end in CRLF"); break;
    case IMAP_READ_LITERAL:
    case IMAP_READ_TOO_BIG: drop(i, "[TOOBIG] Too much for a command before login"); break;
    case IMAP_READ_TOO_LONG: bye(i, "The line is too long"); break;
    case IMAP_READ_TIMEOUT: bye(i, "Too slow to log in"); break;
    case IMAP_READ_CLOSED: i->is_over = true; break;
    }
    stream_wipe_taken(i->stream);
    if (i->reader.command.p)
        mem_wipe(i->reader.command.p, i->reader.command.cap);
    arena_reset(&i->arena);
}

/* A new connection, or one whose UNAUTHENTICATE is to be answered (RFC 8437 section 2). */
static void greet(struct imap_login *i)
{
    CLEAN_BUF struct buf text;
    buf_init(&text, 1024);
    add_capabilities(i, &text);
    struct str tag = i->s->unauthenticated;
    if (tag.n > 0)
        stream_writef(i->stream, "%.*s OK [CAPABILITY %.*s] You are nobody again\r\n", STR_ARGS(tag),
                      STR_ARGS(buf_str(&text)));
    else
        stream_writef(i->stream, "* OK [CAPABILITY %.*s] %.*s golub is ready\r\n", STR_ARGS(buf_str(&text)),
                      STR_ARGS(i->s->config->hostname));
}

void login_imap(struct login_session *s)
{
    struct imap_login i = {.s = s, .stream = &s->stream};
    imap_reader_init(&i.reader, i.stream, IMAP_LOGIN_COMMAND_MAX);
    greet(&i);
    while (!i.is_over) {
        switch (login_wait(s)) {
        case STREAM_OK: serve_one(&i); break;
        case STREAM_WOKEN: bye(&i, "The server is going down"); break;
        case STREAM_TIMEOUT: bye(&i, "Too slow to log in"); break;
        default: i.is_over = true;
        }
    }
    imap_reader_free(&i.reader);
    arena_free(&i.arena);
}
