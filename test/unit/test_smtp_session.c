/* Whole sessions; the conversations of the RFCs stand in smtp_scripts.h. */
#include "base/log.h"
#include "check.h"
#include "smtp_fixture.h"

#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* --- tests: the receiving side --- */

static void a_full_mailbox_says_so_at_rcpt(void **state)
{
    (void)state;
    struct client c;
    dial_stranger(&c);
    says(&c, "MAIL FROM:<x@far.test> SIZE=2000", "250 2.1.0");
    says(&c, "RCPT TO:<quota@ours.test>", "552 5.2.2 <quota@ours.test>: this mailbox is full");
    says(&c, "RCPT TO:<ana@ours.test>", "250 2.1.5");
    says(&c, "RSET", "250");
    says(&c, "MAIL FROM:<x@far.test> SIZE=200", "250 2.1.0");
    says(&c, "RCPT TO:<quota@ours.test>", "250 2.1.5");
    says(&c, "RSET", "250");
    says(&c, "MAIL FROM:<x@far.test>", "250 2.1.0"); /* the size of the one before is forgotten */
    says(&c, "RCPT TO:<quota@ours.test>", "250 2.1.5");
    quits(&c);
}

static void takes_a_message_for_a_local_address(void **state)
{
    (void)state;
    struct client c;
    dial_stranger(&c);
    envelope(&c, "ana@ours.test");
    says(&c, "DATA", "354 ");
    says(&c, "Subject: x\r\n\r\n..dot\r\n.", "250 2.0.0 Accepted as ");
    assert_int_equal(world.delivered, 1);
    assert_string_equal(world.to, "ana@ours.test");
    assert_string_equal(world.sender, "x@far.test");
    struct str stored = str_from(world.bytes, world.size);
    assert_true(str_starts(stored, STR("Received: from client.test ([192.0.2.1])\r\n"
                                       "\tby mail.ours.test with ESMTP id ")));
    assert_true(str_find(stored, STR("\r\n\tfor <ana@ours.test>; ")) != STR_NONE);
    assert_true(str_ends(stored, STR("\r\nSubject: x\r\n\r\n.dot\r\n")));
    /* The session goes on with nothing left of it. */
    says(&c, "RCPT TO:<ana@ours.test>", "503 5.5.1");
    envelope(&c, "postmaster");
    says(&c, "DATA", "354 ");
    says(&c, ".", "250 ");
    assert_int_equal(world.delivered, 2);
    quits(&c);
}

static void answers_pipelined_commands_in_order(void **state)
{
    (void)state;
    struct client c;
    dial_stranger(&c);
    sends(
        &c,
        STR("MAIL FROM:<x@far.test>\r\nRCPT TO:<unknown@ours.test>\r\nRCPT TO:<ana@ours.test>\r\nDATA\r\n"));
    hears(&c, "250 2.1.0");
    hears(&c, "550 5.1.1 <unknown@ours.test>: no such address");
    hears(&c, "250 2.1.5");
    hears(&c, "354 ");
    sends(&c, STR("a: b\r\n\r\nx\r\n.\r\nNOOP\r\nQUIT\r\n"));
    hears(&c, "250 2.0.0 Accepted");
    hears(&c, "250 2.0.0 OK");
    hears(&c, "221 ");
    expect_closed(&c);
}

static void offers_what_is_whole(void **state)
{
    (void)state;
    struct client c;
    dial(&c, SERVICE_SMTP, "192.0.2.1", false);
    static const char *const LINES[] = {"mail.ours.test",  "PIPELINING", "SIZE 100000",
                                        "STARTTLS",        "8BITMIME",   "ENHANCEDSTATUSCODES",
                                        "LIMITS RCPTMAX=5"};
    for (size_t i = 0; i < sizeof LINES / sizeof *LINES; i++)
        if (!offers(&c, LINES[i]))
            fail_msg("EHLO does not offer %s", LINES[i]);
    assert_false(offers(&c, "REQUIRETLS"));
    says(&c, "LHLO client.test", "500 5.5.1");
    says(&c, "MAIL FROM:<a@b.c> XYZ=1", "555 5.5.4 XYZ");
    says(&c, "MAIL FROM:<a@b.c> SIZE=x", "501 5.5.4 SIZE");
    quits(&c);
}

static void keeps_the_order_of_commands(void **state)
{
    (void)state;
    struct client c;
    dial(&c, SERVICE_SMTP, "192.0.2.1", false);
    says(&c, "MAIL FROM:<x@far.test>", "503 5.5.1");
    says(&c, "HELO client.test", "250 mail.ours.test");
    says(&c, "RCPT TO:<ana@ours.test>", "503 5.5.1");
    says(&c, "DATA", "503 5.5.1");
    says(&c, "MAIL FROM:<>", "250 ");
    says(&c, "MAIL FROM:<>", "503 5.5.1");
    says(&c, "DATA", "554 5.5.1");
    says(&c, "RCPT TO:<ana@ours.test>", "250 ");
    says(&c, "RSET", "250 ");
    says(&c, "DATA", "503 5.5.1");
    says(&c, "MAIL FROM:<>", "250 ");
    says(&c, "EHLO again.test", "250 "); /* RFC 5321 section 4.1.4: as RSET */
    says(&c, "DATA", "503 5.5.1");
    says(&c, "VRFY ana", "252 ");
    says(&c, "EXPN team", "502 ");
    says(&c, "HELP", "214 ");
    says(&c, "MAIL FROM:<a@b.c> RET=FULL", "555 5.5.4");
    says(&c, "MAIL FROM:<a@b>c", "501 5.1.7");
    says(&c, "FROB", "500 5.5.1");
    quits(&c);
}

static void relays_nothing_for_strangers(void **state)
{
    (void)state;
    static const char *const FORMS[][2] = {
        {"x@far.test", "550 5.7.1"},
        {"@ours.test:x@far.test", "550 5.7.1"},
        {"x@[192.0.2.9]", "550 5.7.1"},
        {"x@ours.test@far.test", "501 5.1.3"},
        {"unknown%far.test@ours.test", "550 5.1.1"},
        {"\"unknown@far.test\"@ours.test", "550 5.1.1"},
    };
    struct client c;
    dial_stranger(&c);
    says(&c, "MAIL FROM:<x@far.test>", "250 ");
    for (size_t i = 0; i < sizeof FORMS / sizeof *FORMS; i++) {
        char line[200];
        snprintf(line, sizeof line, "RCPT TO:<%s>", FORMS[i][0]);
        says(&c, line, FORMS[i][1]);
    }
    says(&c, "RCPT TO:<loop@ours.test>",
         "550 5.4.6 <loop@ours.test>: the alias leads back to itself??250 not");
    world.directory_is_down = true;
    says(&c, "RCPT TO:<ana@ours.test>", "451 4.3.0 directory does not answer");
    says(&c, "DATA", "554 5.5.1");
    quits(&c);
}

static void the_directory_may_refuse_and_rewrite(void **state)
{
    (void)state;
    struct client c;
    dial_stranger(&c);
    says(&c, "MAIL FROM:<\"x y\"@far.test>", "250 ");
    says(&c, "RCPT TO:<group@ours.test>", "550 5.7.2 <group@ours.test>: x y@far.test (0) may not write here");
    says(&c, "RCPT TO:<forward@ours.test>", "250 ");
    says(&c, "DATA", "354 ");
    says(&c, "Subject: x\r\n\r\ny\r\n.", "250 ");
    assert_int_equal(world.queued, 1);
    assert_string_equal(world.forwarded_as, "\"SRS0=a b\"@ours.test");
    assert_string_equal(world.sender, "\"new name\"@ours.test");
    quits(&c);
}

static void bounds_recipients_and_refusals(void **state)
{
    (void)state;
    struct client c;
    dial_stranger(&c);
    says(&c, "MAIL FROM:<x@far.test>", "250 ");
    for (unsigned i = 0; i < 5; i++)
        says(&c, "RCPT TO:<ana@ours.test>", "250 ");
    for (unsigned i = 0; i < 300; i++)
        says(&c, "RCPT TO:<ana@ours.test>", "452 4.5.3");
    says(&c, "DATA", "354 ");
    says(&c, ".", "250 ");
    assert_int_equal(world.delivered, 1); /* one copy each */
    says(&c, "MAIL FROM:<x@far.test>", "250 ");
    for (unsigned i = 0; i <= SMTP_REFUSALS_MAX; i++)
        says(&c, "RCPT TO:<unknown@ours.test>", "550 ");
    hears(&c, "421 4.7.0");
    expect_closed(&c);
}

static void bounds_errors_and_idling(void **state)
{
    (void)state;
    struct client c;
    dial_stranger(&c);
    for (unsigned i = 0; i < SMTP_ERRORS_MAX; i++)
        says(&c, "x frob", "500 ");
    hears(&c, "421 4.7.0");
    expect_closed(&c);

    dial_stranger(&c);
    for (unsigned i = 1; i < SMTP_IDLING_MAX; i++)
        says(&c, "NOOP", "250 ");
    says(&c, "NOOP", "421 4.7.0");
    expect_closed(&c);
}

static void refuses_broken_lines(void **state)
{
    (void)state;
    struct client c;
    CLEAN_BUF struct buf line;
    buf_init(&line, 1 << 20);
    for (unsigned i = 0; i < 20000; i++)
        buf_add_byte(&line, 'A');
    buf_add(&line, STR("\r\nNOOP\r\n"));
    dial_stranger(&c);
    sends(&c, buf_str(&line));
    hears(&c, "500 5.5.2");
    hears(&c, "250 ");
    sends(&c, STR("NOOP\n"));
    hears(&c, "500 5.5.2");
    sends(&c, STR("NO\rOP\r\n"));
    hears(&c, "500 5.5.2");
    quits(&c);
}

static void a_message_with_a_bare_line_end_is_no_message(void **state)
{
    (void)state;
    static const struct str ENDS[] = {STR_INIT("\n.\n"),      STR_INIT("\r\n.\n"), STR_INIT("\n.\r\n"),
                                      STR_INIT("\r.\r"),      STR_INIT("\r\n.\r"), STR_INIT("\r.\r\n"),
                                      STR_INIT("\n.\r"),      STR_INIT("\r.\n"),   STR_INIT("\r\r\n.\r\r\n"),
                                      STR_INIT("\r\n\0.\r\n")};
    struct client c;
    dial_stranger(&c);
    for (size_t i = 0; i < sizeof ENDS / sizeof *ENDS; i++) {
        envelope(&c, "ana@ours.test");
        says(&c, "DATA", "354 ");
        sends(&c, STR("a: b\r\n\r\nbody"));
        sends(&c, ENDS[i]);
        sends(&c, STR("MAIL FROM:<evil@far.test>\r\nRCPT TO:<ana@ours.test>\r\nDATA\r\nx\r\n.\r\n"));
        hears(&c, "550 5.6.11");
        says(&c, "NOOP", "250 2.0.0 OK");
    }
    assert_int_equal(world.delivered, 0);
    quits(&c);
}

static void bounds_size_and_hops(void **state)
{
    (void)state;
    struct client c;
    CLEAN_BUF struct buf large;
    buf_init(&large, 1 << 20);
    while (large.n < 100000)
        buf_add(&large, STR("0123456789 0123456789 0123456789 0123456789\r\n"));
    dial_stranger(&c);
    says(&c, "MAIL FROM:<x@far.test> SIZE=100001", "552 5.3.4");
    says(&c, "MAIL FROM:<x@far.test> SIZE=99999999999999999999", "552 5.3.4");
    says(&c, "MAIL FROM:<x@far.test> SIZE=100000", "250 ");
    says(&c, "RCPT TO:<ana@ours.test>", "250 ");
    says(&c, "DATA", "354 ");
    sends(&c, buf_str(&large));
    says(&c, ".", "552 5.3.4");
    envelope(&c, "ana@ours.test");
    says(&c, "DATA", "354 ");
    sends(&c, STR("a: b\r\n\r\n"));
    sends(&c, str_slice(buf_str(&large), 0, 99990));
    says(&c, "\r\n.", "250 ");
    assert_true(str_find(str_from(world.bytes, world.size), str_slice(buf_str(&large), 0, 99990)) !=
                STR_NONE);
    envelope(&c, "ana@ours.test");
    says(&c, "DATA", "354 ");
    says(&c, "Received: 1\r\nReceived: 2\r\nReceived: 3\r\n\r\nReceived: 4\r\n.", "250 ");
    envelope(&c, "ana@ours.test");
    says(&c, "DATA", "354 ");
    says(&c, "Received: 1\r\nReceived: 2\r\nReceived: 3\r\nReceived: 4\r\n\r\nx\r\n.", "554 5.4.6");
    quits(&c);
}

static void a_message_cut_off_is_no_message(void **state)
{
    (void)state;
    struct client c;
    dial_stranger(&c);
    envelope(&c, "ana@ours.test");
    says(&c, "DATA", "354 ");
    sends(&c, STR("a: b\r\n\r\nhalf of it\r\n.\r"));
    hang_up(&c);
    assert_int_equal(world.delivered + world.queued, 0);
}

/* --- tests: fates --- */

static void sends_to(struct client *c, const char *recipients, const char *want)
{
    struct str rest = str_from_c(recipients), one;
    says(c, "MAIL FROM:<ana@ours.test>", "250 ");
    for (bool more = true; more;) {
        char line[200];
        more = str_cut(&rest, ' ', &one);
        snprintf(line, sizeof line, "RCPT TO:<%.*s>", STR_ARGS(one));
        says(c, line, "250 ");
    }
    world.delivered = world.queued = world.reported = world.retried = 0;
    world.to[0] = '\0';
    says(c, "DATA", "354 ");
    says(c, "From: ana@ours.test\r\n\r\nx\r\n.", want);
}

static void one_recipient_gets_its_own_fate(void **state)
{
    (void)state;
    struct client c;
    dial_stranger(&c);
    sends_to(&c, "full@ours.test", "452 4.2.2 The mailbox is full");
    sends_to(&c, "bad@ours.test", "550 5.7.1 Refused by a rule");
    sends_to(&c, "odd@ours.test", "451 4.3.0");
    assert_int_equal(world.delivered + world.queued, 0);
    quits(&c);
}

static void several_recipients_share_an_answer(void **state)
{
    (void)state;
    struct client c;
    dial_stranger(&c);
    sends_to(&c, "ana@ours.test full@ours.test bad@ours.test", "250 ");
    assert_int_equal(world.delivered, 1);
    assert_int_equal(world.retried, 1);
    assert_int_equal(world.reported, 0); /* a stranger's address may be forged */
    sends_to(&c, "bad@ours.test full@ours.test", "452 4.2.2");
    assert_int_equal(world.delivered + world.queued, 0);
    sends_to(&c, "bad@ours.test", "550 5.7.1");
    world.queue_is_down = true;
    sends_to(&c, "ana@ours.test full@ours.test", "451 4.3.0 queue does not answer");
    sends_to(&c, "team@ours.test", "451 4.3.0");
    assert_int_equal(world.delivered, 0); /* the queue is asked first */
    world.queue_is_down = false;
    sends_to(&c, "team@ours.test ana@ours.test", "250 ");
    assert_string_equal(world.to, "\"x y\"@far.test ana@ours.test bob@ours.test");
    quits(&c);
}

static void a_user_gets_a_report(void **state)
{
    (void)state;
    struct client c;
    dial_user(&c);
    sends_to(&c, "ana@ours.test bad@ours.test full@ours.test", "250 ");
    assert_int_equal(world.delivered, 1);
    assert_int_equal(world.reported, 1);
    assert_int_equal(world.retried, 1);
    sends_to(&c, "x@far.test bad@ours.test", "250 ");
    assert_int_equal(world.queued, 2);
    assert_int_equal(world.reported, 1);
    quits(&c);
}

/* --- tests: submission --- */

static void authenticates(void **state)
{
    (void)state;
    struct client c;
    dial(&c, SERVICE_SUBMISSIONS, "192.0.2.1", true);
    assert_true(offers(&c, "AUTH SCRAM-SHA-256 PLAIN LOGIN"));
    assert_false(offers(&c, "STARTTLS"));
    says(&c, "MAIL FROM:<ana@ours.test>", "530 5.7.0");
    says(&c, "AUTH CRAM-MD5", "504 5.5.4");
    says(&c, "AUTH PLAIN !", "501 5.5.2");
    says(&c, "AUTH PLAIN AGFuYQ==", "501 5.5.2"); /* one NUL */
    says(&c, "AUTH PLAIN", "334 ");
    says(&c, "*", "501 5.7.0");
    says(&c, "AUTH PLAIN Ym9iAGFuYUBvdXJzLnRlc3QAc2VjcmV0", "535 5.7.8"); /* to act as bob */
    says(&c,
         "AUTH PLAIN AHdhaXRzAHg=", "454 4.7.0 Too many failed logins from your address; try again in 30");
    says(&c, "AUTH PLAIN AG5vYm9keSBrbm93cwB4", "454 4.7.0");
    says(&c, "AUTH LOGIN", "334 VXNlcm5hbWU6");
    says(&c, "YW5hQG91cnMudGVzdA==", "334 UGFzc3dvcmQ6");
    says(&c, "d3Jvbmc=", "535 5.7.8");
    says(&c, "AUTH LOGIN YW5hQG91cnMudGVzdA==", "334 UGFzc3dvcmQ6");
    says(&c, "c2VjcmV0", "235 2.7.0");
    says(&c, "AUTH PLAIN AGFuYUBvdXJzLnRlc3QAc2VjcmV0", "503 5.5.1");
    assert_false(offers(&c, "AUTH SCRAM-SHA-256 PLAIN LOGIN"));
    quits(&c);

    dial(&c, SERVICE_SUBMISSIONS, "192.0.2.1", true);
    says(&c, "EHLO client.test", "250 ");
    for (unsigned i = 0; i < SMTP_LOGINS_MAX; i++) {
        says(&c, "AUTH PLAIN", "334 ");
        says(&c, "AGFuYUBvdXJzLnRlc3QAd3Jvbmc=", "535 5.7.8");
    }
    hears(&c, "421 4.7.0");
    expect_closed(&c);
}

static void no_password_without_tls_but_on_loopback(void **state)
{
    (void)state;
    struct client c;
    dial(&c, SERVICE_SUBMISSION, "192.0.2.1", false);
    assert_false(offers(&c, "AUTH SCRAM-SHA-256 PLAIN LOGIN"));
    assert_true(offers(&c, "STARTTLS"));
    says(&c, "MAIL FROM:<ana@ours.test>", "530 5.7.0");
    says(&c, "AUTH PLAIN AGFuYUBvdXJzLnRlc3QAc2VjcmV0", "538 5.7.11");
    quits(&c);
    dial(&c, SERVICE_SUBMISSION_ALT, "127.0.0.1", false);
    assert_true(offers(&c, "AUTH SCRAM-SHA-256 PLAIN LOGIN"));
    says(&c, "AUTH PLAIN AGFuYUBvdXJzLnRlc3QAc2VjcmV0", "235 2.7.0");
    quits(&c);
}

static void submits(struct client *c, const char *header, const char *want)
{
    char message[2000];
    envelope(c, "bob@ours.test");
    says(c, "DATA", "354 ");
    snprintf(message, sizeof message, "%s\r\n\r\nbody\r\n.", header);
    says(c, message, want);
}

static void a_user_sends_as_themselves_only(void **state)
{
    (void)state;
    struct client c;
    dial_user(&c);
    says(&c, "MAIL FROM:<x@far.test>", "553 5.7.1 <x@far.test> is not an address of ana@ours.test");
    says(&c, "MAIL FROM:<bob@ours.test>", "553 5.7.1");
    says(&c, "MAIL FROM:<ana+tag@ours.test>", "250 ");
    says(&c, "RCPT TO:<x@far.test>", "250 ");
    says(&c, "RCPT TO:<unknown@ours.test>", "550 5.1.1");
    says(&c, "DATA", "354 ");
    says(&c, "From: Ana <ana@ours.test>\r\nBcc: secret@far.test\r\n\r\nx\r\n.", "250 ");
    struct str stored = str_from(world.bytes, world.size);
    assert_true(str_find(stored, STR("\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384)\r\n"
                                     "\tby mail.ours.test with ESMTPSA id ")) != STR_NONE);
    assert_true(str_find(stored, STR("\r\nDate: ")) != STR_NONE);
    assert_true(str_find(stored, STR("\r\nMessage-ID: <")) != STR_NONE);
    assert_true(str_find(stored, STR("secret")) == STR_NONE);
    assert_true(str_ends(stored, STR("From: Ana <ana@ours.test>\r\n\r\nx\r\n")));
    assert_int_equal(world.queued, 1);
    assert_string_equal(world.to, "x@far.test");
    says(&c, "MAIL FROM:<ana@ours.test>", "250 ");
    says(&c, "RCPT TO:<bob@ours.test>", "250 ");
    says(&c, "DATA", "354 ");
    says(&c, "From: \"Boss\" <bob@ours.test>\r\n\r\nx\r\n.",
         "550 5.7.1 From: <bob@ours.test> is not an address");
    says(&c, "MAIL FROM:<>", "250 ");
    says(&c, "RCPT TO:<bob@ours.test>", "250 ");
    says(&c, "DATA", "354 ");
    says(&c, "From: ana@ours.test\r\nFrom: ana@ours.test\r\n\r\nx\r\n.", "550 5.6.0");
    quits(&c);
    dial_stranger(&c); /* whose From is not ours to judge */
    submits(&c, "From: bob@ours.test", "250 ");
    quits(&c);
}

static void on_behalf_of_somebody_a_sender_field_names_the_user(void **state)
{
    (void)state;
    struct client c;
    dial_user(&c);
    says(&c, "MAIL FROM:<boss@ours.test>", "250 ");
    says(&c, "RCPT TO:<bob@ours.test>", "250 ");
    says(&c, "DATA", "354 ");
    says(&c, "From: <Boss@ours.test>\r\nSender: <somebody@else.test>\r\nTo: old@ours.test\r\n\r\nx\r\n.",
         "250 ");
    struct str stored = str_from(world.bytes, world.size);
    assert_true(str_find(stored, STR("\r\nSender: <ana@ours.test>\r\n")) != STR_NONE);
    assert_true(str_find(stored, STR("somebody")) == STR_NONE);
    assert_true(str_find(stored, STR("old@ours.test")) != STR_NONE); /* nobody rewrites */
    says(&c, "MAIL FROM:<ana@ours.test>", "250 ");
    says(&c, "RCPT TO:<rewrites@ours.test>", "250 ");
    says(&c, "DATA", "354 ");
    says(&c,
         "From: boss@ours.test\r\nSender: Ana <ana@ours.test>\r\nTo: \"old@ours.test\" <Old@ours.test>,\r\n"
         " oldest@ours.test\r\nCc: x@far.test\r\n\r\nTo: old@ours.test\r\n.",
         "250 ");
    stored = str_from(world.bytes, world.size);
    assert_true(str_ends(stored, STR("From: boss@ours.test\r\nSender: Ana <ana@ours.test>\r\n"
                                     "To: \"old@ours.test\" <new@far.test>,\r\n new@far.test\r\n"
                                     "Cc: x@far.test\r\n\r\nTo: old@ours.test\r\n")));
    quits(&c);
    dial_stranger(&c); /* whose header stays as it is */
    says(&c, "MAIL FROM:<x@far.test>", "250 ");
    says(&c, "RCPT TO:<rewrites@ours.test>", "250 ");
    says(&c, "DATA", "354 ");
    says(&c, "To: old@ours.test\r\n\r\nx\r\n.", "250 ");
    assert_true(str_find(str_from(world.bytes, world.size), STR("To: old@ours.test")) != STR_NONE);
    quits(&c);
}

/* A gate that speaks no TLS: it passes the client's socket through. */
static void play_gate(struct client *c)
{
    struct ipc_frame f;
    assert_int_equal(ipc_receive(c->gate[1], &f, deadline_in(WAIT_MS)), IPC_OK);
    assert_int_equal(f.type, GATE_FRAME_STARTTLS);
    int outer = ipc_frame_take_fd(&f, 0), inner = ipc_frame_take_fd(&f, 1);
    ipc_frame_free(&f);
    assert_true(outer >= 0 && inner >= 0);
    close(outer);
    struct tls_info tls = {.on = true, .version = "TLSv1.3", .cipher = "TLS_AES_256_GCM_SHA384"};
    assert_true(connection_starttls_done(inner, &tls));
    close(c->fd);
    c->fd = inner; /* from now on we are both gate and client */
}

static void starttls_forgets_everything(void **state)
{
    (void)state;
    struct client c;
    dial(&c, SERVICE_SMTP, "192.0.2.1", false);
    says(&c, "EHLO client.test", "250 ");
    says(&c, "MAIL FROM:<x@far.test>", "250 ");
    sends(&c, STR("STARTTLS\r\nRCPT TO:<ana@ours.test>\r\nNOOP\r\n"));
    hears(&c, "220 2.0.0");
    play_gate(&c);
    says(&c, "RCPT TO:<ana@ours.test>", "503 5.5.1"); /* the first answer under TLS is to the first command */
    says(&c, "MAIL FROM:<x@far.test>", "503 5.5.1");
    assert_true(offers(&c, "AUTH SCRAM-SHA-256 PLAIN LOGIN"));
    says(&c, "STARTTLS", "503 5.5.1");
    envelope(&c, "ana@ours.test");
    says(&c, "DATA", "354 ");
    says(&c, ".", "250 ");
    quits(&c);
    assert_true(str_find(str_from(world.bytes, world.size), STR("with ESMTPS id")) != STR_NONE);
}

/* --- tests: the end --- */

static void stop(struct client *c)
{
    c->server.is_stopping = true;
    assert_int_equal(eventfd_write(c->server.stop_fd, 1), 0);
}

static void stopping_wakes_a_quiet_session(void **state)
{
    (void)state;
    struct client c;
    dial_stranger(&c);
    stop(&c);
    hears(&c, "421 4.3.2");
    expect_closed(&c);
}

static void stopping_finishes_what_is_under_way(void **state)
{
    (void)state;
    struct client c;
    dial_stranger(&c);
    says(&c, "MAIL FROM:<x@far.test>", "250 ");
    stop(&c);
    says(&c, "RCPT TO:<ana@ours.test>", "250 ");
    says(&c, "DATA", "354 ");
    says(&c, "a: b\r\n\r\nx\r\n.", "250 2.0.0 Accepted");
    hears(&c, "421 4.3.2");
    assert_int_equal(world.delivered, 1);
    expect_closed(&c);
}

int main(void)
{
    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_mailbox_says_so_at_rcpt),
        cmocka_unit_test(takes_a_message_for_a_local_address),
        cmocka_unit_test(answers_pipelined_commands_in_order),
        cmocka_unit_test(offers_what_is_whole),
        cmocka_unit_test(keeps_the_order_of_commands),
        cmocka_unit_test(relays_nothing_for_strangers),
        cmocka_unit_test(the_directory_may_refuse_and_rewrite),
        cmocka_unit_test(bounds_recipients_and_refusals),
        cmocka_unit_test(bounds_errors_and_idling),
        cmocka_unit_test(refuses_broken_lines),
        cmocka_unit_test(a_message_with_a_bare_line_end_is_no_message),
        cmocka_unit_test(bounds_size_and_hops),
        cmocka_unit_test(a_message_cut_off_is_no_message),
        cmocka_unit_test(one_recipient_gets_its_own_fate),
        cmocka_unit_test(several_recipients_share_an_answer),
        cmocka_unit_test(a_user_gets_a_report),
        cmocka_unit_test(authenticates),
        cmocka_unit_test(no_password_without_tls_but_on_loopback),
        cmocka_unit_test(a_user_sends_as_themselves_only),
        cmocka_unit_test(on_behalf_of_somebody_a_sender_field_names_the_user),
        cmocka_unit_test(starttls_forgets_everything),
        cmocka_unit_test(stopping_wakes_a_quiet_session),
        cmocka_unit_test(stopping_finishes_what_is_under_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
