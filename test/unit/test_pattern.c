/* Wildcard and regular expression addresses: what they fit, what $1 becomes, and that they cannot be made to
 * take long. */
#include "base/clock.h"
#include "check.h"
#include "directory/pattern.h"

#include <stdio.h>
#include <string.h>

static bool read_one(const char *text, struct arena *a, struct directory_address *out,
                     enum directory_alias_kind *kind)
{
    struct err e = ERR_INIT;
    bool good = pattern_address_read(str_from_c(text), a, out, kind, &e);
    if (!good && (e.kind != ERR_PERMANENT || !e.text[0]))
        fail_msg("%s: refused without words", text);
    return good;
}

/* The target for `local`, "-" where the pattern does not fit, "?" where it is too hard. */
static const char *expand(const char *pattern, const char *local, const char *target)
{
    static char text[600];
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct directory_address read;
    enum directory_alias_kind kind;
    struct pattern_match m;
    struct err e = ERR_INIT;
    assert_true(read_one(pattern, &a, &read, &kind));
    struct pattern *p = pattern_new(read.local, kind, &e);
    assert_non_null(p);
    enum pattern_result r = pattern_match(p, str_from_c(local), &m);
    struct str out = r == PATTERN_FITS ? pattern_expand(str_from_c(target), &m, &a)
                                       : str_from_c(r == PATTERN_FITS_NOT ? "-" : "?");
    snprintf(text, sizeof text, "%.*s", STR_ARGS(out));
    pattern_free(p);
    return text;
}

static void what_is_typed_tells_its_kind(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum directory_alias_kind kind;
        const char *key;
    } CASES[] = {
        {"Ana@Example.org", DIRECTORY_ALIAS_EXACT, "ana@example.org"},
        {"@Example.org", DIRECTORY_ALIAS_EXACT, "@example.org"},
        {"/@example.org", DIRECTORY_ALIAS_EXACT, "/@example.org"},
        {"//@example.org", DIRECTORY_ALIAS_EXACT, "//@example.org"},
        {"Sales-*@Example.org", DIRECTORY_ALIAS_WILDCARD, "sales-*@example.org"},
        {"team?@example.org", DIRECTORY_ALIAS_WILDCARD, "team?@example.org"},
        {"/^Sales-\\D+$/@Example.org", DIRECTORY_ALIAS_REGEX, "/^Sales-\\D+$/@example.org"},
        {"/a@b/@example.org", DIRECTORY_ALIAS_REGEX, "/a@b/@example.org"},
    };
    CLEAN_ARENA struct arena a = ARENA_INIT;
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct directory_address read;
        enum directory_alias_kind kind;
        assert_true(read_one(CASES[i].text, &a, &read, &kind));
        assert_int_equal(kind, CASES[i].kind);
        assert_true(str_eq(read.key, str_from_c(CASES[i].key)));
    }
}

static void what_is_no_pattern_is_refused(void **state)
{
    (void)state;
    static const char *const BAD[] = {
        "*",
        "sales-*@",
        "sales-*@not a domain",
        "/(/@example.org",
        "/a\\C/@example.org",
        "/[/@example.org",
        "/a\nb/@example.org",
        "/(((((((((((((((((((((((((a)))))))))))))))))))))))))/@example.org",
    };
    char large[PATTERN_MAX + 20];
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct directory_address read;
    enum directory_alias_kind kind;
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++)
        if (read_one(BAD[i], &a, &read, &kind))
            fail_msg("%s was taken", BAD[i]);
    memset(large, 'a', sizeof large);
    large[0] = '/';
    strcpy(large + PATTERN_MAX, "/@x.org");
    assert_false(read_one(large, &a, &read, &kind));
}

static void stars_stand_for_any_text(void **state)
{
    (void)state;
    assert_string_equal(expand("sales-*@x.org", "sales-north", "$1@y.org"), "north@y.org");
    assert_string_equal(expand("Sales-*@x.org", "SALES-North", "$1@y.org"), "North@y.org");
    assert_string_equal(expand("sales-*@x.org", "sales-", "a$1@y.org"), "a@y.org");
    assert_string_equal(expand("sales-*@x.org", "presales-north", "$1@y.org"), "-");
    assert_string_equal(expand("sales-*@x.org", "sales", "$1@y.org"), "-");
    assert_string_equal(expand("*.*@x.org", "ana.lee", "$2.$1@y.org"), "lee.ana@y.org");
    assert_string_equal(expand("*.*@x.org", "analee", "$2.$1@y.org"), "-");
    assert_string_equal(expand("team?@x.org", "team7", "t$1@y.org"), "t7@y.org");
    assert_string_equal(expand("team?@x.org", "team77", "t$1@y.org"), "-");
    assert_string_equal(expand("a+(b)[c]{1}|^$.\\*@x.org", "a+(b)[c]{1}|^$.\\z", "$1@y.org"), "z@y.org");
    assert_string_equal(expand("\xc4\x8d*@x.org",
                               "\xc4\x8c"
                               "asopis",
                               "$1@y.org"),
                        "asopis@y.org");
}

static void groups_become_targets(void **state)
{
    (void)state;
    assert_string_equal(expand("/sales-(north|south)/@x.org", "sales-north", "$1@y.org"), "north@y.org");
    assert_string_equal(expand("/sales-(north|south)/@x.org", "sales-east", "$1@y.org"), "-");
    assert_string_equal(expand("/sales/@x.org", "presales", "$1@y.org"), "-"); /* all of it, or not */
    assert_string_equal(expand("/sales/@x.org", "salesman", "$1@y.org"), "-");
    assert_string_equal(expand("/(a)(b)?(c)/@x.org", "ac", "<$1$2$3>@y.org"), "<ac>@y.org");
    assert_string_equal(expand("/(a)/@x.org", "a", "$$1-$0-$2-$@y.org"), "$1-$0--$@y.org");
    assert_string_equal(expand("/(\\d+)/@x.org", "2026", "y$1@y.org"), "y2026@y.org");
}

static void nobody_can_make_a_match_take_long(void **state)
{
    (void)state;
    int64_t before = clock_ms();
    const char *as = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab!";
    assert_string_equal(expand("/(a+)+b/@x.org", as, "$1@y.org"), "?");
    assert_string_equal(expand("/(.*)*(.*)*(.*)*b/@x.org", as, "$1@y.org"), "?");
    assert_string_equal(expand("*a*a*a*a*a*a*a*a*b@x.org", as, "$1@y.org"), "?");
    assert_true(clock_ms() - before < 2000); /* hours without limits */
}

static void a_targets_domain_is_written_out(void **state)
{
    (void)state;
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct directory_address read;
    struct err e = ERR_INIT;
    assert_true(pattern_template_read(STR("x-$1@y.org"), &a, &read, &e));
    assert_false(pattern_template_read(STR("x@$1"), &a, &read, &e));
    assert_false(pattern_template_read(STR("x@$1.org"), &a, &read, &e));
    assert_false(pattern_template_read(STR("$1"), &a, &read, &e));
}

static void compiled_ones_are_kept(void **state)
{
    (void)state;
    struct pattern_cache *c = pattern_cache_new();
    struct err e = ERR_INIT;
    const struct pattern *first = pattern_cache_get(c, STR("a*"), DIRECTORY_ALIAS_WILDCARD, &e);
    assert_non_null(first);
    assert_ptr_equal(pattern_cache_get(c, STR("a*"), DIRECTORY_ALIAS_WILDCARD, &e), first);
    assert_null(pattern_cache_get(c, STR("/(/"), DIRECTORY_ALIAS_REGEX, &e));
    for (unsigned i = 0; i < 3 * PATTERN_CACHE_MAX; i++) {
        char text[16];
        struct pattern_match m;
        snprintf(text, sizeof text, "%u-*", i);
        const struct pattern *p = pattern_cache_get(c, str_from_c(text), DIRECTORY_ALIAS_WILDCARD, &e);
        snprintf(text, sizeof text, "%u-x", i);
        assert_int_equal(pattern_match(p, str_from_c(text), &m), PATTERN_FITS);
    }
    pattern_cache_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_typed_tells_its_kind),
        cmocka_unit_test(what_is_no_pattern_is_refused),
        cmocka_unit_test(stars_stand_for_any_text),
        cmocka_unit_test(groups_become_targets),
        cmocka_unit_test(nobody_can_make_a_match_take_long),
        cmocka_unit_test(a_targets_domain_is_written_out),
        cmocka_unit_test(compiled_ones_are_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
