#include "base/stream.h"

#include "check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static struct deadline soon(void)
{
    return deadline_in(30);
}

static struct deadline later(void)
{
    return deadline_in(20 * 1000);
}

/* A stream and its peer. */
struct pair {
    struct stream s;
    int peer;
};

static struct pair pair_open(struct str already)
{
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    struct pair p = {.peer = ends[1]};
    stream_open(&p.s, ends[0], already);
    return p;
}

static void pair_close(struct pair *p)
{
    stream_close(&p->s);
    if (p->peer >= 0)
        close(p->peer);
}

static void says(struct pair *p, const char *text)
{
    assert_int_equal(write(p->peer, text, strlen(text)), strlen(text));
}

static void expect_line(struct pair *p, const char *want, bool want_bare)
{
    struct str line;
    bool bare;
    assert_int_equal(stream_read_line(&p->s, 100, later(), &line, &bare), STREAM_OK);
    assert_true(str_eq(line, str_from_c(want)));
    assert_int_equal(bare, want_bare);
}

static void reads_lines_however_they_arrive(void **state)
{
    (void)state;
    struct pair p = pair_open(STR("EHLO a\r\nMA"));
    says(&p, "IL\r\n\r\nbare\nin\rside\r\nrest");
    expect_line(&p, "EHLO a", false);
    expect_line(&p, "MAIL", false);
    expect_line(&p, "", false);
    expect_line(&p, "bare", true);
    expect_line(&p, "in\rside", false);
    struct str line;
    assert_int_equal(stream_read_line(&p.s, 100, soon(), &line, NULL), STREAM_TIMEOUT);
    close(p.peer);
    p.peer = -1;
    assert_int_equal(stream_read_line(&p.s, 100, later(), &line, NULL), STREAM_EOF);
    assert_int_equal(p.s.received, 34);
    pair_close(&p);
}

static void a_line_ends_at_its_bound(void **state)
{
    (void)state;
    struct pair p = pair_open(STR(""));
    struct str line;
    says(&p, "1234567\r\n12345678\r\nafter\r\n");
    assert_int_equal(stream_read_line(&p.s, 9, later(), &line, NULL), STREAM_OK);
    assert_int_equal(stream_read_line(&p.s, 9, later(), &line, NULL), STREAM_TOO_LONG);
    assert_int_equal(stream_read_line(&p.s, 9, later(), &line, NULL), STREAM_TOO_LONG); /* it stands */
    assert_int_equal(stream_skip_line(&p.s, later()), STREAM_OK);
    expect_line(&p, "after", false);
    says(&p, "no end");
    assert_int_equal(stream_skip_line(&p.s, soon()), STREAM_TIMEOUT);
    pair_close(&p);
}

static void long_lines_cross_many_reads(void **state)
{
    (void)state;
    struct pair p = pair_open(STR("x\r\n"));
    enum { LINE = 60000 };
    char *sent = malloc(LINE + 2);
    memset(sent, 'a', LINE);
    memcpy(sent + LINE, "\r\n", 2);
    expect_line(&p, "x", false);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(write(p.peer, sent, LINE + 2), LINE + 2);
        struct str line;
        assert_int_equal(stream_read_line(&p.s, LINE + 2, later(), &line, NULL), STREAM_OK);
        assert_true(str_eq(line, str_from(sent, LINE)));
    }
    free(sent);
    pair_close(&p);
}

static void peeks_and_takes(void **state)
{
    (void)state;
    struct pair p = pair_open(STR(""));
    struct str bytes;
    assert_int_equal(stream_peek(&p.s, soon(), &bytes), STREAM_TIMEOUT);
    says(&p, "hello");
    assert_int_equal(stream_peek(&p.s, later(), &bytes), STREAM_OK);
    assert_true(str_eq(bytes, STR("hello")));
    stream_take(&p.s, 2);
    assert_int_equal(stream_peek(&p.s, later(), &bytes), STREAM_OK);
    assert_true(str_eq(bytes, STR("llo")));
    assert_true(str_eq(stream_buffered(&p.s), STR("llo")));
    stream_take(&p.s, 100);
    assert_int_equal(stream_buffered(&p.s).n, 0);
    pair_close(&p);
}

static void answers_leave_in_one_write(void **state)
{
    (void)state;
    struct pair p = pair_open(STR("one\r\n"));
    char got[64];
    stream_write(&p.s, STR("250-a\r\n"));
    stream_writef(&p.s, "250 %d\r\n", 7);
    assert_int_equal(recv(p.peer, got, sizeof got, MSG_DONTWAIT), -1);
    expect_line(&p, "one", false); /* was there: nothing is sent */
    assert_int_equal(recv(p.peer, got, sizeof got, MSG_DONTWAIT), -1);
    struct str line;
    assert_int_equal(stream_read_line(&p.s, 100, soon(), &line, NULL), STREAM_TIMEOUT); /* has to wait */
    assert_int_equal(recv(p.peer, got, sizeof got, MSG_DONTWAIT), 14);
    assert_int_equal(stream_flush(&p.s, later()), STREAM_OK);
    assert_int_equal(p.s.sent, 14);
    pair_close(&p);
}

static void *drain(void *context)
{
    int fd = *(int *)context;
    char bytes[10000];
    uint64_t sum = 0, at = 0;
    for (ssize_t n; (n = read(fd, bytes, sizeof bytes)) > 0;)
        for (ssize_t i = 0; i < n; i++)
            sum += (unsigned char)bytes[i] * (++at % 1000);
    uint64_t *result = malloc(sizeof *result);
    *result = sum;
    return result;
}

static void much_output_keeps_its_order(void **state)
{
    (void)state;
    struct pair p = pair_open(STR(""));
    pthread_t reader;
    assert_int_equal(pthread_create(&reader, NULL, drain, &p.peer), 0);
    enum { PIECE = 100 * 1000 };
    char *piece = malloc(PIECE);
    uint64_t sum = 0, at = 0;
    for (size_t round = 0; round < 40; round++) {
        size_t n = round % 3 == 0 ? PIECE : round * 100;
        for (size_t i = 0; i < n; i++) {
            piece[i] = (char)rand();
            sum += (unsigned char)piece[i] * (++at % 1000);
        }
        stream_write(&p.s, str_from(piece, n));
    }
    assert_int_equal(stream_flush(&p.s, later()), STREAM_OK);
    assert_int_equal(p.s.sent, at);
    shutdown(p.s.fd, SHUT_WR);
    void *got;
    pthread_join(reader, &got);
    assert_true(*(uint64_t *)got == sum);
    free(got);
    free(piece);
    pair_close(&p);
}

static void a_peer_that_does_not_read_times_out(void **state)
{
    (void)state;
    struct pair p = pair_open(STR(""));
    static char big[60000];
    enum stream_result r = STREAM_OK;
    for (int i = 0; i < 100 && r == STREAM_OK; i++) {
        stream_write(&p.s, str_from(big, sizeof big));
        r = stream_flush(&p.s, soon());
    }
    assert_int_equal(r, STREAM_TIMEOUT);
    stream_write(&p.s, STR("x"));
    assert_int_equal(stream_flush(&p.s, later()), STREAM_TIMEOUT); /* there would be a hole */
    pair_close(&p);
}

static void a_broken_connection_is_told(void **state)
{
    (void)state;
    struct pair p = pair_open(STR(""));
    close(p.peer);
    p.peer = -1;
    stream_write(&p.s, STR("x"));
    assert_int_equal(stream_flush(&p.s, later()), STREAM_ERROR);
    assert_int_equal(p.s.error, EPIPE);
    assert_int_equal(stream_flush(&p.s, later()), STREAM_ERROR);
    pair_close(&p);
}

/* --- hanging up on somebody who is still sending --- over TCP, which alone knows resets */

#define TALK_BYTES ((size_t)300 * 1000)

/* Sends much, then reads to the end: the last word, and an end that is no reset. */
static void *talk(void *context)
{
    int fd = *(int *)context;
    char *bytes = calloc(TALK_BYTES, 1), heard[16];
    size_t n = 0;
    ssize_t got = send(fd, bytes, TALK_BYTES, MSG_NOSIGNAL) == (ssize_t)TALK_BYTES ? 1 : -1;
    while (got > 0 && n < sizeof heard - 1)
        if ((got = read(fd, heard + n, sizeof heard - 1 - n)) > 0)
            n += (size_t)got;
    heard[n] = '\0';
    free(bytes);
    close(fd);
    return got == 0 && strcmp(heard, "goodbye") == 0 ? context : NULL;
}

static struct pair pair_over_tcp(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof at;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct pair p = {.peer = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    assert_int_equal(bind(listener, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &n), 0);
    assert_int_equal(connect(p.peer, (struct sockaddr *)&at, sizeof at), 0);
    stream_open(&p.s, accept(listener, NULL, NULL), STR(""));
    close(listener);
    return p;
}

static void the_last_word_is_heard(void **state)
{
    (void)state;
    struct pair p = pair_over_tcp();
    pthread_t talker;
    struct str line;
    void *heard;
    assert_int_equal(pthread_create(&talker, NULL, talk, &p.peer), 0);
    assert_int_equal(stream_read_line(&p.s, 1000, later(), &line, NULL), STREAM_TOO_LONG);
    stream_write(&p.s, STR("goodbye"));
    stream_hang_up(&p.s, later());
    assert_int_equal(p.s.fd, -1);
    pthread_join(talker, &heard);
    assert_non_null(heard);
}

/* A peer under Nagle's algorithm (RFC 896) holds a second small piece back until the first is acknowledged,
 * which the kernel puts off for 40 ms once two sides have taken turns for a while. */
static void half_a_line_is_acknowledged_at_once(void **state)
{
    (void)state;
    enum { TURNS = 40, HALVES = 10, KERNEL_WAITS_MS = 40 };
    for (int waits_in_reads = 0; waits_in_reads < 2; waits_in_reads++) {
        struct pair p = pair_over_tcp();
        char got[8];
        if (waits_in_reads)
            stream_wait_in_reads(&p.s);
        for (int i = 0; i < TURNS; i++) {
            says(&p, "NOOP\r\n");
            expect_line(&p, "NOOP", false);
            stream_write(&p.s, STR("250\r\n"));
            assert_int_equal(stream_flush(&p.s, later()), STREAM_OK);
            assert_int_equal(recv(p.peer, got, 5, MSG_WAITALL), 5);
        }
        int64_t start = clock_ms();
        for (int i = 0; i < HALVES; i++) {
            says(&p, "NO");
            says(&p, "OP\r\n");
            expect_line(&p, "NOOP", false);
            stream_write(&p.s, STR("250\r\n"));
            assert_int_equal(stream_flush(&p.s, later()), STREAM_OK);
            assert_int_equal(recv(p.peer, got, 5, MSG_WAITALL), 5);
        }
        assert_true(clock_ms() - start < HALVES * KERNEL_WAITS_MS);
        pair_close(&p);
    }
}

static void hanging_up_waits_for_nobody_else(void **state)
{
    (void)state;
    struct pair quiet = pair_open(STR("")), gone = pair_open(STR("")), endless = pair_open(STR(""));
    int64_t start = clock_ms();
    stream_hang_up(&quiet.s, later());
    close(gone.peer);
    gone.peer = -1;
    stream_hang_up(&gone.s, later());
    assert_true(clock_ms() - start < STREAM_LINGER_MS / 2);
    says(&endless, "more");
    stream_hang_up(&endless.s, soon()); /* it never closes: the deadline does */
    assert_true(clock_ms() - start < STREAM_LINGER_MS);
    pair_close(&quiet);
    pair_close(&gone);
    pair_close(&endless);
}

static void waits_for_either_side_without_buffers(void **state)
{
    (void)state;
    struct pair p = pair_open(STR(""));
    int wake = eventfd(0, EFD_CLOEXEC);
    char got[8];
    stream_write(&p.s, STR("+ idle"));
    assert_int_equal(stream_wait(&p.s, wake, soon()), STREAM_TIMEOUT);
    assert_int_equal(recv(p.peer, got, sizeof got, MSG_DONTWAIT), 6);
    assert_null(p.s.in.p);
    assert_null(p.s.out.p);
    assert_int_equal(eventfd_write(wake, 1), 0);
    assert_int_equal(stream_wait(&p.s, wake, later()), STREAM_WOKEN);
    says(&p, "DONE\r\nnext\r\n");
    assert_int_equal(stream_wait(&p.s, wake, later()), STREAM_OK);
    expect_line(&p, "DONE", false);
    assert_int_equal(stream_wait(&p.s, -1, soon()), STREAM_OK); /* "next" is buffered */
    expect_line(&p, "next", false);
    assert_int_equal(stream_wait(&p.s, -1, soon()), STREAM_TIMEOUT);
    close(p.peer);
    p.peer = -1;
    struct str line;
    assert_int_equal(stream_wait(&p.s, -1, later()), STREAM_OK);
    assert_int_equal(stream_read_line(&p.s, 10, later(), &line, NULL), STREAM_EOF);
    close(wake);
    pair_close(&p);
}

/* --- reads that wait themselves --- */

static void *say_soon(void *peer)
{
    struct timespec moment = {.tv_nsec = STREAM_READ_WAIT_MS / 4 * 1000000};
    nanosleep(&moment, NULL);
    assert_int_equal(write(*(int *)peer, "soon\r\n", 6), 6);
    return NULL;
}

static void a_read_waits_itself_for_a_moment(void **state)
{
    (void)state;
    struct pair p = pair_open(STR(""));
    pthread_t peer;
    struct str line;
    char got[8];
    stream_wait_in_reads(&p.s);
    assert_true(p.s.waits_in_read);
    says(&p, "now\r\n");
    expect_line(&p, "now", false);
    const char *buffer = p.s.in.p;
    stream_write(&p.s, STR("250"));
    assert_int_equal(pthread_create(&peer, NULL, say_soon, &p.peer), 0);
    expect_line(&p, "soon", false);
    pthread_join(peer, NULL);
    assert_ptr_equal(p.s.in.p, buffer);                               /* it was not given back meanwhile */
    assert_int_equal(recv(p.peer, got, sizeof got, MSG_DONTWAIT), 3); /* what was queued left first */
    /* Deadlines hold, be they nearer than the moment or further. */
    int64_t start = clock_ms();
    assert_int_equal(stream_read_line(&p.s, 100, soon(), &line, NULL), STREAM_TIMEOUT);
    assert_in_range(clock_ms() - start, 30, STREAM_READ_WAIT_MS - 1);
    assert_int_equal(stream_read_line(&p.s, 100, deadline_in(2 * STREAM_READ_WAIT_MS), &line, NULL),
                     STREAM_TIMEOUT);
    assert_true(clock_ms() - start >= 2 * STREAM_READ_WAIT_MS);
    assert_null(p.s.in.p);
    says(&p, "late\r\n");
    expect_line(&p, "late", false);
    pair_close(&p);
}

static void *wake_soon(void *fd)
{
    struct timespec moment = {.tv_nsec = STREAM_READ_WAIT_MS / 4 * 1000000};
    nanosleep(&moment, NULL);
    assert_int_equal(eventfd_write(*(int *)fd, 1), 0);
    return NULL;
}

static void who_waits_in_reads_is_woken_and_sees_the_end(void **state)
{
    (void)state;
    struct pair p = pair_open(STR(""));
    int wake = eventfd(0, EFD_CLOEXEC);
    pthread_t waker;
    stream_wait_in_reads(&p.s);
    assert_int_equal(pthread_create(&waker, NULL, wake_soon, &wake), 0);
    int64_t start = clock_ms();
    assert_int_equal(stream_wait(&p.s, wake, later()), STREAM_WOKEN);
    assert_true(clock_ms() - start < 10 * STREAM_READ_WAIT_MS);
    pthread_join(waker, NULL);
    says(&p, "DONE\r\n");
    assert_int_equal(stream_wait(&p.s, wake, later()), STREAM_OK);
    expect_line(&p, "DONE", false);
    close(p.peer);
    p.peer = -1;
    assert_int_equal(stream_wait(&p.s, -1, later()), STREAM_EOF);
    close(wake);
    pair_close(&p);
}

/* Not after the moment that a read would wait. */
static void who_waits_for_both_is_woken_at_once(void **state)
{
    (void)state;
    struct pair p = pair_open(STR(""));
    int wake = eventfd(0, EFD_CLOEXEC);
    int64_t least = INT64_MAX; /* of several: this machine may be busy with something else */
    stream_wait_in_reads(&p.s);
    assert_int_equal(eventfd_write(wake, 1), 0);
    for (int i = 0; i < 5; i++) {
        int64_t start = clock_ms(), took;
        assert_int_equal(stream_wait_for_both(&p.s, wake, later()), STREAM_WOKEN);
        took = clock_ms() - start;
        least = took < least ? took : least;
    }
    assert_true(least < STREAM_READ_WAIT_MS / 2);
    says(&p, "DONE\r\n");
    assert_int_equal(stream_wait_for_both(&p.s, wake, later()), STREAM_OK);
    expect_line(&p, "DONE", false);
    close(wake);
    pair_close(&p);
}

static void who_gets_the_descriptor_after_reads_that_waited_need_not_wait(void **state)
{
    (void)state;
    struct pair p = pair_open(STR(""));
    char got;
    stream_wait_in_reads(&p.s);
    stream_wait_in_polls(&p.s);
    assert_false(p.s.waits_in_read);
    assert_true(fcntl(p.s.fd, F_GETFL) & O_NONBLOCK);
    assert_int_equal(read(p.s.fd, &got, 1), -1);
    assert_int_equal(errno, EAGAIN);
    says(&p, "on\r\n");
    expect_line(&p, "on", false);
    pair_close(&p);
}

static void a_write_never_blocks_though_reads_do(void **state)
{
    (void)state;
    struct pair p = pair_open(STR(""));
    static char big[60000];
    enum stream_result r = STREAM_OK;
    stream_wait_in_reads(&p.s);
    for (int i = 0; i < 100 && r == STREAM_OK; i++) {
        stream_write(&p.s, str_from(big, sizeof big));
        r = stream_flush(&p.s, soon());
    }
    assert_int_equal(r, STREAM_TIMEOUT);
    int64_t start = clock_ms();
    stream_hang_up(&p.s, later());
    assert_true(clock_ms() - start < STREAM_LINGER_MS);
    pair_close(&p);
}

/* A transport that holds bytes which poll cannot see, as TLS does, and wants to write before it reads. */
struct fake_tls {
    int fd;
    char held[64];
    size_t n;
    int refusals;
};

static ssize_t fake_read(void *context, void *to, size_t n, short *wants)
{
    struct fake_tls *t = context;
    if (t->refusals > 0) {
        t->refusals--;
        *wants = 4; /* POLLOUT: always possible here */
        errno = EAGAIN;
        return -1;
    }
    if (t->n == 0) {
        ssize_t got = read(t->fd, t->held, sizeof t->held);
        if (got <= 0)
            return got;
        t->n = (size_t)got;
    }
    (void)n;
    *(char *)to = t->held[0]; /* a byte at a time */
    memmove(t->held, t->held + 1, --t->n);
    return 1;
}

static ssize_t fake_write(void *context, const void *from, size_t n, short *wants)
{
    (void)wants;
    return write(((struct fake_tls *)context)->fd, from, n > 3 ? 3 : n);
}

static void a_transport_is_asked_before_the_kernel(void **state)
{
    (void)state;
    static const struct stream_transport FAKE = {fake_read, fake_write};
    struct pair p = pair_open(STR(""));
    struct fake_tls tls = {.fd = p.s.fd, .refusals = 2};
    p.s.transport = &FAKE;
    p.s.context = &tls;
    says(&p, "a\r\nb\r\n");
    expect_line(&p, "a", false);
    assert_int_equal(stream_wait(&p.s, -1, soon()), STREAM_OK);
    expect_line(&p, "b", false);
    assert_int_equal(stream_wait(&p.s, -1, soon()), STREAM_TIMEOUT);
    stream_write(&p.s, STR("12345678"));
    assert_int_equal(stream_flush(&p.s, later()), STREAM_OK);
    char got[8];
    assert_int_equal(recv(p.peer, got, sizeof got, MSG_WAITALL), 8);
    pair_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_lines_however_they_arrive),
        cmocka_unit_test(a_line_ends_at_its_bound),
        cmocka_unit_test(long_lines_cross_many_reads),
        cmocka_unit_test(peeks_and_takes),
        cmocka_unit_test(answers_leave_in_one_write),
        cmocka_unit_test(much_output_keeps_its_order),
        cmocka_unit_test(a_peer_that_does_not_read_times_out),
        cmocka_unit_test(a_broken_connection_is_told),
        cmocka_unit_test(the_last_word_is_heard),
        cmocka_unit_test(half_a_line_is_acknowledged_at_once),
        cmocka_unit_test(hanging_up_waits_for_nobody_else),
        cmocka_unit_test(waits_for_either_side_without_buffers),
        cmocka_unit_test(a_read_waits_itself_for_a_moment),
        cmocka_unit_test(who_waits_in_reads_is_woken_and_sees_the_end),
        cmocka_unit_test(who_waits_for_both_is_woken_at_once),
        cmocka_unit_test(who_gets_the_descriptor_after_reads_that_waited_need_not_wait),
        cmocka_unit_test(a_write_never_blocks_though_reads_do),
        cmocka_unit_test(a_transport_is_asked_before_the_kernel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
