/* PREVIEW (RFC 8970), SAVEDATE (RFC 8514), OBJECTID (RFC 8474), APPENDLIMIT (RFC 7889). */
#include "base/clock.h"
#include "base/sql.h"
#include "message/date.h"

#include "check.h"
#include "imap_fixture.h"

#include <stdio.h>
#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof *(table))

/* A client's line and the answers to it stand together. In INBOX are the messages of imap_messages.h. */
// clang-format off
static const struct imap_script SCRIPTS[] = {
    {"8970 section 3: PREVIEW", 2, {
     "C: s EXAMINE INBOX", "S> s OK ...",
     "C: a FETCH 1:* PREVIEW", "S: * 1 FETCH (PREVIEW \"Hello Joe, do you think we can meet at 3:30 tomorrow?\")",
         "S: * 2 FETCH (PREVIEW \"the text\")", "S: a OK ...",
     "C: b FETCH 1 (RFC822.SIZE PREVIEW (LAZY) UID)",
         "S: * 1 FETCH (UID 1 RFC822.SIZE 299 PREVIEW \"Hello Joe, do you think we can meet at 3:30 tomorrow?\")", "S: b OK ...",
     "C: c FETCH 1 (PREVIEW (FAST))", "S: c BAD ...",
     "C: c FETCH 1 (PREVIEW ())", "S: c BAD ...",
     "C: c FETCH 1 PREVIEW (LAZY", "S: c BAD ...",
     "C: c FETCH 1 PREVIEW (LAZY)", "S: * 1 FETCH (PREVIEW ...", "S: c OK ...",
     "C: d APPEND Drafts {40+}",
     "C: Content-Type: image/png",
     "C: ",
     "C: aaaaaaaaaaaaa", "S: d OK ...",
     "C: d APPEND Drafts {23+}",
     "C: Subject: 8bit",
     "C: ",
     "C: \xc5\xbdivio \xe2\x9c\x93", "S: d BAD ...", /* longer than announced */
     "C: d APPEND Drafts {27+}",
     "C: Subject: 8bit",
     "C: ",
     "C: \xc5\xbdivio \xe2\x9c\x93", "S: d OK ...",
     "C: s EXAMINE Drafts", "S> s OK ...",
     "C: e FETCH 1:2 PREVIEW", "S: * 1 FETCH (PREVIEW \"\")", /* section 3: there is no text */
         "S: * 2 FETCH (PREVIEW {10}", "S: \xc5\xbdivio \xe2\x9c\x93)", "S: e OK ...", NULL}},
    {"8474 MAILBOXID", 1, {
     "C: a CREATE foo", "S: a OK [MAILBOXID (F7)] ...",
     "C: a CREATE bar/baz", "S: a OK [MAILBOXID (F9)] ...", /* F8 is bar */
     "C: b STATUS foo (MAILBOXID)", "S: * STATUS foo (MAILBOXID (F7))", "S: b OK ...",
     "C: b RENAME foo foo2", "S: b OK ...",
     "C: b STATUS foo2 (MESSAGES MAILBOXID)", "S: * STATUS foo2 (MESSAGES 0 MAILBOXID (F7))", "S: b OK ...",
     "C: b LIST \"\" foo2 RETURN (STATUS (MAILBOXID APPENDLIMIT))", "S: * LIST (\\HasNoChildren) \"/\" foo2",
         "S: * STATUS foo2 (APPENDLIMIT 100000 MAILBOXID (F7))", "S: b OK ...",
     "C: c CREATE foo", "S: c OK [MAILBOXID (F10)] ...",
     "C: s SELECT foo2", "S> * OK [MAILBOXID (F7)] ...", "S: s OK ...",
     "C: s EXAMINE INBOX", "S> * OK [MAILBOXID (F1)] ...", "S: s OK ...", NULL}},
    {"8474 EMAILID and THREADID", 3, {
     "C: s SELECT INBOX", "S> s OK ...",
     "C: a FETCH 1:* (EMAILID)", "S: * 1 FETCH (EMAILID (M1))", "S: * 2 FETCH (EMAILID (M2))", "S: * 3 FETCH (EMAILID (M3))", "S: a OK ...",
     "C: b COPY 2 Trash", "S: b OK ...",
     "C: b UID MOVE 3 Trash", "S: * OK [COPYUID ...", "S: * 3 EXPUNGE", "S: b OK ...",
     "C: c FETCH 1 THREADID", "S: * 1 FETCH (THREADID (T~))", "S: c OK ...",
     "C: s SELECT Trash", "S> s OK ...",
     "C: d UID FETCH 1:* EMAILID", "S: * 1 FETCH (UID 1 EMAILID (M2))", "S: * 2 FETCH (UID 2 EMAILID (M3))", "S: d OK ...", NULL}},
    {"7889 APPENDLIMIT", 0, {
     "C: a STATUS INBOX (APPENDLIMIT)", "S: * STATUS INBOX (APPENDLIMIT 100000)", "S: a OK ...",
     "C: b APPEND INBOX {100001}", "S: b NO [TOOBIG] ...",
     "C: b APPEND INBOX {100000}", "S: + OK", NULL}},
};
// clang-format on

static void scripts_by_rfc(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(SCRIPTS); i++)
        imap_run_script(&SCRIPTS[i]);
}

/* Between the quotes of an answer's last item. */
static int64_t date_in(struct str line)
{
    int64_t at;
    int zone;
    size_t end = str_rfind_byte(line, '"');
    size_t start = str_rfind_byte(str_slice(line, 0, end), '"');
    assert_int_equal(date_parse_imap(str_slice(line, start + 1, end - start - 1), &at, &zone), DATE_OK);
    return at;
}

/* RFC 8514 section 4.3: when it was saved here, whatever the date it was received. */
static void save_dates_are_when_it_came_here(void **state)
{
    (void)state;
    struct imap_fixture f;
    int64_t before = clock_wall();
    imap_open_fixture(&f);
    imap_deliver(&f, STR("Subject: x\r\n\r\ny"));
    imap_run_line(&f, "savedate", "C: s SELECT INBOX");
    imap_run_line(&f, "savedate", "S> s OK ...");
    imap_run_line(&f, "savedate", "C: a FETCH 1 (INTERNALDATE)");
    imap_run_line(&f, "savedate", "S: * 1 FETCH (INTERNALDATE \"17-Jul-1996 02:44:25 -0700\")");
    imap_run_line(&f, "savedate", "S: a OK ...");
    imap_run_line(&f, "savedate", "C: b FETCH 1 SAVEDATE");
    struct str line = imap_read_answer(&f.clients[0]);
    assert_true(imap_matches(line, "* 1 FETCH (SAVEDATE ..."));
    assert_in_range(date_in(line), before, clock_wall());
    imap_run_line(&f, "savedate", "S: b OK ...");
    imap_close_fixture(&f);
}

/* What came before previews were kept has one when somebody asks, and from then on. */
static void old_messages_get_previews(void **state)
{
    (void)state;
    static const struct sql_statement FORGET = {"UPDATE body SET preview = NULL"};
    struct imap_fixture f;
    struct err e = ERR_INIT;
    imap_open_fixture(&f);
    for (int i = 0; i < 600; i++) /* more than a batch */
        imap_deliver(
            &f,
            STR("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n  some\r\n  text\r\n--b--\r\n"));
    struct sql *db = imap_open_sql(&f);
    assert_true(sql_exec(db, &FORGET, SQL_NONE, NULL, &e));
    sql_close(db);
    imap_run_line(&f, "old", "C: s SELECT INBOX");
    imap_run_line(&f, "old", "S> s OK ...");
    imap_run_line(&f, "old", "C: a FETCH 600 PREVIEW (LAZY)");
    imap_run_line(&f, "old", "S: * 600 FETCH (PREVIEW NIL)");
    imap_run_line(&f, "old", "S: a OK ...");
    static const char *const ASKS[] = {"C: b FETCH 1:* PREVIEW", "C: b FETCH 1:* PREVIEW (LAZY)"};
    for (size_t k = 0; k < COUNT(ASKS); k++) {
        imap_run_line(&f, "old", ASKS[k]);
        for (int i = 1; i <= 600; i++) {
            char expected[100];
            snprintf(expected, sizeof expected, "S: * %d FETCH (PREVIEW \"some text\")", i);
            imap_run_line(&f, "old", expected);
        }
        imap_run_line(&f, "old", "S: b OK ...");
    }
    imap_close_fixture(&f);
}

/* RFC 8474 section 5.2: a message and its answer are one thread, others are not. */
static void answers_share_their_thread(void **state)
{
    (void)state;
    struct imap_fixture f;
    char threads[3][32];
    imap_open_fixture(&f);
    imap_deliver(&f, STR("Message-Id: <one@x>\r\nSubject: a\r\n\r\n"));
    imap_deliver(&f, STR("Message-Id: <two@x>\r\nIn-Reply-To: <one@x>\r\nSubject: Re: a\r\n\r\n"));
    imap_deliver(&f, STR("Message-Id: <three@x>\r\nSubject: b\r\n\r\n"));
    imap_run_line(&f, "thread", "C: s SELECT INBOX");
    imap_run_line(&f, "thread", "S> s OK ...");
    imap_run_line(&f, "thread", "C: a FETCH 1:3 THREADID");
    for (int i = 0; i < 3; i++) {
        struct str line = imap_read_answer(&f.clients[0]);
        assert_true(imap_matches(line, "* ~ FETCH (THREADID (T~))"));
        snprintf(threads[i], sizeof threads[i], "%.*s",
                 STR_ARGS(str_from_offset(line, str_find_byte(line, 'T') + 9)));
    }
    imap_run_line(&f, "thread", "S: a OK ...");
    assert_string_equal(threads[0], threads[1]);
    assert_string_not_equal(threads[0], threads[2]);
    imap_close_fixture(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scripts_by_rfc),
        cmocka_unit_test(save_dates_are_when_it_came_here),
        cmocka_unit_test(old_messages_get_previews),
        cmocka_unit_test(answers_share_their_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
