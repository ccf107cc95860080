#include "gate/connection.h"

#include "gate/crowd.h"

#include "check.h"

#include <string.h>
#include <unistd.h>

static struct connection example(void)
{
    struct connection c = {.fd = STDIN_FILENO,
                           .service = SERVICE_IMAPS,
                           .peer = "2001:db8::25",
                           .peer_port = 40000,
                           .local = "192.0.2.1",
                           .local_port = 993,
                           .tls = {.on = true, .version = "TLSv1.3", .cipher = "TLS_AES_128_GCM_SHA256"}};
    return c;
}

/* Sends a frame through a channel, so that its descriptors are owned. */
static struct ipc_frame travel(struct ipc_frame *f)
{
    int ends[2];
    struct ipc_frame got;
    assert_true(ipc_pair(ends));
    assert_int_equal(ipc_send(ends[0], f, deadline_in(1000)), IPC_OK);
    assert_int_equal(ipc_receive(ends[1], &got, deadline_in(1000)), IPC_OK);
    ipc_frame_free(f);
    close(ends[0]);
    close(ends[1]);
    return got;
}

static void a_connection_comes_back(void **state)
{
    (void)state;
    for (int tls = 0; tls < 3; tls++) {
        struct connection c = example(), back;
        c.tls.on = tls > 0;
        c.tls.bindings.v[BINDING_TLS_EXPORTER].n = tls > 1 ? 32 : 0;
        memset(c.tls.bindings.v[BINDING_TLS_EXPORTER].bytes, 7, 32);
        c.tls.bindings.v[BINDING_TLS_SERVER_END_POINT].n = CHANNEL_BINDING_BYTES_MAX;
        c.has_voucher = tls > 1;
        memset(c.voucher, 9, sizeof c.voucher);
        struct ipc_frame f;
        ipc_frame_init(&f, GATE_FRAME_CONNECTION);
        connection_put(&f, &c);
        ipc_put_str(&f, STR("what follows"));
        struct ipc_frame got = travel(&f);
        struct ipc_reader r = ipc_read(&got);
        assert_true(connection_get(&got, &r, &back));
        assert_true(str_eq(ipc_get_str(&r), STR("what follows")));
        assert_true(ipc_done(&r));
        assert_true(back.fd >= 0);
        assert_int_equal(back.service, SERVICE_IMAPS);
        assert_string_equal(back.peer, c.peer);
        assert_int_equal(back.peer_port, 40000);
        assert_string_equal(back.local, c.local);
        assert_int_equal(back.local_port, 993);
        assert_int_equal(back.tls.on, tls > 0);
        assert_int_equal(back.has_voucher, tls > 1);
        assert_int_equal(back.voucher[VOUCHER_BYTES - 1], tls > 1 ? 9 : 0);
        assert_string_equal(back.tls.cipher, tls ? c.tls.cipher : "");
        assert_int_equal(back.tls.bindings.v[BINDING_TLS_EXPORTER].n, tls > 1 ? 32 : 0);
        assert_int_equal(back.tls.bindings.v[BINDING_TLS_EXPORTER].bytes[31], tls > 1 ? 7 : 0);
        assert_int_equal(back.tls.bindings.v[BINDING_TLS_UNIQUE].n, 0);
        assert_int_equal(back.tls.bindings.v[BINDING_TLS_SERVER_END_POINT].n,
                         tls ? CHANNEL_BINDING_BYTES_MAX : 0);
        close(back.fd);
        ipc_frame_free(&got);
    }
}

/* What a service that was taken over might send. */
static void put_example(struct ipc_frame *f, uint8_t service, struct str peer, uint32_t port, uint8_t tls)
{
    ipc_put_u8(f, service);
    ipc_put_str(f, peer);
    ipc_put_u32(f, port);
    ipc_put_str(f, STR("127.0.0.1"));
    ipc_put_u32(f, 25);
    ipc_put_u8(f, tls);
}

static bool accepted(struct ipc_frame *f, bool with_fd)
{
    if (with_fd)
        ipc_put_fd(f, STDIN_FILENO);
    struct ipc_frame got = travel(f);
    struct ipc_reader r = ipc_read(&got);
    struct connection c;
    bool ok = connection_get(&got, &r, &c);
    if (ok)
        close(c.fd);
    ipc_frame_free(&got);
    return ok;
}

static void hostile_frames_are_refused(void **state)
{
    (void)state;
    static const struct {
        uint8_t service;
        struct str peer;
        uint32_t port;
        uint8_t tls;
        bool with_fd, good;
    } CASES[] = {
        {SERVICE_SMTP, STR_INIT("192.0.2.7"), 65535, 0, true, true},
        {SERVICE_SMTP, STR_INIT("192.0.2.7"), 65535, 0, false, false},
        {SERVICE_COUNT, STR_INIT("192.0.2.7"), 1, 0, true, false},
        {SERVICE_SMTP, STR_INIT("192.0.2.7"), 65536, 0, true, false},
        {SERVICE_SMTP, STR_INIT("192.0.2.7"), 1, 2, true, false},
        {SERVICE_SMTP, STR_INIT("192.0.2.7"), 1, 1, true, false}, /* TLS without its fields */
        {SERVICE_SMTP, STR_INIT(""), 1, 0, true, false},
        {SERVICE_SMTP, STR_INIT("example.org"), 1, 0, true, false},
        {SERVICE_SMTP, STR_INIT("192.0.2.7\r\nX: y"), 1, 0, true, false},
        {SERVICE_SMTP, STR_INIT("192.0.2.7\0"), 1, 0, true, false},
        {SERVICE_SMTP, STR_INIT("1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb"), 1, 0, true, false},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct ipc_frame f;
        ipc_frame_init(&f, GATE_FRAME_CONNECTION);
        put_example(&f, CASES[i].service, CASES[i].peer, CASES[i].port, CASES[i].tls);
        ipc_put_u8(&f, 0); /* no voucher */
        assert_int_equal(accepted(&f, CASES[i].with_fd), CASES[i].good);
    }
}

static void hostile_tls_is_refused(void **state)
{
    (void)state;
    static const struct {
        struct str version, binding;
        unsigned bindings;
        bool good;
    } CASES[] = {
        {STR_INIT("TLSv1.2"), STR_INIT(""), 3, true},
        {STR_INIT("TLSv1.2"), STR_INIT("0123456789abcdef0123456789abcdef"), 3, true},
        {STR_INIT("TLSv1.2"), STR_INIT(""), 2, false},
        {STR_INIT("TLSv1.2"), STR_INIT("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef+"),
         3, false},
        {STR_INIT("TLSv1.2\n"), STR_INIT(""), 3, false},
        {STR_INIT("TLSv1.2 and a name that is far too long for it"), STR_INIT(""), 3, false},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct ipc_frame f;
        ipc_frame_init(&f, GATE_FRAME_CONNECTION);
        put_example(&f, SERVICE_SMTP, STR("192.0.2.7"), 1, 1);
        ipc_put_str(&f, CASES[i].version);
        ipc_put_str(&f, STR("AES"));
        for (unsigned n = 0; n < CASES[i].bindings; n++)
            ipc_put_str(&f, CASES[i].binding);
        ipc_put_u8(&f, 0); /* no voucher */
        assert_int_equal(accepted(&f, true), CASES[i].good);
    }
}

static void hostile_vouchers_are_refused(void **state)
{
    (void)state;
    static const struct {
        uint8_t has;
        struct str voucher;
        bool good;
    } CASES[] = {
        {1, STR_INIT("0123456789abcdef0123456789abcdef"), true},
        {1, STR_INIT("0123456789abcdef0123456789abcde"), false},
        {1, STR_INIT("0123456789abcdef0123456789abcdef+"), false},
        {2, STR_INIT("0123456789abcdef0123456789abcdef"), false},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct ipc_frame f;
        ipc_frame_init(&f, GATE_FRAME_CONNECTION);
        put_example(&f, SERVICE_IMAP, STR("192.0.2.7"), 1, 0);
        ipc_put_u8(&f, CASES[i].has);
        ipc_put_str(&f, CASES[i].voucher);
        assert_int_equal(accepted(&f, true), CASES[i].good);
    }
}

static void loopback_is_known(void **state)
{
    (void)state;
    static const char *const ADDRESSES[] = {"127.0.0.1", "127.1.2.3", "::1", "128.0.0.1", "::2", "12.7.0.1"};
    for (size_t i = 0; i < 6; i++) {
        struct connection c = {.fd = -1};
        memcpy(c.peer, ADDRESSES[i], strlen(ADDRESSES[i]) + 1);
        assert_int_equal(connection_is_loopback(&c), i < 3);
    }
}

static void one_address_has_its_share(void **state)
{
    (void)state;
    struct crowd *c = crowd_new();
    assert_true(crowd_enter(c, "192.0.2.1", 2));
    assert_true(crowd_enter(c, "192.0.2.1", 2));
    assert_false(crowd_enter(c, "192.0.2.1", 2));
    assert_true(crowd_enter(c, "192.0.2.2", 2));
    crowd_leave(c, "192.0.2.1");
    assert_true(crowd_enter(c, "192.0.2.1", 2));
    assert_true(crowd_enter(c, "2001:db8:0:1::1", 1));
    assert_false(crowd_enter(c, "2001:db8:0:1:ffff::2", 1)); /* the same /64 */
    assert_true(crowd_enter(c, "2001:db8:0:2::1", 1));
    for (int i = 0; i < 10; i++) {
        assert_true(crowd_enter(c, "127.0.0.1", 1));
        assert_true(crowd_enter(c, "::1", 1));
    }
    crowd_leave(c, "127.0.0.1");
    crowd_leave(c, "192.0.2.9"); /* was never there */
    crowd_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connection_comes_back), cmocka_unit_test(hostile_frames_are_refused),
        cmocka_unit_test(hostile_tls_is_refused),  cmocka_unit_test(hostile_vouchers_are_refused),
        cmocka_unit_test(loopback_is_known),       cmocka_unit_test(one_address_has_its_share),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
