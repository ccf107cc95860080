#include "message/submission.h"

#include "message/header.h"

#include "check.h"

static const struct submission_fix FIX = {
    .hostname = STR_INIT("mail.x.test"), .unique = STR_INIT("u1"), .now = 0, .zone = 60};

#define ADDED_DATE "Date: Thu, 1 Jan 1970 01:00:00 +0100\r\n"
#define ADDED_ID   "Message-ID: <u1@mail.x.test>\r\n"

/* The message as it goes on: the new header and what it does not replace. */
static void check(const char *message, const char *expected)
{
    CLEAN_BUF struct buf out;
    buf_init(&out, 10000);
    struct str m = str_from_c(message);
    size_t replaced = submission_fix_header(m, &FIX, &out);
    assert_int_equal(replaced, header_size(m));
    buf_add(&out, str_from_offset(m, replaced));
    buf_add_byte(&out, '\0');
    assert_string_equal(out.p, expected);
}

static void adds_what_is_missing(void **state)
{
    (void)state;
    check("Subject: x\r\n\r\nbody", ADDED_DATE ADDED_ID "Subject: x\r\n\r\nbody");
    check("date: then\r\nSubject: x\r\n\r\nbody", ADDED_ID "date: then\r\nSubject: x\r\n\r\nbody");
    check("Message-Id: <a@b>\r\nDate: now\r\n\r\nbody", "Message-Id: <a@b>\r\nDate: now\r\n\r\nbody");
    check("Date:\r\nMessage-ID: \r\nSubject: x\r\n\r\n", ADDED_DATE ADDED_ID "Subject: x\r\n\r\n");
    check("", ADDED_DATE ADDED_ID "\r\n");
    check("\r\nbody", ADDED_DATE ADDED_ID "\r\nbody");
    check("Subject: x", ADDED_DATE ADDED_ID "Subject: x\r\n\r\n");
}

static void takes_out_bcc(void **state)
{
    (void)state;
    check("Date: d\r\nBCC: a@b,\r\n c@d\r\nMessage-ID: i\r\nResent-Bcc: e@f\r\nX-Bcc: kept\r\n\r\nBcc: "
          "body\r\n",
          "Date: d\r\nMessage-ID: i\r\nX-Bcc: kept\r\n\r\nBcc: body\r\n");
}

static void counts_received(void **state)
{
    (void)state;
    assert_int_equal(
        header_count_received(STR("Received: a\r\n b\r\nreceived: c\r\nX: y\r\n\r\nReceived: d\r\n")), 2);
    assert_int_equal(header_count_received(STR("")), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(adds_what_is_missing),
        cmocka_unit_test(takes_out_bcc),
        cmocka_unit_test(counts_received),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
