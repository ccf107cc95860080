#include "base/ipc.h"

#include "check.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

static struct deadline soon(void)
{
    return deadline_in(30);
}

static struct deadline later(void)
{
    return deadline_in(20 * 1000);
}

static size_t open_descriptors(void)
{
    DIR *d = opendir("/proc/self/fd");
    size_t n = 0;
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

static void fields_come_back(void **state)
{
    (void)state;
    int ends[2];
    assert_true(ipc_pair(ends));
    struct ipc_frame f, got;
    ipc_frame_init(&f, 7);
    f.id = 0x89abcdef;
    ipc_put_u8(&f, 200);
    ipc_put_u32(&f, 0xfffffffe);
    ipc_put_u64(&f, 0x1122334455667788);
    ipc_put_str(&f, STR("a\0b"));
    ipc_put_str(&f, STR(""));
    assert_int_equal(ipc_send(ends[0], &f, later()), IPC_OK);
    assert_int_equal(ipc_receive(ends[1], &got, later()), IPC_OK);
    assert_int_equal(got.type, 7);
    assert_true(got.id == 0x89abcdef);
    struct ipc_reader r = ipc_read(&got);
    assert_int_equal(ipc_get_u8(&r), 200);
    assert_true(ipc_get_u32(&r) == 0xfffffffe);
    assert_false(ipc_done(&r));
    assert_true(ipc_get_u64(&r) == 0x1122334455667788);
    assert_true(str_eq(ipc_get_str(&r), STR("a\0b")));
    assert_int_equal(ipc_get_str(&r).n, 0);
    assert_true(ipc_done(&r));
    assert_int_equal(ipc_get_u32(&r), 0);
    assert_true(r.bad);
    assert_false(ipc_done(&r));
    ipc_frame_free(&f);
    ipc_frame_free(&got);
    close(ends[0]);
    close(ends[1]);
}

static void a_string_longer_than_its_frame_is_bad(void **state)
{
    (void)state;
    struct ipc_frame f;
    ipc_frame_init(&f, 1);
    ipc_put_u32(&f, 5);
    ipc_put_u32(&f, 0);
    struct ipc_reader r = ipc_read(&f);
    assert_int_equal(ipc_get_str(&r).n, 0);
    assert_true(r.bad);
    assert_int_equal(ipc_get_u8(&r), 0); /* bad stays bad, though a byte would be there */
    ipc_frame_free(&f);
}

static void descriptors_travel(void **state)
{
    (void)state;
    size_t before = open_descriptors();
    int ends[2];
    assert_true(ipc_pair(ends));
    struct ipc_frame f, got;
    ipc_frame_init(&f, 1);
    int memory[IPC_FDS_MAX];
    for (int i = 0; i < IPC_FDS_MAX; i++) {
        memory[i] = memfd_create("test", 0);
        assert_int_equal(write(memory[i], &i, sizeof i), sizeof i);
        ipc_put_fd(&f, memory[i]);
    }
    assert_int_equal(ipc_send(ends[0], &f, later()), IPC_OK);
    ipc_put_fd(&f, memory[0]); /* one too many */
    assert_int_equal(ipc_send(ends[0], &f, later()), IPC_BAD);
    ipc_frame_free(&f);
    assert_true(fcntl(memory[0], F_GETFD) >= 0); /* lent, not taken */
    assert_int_equal(ipc_receive(ends[1], &got, later()), IPC_OK);
    assert_int_equal(got.nfds, IPC_FDS_MAX);
    int three = ipc_frame_take_fd(&got, 3), value;
    assert_int_equal(pread(three, &value, sizeof value, 0), sizeof value);
    assert_int_equal(value, 3);
    assert_int_equal(fcntl(three, F_GETFD), FD_CLOEXEC);
    assert_int_equal(ipc_frame_take_fd(&got, 3), -1);
    assert_int_equal(ipc_frame_take_fd(&got, IPC_FDS_MAX), -1);
    ipc_frame_free(&got);
    close(three);
    for (int i = 0; i < IPC_FDS_MAX; i++)
        close(memory[i]);
    close(ends[0]);
    close(ends[1]);
    assert_int_equal(open_descriptors(), before);
}

/* Sends raw bytes with `fds` copies of a descriptor, as a peer that was taken over might. */
static void send_raw(int channel, const void *bytes, size_t n, size_t fds)
{
    struct iovec part = {(void *)(uintptr_t)bytes, n};
    union {
        char bytes[CMSG_SPACE(sizeof(int) * 64)];
        struct cmsghdr align;
    } control = {.bytes = {0}};
    struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1};
    if (fds > 0) {
        m.msg_control = control.bytes;
        m.msg_controllen = CMSG_SPACE(sizeof(int) * fds);
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int) * fds);
        for (size_t i = 0; i < fds; i++)
            memcpy(CMSG_DATA(c) + i * sizeof(int), &channel, sizeof(int));
    }
    assert_int_equal(sendmsg(channel, &m, 0), n);
}

static void what_is_no_frame_leaves_nothing_open(void **state)
{
    (void)state;
    int ends[2];
    assert_true(ipc_pair(ends));
    int big = 1024 * 1024;
    setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &big, sizeof big);
    size_t before = open_descriptors();
    static char huge[IPC_PAYLOAD_MAX + 13] = {1, 0, 2, 0};
    static const char EMPTY[12], SHORT[12] = {1}, LATE[13] = {1, 0, 0, 0, 1, 0, 1};
    struct ipc_frame got;
    send_raw(ends[0], "x", 1, 3);
    assert_int_equal(ipc_receive(ends[1], &got, later()), IPC_BAD);
    send_raw(ends[0], SHORT, sizeof SHORT, 1);
    assert_int_equal(ipc_receive(ends[1], &got, later()), IPC_BAD);
    send_raw(ends[0], LATE, sizeof LATE, 1); /* the two bytes that must be zero are not */
    assert_int_equal(ipc_receive(ends[1], &got, later()), IPC_BAD);
    send_raw(ends[0], huge, sizeof huge, 1);
    assert_int_equal(ipc_receive(ends[1], &got, later()), IPC_BAD);
    send_raw(ends[0], EMPTY, sizeof EMPTY, IPC_FDS_MAX + 4);
    assert_int_equal(ipc_receive(ends[1], &got, later()), IPC_BAD);
    assert_int_equal(open_descriptors(), before);
    send_raw(ends[0], EMPTY, sizeof EMPTY, 0);
    assert_int_equal(ipc_receive(ends[1], &got, later()), IPC_OK);
    ipc_frame_free(&got);
    close(ends[0]);
    assert_int_equal(ipc_receive(ends[1], &got, later()), IPC_EOF);
    close(ends[1]);
}

static void the_largest_frame_fits(void **state)
{
    (void)state;
    int ends[2];
    assert_true(ipc_pair(ends));
    CLEAN_FRAME struct ipc_frame f, got;
    ipc_frame_init(&f, 1);
    char *bytes = malloc(IPC_PAYLOAD_MAX);
    memset(bytes, 'm', IPC_PAYLOAD_MAX);
    ipc_put_str(&f, str_from(bytes, IPC_PAYLOAD_MAX - 4));
    assert_int_equal(ipc_send(ends[0], &f, later()), IPC_OK);
    assert_int_equal(ipc_receive(ends[1], &got, later()), IPC_OK);
    struct ipc_reader r = ipc_read(&got);
    assert_int_equal(ipc_get_str(&r).n, IPC_PAYLOAD_MAX - 4);
    ipc_put_u8(&f, 0);
    assert_int_equal(ipc_send(ends[0], &f, later()), IPC_BAD);
    free(bytes);
    close(ends[0]);
    close(ends[1]);
}

static void waiting_ends(void **state)
{
    (void)state;
    int ends[2];
    assert_true(ipc_pair(ends));
    struct ipc_frame f, got;
    assert_int_equal(ipc_receive_now(ends[1], &got), IPC_AGAIN);
    int64_t start = clock_ms();
    assert_int_equal(ipc_receive(ends[1], &got, soon()), IPC_TIMEOUT);
    assert_in_range(clock_ms() - start, 30, 150);
    assert_int_equal(ipc_receive(ends[1], &got, deadline_in(300)),
                     IPC_TIMEOUT); /* longer than one read waits */
    assert_true(clock_ms() - start >= 330);
    ipc_frame_init(&f, 1);
    enum ipc_result r = IPC_OK;
    for (int i = 0; i < 100000 && r == IPC_OK; i++)
        r = ipc_send(ends[0], &f, soon());
    assert_int_equal(r, IPC_TIMEOUT);
    close(ends[1]);
    assert_int_equal(ipc_send(ends[0], &f, soon()), IPC_EOF);
    close(ends[0]);
    ipc_frame_free(&f);
}

/* --- a service that echoes; type 2 is answered twice late, 3 not at all, 4 by going away, 5 only after the
 * request that follows it --- */

static void *serve(void *context)
{
    int channel = (int)(intptr_t)context;
    struct ipc_frame f, held = {0};
    while (ipc_receive(channel, &f, later()) == IPC_OK) {
        uint16_t type = f.type;
        if (type == 5) {
            ipc_frame_free(&held);
            held = f;
            continue;
        }
        if (type == 2) {
            uint32_t id = f.id;
            f.id = id - 1; /* an older request's */
            ipc_send(channel, &f, later());
            f.id = id;
        }
        if (type != 3 && type != 4)
            ipc_send(channel, &f, later());
        if (held.type == 5)
            ipc_send(channel, &held, later());
        ipc_frame_free(&held);
        held = (struct ipc_frame){0};
        ipc_frame_free(&f);
        if (type == 4)
            break;
    }
    ipc_frame_free(&held);
    close(channel);
    return NULL;
}

static atomic_int connects;
static atomic_bool refuse;

static int connect_service(void *context, struct deadline d)
{
    (void)context;
    (void)d;
    int ends[2];
    pthread_t t;
    if (refuse || !ipc_pair(ends))
        return -1;
    connects++;
    pthread_create(&t, NULL, serve, (void *)(intptr_t)ends[1]);
    pthread_detach(t);
    return ends[0];
}

static void a_call_skips_stale_replies(void **state)
{
    (void)state;
    int channel = connect_service(NULL, later());
    struct ipc_frame f, reply;
    ipc_frame_init(&f, 2);
    ipc_put_str(&f, STR("ping"));
    for (int i = 0; i < 3; i++) {
        assert_int_equal(ipc_call(channel, &f, &reply, later()), IPC_OK);
        assert_int_equal(reply.id, f.id);
        ipc_frame_free(&reply);
    }
    f.type = 3;
    assert_int_equal(ipc_call(channel, &f, &reply, soon()), IPC_TIMEOUT);
    f.type = 4;
    assert_int_equal(ipc_call(channel, &f, &reply, later()), IPC_EOF);
    ipc_frame_free(&f);
    close(channel);
}

static void several_calls_at_once_are_answered_in_any_order(void **state)
{
    (void)state;
    static const uint16_t TYPES[] = {1, 5, 1}; /* the answer to the second comes last */
    struct ipc_frame f[3], reply[3];
    bool sent;
    int channel = connect_service(NULL, later());
    for (size_t i = 0; i < 3; i++) {
        ipc_frame_init(&f[i], TYPES[i]);
        ipc_put_u8(&f[i], (uint8_t)i);
    }
    assert_int_equal(ipc_call_all(channel, f, reply, 3, later(), &sent), IPC_OK);
    assert_true(sent);
    for (size_t i = 0; i < 3; i++) {
        struct ipc_reader in = ipc_read(&reply[i]);
        assert_int_equal(reply[i].type, TYPES[i]);
        assert_int_equal(ipc_get_u8(&in), i);
        ipc_frame_free(&reply[i]);
    }
    f[2].type = 3; /* one of them is not answered: none is */
    assert_int_equal(ipc_call_all(channel, f, reply, 3, soon(), &sent), IPC_TIMEOUT);
    f[2].type = 4;
    assert_int_equal(ipc_call_all(channel, f, reply, 3, later(), &sent), IPC_EOF);
    assert_true(sent);
    assert_int_equal(ipc_call_all(channel, f, reply, 3, later(), &sent), IPC_EOF);
    assert_false(sent);
    for (size_t i = 0; i < 3; i++)
        ipc_frame_free(&f[i]);
    close(channel);
}

static bool pool_call(struct ipc_pool *p, uint16_t type, struct deadline d, struct err *e)
{
    struct ipc_frame f, reply;
    ipc_frame_init(&f, type);
    bool ok = ipc_pool_call(p, &f, &reply, d, e);
    if (ok) {
        assert_int_equal(reply.type, type);
        ipc_frame_free(&reply);
    }
    ipc_frame_free(&f);
    return ok;
}

static void a_pool_opens_anew_what_died(void **state)
{
    (void)state;
    connects = 0;
    struct ipc_pool *p = ipc_pool_new("directory", 2, connect_service, NULL);
    struct err e = ERR_INIT;
    assert_true(pool_call(p, 1, later(), &e));
    assert_true(pool_call(p, 1, later(), &e));
    assert_int_equal(connects, 1);
    assert_false(pool_call(p, 3, soon(), &e)); /* closed: its answer may still come */
    assert_int_equal(e.kind, ERR_TEMPORARY);
    assert_string_equal(e.text, "directory does not answer in time");
    assert_true(pool_call(p, 1, later(), &e));
    assert_int_equal(connects, 2);
    assert_false(pool_call(p, 4, later(), &e)); /* it may have been carried out: not repeated */
    assert_int_equal(connects, 2);
    refuse = true;
    assert_false(pool_call(p, 1, later(), &e));
    refuse = false;
    assert_true(pool_call(p, 1, later(), &e));
    ipc_pool_free(p);
}

static int last_peer;

static int connect_remembered(void *context, struct deadline d)
{
    (void)context;
    (void)d;
    int ends[2];
    pthread_t t;
    assert_true(ipc_pair(ends));
    connects++;
    last_peer = ends[1];
    pthread_create(&t, NULL, serve, (void *)(intptr_t)ends[1]);
    pthread_detach(t);
    return ends[0];
}

static void a_restarted_service_is_not_noticed(void **state)
{
    (void)state;
    connects = 0;
    struct ipc_pool *p = ipc_pool_new("dns", 1, connect_remembered, NULL);
    assert_true(pool_call(p, 1, later(), NULL));
    shutdown(last_peer, SHUT_RDWR); /* it dies while nobody asks */
    assert_true(pool_call(p, 1, later(), NULL));
    assert_int_equal(connects, 2);
    ipc_pool_free(p);
}

static void *caller(void *pool)
{
    for (int i = 0; i < 200; i++)
        assert_true(pool_call(pool, i % 5 == 0 ? 2 : 1, later(), NULL));
    return NULL;
}

static void many_threads_share_few_channels(void **state)
{
    (void)state;
    connects = 0;
    struct ipc_pool *p = ipc_pool_new("directory", 3, connect_service, NULL);
    pthread_t threads[8];
    for (int i = 0; i < 8; i++)
        pthread_create(&threads[i], NULL, caller, p);
    for (int i = 0; i < 8; i++)
        pthread_join(threads[i], NULL);
    assert_in_range(connects, 1, 3);
    ipc_pool_free(p);
}

static void *hold(void *pool)
{
    pool_call(pool, 3, deadline_in(300), NULL);
    return NULL;
}

static void a_busy_pool_says_so(void **state)
{
    (void)state;
    struct ipc_pool *p = ipc_pool_new("directory", 1, connect_service, NULL);
    pthread_t t;
    connects = 0;
    pthread_create(&t, NULL, hold, p);
    while (connects == 0)
        usleep(1000);
    struct err e = ERR_INIT;
    assert_false(pool_call(p, 1, soon(), &e));
    assert_string_equal(e.text, "directory does not answer: all 1 channels are busy");
    assert_true(pool_call(p, 1, later(), &e)); /* it comes free when the other gives up */
    pthread_join(t, NULL);
    ipc_pool_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_come_back),
        cmocka_unit_test(a_string_longer_than_its_frame_is_bad),
        cmocka_unit_test(descriptors_travel),
        cmocka_unit_test(what_is_no_frame_leaves_nothing_open),
        cmocka_unit_test(the_largest_frame_fits),
        cmocka_unit_test(waiting_ends),
        cmocka_unit_test(a_call_skips_stale_replies),
        cmocka_unit_test(several_calls_at_once_are_answered_in_any_order),
        cmocka_unit_test(a_pool_opens_anew_what_died),
        cmocka_unit_test(a_restarted_service_is_not_noticed),
        cmocka_unit_test(many_threads_share_few_channels),
        cmocka_unit_test(a_busy_pool_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
