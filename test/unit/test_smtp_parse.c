#include "check.h"
#include "gate/connection.h"
#include "smtp/parse.h"
#include "smtp/received.h"

#include <stdio.h>
#include <string.h>

static enum smtp_fault parse(const char *line, struct arena *a, struct smtp_command *c)
{
    return smtp_parse(str_from_c(line), a, c);
}

/* The lines of RFC 5321 section 4.1.1 and appendix D, and of the extensions' own examples. */
static void reads_the_rfcs_examples(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        enum smtp_verb verb;
        const char *argument; /* NULL: not looked at */
        const char *path;     /* as smtp_path_text; NULL: none */
    } LINES[] = {
        {"EHLO bar.com", SMTP_EHLO, "bar.com", NULL},
        {"ehlo [IPv6:2001:db8::1]", SMTP_EHLO, "[IPv6:2001:db8::1]", NULL},
        {"HELO Bar.com", SMTP_HELO, "Bar.com", NULL},
        {"EHLO my_windows_box ", SMTP_EHLO, "my_windows_box", NULL},
        {"MAIL FROM:<Smith@bar.com>", SMTP_MAIL, NULL, "Smith@bar.com"},
        {"mail from:<userx@y.foo.org>", SMTP_MAIL, NULL, "userx@y.foo.org"},
        {"MAIL FROM:<>", SMTP_MAIL, NULL, ""},
        {"MAIL FROM: <a@b.c>", SMTP_MAIL, NULL, "a@b.c"},
        {"RCPT TO:<Jones@foo.com>", SMTP_RCPT, NULL, "Jones@foo.com"},
        {"RCPT TO:<@hosta.int,@jkl.org:userc@d.bar.org>", SMTP_RCPT, NULL, "userc@d.bar.org"},
        {"RCPT TO:<Postmaster>", SMTP_RCPT, NULL, "postmaster"},
        {"RCPT TO:<Postmaster@example.com>", SMTP_RCPT, NULL, "Postmaster@example.com"},
        {"RCPT TO:<\"Joe\\,Smith\"@x.org>", SMTP_RCPT, NULL, "\"Joe,Smith\"@x.org"},
        {"RCPT TO:<\"joe\"@x.org>", SMTP_RCPT, NULL, "joe@x.org"},
        {"RCPT TO:<\"a>b\"@x.org>", SMTP_RCPT, NULL, "\"a>b\"@x.org"},
        {"RCPT TO:<\"a@b\"@x.org>", SMTP_RCPT, NULL, "\"a@b\"@x.org"},
        {"RCPT TO:<x@[192.0.2.1]>", SMTP_RCPT, NULL, "x@[192.0.2.1]"},
        {"RCPT TO:<x@[IPv6:2001:db8::1]>", SMTP_RCPT, NULL, "x@[IPv6:2001:db8::1]"},
        {"RCPT TO:<user%other.org@x.org>", SMTP_RCPT, NULL, "user%other.org@x.org"},
        {"DATA", SMTP_DATA, "", NULL},
        {"DATA  ", SMTP_DATA, "", NULL},
        {"RSET", SMTP_RSET, "", NULL},
        {"NOOP", SMTP_NOOP, "", NULL},
        {"NOOP anything at all", SMTP_NOOP, "anything at all", NULL},
        {"VRFY Crispin", SMTP_VRFY, "Crispin", NULL},
        {"EXPN Example-People", SMTP_EXPN, "Example-People", NULL},
        {"HELP", SMTP_HELP, "", NULL},
        {"QUIT", SMTP_QUIT, "", NULL},
        {"STARTTLS", SMTP_STARTTLS, "", NULL},
        {"AUTH PLAIN", SMTP_AUTH, "PLAIN", NULL},
    };
    for (size_t i = 0; i < sizeof LINES / sizeof *LINES; i++) {
        CLEAN_ARENA struct arena a = ARENA_INIT;
        struct smtp_command c;
        if (parse(LINES[i].line, &a, &c) != SMTP_GOOD || c.verb != LINES[i].verb)
            fail_msg("%s", LINES[i].line);
        if (LINES[i].argument && !str_eq(c.argument, str_from_c(LINES[i].argument)))
            fail_msg("%s: argument %.*s", LINES[i].line, STR_ARGS(c.argument));
        if (LINES[i].path && !str_eq(smtp_path_text(&c.path, &a), str_from_c(LINES[i].path)))
            fail_msg("%s: path %.*s", LINES[i].line, STR_ARGS(smtp_path_text(&c.path, &a)));
    }
}

static void tells_what_is_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        enum smtp_fault fault;
    } LINES[] = {
        {"", SMTP_NO_SUCH_VERB},
        {"   ", SMTP_NO_SUCH_VERB},
        {"GET / HTTP/1.1", SMTP_NO_SUCH_VERB},
        {"MAILFROM:<a@b.c>", SMTP_NO_SUCH_VERB},
        {"BDAT 5 LAST", SMTP_NO_SUCH_VERB},
        {"\x16\x03\x01", SMTP_BAD_BYTES}, /* a TLS hello */
        {"NO\rOP", SMTP_BAD_BYTES},
        {"NOOP\x7f", SMTP_BAD_BYTES},
        {"EHLO", SMTP_BAD_ARGUMENT},
        {"HELO a b", SMTP_BAD_ARGUMENT},
        {"DATA now", SMTP_BAD_ARGUMENT},
        {"QUIT 1", SMTP_BAD_ARGUMENT},
        {"VRFY", SMTP_BAD_ARGUMENT},
        {"AUTH", SMTP_BAD_ARGUMENT},
        {"AUTH PLAIN a b", SMTP_BAD_ARGUMENT},
        {"MAIL", SMTP_BAD_ARGUMENT},
        {"MAIL TO:<a@b.c>", SMTP_BAD_ARGUMENT},
        {"RCPT FROM:<a@b.c>", SMTP_BAD_ARGUMENT},
        {"MAIL FROM:", SMTP_BAD_PATH},
        {"MAIL FROM:a@b.c", SMTP_BAD_PATH},
        {"MAIL FROM:<a@b.c", SMTP_BAD_PATH},
        {"MAIL FROM:<a@b.c>SIZE=1", SMTP_BAD_PATH},
        {"MAIL FROM:<a@b.c>>", SMTP_BAD_PATH},
        {"MAIL FROM:<a>", SMTP_BAD_PATH},
        {"MAIL FROM:<postmaster>", SMTP_BAD_PATH},
        {"MAIL FROM:<a@>", SMTP_BAD_PATH},
        {"MAIL FROM:<@b.c>", SMTP_BAD_PATH},
        {"MAIL FROM:<@b.c:>", SMTP_BAD_PATH},
        {"MAIL FROM:<a b@b.c>", SMTP_BAD_PATH},
        {"MAIL FROM:<a..b@b.c>", SMTP_BAD_PATH},
        {"MAIL FROM:<a@b@c>", SMTP_BAD_PATH},
        {"MAIL FROM:<a@b..c>", SMTP_BAD_PATH},
        {"MAIL FROM:<a@[1.2.3]>", SMTP_BAD_PATH},
        {"MAIL FROM:<\"a@b.c>", SMTP_BAD_PATH},
        {"MAIL FROM:<\xc3\xa9@b.c>", SMTP_BAD_PATH}, /* SMTPUTF8 is not offered */
        {"RCPT TO:<>", SMTP_BAD_PATH},
        {"RCPT TO:<\"a@b.c\">", SMTP_BAD_PATH},
        {"RCPT TO:<a@b.c@d.e>", SMTP_BAD_PATH},
        {"MAIL FROM:<a@b.c> SIZE=", SMTP_BAD_PARAMETER},
        {"MAIL FROM:<a@b.c> SIZE=-1", SMTP_BAD_PARAMETER},
        {"MAIL FROM:<a@b.c> SIZE=0x10", SMTP_BAD_PARAMETER},
        {"MAIL FROM:<a@b.c> SIZE=123456789012345678901", SMTP_BAD_PARAMETER},
        {"MAIL FROM:<a@b.c> SIZE=1 SIZE=1", SMTP_BAD_PARAMETER},
        {"MAIL FROM:<a@b.c> BODY=BINARYMIME", SMTP_BAD_PARAMETER},
        {"MAIL FROM:<a@b.c> AUTH", SMTP_BAD_PARAMETER},
        {"MAIL FROM:<a@b.c> RET=FULL", SMTP_UNKNOWN_PARAMETER},
        {"MAIL FROM:<a@b.c> SIZE=1 XYZ", SMTP_UNKNOWN_PARAMETER},
        {"RCPT TO:<a@b.c> SIZE=1", SMTP_UNKNOWN_PARAMETER},
        {"RCPT TO:<a@b.c> NOTIFY=NEVER", SMTP_UNKNOWN_PARAMETER},
    };
    for (size_t i = 0; i < sizeof LINES / sizeof *LINES; i++) {
        CLEAN_ARENA struct arena a = ARENA_INIT;
        struct smtp_command c;
        enum smtp_fault fault = parse(LINES[i].line, &a, &c);
        if (fault != LINES[i].fault)
            fail_msg("%s: fault %d", LINES[i].line, fault);
    }
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct smtp_command c;
    assert_int_equal(smtp_parse(STR("NO\0OP"), &a, &c), SMTP_BAD_BYTES);
}

static void reads_parameters(void **state)
{
    (void)state;
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct smtp_command c;
    assert_int_equal(parse("MAIL FROM:<a@b.c>  body=8bitmime SIZE=0500 AUTH=e+3Dmc2@example.com ", &a, &c),
                     SMTP_GOOD);
    assert_true(c.is_8bit && c.has_size);
    assert_int_equal(c.size, 500);
    assert_int_equal(parse("MAIL FROM:<a@b.c> SIZE=99999999999999999999 AUTH=<>", &a, &c), SMTP_GOOD);
    assert_true(c.size == UINT64_MAX && !c.is_8bit);
    assert_int_equal(parse("MAIL FROM:<a@b.c> BODY=7BIT", &a, &c), SMTP_GOOD);
    assert_false(c.is_8bit || c.has_size);
    assert_int_equal(parse("AUTH LOGIN =", &a, &c), SMTP_GOOD);
    assert_true(c.has_initial && str_eq(c.initial, STR("=")) && str_eq(c.argument, STR("LOGIN")));
    assert_int_equal(parse("AUTH LOGIN", &a, &c), SMTP_GOOD);
    assert_false(c.has_initial);
}

static void a_name_has_its_bound(void **state)
{
    (void)state;
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct smtp_command c;
    char line[5 + SMTP_HELO_MAX + 2] = "EHLO ";
    memset(line + 5, 'x', SMTP_HELO_MAX);
    assert_int_equal(parse(line, &a, &c), SMTP_GOOD);
    line[5 + SMTP_HELO_MAX] = 'x';
    assert_int_equal(parse(line, &a, &c), SMTP_BAD_ARGUMENT);
}

/* --- the trace line --- */

static struct connection connection(const char *peer, bool tls)
{
    struct connection c = {.fd = -1,
                           .tls = {.on = tls, .version = "TLSv1.3", .cipher = "TLS_AES_256_GCM_SHA384"}};
    snprintf(c.peer, sizeof c.peer, "%s", peer);
    return c;
}

static void traces_a_submission(void **state)
{
    (void)state;
    CLEAN_BUF struct buf out;
    struct connection c = connection("2001:db8::1", true);
    struct received r = {.connection = &c,
                         .helo = STR("laptop.test"),
                         .is_esmtp = true,
                         .is_authenticated = true,
                         .hostname = STR("mail.example.org"),
                         .id = STR("0123abcd"),
                         .for_path = STR("ana@example.org"),
                         .at = 0,
                         .zone = 60};
    buf_init(&out, 1000);
    received_add(&out, &r);
    assert_true(str_eq(buf_str(&out), STR("Received: from laptop.test ([IPv6:2001:db8::1])\r\n"
                                          "\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384)\r\n"
                                          "\tby mail.example.org with ESMTPSA id 0123abcd\r\n"
                                          "\tfor <ana@example.org>; Thu, 1 Jan 1970 01:00:00 +0100\r\n")));
}

static void a_name_cannot_forge_the_trace(void **state)
{
    (void)state;
    CLEAN_BUF struct buf out;
    struct connection c = connection("192.0.2.1", false);
    struct received r = {.connection = &c,
                         .helo = STR("x)(by;\"evil\r\nX-Header:y"),
                         .hostname = STR("mail.example.org"),
                         .id = STR("1"),
                         .for_path = STR("")};
    buf_init(&out, 1000);
    received_add(&out, &r);
    assert_true(str_starts(buf_str(&out), STR("Received: from x??by??evil??X-Header:y ([192.0.2.1])\r\n"
                                              "\tby mail.example.org with SMTP id 1; ")));
}

static void names_the_protocol_as_rfc3848(void **state)
{
    (void)state;
    assert_string_equal(received_protocol(false, false, false), "SMTP");
    assert_string_equal(received_protocol(true, false, false), "ESMTP");
    assert_string_equal(received_protocol(true, true, false), "ESMTPS");
    assert_string_equal(received_protocol(true, false, true), "ESMTPA");
    assert_string_equal(received_protocol(true, true, true), "ESMTPSA");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_the_rfcs_examples),
        cmocka_unit_test(tells_what_is_wrong),
        cmocka_unit_test(reads_parameters),
        cmocka_unit_test(a_name_has_its_bound),
        cmocka_unit_test(traces_a_submission),
        cmocka_unit_test(a_name_cannot_forge_the_trace),
        cmocka_unit_test(names_the_protocol_as_rfc3848),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
