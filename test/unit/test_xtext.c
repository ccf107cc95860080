/* What stands in ESMTP parameters: xtext and moments. */
#include "check.h"
#include "message/timestamp.h"
#include "message/xtext.h"

static void reads_and_writes_xtext(void **state)
{
    (void)state;
    static const struct {
        struct str text, bytes;
    } PAIRS[] = {
        {STR_INIT(""), STR_INIT("")},
        {STR_INIT("QQ314159"), STR_INIT("QQ314159")},
        {STR_INIT("e+3Dmc2@example.com"), STR_INIT("e=mc2@example.com")}, /* RFC 4954 section 5 */
        {STR_INIT("a+2Bb+20c"), STR_INIT("a+b c")},
        {STR_INIT("+00+0D+0A+7F+FF"), STR_INIT("\0\r\n\x7f\xff")},
    };
    for (size_t i = 0; i < sizeof PAIRS / sizeof *PAIRS; i++) {
        CLEAN_BUF struct buf out;
        buf_init(&out, 1000);
        assert_true(xtext_decode(PAIRS[i].text, &out));
        assert_true(str_eq(buf_str(&out), PAIRS[i].bytes));
        buf_reset(&out);
        xtext_encode(PAIRS[i].bytes, &out);
        assert_true(str_eq(buf_str(&out), PAIRS[i].text));
    }
}

static void knows_what_is_no_xtext(void **state)
{
    (void)state;
    static const char *const BAD[] = {"+", "+4", "a+4g", "+3d", "a=b", "a b", "\xc3\xa9", "a\x7f", "++41"};
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        CLEAN_BUF struct buf out;
        buf_init(&out, 1000);
        buf_add(&out, STR("before"));
        if (xtext_decode(str_from_c(BAD[i]), &out) || !str_eq(buf_str(&out), STR("before")))
            fail_msg("%s", BAD[i]);
    }
}

/* RFC 3339 section 5.8 */
static void reads_moments(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t at;
    } MOMENTS[] = {
        {"1985-04-12T23:20:50.52Z", 482196050},
        {"1996-12-19T16:39:57-08:00", 851042397},
        {"1990-12-31T23:59:60Z", 662687999},
        {"1937-01-01T12:00:27.87+00:20", -1041337173},
        {"1970-01-01t00:00:00z", 0},
        {"2024-02-29T00:00:00Z", 1709164800},
    };
    for (size_t i = 0; i < sizeof MOMENTS / sizeof *MOMENTS; i++) {
        int64_t at = -1;
        if (!timestamp_parse(str_from_c(MOMENTS[i].text), &at) || at != MOMENTS[i].at)
            fail_msg("%s: %lld", MOMENTS[i].text, (long long)at);
    }
    static const char *const BAD[] = {
        "",
        "2026-11-26",
        "2026-11-26T14:00:00",
        "2026-11-26T14:00Z",
        "2026-11-26 14:00:00Z",
        "2026-11-26T14:00:00.Z",
        "2026-11-26T14:00:00ZZ",
        "2026-11-26T14:00:00+1:00",
        "2026-11-26T24:00:00Z",
        "2026-11-26T14:60:00Z",
        "2026-11-26T14:00:61Z",
        "2026-13-26T14:00:00Z",
        "2026-00-26T14:00:00Z",
        "2026-02-29T14:00:00Z",
        "26-11-26T14:00:00Z",
    };
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        int64_t at;
        if (timestamp_parse(str_from_c(BAD[i]), &at))
            fail_msg("%s", BAD[i]);
    }
}

static void writes_moments(void **state)
{
    (void)state;
    static const char *const TEXTS[] = {"1970-01-01T00:00:00Z", "2026-11-26T14:05:43Z",
                                        "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"};
    for (size_t i = 0; i < sizeof TEXTS / sizeof *TEXTS; i++) {
        CLEAN_BUF struct buf out;
        int64_t at;
        buf_init(&out, 100);
        assert_true(timestamp_parse(str_from_c(TEXTS[i]), &at));
        timestamp_add(&out, at);
        assert_true(str_eq(buf_str(&out), str_from_c(TEXTS[i])));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_and_writes_xtext),
        cmocka_unit_test(knows_what_is_no_xtext),
        cmocka_unit_test(reads_moments),
        cmocka_unit_test(writes_moments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
