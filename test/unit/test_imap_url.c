/* URLs of messages: RFC 5092's own and those of RFC 4469, and what is none. */
#include "imap/url.h"

#include "check.h"

#define COUNT(table) (sizeof(table) / sizeof *(table))

static void assert_str(struct str got, const char *expected)
{
    if (!str_eq(got, str_from_c(expected)))
        fail_msg("expected \"%s\", got \"%.*s\"", expected, STR_ARGS(got));
}

static void urls_are_taken_apart(void **state)
{
    (void)state;
    static const struct {
        const char *text, *user, *host, *mailbox;
        bool is_below;
        uint32_t uidvalidity, uid;
        size_t path_count;
        enum section_text section;
        bool is_partial;
        uint32_t from, length;
    } CASES[] = {
        /* RFC 4469 section 5 */
        {"/Drafts;UIDVALIDITY=385759045/;UID=20/;section=HEADER", "", "", "Drafts", false, 385759045, 20, 0,
         SECTION_HEADER, false, 0, 0},
        {"/Drafts;UIDVALIDITY=385759045/;UID=30/;section=1.MIME", "", "", "Drafts", false, 385759045, 30, 1,
         SECTION_MIME, false, 0, 0},
        /* RFC 5092 section 10, and its forms with a partial */
        {"imap://michael@example.org/users.*;uidvalidity=7/;UID=3", "michael", "example.org", "users.*",
         false, 7, 3, 0, SECTION_WHOLE, false, 0, 0},
        {"imap://minbari.example.org/gray-council;UIDVALIDITY=385759045/;UID=20/;PARTIAL=0.1024", "",
         "minbari.example.org", "gray-council", false, 385759045, 20, 0, SECTION_WHOLE, true, 0, 1024},
        {"imap://psicorp.example.org/~peter/%E6%97%A5%E6%9C%AC%E8%AA%9E/%E5%8F%B0%E5%8C%97/;UID=1", "",
         "psicorp.example.org", "~peter/\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e/\xe5\x8f\xb0\xe5\x8c\x97", false,
         0, 1, 0, SECTION_WHOLE, false, 0, 0},
        {"imap://;AUTH=GSSAPI@minbari.example.org/gray-council/;uid=20/;section=1.2", "",
         "minbari.example.org", "gray-council", false, 0, 20, 2, SECTION_WHOLE, false, 0, 0},
        {"imap://;AUTH=*@[::1]:143/a/;UID=1/;SECTION=1/;PARTIAL=5", "", "[::1]", "a", false, 0, 1, 1,
         SECTION_WHOLE, true, 5, UINT32_MAX},
        {";UID=20", "", "", "", false, 0, 20, 0, SECTION_WHOLE, false, 0, 0},
        {"/;UID=20/;SECTION=TEXT", "", "", "", false, 0, 20, 0, SECTION_TEXT, false, 0, 0},
        {"2026/May/;UID=20", "", "", "2026/May", true, 0, 20, 0, SECTION_WHOLE, false, 0, 0},
        {"//h/a%3Bb/;UID=4294967295", "", "h", "a;b", false, 0, UINT32_MAX, 0, SECTION_WHOLE, false, 0, 0},
    };
    for (size_t i = 0; i < COUNT(CASES); i++) {
        CLEAN_ARENA struct arena a = ARENA_INIT;
        struct imap_url u;
        const char *problem = "";
        if (!imap_parse_url(str_from_c(CASES[i].text), &a, &u, &problem))
            fail_msg("%s: %s", CASES[i].text, problem);
        assert_str(u.user, CASES[i].user);
        assert_str(u.host, CASES[i].host);
        assert_str(u.mailbox, CASES[i].mailbox);
        assert_int_equal(u.is_below, CASES[i].is_below);
        assert_int_equal(u.uidvalidity, CASES[i].uidvalidity);
        assert_int_equal(u.uid, CASES[i].uid);
        assert_int_equal(u.section.path_count, CASES[i].path_count);
        assert_int_equal(u.section.text, CASES[i].section);
        assert_int_equal(u.section.is_partial, CASES[i].is_partial);
        assert_int_equal(u.section.from, CASES[i].from);
        assert_int_equal(u.section.length, CASES[i].length);
    }
}

static void fields_are_named(void **state)
{
    (void)state;
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct imap_url u;
    const char *problem;
    assert_true(
        imap_parse_url(STR("/a/;UID=1/;SECTION=2.HEADER.FIELDS.NOT%20(To%20From%20Cc)"), &a, &u, &problem));
    assert_int_equal(u.section.text, SECTION_FIELDS_NOT);
    assert_int_equal(u.section.path_count, 1);
    assert_int_equal(u.section.path[0], 2);
    assert_int_equal(u.section.field_count, 3);
    assert_str(u.section.fields[2], "Cc");
}

static void others_are_refused(void **state)
{
    (void)state;
    static const char *const CASES[] = {
        "",
        "/",
        "/a",
        "/a/",
        "imap://",
        "imap://h",
        "imap://h/",
        "imap://h/a",
        "imap://h/;UID=1",
        "//h;UID=1",
        "http://h/a/;UID=1",
        "/a/;UID=",
        "/a/;UID=0",
        "/a/;UID=x",
        "/a/;UID=4294967296",
        "/a/;UID=-1",
        "/a/;UID=1x",
        "/a/;UID=1/",
        "/a/;UID=1/;SECTION=",
        "/a/;UID=1/;SECTION=FOO",
        "/a/;UID=1/;SECTION=0",
        "/a/;UID=1/;SECTION=MIME",
        "/a/;UID=1/;SECTION=1]",
        "/a/;UID=1/;SECTION=HEADER.FIELDS",
        "/a/;UID=1/;PARTIAL=",
        "/a/;UID=1/;PARTIAL=1.0",
        "/a/;UID=1/;PARTIAL=1.",
        "/a/;UID=1/;PARTIAL=1.2/;SECTION=1",
        "/a;UIDVALIDITY=/;UID=1",
        "/a;UIDVALIDITY=0/;UID=1",
        "/a;UIDVALIDITY=1x/;UID=1",
        "/;UIDVALIDITY=1/;UID=1",
        "/a;b/;UID=1",
        "/a?b/;UID=1",
        "/%/;UID=1",
        "/%4/;UID=1",
        "/%4g/;UID=1",
        "/a%00b/;UID=1",
        "/a/;UID=1;URLAUTH=anonymous:internal:00",
        "/a/;UID=1;section=1",
    };
    for (size_t i = 0; i < COUNT(CASES); i++) {
        CLEAN_ARENA struct arena a = ARENA_INIT;
        struct imap_url u;
        const char *problem = NULL;
        if (imap_parse_url(str_from_c(CASES[i]), &a, &u, &problem))
            fail_msg("taken: %s", CASES[i]);
        assert_non_null(problem);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urls_are_taken_apart),
        cmocka_unit_test(fields_are_named),
        cmocka_unit_test(others_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
