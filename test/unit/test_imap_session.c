/* Whole sessions over a socket pair and a real store, as scripts by section of RFC 3501: what the client
 * sends, what the server must answer.
 *
 *   C: line      sent with CRLF          C2: the same on a second session
 *   S: line      must come next          S2:
 *                ~ matches a run without spaces, ... at the end anything
 */
#include "account/session.h"
#include "base/mem.h"

#include "check.h"
#include "imap_messages.h"

#include <ftw.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define COUNT(table)      (sizeof(table) / sizeof *(table))
#define SESSIONS_MAX      2
#define TEST_MESSAGE_SIZE 100000 /* message_size_max of these tests */
#define TEST_WAIT_MS      20000  /* a server that says nothing this long is stuck */

struct client {
    struct stream stream;
    struct account_session host;
    pthread_t thread;
    bool is_open;
};

struct fixture {
    char dir[64];
    struct store *store;
    struct config config;
    atomic_bool stopping;
    struct client clients[SESSIONS_MAX];
};

/* --- the server's side --- */

static void *serve(void *host)
{
    imap_session_run(host);
    stream_close(&((struct account_session *)host)->stream);
    return NULL;
}

static void open_session(struct fixture *f, struct client *c)
{
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    stream_open(&c->stream, fds[0], STR(""));
    c->host = (struct account_session){
        .config = &f->config,
        .store = f->store,
        .address = STR("ana@example.test"),
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

static void close_session(struct fixture *f, struct client *c)
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

static void open_fixture(struct fixture *f)
{
    *f = (struct fixture){.config.message_size_max = TEST_MESSAGE_SIZE};
    snprintf(f->dir, sizeof f->dir, "/tmp/golub-imap-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    struct err e = ERR_INIT;
    f->store = store_open(f->dir, &e);
    if (!f->store)
        fail_msg("%s", e.text);
}

static void close_fixture(struct fixture *f)
{
    for (size_t i = 0; i < SESSIONS_MAX; i++)
        close_session(f, &f->clients[i]);
    store_close(f->store);
    nftw(f->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Into INBOX, received on 17-Jul-1996 02:44:25 -0700 as in the RFC's examples. */
static void deliver(struct fixture *f, struct str message)
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

static bool matches(struct str line, const char *pattern)
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

static struct str read_answer(struct client *c)
{
    struct str line;
    bool bare_lf;
    enum stream_result r = stream_read_line(&c->stream, 1 << 20, deadline_in(TEST_WAIT_MS), &line, &bare_lf);
    if (r == STREAM_EOF || r == STREAM_ERROR) /* ECONNRESET: it had not read all that we sent */
        return STR("<closed>");
    if (r != STREAM_OK)
        fail_msg("no answer: %d", (int)r);
    return line;
}

static void send_line(struct client *c, const char *line)
{
    stream_writef(&c->stream, "%s\r\n", line);
    stream_flush(&c->stream, deadline_in(TEST_WAIT_MS)); /* EPIPE shows in the next answer */
}

static void run_line(struct fixture *f, const char *name, const char *line)
{
    char side = line[0];
    bool second = line[1] == '2';
    struct client *c = &f->clients[second];
    const char *text = line + (second ? 4 : 3);
    if (!c->is_open) {
        open_session(f, c);
        struct str greeting = read_answer(c);
        if (!matches(greeting, "L OK [CAPABILITY IMAP4rev1 ..."))
            fail_msg("%s: %.*s", name, STR_ARGS(greeting));
    }
    if (side == 'C') {
        send_line(c, text);
        return;
    }
    struct str got = read_answer(c);
    if (!matches(got, text))
        fail_msg("%s: expected \"%s\", got \"%.*s\"", name, text, STR_ARGS(got));
}

struct script {
    const char *name;
    unsigned messages; /* in INBOX before: of imap_messages.h, in turn */
    const char *lines[80];
};

static void run_script(const struct script *s)
{
    struct fixture f;
    open_fixture(&f);
    for (unsigned i = 0; i < s->messages; i++)
        deliver(&f, i % 2 ? MESSAGE_NESTED : MESSAGE_PLAIN);
    for (size_t i = 0; s->lines[i]; i++)
        run_line(&f, s->name, s->lines[i]);
    close_fixture(&f);
}

#include "imap_scripts.h"

static void scripts_by_section(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(SCRIPTS); i++)
        run_script(&SCRIPTS[i]);
}

/* --- what a table cannot say --- */

static void append_refuses_and_stays_in_step(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f);
    struct client *c = &f.clients[0];
    run_line(&f, "append", "C: a NOOP");
    run_line(&f, "append", "S: a OK ...");
    /* too large, without being asked for: dropped, and the next command is found */
    static char big[TEST_MESSAGE_SIZE + 1];
    memset(big, 'x', sizeof big);
    stream_writef(&c->stream, "b APPEND INBOX {%zu+}\r\n", sizeof big);
    stream_write(&c->stream, str_from(big, sizeof big));
    stream_write(&c->stream, STR("\r\nc APPEND INBOX {3+}\r\na\0b\r\nd NOOP\r\n"));
    stream_flush(&c->stream, deadline_in(TEST_WAIT_MS));
    run_line(&f, "append", "S: b NO [TOOBIG] ...");
    run_line(&f, "append", "S: c NO [CANNOT] ...");
    run_line(&f, "append", "S: d OK ...");
    close_fixture(&f);
}

/* A body of many pieces comes back byte for byte, whole and in parts. */
static void large_bodies_come_back(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f);
    size_t n = 3 * 1024 * 1024 + 17;
    CLEAN_FREE char *body = mem_new(n, 1);
    unsigned random = 1;
    memcpy(body, "Subject: large\r\n\r\n", 18);
    for (size_t i = 18; i < n; i++) {
        random = random * 1103515245 + 12345;
        body[i] = (char)(' ' + (random >> 16) % 90);
    }
    deliver(&f, str_from(body, n));
    struct client *c = &f.clients[0];
    run_line(&f, "large", "C: a SELECT INBOX");
    while (!matches(read_answer(c), "a OK ..."))
        ;
    static const struct {
        size_t from, length;
    } PARTS[] = {{0, SIZE_MAX}, {0, 10}, {262140, 10}, {262144, 262144}, {3145700, 1000}, {9999999, 5}};
    for (size_t i = 0; i < COUNT(PARTS); i++) {
        size_t from = PARTS[i].from < n ? PARTS[i].from : n;
        size_t want = PARTS[i].length < n - from ? PARTS[i].length : n - from;
        char label[64] = "";
        if (PARTS[i].length != SIZE_MAX)
            snprintf(label, sizeof label, "<%zu>", PARTS[i].from);
        if (PARTS[i].length == SIZE_MAX)
            send_line(c, "b FETCH 1 BODY.PEEK[]");
        else
            stream_writef(&c->stream, "b FETCH 1 BODY.PEEK[]<%zu.%zu>\r\n", PARTS[i].from, PARTS[i].length);
        stream_flush(&c->stream, deadline_in(TEST_WAIT_MS));
        char expected[128];
        snprintf(expected, sizeof expected, "* 1 FETCH (BODY[]%s {%zu}", label, want);
        struct str line = read_answer(c);
        if (!matches(line, expected))
            fail_msg("expected %s, got %.*s", expected, STR_ARGS(line));
        for (size_t got = 0; got < want;) {
            struct str bytes;
            assert_int_equal(stream_peek(&c->stream, deadline_in(TEST_WAIT_MS), &bytes), STREAM_OK);
            bytes = str_slice(bytes, 0, want - got);
            assert_memory_equal(bytes.p, body + from + got, bytes.n);
            got += bytes.n;
            stream_take(&c->stream, bytes.n);
        }
        assert_true(matches(read_answer(c), ")"));
        assert_true(matches(read_answer(c), "b OK ..."));
    }
    close_fixture(&f);
}

static void lines_that_are_too_long_end_the_session(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f);
    run_line(&f, "long", "C: a NOOP");
    run_line(&f, "long", "S: a OK ...");
    static char line[100000];
    memset(line, 'x', sizeof line);
    stream_write(&f.clients[0].stream, str_from(line, sizeof line));
    stream_flush(&f.clients[0].stream, deadline_in(TEST_WAIT_MS));
    run_line(&f, "long", "S: * BYE ...");
    run_line(&f, "long", "S: <closed>");
    close_fixture(&f);
}

static void stopping_says_goodbye(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f);
    run_line(&f, "stop", "C: a IDLE");
    run_line(&f, "stop", "S: + ...");
    run_line(&f, "stop", "C2: a NOOP");
    run_line(&f, "stop", "S2: a OK ...");
    atomic_store(&f.stopping, true);
    for (size_t i = 0; i < SESSIONS_MAX; i++)
        eventfd_write(f.clients[i].host.wake_fd, 1);
    run_line(&f, "stop", "S: * BYE ...");
    run_line(&f, "stop", "S2: * BYE ...");
    run_line(&f, "stop", "S: <closed>");
    run_line(&f, "stop", "S2: <closed>");
    close_fixture(&f);
}

/* What hundreds of commands at once are answered with is complete and in order. */
static void pipelined_commands_are_answered_in_order(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f);
    run_line(&f, "pipeline", "C: a NOOP");
    run_line(&f, "pipeline", "S: a OK ...");
    struct client *c = &f.clients[0];
    for (int i = 0; i < 500; i++)
        stream_writef(&c->stream, "t%d NOOP\r\n", i);
    stream_flush(&c->stream, deadline_in(TEST_WAIT_MS));
    for (int i = 0; i < 500; i++) {
        char expected[32];
        snprintf(expected, sizeof expected, "t%d OK ...", i);
        assert_true(matches(read_answer(c), expected));
    }
    close_fixture(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scripts_by_section),     cmocka_unit_test(append_refuses_and_stays_in_step),
        cmocka_unit_test(large_bodies_come_back), cmocka_unit_test(lines_that_are_too_long_end_the_session),
        cmocka_unit_test(stopping_says_goodbye),  cmocka_unit_test(pipelined_commands_are_answered_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
