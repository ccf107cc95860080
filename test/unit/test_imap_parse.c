/* The grammar that all commands share, FETCH's arguments, sequence sets, capabilities. */
#include "config/config.h"
#include "imap/capability.h"
#include "imap/fetch_parse.h"
#include "imap/parse.h"

#include "check.h"

#include <stdio.h>

#define COUNT(table) (sizeof(table) / sizeof *(table))

static void assert_str(struct str got, const char *want)
{
    if (!str_eq(got, str_from_c(want)))
        fail_msg("got \"%.*s\", expected \"%s\"", STR_ARGS(got), want);
}

static void commands_are_tag_and_name(void **state)
{
    (void)state;
    static const struct {
        const char *text, *tag, *name, *rest;
        bool ok, by_uid;
    } CASES[] = {
        {"a001 LOGIN mrc secret", "a001", "LOGIN", " mrc secret", true, false},
        {"A142 noop", "A142", "noop", "", true, false},
        {"a UID FETCH 1 FLAGS", "a", "FETCH", " 1 FLAGS", true, true},
        {"a uid fetch 1 FLAGS", "a", "fetch", " 1 FLAGS", true, true},
        {"] x", "]", "x", "", true, false},
        {"", "", "", "", false, false},
        {" a NOOP", "", "", "", false, false},
        {"+ NOOP", "", "", "", false, false},
        {"a+b NOOP", "a", "", "", false, false},
        {"a(b NOOP", "a", "", "", false, false},
        {"a", "a", "", "", false, false},
        {"a ", "a", "", "", false, false},
        {"a  NOOP", "a", "", "", false, false},
        {"a UID", "a", "UID", "", false, true},
        {"a UID ", "a", "UID", "", false, true},
        {"\xc3\xa4 NOOP", "", "", "", false, false},
    };
    for (size_t i = 0; i < COUNT(CASES); i++) {
        struct imap_command c;
        bool ok = imap_parse_command(str_from_c(CASES[i].text), &c);
        if (ok != CASES[i].ok)
            fail_msg("%s", CASES[i].text);
        assert_str(c.tag, CASES[i].tag);
        if (!ok) {
            assert_non_null(c.args.problem);
            continue;
        }
        assert_str(c.name, CASES[i].name);
        assert_int_equal(c.by_uid, CASES[i].by_uid);
        assert_str(str_from_offset(c.args.in, c.args.at), CASES[i].rest);
    }
    char long_tag[IMAP_TAG_MAX + 8];
    int n = snprintf(long_tag, sizeof long_tag, "%0*d x", IMAP_TAG_MAX + 1, 1);
    struct imap_command c;
    assert_false(imap_parse_command(str_from(long_tag, (size_t)n), &c));
    assert_int_equal(c.tag.n, 0);
    assert_true(imap_parse_command(str_from(long_tag + 1, (size_t)n - 1), &c));
}

static void strings_come_in_three_forms(void **state)
{
    (void)state;
    static const struct {
        struct str text;
        const char *value; /* NULL: not an astring */
        size_t left;
    } CASES[] = {
        {STR_INIT("INBOX"), "INBOX", 0},
        {STR_INIT("foo]bar baz"), "foo]bar", 4},
        {STR_INIT("\"\""), "", 0},
        {STR_INIT("\"a b\" c"), "a b", 2},
        {STR_INIT("\"a\\\"b\\\\\""), "a\"b\\", 0},
        {STR_INIT("\"\\\\\\\\\""), "\\\\", 0},
        {STR_INIT("\"\xc3\xa4\""), "\xc3\xa4", 0},
        {STR_INIT("{3}\r\nabc"), "abc", 0},
        {STR_INIT("{3+}\r\nabcd"), "abc", 1},
        {STR_INIT("{0}\r\n"), "", 0},
        {STR_INIT("{2}\r\n\r\n x"), "\r\n", 2},
        {STR_INIT("NIL"), "NIL", 0},
        {STR_INIT(""), NULL, 0},
        {STR_INIT(" a"), NULL, 0},
        {STR_INIT("(a)"), NULL, 0},
        {STR_INIT("%"), NULL, 0},
        {STR_INIT("\""), NULL, 0},
        {STR_INIT("\"abc"), NULL, 0},
        {STR_INIT("\"ab\\"), NULL, 0},
        {STR_INIT("\"ab\\\""), NULL, 0},
        {STR_INIT("\"a\\b\""), NULL, 0},
        {STR_INIT("\"a\r\nb\""), NULL, 0},
        {STR_INIT("\"a\0b\""), NULL, 0},
        {STR_INIT("{3}\r\nab"), NULL, 0},
        {STR_INIT("{3}abc"), NULL, 0},
        {STR_INIT("{3}\nabc"), NULL, 0},
        {STR_INIT("{}\r\nabc"), NULL, 0},
        {STR_INIT("{+}\r\nabc"), NULL, 0},
        {STR_INIT("{-1}\r\nabc"), NULL, 0},
        {STR_INIT("{ 1}\r\nabc"), NULL, 0},
        {STR_INIT("{1"), NULL, 0},
        {STR_INIT("{3}\r\na\0c"), NULL, 0},
        {STR_INIT("{99999999999999999999}\r\nabc"), NULL, 0},
        {STR_INIT("\xc3\xa4"), NULL, 0},
        {STR_INIT("\x7f"), NULL, 0},
    };
    CLEAN_ARENA struct arena a = ARENA_INIT;
    for (size_t i = 0; i < COUNT(CASES); i++) {
        struct imap_cursor c = {.in = CASES[i].text};
        struct str s;
        bool ok = imap_take_astring(&c, &a, &s);
        if (ok != (CASES[i].value != NULL))
            fail_msg("case %zu: %.*s", i, STR_ARGS(CASES[i].text));
        if (!ok) {
            assert_int_equal(c.at, 0);
            assert_non_null(c.problem);
            continue;
        }
        assert_str(s, CASES[i].value);
        assert_int_equal(c.in.n - c.at, CASES[i].left);
    }
}

static void nstrings_and_list_mailboxes(void **state)
{
    (void)state;
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct str s;
    bool is_nil;
    struct imap_cursor c = {.in = STR("nil \"NIL\" NILE")};
    assert_true(imap_take_nstring(&c, &a, &s, &is_nil) && is_nil);
    assert_true(imap_take_space(&c));
    assert_true(imap_take_nstring(&c, &a, &s, &is_nil) && !is_nil);
    assert_str(s, "NIL");
    assert_true(imap_take_space(&c));
    assert_false(imap_take_nstring(&c, &a, &s, &is_nil));
    struct imap_cursor list = {.in = STR("~/Mail/%*]")};
    assert_true(imap_take_list_mailbox(&list, &a, &s));
    assert_str(s, "~/Mail/%*]");
}

static void lines_announce_literals(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        bool is, is_sync;
        uint32_t size;
        bool is_binary;
    } CASES[] = {
        {"a APPEND x ~{3}", true, true, 3, true}, /* RFC 3516 section 7 */
        {"a APPEND x UTF8 (~{4+}", true, false, 4, true},
        {"~{0}", true, true, 0, true},
        {"a ~{}", false, false, 0},
        {"A003 APPEND saved-messages (\\Seen) {310}", true, true, 310},
        {"A001 LOGIN {11+}", true, false, 11},
        {"a LOGIN {0}", true, true, 0},
        {"a {4294967295}", true, true, UINT32_MAX},
        {"a {4294967296}", true, true, UINT32_MAX},
        {"a {99999999999999999999+}", true, false, UINT32_MAX},
        {"a {}", false, false, 0},
        {"a {+}", false, false, 0},
        {"a {1 }", false, false, 0},
        {"a {1++}", false, false, 0},
        {"a {1}b", false, false, 0},
        {"a 1}", false, false, 0},
        {"}", false, false, 0},
        {"", false, false, 0},
    };
    for (size_t i = 0; i < COUNT(CASES); i++) {
        struct imap_literal l;
        if (imap_line_literal(str_from_c(CASES[i].line), &l) != CASES[i].is)
            fail_msg("%s", CASES[i].line);
        if (!CASES[i].is)
            continue;
        assert_int_equal(l.size, CASES[i].size);
        assert_int_equal(l.is_sync, CASES[i].is_sync);
        assert_int_equal(l.is_binary, CASES[i].is_binary);
        assert_int_equal(CASES[i].line[l.at], l.is_binary ? '~' : '{');
    }
}

static void strings_are_written_so_that_they_come_back(void **state)
{
    (void)state;
    static const struct {
        struct str value;
        const char *text;
    } CASES[] = {
        {STR_INIT("INBOX"), "INBOX"},
        {STR_INIT(""), "\"\""},
        {STR_INIT("a b"), "\"a b\""},
        {STR_INIT("a\"\\"), "\"a\\\"\\\\\""},
        {STR_INIT("nil"), "\"nil\""},
        {STR_INIT("a\r\nb"), "{4}\r\na\r\nb"},
        {STR_INIT("\xc3\xa4"), "{2}\r\n\xc3\xa4"},
        {STR_INIT("100%"), "\"100%\""},
    };
    CLEAN_ARENA struct arena a = ARENA_INIT;
    for (size_t i = 0; i < COUNT(CASES); i++) {
        CLEAN_BUF struct buf out;
        buf_init(&out, 100);
        imap_add_astring(&out, CASES[i].value);
        assert_str(buf_str(&out), CASES[i].text);
        struct imap_cursor c = {.in = buf_str(&out)};
        struct str back;
        assert_true(imap_take_astring(&c, &a, &back) && imap_take_end(&c));
        assert_true(str_eq(back, CASES[i].value));
    }
}

static void sets_are_resolved(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t largest;
        const char *resolved; /* NULL: not a set */
    } CASES[] = {
        {"2,4:7,9,12:*", 15, "2,4:7,9,12:15"}, /* RFC 3501 section 9, sequence-set */
        {"*:4,5:7", 10, "4:10"},
        {"*", 7, "7"},
        {"1:*", 1, "1"},
        {"559:*", 23, "23:559"}, /* "if 559 is greater than *, it is *:559" (section 6.4.8) */
        {"3,1,2", 9, "1:3"},
        {"5:2,4", 9, "2:5"},
        {"4294967295", 9, "4294967295"},
        {"4294967295:4294967294", 9, "4294967294:4294967295"},
        {"1,1,1", 9, "1"},
        {"0", 9, NULL},
        {"1:0", 9, NULL},
        {"4294967296", 9, NULL},
        {"", 9, NULL},
        {"1,", 9, NULL},
        {",1", 9, NULL},
        {"1:", 9, NULL},
        {"a", 9, NULL},
    };
    CLEAN_ARENA struct arena a = ARENA_INIT;
    for (size_t i = 0; i < COUNT(CASES); i++) {
        struct imap_cursor c = {.in = str_from_c(CASES[i].text)};
        struct imap_set set;
        bool ok = imap_take_set(&c, &a, &set) && imap_take_end(&c);
        if (ok != (CASES[i].resolved != NULL))
            fail_msg("%s", CASES[i].text);
        if (!ok)
            continue;
        imap_set_resolve(&set, CASES[i].largest);
        CLEAN_BUF struct buf out;
        buf_init(&out, 1000);
        for (size_t r = 0; r < set.n; r++) {
            buf_addf(&out, "%s%u", r ? "," : "", set.v[r].from);
            if (set.v[r].to != set.v[r].from)
                buf_addf(&out, ":%u", set.v[r].to);
        }
        assert_str(buf_str(&out), CASES[i].resolved);
    }
}

static void numbers_are_written_as_sets(void **state)
{
    (void)state;
    static const uint32_t NUMBERS[] = {1, 2, 3, 7, 9, 10, UINT32_MAX};
    CLEAN_BUF struct buf out;
    buf_init(&out, 1000);
    imap_add_set(&out, NUMBERS, COUNT(NUMBERS));
    assert_str(buf_str(&out), "1:3,7,9:10,4294967295");
}

static void fetch_requests(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool ok;
        unsigned items;
        bool sets_seen;
        const char *labels; /* of the sections, with a space between */
    } CASES[] = {
        {"FLAGS", true, FETCH_FLAGS, false, ""},
        {"(UID FLAGS)", true, FETCH_UID | FETCH_FLAGS, false, ""},
        {"FAST", true, FETCH_FLAGS | FETCH_INTERNALDATE | FETCH_SIZE, false, ""},
        {"all", true, FETCH_FLAGS | FETCH_INTERNALDATE | FETCH_SIZE | FETCH_ENVELOPE, false, ""},
        {"FULL", true, FETCH_FLAGS | FETCH_INTERNALDATE | FETCH_SIZE | FETCH_ENVELOPE | FETCH_BODY, false,
         ""},
        {"(ALL)", false, 0, false, ""},
        {"BODYSTRUCTURE", true, FETCH_BODYSTRUCTURE, false, ""},
        {"BODY", true, FETCH_BODY, false, ""},
        {"BODY[]", true, 0, true, "BODY[]"},
        {"BODY.PEEK[]", true, 0, false, "BODY[]"},
        {"body.peek[header]", true, 0, false, "BODY[HEADER]"},
        {"BODY[HEADER.FIELDS (DATE FROM)]", true, 0, true, "BODY[HEADER.FIELDS (DATE FROM)]"},
        {"BODY[HEADER.FIELDS.NOT (\"To\" {2}\r\nCc)]", true, 0, true, "BODY[HEADER.FIELDS.NOT (To Cc)]"},
        {"BODY[4.2.2.1.MIME]<0.10>", true, 0, true, "BODY[4.2.2.1.MIME]<0>"},
        {"BODY[1]", true, 0, true, "BODY[1]"},
        {"BODY[1.TEXT]<5.1>", true, 0, true, "BODY[1.TEXT]<5>"},
        {"BODY[]<7>", true, 0, true, "BODY[]<7>"}, /* Dovecot's */
        {"(RFC822 RFC822.HEADER RFC822.TEXT RFC822.SIZE)", true, FETCH_SIZE, true,
         "RFC822 RFC822.HEADER RFC822.TEXT"},
        {"RFC822.HEADER", true, 0, false, "RFC822.HEADER"},
        {"RFC822.PEEK", false, 0, false, ""},
        {"BODY.PEEK", false, 0, false, ""},
        {"()", false, 0, false, ""},
        {"(FLAGS )", false, 0, false, ""},
        {"(FLAGS", false, 0, false, ""},
        {"BODY[", false, 0, false, ""},
        {"BODY[0]", false, 0, false, ""},
        {"BODY[1.]", false, 0, false, ""},
        {"BODY[.1]", false, 0, false, ""},
        {"BODY[1..2]", false, 0, false, ""},
        {"BODY[MIME]", false, 0, false, ""},
        {"BODY[1.FOO]", false, 0, false, ""},
        {"BODY[1TEXT]", false, 0, false, ""},
        {"BODY[HEADER.FIELDS]", false, 0, false, ""},
        {"BODY[HEADER.FIELDS ()]", false, 0, false, ""},
        {"BODY[HEADER.FIELDS (a:b)]", false, 0, false, ""},
        {"BODY[HEADER.FIELDS (\"\")]", false, 0, false, ""},
        {"BODY[]<>", false, 0, false, ""},
        {"BODY[]<0.>", false, 0, false, ""},
        {"BODY[]<0", false, 0, false, ""},
        {"BODY[]<0.0>", false, 0, false, ""},
        {"BODY[]<.5>", false, 0, false, ""},
        {"BODY[4294967296]", false, 0, false, ""},
        {"X", false, 0, false, ""},
        {"", false, 0, false, ""},
    };
    CLEAN_ARENA struct arena a = ARENA_INIT;
    for (size_t i = 0; i < COUNT(CASES); i++) {
        struct imap_cursor c = {.in = str_from_c(CASES[i].text)};
        struct fetch_request q;
        bool ok = imap_take_fetch_request(&c, &a, &q) && imap_take_end(&c);
        if (ok != CASES[i].ok)
            fail_msg("%s", CASES[i].text);
        if (!ok) {
            assert_non_null(c.problem);
            continue;
        }
        assert_int_equal(q.items, CASES[i].items);
        assert_int_equal(q.sets_seen, CASES[i].sets_seen);
        CLEAN_BUF struct buf labels;
        buf_init(&labels, 1000);
        for (size_t n = 0; n < q.section_count; n++) {
            buf_add_c(&labels, n ? " " : "");
            buf_add(&labels, q.sections[n].label);
        }
        assert_str(buf_str(&labels), CASES[i].labels);
    }
}

static void fetch_has_a_bound(void **state)
{
    (void)state;
    CLEAN_ARENA struct arena a = ARENA_INIT;
    CLEAN_BUF struct buf text;
    buf_init(&text, 100000);
    for (int i = 0; i <= FETCH_SECTIONS_MAX; i++)
        buf_add_c(&text, i ? " BODY[]" : "(BODY[]");
    buf_add_byte(&text, ')');
    struct imap_cursor c = {.in = buf_str(&text)};
    struct fetch_request q;
    assert_false(imap_take_fetch_request(&c, &a, &q));
}

static void capabilities_depend_on_the_moment(void **state)
{
    (void)state;
    static const struct channel_bindings BINDINGS = {.v[BINDING_TLS_EXPORTER].n = 32};
    static const struct {
        bool logged_in, can_starttls, can_login;
        const struct channel_bindings *bindings;
        const char *has[3], *lacks[4];
    } CASES[] = {
        {false,
         true,
         false,
         NULL,
         {"STARTTLS", "LOGINDISABLED", "SASL-IR"},
         {"AUTH=PLAIN", "AUTH=LOGIN", "MOVE"}},
        {false, false, true, NULL, {"AUTH=PLAIN", "AUTH=LOGIN", "LITERAL+"}, {"STARTTLS", "LOGINDISABLED"}},
        {false, false, true, NULL, {"AUTH=SCRAM-SHA-256 "}, {"AUTH=SCRAM-SHA-256-PLUS"}},
        {false, false, true, &BINDINGS, {"AUTH=SCRAM-SHA-256 ", "AUTH=SCRAM-SHA-256-PLUS "}, {0}},
        {true, false, true, NULL, {"UIDPLUS", "SPECIAL-USE", "IDLE"}, {"STARTTLS", "AUTH=PLAIN", "SASL-IR"}},
    };
    for (size_t i = 0; i < COUNT(CASES); i++) {
        CLEAN_BUF struct buf out;
        buf_init(&out, 1000);
        if (CASES[i].logged_in)
            imap_add_capability_after_login(&out, &(struct config){.message_size_max = 1000});
        else
            imap_add_capability_before_login(
                &out, &(struct imap_offer){CASES[i].can_starttls, CASES[i].can_login, CASES[i].bindings});
        assert_true(str_starts(buf_str(&out), STR("IMAP4rev1 ")));
        for (size_t n = 0; n < 3 && CASES[i].has[n]; n++)
            assert_int_not_equal(str_find(buf_str(&out), str_from_c(CASES[i].has[n])), STR_NONE);
        for (size_t n = 0; n < 4 && CASES[i].lacks[n]; n++)
            assert_int_equal(str_find(buf_str(&out), str_from_c(CASES[i].lacks[n])), STR_NONE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commands_are_tag_and_name),
        cmocka_unit_test(strings_come_in_three_forms),
        cmocka_unit_test(nstrings_and_list_mailboxes),
        cmocka_unit_test(lines_announce_literals),
        cmocka_unit_test(strings_are_written_so_that_they_come_back),
        cmocka_unit_test(sets_are_resolved),
        cmocka_unit_test(numbers_are_written_as_sets),
        cmocka_unit_test(fetch_requests),
        cmocka_unit_test(fetch_has_a_bound),
        cmocka_unit_test(capabilities_depend_on_the_moment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
