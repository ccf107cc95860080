/* Messages made fit for servers that take less: the parts in quoted-printable or base64, what needs nothing
 * as it was, and what must not be touched refused. */
#include "check.h"

#include "message/decode.h"
#include "message/mime.h"
#include "relay/convert.h"

#include <string.h>

static void convert_is(struct str in, enum envelope_body to, const char *expected)
{
    CLEAN_BUF struct buf out;
    struct err e = ERR_INIT;
    buf_init(&out, BUF_MAX_DEFAULT);
    assert_true(convert_message(in, to, &out, &e));
    buf_add_byte(&out, '\0');
    assert_string_equal(out.p, expected);
}

static void refused(struct str in, enum envelope_body to)
{
    CLEAN_BUF struct buf out;
    struct err e = ERR_INIT;
    buf_init(&out, BUF_MAX_DEFAULT);
    assert_false(convert_message(in, to, &out, &e));
    assert_int_equal(e.kind, ERR_PERMANENT);
    assert_true(str_starts(str_from_c(e.text), STR("5.6.3 ")));
}

static void what_bytes_need(void **state)
{
    (void)state;
    static char lines[2100];
    memset(lines, 'x', sizeof lines);
    assert_int_equal(convert_needs(STR("")), ENVELOPE_7BIT);
    assert_int_equal(convert_needs(STR("a\r\nb\r\n")), ENVELOPE_7BIT);
    assert_int_equal(convert_needs(STR("a\xff\r\n")), ENVELOPE_8BIT);
    assert_int_equal(convert_needs(STR("a\r\nb\n")), ENVELOPE_BINARY);
    assert_int_equal(convert_needs(STR("a\rb\r\n")), ENVELOPE_BINARY);
    assert_int_equal(convert_needs(STR("a\r")), ENVELOPE_BINARY);
    assert_int_equal(convert_needs(STR("a\0b\r\n")), ENVELOPE_BINARY);
    memcpy(lines + 998, "\r\n", 2);
    memcpy(lines + 1998, "\r\n", 2);
    assert_int_equal(convert_needs(str_from(lines, 2000)), ENVELOPE_7BIT);
    assert_int_equal(convert_needs(str_from(lines, 2998 - 1000)), ENVELOPE_7BIT);
    memcpy(lines + 998, "xx", 2);
    assert_int_equal(convert_needs(str_from(lines, 2000)), ENVELOPE_BINARY);
    assert_int_equal(convert_needs(str_from(lines, 999)), ENVELOPE_BINARY);
    assert_int_equal(convert_needs(str_from(lines, 998)), ENVELOPE_7BIT);
}

static void text_becomes_quoted_printable(void **state) /* RFC 2045 section 6.7 */
{
    (void)state;
    convert_is(STR("MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
                   "Content-Transfer-Encoding: 8bit\r\nSubject: x\r\n\r\n"
                   "\u010da\u010dak = 1 \r\n.\r\nend\t\r\n"),
               ENVELOPE_7BIT,
               "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nSubject: x\r\n"
               "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
               "=C4=8Da=C4=8Dak =3D 1=20\r\n.\r\nend=09\r\n");
}

static void a_message_without_mime_says_what_it_is(void **state) /* RFC 1428 section 3 */
{
    (void)state;
    convert_is(STR("Subject: x\r\n\r\n\xe9\r\n"), ENVELOPE_7BIT,
               "Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=unknown-8bit\r\n"
               "Content-Transfer-Encoding: quoted-printable\r\n\r\n=E9\r\n");
}

static void lines_are_at_most_76_long(void **state)
{
    (void)state;
    CLEAN_BUF struct buf in, out;
    struct err e = ERR_INIT;
    buf_init(&in, BUF_MAX_DEFAULT);
    buf_init(&out, BUF_MAX_DEFAULT);
    buf_add_c(&in, "MIME-Version: 1.0\r\n\r\n");
    for (int i = 0; i < 500; i++)
        buf_addf(&in, "%s", i % 7 == 0 ? "\xc3\xa9" : "x");
    buf_add_c(&in, "\r\n");
    assert_true(convert_message(buf_str(&in), ENVELOPE_7BIT, &out, &e));
    struct str rest = buf_str(&out), line;
    while (rest.n > 0) {
        str_cut(&rest, '\n', &line);
        assert_true(line.n <= 77); /* with its CR */
    }
}

static void only_the_parts_that_need_it(void **state)
{
    (void)state;
    convert_is(STR("MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n"
                   "Content-Transfer-Encoding: 8bit\r\n\r\npreamble\r\n--b\r\n\r\nplain\r\n"
                   "--b\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: "
                   "8bit\r\n\r\n\xff\xfe\r\n\r\n"
                   "--b--\r\nepilogue \xe9\r\n"),
               ENVELOPE_7BIT,
               "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n"
               "Content-Transfer-Encoding: 7bit\r\n\r\npreamble\r\n--b\r\n\r\nplain\r\n"
               "--b\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: "
               "base64\r\n\r\n//4NCg==\r\n"
               "--b--\r\nepilogue ?\r\n");
}

static void
messages_inside_messages(void **state) /* RFC 2046 section 5.2.1: they are not encoded themselves */
{
    (void)state;
    convert_is(
        STR("MIME-Version: 1.0\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
            "MIME-Version: 1.0\r\nSubject: inner\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\xe9\r\n"),
        ENVELOPE_7BIT,
        "MIME-Version: 1.0\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: 7bit\r\n\r\n"
        "MIME-Version: 1.0\r\nSubject: inner\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=E9\r\n");
}

static void to_8bit_only_what_is_binary(void **state) /* RFC 3030 section 3 */
{
    (void)state;
    convert_is(
        STR("MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n"
            "Content-Transfer-Encoding: binary\r\n\r\n--b\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\xe9\r\n"
            "--b\r\nContent-Type: image/x; name=n\r\nContent-Transfer-Encoding: "
            "binary\r\n\r\na\0\n\xff\r\n--b--\r\n"),
        ENVELOPE_8BIT,
        "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n"
        "Content-Transfer-Encoding: 8bit\r\n\r\n--b\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\xe9\r\n"
        "--b\r\nContent-Type: image/x; name=n\r\nContent-Transfer-Encoding: "
        "base64\r\n\r\nYQAK/w==\r\n--b--\r\n");
    convert_is(STR("MIME-Version: 1.0\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: "
                   "binary\r\n\r\na\nb\r\n"),
               ENVELOPE_8BIT,
               "MIME-Version: 1.0\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: "
               "quoted-printable\r\n\r\na=0Ab\r\n");
}

static void what_needs_nothing_is_left_alone(void **state)
{
    (void)state;
    const char *raw = "Subject: x\r\nContent-Transfer-Encoding: 8bit\r\n\r\nascii\r\n";
    convert_is(str_from_c(raw), ENVELOPE_7BIT, raw);
    raw = "Subject: \xe9 in a header stays\r\n\r\nascii\r\n";
    convert_is(str_from_c(raw), ENVELOPE_7BIT, raw);
    raw = "MIME-Version: 1.0\r\nContent-Type: multipart/signed; "
          "boundary=b\r\n\r\n--b\r\n\r\na\r\n--b\r\n\r\nb\r\n--b--\r\n";
    convert_is(str_from_c(raw), ENVELOPE_7BIT, raw);
    convert_is(STR(""), ENVELOPE_7BIT, "");
}

static void what_must_not_be_touched_is_refused(void **state)
{
    (void)state;
    refused(STR("MIME-Version: 1.0\r\nContent-Type: multipart/signed; "
                "boundary=b\r\n\r\n--b\r\n\r\n\xe9\r\n--b\r\n\r\nb\r\n--b--\r\n"),
            ENVELOPE_7BIT);
    refused(STR("MIME-Version: 1.0\r\nContent-Type: multipart/encrypted; "
                "boundary=b\r\n\r\n--b\r\n\r\n\xe9\r\n--b\r\n\r\nb\r\n--b--\r\n"),
            ENVELOPE_7BIT);
    refused(STR("MIME-Version: 1.0\r\nContent-Type: message/partial; id=x; number=1\r\n\r\n\xe9\r\n"),
            ENVELOPE_7BIT);
    refused(STR("MIME-Version: 1.0\r\nContent-Transfer-Encoding: base64\r\n\r\n\xe9\r\n"), ENVELOPE_7BIT);
    refused(STR("MIME-Version: 1.0\r\nContent-Type: multipart/mixed; "
                "boundary=b\r\nContent-Transfer-Encoding: base64\r\n\r\n--b\r\n\r\n\xe9\r\n--b--\r\n"),
            ENVELOPE_7BIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_bytes_need),
        cmocka_unit_test(text_becomes_quoted_printable),
        cmocka_unit_test(a_message_without_mime_says_what_it_is),
        cmocka_unit_test(lines_are_at_most_76_long),
        cmocka_unit_test(only_the_parts_that_need_it),
        cmocka_unit_test(messages_inside_messages),
        cmocka_unit_test(to_8bit_only_what_is_binary),
        cmocka_unit_test(what_needs_nothing_is_left_alone),
        cmocka_unit_test(what_must_not_be_touched_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
