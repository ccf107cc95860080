#include "imap_fixture.h"

#include "check.h"
#include "engine.h"
#include "imap_messages.h"
#include "mailbox/schema.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- the server's side --- */

static void *serve(void *host)
{
    imap_session_run(host);
    stream_close(&((struct account_session *)host)->stream);
    return NULL;
}

static void open_session(struct imap_fixture *f, struct imap_client *c)
{
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    stream_open(&c->stream, fds[0], STR(""));
    c->host = (struct account_session){
        .config = &f->config,
        .store = f->store,
        .address = STR("ana@example.test"),
        .user = c->user,
        .account = 1,
        .tag = STR("L"),
        .wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
        .stopping = &f->stopping,
    };
    stream_open(&c->host.stream, fds[1], STR(""));
    store_watch(f->store, c->host.wake_fd);
    assert_int_equal(pthread_create(&c->thread, NULL, serve, &c->host), 0);
    c->is_open = true;
}

static void close_session(struct imap_fixture *f, struct imap_client *c)
{
    if (!c->is_open)
        return;
    stream_close(&c->stream);
    pthread_join(c->thread, NULL);
    store_unwatch(f->store, c->host.wake_fd);
    close(c->host.wake_fd);
    c->is_open = false;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

void imap_open_fixture(struct imap_fixture *f)
{
    *f = (struct imap_fixture){
        .config = {.hostname = STR("mail.example"), .message_size_max = IMAP_MESSAGE_SIZE}};
    snprintf(f->dir, sizeof f->dir, "/tmp/golub-imap-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    struct err e = ERR_INIT;
    static unsigned accounts; /* in this program's database, if that is in PostgreSQL */
    char owner[24];
    f->account = ++accounts;
    snprintf(owner, sizeof owner, "%u", f->account);
    struct sql_source source = engine_source(&MAIL_SCHEMA, NULL, owner);
    f->store = engine() == ENGINE_SQLITE ? store_open(f->dir, &e) : store_open_at(&source, &e);
    if (!f->store)
        fail_msg("%s", e.text);
}

struct sql *imap_open_sql(struct imap_fixture *f)
{
    char path[100], owner[24];
    struct err e = ERR_INIT;
    snprintf(path, sizeof path, "%s/mail.db", f->dir);
    snprintf(owner, sizeof owner, "%u", f->account);
    struct sql_source source = engine_beside(path, owner);
    struct sql *db = sql_open_at(&source, &MAIL_SCHEMA, true, &e);
    if (!db)
        fail_msg("%s", e.text);
    return db;
}

void imap_close_fixture(struct imap_fixture *f)
{
    for (size_t i = 0; i < IMAP_SESSIONS_MAX; i++)
        close_session(f, &f->clients[i]);
    store_close(f->store);
    nftw(f->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Into INBOX, received on 17-Jul-1996 02:44:25 -0700 as in the RFC's examples. */
void imap_deliver(struct imap_fixture *f, struct str message)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct err e = ERR_INIT;
    struct mailbox inbox;
    assert_int_equal(store_mailbox_find(f->store, STR("INBOX"), &a, &inbox, &e), STORE_OK);
    struct store_append item = {
        .mailbox = inbox.id, .bytes = message, .keywords = STR(""), .received = 837596665, .zone = -7 * 60};
    assert_int_equal(store_append(f->store, &item, 1, &e), STORE_OK);
    assert_int_equal(item.result, STORE_OK);
}

/* --- the client's side --- */

bool imap_matches(struct str line, const char *pattern)
{
    for (; *pattern; pattern++) {
        if (strcmp(pattern, "...") == 0)
            return true;
        if (*pattern == '~') {
            while (line.n > 0 && *line.p != ' ' && *line.p != pattern[1])
                line = str_from_offset(line, 1);
            continue;
        }
        if (line.n == 0 || *line.p != *pattern)
            return false;
        line = str_from_offset(line, 1);
    }
    return line.n == 0;
}

struct str imap_read_answer(struct imap_client *c)
{
    struct str line;
    bool bare_lf;
    enum stream_result r = stream_read_line(&c->stream, 1 << 20, deadline_in(IMAP_WAIT_MS), &line, &bare_lf);
    if (r == STREAM_EOF || r == STREAM_ERROR) /* ECONNRESET: it had not read all that we sent */
        return STR("<closed>");
    return r == STREAM_OK ? line : STR("<silence>");
}

void imap_send_line(struct imap_client *c, const char *line)
{
    stream_writef(&c->stream, "%s\r\n", line);
    stream_flush(&c->stream, deadline_in(IMAP_WAIT_MS)); /* EPIPE shows in the next answer */
}

/* A client's line, with the UIDVALIDITY that was told last. */
static void send_script_line(struct imap_fixture *f, struct imap_client *c, const char *text)
{
    static const char NAME[] = "$UIDVALIDITY";
    const char *at = strstr(text, NAME);
    if (at)
        stream_writef(&c->stream, "%.*s%u%s\r\n", (int)(at - text), text, f->uidvalidity,
                      at + sizeof NAME - 1);
    else
        stream_writef(&c->stream, "%s\r\n", text);
    stream_flush(&c->stream, deadline_in(IMAP_WAIT_MS)); /* EPIPE shows in the next answer */
}

static struct str read_script_line(struct imap_fixture *f, struct imap_client *c)
{
    static const struct str CODE = STR_INIT("[UIDVALIDITY ");
    struct str line = imap_read_answer(c);
    size_t at = str_find(line, CODE);
    struct str rest = str_from_offset(line, at == STR_NONE ? line.n : at + CODE.n), number;
    if (str_cut(&rest, ']', &number))
        assert_true(str_to_u32(number, &f->uidvalidity));
    return line;
}

void imap_run_line(struct imap_fixture *f, const char *name, const char *line)
{
    char side = line[0];
    bool is_numbered = ascii_is_digit(line[1]);
    struct imap_client *c = &f->clients[is_numbered ? line[1] - '1' : 0];
    bool skips = line[is_numbered ? 2 : 1] == '>';
    const char *text = line + (is_numbered ? 4 : 3);
    if (side == 'U') {
        c->user = str_from_c(text);
        return;
    }
    if (!c->is_open) {
        open_session(f, c);
        struct str greeting = imap_read_answer(c);
        if (!imap_matches(greeting, "L OK [CAPABILITY IMAP4rev1 ..."))
            fail_msg("%s: %.*s", name, STR_ARGS(greeting));
    }
    if (side == 'C') {
        send_script_line(f, c, text);
        return;
    }
    struct str got = read_script_line(f, c);
    while (skips && !imap_matches(got, text) && str_starts(got, STR("* ")))
        got = read_script_line(f, c);
    if (!imap_matches(got, text))
        fail_msg("%s: expected \"%s\", got \"%.*s\"", name, text, STR_ARGS(got));
}

void imap_run_script(const struct imap_script *s)
{
    struct imap_fixture f;
    imap_open_fixture(&f);
    for (unsigned i = 0; i < s->messages; i++)
        imap_deliver(&f, i % 2 ? MESSAGE_NESTED : MESSAGE_PLAIN);
    for (size_t i = 0; s->lines[i]; i++)
        imap_run_line(&f, s->name, s->lines[i]);
    imap_close_fixture(&f);
}
