#include "message/address.h"

#include "check.h"

#include <string.h>

/* Writes a list down as name|route|local|domain, with { and } for groups. */
static void check_list(const char *value, const char *expected)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    CLEAN_BUF struct buf out;
    buf_init(&out, 10000);
    struct address_list list = address_parse_list(str_from_c(value), &a);
    for (size_t i = 0; i < list.n; i++) {
        const struct address *x = &list.v[i];
        if (x->group_start)
            buf_addf(&out, "%.*s{", STR_ARGS(x->name));
        else if (x->group_end)
            buf_add_byte(&out, '}');
        else
            buf_addf(&out, "%.*s|%.*s|%.*s|%.*s;", STR_ARGS(x->name), STR_ARGS(x->route), STR_ARGS(x->local),
                     STR_ARGS(x->domain));
    }
    buf_add_byte(&out, '\0');
    assert_string_equal(out.p, expected);
}

static void lists_of_rfc5322(void **state)
{
    (void)state;
    /* appendix A.1.2 */
    check_list("\"Joe Q. Public\" <john.q.public@example.com>", "Joe Q. Public||john.q.public|example.com;");
    check_list("Mary Smith <mary@x.test>, jdoe@example.org, Who? <one@y.test>",
               "Mary Smith||mary|x.test;||jdoe|example.org;Who?||one|y.test;");
    check_list("<boss@nil.test>, \"Giant; \\\"Big\\\" Box\" <sysservices@example.net>",
               "||boss|nil.test;Giant; \"Big\" Box||sysservices|example.net;");
    /* appendix A.1.3 */
    check_list("A Group:Ed Jones <c@a.test>,joe@where.test,John <jdoe@one.test>;",
               "A Group{Ed Jones||c|a.test;||joe|where.test;John||jdoe|one.test;}");
    check_list("Undisclosed recipients:;", "Undisclosed recipients{}");
    /* appendix A.5 */
    check_list("Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>", "Pete||pete|silly.test;");
    check_list("A Group(Some people)\r\n     :Chris Jones <c@(Chris's host.)public.example>,\r\n"
               "         joe@example.org,\r\n  John <jdoe@one.test> (my dear friend); (the end of the group)",
               "A Group{Chris Jones||c|public.example;||joe|example.org;John||jdoe|one.test;}");
    /* appendix A.6.1, A.6.3 */
    check_list("Mary Smith <@node.test:mary@example.net>, , jdoe@test  . example",
               "Mary Smith|@node.test|mary|example.net;||jdoe|test.example;");
    check_list("<@a.test,@b.test:joe@c.test>", "|@a.test,@b.test|joe|c.test;");
}

static void lists_of_the_wild(void **state)
{
    (void)state;
    check_list("joe@example.org (Joe Doe)", "Joe Doe||joe|example.org;");
    check_list("undisclosed-recipients", "||undisclosed-recipients|;");
    check_list("Joe Doe joe@example.org", "Joe Doe||joe|example.org;");
    check_list("joe@example.org Joe Doe", "Joe Doe||joe|example.org;");
    check_list("joe@example.org <joe@example.org>", "joe@example.org||joe|example.org;");
    check_list("a@x.test; b@y.test", "||a|x.test;||b|y.test;");
    check_list("Joe <joe@x.test, Ann <ann@y.test>", "Joe||joe|x.test;Ann||ann|y.test;");
    check_list("\"Joe <joe@x.test>", "\"Joe||joe|x.test;");
    check_list("Joe (oops <joe@x.test>", "Joe (oops||joe|x.test;");
    check_list("<>", "");
    check_list(" , ;, ", "");
    check_list("\"joe doe\"@x.test", "||joe doe|x.test;");
    check_list("joe . doe @ x . test", "||joe.doe|x.test;");
    check_list("joe@[192.0.2.1], ann@[IPv6:2001:db8::1]", "||joe|[192.0.2.1];||ann|[IPv6:2001:db8::1];");
    check_list("=?utf-8?q?J=C3=B6?= <j@x.test>", "=?utf-8?q?J=C3=B6?=||j|x.test;");
    check_list("J\xc3\xb6\r\n D <j@x.test>", "J\xc3\xb6 D||j|x.test;");
    check_list("A: b@c.test", "A{||b|c.test;}");
    check_list("<mailto:joe@x.test>", "||mailto:joe|x.test;");
    check_list("a@b@c.test", "||a@b|c.test;");
    check_list("\"a@b\" <c@d.test>", "a@b||c|d.test;");
    check_list("<\"a>b\"@c.test>", "||a>b|c.test;");
}

static void no_more_than_the_bound(void **state)
{
    (void)state;
    CLEAN_ARENA struct arena a = ARENA_INIT;
    CLEAN_BUF struct buf value;
    buf_init(&value, 1 << 20);
    buf_add(&value, STR("group:"));
    for (int i = 0; i < ADDRESSES_MAX + 100; i++)
        buf_add(&value, STR("a@b,"));
    struct address_list list = address_parse_list(buf_str(&value), &a);
    assert_int_equal(list.n, ADDRESSES_MAX + 1);
    assert_true(list.v[0].group_start && list.v[list.n - 1].group_end);
}

static bool take(const char *text, bool utf8, const char *local, const char *domain)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct str in = str_from_c(text), l, d;
    if (!address_take_smtp(&in, utf8, &a, &l, &d))
        return false;
    assert_true(str_eq(l, str_from_c(local)));
    assert_true(str_eq(d, str_from_c(domain)));
    assert_true(in.n == 0 || in.p[0] == '>');
    return true;
}

static void paths_of_rfc5321(void **state)
{
    (void)state;
    assert_true(take("Jones@xyz.example>", false, "Jones", "xyz.example"));
    assert_true(take("\"Joe \\\"\\\\ \\x\"@a-b.example", false, "Joe \"\\ x", "a-b.example"));
    assert_true(take("a@[192.0.2.1]>", false, "a", "[192.0.2.1]"));
    assert_true(take("a@[IPv6:2001:db8::1]>", false, "a", "[IPv6:2001:db8::1]"));
    assert_true(take("\xc3\xa4@\xc3\xb6.example>", true, "\xc3\xa4", "\xc3\xb6.example"));
    assert_true(take("a.b+c=d/e@x_y.example>", false, "a.b+c=d/e", "x_y.example"));
    static const char *const BAD[] = {
        "",
        "a",
        "a@",
        "@b",
        "a@b c>",
        "a b@c>",
        ".a@b>",
        "a.@b>",
        "a..b@c>",
        "a@.b>",
        "a@b.>",
        "a@b..c>",
        "a@-b>",
        "a@b->",
        "a@[1.2.3]>",
        "a@[1.2.3.4>",
        "a@1.2.3.4]>",
        "a@[]>",
        "a@[IPv6:zz]>",
        "a@[::1]>",
        "\"a@b>",
        "\"a\"b@c>",
        "\"\\\"@b>",
        "\"a\tb\"@c>",
        "a\"@b>",
        "a@b@c>",
        "a,b@c>",
        "\xc3\xa4@b>",
        "a@\xc3\xa4>",
        "a%b@c:d>",
        "<a@b>",
        "a@b\r>",
        "\"a\r\nb\"@c>",
    };
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++)
        if (take(BAD[i], false, "", ""))
            fail_msg("taken: %s", BAD[i]);
    assert_false(take("\xff@b>", true, "", ""));
}

static void bounds_of_paths(void **state)
{
    (void)state;
    CLEAN_ARENA struct arena a = ARENA_INIT;
    char text[700];
    memset(text, 'a', sizeof text);
    struct str local, domain, in;
    text[255] = '@';
    text[256 + 63] = '>';
    in = str_from(text, sizeof text);
    assert_true(address_take_smtp(&in, false, &a, &local, &domain));
    text[256 + 63] = 'a';
    text[256 + 64] = '>';
    in = str_from(text, sizeof text);
    assert_false(address_take_smtp(&in, false, &a, &local, &domain));
    text[255] = 'a';
    text[256] = '@';
    in = str_from(text, 260);
    assert_false(address_take_smtp(&in, false, &a, &local, &domain));
}

static void written_as_it_must_be(void **state)
{
    (void)state;
    static const char *const LOCALS[][2] = {{"joe", "joe@x.test"},
                                            {"joe doe", "\"joe doe\"@x.test"},
                                            {"a\"b\\c", "\"a\\\"b\\\\c\"@x.test"},
                                            {"", "\"\"@x.test"},
                                            {".a", "\".a\"@x.test"},
                                            {"a..b", "\"a..b\"@x.test"},
                                            {"\xc3\xa4", "\xc3\xa4@x.test"},
                                            {"a@b", "\"a@b\"@x.test"}};
    for (size_t i = 0; i < sizeof LOCALS / sizeof *LOCALS; i++) {
        CLEAN_BUF struct buf out;
        buf_init(&out, 100);
        address_add(&out, str_from_c(LOCALS[i][0]), STR("x.test"));
        assert_true(str_eq(buf_str(&out), str_from_c(LOCALS[i][1])));
        buf_add_byte(&out, '\0');
        assert_true(take(out.p, true, LOCALS[i][0], "x.test"));
    }
    CLEAN_BUF struct buf out;
    buf_init(&out, 100);
    address_add(&out, STR("postmaster"), STR(""));
    assert_true(str_eq(buf_str(&out), STR("postmaster")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_of_rfc5322),       cmocka_unit_test(lists_of_the_wild),
        cmocka_unit_test(no_more_than_the_bound), cmocka_unit_test(paths_of_rfc5321),
        cmocka_unit_test(bounds_of_paths),        cmocka_unit_test(written_as_it_must_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
