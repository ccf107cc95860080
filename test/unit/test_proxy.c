/* The PROXY protocol: the forms of its document, what is refused, and headers that come in pieces. */
#include "check.h"
#include "gate/proxy.h"

#include <string.h>

#define SIGNATURE     "\r\n\r\n\0\r\nQUIT\n"
#define INET          "\xc0\x00\x02\x01\xc6\x33\x64\x01\xdc\x04\x00\x19" /* 192.0.2.1:56324 to 198.51.100.1:25 */
#define TLS_PARTS     "\x20\x00\x28\x01\x00\x00\x00\x00\x21\x00\x07TLSv1.3\x23\x00\x16TLS_AES_128_GCM_SHA256"
#define READ(literal) reads(STR(literal))

static struct proxy_header header;

static enum proxy_result reads(struct str in)
{
    return proxy_read(in, &header);
}

static void is_from(const char *peer, unsigned peer_port, const char *local, unsigned local_port)
{
    assert_true(header.has_addresses);
    assert_string_equal(header.peer, peer);
    assert_string_equal(header.local, local);
    assert_int_equal(header.peer_port, peer_port);
    assert_int_equal(header.local_port, local_port);
}

static void version_1(void **state)
{
    (void)state;
    assert_int_equal(READ("PROXY TCP4 192.0.2.1 198.51.100.1 56324 25\r\nEHLO x\r\n"), PROXY_DONE);
    is_from("192.0.2.1", 56324, "198.51.100.1", 25);
    assert_int_equal(header.bytes, 44);
    assert_false(header.tls.on);
    assert_int_equal(READ("PROXY TCP6 2001:DB8::1 ::1 65535 0\r\n"), PROXY_DONE);
    is_from("2001:db8::1", 65535, "::1", 0);
    /* the longest line of section 2.1 */
    assert_int_equal(READ("PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
                          "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"),
                     PROXY_DONE);
    assert_false(header.has_addresses);
    assert_int_equal(header.bytes, PROXY_LINE_MAX);
    assert_int_equal(READ("PROXY UNKNOWN\r\n"), PROXY_DONE);
    assert_int_equal(header.bytes, 15);
}

static void version_1_that_is_none(void **state)
{
    (void)state;
    static const char *const BAD[] = {
        "PROXY TCP4 192.0.2.1 198.51.100.1 56324 25\n",
        "PROXY TCP4 192.0.2.1  198.51.100.1 56324 25\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 56324\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 56324 25 \r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 056 25\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 65536 25\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 -1 25\r\n",
        "PROXY TCP4 192.0.2.256 198.51.100.1 1 25\r\n",
        "PROXY TCP4 2001:db8::1 ::1 1 25\r\n",
        "PROXY TCP6 192.0.2.1 198.51.100.1 1 25\r\n",
        "PROXY UDP4 192.0.2.1 198.51.100.1 1 25\r\n",
        "PROXY UNKNOWNS\r\n",
        "PROXY tcp4 192.0.2.1 198.51.100.1 1 25\r\n",
        "proxy TCP4 192.0.2.1 198.51.100.1 1 25\r\n",
        "EHLO client.test\r\n",
        "\r\n\r\nQ",
    };
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++)
        if (reads(str_from_c(BAD[i])) != PROXY_BAD)
            fail_msg("taken: %s", BAD[i]);
    char endless[PROXY_LINE_MAX];
    memset(endless, 'x', sizeof endless);
    memcpy(endless, "PROXY ", 6);
    assert_int_equal(reads(str_from(endless, sizeof endless - 1)), PROXY_MORE);
    assert_int_equal(reads(str_from(endless, sizeof endless)), PROXY_BAD);
}

static void version_2(void **state)
{
    (void)state;
    assert_int_equal(READ(SIGNATURE "\x21\x11\x00\x0c" INET "EHLO x\r\n"), PROXY_DONE);
    is_from("192.0.2.1", 56324, "198.51.100.1", 25);
    assert_int_equal(header.bytes, 28);
    assert_int_equal(READ(SIGNATURE
                          "\x21\x21\x00\x24"
                          "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01"
                          "\x00\x50\x00\x19"),
                     PROXY_DONE);
    is_from("2001:db8::1", 80, "::1", 25);
    assert_int_equal(READ(SIGNATURE "\x20\x00\x00\x00"), PROXY_DONE); /* LOCAL */
    assert_false(header.has_addresses);
    assert_int_equal(READ(SIGNATURE "\x20\x11\x00\x0c" INET), PROXY_DONE); /* LOCAL, whatever it says */
    assert_false(header.has_addresses);
    assert_int_equal(READ(SIGNATURE "\x21\x00\x00\x00"), PROXY_DONE); /* UNSPEC */
    assert_false(header.has_addresses);
}

static void version_2_additions(void **state)
{
    (void)state;
    assert_int_equal(READ(SIGNATURE "\x21\x11\x00\x37" INET TLS_PARTS), PROXY_DONE);
    is_from("192.0.2.1", 56324, "198.51.100.1", 25);
    assert_true(header.tls.on);
    assert_string_equal(header.tls.version, "TLSv1.3");
    assert_string_equal(header.tls.cipher, "TLS_AES_128_GCM_SHA256");
    assert_int_equal(channel_binding(&header.tls.bindings, BINDING_TLS_EXPORTER).n, 0);
    assert_int_equal(READ(SIGNATURE "\x21\x11\x00\x3e" INET "\x03\x00\x04\x25\xf3\x0b\x03" TLS_PARTS),
                     PROXY_DONE);
    assert_int_equal(READ(SIGNATURE "\x21\x11\x00\x3e" INET "\x03\x00\x04\x25\xf3\x0b\x04" TLS_PARTS),
                     PROXY_BAD);
    /* a client that spoke no TLS; an addition that nobody knows */
    assert_int_equal(READ(SIGNATURE "\x21\x11\x00\x18" INET "\x20\x00\x05\x00\x00\x00\x00\x00\xea\x00\x01!"),
                     PROXY_DONE);
    assert_false(header.tls.on);
}

static void version_2_that_is_none(void **state)
{
    (void)state;
    assert_int_equal(READ(SIGNATURE "\x11\x11\x00\x0c" INET), PROXY_BAD);            /* version 1 */
    assert_int_equal(READ(SIGNATURE "\x22\x11\x00\x0c" INET), PROXY_BAD);            /* no such command */
    assert_int_equal(READ(SIGNATURE "\x21\x12\x00\x0c" INET), PROXY_BAD);            /* datagrams */
    assert_int_equal(READ(SIGNATURE "\x21\x41\x00\x0c" INET), PROXY_BAD);            /* no such family */
    assert_int_equal(READ(SIGNATURE "\x21\x21\x00\x0c" INET), PROXY_BAD);            /* too short for IPv6 */
    assert_int_equal(READ(SIGNATURE "\x21\x11\x00\x0e" INET "\x04\x00"), PROXY_BAD); /* half an addition */
    assert_int_equal(READ(SIGNATURE "\x21\x11\x00\x0f" INET "\x20\x00\x00"), PROXY_BAD);
    assert_int_equal(READ(SIGNATURE "\x21\x11\xff\xff"), PROXY_BAD); /* more than we want to hold */
}

static void headers_come_in_pieces(void **state)
{
    (void)state;
    static const struct str WHOLE[] = {
        STR_INIT("PROXY TCP4 192.0.2.1 198.51.100.1 56324 25\r\n"),
        STR_INIT(SIGNATURE "\x21\x11\x00\x37" INET TLS_PARTS),
    };
    for (size_t i = 0; i < 2; i++) {
        for (size_t n = 0; n < WHOLE[i].n; n++)
            assert_int_equal(reads(str_slice(WHOLE[i], 0, n)), PROXY_MORE);
        assert_int_equal(reads(WHOLE[i]), PROXY_DONE);
    }
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(version_1),
        cmocka_unit_test(version_1_that_is_none),
        cmocka_unit_test(version_2),
        cmocka_unit_test(version_2_additions),
        cmocka_unit_test(version_2_that_is_none),
        cmocka_unit_test(headers_come_in_pieces),
    };
    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
