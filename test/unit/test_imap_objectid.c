/* The ids of RFC 8474. */
#include "imap/objectid.h"

#include "check.h"

#define COUNT(table) (sizeof(table) / sizeof *(table))

static void ids_come_back(void **state)
{
    (void)state;
    static const struct {
        enum imap_object kind;
        int64_t number;
        const char *text;
    } CASES[] = {
        {IMAP_OBJECT_MAILBOX, 1, "F1"},
        {IMAP_OBJECT_EMAIL, 4294967296, "M4294967296"},
        {IMAP_OBJECT_THREAD, INT64_MAX, "T9223372036854775807"},
    };
    for (size_t i = 0; i < COUNT(CASES); i++) {
        CLEAN_BUF struct buf out;
        buf_init(&out, IMAP_OBJECTID_MAX);
        imap_add_objectid(&out, CASES[i].kind, CASES[i].number);
        assert_true(str_eq(buf_str(&out), str_from_c(CASES[i].text)));
        struct imap_cursor c = {.in = buf_str(&out)};
        int64_t number;
        assert_true(imap_take_objectid(&c, CASES[i].kind, &number) && imap_take_end(&c));
        assert_int_equal(number, CASES[i].number);
    }
}

/* What is an objectid by its grammar but none of ours names nothing (section 4.1: clients may send any). */
static void others_are_taken_and_name_nothing(void **state)
{
    (void)state;
    static const char *const CASES[] = {
        "6d97d8", "M", "M0", "M01", "m1", "T1", "M1x", "M-1", "M9223372036854775808", "M_", "Ma-b_c",
    };
    for (size_t i = 0; i < COUNT(CASES); i++) {
        struct imap_cursor c = {.in = str_from_c(CASES[i])};
        int64_t number = 1;
        assert_true(imap_take_objectid(&c, IMAP_OBJECT_EMAIL, &number) && imap_take_end(&c));
        assert_int_equal(number, 0);
    }
}

static void what_is_none_is_refused(void **state)
{
    (void)state;
    static const char *const CASES[] = {"", " M1", "(M1)", "\"M1\"", "*"};
    for (size_t i = 0; i < COUNT(CASES); i++) {
        struct imap_cursor c = {.in = str_from_c(CASES[i])};
        int64_t number;
        assert_false(imap_take_objectid(&c, IMAP_OBJECT_EMAIL, &number));
        assert_int_equal(c.at, 0);
        assert_non_null(c.problem);
    }
    char text[IMAP_OBJECTID_MAX + 1];
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = 'M';
    int64_t number;
    struct imap_cursor longest = {.in = str_from(text, IMAP_OBJECTID_MAX)},
                       longer = {.in = str_from(text, sizeof text)};
    assert_true(imap_take_objectid(&longest, IMAP_OBJECT_EMAIL, &number));
    assert_false(imap_take_objectid(&longer, IMAP_OBJECT_EMAIL, &number));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_come_back),
        cmocka_unit_test(others_are_taken_and_name_nothing),
        cmocka_unit_test(what_is_none_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
