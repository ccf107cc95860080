/* Commands read from a connection: lines, literals of both kinds, bounds. */
#include "imap/read.h"

#include "check.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct peer {
    int fd;
    struct stream stream;
    struct imap_reader reader;
};

static void open_peer(struct peer *p, size_t command_max, struct str sends)
{
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    p->fd = fds[0];
    assert_int_equal(write(p->fd, sends.p, sends.n), (ssize_t)sends.n);
    shutdown(p->fd, SHUT_WR);
    stream_open(&p->stream, fds[1], STR(""));
    imap_reader_init(&p->reader, &p->stream, command_max);
}

static void close_peer(struct peer *p)
{
    imap_reader_free(&p->reader);
    stream_close(&p->stream);
    close(p->fd);
}

static enum imap_read_result next(struct peer *p)
{
    return imap_read_command(&p->reader, deadline_in(5000));
}

static void assert_command(struct peer *p, const char *text)
{
    struct str got = buf_str(&p->reader.command);
    if (!str_eq(got, str_from_c(text)))
        fail_msg("got \"%.*s\", expected \"%s\"", STR_ARGS(got), text);
}

static void lines_and_literals_make_a_command(void **state)
{
    (void)state;
    struct peer p;
    open_peer(&p, 1000, STR("a NOOP\r\nb LOGIN {3}\r\nana {6+}\r\nsecret\r\nc X {0}\r\n\r\n"));
    assert_int_equal(next(&p), IMAP_READ_DONE);
    assert_command(&p, "a NOOP");
    assert_int_equal(next(&p), IMAP_READ_DONE);
    assert_command(&p, "b LOGIN {3}\r\nana {6+}\r\nsecret");
    assert_int_equal(next(&p), IMAP_READ_DONE);
    assert_command(&p, "c X {0}\r\n");
    assert_int_equal(next(&p), IMAP_READ_CLOSED);
    stream_flush(&p.stream, deadline_in(1000));
    char asked[64];
    ssize_t n = read(p.fd, asked, sizeof asked);
    assert_int_equal(n, 12); /* one "+ OK" for {3}, one for {0}, none for {6+} */
    assert_memory_equal(asked, "+ OK\r\n+ OK\r\n", 12);
    close_peer(&p);
}

static void bare_lf_is_told(void **state)
{
    (void)state;
    struct peer p;
    open_peer(&p, 1000, STR("a NOOP\nb X {4+}\nc\r\n\r\nd NOOP\r\n"));
    assert_int_equal(next(&p), IMAP_READ_BARE_LF);
    assert_int_equal(imap_read_skip(&p.reader, 1000, deadline_in(1000)), IMAP_READ_DONE);
    assert_int_equal(next(&p), IMAP_READ_BARE_LF);
    assert_command(&p, "b X {4+}");
    assert_int_equal(imap_read_skip(&p.reader, 1000, deadline_in(1000)), IMAP_READ_DONE);
    assert_int_equal(next(&p), IMAP_READ_DONE);
    assert_command(&p, "d NOOP");
    close_peer(&p);
}

static void too_much_is_refused_and_dropped(void **state)
{
    (void)state;
    struct peer p;
    open_peer(&p, 20, STR("a X {100}\r\nb X {10+}\r\n0123456789 {2+}\r\nzz\r\nc Y\r\n"));
    assert_int_equal(next(&p), IMAP_READ_TOO_BIG); /* and the client waits for "+" in vain */
    assert_command(&p, "a X {100}");
    assert_int_equal(imap_read_skip(&p.reader, 1000, deadline_in(1000)), IMAP_READ_DONE);
    assert_int_equal(next(&p), IMAP_READ_TOO_BIG);
    assert_int_equal(imap_read_skip(&p.reader, 1000, deadline_in(1000)), IMAP_READ_DONE);
    assert_int_equal(next(&p), IMAP_READ_DONE);
    assert_command(&p, "c Y");
    close_peer(&p);
}

static void dropping_has_a_bound(void **state)
{
    (void)state;
    struct peer p;
    open_peer(&p, 20, STR("b X {4294967295+}\r\n0123456789"));
    assert_int_equal(next(&p), IMAP_READ_TOO_BIG);
    assert_int_equal(imap_read_skip(&p.reader, 1000, deadline_in(1000)), IMAP_READ_TOO_LONG);
    close_peer(&p);
}

static void a_long_line_ends_it(void **state)
{
    (void)state;
    static char line[IMAP_LINE_MAX + 10];
    memset(line, 'x', sizeof line);
    memcpy(line + sizeof line - 2, "\r\n", 2);
    struct peer p;
    open_peer(&p, IMAP_COMMAND_MAX, str_from(line, sizeof line));
    assert_int_equal(next(&p), IMAP_READ_TOO_LONG);
    close_peer(&p);
    open_peer(&p, IMAP_COMMAND_MAX, str_from(line + 10, sizeof line - 10));
    assert_int_equal(next(&p), IMAP_READ_DONE);
    assert_int_equal(p.reader.command.n, IMAP_LINE_MAX - 2);
    close_peer(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_and_literals_make_a_command),
        cmocka_unit_test(bare_lf_is_told),
        cmocka_unit_test(too_much_is_refused_and_dropped),
        cmocka_unit_test(dropping_has_a_bound),
        cmocka_unit_test(a_long_line_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
