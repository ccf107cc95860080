/* Passwords in SASL exchanges. */
#include "sasl/sasl.h"

#include "check.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* What PLAIN makes of a message, without a connection. */
static enum sasl_result plain(struct str message, const char *user, const char *password)
{
    CLEAN_BUF struct buf text;
    CLEAN_SASL struct sasl x;
    buf_init(&text, 1000);
    buf_add_base64(&text, message);
    assert_true(sasl_init(&x, STR("PLAIN")));
    assert_int_equal(sasl_begin(&x, NULL), SASL_ASK);
    assert_string_equal(x.challenge, "");
    enum sasl_result r = sasl_answer(&x, buf_str(&text));
    if (r == SASL_DONE) {
        assert_true(str_eq(x.user, str_from_c(user)));
        assert_true(str_eq(x.password, str_from_c(password)));
    }
    return r;
}

static void plain_of_rfc4616(void **state)
{
    (void)state;
    assert_int_equal(plain(STR("\0tim\0tanstaaftanstaaf"), "tim", "tanstaaftanstaaf"), SASL_DONE);
    assert_int_equal(plain(STR("tim\0tim\0x"), "tim", "x"), SASL_DONE);
    assert_int_equal(plain(STR("Ursel\0Kurt\0xipj3plmq"), "", ""), SASL_FOREIGN);
    assert_int_equal(plain(STR(""), "", ""), SASL_MALFORMED);
    assert_int_equal(plain(STR("\0tim"), "", ""), SASL_MALFORMED);
    assert_int_equal(plain(STR("\0tim\0"), "tim", ""), SASL_DONE);
    assert_int_equal(plain(STR("\0\0secret"), "", ""), SASL_MALFORMED);
    assert_int_equal(plain(STR("\0tim\0a\0b"), "", ""), SASL_MALFORMED);
}

/* Runs a mechanism against a client that sends `lines`; `asked` gets what the client was sent. */
static enum sasl_result exchange(const char *mechanism, const struct str *initial, const char *lines,
                                 struct sasl *x, char *asked, size_t room)
{
    int ends[2];
    struct stream s;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    assert_int_equal(write(ends[1], lines, strlen(lines)), (ssize_t)strlen(lines));
    stream_open(&s, ends[0], STR(""));
    assert_true(sasl_init(x, str_from_c(mechanism)));
    enum sasl_result r = sasl_exchange(x, &s, "+ ", initial, deadline_in(200));
    stream_flush(&s, deadline_in(200));
    ssize_t n = recv(ends[1], asked, room - 1, MSG_DONTWAIT);
    asked[n > 0 ? n : 0] = '\0';
    stream_close(&s);
    close(ends[1]);
    return r;
}

static void exchanges(void **state)
{
    (void)state;
    char asked[200];
    struct str initial = STR("AHRpbQBzZWNyZXQ="), empty = STR("=");
    struct {
        const char *mechanism;
        const struct str *initial;
        const char *lines, *asked;
        enum sasl_result result;
    } cases[] = {
        {"PLAIN", &initial, "", "", SASL_DONE},
        {"plain", NULL, "AHRpbQBzZWNyZXQ=\r\n", "+ \r\n", SASL_DONE},
        {"LOGIN", NULL, "dGlt\r\nc2VjcmV0\r\n", "+ VXNlcm5hbWU6\r\n+ UGFzc3dvcmQ6\r\n", SASL_DONE},
        {"PLAIN", NULL, "*\r\n", "+ \r\n", SASL_CANCELLED},
        {"LOGIN", NULL, "dGlt\r\n*\r\n", "+ VXNlcm5hbWU6\r\n+ UGFzc3dvcmQ6\r\n", SASL_CANCELLED},
        {"PLAIN", NULL, "not base64\r\n", "+ \r\n", SASL_MALFORMED},
        {"PLAIN", &empty, "", "", SASL_MALFORMED},
        {"PLAIN", NULL, "AHRpbQBz", "+ \r\n", SASL_TIMEOUT},
        {"PLAIN", NULL, "AHRpbQBzZWNyZXQ=\n", "+ \r\n", SASL_MALFORMED}, /* LF alone */
        {"LOGIN", &empty, "", "", SASL_MALFORMED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CLEAN_SASL struct sasl x;
        enum sasl_result r =
            exchange(cases[i].mechanism, cases[i].initial, cases[i].lines, &x, asked, sizeof asked);
        assert_int_equal(r, cases[i].result);
        assert_string_equal(asked, cases[i].asked);
        if (r == SASL_DONE) {
            assert_true(str_eq(x.user, STR("tim")));
            assert_true(str_eq(x.password, STR("secret")));
        }
    }
    struct sasl x;
    assert_false(sasl_init(&x, STR("CRAM-MD5")));
    sasl_free(&x);
}

static void no_password_is_a_wrong_password(void **state)
{
    (void)state;
    CLEAN_SASL struct sasl x;
    assert_true(sasl_init(&x, STR("LOGIN")));
    assert_int_equal(sasl_begin(&x, NULL), SASL_ASK);
    assert_int_equal(sasl_answer(&x, STR("dGlt")), SASL_ASK);
    assert_int_equal(sasl_answer(&x, STR("")), SASL_DONE);
    assert_true(str_eq(x.user, STR("tim")));
    assert_int_equal(x.password.n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_of_rfc4616),
        cmocka_unit_test(exchanges),
        cmocka_unit_test(no_password_is_a_wrong_password),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
