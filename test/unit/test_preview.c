/* Previews (RFC 8970): whose words they show, and that they stay within their bounds. */
#include "message/decode.h"
#include "message/preview.h"

#include "check.h"

#include <stdlib.h>
#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof *(table))

static void assert_preview(const char *name, struct str message, struct str expected)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    CLEAN_BUF struct buf out;
    buf_init(&out, BUF_MAX_DEFAULT);
    buf_add_c(&out, "kept ");
    preview_make(message, mime_parse(message, &a), &out);
    struct str got = str_from_offset(buf_str(&out), 5);
    if (!str_eq(got, expected))
        fail_msg("%s: expected \"%.*s\", got \"%.*s\"", name, STR_ARGS(expected), STR_ARGS(got));
}

#define PLAIN       "\r\n"
#define HTML        "Content-Type: text/html; charset=utf-8\r\n\r\n"
#define MULTI(kind) "Content-Type: multipart/" kind "; boundary=b\r\n\r\n--b\r\n"

static void texts_become_previews(void **state)
{
    (void)state;
    static const struct {
        const char *name, *message, *expected;
    } CASES[] = {
        {"white space", PLAIN "  Hello\tJoe,\r\n\r\n\r\ndo you \xc2\xa0 think\n", "Hello Joe, do you think"},
        {"no text", PLAIN, ""},
        {"a bottom quote",
         PLAIN "Yes, gladly.\r\n\r\nOn Monday, 3 March 2026, Ana wrote:\r\n> Shall we meet?\r\n> At 3?\r\n",
         "Yes, gladly."},
        {"a top quote",
         PLAIN "On Monday, 3 March 2026 at 10:00,\r\nAna <ana@example.org> wrote:\r\n\r\n> Shall "
               "we?\r\n\r\nYes.\r\n",
         "Yes."},
        {"a quote in another language", PLAIN "Am 03.03.26 um 10:00 schrieb Ana:\r\n>> Ja?\r\nNein.\r\n",
         "Nein."},
        {"answers between quotes", PLAIN "> one?\r\nyes\r\n> two?\r\nno\r\n", "yes no"},
        {"a colon that introduces nothing", PLAIN "To do:\r\n\r\n- sleep\r\n", "To do: - sleep"},
        {"a long paragraph in front of a quote", PLAIN "a\r\nb\r\nc\r\nand then he said:\r\n> no\r\n",
         "a b c and then he said:"},
        {"nothing but quotes", PLAIN "> all of it\r\n>> quoted\r\n", "all of it quoted"},
        {"a signature", PLAIN "See you.\r\n-- \r\nAna\r\n", "See you."},
        {"only a signature", PLAIN "-- \r\nAna\r\n", "-- Ana"},
        {"an original message", PLAIN "Fine.\r\n\r\n-----Original Message-----\r\nFrom: Bob\r\n", "Fine."},
        {"Outlook's line", PLAIN "Fine.\r\n________________________________\r\nFrom: Bob\r\n", "Fine."},
        {"HTML",
         HTML
         "<html><head><title>News</title><style>p { x }</style></head><body><p>Hello&nbsp;<b>J</b>oe,</p>do"
         "<br>you &lt;think&gt;</body></html>",
         "Hello Joe, do you <think>"},
        {"HTML with a quote",
         HTML "<div>Yes.</div><div class=q>On Monday Ana wrote:<br><blockquote>Shall we <blockquote>a"
              "</blockquote>&amp; b?</blockquote></div><p>Ana",
         "Yes. Ana"},
        {"HTML of nothing but a quote", HTML "<blockquote>Shall we?</blockquote>", "Shall we?"},
        {"padding of newsletters", HTML "Today only &#8203;&#847;&zwnj;&#160;\xe2\x80\x8c<p>Buy",
         "Today only Buy"},
        {"quoted-printable",
         "Content-Transfer-Encoding: quoted-printable\r\nContent-Type: text/plain; charset=iso-8859-2\r\n\r\n"
         "=C8a=E8ak je=\r\n grad\r\n",
         "\xc4\x8c"
         "a\xc4\x8d"
         "ak je grad"},
        {"base64", "Content-Transfer-Encoding: base64\r\n\r\naGVsbG8NCg0Kd29ybGQ=\r\n", "hello world"},
        {"of alternatives the plain one",
         MULTI("alternative") HTML "<p>page\r\n--b\r\n" PLAIN "text\r\n--b--\r\n", "text"},
        {"of alternatives the one that says something",
         MULTI("alternative") PLAIN "\r\n--b\r\n" HTML "<p>page\r\n--b--\r\n", "page"},
        {"no attachment",
         MULTI("mixed") "Content-Disposition: attachment; filename=a.txt\r\n\r\na\r\n--b\r\n" PLAIN
                        "text\r\n--b--\r\n",
         "text"},
        {"nothing but an attachment", "Content-Disposition: attachment\r\n\r\na\r\n", ""},
        {"no text part", "Content-Type: image/png\r\n\r\nabc\r\n", ""},
        {"a message in a message is another's",
         MULTI("mixed") "Content-Type: message/rfc822\r\n\r\n\r\ninner\r\n--b--\r\n", ""},
    };
    for (size_t i = 0; i < COUNT(CASES); i++)
        assert_preview(CASES[i].name, str_from_c(CASES[i].message), str_from_c(CASES[i].expected));
}

/* RFC 8970 section 3: characters, not bytes. */
static void previews_end_at_200_characters(void **state)
{
    (void)state;
    CLEAN_BUF struct buf message, expected;
    buf_init(&message, BUF_MAX_DEFAULT);
    buf_init(&expected, BUF_MAX_DEFAULT);
    buf_add_c(&message, "Content-Type: text/plain; charset=utf-8\r\n\r\n");
    for (int i = 0; i < 300; i++)
        buf_add_c(&message, "\xe6\x97\xa5");
    for (int i = 0; i < 200; i++)
        buf_add_c(&expected, "\xe6\x97\xa5");
    assert_preview("without spaces", buf_str(&message), buf_str(&expected));

    buf_reset(&message);
    buf_reset(&expected);
    buf_add_c(&message, "\r\n");
    for (int i = 0; i < 199; i++)
        buf_add_byte(&expected, 'x');
    buf_add(&message, buf_str(&expected));
    buf_add_c(&message, " y");
    assert_preview("no space at the end", buf_str(&message), buf_str(&expected));
}

/* Text behind much that is none is found, and what stands too far behind is not looked for. */
static void much_may_stand_before_the_text(void **state)
{
    (void)state;
    static const struct {
        size_t style;
        const char *expected;
    } CASES[] = {{3000, "text"}, {5000, "text"}, {100000, "text"}, {PREVIEW_SOURCE_MAX, ""}};
    for (size_t i = 0; i < COUNT(CASES); i++) {
        CLEAN_BUF struct buf message;
        buf_init(&message, BUF_MAX_DEFAULT);
        buf_add_c(&message, HTML "<style>");
        while (message.n < CASES[i].style)
            buf_add_c(&message, "p { color: red }\n");
        buf_add_c(&message, "</style>text");
        assert_preview("style", buf_str(&message), str_from_c(CASES[i].expected));
    }
}

/* Wherever a message is cut: valid UTF-8 within the bounds. */
static void cut_messages_have_previews(void **state)
{
    (void)state;
    const struct str whole =
        STR(MULTI("mixed") "Content-Type: text/html; charset=utf-8\r\n"
                           "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
                           "<p>=C4=8Ca=C4=8Dak\xc4\x8d <a href=3D\"x\">&eacute;&#269;</a>\r\n--b--\r\n");
    for (size_t n = 0; n <= whole.n; n++) {
        CLEAN_ARENA struct arena a = ARENA_INIT;
        CLEAN_BUF struct buf out;
        buf_init(&out, PREVIEW_BYTES);
        struct str message = str_slice(whole, 0, n);
        preview_make(message, mime_parse(message, &a), &out);
        assert_false(out.overflow);
        assert_true(decode_is_utf8(buf_str(&out)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_become_previews),
        cmocka_unit_test(previews_end_at_200_characters),
        cmocka_unit_test(much_may_stand_before_the_text),
        cmocka_unit_test(cut_messages_have_previews),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
