#include "smtp/session.h"

#include "base/format.h"
#include "base/log.h"
#include "message/decode.h"
#include "smtp/extension.h"
#include "smtp/local.h"

#include <stdarg.h>
#include <string.h>

/* --- replies --- */

static void make_harmless(const struct session *s, char *line, size_t n)
{
    bool may_be_utf8 = s->transaction.asked.is_utf8 && decode_is_utf8(str_from(line, n));
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)line[i];
        if (c < ' ' || c == 127 || (c > 127 && !may_be_utf8))
            line[i] = '?';
    }
}

/* Formats into `line` and returns the length: without CRLF, for which there is room. */
static size_t format_reply(const struct session *s, char line[SMTP_REPLY_MAX], const char *format,
                           va_list args) __attribute__((format(printf, 3, 0)));
static size_t format_reply(const struct session *s, char line[SMTP_REPLY_MAX], const char *format,
                           va_list args)
{
    size_t room = SMTP_REPLY_MAX - 2;
    size_t length = format_text(line, room, format, args), n = length < room ? length : room - 1;
    make_harmless(s, line, n);
    return n;
}

static void send_reply(struct session *s, char line[SMTP_REPLY_MAX], size_t n)
{
    memcpy(line + n, "\r\n", 2);
    stream_write(&s->stream, str_from(line, n + 2));
}

#define FORMAT_REPLY(s, line, n, format)                 \
    do {                                                 \
        va_list args;                                    \
        va_start(args, format);                          \
        (n) = format_reply((s), (line), (format), args); \
        va_end(args);                                    \
    } while (0)

void session_reply(struct session *s, const char *format, ...)
{
    char line[SMTP_REPLY_MAX];
    size_t n;
    FORMAT_REPLY(s, line, n, format);
    send_reply(s, line, n);
}

void session_reply_text(struct session *s, struct str text)
{
    char line[SMTP_REPLY_MAX];
    text = str_slice(text, 0, SMTP_REPLY_MAX - 2);
    memcpy(line, text.p, text.n);
    make_harmless(s, line, text.n);
    send_reply(s, line, text.n);
}

void session_error(struct session *s, const char *format, ...)
{
    char line[SMTP_REPLY_MAX];
    size_t n;
    FORMAT_REPLY(s, line, n, format);
    LOG_DEBUG("smtp.error", F_C("peer", s->connection.peer), F_STR("reply", str_from(line, n)));
    guard_slow_down(s);
    send_reply(s, line, n);
    if (++s->errors >= SMTP_ERRORS_MAX)
        session_goodbye(s, "421 4.7.0 Too many errors");
}

static void log_refusal(const struct session *s, struct str recipient, struct str reply)
{
    LOG_INFO("message.refused", F_C("id", s->transaction.id.hex), F_STR("from", s->transaction.sender),
             F_STR("to", recipient), F_STR("reply", reply), F_C("peer", s->connection.peer),
             F_C("helo", s->helo), F_C("user", s->user.address));
}

void session_refuse(struct session *s, struct str recipient, const char *format, ...)
{
    char line[SMTP_REPLY_MAX];
    size_t n;
    FORMAT_REPLY(s, line, n, format);
    log_refusal(s, recipient, str_from(line, n));
    if (line[0] == '5')
        guard_slow_down(s);
    send_reply(s, line, n);
}

void session_refuse_message(struct session *s, const char *format, ...)
{
    char line[SMTP_REPLY_MAX];
    size_t n, times = session_is_lmtp(s) ? s->transaction.recipient_count : 1;
    FORMAT_REPLY(s, line, n, format);
    log_refusal(s, session_first_recipient(s), str_from(line, n));
    if (line[0] == '5')
        guard_slow_down(s);
    for (size_t i = 0; i < times; i++)
        send_reply(s, line, n);
}

void session_goodbye(struct session *s, const char *format, ...)
{
    char line[SMTP_REPLY_MAX];
    size_t n;
    FORMAT_REPLY(s, line, n, format);
    send_reply(s, line, n);
    s->is_over = true;
}

/* --- what the verbs ask --- */

bool session_may_authenticate(const struct session *s)
{
    if (session_is_lmtp(s)) /* it takes mail for our addresses only, which needs no password */
        return false;
    return s->connection.tls.on || (s->config->plain_on_loopback && connection_is_loopback(&s->connection));
}

const struct channel_bindings *session_bindings(const struct session *s)
{
    return s->connection.tls.on ? &s->connection.tls.bindings : NULL;
}

bool session_is_submission_port(const struct session *s)
{
    return s->connection.service != SERVICE_SMTP && !session_is_lmtp(s);
}

bool session_is_lmtp(const struct session *s)
{
    return s->connection.service == SERVICE_LMTP;
}

struct received_with session_with(const struct session *s)
{
    return (struct received_with){
        .is_lmtp = session_is_lmtp(s),
        .is_esmtp = s->is_esmtp,
        .is_utf8 = s->transaction.asked.is_utf8,
        .is_authenticated = s->is_authenticated,
    };
}

struct str session_plain_address(const struct smtp_path *p, struct arena *a)
{
    return p->domain.n ? arena_printf(a, "%.*s@%.*s", STR_ARGS(p->local), STR_ARGS(p->domain)) : p->local;
}

void session_forget_transaction(struct session *s)
{
    struct arena arena = s->transaction.arena;
    if (s->transaction.chunks)
        incoming_free(s->transaction.chunks);
    arena_reset(&arena);
    s->transaction = (struct smtp_transaction){
        .arena = arena, .sender = STR(""), .solicit = STR(""), .asked = ENVELOPE_INIT};
}

struct str session_first_recipient(const struct session *s)
{
    return s->transaction.recipient_count > 0 ? s->transaction.recipients[0].address : STR("");
}

/* --- verbs --- */

static void hello(struct session *s, struct str name, bool is_esmtp)
{
    session_forget_transaction(s);
    memcpy(s->helo, name.p, name.n); /* at most SMTP_HELO_MAX: the parser saw to that */
    s->helo[name.n] = '\0';
    s->is_esmtp = is_esmtp;
}

/* RFC 2033 section 4.1: LMTP has its own greeting, so that neither is taken for the other. */
static bool speaks(struct session *s, bool lmtp)
{
    if (session_is_lmtp(s) == lmtp)
        return true;
    session_error(s, lmtp ? "500 5.5.1 This is SMTP: say EHLO" : "500 5.5.1 This is LMTP: say LHLO");
    return false;
}

static void helo(struct session *s, const struct smtp_command *c)
{
    if (!speaks(s, false))
        return;
    hello(s, c->argument, false);
    session_reply(s, "250 %.*s", STR_ARGS(s->config->hostname));
}

static void ehlo(struct session *s, const struct smtp_command *c)
{
    if (!speaks(s, c->verb == SMTP_LHLO))
        return;
    hello(s, c->argument, true);
    extension_answer(s);
}

static void rset(struct session *s, const struct smtp_command *c)
{
    (void)c;
    session_forget_transaction(s);
    session_reply(s, "250 2.0.0 Forgotten");
}

static void noop(struct session *s, const struct smtp_command *c)
{
    (void)c;
    session_reply(s, "250 2.0.0 OK");
}

static void quit(struct session *s, const struct smtp_command *c)
{
    (void)c;
    session_goodbye(s, "221 2.0.0 Goodbye");
}

/* RFC 5321 section 7.3: who has which address is nobody's business before RCPT. */
static void vrfy(struct session *s, const struct smtp_command *c)
{
    (void)c;
    session_reply(s, "252 2.0.0 Send to it, and RCPT will tell");
}

static void expn(struct session *s, const struct smtp_command *c)
{
    (void)c;
    session_error(s, "502 5.5.1 Lists are not shown here");
}

static void help(struct session *s, const struct smtp_command *c)
{
    (void)c;
    session_reply(
        s, session_is_lmtp(s)
               ? "214 2.0.0 LHLO MAIL RCPT DATA BDAT RSET NOOP QUIT VRFY STARTTLS: see RFC 2033"
               : "214 2.0.0 EHLO HELO MAIL RCPT DATA BDAT RSET NOOP QUIT VRFY STARTTLS AUTH: see RFC 5321");
}

static void listen_to(struct session *s)
{
    stream_open(&s->stream, s->connection.fd, STR(""));
    stream_wait_in_reads(&s->stream); /* gate, who gets it for STARTTLS, makes it as gate needs it */
}

/* RFC 3207. What came before the handshake, also what is still unread, may be another's and is forgotten. */
static void starttls(struct session *s, const struct smtp_command *c)
{
    struct err e = ERR_INIT;
    (void)c;
    if (s->connection.tls.on) {
        session_error(s, "503 5.5.1 TLS is on already");
        return;
    }
    size_t injected = stream_buffered(&s->stream).n;
    if (injected > 0)
        LOG_WARNING("smtp.injected", F_C("peer", s->connection.peer), F_INT("bytes", injected));
    stream_take(&s->stream, SIZE_MAX);
    session_reply(s, "220 2.0.0 Go ahead");
    if (stream_flush(&s->stream, deadline_in(SMTP_FAREWELL_MS)) != STREAM_OK ||
        !connection_starttls(s->gate_channel, &s->connection, deadline_in(SMTP_TLS_MS), &e)) {
        LOG_INFO("smtp.tls_failed", F_C("peer", s->connection.peer), F_C("error", e.text));
        s->is_over = true;
        return;
    }
    s->stream.fd = -1; /* gate has it */
    stream_close(&s->stream);
    listen_to(s);
    session_forget_transaction(s);
    s->helo[0] = '\0';
}

void session_greet(struct session *s)
{
    session_reply(s, "220 %.*s %s golub", STR_ARGS(s->config->hostname),
                  session_is_lmtp(s) ? "LMTP" : "ESMTP");
}

static const struct verb {
    void (*act)(struct session *s, const struct smtp_command *c);
    const char *usage;
    bool needs_hello; /* RFC 5321 section 4.1.4: before mail, EHLO or HELO */
    bool is_idling;   /* see SMTP_IDLING_MAX */
    /* Of a group of commands, since its answer decides how the client goes on: RFC 2920 section 3.1. It also
     * has those that change nothing, of which what follows does no harm; STARTTLS drops it. */
    bool is_last;
} VERBS[SMTP_VERB_COUNT] = {
    [SMTP_EHLO] = {ehlo, "EHLO your.host.name", .is_idling = true, .is_last = true},
    [SMTP_HELO] = {helo, "HELO your.host.name", .is_idling = true, .is_last = true},
    [SMTP_LHLO] = {ehlo, "LHLO your.host.name", .is_idling = true, .is_last = true},
    [SMTP_MAIL] = {smtp_mail, "MAIL FROM:<user@example.org>", .needs_hello = true},
    [SMTP_RCPT] = {smtp_rcpt, "RCPT TO:<user@example.org>", .needs_hello = true},
    [SMTP_DATA] = {smtp_data, "DATA", .needs_hello = true, .is_last = true},
    [SMTP_BDAT] = {smtp_bdat, "BDAT octets [LAST]"},
    [SMTP_RSET] = {rset, "RSET", .is_idling = true},
    [SMTP_NOOP] = {noop, "NOOP", .is_idling = true},
    [SMTP_QUIT] = {quit, "QUIT"},
    [SMTP_VRFY] = {vrfy, "VRFY user@example.org", .is_idling = true},
    [SMTP_HELP] = {help, "HELP", .is_idling = true},
    [SMTP_STARTTLS] = {starttls, "STARTTLS"},
    [SMTP_AUTH] = {smtp_auth, "AUTH mechanism [initial-response]", .needs_hello = true, .is_last = true},
    [SMTP_EXPN] = {expn, "EXPN list"},
    [SMTP_XCLIENT] = {smtp_xclient, "XCLIENT NAME=value ...", .is_idling = true},
    [SMTP_XQUEUE] = {smtp_xqueue, "XQUEUE LIST number"},
};

/* --- the loop --- */

static void answer_fault(struct session *s, enum smtp_fault fault, const struct smtp_command *c)
{
    bool is_sender = c->verb == SMTP_MAIL;
    switch (fault) {
    case SMTP_BAD_BYTES: session_error(s, "500 5.5.2 A control character stands in the command"); break;
    case SMTP_BAD_ARGUMENT:
        session_error(s, "501 5.5.4 Syntax: %s", VERBS[c->verb].usage);
        s->is_over = s->is_over || c->verb == SMTP_BDAT; /* nobody knows how much follows it */
        break;
    case SMTP_BAD_PATH:
        session_error(s, "501 5.1.%d That is not an address. Syntax: %s", is_sender ? 7 : 3,
                      VERBS[c->verb].usage);
        break;
    case SMTP_BAD_PARAMETER:
        session_error(s, "501 5.5.4 %.*s has a bad value, or comes twice", STR_ARGS(c->culprit));
        break;
    case SMTP_UNKNOWN_PARAMETER:
        session_error(s, "555 5.5.4 %.*s is not known here", STR_ARGS(c->culprit));
        break;
    case SMTP_NEEDS_UTF8:
        session_error(s, "553 5.6.7 An address beyond ASCII needs the parameter SMTPUTF8");
        break;
    default: session_error(s, "500 5.5.1 No such command; HELP names them"); break;
    }
}

static void execute(struct session *s, struct str line)
{
    struct smtp_command c;
    enum smtp_fault fault = smtp_parse(line, extension_offered(s), &s->command, &c);
    if (fault != SMTP_GOOD) {
        if (fault != SMTP_NO_SUCH_VERB || guard_takes_for_smtp(s, line))
            answer_fault(s, fault, &c);
        return;
    }
    const struct verb *v = &VERBS[c.verb];
    if (!guard_is_in_step(s, v->is_last))
        return;
    if (v->is_idling && ++s->idling > SMTP_IDLING_MAX)
        session_goodbye(s, "421 4.7.0 Too many commands that send no mail");
    else if (v->needs_hello && s->helo[0] == '\0')
        session_error(s, "503 5.5.1 Say %s first", session_is_lmtp(s) ? "LHLO" : "EHLO");
    else
        v->act(s, &c);
}

/* Waits until there is something to read. A transaction under way is finished even when the process is to
 * stop. */
static bool await_command(struct session *s)
{
    static const char STOPPING[] = "421 4.3.2 The server is being stopped; try again later";
    bool may_stop = !s->transaction.is_open;
    enum stream_result r = STREAM_OK;
    if (may_stop && atomic_load_explicit(&s->server->is_stopping, memory_order_relaxed))
        r = STREAM_WOKEN;
    else if (stream_buffered(&s->stream).n == 0)
        r = stream_wait(&s->stream, may_stop ? s->server->stop_fd : -1, guard_patience(s));
    switch (r) {
    case STREAM_OK: return true;
    case STREAM_WOKEN: session_goodbye(s, STOPPING); break;
    case STREAM_TIMEOUT: session_goodbye(s, "421 4.4.2 Nothing heard for too long"); break;
    default: s->is_over = true;
    }
    return false;
}

static void serve_command(struct session *s)
{
    struct str line;
    bool bare_lf;
    arena_reset(&s->command);
    if (!await_command(s) || !guard_hears_smtp(s))
        return;
    switch (stream_read_line(&s->stream, SMTP_LINE_MAX, deadline_in(SMTP_COMMAND_MS), &line, &bare_lf)) {
    case STREAM_OK:
        if (bare_lf)
            session_error(s, "500 5.5.2 The line ends in LF without CR");
        else
            execute(s, line);
        break;
    case STREAM_TOO_LONG:
        session_error(s, "500 5.5.2 The line is longer than %d bytes", SMTP_LINE_MAX);
        if (stream_skip_line(&s->stream, deadline_in(SMTP_COMMAND_MS)) != STREAM_OK)
            s->is_over = true;
        break;
    case STREAM_TIMEOUT: session_goodbye(s, "421 4.4.2 The end of the command did not come"); break;
    default: s->is_over = true;
    }
}

void session_run(struct smtp_server *server, const struct config *config, const struct connection *c,
                 int gate_channel)
{
    struct session s = {.server = server, .config = config, .connection = *c, .gate_channel = gate_channel};
    listen_to(&s);
    session_forget_transaction(&s);
    LOG_DEBUG("smtp.connected", F_C("peer", c->peer), F_C("service", service_name(c->service)));
    guard_begin(&s);
    if (session_is_local(&s))
        local_begin(&s);
    if (guard_awaits_greeting(&s))
        session_greet(&s);
    while (!s.is_over)
        serve_command(&s);
    guard_end(&s);
    stream_hang_up(&s.stream, deadline_in(SMTP_FAREWELL_MS));
    LOG_DEBUG("smtp.closed", F_C("peer", c->peer), F_INT("received", s.stream.received),
              F_INT("sent", s.stream.sent));
    session_forget_transaction(&s);
    arena_free(&s.command);
    arena_free(&s.transaction.arena);
}
