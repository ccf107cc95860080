#include "message/date.h"

#include "check.h"

#include <string.h>

static void check_parse(const char *text, const char *imap)
{
    int64_t at;
    int zone;
    CLEAN_BUF struct buf out;
    buf_init(&out, 100);
    if (date_parse(str_from_c(text), &at, &zone) != DATE_OK)
        fail_msg("not a date: %s", text);
    date_add_imap(&out, at, zone);
    buf_add_byte(&out, '\0');
    assert_string_equal(out.p, imap);
}

static void dates_of_rfc5322(void **state)
{
    (void)state;
    /* appendix A */
    check_parse("Fri, 21 Nov 1997 09:55:06 -0600", "21-Nov-1997 09:55:06 -0600");
    check_parse("Tue, 1 Jul 2003 10:52:37 +0200", " 1-Jul-2003 10:52:37 +0200");
    check_parse("Thu,\r\n      13\r\n        Feb\r\n          1969\r\n      23:32\r\n               -0330 "
                "(Newfoundland Time)",
                "13-Feb-1969 23:32:00 -0330");
    check_parse("21 Nov 97 09:55:06 GMT", "21-Nov-1997 09:55:06 +0000");
    check_parse("Fri, 21 Nov 1997 09(comment):   55  :  06 -0600", "21-Nov-1997 09:55:06 -0600");
}

static void dates_of_the_wild(void **state)
{
    (void)state;
    check_parse("Tue Nov 24 12:00:00 2026", "24-Nov-2026 12:00:00 +0000");
    check_parse("Tuesday, 24-Nov-26 12:00:00 GMT+0100", "24-Nov-2026 12:00:00 +0100");
    check_parse("24 November 2026 12:00:00 EDT", "24-Nov-2026 12:00:00 -0400");
    check_parse("Tue, 24 Nov 2026 12:00:00 +01:00", "24-Nov-2026 12:00:00 +0100");
    check_parse("Tue, 24 Nov 2026 12:00:00.123 Z", "24-Nov-2026 12:00:00 +0000");
    check_parse("Tue, 24 Nov 126 12:00:00 +0000", "24-Nov-2026 12:00:00 +0000");
    check_parse("Tue, 24 Nov 2026 23:59:60 +0000", "25-Nov-2026 00:00:00 +0000");
    check_parse("Mon, 29 Feb 2000 12:00 -0000", "29-Feb-2000 12:00:00 +0000");
}

static void what_is_no_date(void **state)
{
    (void)state;
    int64_t at;
    int zone;
    static const char *const BAD[] = {"",
                                      "Tue",
                                      "24 Nov",
                                      "Tue, 24 Nov 2026",
                                      "24 Foo 2026 12:00:00 +0000",
                                      "24 Nov 20266 12:00:00",
                                      "(24 Nov 2026 12:00:00",
                                      "now",
                                      "24 Nov 2 12:00"};
    static const char *const RANGE[] = {"31 Feb 2026 12:00:00 +0000", "29 Feb 1900 12:00:00 +0000",
                                        "0 Nov 2026 12:00:00 +0000",  "24 Nov 2026 24:00:00 +0000",
                                        "24 Nov 2026 12:60:00 +0000", "24 Nov 0000 12:00:00 +0000"};
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++)
        assert_int_equal(date_parse(str_from_c(BAD[i]), &at, &zone), DATE_BAD);
    for (size_t i = 0; i < sizeof RANGE / sizeof *RANGE; i++)
        assert_int_equal(date_parse(str_from_c(RANGE[i]), &at, &zone), DATE_RANGE);
}

static void imap_dates(void **state)
{
    (void)state;
    int64_t at;
    int zone;
    assert_int_equal(date_parse_imap(STR("17-Jul-1996 02:44:25 -0700"), &at, &zone), DATE_OK);
    assert_int_equal(at, 837596665);
    assert_int_equal(zone, -420);
    assert_int_equal(date_parse_imap(STR(" 7-Feb-1994 21:52:25 -0800"), &at, &zone), DATE_OK);
    static const char *const BAD[] = {
        "17-Jul-1996 02:44:25",        "17-Jul-1996 02:44:25 -070",  "17 Jul 1996 02:44:25 -0700",
        "17-Jul-96 02:44:25 -0700",    "17-Jul-1996 2:44:25 -0700",  "",
        "17-Jul-1996 02:44:25 -0700 ", "17-Jul-1996 02:44:25 -0760", "017-Jul-1996 02:44:25 -0700"};
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++)
        assert_int_equal(date_parse_imap(str_from_c(BAD[i]), &at, &zone), DATE_BAD);
    assert_int_equal(date_parse_imap(STR("31-Jun-1996 02:44:25 -0700"), &at, &zone), DATE_RANGE);
}

static void days_are_those_of_the_calendar(void **state)
{
    (void)state;
    assert_int_equal(date_day(1970, 1, 1), 0);
    assert_int_equal(date_day(2000, 3, 1), 11017);
    assert_int_equal(date_day(1969, 12, 31), -1);
    assert_int_equal(date_day_at(-1, 0), -1);
    assert_int_equal(date_day_at(0, -1), -1);
    assert_int_equal(date_day_at(86399, 1), 1);
    int64_t day = date_day(1, 1, 1);
    for (int year = 1; year <= 9999; year++) {
        bool is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        assert_int_equal(date_day(year, 1, 1), day);
        assert_int_equal(date_day(year, 12, 31), day + 364 + is_leap);
        day += 365 + is_leap;
    }
}

static void written_dates_are_read_back(void **state)
{
    (void)state;
    for (int64_t at = -62000000000; at < 253000000000; at += 98765432) {
        int zone = (int)(at % 840);
        int64_t again;
        int zone_again;
        CLEAN_BUF struct buf mail, imap;
        buf_init(&mail, 100);
        buf_init(&imap, 100);
        date_add_rfc5322(&mail, at, zone);
        date_add_imap(&imap, at, zone);
        assert_int_equal(imap.n, 26);
        assert_int_equal(date_parse(buf_str(&mail), &again, &zone_again), DATE_OK);
        assert_int_equal(again, at);
        assert_int_equal(zone_again, zone);
        assert_int_equal(date_parse_imap(buf_str(&imap), &again, &zone_again), DATE_OK);
        assert_int_equal(again, at);
    }
}

static void moments_out_of_range_are_clamped(void **state)
{
    (void)state;
    CLEAN_BUF struct buf out;
    buf_init(&out, 200);
    date_add_imap(&out, INT64_MAX, 840);
    date_add_imap(&out, INT64_MIN, -840);
    assert_true(str_eq(buf_str(&out), STR("31-Dec-9999 13:59:59 +1400 1-Jan-0001 10:00:00 -1400")));
}

static void weekdays(void **state)
{
    (void)state;
    CLEAN_BUF struct buf out;
    buf_init(&out, 200);
    date_add_rfc5322(&out, 1795518000, 60);
    date_add_rfc5322(&out, -1, 0);
    assert_true(str_eq(buf_str(&out), STR("Tue, 24 Nov 2026 12:00:00 +0100Wed, 31 Dec 1969 23:59:59 +0000")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dates_of_rfc5322),
        cmocka_unit_test(dates_of_the_wild),
        cmocka_unit_test(what_is_no_date),
        cmocka_unit_test(imap_dates),
        cmocka_unit_test(days_are_those_of_the_calendar),
        cmocka_unit_test(written_dates_are_read_back),
        cmocka_unit_test(moments_out_of_range_are_clamped),
        cmocka_unit_test(weekdays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
