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
    assert_true(sasl_init(&x, STR("PLAIN"), NULL));
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
    assert_true(sasl_init(x, str_from_c(mechanism), NULL));
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
    assert_false(sasl_init(&x, STR("CRAM-MD5"), NULL));
    sasl_free(&x);
}

static void no_password_is_a_wrong_password(void **state)
{
    (void)state;
    CLEAN_SASL struct sasl x;
    assert_true(sasl_init(&x, STR("LOGIN"), NULL));
    assert_int_equal(sasl_begin(&x, NULL), SASL_ASK);
    assert_int_equal(sasl_answer(&x, STR("dGlt")), SASL_ASK);
    assert_int_equal(sasl_answer(&x, STR("")), SASL_DONE);
    assert_true(str_eq(x.user, STR("tim")));
    assert_int_equal(x.password.n, 0);
}

/* --- SCRAM --- */

static const unsigned char SALT[] = {0x5b, 0x6d, 0x99, 0x68, 0x9d, 0x12, 0x35, 0x8e,
                                     0xec, 0xa0, 0x4b, 0x14, 0x12, 0x36, 0xfa, 0x81};
#define NONCE      "rOprNGfwEbeRWgbNEkqO"
#define BOTH_NONCE NONCE "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
#define PROOF      "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="

static struct str coded(struct buf *to, struct str bytes)
{
    buf_reset(to);
    buf_add_base64(to, bytes);
    return buf_str(to);
}

static void expect_challenge(const struct sasl *x, struct str text)
{
    CLEAN_BUF struct buf expected;
    buf_init(&expected, 1000);
    assert_true(str_eq(str_from_c(x->challenge), coded(&expected, text)));
}

/* RFC 7677 section 3, the server's side; its secrets are in test_password. */
static void scram_of_rfc7677(void **state)
{
    (void)state;
    CLEAN_SASL struct sasl x;
    CLEAN_BUF struct buf line, signature;
    buf_init(&line, 1000);
    buf_init(&signature, 100);
    assert_true(sasl_init(&x, STR("SCRAM-SHA-256"), NULL));
    struct str first = coded(&line, STR("n,,n=user,r=" NONCE));
    assert_int_equal(sasl_begin(&x, &first), SASL_NEEDS_SALT);
    assert_true(str_eq(x.user, STR("user")));
    assert_true(str_eq(x.message, STR("n,,n=user,r=" NONCE)));
    assert_true(str_eq(x.scram.first.bare, STR("n=user,r=" NONCE)));
    struct scram_salted salted = {STR(BOTH_NONCE), str_from(SALT, sizeof SALT), 4096};
    assert_int_equal(sasl_salted(&x, &salted), SASL_ASK);
    expect_challenge(&x, STR("r=" BOTH_NONCE ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"));
    struct str final = STR("c=biws,r=" BOTH_NONCE ",p=" PROOF);
    assert_int_equal(sasl_answer(&x, coded(&line, final)), SASL_NEEDS_VERDICT);
    assert_true(str_eq(x.message, final));
    assert_true(str_eq(x.scram.final.bare, STR("c=biws,r=" BOTH_NONCE)));
    buf_add_base64_decoded(&signature, STR("6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="));
    assert_int_equal(sasl_signed(&x, (const unsigned char *)signature.p), SASL_ASK);
    expect_challenge(&x, STR("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="));
    assert_int_equal(sasl_answer(&x, STR("")), SASL_PROVEN);
}

static const struct channel_bindings BINDINGS = {
    .v = {[BINDING_TLS_EXPORTER] = {{'e', 'x', 'p'}, 3}, [BINDING_TLS_SERVER_END_POINT] = {{'e', 'n'}, 2}}};

static enum sasl_result first_of(const char *mechanism, const struct channel_bindings *b, struct str message,
                                 struct sasl *x)
{
    CLEAN_BUF struct buf line;
    buf_init(&line, 10000);
    assert_true(sasl_init(x, str_from_c(mechanism), b));
    struct str initial = coded(&line, message);
    return sasl_begin(x, &initial);
}

static void first_messages(void **state)
{
    (void)state;
    static const char *const PLUS = "SCRAM-SHA-256-PLUS", *const BARE = "SCRAM-SHA-256";
    static const struct {
        const char *const *mechanism;
        bool bound;
        struct str message;
        enum sasl_result result;
        const char *user;
    } CASES[] = {
        {&BARE, false, STR_INIT("n,,n=a=2Cb=3Dc,r=12345678"), SASL_NEEDS_SALT, "a,b=c"},
        {&BARE, false, STR_INIT("y,,n=u,r=12345678"), SASL_NEEDS_SALT, "u"},
        {&BARE, true, STR_INIT("n,,n=u,r=12345678,x=more"), SASL_NEEDS_SALT, "u"},
        {&BARE, true, STR_INIT("n,a=U,n=u,r=12345678"), SASL_NEEDS_SALT, "u"},
        {&BARE, true, STR_INIT("n,a=other,n=u,r=12345678"), SASL_FOREIGN, "u"},
        {&BARE, true, STR_INIT("y,,n=u,r=12345678"), SASL_UNBOUND, "u"}, /* it was told that we cannot bind */
        {&BARE, true, STR_INIT("p=tls-exporter,,n=u,r=12345678"), SASL_MALFORMED, "u"},
        {&PLUS, true, STR_INIT("p=tls-exporter,,n=u,r=12345678"), SASL_NEEDS_SALT, "u"},
        {&PLUS, true, STR_INIT("p=tls-server-end-point,,n=u,r=12345678"), SASL_NEEDS_SALT, "u"},
        {&PLUS, true, STR_INIT("p=tls-unique,,n=u,r=12345678"), SASL_UNBOUND,
         "u"}, /* not this connection's */
        {&PLUS, true, STR_INIT("p=tls-made-up,,n=u,r=12345678"), SASL_MALFORMED, ""},
        {&PLUS, true, STR_INIT("n,,n=u,r=12345678"), SASL_MALFORMED, "u"},
        {&BARE, false, STR_INIT("n,,m=x,n=u,r=12345678"), SASL_MALFORMED, ""},
        {&BARE, false, STR_INIT("n,,n=u=2c,r=12345678"), SASL_MALFORMED, ""},
        {&BARE, false, STR_INIT("n,,n=,r=12345678"), SASL_MALFORMED, ""},
        {&BARE, false, STR_INIT("n,,n=u\0,r=12345678"), SASL_MALFORMED, ""},
        {&BARE, false, STR_INIT("n,,n=u,r=1234567"), SASL_MALFORMED, "u"},
        {&BARE, false, STR_INIT("n,,n=u,r=1234 5678"), SASL_MALFORMED, "u"},
        {&BARE, false, STR_INIT("n,,n=u,r=12345678,"), SASL_NEEDS_SALT, "u"},
        {&BARE, false, STR_INIT("n,,n=u,r=12345678,9"), SASL_MALFORMED, "u"},
        {&BARE, false, STR_INIT("n,n=u,r=12345678"), SASL_MALFORMED, ""},
        {&BARE, false, STR_INIT("x,,n=u,r=12345678"), SASL_MALFORMED, ""},
        {&BARE, false, STR_INIT("n,,r=12345678,n=u"), SASL_MALFORMED, ""},
        {&BARE, false, STR_INIT(""), SASL_MALFORMED, ""},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        CLEAN_SASL struct sasl x;
        enum sasl_result r =
            first_of(*CASES[i].mechanism, CASES[i].bound ? &BINDINGS : NULL, CASES[i].message, &x);
        if (r != CASES[i].result)
            fail_msg("%.*s: %d", STR_ARGS(CASES[i].message), r);
        if (r == SASL_NEEDS_SALT || r == SASL_UNBOUND || r == SASL_FOREIGN)
            assert_true(str_eq(x.user, str_from_c(CASES[i].user)));
    }
    struct sasl x;
    assert_false(sasl_init(&x, STR("SCRAM-SHA-256-PLUS"), NULL));
    sasl_free(&x);
}

/* The final message `c` and `rest` after a first one with `header`. */
static enum sasl_result final_of(const char *header, struct str c, const char *rest)
{
    CLEAN_SASL struct sasl x;
    CLEAN_BUF struct buf text, line;
    buf_init(&text, 1000);
    buf_init(&line, 1000);
    buf_addf(&text, "%sn=u,r=12345678", header);
    const char *mechanism = header[0] == 'p' ? "SCRAM-SHA-256-PLUS" : "SCRAM-SHA-256";
    assert_int_equal(first_of(mechanism, &BINDINGS, buf_str(&text), &x), SASL_NEEDS_SALT);
    assert_int_equal(sasl_salted(&x, &(struct scram_salted){STR("12345678abc"), STR("salt"), 4096}),
                     SASL_ASK);
    buf_reset(&text);
    buf_add(&text, STR("c="));
    buf_add_base64(&text, c);
    buf_add_c(&text, rest);
    return sasl_answer(&x, coded(&line, buf_str(&text)));
}

static void final_messages(void **state)
{
    (void)state;
#define EXPORTER "p=tls-exporter,,"
#define GOOD     ",r=12345678abc,p=" PROOF
    assert_int_equal(final_of("n,,", STR("n,,"), GOOD), SASL_NEEDS_VERDICT);
    assert_int_equal(final_of(EXPORTER, STR(EXPORTER "exp"), GOOD), SASL_NEEDS_VERDICT);
    assert_int_equal(final_of("p=tls-server-end-point,,", STR("p=tls-server-end-point,,en"), GOOD),
                     SASL_NEEDS_VERDICT);
    assert_int_equal(final_of(EXPORTER, STR(EXPORTER "exq"), GOOD), SASL_UNBOUND);
    assert_int_equal(final_of(EXPORTER, STR(EXPORTER "ex"), GOOD), SASL_UNBOUND);
    assert_int_equal(final_of(EXPORTER, STR(EXPORTER), GOOD), SASL_UNBOUND);
    assert_int_equal(final_of(EXPORTER, STR("n,,"), GOOD), SASL_UNBOUND);
    assert_int_equal(final_of("n,,", STR("y,,"), GOOD), SASL_UNBOUND);
    assert_int_equal(final_of("n,a=u,", STR("n,,"), GOOD), SASL_UNBOUND);
    assert_int_equal(final_of("n,,", STR("n,,"), ",r=12345678abd,p=" PROOF), SASL_MALFORMED);
    assert_int_equal(final_of("n,,", STR("n,,"), ",r=12345678,p=" PROOF), SASL_MALFORMED);
    assert_int_equal(final_of("n,,", STR("n,,"), ",r=12345678abc,x=y,p=" PROOF), SASL_NEEDS_VERDICT);
    assert_int_equal(final_of("n,,", STR("n,,"), ",r=12345678abc,p=AAAA"), SASL_MALFORMED);
    assert_int_equal(final_of("n,,", STR("n,,"), ",r=12345678abc"), SASL_MALFORMED);
    assert_int_equal(final_of("n,,", STR(""), GOOD), SASL_MALFORMED);
}

/* A directory that was taken over cannot make a client sign another's nonce. */
static void the_nonce_begins_with_the_clients(void **state)
{
    (void)state;
    CLEAN_SASL struct sasl x;
    first_of("SCRAM-SHA-256", NULL, STR("n,,n=u,r=12345678"), &x);
    assert_int_equal(sasl_salted(&x, &(struct scram_salted){STR("1234567"), STR("salt"), 4096}),
                     SASL_MALFORMED);
}

static void mechanisms_are_listed(void **state)
{
    (void)state;
    CLEAN_BUF struct buf out;
    buf_init(&out, 200);
    sasl_add_names(&out, "", " ", NULL);
    assert_true(str_eq(buf_str(&out), STR("SCRAM-SHA-256 PLAIN LOGIN")));
    buf_reset(&out);
    sasl_add_names(&out, "AUTH=", " ", &BINDINGS);
    assert_true(
        str_eq(buf_str(&out), STR("AUTH=SCRAM-SHA-256-PLUS AUTH=SCRAM-SHA-256 AUTH=PLAIN AUTH=LOGIN")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_of_rfc4616),
        cmocka_unit_test(exchanges),
        cmocka_unit_test(no_password_is_a_wrong_password),
        cmocka_unit_test(scram_of_rfc7677),
        cmocka_unit_test(first_messages),
        cmocka_unit_test(final_messages),
        cmocka_unit_test(the_nonce_begins_with_the_clients),
        cmocka_unit_test(mechanisms_are_listed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
