/* Each text is what printf makes of it, in every size of room. */
#include "base/format.h"

#include "check.h"

#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static size_t made(char *to, size_t room, const char *format, ...) __attribute__((format(printf, 3, 4)));
static size_t made(char *to, size_t room, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    size_t n = format_text(to, room, format, args);
    va_end(args);
    return n;
}

#define SAME(...)                                                        \
    do {                                                                 \
        char want[300], got[300];                                        \
        for (size_t room = 0; room < sizeof got; room++) {               \
            memset(want, '#', sizeof want);                              \
            memset(got, '#', sizeof got);                                \
            int n = snprintf(room > 0 ? want : NULL, room, __VA_ARGS__); \
            assert_int_equal(made(got, room, __VA_ARGS__), n);           \
            assert_memory_equal(got, want, sizeof got);                  \
        }                                                                \
    } while (0)

static void plain_text(void **state)
{
    (void)state;
    SAME("250 2.0.0 OK");
    SAME("100%%");
    SAME("%%%d%%", 7);
    SAME("%s", "");
}

static void strings(void **state)
{
    (void)state;
    SAME("<%s>, %c%s", "ana@example.org", 'x', "\xc5\xa1");
    SAME("%.*s@%.*s", 3, "ana.rest", 11, "example.org and more");
    SAME("%.*s", 20, "ends before"); /* a NUL ends it, as with printf */
    SAME("%.*s|", -1, "whole");
    SAME("%.*s|", 0, "");
    const char *volatile nothing = NULL; /* of an empty struct str; printf may not be asked about it */
    char got[8];
    assert_int_equal(made(got, sizeof got, "a%.*sb", 0, nothing), 2);
    assert_string_equal(got, "ab");
}

static void numbers(void **state)
{
    (void)state;
    SAME("%d %d %d %d", 0, -1, INT_MAX, INT_MIN);
    SAME("%u %u %x", 0u, UINT_MAX, 0xdeadbeefu);
    SAME("%ld %ld %lu %lx", LONG_MIN, LONG_MAX, ULONG_MAX, ULONG_MAX);
    SAME("%lld %lld %llu", LLONG_MIN, LLONG_MAX, ULLONG_MAX);
    SAME("%zu %zd", SIZE_MAX, (ssize_t)-5);
    SAME("%02d:%02d:%02u %04d %08x %05d %02d", 1, 23, 4u, 2026, 0x1fu, -12, 123);
    SAME("%020lld", LLONG_MIN);
}

static void what_is_not_known_is_left_to_printf(void **state)
{
    (void)state;
    SAME("%5d|%-5d|%+d|% d", 1, 2, 3, 4);
    SAME("%5s|%-5s|%.3s", "a", "b", "cdefg");
    SAME("%.2f %g", 1.005, 0.5);
    SAME("%X %o %#x %hhu", 255u, 8u, 255u, (unsigned char)255);
    SAME("%s %5d %s", "before", 1, "after");
    SAME("%.*d", 5, 42);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_text),
        cmocka_unit_test(strings),
        cmocka_unit_test(numbers),
        cmocka_unit_test(what_is_not_known_is_left_to_printf),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
