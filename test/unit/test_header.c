#include "message/header.h"

#include "check.h"

#include <string.h>

static struct str MESSAGE = STR_INIT("From: a@example.org\r\n"
                                     "Subject : two\r\n lines\r\n"
                                     "no field here\r\n"
                                     "X-Empty:\r\n"
                                     "To: b@example.org\n"
                                     "\r\n"
                                     "Body: not a field\r\n");

static void expect(struct str *rest, const char *name, const char *value)
{
    struct header_field f;
    assert_true(header_next(rest, &f));
    assert_memory_equal(f.name.p, name, strlen(name));
    assert_int_equal(f.name.n, strlen(name));
    assert_int_equal(f.value.n, strlen(value));
    assert_memory_equal(f.value.p, value, strlen(value));
}

static void takes_fields_until_the_empty_line(void **state)
{
    (void)state;
    struct str rest = MESSAGE;
    struct header_field f;
    expect(&rest, "From", " a@example.org");
    expect(&rest, "Subject", " two\r\n lines");
    expect(&rest, "", "no field here");
    expect(&rest, "X-Empty", "");
    expect(&rest, "To", " b@example.org");
    assert_false(header_next(&rest, &f));
    assert_true(str_eq(rest, STR("Body: not a field\r\n")));
}

static void whole_fields_together_are_the_header(void **state)
{
    (void)state;
    struct str rest = MESSAGE;
    struct header_field f;
    size_t n = 0;
    while (header_next(&rest, &f))
        n += f.whole.n;
    assert_int_equal(header_size(MESSAGE), n + 2);
    assert_int_equal(header_size(MESSAGE), MESSAGE.n - rest.n);
}

static void finds_the_end_of_any_header(void **state)
{
    (void)state;
    assert_int_equal(header_size(STR("")), 0);
    assert_int_equal(header_size(STR("\r\nbody")), 2);
    assert_int_equal(header_size(STR("\nbody")), 1);
    assert_int_equal(header_size(STR("A: b\r\n\r\nbody")), 8);
    assert_int_equal(header_size(STR("A: b\n\nbody")), 6);
    assert_int_equal(header_size(STR("A: b\r\n \r\n\r\nbody")), 11);
    assert_int_equal(header_size(STR("A: b")), 4);
    assert_int_equal(header_size(STR("A: b\r\n")), 6);
    assert_int_equal(header_size(STR("A: b\r\n\r")), 7);
}

static void names_that_are_none(void **state)
{
    (void)state;
    static const char *const LINES[] = {"From joe Mon Jan 1 00:00:00 2026\r\n",
                                        ": value\r\n",
                                        " folded: x\r\n",
                                        "\xc3\xa4: x\r\n",
                                        "a\tb: x\r\n",
                                        "colon in the\r\n next: line\r\n"};
    for (size_t i = 0; i < sizeof LINES / sizeof *LINES; i++) {
        struct header_field f;
        struct str rest = str_from_c(LINES[i]);
        assert_true(header_next(&rest, &f));
        assert_int_equal(f.name.n, 0);
        assert_int_equal(f.whole.n, strlen(LINES[i]));
        assert_int_equal(rest.n, 0);
    }
}

static void finds_without_case(void **state)
{
    (void)state;
    struct header_field f;
    assert_true(header_find(MESSAGE, STR("TO"), &f));
    assert_true(str_eq(f.value, STR(" b@example.org")));
    assert_false(header_find(MESSAGE, STR("Body"), &f));
}

static void unfolds(void **state)
{
    (void)state;
    CLEAN_ARENA struct arena a = ARENA_INIT;
    assert_true(str_eq(header_unfold(STR("  one line \r\n"), &a), STR("one line")));
    /* RFC 5322 section 2.2.3 */
    assert_true(str_eq(header_unfold(STR(" This\r\n is a test"), &a), STR("This is a test")));
    assert_true(str_eq(header_unfold(STR(" a\n\tb\r\n\r\n  c\rd"), &a), STR("a\tb  c\rd")));
    assert_int_equal(header_unfold(STR(" \r\n \r\n"), &a).n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_fields_until_the_empty_line),
        cmocka_unit_test(whole_fields_together_are_the_header),
        cmocka_unit_test(finds_the_end_of_any_header),
        cmocka_unit_test(names_that_are_none),
        cmocka_unit_test(finds_without_case),
        cmocka_unit_test(unfolds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
