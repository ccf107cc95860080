/* The pure parts of the queue: when a message is tried again, and what a report says. */
#include "check.h"

#include "message/header.h"
#include "message/mime.h"
#include "queue/dsn.h"
#include "queue/schedule.h"

#include <string.h>

#define MINUTE 60
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

static const struct schedule USUAL = {
    .first_s = 5 * MINUTE, .most_s = 4 * HOUR, .lifetime_s = 5 * DAY, .warn_s = 4 * HOUR};

static void pauses_double_up_to_the_most(void **state)
{
    (void)state;
    int64_t now = 1000000, expected[] = {5, 10, 20, 40, 80, 160, 240, 240};
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(schedule_next(&USUAL, now, i + 1, now, 0), now + expected[i] * MINUTE);
    assert_int_equal(schedule_next(&USUAL, now, UINT32_MAX, now, 0), now + 4 * HOUR);
}

static void jitter_adds_at_most_an_eighth(void **state)
{
    (void)state;
    for (uint32_t random = 0; random < 100000; random += 17) {
        int64_t next = schedule_next(&USUAL, 0, 1, 0, random);
        assert_in_range(next, 5 * MINUTE, 5 * MINUTE + 5 * MINUTE / 8);
    }
}

static void the_last_attempt_is_at_the_end(void **state)
{
    (void)state;
    int64_t arrived = 500, end = arrived + 5 * DAY;
    assert_int_equal(schedule_next(&USUAL, arrived, 9, end - 10, 0), end);
    assert_false(schedule_is_over(&USUAL, arrived, end - 1));
    assert_true(schedule_is_over(&USUAL, arrived, end));
    assert_false(schedule_is_late(&USUAL, arrived, arrived + 4 * HOUR - 1));
    assert_true(schedule_is_late(&USUAL, arrived, arrived + 4 * HOUR));
    struct schedule silent = USUAL;
    silent.warn_s = 0;
    assert_false(schedule_is_late(&silent, arrived, end));
}

/* --- status --- */

static void status_is(const char *reply, enum dsn_action action, bool expired, const char *expected)
{
    struct dsn_recipient r = {.reply = str_from_c(reply), .expired = expired};
    char status[DSN_STATUS_MAX];
    dsn_status(&r, action, status);
    assert_string_equal(status, expected);
}

static void status_comes_from_the_reply(void **state)
{
    (void)state;
    status_is("550 5.1.1 No such user", DSN_FAILED, false, "5.1.1");
    status_is("550 No such user", DSN_FAILED, false, "5.0.0");
    status_is("550 5.1.1", DSN_FAILED, false, "5.1.1");
    status_is("5.1.10 takes no mail", DSN_FAILED, false, "5.1.10");
    status_is("550 4.1.1 contradicts itself", DSN_FAILED, false, "5.0.0");
    status_is("550 5.1.1000 is no status", DSN_FAILED, false, "5.0.0");
    status_is("550 5.7.1: with a colon", DSN_FAILED, false, "5.0.0");
    status_is("450 4.2.0 greylisted", DSN_DELAYED, false, "4.2.0");
    status_is("", DSN_DELAYED, false, "4.0.0");
    status_is("450 4.2.0 greylisted", DSN_FAILED, true, "4.4.7");
}

/* --- the report, read back by our own MIME parser --- */

static const struct dsn_recipient RECIPIENTS[] = {
    {.address = STR_INIT("nobody@example.net"),
     .original = STR_INIT("rfc822;Nobody@Example.net"),
     .host = STR_INIT("mx1.example.net"),
     .reply = STR_INIT("550 5.1.1 <nobody@example.net>: Recipient address rejected: User unknown\r\n.\r\n")},
    {.address = STR_INIT("full@example.net"), .reply = STR_INIT("5.4.4 example.net has no address")},
};

static struct dsn report_of(enum dsn_action action, struct str header)
{
    return (struct dsn){
        .action = action,
        .hostname = STR("mail.example.org"),
        .to = STR("ana@example.org"),
        .unique = STR("0123456789abcdef0123456789abcdef"),
        .queue_id = 42,
        .now = 1795518000,
        .arrived = 1795510000,
        .until = 1795510000 + 5 * DAY,
        .zone = 60,
        .envelope_id = STR(""),
        .message = header,
        .recipients = RECIPIENTS,
        .count = 2,
    };
}

static struct str part(struct str message, const struct mime_part *p)
{
    return str_slice(message, p->body_at, p->body_size);
}

static bool has(struct str s, const char *words)
{
    return str_find(s, str_from_c(words)) != STR_NONE;
}

#define HEADER                                                                                 \
    "Received: from x\r\n\tby y\r\nFrom: ana@example.org\r\nMessage-ID: <one@example.org>\r\n" \
    "Subject: Hello\r\n"

static void a_report_is_multipart_report(void **state)
{
    (void)state;
    CLEAN_ARENA struct arena a = ARENA_INIT;
    CLEAN_BUF struct buf out;
    bool is_8bit, needs_utf8;
    buf_init(&out, BUF_MAX_DEFAULT);
    struct dsn d = report_of(DSN_FAILED, STR(HEADER "\r\nthe body is not in the report\r\n"));
    dsn_build(&d, &out, &is_8bit, &needs_utf8);
    struct str m = buf_str(&out);
    assert_false(is_8bit);

    struct mime_part *root = mime_parse(m, &a);
    assert_true(str_eq(root->type, STR("multipart")) && str_eq(root->subtype, STR("report")));
    assert_true(
        str_eq(mime_param(root->params, root->param_count, STR("report-type")), STR("delivery-status")));
    assert_int_equal(root->child_count, 3);

    struct mime_part **c = root->children;
    assert_true(str_eq(c[0]->type, STR("text")) && str_eq(c[0]->subtype, STR("plain")));
    struct str text = part(m, c[0]);
    assert_true(has(text, "<nobody@example.net>\r\n"));
    assert_true(has(text, "There is no such address there."));
    assert_true(has(text, "mx1.example.net said:\r\n"));
    assert_true(has(text, "unknown??.??\r\n"));

    assert_true(str_eq(c[1]->type, STR("message")) && str_eq(c[1]->subtype, STR("delivery-status")));
    struct str status = part(m, c[1]);
    assert_true(str_starts(status, STR("Reporting-MTA: dns; mail.example.org\r\n")));
    assert_true(has(status, "Arrival-Date: "));
    assert_true(has(status,
                    "\r\n\r\nOriginal-Recipient: rfc822; Nobody@Example.net\r\n"
                    "Final-Recipient: rfc822; nobody@example.net\r\nAction: failed\r\nStatus: 5.1.1\r\n"
                    "Remote-MTA: dns; mx1.example.net\r\nDiagnostic-Code: smtp; 550 5.1.1 "));
    assert_true(has(status, "\r\n\r\nFinal-Recipient: rfc822; full@example.net\r\nAction: failed\r\n"
                            "Status: 5.4.4\r\nDiagnostic-Code: x-golub; 5.4.4 "));

    assert_true(str_eq(c[2]->type, STR("text")) && str_eq(c[2]->subtype, STR("rfc822-headers")));
    assert_true(str_eq(str_trim(part(m, c[2])), str_trim(STR(HEADER))));
    assert_false(has(m, "the body is not"));
}

static void a_report_has_the_header_that_clients_thread_and_filter_by(void **state)
{
    (void)state;
    CLEAN_BUF struct buf out;
    bool is_8bit, needs_utf8;
    struct header_field f;
    buf_init(&out, BUF_MAX_DEFAULT);
    struct dsn d = report_of(DSN_DELAYED, STR(HEADER "\r\n"));
    dsn_build(&d, &out, &is_8bit, &needs_utf8);
    struct str m = buf_str(&out);
    assert_true(header_find(m, STR("Auto-Submitted"), &f) && has(f.value, "auto-replied"));
    assert_true(header_find(m, STR("References"), &f) && has(f.value, "<one@example.org>"));
    assert_true(header_find(m, STR("To"), &f) && has(f.value, "<ana@example.org>"));
    assert_true(has(m, "Action: delayed\r\nStatus: 4.0.0\r\n"));
    assert_true(has(m, "Will-Retry-Until: "));
}

/* What another server says must neither end a line nor a part. */
static void replies_cannot_write_lines(void **state)
{
    (void)state;
    CLEAN_BUF struct buf out;
    bool is_8bit, needs_utf8;
    buf_init(&out, BUF_MAX_DEFAULT);
    struct dsn d = report_of(DSN_FAILED, STR("Subject: \xc5\xbdivot\r\n\r\n"));
    dsn_build(&d, &out, &is_8bit, &needs_utf8);
    assert_true(is_8bit);
    assert_true(has(buf_str(&out), "unknown??.??\r\n"));
    struct str rest = buf_str(&out), line;
    while (rest.n > 0) {
        assert_true(str_cut(&rest, '\n', &line));
        assert_true(str_ends(line, STR("\r")));
        assert_true(line.n <= 999);
    }
}

static void a_huge_header_is_cut_at_a_field(void **state)
{
    (void)state;
    CLEAN_BUF struct buf out, header;
    bool is_8bit, needs_utf8;
    buf_init(&out, BUF_MAX_DEFAULT);
    buf_init(&header, BUF_MAX_DEFAULT);
    for (int i = 0; i < 5000; i++)
        buf_addf(&header, "X-Field-%d: some words here\r\n", i);
    struct dsn d = report_of(DSN_FAILED, buf_str(&header));
    dsn_build(&d, &out, &is_8bit, &needs_utf8);
    assert_true(out.n < DSN_HEADER_MAX + 8192);
    assert_true(has(buf_str(&out), "some words here\r\n\r\n--=_"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pauses_double_up_to_the_most),
        cmocka_unit_test(jitter_adds_at_most_an_eighth),
        cmocka_unit_test(the_last_attempt_is_at_the_end),
        cmocka_unit_test(status_comes_from_the_reply),
        cmocka_unit_test(a_report_is_multipart_report),
        cmocka_unit_test(a_report_has_the_header_that_clients_thread_and_filter_by),
        cmocka_unit_test(replies_cannot_write_lines),
        cmocka_unit_test(a_huge_header_is_cut_at_a_field),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
