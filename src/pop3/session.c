/* POP3 after login (RFC 1939 sections 5 and 6): the transaction, and the update at QUIT. */
#include "account/session.h"
#include "base/log.h"
#include "pop3/maildrop.h"
#include "pop3/parse.h"

#include <sys/eventfd.h>

/* RFC 1939 section 3: an autologout timer of at least ten minutes. */
#define POP3_AUTOLOGOUT_MS (10 * 60 * (int64_t)1000)

struct pop3 {
    struct account_session *s;
    struct stream *stream;
    struct maildrop drop;
    size_t next; /* the message behind the one that was sent last; 0: none was */
    unsigned bad_commands;
    bool is_over;
};

static void say(struct pop3 *p, const char *line)
{
    stream_writef(p->stream, "%s\r\n", line);
}

/* --- commands --- */

/* The message that a command names, as its place in the maildrop; NO_MESSAGE: it has been told that there is
 * none. */
#define NO_MESSAGE SIZE_MAX
static size_t named(struct pop3 *p, const struct pop3_command *c)
{
    if (c->number == 0 || c->number > p->drop.n)
        stream_writef(p->stream, "-ERR No such message, there are %zu\r\n", p->drop.n);
    else if (maildrop_is_deleted(&p->drop, c->number - 1))
        stream_writef(p->stream, "-ERR Message %u is deleted\r\n", c->number);
    else
        return c->number - 1;
    return NO_MESSAGE;
}

static void write_size(struct pop3 *p, size_t i)
{
    stream_writef(p->stream, "%zu %u\r\n", i + 1, p->drop.v[i].size);
}

/* For ever (RFC 1939 section 7, UIDL): INBOX keeps its uidvalidity for its whole life, also when it is
 * renamed (its messages leave it then), and gives no uid twice. A message that leaves INBOX and comes back is
 * another. */
static void write_uid(struct pop3 *p, size_t i)
{
    stream_writef(p->stream, "%zu %u.%u\r\n", i + 1, p->drop.uidvalidity, p->drop.v[i].uid);
}

static void list_with(struct pop3 *p, const struct pop3_command *c, void (*write)(struct pop3 *p, size_t i))
{
    if (c->has_number) {
        size_t i = named(p, c);
        if (i != NO_MESSAGE) {
            stream_write(p->stream, STR("+OK "));
            write(p, i);
        }
        return;
    }
    stream_writef(p->stream, "+OK %zu messages (%llu octets)\r\n", p->drop.n - p->drop.deleted,
                  (unsigned long long)p->drop.size);
    for (size_t i = 0; i < p->drop.n; i++)
        if (!maildrop_is_deleted(&p->drop, i))
            write(p, i);
    say(p, ".");
}

static void do_capa(struct pop3 *p, const struct pop3_command *c)
{
    CLEAN_BUF struct buf text;
    (void)c;
    buf_init(&text, 1024);
    pop3_add_capabilities(&text, p->s->config, &(struct pop3_offer){.login = false});
    say(p, "+OK Capabilities follow");
    stream_write(p->stream, buf_str(&text));
}

static void do_dele(struct pop3 *p, const struct pop3_command *c)
{
    size_t i = named(p, c);
    if (i == NO_MESSAGE)
        return;
    maildrop_delete(&p->drop, i);
    stream_writef(p->stream, "+OK Message %u will be deleted at QUIT\r\n", c->number);
}

static void do_list(struct pop3 *p, const struct pop3_command *c)
{
    list_with(p, c, write_size);
}

static void do_lang(struct pop3 *p, const struct pop3_command *c)
{
    CLEAN_BUF struct buf text;
    buf_init(&text, 1024);
    pop3_answer_lang(c, &text);
    stream_write(p->stream, buf_str(&text));
}

static void do_noop(struct pop3 *p, const struct pop3_command *c)
{
    (void)c;
    say(p, "+OK");
}

static void do_quit(struct pop3 *p, const struct pop3_command *c)
{
    struct err e = ERR_INIT;
    (void)c;
    p->is_over = true;
    if (!maildrop_update(&p->drop, &e)) {
        LOG_ERROR("maildrop.update", F_STR("address", p->s->address), F_C("error", e.text));
        stream_writef(p->stream, "-ERR [%s] The messages could not be deleted; they are still there\r\n",
                      pop3_system_code(&e));
        return;
    }
    if (p->drop.deleted > 0)
        LOG_INFO("maildrop.update", F_STR("address", p->s->address), F_INT("deleted", p->drop.deleted));
    stream_writef(p->stream, "+OK %zu messages deleted, goodbye\r\n", p->drop.deleted);
}

static void explain(struct pop3 *p, size_t i, enum maildrop_sent sent, const struct err *e)
{
    if (e->kind != ERR_PERMANENT)
        LOG_ERROR("message.unreadable", F_STR("address", p->s->address), F_INT("uid", p->drop.v[i].uid),
                  F_C("error", e->text));
    if (sent == MAILDROP_BROKEN)
        p->is_over = true;
    else if (e->kind == ERR_PERMANENT)
        say(p, "-ERR Another client has deleted this message");
    else
        stream_writef(p->stream, "-ERR [%s] The message cannot be read now\r\n", pop3_system_code(e));
}

static void send_message(struct pop3 *p, const struct pop3_command *c, uint64_t lines)
{
    struct err e = ERR_INIT;
    size_t i = named(p, c);
    if (i == NO_MESSAGE)
        return;
    enum maildrop_sent sent = maildrop_send(&p->drop, i, lines, p->stream, &e);
    if (sent != MAILDROP_SENT) {
        explain(p, i, sent, &e);
        return;
    }
    if (p->next == 0) /* more will be asked for, at once */
        stream_wait_in_reads(p->stream);
    p->next = i + 1;
}

static void do_retr(struct pop3 *p, const struct pop3_command *c)
{
    send_message(p, c, MAILDROP_ALL_LINES);
}

static void do_top(struct pop3 *p, const struct pop3_command *c)
{
    send_message(p, c, c->lines);
}

static void do_rset(struct pop3 *p, const struct pop3_command *c)
{
    (void)c;
    maildrop_undelete_all(&p->drop);
    stream_writef(p->stream, "+OK %zu messages (%llu octets)\r\n", p->drop.n,
                  (unsigned long long)p->drop.size);
}

static void do_stat(struct pop3 *p, const struct pop3_command *c)
{
    (void)c;
    stream_writef(p->stream, "+OK %zu %llu\r\n", p->drop.n - p->drop.deleted,
                  (unsigned long long)p->drop.size);
}

static void do_uidl(struct pop3 *p, const struct pop3_command *c)
{
    list_with(p, c, write_uid);
}

static void do_too_late(struct pop3 *p, const struct pop3_command *c)
{
    (void)c;
    say(p, "-ERR You are logged in already");
}

static void (*const COMMANDS[])(struct pop3 *p, const struct pop3_command *c) = {
    [POP3_APOP] = do_too_late, [POP3_AUTH] = do_too_late, [POP3_CAPA] = do_capa, [POP3_LANG] = do_lang,
    [POP3_DELE] = do_dele,     [POP3_LIST] = do_list,     [POP3_NOOP] = do_noop, [POP3_PASS] = do_too_late,
    [POP3_QUIT] = do_quit,     [POP3_RETR] = do_retr,     [POP3_RSET] = do_rset, [POP3_STAT] = do_stat,
    [POP3_STLS] = do_too_late, [POP3_TOP] = do_top,       [POP3_UIDL] = do_uidl, [POP3_USER] = do_too_late,
    [POP3_UTF8] = do_too_late,
};

/* --- the session --- */

/* A client that has fetched a message asks for the next one within a round trip. One that has not after so
 * long is busy with something else, and what was read for it is forgotten. */
#define READ_AHEAD_MS 1000

static enum stream_result wait_until(struct pop3 *p, struct deadline d)
{
    enum stream_result r;
    while ((r = stream_wait(p->stream, p->s->wake_fd, d)) == STREAM_WOKEN) {
        eventfd_t ignored; /* new mail is for the next session; only the server's end concerns this one */
        eventfd_read(p->s->wake_fd, &ignored);
        if (atomic_load(p->s->stopping))
            break;
    }
    return r;
}

/* Waits for bytes from the client; false: the session ends. The answer is on its way before the next message
 * is read. */
static bool wait_for_client(struct pop3 *p, struct deadline d)
{
    if (p->next > 0 && p->next < p->drop.n && !maildrop_is_deleted(&p->drop, p->next)) {
        if (stream_flush(p->stream, d) != STREAM_OK)
            return false;
        maildrop_read_ahead(&p->drop, p->next);
    }
    enum stream_result r = wait_until(p, deadline_sooner(d, deadline_in(READ_AHEAD_MS)));
    if (r != STREAM_TIMEOUT)
        return r == STREAM_OK;
    maildrop_rest(&p->drop);
    p->next = 0;
    return wait_until(p, d) == STREAM_OK;
}

/* The next line; false: the session ends, without a word (section 3: after a timeout nothing is deleted). */
static bool next_line(struct pop3 *p, struct str *line, const char **problem)
{
    struct deadline d = deadline_in(POP3_AUTOLOGOUT_MS);
    bool bare_lf = false;
    *problem = NULL;
    if (atomic_load(p->s->stopping))
        return false;
    /* Answers to pipelined commands leave together: no wait, and no flush, while there is another one. */
    if (str_find_byte(stream_buffered(p->stream), '\n') == STR_NONE && !wait_for_client(p, d))
        return false;
    enum stream_result r = stream_read_line(p->stream, POP3_LINE_MAX, d, line, &bare_lf);
    if (r == STREAM_TOO_LONG) {
        *problem = "the line is too long";
        return stream_skip_line(p->stream, d) == STREAM_OK;
    }
    if (bare_lf)
        *problem = "lines end in CRLF";
    return r == STREAM_OK;
}

static void serve(struct pop3 *p)
{
    struct str line;
    const char *problem;
    while (!p->is_over && next_line(p, &line, &problem)) {
        struct pop3_command c;
        if (!problem && pop3_parse(line, &c, &problem)) {
            COMMANDS[c.verb](p, &c);
            p->bad_commands = 0;
            continue;
        }
        if (++p->bad_commands == POP3_BAD_COMMANDS_MAX) {
            say(p, "-ERR Too many lines that are no command");
            return;
        }
        stream_writef(p->stream, "-ERR %s\r\n", problem);
    }
}

void pop3_session_run(struct account_session *s)
{
    struct pop3 p = {.s = s, .stream = &s->stream};
    struct err e = ERR_INIT;
    if (*s->pop3_locked) {
        say(&p, "-ERR [IN-USE] Another POP3 session holds this maildrop");
        return;
    }
    if (!maildrop_load(&p.drop, s->store, &e)) {
        LOG_ERROR("maildrop.load", F_STR("address", s->address), F_C("error", e.text));
        stream_writef(p.stream, "-ERR [%s] The maildrop cannot be opened now\r\n", pop3_system_code(&e));
        return;
    }
    stream_wait_in_reads(p.stream); /* closed at the end, so nobody gets it after this session */
    stream_writef(p.stream, "+OK Logged in, %zu messages (%llu octets)\r\n", p.drop.n,
                  (unsigned long long)p.drop.size);
    serve(&p);
    LOG_INFO("pop3.closed", F_STR("address", s->address), F_C("peer", s->connection.peer),
             F_INT("received", s->stream.received), F_INT("sent", s->stream.sent));
    maildrop_free(&p.drop);
}
