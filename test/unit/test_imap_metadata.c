/* METADATA (RFC 5464) and LIST-METADATA (RFC 9590). */
#include "check.h"
#include "imap/metadata_parse.h"
#include "imap_fixture.h"

#include <stdio.h>
#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof *(table))

static void names_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *name; /* NULL: refused */
        bool may_be_root;
    } CASES[] = {
        {"/shared/comment", "/shared/comment", false},
        {"\"/Private/Vendor/X.y\"", "/private/vendor/x.y", false},
        {"/private", NULL, false},
        {"/private", "/private", true},
        {"/shared/", NULL, true},
        {"/shared//x", NULL, false},
        {"\"/shared/a*\"", NULL, false},
        {"\"/shared/a%b\"", NULL, false},
        {"\"/shared/a b\"", NULL, false},
        {"\"/shared/\xc3\xa4\"", NULL, false},
        {"/sharedx", NULL, false},
        {"/comment", NULL, false},
        {"shared/comment", NULL, false},
        {"\"\"", NULL, false},
    };
    for (size_t i = 0; i < COUNT(CASES); i++) {
        CLEAN_ARENA struct arena a = ARENA_INIT;
        struct imap_cursor c = {.in = str_from_c(CASES[i].text)};
        struct str name;
        bool good = imap_take_metadata_name(&c, &a, CASES[i].may_be_root, &name);
        if (good != (CASES[i].name != NULL) || (good && !str_eq(name, str_from_c(CASES[i].name))))
            fail_msg("%s: %d", CASES[i].text, good);
        if (!good)
            assert_non_null(c.problem);
    }
}

static void depth_is_counted(void **state)
{
    (void)state;
    static const struct {
        const char *name, *asked;
        enum metadata_depth depth;
        bool is_within;
    } CASES[] = {
        {"/shared/a", "/shared/a", DEPTH_0, true},
        {"/shared/a/b", "/shared/a", DEPTH_0, false},
        {"/shared/a/b", "/shared/a", DEPTH_1, true},
        {"/shared/a/b/c", "/shared/a", DEPTH_1, false},
        {"/shared/a/b/c", "/shared/a", DEPTH_INFINITY, true},
        {"/shared/ab", "/shared/a", DEPTH_INFINITY, false},
        {"/shared/x", "/shared", DEPTH_1, true},
    };
    for (size_t i = 0; i < COUNT(CASES); i++)
        if (imap_metadata_is_within(str_from_c(CASES[i].name), str_from_c(CASES[i].asked), CASES[i].depth) !=
            CASES[i].is_within)
            fail_msg("%s in %s", CASES[i].name, CASES[i].asked);
}

// clang-format off
static const struct imap_script SCRIPTS[] = {
    {"4.2 GETMETADATA, 4.3 SETMETADATA", 0, {
     "C: a GETMETADATA INBOX /shared/comment", "S: * METADATA INBOX (/shared/comment NIL)", "S: a OK ...",
     "C: a SETMETADATA INBOX (/private/comment {33}", "S: + OK",
     "C: My new comment across", "C: two lines.)", "S: a OK ...",
     "C: a SETMETADATA INBOX (/private/comment {33+}",
     "C: My new comment across", "C: two line)", "S: a BAD ...",
     "C: a NOOP", "S: a OK ...",
     "C: a SETMETADATA INBOX (/private/comment \"My new comment\" /SHARED/Comment \"This one is for you!\")",
         "S: a OK ...",
     "C: a GETMETADATA \"INBOX\" /private/Comment", "S: * METADATA INBOX (/private/comment \"My new comment\")",
         "S: a OK ...",
     "C: a GETMETADATA inbox (/shared/comment /private/comment /private/none)",
         "S: * METADATA INBOX (/shared/comment \"This one is for you!\" /private/comment \"My new comment\" "
         "/private/none NIL)", "S: a OK ...",
     "C: a SETMETADATA INBOX (/private/comment NIL)", "S: a OK ...",
     "C: a SETMETADATA INBOX (/private/none NIL)", "S: a OK ...",
     "C: a GETMETADATA INBOX (/private/comment)", "S: * METADATA INBOX (/private/comment NIL)", "S: a OK ...",
     "C: a SETMETADATA INBOX (/private/x \"a\\\"b\\\\c\" /private/y \"\")", "S: a OK ...",
     "C: a GETMETADATA INBOX (/private/x /private/y)", "S: * METADATA INBOX (/private/x \"a\\\"b\\\\c\" /private/y \"\")",
         "S: a OK ...",
     "C: a SETMETADATA INBOX (/private/x \"y\" /private/y)", "S: a BAD ...",
     "C: a SETMETADATA INBOX /private/x \"y\"", "S: a BAD ...",
     "C: a SETMETADATA INBOX ()", "S: a BAD ...",
     "C: a SETMETADATA INBOX (/private \"y\")", "S: a BAD ...",
     "C: a SETMETADATA INBOX (/other/x \"y\")", "S: a BAD ...",
     "C: a SETMETADATA nowhere (/private/x \"y\")", "S: a NO [NONEXISTENT] ...",
     "C: a GETMETADATA nowhere /private/x", "S: a NO [NONEXISTENT] ...",
     "C: a GETMETADATA INBOX", "S: a BAD ...", NULL}},
    {"4.2.1 MAXSIZE, 4.2.2 DEPTH", 0, {
     "C: a SETMETADATA INBOX (/private/filters/values/small \"SMALLER 5000\" /private/filters/values/boss "
         "\"FROM \\\"boss@example.com\\\"\" /private/filters/values/x/y \"deep\" /private/filtersx \"no\")", "S: a OK ...",
     "C: a GETMETADATA (DEPTH 1) INBOX (/private/filters/values)",
         "S: * METADATA INBOX (/private/filters/values/boss \"FROM \\\"boss@example.com\\\"\" "
         "/private/filters/values/small \"SMALLER 5000\")", "S: a OK ...",
     "C: a GETMETADATA (DEPTH infinity) INBOX /private/filters",
         "S: * METADATA INBOX (/private/filters/values/boss \"FROM \\\"boss@example.com\\\"\" "
         "/private/filters/values/small \"SMALLER 5000\" /private/filters/values/x/y \"deep\")", "S: a OK ...",
     "C: a GETMETADATA (MAXSIZE 4 DEPTH infinity) INBOX (/private /private/filters)",
         "S: * METADATA INBOX (/private/filters/values/x/y \"deep\" /private/filtersx \"no\")",
         "S: a OK [METADATA LONGENTRIES 23] ...",
     "C: a GETMETADATA INBOX (MAXSIZE 1) /private/filtersx", "S: a OK [METADATA LONGENTRIES 2] ...",
     "C: a GETMETADATA (DEPTH infinity) INBOX /shared", "S: a OK ...",
     "C: a GETMETADATA (DEPTH 2) INBOX /shared", "S: a BAD ...",
     "C: a GETMETADATA (FOO 2) INBOX /shared", "S: a BAD ...",
     "C: a GETMETADATA (MAXSIZE) INBOX /shared", "S: a BAD ...", NULL}},
    {"3 the server's own, and what is told but not kept", 0, {
     "C: a SETMETADATA \"\" (/private/vendor/x \"mine\")", "S: a OK ...",
     "C: a GETMETADATA \"\" (/private/vendor/x /shared/comment /shared/admin)",
         "S: * METADATA \"\" (/private/vendor/x \"mine\" /shared/comment NIL /shared/admin "
         "\"mailto:postmaster@example.test\")", "S: a OK ...",
     "C: a SETMETADATA \"\" (/shared/comment \"x\")", "S: a NO [NOPERM] ...",
     "C: a GETMETADATA Sent /private/specialuse", "S: * METADATA Sent (/private/specialuse \"\\\\Sent\")", "S: a OK ...",
     "C: a SETMETADATA Sent (/private/specialuse NIL)", "S: a NO [CANNOT] ...",
     "C: a SETMETADATA INBOX (/private/y \"1\" /shared/admin \"x\")", "S: a OK ...", NULL}},
    {"it stays with the mailbox", 0, {
     "C: a CREATE a/b", "S: a OK ...",
     "C: a SETMETADATA a/b (/private/x \"1\" /shared/x \"2\")", "S: a OK ...",
     "C: a RENAME a c", "S: a OK ...",
     "C: a GETMETADATA c/b (/private/x /shared/x)", "S: * METADATA c/b (/private/x \"1\" /shared/x \"2\")", "S: a OK ...",
     "C: a SETMETADATA c (/private/x \"3\")", "S: a OK ...",
     "C: a DELETE c", "S: a OK ...", "C: a CREATE c", "S: a OK ...",
     "C: a GETMETADATA c (/private/x)", "S: * METADATA c (/private/x NIL)", "S: a OK ...",
     "C: a DELETE c/b", "S: a OK ...", "C: a CREATE c/b", "S: a OK ...",
     "C: a GETMETADATA c/b (/private/x)", "S: * METADATA c/b (/private/x NIL)", "S: a OK ...",
     "C: a SETMETADATA INBOX (/private/x \"4\")", "S: a OK ...",
     "C: a RENAME INBOX d", "S: a OK ...",
     "C: a GETMETADATA d /private/x", "S: * METADATA d (/private/x \"4\")", "S: a OK ...",
     "C: a GETMETADATA INBOX /private/x", "S: * METADATA INBOX (/private/x \"4\")", "S: a OK ...", NULL}},
    {"3.3 private is one's own, shared is for those who may write", 0, {
     "U2: ben@example.test",
     "C: a SETMETADATA INBOX (/private/x \"ana\" /shared/x \"all\")", "S: a OK ...",
     "C2: b GETMETADATA INBOX /shared/x", "S2: b NO [NONEXISTENT] ...",
     "C2: b SETMETADATA \"\" (/private/x \"ben\")", "S2: b NO [NOPERM] ...",
     "C2: b GETMETADATA \"\" /private/x", "S2: b NO [NOPERM] ...",
     "C: a SETACL INBOX ben@example.test l", "S: a OK ...",
     "C2: b GETMETADATA INBOX /shared/x", "S2: b NO [NOPERM] ...",
     "C: a SETACL INBOX ben@example.test lr", "S: a OK ...",
     "C2: b GETMETADATA INBOX (/shared/x /private/x)", "S2: * METADATA INBOX (/shared/x \"all\" /private/x NIL)",
         "S2: b OK ...",
     "C2: b SETMETADATA INBOX (/private/x \"ben\")", "S2: b OK ...",
     "C2: b SETMETADATA INBOX (/private/y \"ben\" /shared/x \"ben\")", "S2: b NO [NOPERM] ...",
     "C2: b GETMETADATA (DEPTH infinity) INBOX (/shared /private)",
         "S2: * METADATA INBOX (/private/x \"ben\" /shared/x \"all\")", "S2: b OK ...",
     "C: a SETACL INBOX ben@example.test lrw", "S: a OK ...",
     "C2: b SETMETADATA INBOX (/shared/x \"ben\")", "S2: b OK ...",
     "C: a GETMETADATA INBOX (/shared/x /private/x)", "S: * METADATA INBOX (/shared/x \"ben\" /private/x \"ana\")",
         "S: a OK ...", NULL}},
    {"9590 LIST-METADATA", 0, {
     "C: a CREATE foo", "S: a OK ...",
     "C: a SETMETADATA INBOX (/shared/vendor/cmu/cyrus-imapd/color \"#b71c1c\")", "S: a OK ...",
     "C: a SUBSCRIBE bar", "S: a OK ...",
     "C: a LIST \"\" (INBOX foo) RETURN (METADATA (\"/shared/vendor/cmu/cyrus-imapd/color\"))",
         "S: * LIST (\\HasNoChildren) \"/\" INBOX",
         "S: * METADATA INBOX (/shared/vendor/cmu/cyrus-imapd/color \"#b71c1c\")",
         "S: * LIST (\\HasNoChildren) \"/\" foo", "S: * METADATA foo (/shared/vendor/cmu/cyrus-imapd/color NIL)",
         "S: a OK ...",
     "C: a LIST (SUBSCRIBED) \"\" bar RETURN (METADATA (\"/shared/vendor/cmu/cyrus-imapd/color\"))",
         "S: * LIST (\\HasNoChildren \\NonExistent \\Subscribed) \"/\" bar", "S: a OK ...",
     "C: a LIST \"\" foo RETURN (METADATA (foo))", "S: a BAD ...", NULL}},
};
// clang-format on

static void scripts_by_section(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(SCRIPTS); i++)
        imap_run_script(&SCRIPTS[i]);
}

/* Any bytes come back, NUL too; what is too long, or too much, is refused. */
static void values_of_any_kind(void **state)
{
    (void)state;
    struct imap_fixture f;
    imap_open_fixture(&f);
    struct imap_client *c = &f.clients[0];
    imap_run_line(&f, "values", "C: a NOOP");
    imap_run_line(&f, "values", "S: a OK ...");
    stream_write(&c->stream, STR("a SETMETADATA INBOX (/private/x ~{3+}\r\na\0b)\r\n"));
    imap_run_line(&f, "values", "C: b GETMETADATA INBOX /private/x");
    imap_run_line(&f, "values", "S: a OK ...");
    imap_run_line(&f, "values", "S: * METADATA INBOX (/private/x ~{3}");
    assert_true(str_eq(imap_read_answer(c), STR("a\0b)")));
    imap_run_line(&f, "values", "S: b OK ...");
    stream_writef(&c->stream, "c SETMETADATA INBOX (/private/y {%zu+}\r\n", METADATA_VALUE_MAX + 1);
    for (size_t i = 0; i <= METADATA_VALUE_MAX; i++)
        stream_write(&c->stream, STR("x"));
    imap_run_line(&f, "values", "C: )");
    imap_run_line(&f, "values", "S: c NO [METADATA MAXSIZE 65536] ...");
    for (int i = 0; i < METADATA_ENTRIES_MAX - 1; i += 100) {
        stream_write(&c->stream, STR("d SETMETADATA INBOX ("));
        for (int j = i; j < i + 100 && j < METADATA_ENTRIES_MAX - 1; j++)
            stream_writef(&c->stream, "%s/shared/many/%d \"v\"", j > i ? " " : "", j);
        imap_run_line(&f, "values", "C: )");
        imap_run_line(&f, "values", "S: d OK ...");
    }
    imap_run_line(&f, "values", "C: e SETMETADATA INBOX (/shared/more \"v\")");
    imap_run_line(&f, "values", "S: e NO [METADATA TOOMANY] ...");
    imap_run_line(&f, "values", "C: e SETMETADATA INBOX (/shared/many/7 NIL /shared/more \"v\")");
    imap_run_line(&f, "values", "S: e OK ...");
    imap_close_fixture(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_read),
        cmocka_unit_test(depth_is_counted),
        cmocka_unit_test(scripts_by_section),
        cmocka_unit_test(values_of_any_kind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
