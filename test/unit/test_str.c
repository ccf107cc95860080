#include "base/str.h"

#include "check.h"

static void finds_and_slices_within_bounds(void **state)
{
    (void)state;
    struct str s = STR("a\0b=c=d");
    assert_int_equal(s.n, 7);
    assert_int_equal(str_find_byte(s, '='), 3);
    assert_int_equal(str_rfind_byte(s, '='), 5);
    assert_int_equal(str_find_byte(s, 'x'), STR_NONE);
    assert_int_equal(str_find(s, STR("\0b")), 1);
    assert_int_equal(str_find(s, STR("bb")), STR_NONE);
    assert_int_equal(str_slice(s, 5, 100).n, 2);
    assert_int_equal(str_slice(s, 100, 1).n, 0);
    assert_int_equal(str_from_offset(STR(""), 4).n, 0);
}

static void cuts_at_a_byte(void **state)
{
    (void)state;
    struct str rest = STR("user@example.org"), head;
    assert_true(str_cut(&rest, '@', &head));
    assert_true(str_eq(head, STR("user")));
    assert_true(str_eq(rest, STR("example.org")));
    assert_false(str_cut(&rest, '@', &head));
    assert_true(str_eq(head, STR("example.org")));
    assert_int_equal(rest.n, 0);
}

static void compares(void **state)
{
    (void)state;
    assert_true(str_eq_nocase(STR("InBoX"), STR("INBOX")));
    assert_false(str_eq_nocase(STR("{"), STR("["))); /* differ by 0x20 and are no letters */
    assert_true(str_starts_nocase(STR("MAIL FROM:"), STR("mail")));
    assert_true(str_ends(STR("a.b"), STR(".b")));
    assert_true(str_compare(STR("a"), STR("ab")) < 0);
    assert_true(str_compare(STR("\xff"), STR("a")) > 0);
    assert_true(str_eq(str_trim(STR(" \t a b\r\n")), STR("a b")));
}

static void reads_numbers_or_nothing(void **state)
{
    (void)state;
    uint64_t v = 7;
    uint32_t w = 7;
    assert_true(str_to_u64(STR("18446744073709551615"), &v));
    assert_true(v == UINT64_MAX);
    assert_false(str_to_u64(STR("18446744073709551616"), &v));
    assert_false(str_to_u64(STR(""), &v));
    assert_false(str_to_u64(STR("-1"), &v));
    assert_false(str_to_u64(STR("1 "), &v));
    assert_false(str_to_u32(STR("4294967296"), &w));
    assert_int_equal(w, 7);
    assert_true(str_to_u32(STR("4294967295"), &w));
}

static void writes_hex(void **state)
{
    (void)state;
    char text[9];
    str_write_hex((const unsigned char[]){0x00, 0x9a, 0xff, 0x10}, 4, text);
    assert_string_equal(text, "009aff10");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_and_slices_within_bounds),
        cmocka_unit_test(cuts_at_a_byte),
        cmocka_unit_test(compares),
        cmocka_unit_test(reads_numbers_or_nothing),
        cmocka_unit_test(writes_hex),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
