/* The client's side of SASL: RFC 7677's example, the golub server's side as its other end, and servers that
 * lie. */
#include "check.h"

#include "sasl/client.h"
#include "sasl/prepare.h"
#include "sasl/sasl.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

static void decoded_is(const struct sasl_client *x, struct str expected)
{
    CLEAN_BUF struct buf text;
    buf_init(&text, BUF_MAX_DEFAULT);
    assert_true(buf_add_base64_decoded(&text, buf_str(&x->response)));
    assert_true(str_eq(buf_str(&text), expected));
}

static bool answer(struct sasl_client *x, struct str plain)
{
    CLEAN_BUF struct buf text;
    struct err e = ERR_INIT;
    buf_init(&text, BUF_MAX_DEFAULT);
    buf_add_base64(&text, plain);
    return sasl_client_answer(x, buf_str(&text), &e);
}

static void plain_is_one_message(void **state)
{
    (void)state;
    struct sasl_client x;
    sasl_client_begin(&x, SASL_CLIENT_PLAIN, STR("tim"), STR("tanstaaftanstaaf"), NULL, false);
    decoded_is(&x, STR("\0tim\0tanstaaftanstaaf")); /* RFC 4616 section 4 */
    assert_true(sasl_client_may_end(&x));
    assert_false(answer(&x, STR("more?")));
    sasl_client_free(&x);
}

static void login_answers_what_is_asked(void **state)
{
    (void)state;
    struct sasl_client x;
    sasl_client_begin(&x, SASL_CLIENT_LOGIN, STR("tim"), STR("secret"), NULL, false);
    assert_int_equal(x.response.n, 0);
    assert_true(answer(&x, STR("Username:")));
    decoded_is(&x, STR("tim"));
    assert_true(answer(&x, STR("Password:")));
    decoded_is(&x, STR("secret"));
    assert_false(answer(&x, STR("Again:")));
    sasl_client_free(&x);
}

/* The nonce is ours to choose, so the example's is put in its place. */
static void rfc7677_section_3_example(void **state)
{
    (void)state;
    struct sasl_client x;
    sasl_client_begin(&x, SASL_CLIENT_SCRAM, STR("user"), STR("pencil"), NULL, false);
    assert_true(str_eq(x.header, STR("n,,")));
    assert_true(str_starts(x.first_bare, STR("n=user,r=")) && x.nonce.n >= 16);
    x.nonce = STR("rOprNGfwEbeRWgbNEkqO");
    x.first_bare = STR("n=user,r=rOprNGfwEbeRWgbNEkqO");
    assert_true(answer(&x, STR("r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
                               "s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096")));
    decoded_is(&x, STR("c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
                       "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="));
    assert_false(sasl_client_may_end(&x)); /* a server that says yes without knowing the password */
    assert_true(answer(&x, STR("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")));
    assert_true(sasl_client_may_end(&x));
    assert_int_equal(x.response.n, 0);
    assert_false(answer(&x, STR("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")));
    sasl_client_free(&x);
}

static void refuses(const char *first, const char *final)
{
    struct sasl_client x;
    sasl_client_begin(&x, SASL_CLIENT_SCRAM, STR("user"), STR("pencil"), NULL, false);
    x.nonce = STR("rOprNGfwEbeRWgbNEkqO");
    x.first_bare = STR("n=user,r=rOprNGfwEbeRWgbNEkqO");
    bool went_on = answer(&x, str_from_c(first));
    assert_int_equal(went_on, final != NULL);
    if (final)
        assert_false(answer(&x, str_from_c(final)));
    assert_false(sasl_client_may_end(&x));
    sasl_client_free(&x);
}

static void servers_that_lie_are_left(void **state)
{
    (void)state;
    const char *good = "r=rOprNGfwEbeRWgbNEkqOxyz,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
    refuses("r=another,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", NULL);
    refuses("r=rOprNGfwEbeRWgbNEkqO,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", NULL);
    refuses("r=rOprNGfwEbeRWgbNEkqOxyz,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=1", NULL);
    refuses("r=rOprNGfwEbeRWgbNEkqOxyz,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4000000000", NULL);
    refuses("r=rOprNGfwEbeRWgbNEkqOxyz,s=,i=4096", NULL);
    refuses("m=x,r=rOprNGfwEbeRWgbNEkqOxyz,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", NULL);
    refuses("", NULL);
    refuses(good, "v=AAAA");
    refuses(good, "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
    refuses(good, "e=invalid-proof");
    refuses(good, "");
}

static void names_are_prepared_and_escaped(void **state)
{
    (void)state;
    struct sasl_client x;
    sasl_client_begin(&x, SASL_CLIENT_SCRAM, STR("a,b=c\u00aa"), STR("p"), NULL, false);
    assert_true(str_starts(x.first_bare, STR("n=a=2Cb=3Dca,r=")));
    sasl_client_free(&x);
}

static void what_is_said_of_channel_binding(void **state) /* RFC 5802 section 6 */
{
    (void)state;
    struct sasl_client x;
    struct channel_bindings b = {0};
    b.v[BINDING_TLS_SERVER_END_POINT].n = 32;
    assert_false(sasl_client_can_bind(NULL));
    assert_true(sasl_client_can_bind(&b));
    sasl_client_begin(&x, SASL_CLIENT_SCRAM_PLUS, STR("u"), STR("p"), &b, true);
    assert_true(str_eq(x.header, STR("p=tls-server-end-point,,")));
    sasl_client_free(&x);
    b.v[BINDING_TLS_EXPORTER].n = 32;
    sasl_client_begin(&x, SASL_CLIENT_SCRAM_PLUS, STR("u"), STR("p"), &b, true);
    assert_true(str_eq(x.header, STR("p=tls-exporter,,")));
    sasl_client_free(&x);
    sasl_client_begin(&x, SASL_CLIENT_SCRAM, STR("u"), STR("p"), &b, false);
    assert_true(str_eq(x.header, STR("y,,")));
    sasl_client_free(&x);
}

/* --- with our own server's side --- */

static void sign(struct str password, const struct scram_salted *s, struct sasl *server,
                 unsigned char signature[SCRAM_KEY_BYTES], struct str auth)
{
    unsigned char salted[32], key[32];
    unsigned n = 32;
    (void)server;
    PKCS5_PBKDF2_HMAC(password.p, (int)password.n, (const unsigned char *)s->salt.p, (int)s->salt.n,
                      (int)s->iterations, EVP_sha256(), 32, salted);
    HMAC(EVP_sha256(), salted, 32, (const unsigned char *)"Server Key", 10, key, &n);
    HMAC(EVP_sha256(), key, 32, (const unsigned char *)auth.p, auth.n, signature, &n);
}

static void our_server_understands_us(void **state)
{
    (void)state;
    CLEAN_SASL struct sasl server;
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct sasl_client x;
    struct channel_bindings b = {0};
    struct err e = ERR_INIT;
    unsigned char signature[SCRAM_KEY_BYTES];
    b.v[BINDING_TLS_EXPORTER].n = 32;
    memset(b.v[BINDING_TLS_EXPORTER].bytes, 7, 32);
    sasl_client_begin(&x, SASL_CLIENT_SCRAM_PLUS, STR("ana"), STR("pencil"), &b, true);
    assert_true(sasl_init(&server, str_from_c(sasl_client_name(x.mechanism)), &b));
    struct str first = buf_str(&x.response);
    assert_int_equal(sasl_begin(&server, &first), SASL_NEEDS_SALT);
    struct scram_salted s = {.nonce = arena_printf(&a, "%.*sserver", STR_ARGS(x.nonce)),
                             .salt = STR("0123456789abcdef"),
                             .iterations = 4096};
    assert_int_equal(sasl_salted(&server, &s), SASL_ASK);
    assert_true(sasl_client_answer(&x, str_from_c(server.challenge), &e));
    assert_int_equal(sasl_answer(&server, buf_str(&x.response)), SASL_NEEDS_VERDICT);
    struct str auth = arena_printf(&a, "%.*s,%.*s,%.*s", STR_ARGS(x.first_bare),
                                   STR_ARGS(scram_write_salted(&s, &a)), STR_ARGS(server.scram.final.bare));
    sign(STR("pencil"), &s, &server, signature, auth);
    assert_int_equal(sasl_signed(&server, signature), SASL_ASK);
    assert_true(sasl_client_answer(&x, str_from_c(server.challenge), &e));
    assert_true(sasl_client_may_end(&x));
    assert_int_equal(sasl_answer(&server, buf_str(&x.response)), SASL_PROVEN);
    assert_true(str_eq(server.user, STR("ana")));
    sasl_client_free(&x);
}

int main(void)
{
    sasl_prepare_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_is_one_message),           cmocka_unit_test(login_answers_what_is_asked),
        cmocka_unit_test(rfc7677_section_3_example),      cmocka_unit_test(servers_that_lie_are_left),
        cmocka_unit_test(names_are_prepared_and_escaped), cmocka_unit_test(what_is_said_of_channel_binding),
        cmocka_unit_test(our_server_understands_us),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
