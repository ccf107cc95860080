#include "message/mime.h"

#include "base/buf.h"

#include "check.h"

#include <string.h>

/* A tree on one line: type/subtype, "body" of leaves, children in parentheses. */
static void write_tree(struct str message, const struct mime_part *part, struct buf *out)
{
    buf_addf(out, "%.*s/%.*s", STR_ARGS(part->type), STR_ARGS(part->subtype));
    if (part->child_count == 0)
        buf_addf(out, "[%.*s]", STR_ARGS(str_slice(message, part->body_at, part->body_size)));
    for (size_t i = 0; i < part->child_count; i++) {
        buf_add(out, i == 0 ? STR("(") : STR(" "));
        write_tree(message, part->children[i], out);
    }
    if (part->child_count > 0)
        buf_add_byte(out, ')');
}

static void check_tree(const char *message, const char *expected)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    CLEAN_BUF struct buf out;
    buf_init(&out, 1 << 20);
    struct str m = str_from_c(message);
    write_tree(m, mime_parse(m, &a), &out);
    buf_add_byte(&out, '\0');
    assert_string_equal(out.p, expected);
}

/* RFC 2046 section 5.1.1 */
#define SIMPLE                                                                                         \
    "From: Nathaniel Borenstein <nsb@bellcore.com>\r\nMIME-Version: 1.0\r\n"                           \
    "Content-type: multipart/mixed; boundary=\"simple boundary\"\r\n\r\n"                              \
    "This is the preamble.  It is to be ignored.\r\n\r\n--simple boundary\r\n\r\nimplicitly typed\r\n" \
    "--simple boundary\r\nContent-type: text/plain; charset=us-ascii\r\n\r\nexplicitly typed\r\n\r\n"  \
    "--simple boundary--\r\n\r\nThis is the epilogue.\r\n"

static void multipart_of_rfc2046(void **state)
{
    (void)state;
    check_tree(SIMPLE, "multipart/mixed(text/plain[implicitly typed] text/plain[explicitly typed\r\n])");
    check_tree("Content-Type: multipart/digest; boundary=b\n\n--b\n\nSubject: one\n\nbody\n--b\n"
               "Content-Type: text/plain\n\ntoc\n--b--\n",
               "multipart/digest(message/rfc822(text/plain[body]) text/plain[toc])");
}

static void not_mime(void **state)
{
    (void)state;
    check_tree("", "text/plain[]");
    check_tree("just text", "text/plain[]");
    check_tree("\r\njust text\n", "text/plain[just text\n]");
    check_tree("Content-Type: text\n\nx", "text/plain[x]");
    check_tree("Content-Type: garbage in here\n\nx", "text/plain[x]");
    check_tree("Content-Type: multipart/mixed\n\nx", "multipart/mixed(text/plain[x])");
    check_tree("Content-Type: IMAGE/GIF\nContent-Type: text/html\n\nx", "image/gif[x]");
}

static void broken_multiparts(void **state)
{
    (void)state;
    /* never closed */
    check_tree("Content-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n--b\n\ny\n",
               "multipart/mixed(text/plain[x] text/plain[y\n])");
    /* the inner one is never closed */
    check_tree("Content-Type: multipart/mixed; boundary=o\n\n--o\nContent-Type: multipart/alternative; "
               "boundary=i\n\n"
               "--i\n\nx\n--o\n\ny\n--o--\n",
               "multipart/mixed(multipart/alternative(text/plain[x]) text/plain[y])");
    /* the outer boundary begins the inner one */
    check_tree(
        "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: multipart/mixed; boundary=b-1\n\n"
        "--b-1\n\nx\n--b-1--\n--b\n\ny\n--b--\n",
        "multipart/mixed(multipart/mixed(text/plain[x]) text/plain[y])");
    /* white space behind the boundary, CRLF and LF mixed */
    check_tree("Content-Type: multipart/mixed; boundary=\"b \"\r\n\r\n--b \t\r\n\nx\n--b-- \r\n",
               "multipart/mixed(text/plain[x])");
    /* no empty line behind the header of a part */
    check_tree("Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/html\n--b\n\ny\n--b--\n",
               "multipart/mixed(text/html[] text/plain[y])");
    /* empty parts */
    check_tree("Content-Type: multipart/mixed; boundary=b\n\n--b\n--b\n\n--b--",
               "multipart/mixed(text/plain[] text/plain[])");
    check_tree("Content-Type: multipart/mixed; boundary=b\n\n--b--", "multipart/mixed(text/plain[--b--])");
    /* a message that is cut off */
    check_tree("Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: message/rfc822\n--b--",
               "multipart/mixed(message/rfc822(text/plain[]))");
    /* "--" that begins no boundary */
    check_tree("Content-Type: multipart/mixed; boundary=b\n\n--b\n\n-- \nsignature\n--\n--c\n--b--",
               "multipart/mixed(text/plain[-- \nsignature\n--\n--c])");
    check_tree("Content-Type: multipart/mixed; boundary=\"\"\n\n--\n\nx\n----\n",
               "multipart/mixed(text/plain[--\n\nx\n----\n])");
}

static void messages_in_messages(void **state)
{
    (void)state;
    check_tree("Content-Type: message/rfc822\n\nSubject: inner\nContent-Type: text/html\n\nx",
               "message/rfc822(text/html[x])");
    check_tree("Content-Type: message/global\n\n", "message/global(text/plain[])");
    check_tree("Content-Type: message/delivery-status\n\nx", "message/delivery-status[x]");
}

static void fields_of_a_part(void **state)
{
    (void)state;
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct mime_part *p = mime_parse(STR("Content-Type: Text/Plain (comment); CharSet=\"utf-8\" ; name=x\r\n"
                                         "Content-Transfer-Encoding: QUOTED-Printable (c)\r\n"
                                         "Content-ID: <id@x>\r\nContent-Description: a\r\n b\r\n"
                                         "Content-Disposition: ATTACHMENT; filename=\"a \\\"b\\\".txt\"\r\n"
                                         "Content-MD5: Q2hlY2s=\r\nContent-Language: en, sr\r\n"
                                         "Content-Location: http://x.test/\r\n\r\na\r\nb\r\nc"),
                                     &a);
    assert_true(str_eq(mime_param(p->params, p->param_count, STR("charset")), STR("utf-8")));
    assert_true(str_eq(mime_param(p->params, p->param_count, STR("name")), STR("x")));
    assert_int_equal(mime_param(p->params, p->param_count, STR("none")).n, 0);
    assert_int_equal(p->encoding, MIME_QUOTED_PRINTABLE);
    assert_true(str_eq(p->encoding_text, STR("QUOTED-Printable")));
    assert_true(str_eq(p->id, STR("<id@x>")));
    assert_true(str_eq(p->description, STR("a b")));
    assert_true(str_eq(p->disposition, STR("attachment")));
    assert_true(str_eq(mime_param(p->disposition_params, p->disposition_param_count, STR("filename")),
                       STR("a \"b\".txt")));
    assert_true(str_eq(p->md5, STR("Q2hlY2s=")));
    assert_true(str_eq(p->language, STR("en, sr")));
    assert_true(str_eq(p->location, STR("http://x.test/")));
    assert_int_equal(p->lines, 2);
}

static void check_param(const char *type, const char *name, const char *expected)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct mime_part part = {0};
    mime_parse_content_type(str_from_c(type), &a, &part);
    struct str value = mime_param(part.params, part.param_count, str_from_c(name));
    assert_string_equal(arena_copy_c(&a, value), expected);
}

static void params_of_rfc2231(void **state)
{
    (void)state;
    check_param("message/external-body; access-type=URL; URL*0=\"ftp://\"; URL*1=\"cs.utk.edu/pub/x.tar\"",
                "url", "ftp://cs.utk.edu/pub/x.tar");
    check_param("application/x-stuff; title*=us-ascii'en-us'This%20is%20%2A%2A%2Afun%2A%2A%2A", "title",
                "This is ***fun***");
    check_param("application/x-stuff; title*0*=us-ascii'en'This%20is%20even%20more%20; "
                "title*1*=%2A%2A%2Afun%2A%2A%2A%20;"
                "title*2=\"isn't it!\"",
                "title", "This is even more ***fun*** isn't it!");
    /* pieces out of order, a plain name for old clients beside, a character cut in two */
    check_param("a/b; name=old; name*1*=%A4b; name*0*=utf-8''a%C3", "name",
                "a\xc3\xa4"
                "b");
    check_param("a/b; name*=utf-8''%", "name", "%");
    check_param("a/b; name*=", "name", "");
}

static void params_of_the_wild(void **state)
{
    (void)state;
    check_param("a/b; name=\"=?utf-8?B?w6Q=?=.pdf\"", "name", "\xc3\xa4.pdf");
    check_param("a/b; name=\"=?utf-8?Q?=C3?=\r\n =?utf-8?Q?=A4?=\"", "name", "\xc3\xa4");
    check_param("a/b; name=my report (1).pdf; x=y", "name", "my report (1).pdf");
    check_param("a/b; name=my report\r\n x=y", "x", "y");
    check_param("a/b; name=\"never closed; x", "name", "never closed; x");
    check_param("a/b; name=\xe4", "name", "\xc3\xa4");
    check_param("a/b name=x", "name", "x");
    check_param("a/b; name=x (comment)", "name", "x");
    check_param("a/b; name=first; name=second", "name", "first");
    check_param("a/b;;; = ; name=x", "name", "x");
}

static void numbers_of_rfc9051(void **state)
{
    (void)state;
    CLEAN_ARENA struct arena a = ARENA_INIT;
    /* the example of section 6.4.5.1 */
    struct str m = STR(
        "Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: text/plain\n\n1\n"
        "--a\nContent-Type: application/octet-stream\n\n2\n"
        "--a\nContent-Type: message/rfc822\n\nContent-Type: multipart/mixed; boundary=b\n\n"
        "--b\nContent-Type: text/plain\n\n3.1\n--b\nContent-Type: application/octet-stream\n\n3.2\n--b--\n"
        "--a\nContent-Type: multipart/mixed; boundary=c\n\n--c\nContent-Type: image/gif\n\n4.1\n"
        "--c\nContent-Type: message/rfc822\n\nContent-Type: multipart/alternative; boundary=d\n\n"
        "--d\nContent-Type: text/plain\n\n4.2.1\n--d--\n--c--\n--a--\n");
    struct mime_part *root = mime_parse(m, &a);
    static const struct {
        uint32_t numbers[4];
        size_t n;
        const char *body;
    } FOUND[] = {{{1}, 1, "1"},      {{2}, 1, "2"},      {{3, 1}, 2, "3.1"},
                 {{3, 2}, 2, "3.2"}, {{4, 1}, 2, "4.1"}, {{4, 2, 1}, 3, "4.2.1"}};
    for (size_t i = 0; i < sizeof FOUND / sizeof *FOUND; i++) {
        struct mime_part *part = mime_find(root, FOUND[i].numbers, FOUND[i].n);
        assert_non_null(part);
        assert_true(str_eq(str_slice(m, part->body_at, part->body_size), str_from_c(FOUND[i].body)));
    }
    assert_true(mime_find(root, (uint32_t[]){3}, 1)->is_message);
    assert_ptr_equal(mime_find(root, NULL, 0), root);
    static const uint32_t MISSING[][3] = {{5}, {0}, {1, 1}, {3, 3}, {4, 2, 2}, {2, 1}};
    static const size_t MISSING_N[] = {1, 1, 2, 2, 3, 2};
    for (size_t i = 0; i < sizeof MISSING_N / sizeof *MISSING_N; i++)
        assert_null(mime_find(root, MISSING[i], MISSING_N[i]));

    root = mime_parse(STR("\nplain"), &a);
    assert_ptr_equal(mime_find(root, (uint32_t[]){1}, 1), root);
    assert_null(mime_find(root, (uint32_t[]){1, 1}, 2));
    assert_null(mime_find(root, (uint32_t[]){2}, 1));
    root = mime_parse(STR("Content-Type: message/rfc822\n\n\nplain"), &a);
    assert_ptr_equal(mime_find(root, (uint32_t[]){1}, 1), root);
    assert_ptr_equal(mime_find(root, (uint32_t[]){1, 1}, 2), root->children[0]);
    assert_null(mime_find(root, (uint32_t[]){1, 2}, 2));
}

static unsigned depth_of(const struct mime_part *part, size_t *count)
{
    unsigned deepest = 0;
    ++*count;
    for (size_t i = 0; i < part->child_count; i++) {
        unsigned depth = depth_of(part->children[i], count);
        deepest = depth > deepest ? depth : deepest;
    }
    return deepest + 1;
}

static void nesting_is_bounded(void **state)
{
    (void)state;
    CLEAN_ARENA struct arena a = ARENA_INIT;
    CLEAN_BUF struct buf m;
    buf_init(&m, 1 << 24);
    for (int i = 0; i < 10000; i++)
        buf_addf(&m, "Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n", i, i);
    size_t count = 0;
    struct mime_part *root = mime_parse(buf_str(&m), &a);
    assert_int_equal(depth_of(root, &count), MIME_DEPTH_MAX);
    buf_reset(&m);
    for (int i = 0; i < 10000; i++)
        buf_add(&m, STR("Content-Type: message/rfc822\n\n"));
    count = 0;
    root = mime_parse(buf_str(&m), &a);
    assert_int_equal(depth_of(root, &count), MIME_DEPTH_MAX);
    while (root->child_count > 0)
        root = root->children[0];
    assert_true(str_eq(root->subtype, STR("octet-stream")));
}

static void parts_are_bounded(void **state)
{
    (void)state;
    CLEAN_ARENA struct arena a = ARENA_INIT;
    CLEAN_BUF struct buf m;
    buf_init(&m, 1 << 24);
    buf_add(&m, STR("Content-Type: multipart/mixed; boundary=b\n\n"));
    for (int i = 0; i < 1000000; i++)
        buf_add(&m, STR("--b\n\nx\n"));
    size_t count = 0;
    struct mime_part *root = mime_parse(buf_str(&m), &a);
    depth_of(root, &count);
    assert_int_equal(count, MIME_PARTS_MAX);
    const struct mime_part *last = root->children[root->child_count - 1];
    assert_int_equal(last->body_at + last->body_size, m.n);
}

static void params_are_bounded(void **state)
{
    (void)state;
    CLEAN_ARENA struct arena a = ARENA_INIT;
    CLEAN_BUF struct buf m;
    buf_init(&m, 1 << 24);
    buf_add(&m, STR("Content-Type: a/b"));
    for (int i = 0; i < 100000; i++)
        buf_addf(&m, "; x%d=y", i);
    struct mime_part *root = mime_parse(buf_str(&m), &a);
    assert_int_equal(root->param_count, 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(multipart_of_rfc2046), cmocka_unit_test(not_mime),
        cmocka_unit_test(broken_multiparts),    cmocka_unit_test(messages_in_messages),
        cmocka_unit_test(fields_of_a_part),     cmocka_unit_test(params_of_rfc2231),
        cmocka_unit_test(params_of_the_wild),   cmocka_unit_test(numbers_of_rfc9051),
        cmocka_unit_test(nesting_is_bounded),   cmocka_unit_test(parts_are_bounded),
        cmocka_unit_test(params_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
