/* Parts without their transfer encoding, and literals of any bytes: RFC 3516, RFC 9051 sections 6.4.5 and
 * 7.5.2. */
#include "base/mem.h"
#include "message/decode.h"

#include "check.h"
#include "imap_fixture.h"

#include <stdio.h>
#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof *(table))

/* 1 base64, 2 quoted-printable, 3 as it is, 4 base64 of bytes with NUL, 5 an encoding that nobody knows,
 * 6 a message in it */
static const struct str MESSAGE = STR_INIT("Subject: parts\r\n"
                                           "Content-Type: multipart/mixed; boundary=b\r\n"
                                           "\r\n"
                                           "--b\r\n"
                                           "Content-Transfer-Encoding: base64\r\n"
                                           "\r\n"
                                           "aGVsbG8g\r\nd29ybGQ=\r\n"
                                           "--b\r\n"
                                           "Content-Transfer-Encoding: quoted-printable\r\n"
                                           "\r\n"
                                           "hello=20t=\r\no you   \r\ntoo\r\n"
                                           "--b\r\n"
                                           "\r\n"
                                           "plain\r\n"
                                           "--b\r\n"
                                           "Content-Type: image/png\r\n"
                                           "Content-Transfer-Encoding: BASE64\r\n"
                                           "\r\n"
                                           "AAECAwA=\r\n"
                                           "--b\r\n"
                                           "Content-Transfer-Encoding: x-uue\r\n"
                                           "\r\n"
                                           "begin 644 x\r\n"
                                           "--b\r\n"
                                           "Content-Type: message/rfc822\r\n"
                                           "\r\n"
                                           "Content-Transfer-Encoding: base64\r\n"
                                           "\r\n"
                                           "YWJj\r\n"
                                           "--b--\r\n");

/* Sends, and reads exactly that many bytes back. */
static void exchange(struct imap_fixture *f, struct str send, struct str expected)
{
    struct stream *s = &f->clients[0].stream;
    stream_write(s, send);
    assert_int_equal(stream_flush(s, deadline_in(IMAP_WAIT_MS)), STREAM_OK);
    struct str left = expected;
    while (left.n > 0) {
        struct str got;
        assert_int_equal(stream_peek(s, deadline_in(IMAP_WAIT_MS), &got), STREAM_OK);
        got = str_slice(got, 0, left.n);
        if (!str_starts(left, got))
            fail_msg("to %.*s expected %.*s, got %.*s", STR_ARGS(send), STR_ARGS(left), STR_ARGS(got));
        left = str_from_offset(left, got.n);
        stream_take(s, got.n);
    }
}

static void open_with(struct imap_fixture *f, struct str message)
{
    imap_open_fixture(f);
    imap_deliver(f, message);
    imap_run_line(f, "binary", "C: s SELECT INBOX");
    while (!imap_matches(imap_read_answer(&f->clients[0]), "s OK ..."))
        ;
}

static void parts_come_decoded(void **state)
{
    (void)state;
    static const struct {
        struct str ask, answer;
    } CASES[] = {
        {STR_INIT("BINARY.SIZE[1]"), STR_INIT("(BINARY.SIZE[1] 11)")},
        {STR_INIT("(BINARY.SIZE[1] binary.size[2] BINARY.SIZE[3] BINARY.SIZE[4])"),
         STR_INIT("(BINARY.SIZE[1] 11 BINARY.SIZE[2] 17 BINARY.SIZE[3] 5 BINARY.SIZE[4] 5)")},
        {STR_INIT("BINARY.PEEK[1]"), STR_INIT("(BINARY[1] {11}\r\nhello world)")},
        {STR_INIT("BINARY.PEEK[2]"), STR_INIT("(BINARY[2] {17}\r\nhello to you\r\ntoo)")},
        {STR_INIT("BINARY.PEEK[3]"), STR_INIT("(BINARY[3] {5}\r\nplain)")},
        /* literal8 where there is a NUL (RFC 3516 section 4.3), and only there */
        {STR_INIT("BINARY.PEEK[4]"), STR_INIT("(BINARY[4] ~{5}\r\n\0\1\2\3\0)")},
        {STR_INIT("BINARY.PEEK[4]<1.3>"), STR_INIT("(BINARY[4]<1> {3}\r\n\1\2\3)")},
        {STR_INIT("BINARY.PEEK[4]<3.9>"), STR_INIT("(BINARY[4]<3> ~{2}\r\n\3\0)")},
        {STR_INIT("BINARY.PEEK[1]<0.5>"), STR_INIT("(BINARY[1]<0> {5}\r\nhello)")},
        {STR_INIT("BINARY.PEEK[1]<6.100>"), STR_INIT("(BINARY[1]<6> {5}\r\nworld)")},
        {STR_INIT("BINARY.PEEK[1]<11.1>"), STR_INIT("(BINARY[1]<11> {0}\r\n)")},
        {STR_INIT("BINARY.PEEK[1]<4294967295.4294967295>"), STR_INIT("(BINARY[1]<4294967295> {0}\r\n)")},
        /* a message in a message has no encoding of its own; what is in it does */
        {STR_INIT("BINARY.PEEK[6]"),
         STR_INIT("(BINARY[6] {41}\r\nContent-Transfer-Encoding: base64\r\n\r\nYWJj)")},
        {STR_INIT("BINARY.PEEK[6.1]"), STR_INIT("(BINARY[6.1] {3}\r\nabc)")},
        {STR_INIT("BINARY.PEEK[7]"), STR_INIT("(BINARY[7] NIL)")},
        {STR_INIT("BINARY.SIZE[7]"), STR_INIT("(BINARY.SIZE[7] 0)")},
        /* what is no part has no encoding: Dovecot takes these, and clients ask */
        {STR_INIT("BINARY.PEEK[1]<6>"), STR_INIT("(BINARY[1]<6> {5}\r\nworld)")},
        {STR_INIT("BINARY.PEEK[HEADER.FIELDS (Subject)]"),
         STR_INIT("(BINARY[HEADER.FIELDS (Subject)] {18}\r\nSubject: parts\r\n\r\n)")},
        {STR_INIT("BINARY.SIZE[HEADER.FIELDS (Subject)]"),
         STR_INIT("(BINARY.SIZE[HEADER.FIELDS (Subject)] 18)")},
        {STR_INIT("(BINARY.SIZE[6.HEADER] BINARY.PEEK[6.TEXT])"),
         STR_INIT("(BINARY.SIZE[6.HEADER] 37 BINARY[6.TEXT] {4}\r\nYWJj)")},
        {STR_INIT("BINARY.PEEK[]<0.14>"), STR_INIT("(BINARY[]<0> {14}\r\nSubject: parts)")},
    };
    struct imap_fixture f;
    open_with(&f, MESSAGE);
    for (size_t i = 0; i < COUNT(CASES); i++) {
        CLEAN_BUF struct buf send, answer;
        buf_init(&send, BUF_MAX_DEFAULT);
        buf_init(&answer, BUF_MAX_DEFAULT);
        buf_addf(&send, "a FETCH 1 %.*s\r\n", STR_ARGS(CASES[i].ask));
        buf_add_c(&answer, "* 1 FETCH ");
        buf_add(&answer, CASES[i].answer);
        buf_add_c(&answer, "\r\na OK Fetched\r\n");
        exchange(&f, buf_str(&send), buf_str(&answer));
    }
    exchange(&f, STR("b FETCH 1 BINARY.SIZE[]\r\n"), STR("* 1 FETCH (BINARY.SIZE[] "));
    char size[64];
    snprintf(size, sizeof size, "%zu)\r\nb OK Fetched\r\n", MESSAGE.n);
    exchange(&f, STR(""), str_from_c(size));
    imap_close_fixture(&f);
}

static void seen_is_set_unless_peeked(void **state)
{
    (void)state;
    struct imap_fixture f;
    open_with(&f, MESSAGE);
    exchange(&f, STR("a FETCH 1 (BINARY.PEEK[3] BINARY.SIZE[3])\r\n"),
             STR("* 1 FETCH (BINARY[3] {5}\r\nplain BINARY.SIZE[3] 5)\r\na OK Fetched\r\n"));
    exchange(&f, STR("a FETCH 1 BINARY[3]\r\n"),
             STR("* 1 FETCH (FLAGS (\\Seen \\Recent) BINARY[3] {5}\r\nplain)\r\na OK Fetched\r\n"));
    imap_close_fixture(&f);
}

static void unknown_encodings_fail(void **state)
{
    (void)state;
    struct imap_fixture f;
    open_with(&f, MESSAGE);
    const struct str no = STR("a NO [UNKNOWN-CTE] A part has a transfer encoding that is not known here\r\n");
    exchange(&f, STR("a FETCH 1 BINARY.PEEK[5]\r\n"), no);
    exchange(&f, STR("a FETCH 1 BINARY.SIZE[5]\r\n"), no);
    exchange(&f, STR("a FETCH 1 (UID BINARY.PEEK[5] BINARY.SIZE[3])\r\n"),
             STR("* 1 FETCH (UID 1 BINARY.SIZE[3] 5)\r\n"));
    exchange(&f, STR("a FETCH 1 BODY.PEEK[5]\r\n"), no);
    exchange(&f, STR(""), STR("* 1 FETCH (BODY[5] {11}\r\nbegin 644 x)\r\na OK Fetched\r\n"));
    imap_close_fixture(&f);
}

static void what_is_no_section_is_bad(void **state)
{
    (void)state;
    static const char *const CASES[] = {
        "BINARY",       "BINARY[HEAD]", "BINARY[MIME]",        "BINARY[1.]",         "BINARY[0]",
        "BINARY[1",     "BINARY.SIZE",  "BINARY.SIZE[1]<0.1>", "BINARY.PEEK[1]<0.>", "BINARY.PEEK[1]<0.0>",
        "BINARY.FOO[1]"};
    struct imap_fixture f;
    open_with(&f, MESSAGE);
    for (size_t i = 0; i < COUNT(CASES); i++) {
        char line[100];
        snprintf(line, sizeof line, "C: a FETCH 1 %s", CASES[i]);
        imap_run_line(&f, CASES[i], line);
        imap_run_line(&f, CASES[i], "S: a BAD ...");
    }
    imap_close_fixture(&f);
}

/* RFC 3516 section 4.4; the same bytes come back, and as a literal8. */
static void any_bytes_can_be_appended(void **state)
{
    (void)state;
    struct imap_fixture f;
    open_with(&f, MESSAGE);
    exchange(&f, STR("a APPEND INBOX ~{13}\r\n"), STR("+ OK\r\n"));
    exchange(&f, STR("X: y\r\n\r\na\0b\r\0\r\n"), STR("* 2 EXISTS\r\n* 2 RECENT\r\na OK [APPENDUID "));
    while (!str_ends(imap_read_answer(&f.clients[0]), STR(" 2] Appended")))
        ;
    exchange(&f, STR("b FETCH 2 BINARY.PEEK[1]\r\n"),
             STR("* 2 FETCH (BINARY[1] ~{5}\r\na\0b\r\0)\r\nb OK Fetched\r\n"));
    exchange(&f, STR("b APPEND INBOX {3+}\r\na\0b\r\n"),
             STR("b NO [CANNOT] NUL bytes may come in a literal8 ~{n} only\r\n"));
    exchange(&f, STR("c APPEND INBOX ~{3+}\r\na\0b ~{2+}\r\n\0\0\r\n"),
             STR("* 4 EXISTS\r\n* 4 RECENT\r\nc OK [APPENDUID "));
    while (!str_ends(imap_read_answer(&f.clients[0]), STR(" 3:4] Appended")))
        ;
    exchange(&f, STR("d LOGOUT ~{3+}\r\nabc\r\n"), STR("d BAD "));
    imap_close_fixture(&f);
}

/* A part of megabytes: what was counted is what comes, whole and in partials. */
static void large_parts_come_whole(void **state)
{
    (void)state;
    enum { BYTES = 1500000, FROM = 700001, LENGTH = 400000 };
    CLEAN_FREE char *bytes = mem_new(BYTES, 1);
    for (size_t i = 0; i < BYTES; i++)
        bytes[i] = (char)(i * i >> 7);
    CLEAN_BUF struct buf message, answer;
    buf_init(&message, BUF_MAX_DEFAULT);
    buf_init(&answer, BUF_MAX_DEFAULT);
    buf_add_c(&message, "Content-Transfer-Encoding: base64\r\n\r\n");
    for (size_t at = 0; at < BYTES; at += 57) {
        buf_add_base64(&message, str_slice(str_from(bytes, BYTES), at, 57));
        buf_add_c(&message, "\r\n");
    }
    struct imap_fixture f;
    open_with(&f, buf_str(&message));
    exchange(&f, STR("a FETCH 1 BINARY.SIZE[1]\r\n"),
             STR("* 1 FETCH (BINARY.SIZE[1] 1500000)\r\na OK Fetched\r\n"));
    buf_addf(&answer, "* 1 FETCH (BINARY[1] ~{%d}\r\n", BYTES);
    buf_add(&answer, str_from(bytes, BYTES));
    buf_addf(&answer, ")\r\na OK Fetched\r\n* 1 FETCH (BINARY[1]<%d> ~{%d}\r\n", FROM, LENGTH);
    buf_add(&answer, str_from(bytes + FROM, LENGTH));
    buf_add_c(&answer, ")\r\nb OK Fetched\r\n");
    exchange(&f, STR("a FETCH 1 BINARY.PEEK[1]\r\nb FETCH 1 BINARY.PEEK[1]<700001.400000>\r\n"),
             buf_str(&answer));
    imap_close_fixture(&f);
}

/* Decoding in pieces gives what decoding at once gives, wherever the pieces end. */
static void pieces_decode_as_the_whole(void **state)
{
    (void)state;
    static const struct {
        enum mime_encoding encoding;
        struct str text;
    } CASES[] = {
        {MIME_BASE64, STR_INIT("aGVs\r\nbG8g d29y!bGQ=\r\nAAAA")},
        {MIME_BASE64, STR_INIT("aGVsbG8gd29ybGQ")},
        {MIME_BASE64, STR_INIT("aGVsbG8gd29ybG")},
        {MIME_BASE64, STR_INIT("a")},
        {MIME_QUOTED_PRINTABLE, STR_INIT("a=3D=\r\nb  \r\n=C4=8D=\nc=zz=4")},
        {MIME_QUOTED_PRINTABLE, STR_INIT("= \t\r\n  \r\n\r\n=0D=0A.\r\nend  ")},
        {MIME_QUOTED_PRINTABLE, STR_INIT("=")},
        {MIME_8BIT, STR_INIT("a\0b =3D\r\n")},
    };
    for (size_t i = 0; i < COUNT(CASES); i++)
        for (size_t piece = 1; piece <= CASES[i].text.n; piece++) {
            CLEAN_BUF struct buf whole, pieces;
            buf_init(&whole, BUF_MAX_DEFAULT);
            buf_init(&pieces, BUF_MAX_DEFAULT);
            decode_transfer(CASES[i].text, CASES[i].encoding, &whole);
            struct decode_stream d;
            decode_stream_init(&d, CASES[i].encoding);
            for (size_t at = 0; at < CASES[i].text.n; at += piece)
                decode_stream_add(&d, str_slice(CASES[i].text, at, piece), &pieces);
            decode_stream_end(&d, &pieces);
            decode_stream_free(&d);
            if (!str_eq(buf_str(&whole), buf_str(&pieces)))
                fail_msg("case %zu in pieces of %zu: %.*s", i, piece, STR_ARGS(buf_str(&pieces)));
        }
}

/* A line that never ends is decoded all the same, in bounded memory. */
static void long_lines_decode_in_pieces(void **state)
{
    (void)state;
    static const struct str UNIT = STR_INIT("=41 b= c=3");
    CLEAN_BUF struct buf text, whole, pieces;
    buf_init(&text, BUF_MAX_DEFAULT);
    buf_init(&whole, BUF_MAX_DEFAULT);
    buf_init(&pieces, BUF_MAX_DEFAULT);
    while (text.n < 5 * DECODE_CARRY_MAX)
        buf_add(&text, UNIT);
    decode_quoted_printable(buf_str(&text), &whole);
    struct decode_stream d;
    decode_stream_init(&d, MIME_QUOTED_PRINTABLE);
    for (size_t at = 0; at < text.n; at += 997) {
        decode_stream_add(&d, str_slice(buf_str(&text), at, 997), &pieces);
        assert_true(d.carry.n <= DECODE_CARRY_MAX);
    }
    decode_stream_end(&d, &pieces);
    decode_stream_free(&d);
    assert_true(str_eq(buf_str(&whole), buf_str(&pieces)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_come_decoded),         cmocka_unit_test(seen_is_set_unless_peeked),
        cmocka_unit_test(unknown_encodings_fail),     cmocka_unit_test(what_is_no_section_is_bad),
        cmocka_unit_test(any_bytes_can_be_appended),  cmocka_unit_test(large_parts_come_whole),
        cmocka_unit_test(pieces_decode_as_the_whole), cmocka_unit_test(long_lines_decode_in_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
