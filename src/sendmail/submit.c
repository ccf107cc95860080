#include "sendmail/submit.h"

#include "base/mem.h"
#include "base/stream.h"
#include "message/address.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#define REPLY_MS   (10 * 60 * 1000) /* RFC 5321 section 4.5.3.2.6; the server may wait for a busy mailbox */
#define LINE_MAX   ((size_t)4096)
#define PASS_BYTES 4096

int sendmail_connect(struct str path, struct err *e)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    if (path.n == 0 || path.n >= sizeof at.sun_path) {
        err_set(e, ERR_TEMPORARY, "there is no socket for local programs ([listen] submission_socket)");
        return -1;
    }
    memcpy(at.sun_path, path.p, path.n);
    CLEAN_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&at, sizeof at) < 0) {
        err_set(e, ERR_TEMPORARY, "%.*s: %s", STR_ARGS(path), strerror(errno));
        return -1;
    }
    int connected = fd;
    fd = -1;
    return connected;
}

bool sendmail_path(struct str local, struct str domain, struct arena *a, struct str *path)
{
    CLEAN_BUF struct buf out;
    buf_init(&out, LINE_MAX);
    if (local.n > 0)
        address_add(&out, local, domain);
    for (size_t i = 0; i < out.n; i++)
        if ((unsigned char)out.p[i] < ' ' || out.p[i] == 127 || out.p[i] == '>' || out.p[i] == '<')
            return false;
    *path = arena_copy(a, buf_str(&out));
    return !out.overflow && (local.n == 0 || domain.n > 0);
}

/* --- the conversation --- */

struct talk {
    struct stream stream;
    bool is_verbose, is_broken;
    bool eightbit, utf8, dsn; /* what EHLO offered */
    int code;
    char reply[512]; /* the last line of it */
};

static void note_extension(struct talk *t, struct str words)
{
    t->eightbit |= str_eq_nocase(words, STR("8BITMIME"));
    t->utf8 |= str_eq_nocase(words, STR("SMTPUTF8"));
    t->dsn |= str_eq_nocase(words, STR("DSN"));
}

/* Returns the code; 421 when the connection broke. */
static int hear(struct talk *t)
{
    struct str line;
    t->code = 421;
    snprintf(t->reply, sizeof t->reply, "421 the connection to the server broke");
    for (bool more = !t->is_broken; more;) {
        if (stream_read_line(&t->stream, LINE_MAX, deadline_in(REPLY_MS), &line, NULL) != STREAM_OK ||
            line.n < 3) {
            t->is_broken = true;
            return t->code;
        }
        if (t->is_verbose)
            fprintf(stderr, "%.*s\n", STR_ARGS(line));
        uint32_t code = 0;
        str_to_u32(str_slice(line, 0, 3), &code);
        more = line.n > 3 && line.p[3] == '-';
        note_extension(t, str_from_offset(line, 4));
        if (!more) {
            t->code = (int)code;
            snprintf(t->reply, sizeof t->reply, "%.*s", STR_ARGS(line));
        }
    }
    return t->code;
}

static int ask(struct talk *t, const struct buf *command)
{
    if (t->is_verbose)
        fprintf(stderr, ">>> %.*s", STR_ARGS(buf_str(command)));
    stream_write(&t->stream, buf_str(command));
    return hear(t);
}

static int ask_c(struct talk *t, const char *command)
{
    CLEAN_BUF struct buf line;
    buf_init(&line, LINE_MAX);
    buf_addf(&line, "%s\r\n", command);
    return ask(t, &line);
}

/* RFC 3461 section 4: what is no printable character, and + and =, as + and two digits. */
static void add_xtext(struct buf *out, const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c < '!' || c > '~' || c == '+' || c == '=')
            buf_addf(out, "+%02X", c);
        else
            buf_add_byte(out, (char)c);
    }
}

static bool is_ascii(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] > 127)
            return false;
    return true;
}

static bool needs_utf8(const struct sendmail_letter *l)
{
    bool ascii = is_ascii(l->sender);
    for (size_t i = 0; i < l->count; i++)
        ascii = ascii && is_ascii(l->recipients[i]);
    return !ascii;
}

static int say_mail(struct talk *t, const struct sendmail_letter *l)
{
    CLEAN_BUF struct buf line;
    buf_init(&line, LINE_MAX);
    buf_addf(&line, "MAIL FROM:<%.*s>", STR_ARGS(l->sender));
    if (l->is_8bit && t->eightbit)
        buf_add(&line, STR(" BODY=8BITMIME"));
    if (t->utf8 && needs_utf8(l))
        buf_add(&line, STR(" SMTPUTF8"));
    if (t->dsn && l->ret)
        buf_addf(&line, " RET=%s", l->ret);
    if (t->dsn && l->envelope_id && l->envelope_id[0]) {
        buf_add(&line, STR(" ENVID="));
        add_xtext(&line, l->envelope_id);
    }
    buf_add(&line, STR("\r\n"));
    return ask(t, &line);
}

static int say_rcpt(struct talk *t, const struct sendmail_letter *l, struct str to)
{
    CLEAN_BUF struct buf line;
    buf_init(&line, LINE_MAX);
    buf_addf(&line, "RCPT TO:<%.*s>", STR_ARGS(to));
    if (t->dsn && l->notify)
        buf_addf(&line, " NOTIFY=%s", l->notify);
    buf_add(&line, STR("\r\n"));
    return ask(t, &line);
}

/* RFC 5321 section 4.5.2. */
static int say_text(struct talk *t, struct str text)
{
    struct str line;
    while (text.n > 0) {
        str_cut(&text, '\n', &line);
        if (str_starts(line, STR(".")))
            stream_write(&t->stream, STR("."));
        stream_write(&t->stream, line);
        stream_write(&t->stream, STR("\n"));
    }
    stream_write(&t->stream, STR(".\r\n"));
    return hear(t);
}

/* An address that does not exist is told apart, as sysexits does. */
static enum sendmail_exit exit_of(const char *reply)
{
    struct str s = str_from_c(reply);
    struct str status = str_slice(s, 4, 5);
    if (!str_starts(s, STR("5")))
        return SENDMAIL_TEMPORARY;
    if (str_starts(status, STR("5.1.")))
        return SENDMAIL_NO_USER;
    return str_starts(status, STR("5.7.")) ? SENDMAIL_FORBIDDEN : SENDMAIL_UNAVAILABLE;
}

/* A letter on its way. */
struct sending {
    struct talk talk;
    struct sendmail_letter *letter;
    sendmail_refused_fn *refused;
    void *context;
    size_t accepted; /* recipients, which stand first */
    size_t pending;  /* those who may be tried again, which stand behind them */
};

static enum sendmail_exit refuse(struct sending *s, struct str recipient)
{
    s->refused(s->context, recipient, s->talk.reply);
    return exit_of(s->talk.reply);
}

static enum sendmail_exit name_recipients(struct sending *s)
{
    struct sendmail_letter *l = s->letter;
    enum sendmail_exit code = SENDMAIL_OK;
    for (size_t i = 0; i < l->count; i++) {
        struct str to = l->recipients[i], *pending = &l->recipients[s->accepted];
        if (say_rcpt(&s->talk, l, to) / 10 == 25) {
            l->recipients[s->accepted + s->pending] = pending[0];
            pending[0] = to;
            s->accepted++;
            continue;
        }
        enum sendmail_exit one = refuse(s, to);
        if (one == SENDMAIL_TEMPORARY)
            pending[s->pending++] = to;
        if (code == SENDMAIL_OK || one != SENDMAIL_TEMPORARY)
            code = one;
    }
    l->count = s->accepted + s->pending;
    return code;
}

/* Nobody has it: if that may change, all of them may be tried again. */
static enum sendmail_exit refuse_all(struct sending *s)
{
    enum sendmail_exit code = refuse(s, STR(""));
    if (code != SENDMAIL_TEMPORARY) {
        s->letter->recipients += s->accepted;
        s->letter->count = s->pending;
    }
    return code;
}

static enum sendmail_exit converse(struct sending *s)
{
    struct talk *t = &s->talk;
    if (hear(t) != 220 || ask_c(t, "EHLO localhost") != 250)
        return refuse(s, STR(""));
    if (say_mail(t, s->letter) != 250) {
        enum sendmail_exit code = refuse(s, STR(""));
        if (code != SENDMAIL_TEMPORARY)
            s->letter->count = 0;
        return code;
    }
    enum sendmail_exit code = name_recipients(s);
    if (s->accepted == 0)
        return code;
    if (ask_c(t, "DATA") != 354 || say_text(t, s->letter->text) != 250)
        return refuse_all(s);
    s->letter->recipients += s->accepted;
    s->letter->count = s->pending;
    ask_c(t, "QUIT");
    return code;
}

enum sendmail_exit sendmail_submit(int fd, struct sendmail_letter *l, sendmail_refused_fn *refused,
                                   void *context)
{
    struct sending s = {
        .talk = {.is_verbose = l->is_verbose}, .letter = l, .refused = refused, .context = context};
    stream_open(&s.talk.stream, fd, STR(""));
    enum sendmail_exit code = converse(&s);
    stream_close(&s.talk.stream);
    return code;
}

/* --- -bs --- */

static bool write_all(int fd, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t written = write(fd, p, n);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return false;
        p += written;
        n -= (size_t)written;
    }
    return true;
}

enum sendmail_exit sendmail_pass(int fd)
{
    struct pollfd p[2] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = fd, .events = POLLIN}};
    char bytes[PASS_BYTES];
    for (;;) {
        if (poll(p, 2, -1) < 0 && errno != EINTR)
            break;
        if (p[1].revents) {
            ssize_t n = read(fd, bytes, sizeof bytes);
            if (n <= 0 || !write_all(STDOUT_FILENO, bytes, (size_t)n))
                break;
        }
        if (p[0].revents) {
            ssize_t n = read(STDIN_FILENO, bytes, sizeof bytes);
            if (n > 0 && !write_all(fd, bytes, (size_t)n))
                break;
            if (n <= 0) { /* the answers to what was said still come */
                shutdown(fd, SHUT_WR);
                p[0].fd = -1;
            }
        }
    }
    close(fd);
    return SENDMAIL_OK;
}
