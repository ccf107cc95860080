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

static bool offers(struct pop3_offer offer, const char *line)
{
    CLEAN_BUF struct buf text;
    buf_init(&text, 1000);
    pop3_add_capabilities(&text, offer);
    assert_true(str_ends(buf_str(&text), STR("\r\n.\r\n")));
    return str_find(buf_str(&text), str_from_c(line)) != STR_NONE;
}

static void capabilities_fit_the_state(void **state)
{
    (void)state;
    struct pop3_offer plain = {.starttls = true}, tls = {.login = true}, after = {0};
    assert_true(offers(plain, "STLS\r\n"));
    assert_false(offers(plain, "USER"));
    assert_false(offers(plain, "SASL"));
    assert_false(offers(tls, "STLS"));
    assert_true(offers(tls, "SASL SCRAM-SHA-256 PLAIN LOGIN\r\n"));
    assert_true(offers(tls, "USER\r\n"));
    assert_false(offers(after, "STLS"));
    assert_false(offers(after, "USER"));
    assert_true(offers(after, "UIDL\r\n"));
    assert_true(offers(after, "TOP\r\n"));
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
