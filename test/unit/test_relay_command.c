/* What relay writes in MAIL and RCPT, and to whom: the examples of the RFCs, by section. Also paths and
 * transcripts. */
#include "check.h"

#include "directory/address.h"
#include "relay/command.h"
#include "relay/path.h"
#include "relay/transcript.h"

#include <string.h>

#define EVERYTHING (~0u)
#define NOW        1000000

static struct envelope plain(void)
{
    return (struct envelope)ENVELOPE_INIT;
}

static void mail_is(const struct envelope *asked, const char *sender, unsigned offers,
                    const struct command_terms *t, const char *expected)
{
    CLEAN_BUF struct buf out;
    struct ehlo e = {.offers = offers};
    struct command_message m = {.sender = str_from_c(sender), .asked = asked, .size = 500, .now = NOW};
    buf_init(&out, BUF_MAX_DEFAULT);
    command_mail(&out, &m, &e, t);
    assert_true(str_ends(buf_str(&out), STR("\r\n")));
    buf_truncate(&out, out.n - 2);
    buf_add_byte(&out, '\0');
    assert_string_equal(out.p, expected);
}

static void rcpt_is(const struct envelope_recipient *asked, const char *path, unsigned offers, bool is_utf8,
                    const char *expected)
{
    CLEAN_BUF struct buf out;
    struct ehlo e = {.offers = offers};
    struct command_terms t = {.is_utf8 = is_utf8};
    buf_init(&out, BUF_MAX_DEFAULT);
    command_rcpt(&out, str_from_c(path), asked, &e, &t);
    assert_true(str_ends(buf_str(&out), STR("\r\n")));
    buf_truncate(&out, out.n - 2);
    buf_add_byte(&out, '\0');
    assert_string_equal(out.p, expected);
}

/* --- parameters --- */

static void what_is_not_offered_is_not_said(void **state)
{
    (void)state;
    struct envelope asked = {.ret = ENVELOPE_RETURN_FULL,
                             .by = ENVELOPE_BY_NOTIFY,
                             .deliver_by = NOW + 10,
                             .priority = 3,
                             .id = STR("x")};
    struct envelope_recipient to = {.notify = ENVELOPE_NOTIFY_SUCCESS, .original = STR("rfc822;a@b")};
    struct command_terms t = {.body = ENVELOPE_8BIT, .is_authenticated = true};
    mail_is(&asked, "a@b.example", 0, &t, "MAIL FROM:<a@b.example>");
    mail_is(&asked, "", 0, &t, "MAIL FROM:<>");
    rcpt_is(&to, "c@d.example", 0, false, "RCPT TO:<c@d.example>");
}

static void plain_mail_has_no_parameters_but_size(void **state)
{
    (void)state;
    struct envelope asked = plain();
    struct envelope_recipient to = ENVELOPE_RECIPIENT_INIT;
    mail_is(&asked, "a@b.example", EVERYTHING, &(struct command_terms){0},
            "MAIL FROM:<a@b.example> SIZE=500");
    rcpt_is(&to, "c@d.example", EVERYTHING, false, "RCPT TO:<c@d.example>");
}

static void bodies(void **state) /* RFC 6152 section 3, RFC 3030 section 3 */
{
    (void)state;
    struct envelope asked = plain();
    mail_is(&asked, "ned@ymir.claremont.edu", EHLO_8BITMIME, &(struct command_terms){.body = ENVELOPE_8BIT},
            "MAIL FROM:<ned@ymir.claremont.edu> BODY=8BITMIME");
    mail_is(&asked, "ned@ymir.claremont.edu", EHLO_8BITMIME | EHLO_BINARYMIME | EHLO_CHUNKING,
            &(struct command_terms){.body = ENVELOPE_BINARY},
            "MAIL FROM:<ned@ymir.claremont.edu> BODY=BINARYMIME");
}

static void rfc3461_section_10_example(void **state)
{
    (void)state;
    struct envelope asked = plain();
    struct envelope_recipient to = {.notify = ENVELOPE_NOTIFY_SUCCESS | ENVELOPE_NOTIFY_FAILURE,
                                    .original = STR("rfc822;Bob@Example.COM")};
    asked.ret = ENVELOPE_RETURN_HEADERS;
    asked.id = STR("QQ314159");
    mail_is(&asked, "Alice@Example.ORG", EHLO_DSN, &(struct command_terms){0},
            "MAIL FROM:<Alice@Example.ORG> RET=HDRS ENVID=QQ314159");
    rcpt_is(&to, "Bob@Example.COM", EHLO_DSN, false,
            "RCPT TO:<Bob@Example.COM> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;Bob@Example.COM");
    to = (struct envelope_recipient){.notify = ENVELOPE_NOTIFY_NEVER,
                                     .original = STR("rfc822;Dana@Ivory.EDU")};
    rcpt_is(&to, "Dana@Ivory.EDU", EHLO_DSN, false,
            "RCPT TO:<Dana@Ivory.EDU> NOTIFY=NEVER ORCPT=rfc822;Dana@Ivory.EDU");
}

static void xtext_keeps_what_would_break_the_line(void **state) /* RFC 3461 section 4 */
{
    (void)state;
    struct envelope asked = plain();
    struct envelope_recipient to = {.original = STR("rfc822;a+b=c d@e.example")};
    asked.id = STR("a b+c=\r\nRSET");
    mail_is(&asked, "", EHLO_DSN, &(struct command_terms){0}, "MAIL FROM:<> ENVID=a+20b+2Bc+3D+0D+0ARSET");
    rcpt_is(&to, "x@y.example", EHLO_DSN, false,
            "RCPT TO:<x@y.example> ORCPT=rfc822;a+2Bb+3Dc+20d@e.example");
    to.original = STR("no type");
    rcpt_is(&to, "x@y.example", EHLO_DSN, false, "RCPT TO:<x@y.example>");
}

static void originals_in_utf8(void **state) /* RFC 6533 section 3 */
{
    (void)state;
    struct envelope_recipient to = {.original = STR("utf-8;\u010d+\\@e.example")};
    rcpt_is(&to, "x@y.example", EHLO_DSN, false,
            "RCPT TO:<x@y.example> ORCPT=utf-8;\\x{10D}\\x{2B}\\x{5C}@e.example");
    rcpt_is(&to, "x@y.example", EHLO_DSN, true,
            "RCPT TO:<x@y.example> ORCPT=utf-8;\u010d\\x{2B}\\x{5C}@e.example");
}

static void time_that_is_left(void **state) /* RFC 2852 section 4 */
{
    (void)state;
    struct command_terms t = {0};
    struct envelope asked = plain();
    asked.by = ENVELOPE_BY_RETURN;
    asked.deliver_by = NOW + 120;
    mail_is(&asked, "a@b.example", EHLO_DELIVERBY, &t, "MAIL FROM:<a@b.example> BY=120;R");
    asked.by = ENVELOPE_BY_NOTIFY;
    asked.by_trace = true;
    asked.deliver_by = NOW - 40;
    mail_is(&asked, "a@b.example", EHLO_DELIVERBY, &t, "MAIL FROM:<a@b.example> BY=-40;NT");
    asked.deliver_by = INT64_C(99999999999);
    mail_is(&asked, "a@b.example", EHLO_DELIVERBY, &t, "MAIL FROM:<a@b.example> BY=999999999;NT");
}

static void priority_tls_utf8_and_submitter(void **state)
{
    (void)state;
    struct command_terms t = {.is_utf8 = true, .is_authenticated = true};
    struct envelope asked = plain();
    asked.priority = -3; /* RFC 6710 section 5 */
    asked.requires_tls = true;
    mail_is(&asked, "a@b.example", EVERYTHING, &t,
            "MAIL FROM:<a@b.example> SIZE=500 SMTPUTF8 REQUIRETLS MT-PRIORITY=-3 AUTH=<>");
    asked = plain();
    asked.submitter = 7; /* RFC 4954 section 5 */
    t.is_utf8 = false;
    mail_is(&asked, "e=mc2@example.com", EHLO_AUTH, &t,
            "MAIL FROM:<e=mc2@example.com> AUTH=e+3Dmc2@example.com");
}

/* --- who can take it --- */

static void fit_is(const struct command_message *m, struct ehlo e, enum command_fit expected, const char *why)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct str got = STR("");
    assert_int_equal(command_fit(m, &e, &a, &got), expected);
    assert_true(str_starts(got, str_from_c(why)));
}

static void what_a_server_must_offer(void **state)
{
    (void)state;
    struct envelope asked = plain();
    struct command_message m = {.sender = STR("a@b.example"), .asked = &asked, .size = 500, .now = NOW};
    struct ehlo none = {0}, all = {.offers = EVERYTHING};
    fit_is(&m, none, COMMAND_FITS, "");
    m.body = ENVELOPE_8BIT;
    fit_is(&m, none, COMMAND_NEEDS_7BIT, "");
    fit_is(&m, all, COMMAND_FITS, "");
    m.body = ENVELOPE_BINARY;
    fit_is(&m, none, COMMAND_NEEDS_7BIT, "");
    fit_is(&m, (struct ehlo){.offers = EHLO_8BITMIME | EHLO_CHUNKING}, COMMAND_NEEDS_8BIT, "");
    fit_is(&m, all, COMMAND_FITS, "");
    m.body = ENVELOPE_7BIT;
    fit_is(&m, (struct ehlo){.offers = EHLO_SIZE, .size_max = 499}, COMMAND_REFUSED, "5.3.4 ");
    fit_is(&m, (struct ehlo){.offers = EHLO_SIZE, .size_max = 500}, COMMAND_FITS, "");
    asked.requires_tls = true;
    fit_is(&m, none, COMMAND_REFUSED, "5.7.30 "); /* RFC 8689 section 4.2.1 */
    fit_is(&m, all, COMMAND_FITS, "");
}

static void what_is_in_utf8_goes_to_who_offers_it(void **state) /* RFC 6531 section 3.2 */
{
    (void)state;
    struct envelope asked = plain();
    struct command_message m = {.sender = STR("\u010da@b.example"), .asked = &asked, .size = 500, .now = NOW};
    struct ehlo none = {0}, all = {.offers = EVERYTHING};
    fit_is(&m, none, COMMAND_REFUSED, "5.6.7 ");
    fit_is(&m, all, COMMAND_FITS, "");
    m.sender = STR("a@b.example");
    asked.is_utf8 = true; /* asked for, but nothing needs it */
    fit_is(&m, none, COMMAND_FITS, "");
    m.has_utf8_header = true;
    fit_is(&m, none, COMMAND_REFUSED, "5.6.7 ");
}

static void what_must_be_there_in_time(void **state) /* RFC 2852 section 4 */
{
    (void)state;
    struct envelope asked = plain();
    struct command_message m = {.sender = STR("a@b.example"), .asked = &asked, .size = 500, .now = NOW};
    struct ehlo none = {0}, all = {.offers = EVERYTHING, .by_min = 60};
    asked.by = ENVELOPE_BY_NOTIFY;
    asked.deliver_by = NOW + 30;
    fit_is(&m, none, COMMAND_FITS, "");
    fit_is(&m, all, COMMAND_FITS, "");
    asked.by = ENVELOPE_BY_RETURN;
    fit_is(&m, none, COMMAND_REFUSED, "5.3.3 ");
    fit_is(&m, all, COMMAND_REFUSED, "5.4.7 ");
    asked.deliver_by = NOW + 60;
    fit_is(&m, all, COMMAND_FITS, "");
    asked.deliver_by = NOW;
    fit_is(&m, all, COMMAND_REFUSED, "5.4.7 ");
}

/* --- paths --- */

static void path_is(const char *address, const char *expected)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct str path = STR("");
    assert_int_equal(path_write(str_from_c(address), &a, &path), expected != NULL);
    if (expected)
        assert_true(str_eq(path, str_from_c(expected)));
}

static void addresses_as_paths(void **state)
{
    (void)state;
    directory_address_init();
    path_is("a@b.example", "a@b.example");
    path_is("two words@b.example", "\"two words\"@b.example");
    path_is("\"two words\"@b.example", "\"two words\"@b.example");
    path_is("a@[192.0.2.1]", "a@[192.0.2.1]");
    path_is("a@under_score.example", "a@under_score.example");
    path_is("a@b\u00fccher.example", "a@xn--bcher-kva.example");
    path_is("\u010da@b\u00fccher.example", "\u010da@xn--bcher-kva.example");
    path_is("a\xff@b.example", NULL);
    path_is("a", NULL);
    path_is("@b.example", NULL);
    path_is("a@", NULL);
    path_is("a\r\nRSET@b.example", NULL);
    path_is("a@b> SIZE=1", NULL);
    path_is("a\x7f@b.example", NULL);
}

/* --- transcripts --- */

static void lines_of_a_transcript(void **state)
{
    (void)state;
    struct transcript t;
    CLEAN_ARENA struct arena a = ARENA_INIT;
    transcript_begin(&t);
    transcript_add(&t, TRANSCRIPT_GOT, STR("220 mail.example \x1b[31m\xff \u010da"));
    transcript_addf(&t, TRANSCRIPT_SENT, "EHLO %s", "me");
    transcript_add(NULL, TRANSCRIPT_SENT, STR("to nobody"));
    struct str rest = transcript_text(&t, &a), line, time;
    assert_true(str_cut(&rest, '\n', &line) && str_cut(&line, ' ', &time));
    assert_true(str_eq(line, STR("< 220 mail.example ?[31m? \u010da")));
    assert_true(str_cut(&rest, '\n', &line) && str_cut(&line, ' ', &time));
    assert_true(str_eq(line, STR("> EHLO me")) && rest.n == 0);
    transcript_free(&t);
}

static void a_long_one_keeps_its_beginning_and_its_end(void **state)
{
    (void)state;
    struct transcript t;
    CLEAN_ARENA struct arena a = ARENA_INIT;
    char long_line[3000];
    memset(long_line, 'x', sizeof long_line);
    transcript_begin(&t);
    for (int i = 0; i < 2000; i++)
        transcript_addf(&t, TRANSCRIPT_SENT, "line %d.", i);
    transcript_add(&t, TRANSCRIPT_GOT, str_from(long_line, sizeof long_line));
    struct str out = transcript_text(&t, &a);
    assert_true(out.n <= QUEUE_TRANSCRIPT_MAX);
    assert_true(str_find(out, STR("line 0.")) != STR_NONE);
    assert_true(str_find(out, STR("line 1000.")) == STR_NONE);
    assert_true(str_find(out, STR(" lines are left out here\n")) != STR_NONE);
    assert_true(str_find(out, STR("line 1999.")) != STR_NONE);
    assert_true(str_ends(out, STR("xxx\n")));
    transcript_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_offered_is_not_said),
        cmocka_unit_test(plain_mail_has_no_parameters_but_size),
        cmocka_unit_test(bodies),
        cmocka_unit_test(rfc3461_section_10_example),
        cmocka_unit_test(xtext_keeps_what_would_break_the_line),
        cmocka_unit_test(originals_in_utf8),
        cmocka_unit_test(time_that_is_left),
        cmocka_unit_test(priority_tls_utf8_and_submitter),
        cmocka_unit_test(what_a_server_must_offer),
        cmocka_unit_test(what_is_in_utf8_goes_to_who_offers_it),
        cmocka_unit_test(what_must_be_there_in_time),
        cmocka_unit_test(addresses_as_paths),
        cmocka_unit_test(lines_of_a_transcript),
        cmocka_unit_test(a_long_one_keeps_its_beginning_and_its_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
