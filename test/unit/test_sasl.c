/* Passwords in SASL exchanges. */
#include "check.h"
#include "login/sasl.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static bool plain(struct str message, const char *user, const char *password)
{
    struct str u, p;
    return sasl_parse_plain(message, &u, &p) && str_eq(u, str_from_c(user)) &&
           str_eq(p, str_from_c(password));
}

static void plain_of_rfc4616(void **state)
{
    (void)state;
    assert_true(plain(STR("\0tim\0tanstaaftanstaaf"), "tim", "tanstaaftanstaaf"));
    assert_true(plain(STR("tim\0tim\0x"), "tim", "x"));
    struct str u, p;
    assert_false(sasl_parse_plain(STR("Ursel\0Kurt\0xipj3plmq"), &u, &p)); /* acting for somebody else */
    assert_false(sasl_parse_plain(STR(""), &u, &p));
    assert_false(sasl_parse_plain(STR("\0tim"), &u, &p));
    assert_false(sasl_parse_plain(STR("\0tim\0"), &u, &p));
    assert_false(sasl_parse_plain(STR("\0\0secret"), &u, &p));
    assert_false(sasl_parse_plain(STR("\0tim\0a\0b"), &u, &p));
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
    enum sasl_result r = sasl_find(str_from_c(mechanism))(x, &s, initial, deadline_in(200));
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
        {"PLAIN", NULL, "AHRpbQBz", "+ \r\n", SASL_LOST},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CLEAN_SASL struct sasl x;
        sasl_init(&x);
        enum sasl_result r =
            exchange(cases[i].mechanism, cases[i].initial, cases[i].lines, &x, asked, sizeof asked);
        assert_int_equal(r, cases[i].result);
        assert_string_equal(asked, cases[i].asked);
        if (r == SASL_DONE) {
            assert_true(str_eq(x.user, STR("tim")));
            assert_true(str_eq(x.password, STR("secret")));
        }
    }
    assert_null(sasl_find(STR("CRAM-MD5")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_of_rfc4616),
        cmocka_unit_test(exchanges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
