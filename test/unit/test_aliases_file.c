/* Files of aliases, as Debian and Postfix's aliases(5) have them. */
#include "base/buf.h"
#include "check.h"
#include "directory/aliases_file.h"

/* One entry a line: "LINE name=target,target". */
static void expect(const char *text, const char *wanted)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    CLEAN_BUF struct buf got;
    struct aliases_reader r = ALIASES_READER(str_from_c(text));
    struct aliases_entry x;
    buf_init(&got, BUF_MAX_DEFAULT);
    while (aliases_next(&r, &a, &x)) {
        buf_addf(&got, "%u %.*s=", x.line, STR_ARGS(x.name));
        for (size_t i = 0; i < x.count; i++)
            buf_addf(&got, "%s%.*s", i ? "," : "", STR_ARGS(x.targets[i]));
        buf_add_c(&got, ";");
    }
    if (!str_eq(buf_str(&got), str_from_c(wanted)))
        fail_msg("%s: got %.*s", text, STR_ARGS(buf_str(&got)));
}

static void entries(void **state)
{
    (void)state;
    expect("", "");
    expect("# nobody\n\n", "");
    expect("root: ana\n", "1 root=ana;");
    expect("root: ana", "1 root=ana;");
    expect("root:ana\r\npostmaster :  root ,bob@example.org\r\n",
           "1 root=ana;2 postmaster=root,bob@example.org;");
    expect("# see aliases(5)\nlist: ana,\n  bob\n\tceca\n# end\nx: y\n", "2 list=ana,bob \tceca;6 x=y;");
    expect("list: ana,\n# between\n bob\n", "1 list=ana,bob;");
    expect("\"a b\": \"|/bin/prog -a, b\", \"x\\\"y\"@example.org\n",
           "1 a b=|/bin/prog -a, b,x\"y@example.org;");
    expect("nothing\n: ana\nempty:\n", "1 =nothing;2 =ana;3 empty=;");
    expect(" goes on from nowhere\n", "1 =goes on from nowhere;");
}

static void kinds(void **state)
{
    (void)state;
    assert_null(aliases_other_kind(STR("ana@example.org")));
    assert_string_equal(aliases_other_kind(STR("|/usr/bin/vacation")), "a program");
    assert_string_equal(aliases_other_kind(STR("/var/mail/x")), "a file");
    assert_string_equal(aliases_other_kind(STR(":include:/etc/list")), "a list in a file");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(entries), cmocka_unit_test(kinds)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
