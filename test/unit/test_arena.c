#include "base/arena.h"

#include "check.h"

#include <string.h>

static void hands_out_zeroed_aligned_memory(void **state)
{
    (void)state;
    CLEAN_ARENA struct arena a = ARENA_INIT;
    for (size_t n = 1; n < 20000; n = n * 3 + 1) {
        char *p = arena_new(&a, n, 1);
        assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(p[i], 0);
        memset(p, 0xee, n);
    }
    arena_reset(&a);
    assert_int_equal(a.used, 0);
    const char *again = arena_new(&a, 64, 1);
    for (size_t i = 0; i < 64; i++)
        assert_int_equal(again[i], 0);
}

static void prints_and_copies(void **state)
{
    (void)state;
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct str s = arena_printf(&a, "%d %s", 42, "pigeons");
    assert_true(str_eq(s, STR("42 pigeons")));
    assert_string_equal(arena_copy_c(&a, str_slice(s, 3, 6)), "pigeon");
    assert_int_equal(arena_copy(&a, STR("")).n, 0);
    const struct str pieces[] = {STR("pi"), STR(""), STR("geons")};
    assert_true(str_eq(arena_join(&a, pieces, 3), STR("pigeons")));
    assert_int_equal(arena_join(&a, pieces, 0).n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hands_out_zeroed_aligned_memory),
        cmocka_unit_test(prints_and_copies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
