/* Half a megabyte that is made to be slow. Each parser is linear, so all of this takes seconds even under
 * sanitizers; one that is quadratic would need an hour, and the test's timeout ends it. */
#include "message/address.h"
#include "message/date.h"
#include "message/decode.h"
#include "message/header.h"
#include "message/imap_form.h"
#include "message/parts.h"
#include "message/submission.h"

#include "check.h"

#define SIZE ((size_t)512 << 10)

/* A header field, a body or a bare value is made of `unit` again and again. */
static void fill(struct buf *out, struct str start, struct str unit)
{
    buf_init(out, BUF_MAX_DEFAULT);
    buf_add(out, start);
    while (out->n < SIZE)
        buf_add(out, unit);
}

static void run_message(struct str message)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    CLEAN_BUF struct buf out;
    buf_init(&out, BUF_MAX_DEFAULT);
    const struct submission_fix fix = {.hostname = STR("x.test"), .unique = STR("u")};
    struct mime_part *root = mime_parse(message, &a);
    imap_form_envelope(message, &a, &out);
    imap_form_structure(message, root, &a, &out);
    parts_pack(root, &out);
    submission_fix_header(message, &fix, &out);
    while (root->child_count > 0)
        root = root->children[root->child_count - 1];
    decode_text_part(message, root, &out);
    assert_true(header_size(message) <= message.n);
}

static void run_value(struct str value)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    CLEAN_BUF struct buf out;
    buf_init(&out, BUF_MAX_DEFAULT);
    struct mime_part part = {0};
    struct str in = value, local, domain;
    int64_t at;
    int zone;
    address_parse_list(value, &a);
    address_take_smtp(&in, true, &a, &local, &domain);
    date_parse(value, &at, &zone);
    mime_parse_content_type(value, &a, &part);
    decode_words(value, &out);
    decode_mutf7(value, &out);
    decode_quoted_printable(value, &out);
    decode_base64(value, &out);
    decode_fold(value, &out);
    struct mime_part html = {.body_size = value.n, .type = STR("text"), .subtype = STR("html")};
    buf_reset(&out);
    decode_text_part(value, &html, &out);
}

static void headers_and_bodies(void **state)
{
    (void)state;
    static const struct {
        struct str start, unit;
    } MESSAGES[] = {
        {STR_INIT(""), STR_INIT(":")},
        {STR_INIT(""), STR_INIT("a")},
        {STR_INIT(""), STR_INIT("A:\n")},
        {STR_INIT(""), STR_INIT("Content-Type: a/b; c=d\n")},
        {STR_INIT(""), STR_INIT("To: a@b\n")},
        {STR_INIT("Subject: "), STR_INIT("\n ")},
        {STR_INIT(""), STR_INIT("Content-Type: message/rfc822\n\n")},
        {STR_INIT(""), STR_INIT("Content-Type: multipart/mixed; boundary=b\n\n--b\n")},
        {STR_INIT("Content-Type: multipart/mixed; boundary=b\n\n"), STR_INIT("--b\n")},
        {STR_INIT("Content-Type: multipart/mixed; boundary=b\n\n--b\n\n"), STR_INIT("--a\n")},
        {STR_INIT("Content-Type: multipart/mixed; boundary=b\n\n--b--\n\n"), STR_INIT("--b\n")},
        {STR_INIT("Content-Type: multipart/mixed; boundary=\"-\"\n\n--b--\n\n"), STR_INIT("-")},
        {STR_INIT("Content-Type: text/plain; charset=\""), STR_INIT("(\\")},
        {STR_INIT("From: "), STR_INIT("a@b,")},
    };
    for (size_t i = 0; i < sizeof MESSAGES / sizeof *MESSAGES; i++) {
        CLEAN_BUF struct buf message;
        fill(&message, MESSAGES[i].start, MESSAGES[i].unit);
        run_message(buf_str(&message));
    }
}

/* 63 open multiparts whose boundaries share a long beginning, and lines that share it too. */
static void boundaries_that_look_alike(void **state)
{
    (void)state;
    CLEAN_BUF struct buf message, prefix;
    buf_init(&message, BUF_MAX_DEFAULT);
    buf_init(&prefix, BUF_MAX_DEFAULT);
    for (int i = 0; i < 1000; i++)
        buf_add_byte(&prefix, 'b');
    for (int i = 0; i < 63; i++)
        buf_addf(&message, "Content-Type: multipart/mixed; boundary=%.*s%d\n\n--%.*s%d\n", 1000, prefix.p, i,
                 1000, prefix.p, i);
    buf_add(&message, STR("\n\n"));
    while (message.n < SIZE)
        buf_addf(&message, "--%.*sx\n", 1000, prefix.p);
    run_message(buf_str(&message));
}

static void values(void **state)
{
    (void)state;
    static const struct str UNITS[] = {
        STR_INIT("("),
        STR_INIT("\""),
        STR_INIT("\\"),
        STR_INIT("<"),
        STR_INIT("@"),
        STR_INIT(":"),
        STR_INIT(";"),
        STR_INIT(","),
        STR_INIT("a "),
        STR_INIT("=?"),
        STR_INIT("=?a?Q?"),
        STR_INIT("=?a?Q?b"),
        STR_INIT("=?utf-8?Q?\?= "),
        STR_INIT("a=b;"),
        STR_INIT("a=(b)c "),
        STR_INIT("a=\"b;"),
        STR_INIT("a=(b "),
        STR_INIT("( a=b "),
        STR_INIT("&"),
        STR_INIT("&AMQ-a"),
        STR_INIT("<a="),
        STR_INIT("<a=\""),
        STR_INIT("<!--"),
        STR_INIT("<script>"),
        STR_INIT("</"),
        STR_INIT("&#"),
        STR_INIT("=\n"),
        STR_INIT("="),
        STR_INIT("\xcc\x88"),
        STR_INIT("\xff"),
        STR_INIT("a\xcc\x88"),
        STR_INIT("\n"),
        STR_INIT(" \t"),
        STR_INIT("(\")\""),
        STR_INIT("x*0=y;"),
        STR_INIT("\xef\xb7\xba"),
    };
    for (size_t i = 0; i < sizeof UNITS / sizeof *UNITS; i++) {
        CLEAN_BUF struct buf value;
        fill(&value, STR("a/b; x="), UNITS[i]);
        run_value(buf_str(&value));
        run_value(str_from_offset(buf_str(&value), 7)); /* without a/b; x= */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_and_bodies),
        cmocka_unit_test(boundaries_that_look_alike),
        cmocka_unit_test(values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
