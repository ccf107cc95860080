#include "base/buf.h"

#include "check.h"

#include <stdlib.h>

static void never_grows_past_its_maximum(void **state)
{
    (void)state;
    CLEAN_BUF struct buf b;
    buf_init(&b, 10);
    assert_true(buf_add(&b, STR("12345678")));
    assert_false(buf_add(&b, STR("abc")));
    assert_true(b.overflow);
    assert_true(str_eq(buf_str(&b), STR("12345678")));
    assert_true(buf_add(&b, STR("ab")));
    assert_null(buf_room(&b, SIZE_MAX));
    buf_consume(&b, 7);
    assert_true(str_eq(buf_str(&b), STR("8ab")));
    buf_consume(&b, 100);
    assert_int_equal(b.n, 0);
}

static void writes_numbers(void **state)
{
    (void)state;
    CLEAN_BUF struct buf b;
    buf_init(&b, 100);
    buf_add_u64(&b, 0);
    buf_add_byte(&b, ' ');
    buf_add_u64(&b, UINT64_MAX);
    assert_true(buf_addf(&b, "-%d", 7));
    assert_true(str_eq(buf_str(&b), STR("0 18446744073709551615-7")));
}

static void base64_of_rfc4648_section_10(void **state)
{
    (void)state;
    static const char *const PAIRS[][2] = {{"", ""},
                                           {"f", "Zg=="},
                                           {"fo", "Zm8="},
                                           {"foo", "Zm9v"},
                                           {"foob", "Zm9vYg=="},
                                           {"fooba", "Zm9vYmE="},
                                           {"foobar", "Zm9vYmFy"}};
    for (size_t i = 0; i < sizeof PAIRS / sizeof *PAIRS; i++) {
        CLEAN_BUF struct buf to, back;
        buf_init(&to, 100);
        buf_init(&back, 100);
        assert_true(buf_add_base64(&to, str_from_c(PAIRS[i][0])));
        assert_true(str_eq(buf_str(&to), str_from_c(PAIRS[i][1])));
        assert_true(buf_add_base64_decoded(&back, buf_str(&to)));
        assert_true(str_eq(buf_str(&back), str_from_c(PAIRS[i][0])));
    }
    CLEAN_BUF struct buf out;
    buf_init(&out, 100);
    static const char *const BAD[] = {"Zg=", "Zg", "Z===", "Zm 9v", "Zm9v\n", "=Zm9", "Zg==Zg=="};
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        assert_false(buf_add_base64_decoded(&out, str_from_c(BAD[i])));
        assert_int_equal(out.n, 0);
    }
}

static void base64_of_random_bytes_comes_back(void **state)
{
    (void)state;
    srand(1);
    for (int round = 0; round < 500; round++) {
        char bytes[64];
        size_t n = (size_t)rand() % sizeof bytes;
        for (size_t i = 0; i < n; i++)
            bytes[i] = (char)rand();
        CLEAN_BUF struct buf to, back;
        buf_init(&to, 200);
        buf_init(&back, 200);
        assert_true(buf_add_base64(&to, str_from(bytes, n)));
        assert_true(buf_add_base64_decoded(&back, buf_str(&to)));
        assert_true(str_eq(buf_str(&back), str_from(bytes, n)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(never_grows_past_its_maximum),
        cmocka_unit_test(writes_numbers),
        cmocka_unit_test(base64_of_rfc4648_section_10),
        cmocka_unit_test(base64_of_random_bytes_comes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
