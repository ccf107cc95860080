#include "check.h"
#include "gate/connection.h"
#include "smtp/parse.h"
#include "smtp/received.h"

#include <stdio.h>
#include <string.h>

static enum smtp_fault parse(const char *line, struct arena *a, struct smtp_command *c)
{
    return smtp_parse(str_from_c(line), EXTENSIONS_ALL, a, c);
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
        {"BDAT", SMTP_BAD_ARGUMENT},
        {"BDAT LAST", SMTP_BAD_ARGUMENT},
        {"BDAT -1", SMTP_BAD_ARGUMENT},
        {"BDAT 5LAST", SMTP_BAD_ARGUMENT},
        {"BDAT 5 LAST 6", SMTP_BAD_ARGUMENT},
        {"BDAT 5 FIRST", SMTP_BAD_ARGUMENT},
        {"BDAT 18446744073709551616", SMTP_BAD_ARGUMENT},
        {"LHLO", SMTP_BAD_ARGUMENT},
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
        {"MAIL FROM:<\xc3\xa9@b.c>", SMTP_NEEDS_UTF8},
        {"MAIL FROM:<a@\xc3\xa9.c> BODY=8BITMIME", SMTP_NEEDS_UTF8},
        {"MAIL FROM:<\xe9@b.c> SMTPUTF8", SMTP_BAD_PATH}, /* Latin-1 */
        {"RCPT TO:<>", SMTP_BAD_PATH},
        {"RCPT TO:<\"a@b.c\">", SMTP_BAD_PATH},
        {"RCPT TO:<a@b.c@d.e>", SMTP_BAD_PATH},
        {"MAIL FROM:<a@b.c> SIZE=", SMTP_BAD_PARAMETER},
        {"MAIL FROM:<a@b.c> SIZE=-1", SMTP_BAD_PARAMETER},
        {"MAIL FROM:<a@b.c> SIZE=0x10", SMTP_BAD_PARAMETER},
        {"MAIL FROM:<a@b.c> SIZE=123456789012345678901", SMTP_BAD_PARAMETER},
        {"MAIL FROM:<a@b.c> SIZE=1 SIZE=1", SMTP_BAD_PARAMETER},
        {"MAIL FROM:<a@b.c> BODY=9BITMIME", SMTP_BAD_PARAMETER},
        {"MAIL FROM:<a@b.c> BODY", SMTP_BAD_PARAMETER},
        {"MAIL FROM:<a@b.c> AUTH", SMTP_BAD_PARAMETER},
        {"MAIL FROM:<a@b.c> AUTH=", SMTP_BAD_PARAMETER},
        {"MAIL FROM:<a@b.c> AUTH=e+3dmc2@example.com", SMTP_BAD_PARAMETER},
        {"MAIL FROM:<a@b.c> SMTPUTF8=yes", SMTP_BAD_PARAMETER},
        {"MAIL FROM:<a@b.c> REQUIRETLS=", SMTP_BAD_PARAMETER},
        {"MAIL FROM:<a@b.c> PRDR=1", SMTP_BAD_PARAMETER},
        {"MAIL FROM:<a@b.c> RET=BODY", SMTP_BAD_PARAMETER},
        {"MAIL FROM:<a@b.c> RET=FULL RET=HDRS", SMTP_BAD_PARAMETER},
        {"MAIL FROM:<a@b.c> ENVID=", SMTP_BAD_PARAMETER},
        {"MAIL FROM:<a@b.c> ENVID=a+0D+0AX", SMTP_BAD_PARAMETER},
        {"MAIL FROM:<a@b.c> ENVID=a+E9", SMTP_BAD_PARAMETER},
        {"MAIL FROM:<a@b.c> BY=120", SMTP_BAD_PARAMETER},
        {"MAIL FROM:<a@b.c> BY=;R", SMTP_BAD_PARAMETER},
        {"MAIL FROM:<a@b.c> BY=120;X", SMTP_BAD_PARAMETER},
        {"MAIL FROM:<a@b.c> BY=120;RX", SMTP_BAD_PARAMETER},
        {"MAIL FROM:<a@b.c> BY=120;RTT", SMTP_BAD_PARAMETER},
        {"MAIL FROM:<a@b.c> BY=0;R", SMTP_BAD_PARAMETER},
        {"MAIL FROM:<a@b.c> BY=-1;RT", SMTP_BAD_PARAMETER},
        {"MAIL FROM:<a@b.c> BY=1234567890;N", SMTP_BAD_PARAMETER},
        {"MAIL FROM:<a@b.c> HOLDFOR=0", SMTP_BAD_PARAMETER},
        {"MAIL FROM:<a@b.c> HOLDFOR=1234567890", SMTP_BAD_PARAMETER},
        {"MAIL FROM:<a@b.c> HOLDFOR=60 HOLDUNTIL=2026-11-26T14:00:00Z", SMTP_BAD_PARAMETER},
        {"MAIL FROM:<a@b.c> HOLDUNTIL=2026-11-26T14:00:00Z HOLDFOR=60", SMTP_BAD_PARAMETER},
        {"MAIL FROM:<a@b.c> HOLDUNTIL=tomorrow", SMTP_BAD_PARAMETER},
        {"MAIL FROM:<a@b.c> MT-PRIORITY=10", SMTP_BAD_PARAMETER},
        {"MAIL FROM:<a@b.c> MT-PRIORITY=-0", SMTP_BAD_PARAMETER},
        {"MAIL FROM:<a@b.c> MT-PRIORITY=+3", SMTP_BAD_PARAMETER},
        {"MAIL FROM:<a@b.c> SOLICIT=", SMTP_BAD_PARAMETER},
        {"MAIL FROM:<a@b.c> SOLICIT=org.example:ADV,", SMTP_BAD_PARAMETER},
        {"MAIL FROM:<a@b.c> SOLICIT=1org", SMTP_BAD_PARAMETER},
        {"MAIL FROM:<a@b.c> SIZE=1 XYZ", SMTP_UNKNOWN_PARAMETER},
        {"MAIL FROM:<a@b.c> NOTIFY=NEVER", SMTP_UNKNOWN_PARAMETER},
        {"RCPT TO:<a@b.c> SIZE=1", SMTP_UNKNOWN_PARAMETER},
        {"RCPT TO:<a@b.c> RET=FULL", SMTP_UNKNOWN_PARAMETER},
        {"RCPT TO:<a@b.c> NOTIFY=", SMTP_BAD_PARAMETER},
        {"RCPT TO:<a@b.c> NOTIFY=NEVER,SUCCESS", SMTP_BAD_PARAMETER},
        {"RCPT TO:<a@b.c> NOTIFY=SUCCESS,", SMTP_BAD_PARAMETER},
        {"RCPT TO:<a@b.c> NOTIFY=ALWAYS", SMTP_BAD_PARAMETER},
        {"RCPT TO:<a@b.c> ORCPT=a@b.c", SMTP_BAD_PARAMETER},
        {"RCPT TO:<a@b.c> ORCPT=;a@b.c", SMTP_BAD_PARAMETER},
        {"RCPT TO:<a@b.c> ORCPT=rfc822;", SMTP_BAD_PARAMETER},
        {"RCPT TO:<a@b.c> ORCPT=rfc822;a+0Ab@b.c", SMTP_BAD_PARAMETER},
        {"RCPT TO:<a@b.c> ORCPT=rfc822;\xc3\xa9@b.c", SMTP_BAD_PARAMETER},
        {"RCPT TO:<a@b.c> ORCPT=utf-8;\\x{}@b.c", SMTP_BAD_PARAMETER},
        {"RCPT TO:<a@b.c> ORCPT=utf-8;\\x{D800}@b.c", SMTP_BAD_PARAMETER},
        {"RCPT TO:<a@b.c> ORCPT=utf-8;\\x{0A}@b.c", SMTP_BAD_PARAMETER},
        {"RCPT TO:<a@b.c> ORCPT=utf-8;\xe9@b.c", SMTP_BAD_PARAMETER},
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
    assert_int_equal(smtp_parse(STR("NO\0OP"), EXTENSIONS_ALL, &a, &c), SMTP_BAD_BYTES);
}

static void reads_parameters(void **state)
{
    (void)state;
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct smtp_command c;
    assert_int_equal(parse("MAIL FROM:<a@b.c>  body=8bitmime SIZE=0500 AUTH=e+3Dmc2@example.com ", &a, &c),
                     SMTP_GOOD);
    assert_true(c.mail.asked.body == ENVELOPE_8BIT && c.mail.has_size);
    assert_int_equal(c.mail.size, 500);
    assert_int_equal(parse("MAIL FROM:<a@b.c> SIZE=99999999999999999999 AUTH=<>", &a, &c), SMTP_GOOD);
    assert_true(c.mail.size == UINT64_MAX && c.mail.asked.body == ENVELOPE_7BIT);
    assert_int_equal(parse("MAIL FROM:<a@b.c> BODY=7BIT", &a, &c), SMTP_GOOD);
    assert_false(c.mail.asked.body != ENVELOPE_7BIT || c.mail.has_size || c.mail.is_prdr);
    assert_int_equal(parse("MAIL FROM:<a@b.c> BODY=BINARYMIME PRDR REQUIRETLS", &a, &c), SMTP_GOOD);
    assert_true(c.mail.asked.body == ENVELOPE_BINARY && c.mail.is_prdr && c.mail.asked.requires_tls);
    assert_int_equal(parse("AUTH LOGIN =", &a, &c), SMTP_GOOD);
    assert_true(c.has_initial && str_eq(c.initial, STR("=")) && str_eq(c.argument, STR("LOGIN")));
    assert_int_equal(parse("AUTH LOGIN", &a, &c), SMTP_GOOD);
    assert_false(c.has_initial);
    assert_int_equal(parse("BDAT 86 LAST", &a, &c), SMTP_GOOD);
    assert_true(c.octets == 86 && c.is_last);
    assert_int_equal(parse("bdat 0 last", &a, &c), SMTP_GOOD);
    assert_true(c.octets == 0 && c.is_last);
    assert_int_equal(parse("BDAT 10000", &a, &c), SMTP_GOOD);
    assert_true(c.octets == 10000 && !c.is_last);
}

/* What is not offered is not known: RFC 5321 section 4.1.1.11. */
static void an_extension_that_is_not_offered_has_no_parameters(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        enum smtp_extension needs;
        enum smtp_fault without;
    } LINES[] = {
        {"MAIL FROM:<a@b.c> SIZE=1", EXTENSION_SIZE, SMTP_UNKNOWN_PARAMETER},
        {"MAIL FROM:<a@b.c> BODY=7BIT", EXTENSION_8BITMIME, SMTP_UNKNOWN_PARAMETER},
        {"MAIL FROM:<a@b.c> BODY=BINARYMIME", EXTENSION_BINARYMIME, SMTP_BAD_PARAMETER},
        {"MAIL FROM:<a@b.c> SMTPUTF8", EXTENSION_SMTPUTF8, SMTP_UNKNOWN_PARAMETER},
        {"MAIL FROM:<\xc3\xa9@b.c> SMTPUTF8", EXTENSION_SMTPUTF8, SMTP_BAD_PATH},
        {"MAIL FROM:<a@b.c> RET=FULL", EXTENSION_DSN, SMTP_UNKNOWN_PARAMETER},
        {"MAIL FROM:<a@b.c> ENVID=x", EXTENSION_DSN, SMTP_UNKNOWN_PARAMETER},
        {"RCPT TO:<a@b.c> NOTIFY=NEVER", EXTENSION_DSN, SMTP_UNKNOWN_PARAMETER},
        {"RCPT TO:<a@b.c> ORCPT=rfc822;a@b.c", EXTENSION_DSN, SMTP_UNKNOWN_PARAMETER},
        {"MAIL FROM:<a@b.c> REQUIRETLS", EXTENSION_REQUIRETLS, SMTP_UNKNOWN_PARAMETER},
        {"MAIL FROM:<a@b.c> BY=1;N", EXTENSION_DELIVERBY, SMTP_UNKNOWN_PARAMETER},
        {"MAIL FROM:<a@b.c> HOLDFOR=1", EXTENSION_FUTURERELEASE, SMTP_UNKNOWN_PARAMETER},
        {"MAIL FROM:<a@b.c> MT-PRIORITY=1", EXTENSION_MT_PRIORITY, SMTP_UNKNOWN_PARAMETER},
        {"MAIL FROM:<a@b.c> SOLICIT=a", EXTENSION_NO_SOLICITING, SMTP_UNKNOWN_PARAMETER},
        {"MAIL FROM:<a@b.c> PRDR", EXTENSION_PRDR, SMTP_UNKNOWN_PARAMETER},
    };
    for (size_t i = 0; i < sizeof LINES / sizeof *LINES; i++) {
        CLEAN_ARENA struct arena a = ARENA_INIT;
        struct smtp_command c;
        unsigned without = EXTENSIONS_ALL & ~EXTENSION_BIT(LINES[i].needs);
        if (parse(LINES[i].line, &a, &c) != SMTP_GOOD)
            fail_msg("%s: not even when offered", LINES[i].line);
        if (smtp_parse(str_from_c(LINES[i].line), without, &a, &c) != LINES[i].without)
            fail_msg("%s: though not offered", LINES[i].line);
    }
}

/* The lines of RFC 3461 section 10, and some that its sections 4.2 and 4.4 allow. */
static void reads_what_reports_are_asked_for(void **state)
{
    (void)state;
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct smtp_command c;
    assert_int_equal(parse("MAIL FROM:<Alice@Example.ORG> RET=HDRS ENVID=QQ314159", &a, &c), SMTP_GOOD);
    assert_int_equal(c.mail.asked.ret, ENVELOPE_RETURN_HEADERS);
    assert_true(str_eq(c.mail.asked.id, STR("QQ314159")));
    assert_int_equal(parse("MAIL FROM:<a@b.c> RET=full ENVID=a+20b+2Bc+3D", &a, &c), SMTP_GOOD);
    assert_int_equal(c.mail.asked.ret, ENVELOPE_RETURN_FULL);
    assert_true(str_eq(c.mail.asked.id, STR("a b+c=")));
    assert_int_equal(parse("RCPT TO:<Bob@Example.COM> NOTIFY=SUCCESS ORCPT=rfc822;Bob@Example.COM", &a, &c),
                     SMTP_GOOD);
    assert_int_equal(c.rcpt.notify, ENVELOPE_NOTIFY_SUCCESS);
    assert_true(str_eq(c.rcpt.original, STR("rfc822;Bob@Example.COM")));
    assert_int_equal(parse("RCPT TO:<Dana@Ivory.EDU> NOTIFY=SUCCESS,FAILURE,delay "
                           "ORCPT=rfc822;Carol+2Btag@Ivory.EDU",
                           &a, &c),
                     SMTP_GOOD);
    assert_int_equal(c.rcpt.notify,
                     ENVELOPE_NOTIFY_SUCCESS | ENVELOPE_NOTIFY_FAILURE | ENVELOPE_NOTIFY_DELAY);
    assert_true(str_eq(c.rcpt.original, STR("rfc822;Carol+tag@Ivory.EDU")));
    assert_int_equal(parse("RCPT TO:<Fred@Bombs.AF.MIL> NOTIFY=NEVER", &a, &c), SMTP_GOOD);
    assert_int_equal(c.rcpt.notify, ENVELOPE_NOTIFY_NEVER);
    assert_int_equal(c.rcpt.original.n, 0);
    /* RFC 6533 section 3 */
    assert_int_equal(parse("RCPT TO:<a@b.c> ORCPT=utf-8;\\x{17D}ika\\x{2B}x@b.c", &a, &c), SMTP_GOOD);
    assert_true(str_eq(c.rcpt.original, STR("utf-8;\xc5\xbdika+x@b.c")));
    assert_int_equal(parse("RCPT TO:<a@b.c> ORCPT=UTF-8;\xc5\xbdika@b.c", &a, &c), SMTP_GOOD);
    assert_true(str_eq(c.rcpt.original, STR("UTF-8;\xc5\xbdika@b.c")));
}

/* RFC 2852 section 4, RFC 4865 section 4, RFC 6710 section 4.1, RFC 3865 section 2.3 */
static void reads_when_and_how_urgent(void **state)
{
    (void)state;
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct smtp_command c;
    assert_int_equal(parse("MAIL FROM:<eljefe@bigbiz.com> BY=120;R", &a, &c), SMTP_GOOD);
    assert_true(c.mail.asked.by == ENVELOPE_BY_RETURN && c.mail.by_s == 120 && !c.mail.asked.by_trace);
    assert_int_equal(parse("MAIL FROM:<a@b.c> BY=-999999999;nt", &a, &c), SMTP_GOOD);
    assert_true(c.mail.asked.by == ENVELOPE_BY_NOTIFY && c.mail.asked.by_trace);
    assert_int_equal(c.mail.by_s, -999999999);
    assert_int_equal(parse("MAIL FROM:<a@b.c> HOLDFOR=86400", &a, &c), SMTP_GOOD);
    assert_int_equal(c.mail.hold_for_s, 86400);
    assert_int_equal(parse("MAIL FROM:<a@b.c> HOLDUNTIL=1985-04-12T23:20:50.52Z", &a, &c), SMTP_GOOD);
    assert_int_equal(c.mail.asked.hold_until, 482196050);
    assert_int_equal(parse("MAIL FROM:<a@b.c> MT-PRIORITY=-9", &a, &c), SMTP_GOOD);
    assert_true(c.mail.has_priority && c.mail.asked.priority == -9);
    assert_int_equal(parse("MAIL FROM:<a@b.c> mt-priority=6", &a, &c), SMTP_GOOD);
    assert_int_equal(c.mail.asked.priority, 6);
    assert_int_equal(parse("MAIL FROM:<a@b.c> SOLICIT=org.example:ADV:ADLT,net.example_x", &a, &c),
                     SMTP_GOOD);
    assert_true(str_eq(c.mail.solicit, STR("org.example:ADV:ADLT,net.example_x")));
}

static void reads_addresses_beyond_ascii(void **state)
{
    (void)state;
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct smtp_command c;
    assert_int_equal(
        parse("MAIL FROM:<\xd0\xb0\xd0\xbd\xd0\xb0@\xd0\xbf\xd1\x80.\xd1\x80\xd1\x81> SMTPUTF8", &a, &c),
        SMTP_GOOD);
    assert_true(c.mail.asked.is_utf8);
    assert_true(str_eq(c.path.local, STR("\xd0\xb0\xd0\xbd\xd0\xb0")));
    assert_int_equal(parse("RCPT TO:<\"\xd0\xb0 b\"@b.c>", &a, &c), SMTP_GOOD); /* MAIL said whether it may */
    assert_true(str_eq(smtp_path_text(&c.path, &a), STR("\"\xd0\xb0 b\"@b.c")));
    assert_false(smtp_path_is_ascii(&c.path));
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
                           .peer_port = 50000,
                           .local_port = 25,
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
                         .with = {.is_esmtp = true, .is_authenticated = true},
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

/* Exactly IANA's "Mail Transmission Types" (but for MMS). */
static void names_the_protocol_as_iana(void **state)
{
    (void)state;
    static const struct {
        struct received_with with;
        const char *plain, *tls;
    } NAMES[] = {
        {{0}, "SMTP", "SMTP"},
        {{.is_esmtp = true}, "ESMTP", "ESMTPS"},
        {{.is_esmtp = true, .is_authenticated = true}, "ESMTPA", "ESMTPSA"},
        {{.is_esmtp = true, .is_utf8 = true}, "UTF8SMTP", "UTF8SMTPS"},
        {{.is_esmtp = true, .is_utf8 = true, .is_authenticated = true}, "UTF8SMTPA", "UTF8SMTPSA"},
        {{.is_esmtp = true, .is_lmtp = true}, "LMTP", "LMTPS"},
        {{.is_esmtp = true, .is_lmtp = true, .is_authenticated = true}, "LMTPA", "LMTPSA"},
        {{.is_esmtp = true, .is_lmtp = true, .is_utf8 = true}, "UTF8LMTP", "UTF8LMTPS"},
    };
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        char name[RECEIVED_PROTOCOL_MAX];
        received_protocol(&NAMES[i].with, false, name);
        assert_string_equal(name, NAMES[i].plain);
        received_protocol(&NAMES[i].with, true, name);
        assert_string_equal(name, NAMES[i].tls);
    }
}

static void traces_a_unix_socket_and_a_priority(void **state)
{
    (void)state;
    CLEAN_BUF struct buf out;
    struct connection c = connection("127.0.0.1", false);
    c.peer_port = c.local_port = 0;
    struct received r = {.connection = &c,
                         .helo = STR("postfix.test"),
                         .with = {.is_esmtp = true, .is_lmtp = true},
                         .hostname = STR("mail.example.org"),
                         .id = STR("0123abcd"),
                         .for_path = STR(""),
                         .priority = -4};
    buf_init(&out, 1000);
    received_add(&out, &r);
    assert_true(str_eq(buf_str(&out), STR("Received: from postfix.test (unix socket)\r\n"
                                          "\tby mail.example.org with LMTP id 0123abcd\r\n"
                                          "\tpriority -4; Thu, 1 Jan 1970 00:00:00 +0000\r\n")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_the_rfcs_examples),
        cmocka_unit_test(tells_what_is_wrong),
        cmocka_unit_test(reads_parameters),
        cmocka_unit_test(an_extension_that_is_not_offered_has_no_parameters),
        cmocka_unit_test(reads_what_reports_are_asked_for),
        cmocka_unit_test(reads_when_and_how_urgent),
        cmocka_unit_test(reads_addresses_beyond_ascii),
        cmocka_unit_test(a_name_has_its_bound),
        cmocka_unit_test(traces_a_submission),
        cmocka_unit_test(a_name_cannot_forge_the_trace),
        cmocka_unit_test(names_the_protocol_as_iana),
        cmocka_unit_test(traces_a_unix_socket_and_a_priority),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
