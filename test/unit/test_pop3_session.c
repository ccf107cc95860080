/* A POP3 session over a real store, as a client sees it. */
#include "account/session.h"
#include "check.h"
#include "folder.h"

#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

struct here {
    struct folder folder;
    struct config config;
    struct store *store;
    int64_t inbox;
    /* the session under way */
    struct account_session session;
    atomic_bool stopping;
    bool locked;
    pthread_t thread;
    struct stream client;
};

static int make(void **state)
{
    struct here *h = calloc(1, sizeof *h);
    struct err e = ERR_INIT;
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct mailbox inbox;
    folder_make(&h->folder);
    h->store = store_open(h->folder.path, &e);
    if (!h->store || store_mailbox_find(h->store, STR("INBOX"), &a, &inbox, &e) != STORE_OK)
        fail_msg("%s", e.text);
    h->inbox = inbox.id;
    *state = h;
    return 0;
}

static int clear(void **state)
{
    struct here *h = *state;
    store_close(h->store);
    folder_remove(&h->folder);
    free(h);
    return 0;
}

static uint32_t add(struct here *h, struct str message)
{
    struct err e = ERR_INIT;
    struct store_append item = {.mailbox = h->inbox, .bytes = message, .received = 1700000000};
    if (store_append(h->store, &item, 1, &e) != STORE_OK || item.result != STORE_OK)
        fail_msg("%s %s", e.text, item.err.text);
    return item.uid;
}

static void *run(void *context)
{
    struct here *h = context;
    pop3_session_run(&h->session);
    stream_flush(&h->session.stream, deadline_in(5000));
    stream_close(&h->session.stream);
    return NULL;
}

static void begin(struct here *h)
{
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    h->session = (struct account_session){.store = h->store,
                                          .config = &h->config,
                                          .address = STR("ana@example.org"),
                                          .wake_fd = eventfd(0, EFD_NONBLOCK),
                                          .stopping = &h->stopping,
                                          .pop3_locked = &h->locked};
    stream_open(&h->session.stream, ends[0], STR(""));
    stream_open(&h->client, ends[1], STR(""));
    store_watch(h->store, h->session.wake_fd);
    assert_int_equal(pthread_create(&h->thread, NULL, run, h), 0);
}

static void end(struct here *h)
{
    stream_close(&h->client);
    pthread_join(h->thread, NULL);
    store_unwatch(h->store, h->session.wake_fd);
    close(h->session.wake_fd);
}

static void say(struct here *h, const char *text)
{
    stream_write(&h->client, str_from_c(text));
}

/* The next line must begin so; returns it. */
static struct str hear(struct here *h, const char *start)
{
    struct str line = STR("");
    bool bare_lf;
    enum stream_result r = stream_read_line(&h->client, 100000, deadline_in(10000), &line, &bare_lf);
    if (r != STREAM_OK || bare_lf || !str_starts(line, str_from_c(start)))
        fail_msg("waited for '%s', got %d '%.*s'", start, r, STR_ARGS(line));
    return line;
}

/* What RETR and TOP send after +OK, with its dots removed, up to the final dot. */
static struct str hear_message(struct here *h, struct buf *to)
{
    buf_reset(to);
    for (;;) {
        struct str line;
        bool bare_lf;
        assert_int_equal(stream_read_line(&h->client, 10000000, deadline_in(10000), &line, &bare_lf),
                         STREAM_OK);
        if (str_eq(line, STR(".")) && !bare_lf)
            return buf_str(to);
        buf_add(to, str_from_offset(line, str_starts(line, STR("."))));
        buf_add(to, bare_lf ? STR("\n") : STR("\r\n"));
    }
}

static void expect_message(struct here *h, const char *command, struct str wanted)
{
    CLEAN_BUF struct buf got;
    buf_init(&got, BUF_MAX_DEFAULT);
    say(h, command);
    hear(h, "+OK");
    struct str message = hear_message(h, &got);
    if (!str_eq(message, wanted))
        fail_msg("%s: %zu bytes '%.300s', wanted %zu", command, message.n, message.p, wanted.n);
}

#define FIRST  "Subject: one\r\nFrom: a@b\r\n\r\nline 1\r\n.dot\r\n..\r\n.\r\nline 5\r\n"
#define SECOND "Subject: no end\r\n\r\nlast line"

static void lists_and_reads(void **state)
{
    struct here *h = *state;
    uint32_t first = add(h, STR(FIRST)), second = add(h, STR(SECOND));
    char text[100];
    begin(h);
    hear(h, "+OK Logged in, 2 messages");
    say(h, "STAT\r\n");
    snprintf(text, sizeof text, "+OK 2 %zu", sizeof FIRST + sizeof SECOND - 2);
    assert_true(str_eq(hear(h, ""), str_from_c(text)));
    say(h, "LIST\r\nLIST 2\r\nLIST 3\r\nUIDL 1\r\n"); /* pipelined */
    hear(h, "+OK 2 messages");
    hear(h, "1 ");
    hear(h, "2 ");
    assert_true(str_eq(hear(h, ""), STR(".")));
    snprintf(text, sizeof text, "+OK 2 %zu", sizeof SECOND - 1);
    assert_true(str_eq(hear(h, ""), str_from_c(text)));
    hear(h, "-ERR");
    struct str uid = hear(h, "+OK 1 ");
    snprintf(text, sizeof text, ".%u", first);
    assert_true(str_ends(uid, str_from_c(text)));
    say(h, "UIDL\r\n");
    hear(h, "+OK");
    hear(h, "1 ");
    snprintf(text, sizeof text, ".%u", second);
    assert_true(str_ends(hear(h, "2 "), str_from_c(text)));
    hear(h, ".");
    expect_message(h, "RETR 1\r\n", STR(FIRST));
    expect_message(h, "RETR 2\r\n", STR(SECOND "\r\n"));
    expect_message(h, "TOP 1 0\r\n", STR("Subject: one\r\nFrom: a@b\r\n\r\n"));
    expect_message(h, "TOP 1 2\r\n", STR("Subject: one\r\nFrom: a@b\r\n\r\nline 1\r\n.dot\r\n"));
    expect_message(h, "TOP 1 100\r\n", STR(FIRST));
    say(h, "CAPA\r\n");
    hear(h, "+OK");
    hear(h, "TOP");
    while (!str_eq(hear(h, ""), STR("."))) {
    }
    say(h, "QUIT\r\n");
    hear(h, "+OK 0 messages deleted");
    end(h);
}

static void deletes_at_quit_only(void **state)
{
    struct here *h = *state;
    for (int i = 0; i < 4; i++)
        add(h, STR(FIRST));
    begin(h);
    hear(h, "+OK Logged in, 4 messages");
    say(h, "DELE 1\r\nDELE 1\r\nSTAT\r\nRETR 1\r\nRSET\r\nSTAT\r\nDELE 4\r\n");
    hear(h, "+OK");
    hear(h, "-ERR Message 1 is deleted");
    hear(h, "+OK 3 ");
    hear(h, "-ERR");
    hear(h, "+OK");
    hear(h, "+OK 4 ");
    hear(h, "+OK");
    end(h); /* without QUIT: nothing is deleted */
    begin(h);
    hear(h, "+OK Logged in, 4 messages");
    add(h, STR(SECOND)); /* arrives now: not in this session */
    say(h, "DELE 2\r\nDELE 4\r\nDELE 5\r\nLIST\r\nQUIT\r\n");
    hear(h, "+OK");
    hear(h, "+OK");
    hear(h, "-ERR No such message");
    hear(h, "+OK 2 messages");
    hear(h, "1 ");
    hear(h, "3 ");
    hear(h, ".");
    hear(h, "+OK 2 messages deleted");
    end(h);
    begin(h);
    hear(h, "+OK Logged in, 3 messages");
    end(h);
}

static void a_large_message_comes_back_whole(void **state)
{
    struct here *h = *state;
    CLEAN_BUF struct buf big;
    buf_init(&big, BUF_MAX_DEFAULT);
    buf_add(&big, STR("Subject: big\r\n\r\n"));
    for (unsigned i = 0; big.n < 3 * BODY_CHUNK; i++) { /* lines whose starts fall on every place */
        buf_addf(&big, ".%0*u", (int)(i % 61), i);
        buf_add(&big, STR("\r\n"));
    }
    add(h, buf_str(&big));
    begin(h);
    hear(h, "+OK");
    expect_message(h, "RETR 1\r\n", buf_str(&big));
    end(h);
}

/* Not one byte of these is as it should be, and the end must still be seen. */
static void strange_messages_end_well(void **state)
{
    struct here *h = *state;
    static const struct str IN[] = {STR_INIT("\r\n"), STR_INIT("."), STR_INIT("Subject: bare\n\n.\nx\n.\n"),
                                    STR_INIT("no header\r\n.\r"), STR_INIT("\n.\r\n.\n\n")};
    static const struct str OUT[] = {STR_INIT("\r\n"), STR_INIT(".\r\n"),
                                     STR_INIT("Subject: bare\n\n.\nx\n.\n\r\n"),
                                     STR_INIT("no header\r\n.\r\r\n"), STR_INIT("\n.\r\n.\n\n\r\n")};
    for (size_t i = 0; i < sizeof IN / sizeof *IN; i++)
        add(h, IN[i]);
    begin(h);
    hear(h, "+OK");
    for (size_t i = 0; i < sizeof IN / sizeof *IN; i++) {
        char command[20];
        snprintf(command, sizeof command, "RETR %zu\r\n", i + 1);
        expect_message(h, command, OUT[i]);
    }
    expect_message(h, "TOP 3 2\r\n", STR("Subject: bare\n\n.\nx\n\r\n"));
    end(h);
}

static void another_client_deletes(void **state)
{
    struct here *h = *state;
    uint32_t uid = add(h, STR(FIRST)), *gone;
    size_t n;
    struct err e = ERR_INIT;
    CLEAN_ARENA struct arena a = ARENA_INIT;
    begin(h);
    hear(h, "+OK Logged in, 1 messages");
    assert_int_equal(store_expunge(h->store, h->inbox, &uid, 1, true, &a, &gone, &n, &e), STORE_OK);
    say(h, "RETR 1\r\nNOOP\r\nDELE 1\r\nQUIT\r\n");
    hear(h, "-ERR Another client");
    hear(h, "+OK");
    hear(h, "+OK");
    hear(h, "+OK");
    end(h);
}

/* One after the other (read ahead, in batches of rows), from the end, the next one deleted meanwhile: always
 * the message that was asked for. */
static void in_any_order(void **state)
{
    struct here *h = *state;
    enum { MESSAGES = 150 };
    uint32_t uids[MESSAGES], *gone;
    size_t n;
    char command[20], text[100];
    struct err e = ERR_INIT;
    CLEAN_ARENA struct arena a = ARENA_INIT;
    for (unsigned i = 1; i <= MESSAGES; i++) {
        snprintf(text, sizeof text, "Subject: %u\r\n\r\nbody of %u\r\n", i, i);
        uids[i - 1] = add(h, str_from_c(text));
    }
    begin(h);
    hear(h, "+OK Logged in, 150 messages");
    for (unsigned k = 0; k < 2 * MESSAGES; k++) {
        unsigned i = k < MESSAGES ? k + 1 : 2 * MESSAGES - k;
        if (i == 77 && k < MESSAGES) /* while the row of it may have been read already */
            assert_int_equal(store_expunge(h->store, h->inbox, &uids[99], 1, true, &a, &gone, &n, &e),
                             STORE_OK);
        if (i == 100)
            continue;
        snprintf(command, sizeof command, "RETR %u\r\n", i);
        snprintf(text, sizeof text, "Subject: %u\r\n\r\nbody of %u\r\n", i, i);
        expect_message(h, command, str_from_c(text));
    }
    expect_message(h, "TOP 5 0\r\n", STR("Subject: 5\r\n\r\n"));
    say(h, "DELE 6\r\n");
    hear(h, "+OK");
    say(h, "RETR 6\r\n");
    hear(h, "-ERR Message 6 is deleted");
    expect_message(h, "RETR 7\r\n", STR("Subject: 7\r\n\r\nbody of 7\r\n"));
    usleep(1200 * 1000); /* long enough for what was read ahead to be forgotten */
    expect_message(h, "RETR 8\r\n", STR("Subject: 8\r\n\r\nbody of 8\r\n"));
    expect_message(h, "RETR 150\r\n", STR("Subject: 150\r\n\r\nbody of 150\r\n"));
    say(h, "RSET\r\nDELE 150\r\nQUIT\r\n");
    hear(h, "+OK 150 messages");
    hear(h, "+OK");
    hear(h, "+OK 1 messages deleted");
    end(h);
}

/* The answer to UIDL, line by line, without the message numbers; sorted as it comes. */
static struct str hear_uidls(struct here *h, struct buf *to)
{
    buf_reset(to);
    begin(h);
    hear(h, "+OK");
    say(h, "UIDL\r\n");
    hear(h, "+OK");
    for (struct str line; !str_eq(line = hear(h, ""), STR("."));) {
        buf_add(to, str_from_offset(line, str_find_byte(line, ' ')));
        buf_add_byte(to, '\n');
    }
    say(h, "QUIT\r\n");
    hear(h, "+OK");
    end(h);
    return buf_str(to);
}

static void unique_ids_stay_for_ever(void **state)
{
    struct here *h = *state;
    CLEAN_BUF struct buf first, later;
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct mailbox archive;
    struct err e = ERR_INIT;
    uint32_t *from, *to, validity, uids[6], *gone;
    size_t n;
    buf_init(&first, 1000);
    buf_init(&later, 1000);
    for (int i = 0; i < 6; i++)
        uids[i] = add(h, STR(FIRST));
    hear_uidls(h, &first);
    /* INBOX's neighbours come, go and change their names; messages leave; the database is opened anew. */
    assert_int_equal(store_mailbox_rename(h->store, STR("Archive"), STR("Old"), &e), STORE_OK);
    assert_int_equal(store_mailbox_create(h->store, STR("Archive"), MAILBOX_NO_ROLE, &e), STORE_OK);
    assert_int_equal(store_mailbox_delete(h->store, STR("Old"), &e), STORE_OK);
    assert_int_equal(store_mailbox_find(h->store, STR("Archive"), &a, &archive, &e), STORE_OK);
    assert_int_equal(store_copy(h->store, h->inbox, &uids[5], 1, archive.id, true, NULL, &a, &from, &to, &n,
                                &validity, &e),
                     STORE_OK);
    assert_int_equal(store_expunge(h->store, h->inbox, &uids[0], 1, true, &a, &gone, &n, &e), STORE_OK);
    store_close(h->store);
    h->store = store_open(h->folder.path, &e);
    assert_non_null(h->store);
    struct str left = hear_uidls(h, &later);
    assert_int_equal(left.n * 6, first.n * 4);
    assert_true(str_eq(left, str_slice(buf_str(&first), left.n / 4, left.n)));
    /* What comes back, or comes new, has an id that was never there. */
    assert_int_equal(
        store_copy(h->store, archive.id, to, 1, h->inbox, true, NULL, &a, &from, &to, &n, &validity, &e),
        STORE_OK);
    assert_int_equal(store_mailbox_rename(h->store, STR("INBOX"), STR("Before"), &e), STORE_OK);
    uint32_t fresh = add(h, STR(SECOND));
    assert_true(fresh > to[0]);
    struct str one = hear_uidls(h, &later);
    assert_true(str_starts(one, str_slice(buf_str(&first), 0, str_find_byte(buf_str(&first), '.'))));
    assert_int_equal(str_find(buf_str(&first), one), STR_NONE);
}

static void is_told_when_it_cannot_begin_or_must_end(void **state)
{
    struct here *h = *state;
    h->locked = true;
    begin(h);
    hear(h, "-ERR [IN-USE]");
    end(h);
    h->locked = false;
    begin(h);
    hear(h, "+OK");
    say(h, "USER x\r\nNOPE\r\nNOOP\n");
    hear(h, "-ERR You are logged in already");
    hear(h, "-ERR unknown command");
    hear(h, "-ERR lines end in CRLF");
    atomic_store(&h->stopping, true);
    eventfd_write(h->session.wake_fd, 1);
    struct str line;
    assert_int_equal(stream_read_line(&h->client, 100, deadline_in(5000), &line, NULL), STREAM_EOF);
    end(h);
    atomic_store(&h->stopping, false);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, make, clear)
    const struct CMUnitTest tests[] = {
        TEST(lists_and_reads),
        TEST(deletes_at_quit_only),
        TEST(a_large_message_comes_back_whole),
        TEST(strange_messages_end_well),
        TEST(another_client_deletes),
        TEST(in_any_order),
        TEST(unique_ids_stay_for_ever),
        TEST(is_told_when_it_cannot_begin_or_must_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
