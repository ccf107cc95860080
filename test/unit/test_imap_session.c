/* Whole sessions as scripts by section of RFC 3501, and what a script cannot say. */
#include "base/mem.h"

#include "check.h"
#include "imap_fixture.h"
#include "imap_messages.h"

#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>

#define COUNT(table) (sizeof(table) / sizeof *(table))

#include "imap_scripts.h"

static void scripts_by_section(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(SCRIPTS); i++)
        imap_run_script(&SCRIPTS[i]);
}

/* --- what a table cannot say --- */

static void append_refuses_and_stays_in_step(void **state)
{
    (void)state;
    struct imap_fixture f;
    imap_open_fixture(&f);
    struct imap_client *c = &f.clients[0];
    imap_run_line(&f, "append", "C: a NOOP");
    imap_run_line(&f, "append", "S: a OK ...");
    /* too large, without being asked for: dropped, and the next command is found */
    static char big[IMAP_MESSAGE_SIZE + 1];
    memset(big, 'x', sizeof big);
    stream_writef(&c->stream, "b APPEND INBOX {%zu+}\r\n", sizeof big);
    stream_write(&c->stream, str_from(big, sizeof big));
    stream_write(&c->stream, STR("\r\nc APPEND INBOX {3+}\r\na\0b\r\nd NOOP\r\n"));
    stream_flush(&c->stream, deadline_in(IMAP_WAIT_MS));
    imap_run_line(&f, "append", "S: b NO [TOOBIG] ...");
    imap_run_line(&f, "append", "S: c NO [CANNOT] ...");
    imap_run_line(&f, "append", "S: d OK ...");
    imap_close_fixture(&f);
}

/* A body of many pieces comes back byte for byte, whole and in parts. */
static void large_bodies_come_back(void **state)
{
    (void)state;
    struct imap_fixture f;
    imap_open_fixture(&f);
    size_t n = 3 * 1024 * 1024 + 17;
    CLEAN_FREE char *body = mem_new(n, 1);
    unsigned random = 1;
    memcpy(body, "Subject: large\r\n\r\n", 18);
    for (size_t i = 18; i < n; i++) {
        random = random * 1103515245 + 12345;
        body[i] = (char)(' ' + (random >> 16) % 90);
    }
    imap_deliver(&f, str_from(body, n));
    struct imap_client *c = &f.clients[0];
    imap_run_line(&f, "large", "C: a SELECT INBOX");
    while (!imap_matches(imap_read_answer(c), "a OK ..."))
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
            imap_send_line(c, "b FETCH 1 BODY.PEEK[]");
        else
            stream_writef(&c->stream, "b FETCH 1 BODY.PEEK[]<%zu.%zu>\r\n", PARTS[i].from, PARTS[i].length);
        stream_flush(&c->stream, deadline_in(IMAP_WAIT_MS));
        char expected[128];
        snprintf(expected, sizeof expected, "* 1 FETCH (BODY[]%s {%zu}", label, want);
        struct str line = imap_read_answer(c);
        if (!imap_matches(line, expected))
            fail_msg("expected %s, got %.*s", expected, STR_ARGS(line));
        for (size_t got = 0; got < want;) {
            struct str bytes;
            assert_int_equal(stream_peek(&c->stream, deadline_in(IMAP_WAIT_MS), &bytes), STREAM_OK);
            bytes = str_slice(bytes, 0, want - got);
            assert_memory_equal(bytes.p, body + from + got, bytes.n);
            got += bytes.n;
            stream_take(&c->stream, bytes.n);
        }
        assert_true(imap_matches(imap_read_answer(c), ")"));
        assert_true(imap_matches(imap_read_answer(c), "b OK ..."));
    }
    imap_close_fixture(&f);
}

static void lines_that_are_too_long_end_the_session(void **state)
{
    (void)state;
    struct imap_fixture f;
    imap_open_fixture(&f);
    imap_run_line(&f, "long", "C: a NOOP");
    imap_run_line(&f, "long", "S: a OK ...");
    static char line[100000];
    memset(line, 'x', sizeof line);
    stream_write(&f.clients[0].stream, str_from(line, sizeof line));
    stream_flush(&f.clients[0].stream, deadline_in(IMAP_WAIT_MS));
    imap_run_line(&f, "long", "S: * BYE ...");
    imap_run_line(&f, "long", "S: <closed>");
    imap_close_fixture(&f);
}

static void stopping_says_goodbye(void **state)
{
    (void)state;
    struct imap_fixture f;
    imap_open_fixture(&f);
    imap_run_line(&f, "stop", "C: a IDLE");
    imap_run_line(&f, "stop", "S: + ...");
    imap_run_line(&f, "stop", "C2: a NOOP");
    imap_run_line(&f, "stop", "S2: a OK ...");
    atomic_store(&f.stopping, true);
    for (size_t i = 0; i < 2; i++)
        eventfd_write(f.clients[i].host.wake_fd, 1);
    imap_run_line(&f, "stop", "S: * BYE ...");
    imap_run_line(&f, "stop", "S2: * BYE ...");
    imap_run_line(&f, "stop", "S: <closed>");
    imap_run_line(&f, "stop", "S2: <closed>");
    imap_close_fixture(&f);
}

/* What hundreds of commands at once are answered with is complete and in order. */
static void pipelined_commands_are_answered_in_order(void **state)
{
    (void)state;
    struct imap_fixture f;
    imap_open_fixture(&f);
    imap_run_line(&f, "pipeline", "C: a NOOP");
    imap_run_line(&f, "pipeline", "S: a OK ...");
    struct imap_client *c = &f.clients[0];
    for (int i = 0; i < 500; i++)
        stream_writef(&c->stream, "t%d NOOP\r\n", i);
    stream_flush(&c->stream, deadline_in(IMAP_WAIT_MS));
    for (int i = 0; i < 500; i++) {
        char expected[32];
        snprintf(expected, sizeof expected, "t%d OK ...", i);
        assert_true(imap_matches(imap_read_answer(c), expected));
    }
    imap_close_fixture(&f);
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
