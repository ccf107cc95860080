#include "message/imap_form.h"

#include "check.h"

#include <string.h>

typedef void form_fn(struct str message, struct arena *a, struct buf *out);

static void structure(struct str message, struct arena *a, struct buf *out)
{
    imap_form_structure(message, mime_parse(message, a), a, out);
}

static void check(form_fn *form, const char *message, const char *expected)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    CLEAN_BUF struct buf out;
    buf_init(&out, 1 << 20);
    form(str_from_c(message), &a, &out);
    buf_add_byte(&out, '\0');
    assert_string_equal(out.p, expected);
}

static void envelope_of_rfc3501(void **state)
{
    (void)state;
    /* section 8 */
    static const char MESSAGE[] = "Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\r\n"
                                  "From: Terry Gray <gray@cac.washington.edu>\r\n"
                                  "Subject: IMAP4rev1 WG mtg summary and minutes\r\n"
                                  "To: imap@cac.washington.edu\r\n"
                                  "cc: minutes@CNRI.Reston.VA.US, John Klensin <KLENSIN@MIT.EDU>\r\n"
                                  "Message-Id: <B27397-0100000@cac.washington.edu>\r\n"
                                  "MIME-Version: 1.0\r\n"
                                  "Content-Type: TEXT/PLAIN; CHARSET=US-ASCII\r\n\r\n";
    check(
        imap_form_envelope, MESSAGE,
        "(\"Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\" \"IMAP4rev1 WG mtg summary and minutes\" "
        "((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) "
        "((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) "
        "((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) "
        "((NIL NIL \"imap\" \"cac.washington.edu\")) "
        "((NIL NIL \"minutes\" \"CNRI.Reston.VA.US\")(\"John Klensin\" NIL \"KLENSIN\" \"MIT.EDU\")) NIL NIL "
        "\"<B27397-0100000@cac.washington.edu>\")");
}

static void envelopes_of_little(void **state)
{
    (void)state;
    check(imap_form_envelope, "", "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)");
    /* empty is not missing, for what is no address */
    check(imap_form_envelope, "Date:\nSubject: \nFrom:\nSender: \nTo: \nCc: ,\nIn-Reply-To:\nMessage-ID:\n\n",
          "(\"\" \"\" NIL NIL NIL NIL NIL NIL \"\" \"\")");
    check(imap_form_envelope, "From: a@b\nSender: c@d\nReply-To:\nSubject: first\nSubject: second\n\n",
          "(NIL \"first\" ((NIL NIL \"a\" \"b\")) ((NIL NIL \"c\" \"d\")) ((NIL NIL \"a\" \"b\")) NIL NIL "
          "NIL NIL NIL)");
}

static void envelopes_with_groups(void **state)
{
    (void)state;
    check(imap_form_envelope, "To: Friends: a@b, Joe <c@d>;, undisclosed\nBcc: Nobody:;\n\n",
          "(NIL NIL NIL NIL NIL ((NIL NIL \"Friends\" NIL)(NIL NIL \"a\" \"b\")(\"Joe\" NIL \"c\" \"d\")"
          "(NIL NIL NIL NIL)(NIL NIL \"undisclosed\" \"\")) NIL ((NIL NIL \"Nobody\" NIL)(NIL NIL NIL NIL)) "
          "NIL NIL)");
}

static void envelopes_with_odd_bytes(void **state)
{
    (void)state;
    check(
        imap_form_envelope, "Subject: =?utf-8?q?raw?= \"q\\\"\r\n folded\nFrom: \"\xc3\xa4\" <@r:a@b>\n\n",
        "(NIL \"=?utf-8?q?raw?= \\\"q\\\\\\\" folded\" (({2}\r\n\xc3\xa4 \"@r\" \"a\" \"b\")) "
        "(({2}\r\n\xc3\xa4 \"@r\" \"a\" \"b\")) (({2}\r\n\xc3\xa4 \"@r\" \"a\" \"b\")) NIL NIL NIL NIL NIL)");
}

static void strings(void **state)
{
    (void)state;
    CLEAN_BUF struct buf out;
    buf_init(&out, 1 << 20);
    imap_form_string(STR(""), &out);
    imap_form_nstring(STR(""), &out);
    imap_form_string(STR("a\rb"), &out);
    imap_form_string(STR("a\0b"), &out);
    assert_true(str_eq(buf_str(&out), STR("\"\"NIL{3}\r\na\rb{2}\r\nab")));
    char text[1001];
    memset(text, 'x', sizeof text);
    buf_reset(&out);
    imap_form_string(str_from(text, 1000), &out);
    assert_int_equal(out.n, 1002);
    buf_reset(&out);
    imap_form_string(str_from(text, 1001), &out);
    assert_true(str_starts(buf_str(&out), STR("{1001}\r\nxxx")));
}

static void structure_of_rfc3501(void **state)
{
    (void)state;
    /* section 7.4.2: a two part message with a text and a BASE64-encoded text attachment */
    static const char MESSAGE[] = "Content-Type: MULTIPART/MIXED; boundary=b\r\n\r\n--b\r\n"
                                  "Content-Type: TEXT/PLAIN; CHARSET=US-ASCII\r\n\r\na\r\nb\r\n\r\n--b\r\n"
                                  "Content-Type: TEXT/PLAIN; CHARSET=US-ASCII; NAME=cc.diff\r\n"
                                  "Content-ID: <960723163407.20117h@cac.washington.edu>\r\n"
                                  "Content-Description: Compiler diff\r\n"
                                  "Content-Transfer-Encoding: BASE64\r\n\r\nYQ==\r\n\r\n--b--\r\n";
    check(structure, MESSAGE,
          "((\"text\" \"plain\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\" 6 2 NIL NIL NIL NIL)"
          "(\"text\" \"plain\" (\"CHARSET\" \"US-ASCII\" \"NAME\" \"cc.diff\") "
          "\"<960723163407.20117h@cac.washington.edu>\" \"Compiler diff\" \"BASE64\" 6 1 NIL NIL NIL NIL) "
          "\"mixed\" "
          "(\"boundary\" \"b\") NIL NIL NIL)");
}

static void structure_of_a_message_in_a_message(void **state)
{
    (void)state;
    check(structure,
          "Content-Type: message/rfc822\r\nContent-Disposition: inline\r\n\r\n"
          "Subject: inner\r\nContent-Type: image/gif\r\n\r\nGIF\r\n",
          "(\"message\" \"rfc822\" NIL NIL NIL \"7BIT\" 48 "
          "(NIL \"inner\" NIL NIL NIL NIL NIL NIL NIL NIL) "
          "(\"image\" \"gif\" NIL NIL NIL \"7BIT\" 5 NIL NIL NIL NIL) 4 NIL (\"inline\" NIL) NIL NIL)");
}

static void structure_with_all_extensions(void **state)
{
    (void)state;
    check(structure,
          "Content-Type: application/pdf; name*0*=utf-8''a; name*1=\"b\"\r\nContent-MD5: Q2hlY2s=\r\n"
          "Content-Disposition: Attachment; filename=\"=?utf-8?q?x?=\"\r\nContent-Language: en, sr\r\n"
          "Content-Location: http://x.test/\r\nContent-Transfer-Encoding: base64\r\n\r\n",
          "(\"application\" \"pdf\" (\"name*0*\" \"utf-8''a\" \"name*1\" \"b\") NIL NIL \"base64\" 0 "
          "\"Q2hlY2s=\" "
          "(\"attachment\" (\"filename\" \"=?utf-8?q?x?=\")) (\"en\" \"sr\") \"http://x.test/\")");
    check(structure, "Content-Type: multipart/mixed; boundary=b\r\n\r\nno part",
          "((\"text\" \"plain\" NIL NIL NIL \"7BIT\" 7 0 NIL NIL NIL NIL) \"mixed\" (\"boundary\" \"b\") NIL "
          "NIL NIL)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(envelope_of_rfc3501),
        cmocka_unit_test(envelopes_of_little),
        cmocka_unit_test(envelopes_with_groups),
        cmocka_unit_test(envelopes_with_odd_bytes),
        cmocka_unit_test(strings),
        cmocka_unit_test(structure_of_rfc3501),
        cmocka_unit_test(structure_of_a_message_in_a_message),
        cmocka_unit_test(structure_with_all_extensions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
