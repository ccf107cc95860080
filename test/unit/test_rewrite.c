/* Addresses in header fields become others, and nothing else changes. */
#include "check.h"
#include "message/rewrite.h"
#include "message/submission.h"

static const struct rewrite MAPS[] = {
    {REWRITE_SENDERS, STR_INIT("ana@host.test"), STR_INIT("Ana.Lee@x.test")},
    {REWRITE_RECIPIENTS, STR_INIT("bob@old.test"), STR_INIT("bob@new.test")},
    {REWRITE_SENDERS, STR_INIT("\"a b\"@host.test"), STR_INIT("ab@x.test")},
};

static void check(const char *field, enum rewrite_class of, const char *expected)
{
    CLEAN_BUF struct buf out;
    buf_init(&out, 10000);
    rewrite_field(str_from_c(field), of, MAPS, 3, &out);
    buf_add_byte(&out, '\0');
    assert_string_equal(out.p, expected);
}

static void addresses_become_others(void **state)
{
    (void)state;
    check("From: Ana <ana@host.test>\r\n", REWRITE_SENDERS, "From: Ana <Ana.Lee@x.test>\r\n");
    check("From: ANA@Host.Test\r\n", REWRITE_SENDERS, "From: Ana.Lee@x.test\r\n");
    check("From:ana@host.test,\r\n ana@host.test (ana@host.test)\r\n", REWRITE_SENDERS,
          "From:Ana.Lee@x.test,\r\n Ana.Lee@x.test (ana@host.test)\r\n");
    check("From: \"a b\"@host.test\r\n", REWRITE_SENDERS, "From: ab@x.test\r\n");
    check("To: g: bob@old.test, Bob <bob@old.test>;\r\n", REWRITE_RECIPIENTS,
          "To: g: bob@new.test, Bob <bob@new.test>;\r\n");
}

static void what_only_looks_like_one_stays(void **state)
{
    (void)state;
    static const char *const SAME[] = {
        "From: \"ana@host.test\" <x@y.test>\r\n",
        "From: x (ana@host.test (ana@host.test)) <x@y.test>\r\n",
        "From: diana@host.test\r\n",
        "From: ana@host.test.example\r\n",
        "From: x.ana@host.test\r\n",
        "From: bob@old.test\r\n",
        "From: \"a\\\" ana@host.test \"\r\n",
        "",
        "From: ana @ host.test\r\n",
    };
    for (size_t i = 0; i < sizeof SAME / sizeof SAME[0]; i++)
        check(SAME[i], REWRITE_SENDERS, SAME[i]);
    check("To: ana@host.test\r\n", REWRITE_RECIPIENTS, "To: ana@host.test\r\n");
}

static void fields_have_classes(void **state)
{
    (void)state;
    assert_int_equal(rewrite_class(STR("FROM")), REWRITE_SENDERS);
    assert_int_equal(rewrite_class(STR("reply-to")), REWRITE_SENDERS);
    assert_int_equal(rewrite_class(STR("Resent-Cc")), REWRITE_RECIPIENTS);
    assert_int_equal(rewrite_class(STR("Subject")), REWRITE_NONE);
    assert_int_equal(rewrite_class(STR("")), REWRITE_NONE);
}

static void a_submission_is_rewritten_and_says_who_sent_it(void **state)
{
    (void)state;
    CLEAN_BUF struct buf out;
    struct submission_fix fix = {.hostname = STR("h"),
                                 .unique = STR("u"),
                                 .sender = STR("ana@x.test"),
                                 .rewrites = MAPS,
                                 .rewrite_count = 3};
    struct str message = STR("Date: d\r\nMessage-ID: <ana@host.test>\r\nFrom: ana@host.test\r\n"
                             "Sender: other@y.test\r\nCc: bob@old.test\r\nSubject: ana@host.test\r\n\r\n"
                             "From: ana@host.test\r\n");
    buf_init(&out, 10000);
    buf_add(&out, str_from_offset(message, submission_fix_header(message, &fix, &out)));
    buf_add_byte(&out, '\0');
    assert_string_equal(out.p, "Sender: <ana@x.test>\r\nDate: d\r\nMessage-ID: <ana@host.test>\r\n"
                               "From: Ana.Lee@x.test\r\nCc: bob@new.test\r\nSubject: ana@host.test\r\n\r\n"
                               "From: ana@host.test\r\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_become_others),
        cmocka_unit_test(what_only_looks_like_one_stays),
        cmocka_unit_test(fields_have_classes),
        cmocka_unit_test(a_submission_is_rewritten_and_says_who_sent_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
