/* Field values of suites/mime: address.json, date.json, content_type.json. The suite is one library's reading
 * (stalwart mail-parser); where golub reads a broken value otherwise, the table says why. */
#include "message/address.h"
#include "message/date.h"
#include "message/decode.h"
#include "message/mime.h"

#include "check.h"
#include "suite.h"

#include <jansson.h>

typedef void write_fn(struct str value, json_t *want, struct arena *a, struct buf *got, struct buf *expected);

static struct str json_str(json_t *s)
{
    return json_is_string(s) ? str_from(json_string_value(s), json_string_length(s)) : STR("");
}

static void run_file(const char *path, write_fn *write, const struct suite_difference *table, size_t table_n)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct str text = suite_read(path, &a);
    json_t *cases = json_loadb(text.p, text.n, JSON_ALLOW_NUL, NULL), *c;
    size_t i, bad = 0, used = 0;
    assert_true(json_array_size(cases) > 0);
    json_array_foreach(cases, i, c)
    {
        CLEAN_BUF struct buf got, expected;
        buf_init(&got, BUF_MAX_DEFAULT);
        buf_init(&expected, BUF_MAX_DEFAULT);
        struct str header = json_str(json_object_get(c, "header"));
        write(header, json_object_get(c, "expected"), &a, &got, &expected);
        bool same = str_eq(buf_str(&got), buf_str(&expected));
        bool is_listed = suite_reason(table, table_n, arena_copy_c(&a, header)) != NULL;
        used += is_listed;
        if (same == is_listed) {
            bad++;
            print_error("%s\n  got:   %.*s\n  suite: %.*s\n", arena_copy_c(&a, header),
                        STR_ARGS(buf_str(&got)), STR_ARGS(buf_str(&expected)));
        }
    }
    json_decref(cases);
    assert_int_equal(bad, 0);
    assert_true(used >= table_n);
}

/* --- addresses: `name <local@domain>;` and `group{ ... }` --- */

static void add_decoded(struct str s, struct buf *out)
{
    CLEAN_BUF struct buf text;
    buf_init(&text, BUF_MAX_DEFAULT);
    decode_words(s, &text);
    buf_add(out, str_trim(buf_str(&text)));
}

static void add_expected_list(json_t *list, struct buf *out)
{
    size_t i;
    json_t *address;
    json_array_foreach(list, i, address)
    {
        buf_add(out, str_trim(json_str(json_object_get(address, "name"))));
        buf_addf(out, " <%.*s>;", STR_ARGS(json_str(json_object_get(address, "address"))));
    }
}

static void write_addresses(struct str value, json_t *want, struct arena *a, struct buf *got,
                            struct buf *expected)
{
    struct address_list list = address_parse_list(value, a);
    for (size_t i = 0; i < list.n; i++) {
        const struct address *x = &list.v[i];
        if (x->group_end) {
            buf_add_byte(got, '}');
            continue;
        }
        add_decoded(x->name, got);
        if (x->group_start)
            buf_add_byte(got, '{');
        else
            buf_addf(got, " <%.*s%s%.*s>;", STR_ARGS(x->local), x->domain.n > 0 ? "@" : "",
                     STR_ARGS(x->domain));
    }
    size_t i;
    json_t *group;
    add_expected_list(json_object_get(want, "List"), expected);
    json_array_foreach(json_object_get(want, "Group"), i, group)
    {
        json_t *name = json_object_get(group, "name");
        buf_add(expected, json_str(name));
        if (json_is_string(name))
            buf_add_byte(expected, '{');
        add_expected_list(json_object_get(group, "addresses"), expected);
        if (json_is_string(name))
            buf_add_byte(expected, '}');
    }
}

static const struct suite_difference ADDRESSES[] = {
    {"Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>\n",
     "the suite adds comments to the name; for us they are the name only where there is no other"},
    {"Pete(A nice \n \\\n ) chap) <pete(his\n account)@silly\n .test(his host)>\n",
     "the suite unfolds a backslash and a line end to nothing; the pair is one escaped byte"},
    {"A Group(Some people)\n        :Chris Jones <c@(Chris's host.)public.example>,\n            "
     "joe@example.org,\n     John <jdoe@one.test> (my dear friend); (the end of the group)\n",
     "the suite adds comments to the name; for us they are the name only where there is no other, and a "
     "comment alone is no address"},
    {"(Empty list)(start)Hidden recipients  :(nobody(that I know))  ;\n", "a comment alone is no address"},
    {"Mary Smith <@node.test:mary@example.net>, , jdoe@test  . example\n",
     "RFC 5322 section 4.4: a route is no part of the address, space around dots neither"},
    {"John Doe <jdoe@machine(comment).  example>\n", "the same"},
    {"Nathaniel Borenstein <nsb@thumper.bellcore.com>\n    (=?iso-8859-8?b?7eXs+SDv4SDp7Oj08A==?=)\n",
     "the suite adds comments to the name; for us they are the name only where there is no other"},
    {"test@test.com\ninvalid@address.com\n", "a value is one field: its end has been found before"},
    {"Name (comment) =?utf-8?q?Doe?= <a@b.com>\n",
     "the suite adds comments to the name; for us they are the name only where there is no other"},
};

static void addresses(void **state)
{
    (void)state;
    run_file("mime/address.json", write_addresses, ADDRESSES, sizeof ADDRESSES / sizeof *ADDRESSES);
}

/* --- dates --- */

static int64_t field(json_t *date, const char *name)
{
    return json_integer_value(json_object_get(date, name));
}

static void write_date(struct str value, json_t *want, struct arena *a, struct buf *got, struct buf *expected)
{
    (void)a;
    int64_t at;
    int zone;
    if (date_parse(value, &at, &zone) == DATE_OK)
        date_add_rfc5322(got, at, zone);
    if (!json_is_object(want))
        return;
    int64_t offset = field(want, "tz_hour") * 60 + field(want, "tz_minute");
    if (json_is_true(json_object_get(want, "tz_before_gmt")))
        offset = -offset;
    int64_t day = date_day((int)field(want, "year"), (int)field(want, "month"), (int)field(want, "day"));
    date_add_rfc5322(expected,
                     day * 86400 + field(want, "hour") * 3600 + field(want, "minute") * 60 +
                         field(want, "second") - offset * 60,
                     (int)offset);
}

static const struct suite_difference DATES[] = {
    {"20 11 (some \n 44 comments(more comments\n )) 79 05:34:27 -0300",
     "a month in digits is no date of RFC 5322"},
    {" 4 8 15 16 23 42, 4 8 15 16 23 42, 4 8 15 16 23 42, ", "the same"},
    {"Tue, 1 Jul 2003 ((invalid)\ncomment) 10:52:37 +0200",
     "a value is one field: its end has been found before"},
    {"by 2002:aa7:cd10:0:b0:45c:2c83:1208 with SMTP id "
     "b16-20020aa7cd10000000b0045c2c831208mr4220805edw.81.1665423075119;\n\tMon, 10 Oct 2022 10:31:15 -0700 "
     "(PDT)",
     "a Received field: its date stands behind the semicolon"},
};

static void dates(void **state)
{
    (void)state;
    run_file("mime/date.json", write_date, DATES, sizeof DATES / sizeof *DATES);
}

/* --- Content-Type --- */

static void write_type(struct str value, json_t *want, struct arena *a, struct buf *got, struct buf *expected)
{
    struct mime_part part = {0};
    mime_parse_content_type(value, a, &part);
    buf_addf(got, "%.*s/%.*s", STR_ARGS(part.type), STR_ARGS(part.subtype));
    for (size_t i = 0; i < part.param_count; i++) {
        if (part.params[i].value.n == 0)
            continue; /* the suite leaves these out */
        buf_add_byte(got, ';');
        for (size_t k = 0; k < part.params[i].name.n; k++)
            buf_add_byte(got, ascii_lower(part.params[i].name.p[k]));
        buf_addf(got, "=%.*s", STR_ARGS(part.params[i].value));
    }
    struct str type = json_str(json_object_get(want, "c_type"));
    struct str subtype = json_str(json_object_get(want, "c_subtype"));
    bool is_broken = type.n == 0 || subtype.n == 0; /* text/plain for us */
    buf_addf(expected, "%.*s/%.*s", STR_ARGS(is_broken ? STR("text") : type),
             STR_ARGS(is_broken ? STR("plain") : subtype));
    size_t i;
    json_t *param;
    json_array_foreach(json_object_get(want, "attributes"), i, param)
    {
        struct str name = json_str(json_array_get(param, 0));
        if (!str_ends(name, STR("-language"))) /* RFC 2231 languages are not kept */
            buf_addf(expected, ";%.*s=%.*s", STR_ARGS(name), STR_ARGS(json_str(json_array_get(param, 1))));
    }
}

static const struct suite_difference TYPES[] = {
    {"image/jpeg;\n   name=\"=?iso-8859-1?B?4Q==?= =?utf-8?B?w6k=?= =?iso-8859-1?q?=ED?=.jpeg\"\n",
     "RFC 2047 section 6.2: white space between encoded words is none of the text"},
    {"/ ; name=value\n",
     "parameters behind a type that is none are kept: a charset there is meant for the text"},
    {";charset=us-ascii\n",
     "parameters behind a type that is none are kept: a charset there is meant for the text"},
    {" ;charset=us-ascii\n",
     "parameters behind a type that is none are kept: a charset there is meant for the text"},
    {"/;charset=us-ascii\n",
     "parameters behind a type that is none are kept: a charset there is meant for the text"},
    {"/ ;charset=us-ascii\n",
     "parameters behind a type that is none are kept: a charset there is meant for the text"},
    {"/plain;charset=us-ascii\n",
     "parameters behind a type that is none are kept: a charset there is meant for the text"},
    {"/plain ;charset=us-ascii\n",
     "parameters behind a type that is none are kept: a charset there is meant for the text"},
    {"inva/lid; name=\"   \n", "white space at the end is dropped, even in a quote that is never closed"},
    {"inva/lid; name=\"   \n    \n",
     "white space at the end is dropped, even in a quote that is never closed"},
    {"test/encoded; key4*=us-ascii''foo; key*9999=ba%; key2*0=a; key3*0*=us-ascii'en'xyz; key*0=\"f",
     "a parameter whose name is a star alone is kept"},
    {"malicious/attempt; 1*2*=a; 3**=b; 4***=c; *5**6*=d;*****7*8*=e; 9*10*11*12*13*14=f; 15*x***fff*===g;1 "
     "* 999999999999999999 *= h; 18 *=*=*=*=*==i;\n",
     "names with stars in odd places have no meaning to agree on"},
};

static void content_types(void **state)
{
    (void)state;
    run_file("mime/content_type.json", write_type, TYPES, sizeof TYPES / sizeof *TYPES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses),
        cmocka_unit_test(dates),
        cmocka_unit_test(content_types),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
