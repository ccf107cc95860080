#include "message/decode.h"

#include "check.h"

#include <string.h>

typedef void transform_fn(struct str in, struct buf *out);

static void check(transform_fn *transform, const char *in, const char *expected)
{
    CLEAN_BUF struct buf out;
    buf_init(&out, 1 << 20);
    transform(str_from_c(in), &out);
    buf_add_byte(&out, '\0');
    assert_string_equal(out.p, expected);
}

static void quoted_printable_of_rfc2045(void **state)
{
    (void)state;
    check(decode_quoted_printable,
          "Now's the time =\r\nfor all folk to come=\r\n to the aid of their country.",
          "Now's the time for all folk to come to the aid of their country.");
    check(decode_quoted_printable, "a  \t\r\nb =\t \r\nc=20\r\n", "a\r\nb c \r\n");
    check(decode_quoted_printable, "=C3=A4=c3=a4", "\xc3\xa4\xc3\xa4");
    check(decode_quoted_printable, "a=\nb\nc", "ab\nc");
    check(decode_quoted_printable, "=", "");
    check(decode_quoted_printable, "=4", "=4");
    check(decode_quoted_printable, "=XY=3D=", "=XY=");
    check(decode_quoted_printable, "a=3", "a=3");
}

static void base64_as_mail_has_it(void **state)
{
    (void)state;
    check(decode_base64, "Zm9v\r\nYmFy\r\n", "foobar");
    check(decode_base64, "Zg==", "f");
    check(decode_base64, "Zm8=garbage", "fo");
    check(decode_base64, "Z m\t9\x80v!YmE", "fooba");
    check(decode_base64, "Zg", "f");
    check(decode_base64, "Z", "");
    check(decode_base64, "", "");
}

static void check_charset(const char *charset, const char *in, const char *expected)
{
    CLEAN_BUF struct buf out;
    buf_init(&out, 1 << 20);
    decode_charset(str_from_c(in), str_from_c(charset), &out);
    assert_true(decode_is_utf8(buf_str(&out)));
    buf_add_byte(&out, '\0');
    assert_string_equal(out.p, expected);
}

static void charsets(void **state)
{
    (void)state;
    check_charset("utf-8", "\xc3\xa4\xff\xe2\x82", "\xc3\xa4\xef\xbf\xbd\xef\xbf\xbd");
    check_charset("UTF8", "\xed\xa0\x80", "\xef\xbf\xbd");
    check_charset("ISO-8859-1", "\xe4\x80", "\xc3\xa4\xe2\x82\xac");
    check_charset("\"iso-8859-2\"", "\xe8\xe6", "\xc4\x8d\xc4\x87");
    check_charset("windows-1251", "\xcf\xf0\xe8", "\xd0\x9f\xd1\x80\xd0\xb8");
    check_charset("koi8-r", "\xf0\xd2", "\xd0\x9f\xd1\x80");
    check_charset("ISO-2022-JP", "\x1b$B$3$s\x1b(B", "\xe3\x81\x93\xe3\x82\x93");
    check_charset("shift_jis", "\x82\xb1\x82\xf1", "\xe3\x81\x93\xe3\x82\x93");
    check_charset("euc-jp", "\xa4\xb3\xa4\xf3", "\xe3\x81\x93\xe3\x82\x93");
    check_charset("gb2312", "\xc4\xe3\xba\xc3", "\xe4\xbd\xa0\xe5\xa5\xbd");
    check_charset("gbk", "\xc4\xe3", "\xe4\xbd\xa0");
    check_charset("gb18030", "\xc4\xe3", "\xe4\xbd\xa0");
    check_charset("big5", "\xa7\x41\xa6\x6e", "\xe4\xbd\xa0\xe5\xa5\xbd");
    check_charset("ks_c_5601-1987", "\xb0\xa1", "\xea\xb0\x80");
    check_charset("euc-kr", "\xb0\xa1", "\xea\xb0\x80");
    check_charset("utf-7", "+AOQ-", "\xc3\xa4");
    check_charset("iso-8859-8-i", "\xe0", "\xd7\x90");
    check_charset("tis-620", "\xa1", "\xe0\xb8\x81");
    /* ASCII that is not, and charsets that nobody knows */
    check_charset("us-ascii", "\xc3\xa4", "\xc3\xa4");
    check_charset("us-ascii", "\xe4", "\xc3\xa4");
    check_charset("", "\xe4", "\xc3\xa4");
    check_charset("x-klingon", "\xe4", "\xc3\xa4");
    check_charset("../../etc/passwd", "a", "a");
    check_charset("", "", "");
}

static void every_byte_of_every_charset_is_text(void **state)
{
    (void)state;
    static const char *const CHARSETS[] = {"utf-8",        "utf-16",     "utf-32", "utf-7",     "iso-2022-kr",
                                           "iso-2022-cn",  "hz-gb-2312", "ibm850", "macintosh", "iso-8859-15",
                                           "windows-1250", "scsu",       "cesu-8"};
    char bytes[256 * 3];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(i * 7 + i / 256);
    for (size_t i = 0; i < sizeof CHARSETS / sizeof *CHARSETS; i++) {
        CLEAN_BUF struct buf out;
        buf_init(&out, 1 << 20);
        decode_charset(str_from(bytes, sizeof bytes), str_from_c(CHARSETS[i]), &out);
        assert_true(decode_is_utf8(buf_str(&out)));
        assert_true(out.n > 0);
        assert_true(decode_knows_charset(str_from_c(CHARSETS[i])));
    }
    assert_false(decode_knows_charset(STR("x-klingon")));
    assert_false(decode_knows_charset(STR("")));
    assert_true(decode_knows_charset(STR("us-ascii")));
}

static void long_text_through_a_converter(void **state)
{
    (void)state;
    CLEAN_BUF struct buf in, out;
    buf_init(&in, 1 << 20);
    buf_init(&out, 1 << 20);
    for (int i = 0; i < 100000; i++)
        buf_add_byte(&in, '\x80');
    decode_charset(buf_str(&in), STR("windows-1252"), &out);
    assert_int_equal(out.n, 300000);
    assert_true(decode_is_utf8(buf_str(&out)));
}

static void encoded_words_of_rfc2047(void **state)
{
    (void)state;
    /* section 8 */
    check(decode_words, "=?US-ASCII?Q?Keith_Moore?= <moore@cs.utk.edu>", "Keith Moore <moore@cs.utk.edu>");
    check(decode_words, "=?ISO-8859-1?Q?Keld_J=F8rn_Simonsen?= <keld@dkuug.dk>",
          "Keld J\xc3\xb8rn Simonsen <keld@dkuug.dk>");
    check(decode_words,
          "=?ISO-8859-1?B?SWYgeW91IGNhbiByZWFkIHRoaXMgeW8=?=\r\n"
          "    =?ISO-8859-2?B?dSB1bmRlcnN0YW5kIHRoZSBleGFtcGxlLg==?=",
          "If you can read this you understand the example.");
    check(decode_words, "(=?ISO-8859-1?Q?a?=)", "(a)");
    check(decode_words, "(=?ISO-8859-1?Q?a?= b)", "(a b)");
    check(decode_words, "(=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=)", "(ab)");
    check(decode_words, "(=?ISO-8859-1?Q?a?=  =?ISO-8859-1?Q?b?=)", "(ab)");
    check(decode_words, "(=?ISO-8859-1?Q?a?=\r\n    =?ISO-8859-1?Q?b?=)", "(ab)");
    check(decode_words, "(=?ISO-8859-1?Q?a_b?=)", "(a b)");
    check(decode_words, "(=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?=)", "(a b)");
    /* RFC 2231 section 5 */
    check(decode_words, "=?US-ASCII*EN?Q?Keith_Moore?=", "Keith Moore");
}

static void encoded_words_of_the_wild(void **state)
{
    (void)state;
    check(decode_words, "=?utf-8?Q?=C3?= =?utf-8?Q?=A4?=", "\xc3\xa4");
    check(decode_words, "=?utf-8?B?w6Q=?==?utf-8?B?w6Q=?=", "\xc3\xa4\xc3\xa4");
    check(decode_words, "\"=?utf-8?q?a=20b.pdf?=\"", "\"a b.pdf\"");
    check(decode_words, "=?utf-8?q?with space?= x", "with space x");
    check(decode_words, "=?utf-8?q?=3F=?=", "?=");
    check(decode_words, "=?utf-8?q?\?= a", " a");
    check(decode_words, "a =?utf-8?q?b", "a =?utf-8?q?b");
    check(decode_words, "=?=?=?utf-8?q?b?=", "=?=?b");
    check(decode_words, "=?utf-8?x?b?=", "=?utf-8?x?b?=");
    check(decode_words, "a\r\n b\n\tc", "a b\tc");
    check(decode_words, "\xc3\xa4 \xe4", "\xc3\x83\xc2\xa4 \xc3\xa4");
    check(decode_words, "\xc3\xa4", "\xc3\xa4");
    check(decode_words, "\xe4 =?utf-8?q?=C3=A4?= \xc3\xa4", "\xc3\xa4 \xc3\xa4 \xc3\xa4");
}

static void folding(void **state)
{
    (void)state;
    check(decode_fold, "Hello World", "hello world");
    check(decode_fold, "STRASSE", "strasse");
    check(decode_fold,
          "Stra\xc3\x9f"
          "e",
          "strasse");
    check(decode_fold, "\xc3\x84", "\xc3\xa4");
    check(decode_fold, "A\xcc\x88", "\xc3\xa4"); /* A and a combining diaeresis */
    check(decode_fold, "x A\xcc\x88 y", "x \xc3\xa4 y");
    check(decode_fold, "\xef\xac\x81", "fi");
    check(decode_fold, "\xd0\x96", "\xd0\xb6");
    check(decode_fold, "\xef\xbc\xa1", "a"); /* full width */
    check(decode_fold, "", "");
    CLEAN_BUF struct buf in, out;
    buf_init(&in, 1 << 20);
    buf_init(&out, 1 << 20);
    for (int i = 0; i < 20000; i++)
        buf_add(&in, i % 3000 == 0 ? STR(" ") : STR("\xc3\x84"));
    decode_fold(buf_str(&in), &out);
    assert_int_equal(out.n, in.n);
    buf_reset(&in);
    for (int i = 0; i < 3000; i++)
        buf_add(&in, STR("\xef\xb7\xba")); /* the character that expands most */
    buf_reset(&out);
    decode_fold(buf_str(&in), &out);
    assert_int_equal(out.n, 33 * 3000);
}

static void mutf7_of_rfc3501(void **state)
{
    (void)state;
    static const char *const PAIRS[][2] = {
        {"~peter/mail/\xe5\x8f\xb0\xe5\x8c\x97/\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e",
         "~peter/mail/&U,BTFw-/&ZeVnLIqe-"},
        {"INBOX", "INBOX"},
        {"a&b", "a&-b"},
        {"\xc3\x84", "&AMQ-"},
        {"\xf0\x9f\x90\xa6", "&2D3cJg-"},
        {"\xc3\x84&", "&AMQ-&-"},
        {"", ""},
        {"\x01", "&AAE-"},
    };
    for (size_t i = 0; i < sizeof PAIRS / sizeof *PAIRS; i++) {
        CLEAN_BUF struct buf out;
        buf_init(&out, 1000);
        check(encode_mutf7, PAIRS[i][0], PAIRS[i][1]);
        assert_true(decode_mutf7(str_from_c(PAIRS[i][1]), &out));
        assert_true(str_eq(buf_str(&out), str_from_c(PAIRS[i][0])));
    }
    static const char *const BAD[] = {"&",     "&AMQ",   "&AMQ-&AMQ-", "&AGE-", "&AM-",   "&2D0-", "&3CY-",
                                      "&AMR-", "&AMQA-", "\xc3\x84",   "a\x01", "&A+Q-&", "& -",   "&AMQ=-"};
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        CLEAN_BUF struct buf out;
        buf_init(&out, 1000);
        if (decode_mutf7(str_from_c(BAD[i]), &out))
            fail_msg("taken: %s", BAD[i]);
    }
}

static void check_text(const char *message, const char *expected)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    CLEAN_BUF struct buf out;
    buf_init(&out, 1 << 20);
    decode_text_part(str_from_c(message), mime_parse(str_from_c(message), &a), &out);
    buf_add_byte(&out, '\0');
    assert_string_equal(out.p, expected);
}

static void text_of_parts(void **state)
{
    (void)state;
    check_text(
        "Content-Type: text/plain; charset=koi8-r\nContent-Transfer-Encoding: quoted-printable\n\n=F0=D2",
        "\xd0\x9f\xd1\x80");
    check_text(
        "Content-Type: text/html; charset=iso-8859-1\nContent-Transfer-Encoding: base64\n\nPGI+5DwvYj4=",
        "\xc3\xa4");
    check_text("\n<b>plain</b>", "<b>plain</b>");
}

#define HTML "Content-Type: text/html\n\n"

static void text_of_html(void **state)
{
    (void)state;
    check_text(HTML "w<b>or</b>d<br>two<p class=\"a>b\">three", "word\ntwo\nthree");
    check_text(HTML "<!-- <p>no --><style>p { }</style><SCRIPT>if (a < b) '</b>'</Script>yes", "\n\n\n\nyes");
    check_text(HTML "a &lt; b &amp;&auml;&#228;&#xE4;&euro &nosuch; & &#; &#x110000;",
               "a < b &\xc3\xa4\xc3\xa4\xc3\xa4\xe2\x82\xac &nosuch; & &#; \xef\xbf\xbd");
    check_text(HTML "1 < 2 <3 <!doctype html><?xml ?>", "1 < 2 <3 \n\n");
    check_text(HTML "a<img alt=\"never closed>b", "a\nb");
    check_text(HTML "a<!-- never closed", "a");
    check_text(HTML "a<script>never closed", "a\n");
    check_text(HTML "a<", "a<");
    check_text(HTML "a</", "a</");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quoted_printable_of_rfc2045),
        cmocka_unit_test(base64_as_mail_has_it),
        cmocka_unit_test(charsets),
        cmocka_unit_test(every_byte_of_every_charset_is_text),
        cmocka_unit_test(long_text_through_a_converter),
        cmocka_unit_test(encoded_words_of_rfc2047),
        cmocka_unit_test(encoded_words_of_the_wild),
        cmocka_unit_test(folding),
        cmocka_unit_test(mutf7_of_rfc3501),
        cmocka_unit_test(text_of_parts),
        cmocka_unit_test(text_of_html),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
