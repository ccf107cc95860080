/* INPROGRESS (RFC 9585): when it is told and when not, and that the store calls for it. */
#include "imap/progress.h"

#include "check.h"
#include "store_fixture.h"

#include <sys/socket.h>
#include <unistd.h>

#define WAIT_MS 20000

struct pair {
    struct imap_session session;
    struct stream server, client;
};

static void open_pair(struct pair *p)
{
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    stream_open(&p->server, fds[0], STR(""));
    stream_open(&p->client, fds[1], STR(""));
    p->session = (struct imap_session){.stream = &p->server, .tag = "A001", .tag_size = 4};
}

static void close_pair(struct pair *p)
{
    stream_close(&p->server);
    stream_close(&p->client);
}

static void expect_line(struct pair *p, const char *want)
{
    struct str line;
    bool bare_lf;
    assert_int_equal(stream_read_line(&p->client, 1000, deadline_in(WAIT_MS), &line, &bare_lf), STREAM_OK);
    if (!str_eq(line, str_from_c(want)))
        fail_msg("expected \"%s\", got \"%.*s\"", want, STR_ARGS(line));
}

static void is_told_when_it_is_time(void **state)
{
    (void)state;
    struct pair p;
    open_pair(&p);
    struct imap_progress progress;
    struct store_progress told = imap_progress_start(&progress, &p.session);
    assert_true(progress.next_ms > clock_ms());
    told.tell(told.context, 1, 1000); /* too early */
    progress.next_ms = clock_ms();
    told.tell(told.context, 454, 1000);
    told.tell(told.context, 455, 1000); /* too early again */
    progress.next_ms = clock_ms();
    told.tell(told.context, 1000, 1000); /* the end is told by the tagged answer */
    told.tell(told.context, 999, 1000);
    expect_line(&p, "* OK [INPROGRESS (\"A001\" 454 1000)] 45% done");
    expect_line(&p, "* OK [INPROGRESS (\"A001\" 999 1000)] 99% done");
    close_pair(&p);
}

/* The store's locks are held: nobody waits for a client that does not read. */
static void a_client_that_does_not_read_is_not_waited_for(void **state)
{
    (void)state;
    struct pair p;
    char bytes[4096] = {0};
    open_pair(&p);
    while (send(p.server.fd, bytes, sizeof bytes, MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
        ;
    struct imap_progress progress = {.session = &p.session, .next_ms = clock_ms()};
    int64_t start = clock_ms();
    imap_progress_tell(&progress, 1, 2);
    assert_true(clock_ms() - start < 900);
    assert_int_equal(p.server.out.n, 0);
    assert_int_equal(p.server.write_failed, STREAM_OK);
    close_pair(&p);
}

struct seen {
    size_t calls, last, total;
};

static void see(void *context, size_t done, size_t total)
{
    struct seen *s = context;
    assert_true(done > s->last);
    s->calls++;
    s->last = done;
    s->total = total;
}

static void the_store_calls_for_it(void **state)
{
    struct fixture *f = *state;
    enum { N = 600 };
    struct store_append items[N];
    uint32_t uids[N];
    for (uint32_t i = 0; i < N; i++) {
        items[i] = (struct store_append){.mailbox = 1, .bytes = STR("x"), .keywords = STR("")};
        uids[i] = i + 1;
    }
    assert_int_equal(store_append(f->store, items, N, &f->e), STORE_OK);
    struct seen seen = {0};
    const struct store_progress progress = {.tell = see, .context = &seen};
    struct flag_store add = {FLAGS_ADD, FLAG_SEEN, STR(""), UINT64_MAX, &progress};
    assert_int_equal(store_flags(f->store, 1, uids, N, &add, &f->arena, NULL, NULL, NULL, &f->e), STORE_OK);
    assert_true(seen.calls > 1);
    assert_int_equal(seen.last, N);
    assert_int_equal(seen.total, N);
    seen = (struct seen){0};
    uint32_t *from, *to, uidvalidity;
    size_t n;
    assert_int_equal(
        store_copy(f->store, 1, uids, N, 2, false, &progress, &f->arena, &from, &to, &n, &uidvalidity, &f->e),
        STORE_OK);
    assert_true(seen.calls > 1);
    assert_int_equal(seen.last, N);
    assert_int_equal(seen.total, N);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_told_when_it_is_time),
        cmocka_unit_test(a_client_that_does_not_read_is_not_waited_for),
        STORE_TEST(the_store_calls_for_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
