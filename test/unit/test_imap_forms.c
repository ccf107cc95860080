/* BODY from BODYSTRUCTURE, LIST's patterns, flags. */
#include "imap/flags.h"
#include "imap/pattern.h"
#include "imap/structure.h"
#include "imap/view.h"

#include "check.h"

#define COUNT(table) (sizeof(table) / sizeof *(table))

static void body_is_bodystructure_without_extensions(void **state)
{
    (void)state;
    static const struct {
        const char *structure, *body; /* NULL: refused */
    } CASES[] = {
        {"(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 3028 92 NIL NIL NIL NIL)",
         "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 3028 92)"},
        {"(\"text\" \"plain\" NIL NIL NIL \"7bit\" 3028 92)",
         "(\"text\" \"plain\" NIL NIL NIL \"7bit\" 3028 92)"},
        {"(\"application\" \"pdf\" (\"name\" \"a) (b\") \"<id>\" {3}\r\na)b \"base64\" 40 \"md5\" "
         "(\"attachment\" (\"filename\" \"x\")) \"en\" NIL)",
         "(\"application\" \"pdf\" (\"name\" \"a) (b\") \"<id>\" {3}\r\na)b \"base64\" 40)"},
        {"((\"text\" \"plain\" NIL NIL NIL \"7bit\" 1 1 NIL NIL NIL NIL)(\"text\" \"html\" NIL NIL NIL "
         "\"8bit\" 2 1 "
         "NIL NIL NIL NIL) \"alternative\" (\"boundary\" \"x\") NIL NIL NIL)",
         "((\"text\" \"plain\" NIL NIL NIL \"7bit\" 1 1)(\"text\" \"html\" NIL NIL NIL \"8bit\" 2 1) "
         "\"alternative\")"},
        {"(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 99 (\"date\" \"s\" NIL NIL NIL NIL NIL NIL NIL "
         "\"<i>\") "
         "(\"text\" \"plain\" NIL NIL NIL \"7bit\" 1 1 NIL NIL NIL NIL) 5 NIL NIL NIL NIL)",
         "(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 99 (\"date\" \"s\" NIL NIL NIL NIL NIL NIL NIL "
         "\"<i>\") "
         "(\"text\" \"plain\" NIL NIL NIL \"7bit\" 1 1) 5)"},
        /* one that was shown as a leaf, for its depth */
        {"(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 99 NIL NIL NIL NIL)",
         "(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 99)"},
        {"", NULL},
        {"(", NULL},
        {"()", NULL},
        {"(\"text\")", NULL},
        {"(\"text\" \"plain\" NIL NIL NIL \"7bit\" 1 1", NULL},
        {"(\"text\" \"plain\" NIL NIL NIL \"7bit\" 1 1) ", NULL},
        {"((\"text\" \"plain\" NIL NIL NIL \"7bit\" 1 1))", NULL},
        {"(\"text\" \"plain\" ((((", NULL},
    };
    for (size_t i = 0; i < COUNT(CASES); i++) {
        CLEAN_BUF struct buf out;
        buf_init(&out, 10000);
        buf_add_byte(&out, '>');
        bool ok = imap_add_body(&out, str_from_c(CASES[i].structure));
        if (ok != (CASES[i].body != NULL))
            fail_msg("%s", CASES[i].structure);
        struct str got = str_from_offset(buf_str(&out), 1);
        if (!str_eq(got, str_from_c(CASES[i].body)))
            fail_msg("%s became %.*s", CASES[i].structure, STR_ARGS(got));
    }
    CLEAN_BUF struct buf deep, out;
    buf_init(&deep, 1000000);
    buf_init(&out, 1000000);
    for (int i = 0; i < 100000; i++)
        buf_add_byte(&deep, '(');
    assert_false(imap_add_body(&out, buf_str(&deep)));
}

static void patterns_match_as_section_6_3_8_says(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *name;
        bool matches;
    } CASES[] = {
        {"*", "INBOX", true},
        {"*", "a/b/c", true},
        {"%", "a", true},
        {"%", "a/b", false},
        {"%/%", "a/b", true},
        {"a/%", "a/b", true},
        {"a/%", "a/b/c", false},
        {"a/*", "a/b/c", true},
        {"a/*", "a", false},
        {"a*", "a", true},
        {"*b", "a/b", true},
        {"%b", "a/b", false},
        {"*%b*", "x/ab/c", true},
        {"%*%", "a/b", true},
        {"", "a", false},
        {"a", "a", true},
        {"a", "A", false},
        {"aa", "a", false},
        {"inbox", "INBOX", true},
        {"InB%", "INBOX", true},
        {"inbox/x", "INBOX/x", true},
        {"inbox/X", "INBOX/x", false},
        {"inboxes", "INBOXES", false},
        {"*x*x*x*x*x*x*x*x*x*x*x*y", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", false},
        {"%a%", "bab/", false},
        {"**%%**", "", true},
    };
    CLEAN_ARENA struct arena a = ARENA_INIT;
    for (size_t i = 0; i < COUNT(CASES); i++) {
        struct imap_pattern p;
        assert_true(imap_pattern_make(&p, str_from_c(CASES[i].pattern), &a));
        if (imap_pattern_matches(&p, str_from_c(CASES[i].name)) != CASES[i].matches)
            fail_msg("%s, %s", CASES[i].pattern, CASES[i].name);
    }
    static char longest[100000];
    struct imap_pattern p;
    assert_false(imap_pattern_make(&p, str_from(longest, sizeof longest), &a));
}

static void flags_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool list, plain; /* is it a flag-list; may STORE have it */
        uint32_t system;
        const char *keywords;
    } CASES[] = {
        {"()", true, true, 0, ""},
        {"(\\Seen)", true, true, FLAG_SEEN, ""},
        {"(\\seen \\DELETED $Forwarded Junk)", true, true, FLAG_SEEN | FLAG_DELETED, "$Forwarded Junk"},
        {"(b a B c A)", true, true, 0, "a b c"},
        {"\\Answered \\Flagged \\Draft x", false, true, FLAG_ANSWERED | FLAG_FLAGGED | FLAG_DRAFT, "x"},
        {"x", false, true, 0, "x"},
        {"(\\Recent)", false, false, 0, ""},
        {"(\\*)", false, false, 0, ""},
        {"(\\Foo)", false, false, 0, ""},
        {"(\\)", false, false, 0, ""},
        {"( a)", false, false, 0, ""},
        {"(a )", false, false, 0, ""},
        {"(a", false, false, 0, ""},
        {"(a]b)", false, false, 0, ""},
        {"(\"a\")", false, false, 0, ""},
        {"", false, false, 0, ""},
    };
    CLEAN_ARENA struct arena a = ARENA_INIT;
    for (size_t i = 0; i < COUNT(CASES); i++) {
        struct imap_flags list, plain;
        struct imap_cursor c = {.in = str_from_c(CASES[i].text)}, d = c;
        bool is_list = imap_take_flag_list(&c, &a, &list) && imap_take_end(&c);
        bool is_plain = imap_take_store_flags(&d, &a, &plain) && imap_take_end(&d);
        if (is_list != CASES[i].list || is_plain != CASES[i].plain)
            fail_msg("%s", CASES[i].text);
        if (!is_plain)
            continue;
        assert_int_equal(plain.system, CASES[i].system);
        if (!str_eq_nocase(plain.keywords, str_from_c(CASES[i].keywords)))
            fail_msg("%s became %.*s", CASES[i].text, STR_ARGS(plain.keywords));
    }
}

static void flags_are_written(void **state)
{
    (void)state;
    CLEAN_BUF struct buf out;
    buf_init(&out, 1000);
    imap_add_flags(&out, 0, STR(""));
    imap_add_flags(&out, FLAG_ALL | VIEW_RECENT | VIEW_GONE, STR("$x y"));
    imap_add_flags(&out, 0, STR("y"));
    assert_true(
        str_eq(buf_str(&out), STR("()(\\Answered \\Flagged \\Deleted \\Seen \\Draft \\Recent $x y)(y)")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(body_is_bodystructure_without_extensions),
        cmocka_unit_test(patterns_match_as_section_6_3_8_says),
        cmocka_unit_test(flags_are_read),
        cmocka_unit_test(flags_are_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
