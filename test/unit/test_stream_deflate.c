/* A stream with DEFLATE under it, against zlib on the other side. */
#include "base/mem.h"
#include "base/stream_deflate.h"

#include "check.h"

#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

#define WAIT_MS 20000

struct pair {
    struct stream a, b;
};

static void open_pair(struct pair *p, bool deflated)
{
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    stream_open(&p->a, fds[0], STR(""));
    stream_open(&p->b, fds[1], STR(""));
    if (deflated) {
        stream_deflate(&p->a);
        stream_deflate(&p->b);
    }
}

static void close_pair(struct pair *p)
{
    stream_close(&p->a);
    stream_close(&p->b);
}

static void send_line(struct stream *s, const char *line)
{
    stream_writef(s, "%s\r\n", line);
    assert_int_equal(stream_flush(s, deadline_in(WAIT_MS)), STREAM_OK);
}

static void expect_line(struct stream *s, const char *line)
{
    struct str got;
    bool bare_lf;
    assert_int_equal(stream_read_line(s, 100000, deadline_in(WAIT_MS), &got, &bare_lf), STREAM_OK);
    if (!str_eq(got, str_from_c(line)))
        fail_msg("expected %s, got %.*s", line, STR_ARGS(got));
}

static void lines_go_both_ways(void **state)
{
    (void)state;
    struct pair p;
    open_pair(&p, true);
    assert_true(stream_is_deflated(&p.a));
    for (int i = 0; i < 100; i++) {
        char line[64];
        snprintf(line, sizeof line, "a%d FETCH %d FLAGS", i, i);
        send_line(&p.a, line);
        expect_line(&p.b, line);
        send_line(&p.b, line);
        expect_line(&p.a, line);
    }
    close_pair(&p);
}

/* What the peer gets is raw DEFLATE that ends in a sync flush: zlib by itself reads it at once. */
static void what_is_sent_is_raw_deflate(void **state)
{
    (void)state;
    struct pair p;
    open_pair(&p, false);
    stream_deflate(&p.a);
    send_line(&p.a, "* OK done");
    struct str packed;
    assert_int_equal(stream_peek(&p.b, deadline_in(WAIT_MS), &packed), STREAM_OK);
    assert_true(str_ends(packed, STR("\x00\x00\xff\xff"))); /* RFC 4978 section 4 */
    char plain[100];
    z_stream z = {.next_in = (z_const Bytef *)packed.p,
                  .avail_in = (uInt)packed.n,
                  .next_out = (Bytef *)plain,
                  .avail_out = sizeof plain};
    assert_int_equal(inflateInit2(&z, -MAX_WBITS), Z_OK);
    assert_int_equal(inflate(&z, Z_SYNC_FLUSH), Z_OK);
    assert_true(str_eq(str_from(plain, sizeof plain - z.avail_out), STR("* OK done\r\n")));
    inflateEnd(&z);
    close_pair(&p);
}

static void *write_much(void *stream)
{
    uint32_t random = 1;
    char piece[1000];
    for (int i = 0; i < 5000; i++) {
        for (size_t k = 0; k < sizeof piece; k++) {
            random = random * 1103515245 + 12345;
            piece[k] = (char)('a' + (random >> 16) % 16);
        }
        stream_write(stream, str_from(piece, sizeof piece));
    }
    stream_flush(stream, deadline_in(WAIT_MS)); /* a failure shows as bytes that are missing */
    return NULL;
}

/* Megabytes through a socket that takes them in pieces, byte for byte. */
static void much_comes_whole(void **state)
{
    (void)state;
    struct pair p;
    pthread_t writer;
    open_pair(&p, true);
    assert_int_equal(pthread_create(&writer, NULL, write_much, &p.a), 0);
    uint32_t random = 1;
    for (size_t left = 5000000; left > 0;) {
        struct str got;
        assert_int_equal(stream_peek(&p.b, deadline_in(WAIT_MS), &got), STREAM_OK);
        for (size_t i = 0; i < got.n; i++) {
            random = random * 1103515245 + 12345;
            if (got.p[i] != (char)('a' + (random >> 16) % 16))
                fail_msg("another byte, %zu before the end", left - i);
        }
        left -= got.n;
        stream_take(&p.b, got.n);
    }
    pthread_join(writer, NULL);
    close_pair(&p);
}

/* Rests on both sides, as after a silence; the peer (zlib with its window) goes on where it was. */
static void rest(struct stream *s)
{
    s->transport->rest(s->context);
}

static void goes_on_after_a_rest(void **state)
{
    (void)state;
    struct pair p;
    open_pair(&p, true);
    char line[500];
    for (int i = 0; i < 200; i++) {
        memset(line, 'a' + i % 7, sizeof line - 1);
        snprintf(line + i, 20, "%d", i);
        line[strlen(line)] = '.';
        line[sizeof line - 1] = '\0';
        send_line(&p.a, line);
        expect_line(&p.b, line);
        if (i % 3 == 0)
            rest(&p.b); /* its reader: the writer refers to what came before the rest */
        if (i % 5 == 0)
            rest(&p.a);
        send_line(&p.b, line);
        expect_line(&p.a, line);
    }
    close_pair(&p);
}

/* Asked for while something is still held back, a rest changes nothing. */
static void a_rest_loses_nothing(void **state)
{
    (void)state;
    struct pair p;
    open_pair(&p, true);
    short wants;
    assert_int_equal(p.a.transport->write(p.a.context, "half ", 5, &wants), 5);
    rest(&p.a);
    assert_int_equal(p.a.transport->write(p.a.context, "a line\r\n", 8, &wants), 8);
    rest(&p.a);
    assert_int_equal(stream_flush(&p.a, deadline_in(WAIT_MS)), STREAM_OK);
    expect_line(&p.b, "half a line");
    close_pair(&p);
}

/* Bytes of the heap that are in use. */
#ifdef GOLUB_SANITIZED
size_t __sanitizer_get_current_allocated_bytes(void); /* NOLINT: the sanitizers' own name */
#define heap_in_use __sanitizer_get_current_allocated_bytes
#else
static size_t heap_in_use(void)
{
    return mallinfo2().uordblks;
}
#endif

/* What a resting connection keeps: the layer itself, and what it was sent. */
static void rests_in_little_memory(void **state)
{
    (void)state;
    struct pair p;
    open_pair(&p, true);
    send_line(&p.a, "a NOOP");
    expect_line(&p.b, "a NOOP");
    rest(&p.a);
    size_t before = heap_in_use();
    send_line(&p.b, "a OK");
    assert_int_equal(stream_wait(&p.b, -1, deadline_in(0)), STREAM_TIMEOUT);
    size_t active = heap_in_use();
    rest(&p.b);
    size_t resting = heap_in_use();
    assert_true(active - before > 200 * 1024);
    assert_true(resting < before);
    close_pair(&p);
    assert_true(resting - heap_in_use() < 2048);
}

static void broken_bytes_end_it(void **state)
{
    (void)state;
    struct pair p;
    open_pair(&p, false);
    stream_deflate(&p.b);
    send_line(&p.a, "a NOOP"); /* not compressed */
    struct str got;
    enum stream_result r = stream_peek(&p.b, deadline_in(WAIT_MS), &got);
    assert_int_equal(r, STREAM_ERROR);
    close_pair(&p);
}

/* A peer that ends its stream of blocks, or the connection, is gone; what came before is delivered. */
static void ends_are_ends(void **state)
{
    (void)state;
    struct pair p;
    open_pair(&p, false);
    char packed[100];
    z_stream z = {.next_in = (z_const Bytef *)"last\r\n",
                  .avail_in = 6,
                  .next_out = (Bytef *)packed,
                  .avail_out = sizeof packed};
    assert_int_equal(deflateInit2(&z, 1, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    deflateEnd(&z);
    stream_write(&p.a, str_from(packed, sizeof packed - z.avail_out));
    assert_int_equal(stream_flush(&p.a, deadline_in(WAIT_MS)), STREAM_OK);
    stream_deflate(&p.b);
    expect_line(&p.b, "last");
    rest(&p.b);
    struct str got;
    assert_int_equal(stream_peek(&p.b, deadline_in(WAIT_MS), &got), STREAM_EOF);
    close_pair(&p);

    open_pair(&p, true);
    send_line(&p.a, "last");
    stream_close(&p.a);
    expect_line(&p.b, "last");
    assert_int_equal(stream_peek(&p.b, deadline_in(WAIT_MS), &got), STREAM_EOF);
    stream_close(&p.b);
}

/* What was read together with the line that started it is compressed already. */
static void bytes_read_before_are_compressed(void **state)
{
    (void)state;
    struct pair p;
    open_pair(&p, false);
    send_line(&p.a, "COMPRESS");
    stream_deflate(&p.a);
    send_line(&p.a, "first");
    expect_line(&p.b, "COMPRESS");
    assert_true(stream_buffered(&p.b).n > 0);
    stream_deflate(&p.b);
    expect_line(&p.b, "first");
    close_pair(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_go_both_ways),
        cmocka_unit_test(what_is_sent_is_raw_deflate),
        cmocka_unit_test(much_comes_whole),
        cmocka_unit_test(goes_on_after_a_rest),
        cmocka_unit_test(a_rest_loses_nothing),
        cmocka_unit_test(rests_in_little_memory),
        cmocka_unit_test(broken_bytes_end_it),
        cmocka_unit_test(ends_are_ends),
        cmocka_unit_test(bytes_read_before_are_compressed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
