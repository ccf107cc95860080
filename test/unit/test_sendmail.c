/* sendmail: its command line, what it makes of a message, and the files of the maildrop. */
#include "check.h"
#include "folder.h"
#include "sendmail/drop.h"
#include "sendmail/message.h"
#include "sendmail/options.h"

#include <stdio.h>
#include <string.h>

static bool read_options(const char *const *words, struct sendmail_options *o)
{
    char *argv[20];
    int argc = 0;
    struct err e = ERR_INIT;
    for (; words[argc]; argc++)
        argv[argc] = (char *)(uintptr_t)words[argc];
    return sendmail_options_read(argc, argv, o, &e);
}
#define OPTIONS(o, ...) read_options((const char *const[]){__VA_ARGS__, NULL}, o)

static void options_as_programs_give_them(void **state)
{
    (void)state;
    struct sendmail_options o;
    assert_true(OPTIONS(&o, "/usr/sbin/sendmail", "-t", "-i")); /* PHP */
    assert_true(o.has_recipients && o.dot_is_text && o.mode == SENDMAIL_SEND && o.first_recipient == 3);
    assert_true(OPTIONS(&o, "sendmail", "-FCronDaemon", "-i", "-B8BITMIME", "-oem", "root")); /* cron */
    assert_string_equal(o.name, "CronDaemon");
    assert_true(o.dot_is_text);
    assert_int_equal(o.first_recipient, 5);
    assert_true(OPTIONS(&o, "sendmail", "-oi", "-f", "ana@x.test", "--", "-odd@x.test")); /* mutt, mailx */
    assert_string_equal(o.sender, "ana@x.test");
    assert_int_equal(o.first_recipient, 5);
    assert_true(OPTIONS(&o, "sendmail", "-ti", "-r", "<>"));
    assert_string_equal(o.sender, "");
    assert_true(o.has_recipients && o.dot_is_text);
    assert_true(OPTIONS(&o, "sendmail", "-N", "success,delay", "-R", "hdrs", "-V", "id 1", "x"));
    assert_string_equal(o.notify, "success,delay");
    assert_string_equal(o.ret, "hdrs");
    assert_string_equal(o.envelope_id, "id 1");
    assert_true(OPTIONS(&o, "sendmail", "-G", "-n", "-U", "-m", "-x", "-h", "3", "-Am", "-oem", "-odb", "-O",
                        "IgnoreDots=true", "-L", "tag", "-X", "log", "x"));
    assert_true(o.dot_is_text);
    assert_true(OPTIONS(&o, "sendmail", "-bp") && o.mode == SENDMAIL_LIST);
    assert_true(OPTIONS(&o, "sendmail", "-bs") && o.mode == SENDMAIL_SESSION);
    assert_true(OPTIONS(&o, "sendmail", "-bi") && o.mode == SENDMAIL_NEWALIASES);
    assert_true(OPTIONS(&o, "sendmail", "-q30m") && o.mode == SENDMAIL_FLUSH);
    assert_true(OPTIONS(&o, "/usr/bin/mailq") && o.mode == SENDMAIL_LIST);
    assert_true(OPTIONS(&o, "newaliases") && o.mode == SENDMAIL_NEWALIASES);
    assert_true(OPTIONS(&o, "sendmail", "first", "-t") && !o.has_recipients); /* options end with the first */
    assert_int_equal(o.first_recipient, 1);
}

static void options_that_are_refused(void **state)
{
    (void)state;
    struct sendmail_options o;
    assert_false(OPTIONS(&o, "sendmail", "-bd"));
    assert_false(OPTIONS(&o, "sendmail", "-bl"));
    assert_false(OPTIONS(&o, "sendmail", "-bz"));
    assert_false(OPTIONS(&o, "sendmail", "-Z"));
    assert_false(OPTIONS(&o, "sendmail", "-f"));
    assert_false(OPTIONS(&o, "sendmail", "-f", "a@x.test\nBcc: b@x.test"));
    assert_false(OPTIONS(&o, "sendmail", "-F", "A\r\nX: y"));
    assert_false(OPTIONS(&o, "sendmail", "x@x.test\nRCPT TO:<y@x.test>"));
    assert_false(OPTIONS(&o, "sendmail", "-N", "never,delay"));
    assert_false(OPTIONS(&o, "sendmail", "-N", "sometimes"));
    assert_false(OPTIONS(&o, "sendmail", "-R", "half"));
    assert_int_equal(sendmail_mode_of("/usr/sbin/golub"), -1);
}

static void assert_text(struct str got, const char *expected)
{
    if (!str_eq(got, str_from_c(expected)))
        fail_msg("\"%.*s\" instead of \"%s\"", STR_ARGS(got), expected);
}

static void lines_end_in_crlf(void **state)
{
    (void)state;
    CLEAN_ARENA struct arena a = ARENA_INIT;
    assert_text(sendmail_lines(STR("a\nb\r\nc"), false, &a), "a\r\nb\r\nc\r\n");
    assert_text(sendmail_lines(STR("a\rb\n\r\n"), false, &a), "a\r\nb\r\n\r\n");
    assert_text(sendmail_lines(STR("a\0b\n\0"), false, &a), "ab\r\n\r\n");
    assert_text(sendmail_lines(STR("a\n.\nb\n"), false, &a), "a\r\n");
    assert_text(sendmail_lines(STR("a\n.\nb\n"), true, &a), "a\r\n.\r\nb\r\n");
    assert_text(sendmail_lines(STR("..\n"), false, &a), "..\r\n");
    assert_text(sendmail_lines(STR(""), false, &a), "");
}

static void makes(const char *lines, const char *expected)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct sendmail_message m;
    sendmail_message_read(sendmail_lines(str_from_c(lines), true, &a), STR("From: <me@x.test>\r\n"), &a, &m);
    assert_text(m.text, expected);
}

static void a_header_is_completed(void **state)
{
    (void)state;
    makes("Subject: s\n\nbody\n", "From: <me@x.test>\r\nSubject: s\r\n\r\nbody\r\n");
    makes("From: you\nSubject: s\n\nbody\n", "From: you\r\nSubject: s\r\n\r\nbody\r\n");
    makes("no header\n", "From: <me@x.test>\r\n\r\nno header\r\n");
    makes("Subject: s\nno field\nTo: x\n", "From: <me@x.test>\r\nSubject: s\r\n\r\nno field\r\nTo: x\r\n");
    makes("Subject: a\n b\n\t c\n\nbody\n", "From: <me@x.test>\r\nSubject: a\r\n b\r\n\t c\r\n\r\nbody\r\n");
    makes("\nbody\n", "From: <me@x.test>\r\n\r\nbody\r\n");
    makes("", "From: <me@x.test>\r\n\r\n");
    makes("Subject: s\n", "From: <me@x.test>\r\nSubject: s\r\n\r\n");
    makes("From ana Thu Nov 26 2026\nSubject: s\n\nb\n", "From: <me@x.test>\r\nSubject: s\r\n\r\nb\r\n");
    makes("http://x.test/ is no field: it has\n",
          "From: <me@x.test>\r\nhttp://x.test/ is no field: it has\r\n\r\n");
}

static void recipients_of(const char *header, const char *expected)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    CLEAN_BUF struct buf all;
    struct sendmail_message m;
    buf_init(&all, 1000);
    sendmail_message_read(sendmail_lines(str_from_c(header), true, &a), STR(""), &a, &m);
    for (size_t i = 0; i < m.count; i++)
        buf_addf(&all, "%s%.*s@%.*s", i ? " " : "", STR_ARGS(m.recipients[i].local),
                 STR_ARGS(m.recipients[i].domain));
    assert_text(buf_str(&all), expected);
}

static void recipients_stand_in_the_header(void **state)
{
    (void)state;
    recipients_of("To: A <a@x.test>, b@x.test\nCc: root\nbcc: c@x.test\nFrom: d@x.test\n\nTo: e@x.test\n",
                  "a@x.test b@x.test root@ c@x.test");
    recipients_of("To: a@x.test\nResent-To: b@x.test\nResent-Bcc: c@x.test\n\n", "b@x.test c@x.test");
    recipients_of("To: team: a@x.test, b@x.test;, c@x.test\n\n", "a@x.test b@x.test c@x.test");
    recipients_of("To: a@x.test,\n b@x.test\n\n", "a@x.test b@x.test");
    recipients_of("To: undisclosed-recipients:;\n\n", "");
}

static void paths_are_safe(void **state)
{
    (void)state;
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct str path;
    assert_true(sendmail_path(STR("ana"), STR("x.test"), &a, &path));
    assert_text(path, "ana@x.test");
    assert_true(sendmail_path(STR("a b"), STR("x.test"), &a, &path));
    assert_text(path, "\"a b\"@x.test");
    assert_true(sendmail_path(STR(""), STR(""), &a, &path));
    assert_text(path, "");
    assert_false(sendmail_path(STR("a\nb"), STR("x.test"), &a, &path));
    assert_false(sendmail_path(STR("a"), STR("x.test>\r\nRCPT TO:<b@x.test"), &a, &path));
}

static void a_drop_comes_back(void **state)
{
    (void)state;
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct folder f;
    struct err e = ERR_INIT;
    struct str to[] = {STR("a@x.test"), STR("b@x.test")};
    struct sendmail_letter l = {.sender = STR("me@x.test"),
                                .recipients = to,
                                .count = 2,
                                .text = STR("Subject: s\r\n\r\nbody\r\n"),
                                .is_8bit = true,
                                .notify = "never",
                                .envelope_id = "id 1"},
                           back;
    char bytes[1000], command[300];
    folder_make(&f);
    assert_true(drop_write(str_from_c(f.path), &l, &e));
    snprintf(command, sizeof command, "cat %s/*" DROP_SUFFIX, f.path);
    FILE *cat = popen(command, "r");
    size_t n = fread(bytes, 1, sizeof bytes, cat);
    pclose(cat);
    assert_true(drop_read(str_from(bytes, n), &a, &back, &e));
    assert_text(back.sender, "me@x.test");
    assert_int_equal(back.count, 2);
    assert_text(back.recipients[1], "b@x.test");
    assert_text(back.text, "Subject: s\r\n\r\nbody\r\n");
    assert_true(back.is_8bit);
    assert_string_equal(back.notify, "never");
    assert_string_equal(back.envelope_id, "id 1");
    assert_null(back.ret);
    for (size_t cut = 0; cut < n;
         cut++) { /* of a file that is not whole, nothing but a shorter message is read */
        bool is_whole = drop_read(str_from(bytes, cut), &a, &back, &e);
        assert_false(is_whole && !str_ends(str_from(bytes, cut), STR("\n")));
    }
    folder_remove(&f);
}

static void drops_that_are_refused(void **state)
{
    (void)state;
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct sendmail_letter l;
    struct err e = ERR_INIT;
    static const char *const BAD[] = {
        "",
        "\n",
        "sender a@x.test\n\nbody\r\n",
        "recipient a@x.test\n\nbody\r\n",
        "sender a@x.test\nrecipient b@x.test>\n\nbody\r\n",
        "sender a@x.test\nsender b@x.test\nrecipient c@x.test\n\n",
        "sender a@x.test\nrecipient b@x.test\nnotify NEVER RET=FULL\n\n",
        "sender a\rb\nrecipient c@x.test\n\n",
        "sender a@x.test\nrecipient b@x.test\nodd line\n\n",
        "sender a@x.test\nrecipient b@x.test\n\nno end",
        "sender a@x.test\nrecipient b@x.test",
    };
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++)
        if (drop_read(str_from_c(BAD[i]), &a, &l, &e))
            fail_msg("number %zu was taken", i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_as_programs_give_them),
        cmocka_unit_test(options_that_are_refused),
        cmocka_unit_test(lines_end_in_crlf),
        cmocka_unit_test(a_header_is_completed),
        cmocka_unit_test(recipients_stand_in_the_header),
        cmocka_unit_test(paths_are_safe),
        cmocka_unit_test(a_drop_comes_back),
        cmocka_unit_test(drops_that_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
