/* POP3's command lines. */
#include "check.h"
#include "pop3/parse.h"

static struct pop3_command parsed(const char *line)
{
    struct pop3_command c;
    const char *problem = NULL;
    if (!pop3_parse(str_from_c(line), &c, &problem))
        fail_msg("%s: %s", line, problem);
    return c;
}

static void refused(struct str line, enum pop3_verb verb)
{
    struct pop3_command c;
    const char *problem = NULL;
    if (pop3_parse(line, &c, &problem))
        fail_msg("accepted: %.*s", STR_ARGS(line));
    assert_non_null(problem);
    assert_int_equal(c.verb, verb);
}

static void verbs_in_any_case(void **state)
{
    (void)state;
    assert_int_equal(parsed("STAT").verb, POP3_STAT);
    assert_int_equal(parsed("stat").verb, POP3_STAT);
    assert_int_equal(parsed("sTaT ").verb, POP3_STAT);
    assert_int_equal(parsed("QUIT").verb, POP3_QUIT);
    assert_int_equal(parsed("CAPA").verb, POP3_CAPA);
    assert_int_equal(parsed("STLS").verb, POP3_STLS);
    assert_int_equal(parsed("APOP mrose c4c9334bac560ecc979e58001b3e22fb").verb, POP3_APOP);
}

static void numbers(void **state)
{
    (void)state;
    struct pop3_command c = parsed("RETR 17");
    assert_true(c.has_number);
    assert_int_equal(c.number, 17);
    c = parsed("TOP 3 10");
    assert_int_equal(c.number, 3);
    assert_int_equal(c.lines, 10);
    assert_int_equal(parsed("TOP 3 0").lines, 0);
    assert_false(parsed("LIST").has_number);
    assert_int_equal(parsed("LIST 2").number, 2);
    assert_false(parsed("UIDL").has_number);
}

static void a_password_may_hold_spaces(void **state)
{
    (void)state;
    assert_true(str_eq(parsed("PASS correct horse  battery ").text, STR("correct horse  battery ")));
    assert_true(str_eq(parsed("USER ana@example.org").text, STR("ana@example.org")));
}

static void auth_of_rfc5034(void **state)
{
    (void)state;
    struct pop3_command c = parsed("AUTH PLAIN dGVzdAB0ZXN0AHRlc3Q=");
    assert_true(str_eq(c.text, STR("PLAIN")));
    assert_true(c.has_response);
    assert_true(str_eq(c.response, STR("dGVzdAB0ZXN0AHRlc3Q=")));
    c = parsed("AUTH PLAIN =");
    assert_true(str_eq(c.response, STR("=")));
    c = parsed("AUTH PLAIN");
    assert_false(c.has_response);
    assert_int_equal(parsed("AUTH").text.n, 0);
}

static void nonsense(void **state)
{
    (void)state;
    refused(STR(""), POP3_UNKNOWN);
    refused(STR("XTND XMIT"), POP3_UNKNOWN);
    refused(STR("GET / HTTP/1.1"), POP3_UNKNOWN);
    refused(STR(" STAT"), POP3_UNKNOWN);
    refused(STR("STAT 1"), POP3_STAT);
    refused(STR("RETR"), POP3_RETR);
    refused(STR("RETR 0"), POP3_RETR);
    refused(STR("RETR -1"), POP3_RETR);
    refused(STR("RETR 4294967296"), POP3_RETR);
    refused(STR("RETR 1 2"), POP3_RETR);
    refused(STR("TOP 1"), POP3_TOP);
    refused(STR("TOP 1 x"), POP3_TOP);
    refused(STR("PASS"), POP3_PASS);
    refused(STR("USER "), POP3_USER);
    refused(STR("AUTH PLAIN a b"), POP3_AUTH);
    refused(STR("USER a\0b"), POP3_UNKNOWN);
    refused(STR("STAT\rQUIT"), POP3_UNKNOWN);
}

static bool offers(const struct config *config, struct pop3_offer offer, const char *line)
{
    CLEAN_BUF struct buf text;
    buf_init(&text, 1000);
    pop3_add_capabilities(&text, config, &offer);
    assert_true(str_ends(buf_str(&text), STR("\r\n.\r\n")));
    return str_find(buf_str(&text), str_from_c(line)) != STR_NONE;
}

static void capabilities_fit_the_state(void **state)
{
    (void)state;
    static const struct config CONFIG;
    static const struct channel_bindings BINDINGS = {.v[BINDING_TLS_EXPORTER].n = 32};
    struct pop3_offer plain = {.starttls = true}, tls = {.login = true}, after = {0},
                      bound = {.login = true, .bindings = &BINDINGS};
    assert_true(offers(&CONFIG, plain, "STLS\r\n"));
    assert_false(offers(&CONFIG, plain, "\r\nUSER"));
    assert_false(offers(&CONFIG, plain, "SASL"));
    assert_false(offers(&CONFIG, tls, "STLS"));
    assert_true(offers(&CONFIG, tls, "SASL SCRAM-SHA-256 PLAIN LOGIN\r\n"));
    assert_true(offers(&CONFIG, bound, "SASL SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN LOGIN\r\n"));
    assert_true(offers(&CONFIG, tls, "\r\nUSER\r\n"));
    assert_false(offers(&CONFIG, after, "STLS"));
    assert_false(offers(&CONFIG, after, "\r\nUSER"));
    assert_true(offers(&CONFIG, after, "UIDL\r\n"));
    assert_true(offers(&CONFIG, after, "TOP\r\n"));
    assert_true(offers(&CONFIG, after, "UTF8 USER\r\n"));
    assert_true(offers(&CONFIG, plain, "LANG\r\n"));
}

static void policies_are_told(void **state)
{
    (void)state;
    static const struct config NONE, SOME = {.pop3_expire_days = 30, .pop3_login_delay_s = 60};
    struct pop3_offer after = {0};
    assert_true(offers(&NONE, after, "EXPIRE NEVER\r\n"));
    assert_false(offers(&NONE, after, "LOGIN-DELAY"));
    assert_true(offers(&SOME, after, "EXPIRE 30\r\n"));
    assert_true(offers(&SOME, after, "LOGIN-DELAY 60\r\n"));
}

static void languages_of_rfc6856(void **state)
{
    (void)state;
    static const struct {
        const char *line, *answer;
    } CASES[] = {
        {"LANG", "+OK Languages follow\r\nen English\r\ni-default Default\r\n.\r\n"},
        {"LANG *", "+OK en "},
        {"LANG EN", "+OK en "},
        {"lang en-GB-oed", "+OK en "},
        {"LANG i-default", "+OK i-default "},
        {"LANG sr-Latn", "-ERR "},
        {"LANG -", "-ERR "},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        CLEAN_BUF struct buf out;
        struct pop3_command c = parsed(CASES[i].line);
        buf_init(&out, 1000);
        assert_int_equal(c.verb, POP3_LANG);
        pop3_answer_lang(&c, &out);
        assert_true(str_starts(buf_str(&out), str_from_c(CASES[i].answer)));
        assert_true(str_ends(buf_str(&out), STR("\r\n")));
    }
    refused(STR("LANG en de"), POP3_LANG);
    assert_int_equal(parsed("UTF8").verb, POP3_UTF8);
    refused(STR("UTF8 USER"), POP3_UTF8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verbs_in_any_case),
        cmocka_unit_test(numbers),
        cmocka_unit_test(a_password_may_hold_spaces),
        cmocka_unit_test(auth_of_rfc5034),
        cmocka_unit_test(nonsense),
        cmocka_unit_test(capabilities_fit_the_state),
        cmocka_unit_test(policies_are_told),
        cmocka_unit_test(languages_of_rfc6856),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
