/* Many messages in one APPEND (RFC 3502), messages made of pieces (RFC 4469, with the partial URLs of RFC
 * 5550), UTF8 data (RFC 6855 section 4) and REPLACE (RFC 8508). */
#include "base/mem.h"

#include "check.h"
#include "imap_fixture.h"

#include <stdio.h>
#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof *(table))

#define SELECT_DRAFTS(n)                                                                               \
    "C: s EXAMINE Drafts", "S> * FLAGS ...", "S: * OK [PERMANENTFLAGS ...", "S: * " #n " EXISTS",      \
        "S: * ~ RECENT", "S: * OK [UNSEEN ~] ...", "S: * OK [UIDVALIDITY ...", "S: * OK [UIDNEXT ...", \
        "S> s OK ..."
#define SELECT_NO_DRAFTS                                                                     \
    "C: s EXAMINE Drafts", "S> * FLAGS ...", "S: * OK [PERMANENTFLAGS ...", "S: * 0 EXISTS", \
        "S: * 0 RECENT", "S: * OK [UIDVALIDITY ...", "S: * OK [UIDNEXT ...", "S> s OK ..."
#define SELECT_INBOX                                                                                        \
    "C: s SELECT INBOX", "S> * FLAGS ...", "S: * OK [PERMANENTFLAGS ...", "S: * ~ EXISTS", "S: * ~ RECENT", \
        "S: * OK [UNSEEN ~] ...", "S: * OK [UIDVALIDITY ...", "S: * OK [UIDNEXT ...", "S> s OK ..."

/* A client's line and the answers to it stand together. */
// clang-format off
static const struct imap_script SCRIPTS[] = {
    {"3502 several messages, with what belongs to each", 0, {
     "C: A003 APPEND Drafts (\\Seen) {10}", "S: + OK",
     "C: Subject: a (\\Flagged) \"17-Jul-1996 02:44:25 -0700\" {12+}",
     "C: Subject: b",
     "C:  {3+}",
     "C: c",
     "C: ", "S: A003 OK [APPENDUID ~ 1:3] ...",
     "C: b APPEND Drafts {1+}",
     "C: d {1+}",
     "C: e", "S: b OK [APPENDUID ~ 4:5] ...",
     SELECT_DRAFTS(5),
     "C: c FETCH 2 (FLAGS INTERNALDATE RFC822.SIZE)",
         "S: * 2 FETCH (FLAGS (\\Flagged \\Recent) INTERNALDATE \"17-Jul-1996 02:44:25 -0700\" RFC822.SIZE 12)", "S: c OK ...",
     "C: c FETCH 3 BODY.PEEK[]", "S: * 3 FETCH (BODY[] {3}", "S: c", "S: )", "S: c OK ...", NULL}},
    {"3502 all or none", 0, {
     "C: a APPEND Drafts {5}", "S: + OK",
     "C: first {999999}", "S: a NO [TOOBIG] ...",
     "C: a APPEND Drafts {5}", "S: + OK",
     "C: first {0}", "S: a NO [CANNOT] ...", /* how a client gives up */
     "C: a APPEND Drafts {5+}",
     "C: first (\\Recent) {5+}",
     "C: again", "S: a BAD ...",
     "C: a APPEND Drafts {5+}",
     "C: first x", "S: a BAD ...",
     "C: a APPEND nowhere {5+}",
     "C: first {5+}",
     "C: again", "S: a NO [TRYCREATE] ...",
     "C: b NOOP", "S: b OK ...",
     SELECT_NO_DRAFTS, NULL}},

    /* the messages in INBOX: 1 is one text, 2 has a text and a message */
    {"4469 section 5: a new text before parts of another message", 2, {
     "C: A003 APPEND Drafts (\\Seen \\Draft $MDNSent) CATENATE (TEXT {14}", "S: + OK",
     "C: Subject: new",
     "C:  URL \"/INBOX/;UID=2/;SECTION=1\" URL \"/INBOX/;UID=1/;section=text\" TEXT {3+}",
     "C: end)", "S: A003 OK [APPENDUID ~ 1] ...",
     "C: s EXAMINE Drafts", "S: * FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $MDNSent)", "S: * OK [PERMANENTFLAGS ...",
         "S: * 1 EXISTS", "S: * 1 RECENT", "S: * OK [UIDVALIDITY ...", "S: * OK [UIDNEXT 2] ...", "S> s OK ...",
     "C: b FETCH 1 BODY.PEEK[]", "S: * 1 FETCH (BODY[] {80}", "S: Subject: new",
         "S: the textHello Joe, do you think we can meet at 3:30 tomorrow?", "S: end)", "S: b OK ...", NULL}},
    {"4469 every kind of section; nothing becomes \\Seen", 2, {
     SELECT_INBOX,
     "C: a APPEND Drafts CATENATE (URL \";UID=2/;SECTION=2.HEADER.FIELDS%20(X-Field%20Subject)\""
         " URL /inbox/;UID=2/;SECTION=2.1.MIME URL /INBOX/;UID=2/;SECTION=2.1)", "S: a OK [APPENDUID ~ 1] ...",
     "C: b FETCH 2 FLAGS", "S: * 2 FETCH (FLAGS (\\Recent))", "S: b OK ...",
     SELECT_DRAFTS(1),
     "C: c FETCH 1 BODY.PEEK[]", "S: * 1 FETCH (BODY[] {65}", "S: Subject: inner", "S: X-Field: one", "S: ",
         "S: Content-Type: text/plain", "S: ", "S: plain)", "S: c OK ...", NULL}},
    {"5550 partial URLs", 1, {
     SELECT_INBOX,
     "C: a APPEND Drafts CATENATE (URL /INBOX/;UID=1/;PARTIAL=0.5 URL \"/INBOX/;UID=1/;SECTION=TEXT/;PARTIAL=10.3\""
         " URL ;UID=1/;SECTION=TEXT/;PARTIAL=53 URL \";UID=1/;SECTION=HEADER.FIELDS%20(Subject)/;PARTIAL=9.9\")", "S: a OK ...",
     SELECT_DRAFTS(1),
     "C: c FETCH 1 BODY.PEEK[]", "S: * 1 FETCH (BODY[] {19}", "S: From: do", "S: afternoon)", "S: c OK ...", NULL}},
    {"4469 URLs in literals; this server's own", 1, {
     "C: a APPEND Drafts CATENATE (URL {26}", "S: + OK",
     "C: /INBOX/;UID=1/;PARTIAL=0.4 URL {46+}",
     "C: imap://ana%40example.test;AUTH=*@mail.example/ TEXT {1+}",
     "C: y)", "S: a NO [BADURL \"imap://ana%40example.test;AUTH=*@mail.example/\"] ...",
     "C: a APPEND Drafts CATENATE (URL {26}", "S: + OK",
     "C: /INBOX/;UID=1/;PARTIAL=0.4 TEXT {1+}",
     "C: x URL \"imap://ana%40example.test;AUTH=*@mail.example:143/INBOX/;UID=1/;PARTIAL=0.4\")", "S: a OK ...",
     SELECT_DRAFTS(1),
     "C: c FETCH 1 BODY.PEEK[]", "S: * 1 FETCH (BODY[] {9}", "S: FromxFrom)", "S: c OK ...", NULL}},
    {"4469 BADURL", 2, {
     "C: a APPEND Drafts CATENATE (URL \"/INBOX;UIDVALIDITY=785799047/;UID=1;section=1.5.9\")",
         "S: a NO [BADURL \"/INBOX;UIDVALIDITY=785799047/;UID=1;section=1.5.9\"] ...",
     "C: a APPEND Drafts CATENATE (URL /INBOX;UIDVALIDITY=785799047/;UID=1/;SECTION=1)", "S: a NO [BADURL ...",
     "C: a APPEND Drafts CATENATE (URL /INBOX/;UID=2/;SECTION=1.5.9)", "S: a NO [BADURL ...",
     "C: a APPEND Drafts CATENATE (URL /INBOX/;UID=3)", "S: a NO [BADURL ...",
     "C: a APPEND Drafts CATENATE (URL /nowhere/;UID=1)", "S: a NO [BADURL ...",
     "C: a APPEND Drafts CATENATE (URL ;UID=1)", "S: a NO [BADURL \";UID=1\"] ...", /* nothing is selected */
     "C: a APPEND Drafts CATENATE (URL //other.example/INBOX/;UID=1)", "S: a NO [BADURL ...",
     "C: a APPEND Drafts CATENATE (URL //bob@mail.example/INBOX/;UID=1)", "S: a NO [BADURL ...",
     "C: a APPEND Drafts CATENATE (URL http://mail.example/INBOX/;UID=1)", "S: a NO [BADURL ...",
     "C: a APPEND Drafts CATENATE (URL \"\\\"x\\\\]\")", "S: a NO [BADURL \"?x??\"] ...",
     "C: a APPEND Drafts CATENATE (TEXT {3+}",
     "C: abc URL /INBOX/;UID=9 TEXT {3+}",
     "C: abc)", "S: a NO [BADURL ...",
     "C: a APPEND nowhere CATENATE (URL /INBOX/;UID=1)", "S: a NO [TRYCREATE] ...",
     SELECT_NO_DRAFTS, NULL}},
    {"4469 what is no CATENATE; too large", 1, {
     "C: a APPEND Drafts CATENATE ()", "S: a BAD ...",
     "C: a APPEND Drafts CATENATE", "S: a BAD ...",
     "C: a APPEND Drafts CATENATE (URL)", "S: a BAD ...",
     "C: a APPEND Drafts CATENATE (FILE x)", "S: a BAD ...",
     "C: a APPEND Drafts CATENATE (TEXT x)", "S: a BAD ...",
     "C: a APPEND Drafts CATENATE (URL /INBOX/;UID=1", "S: a BAD ...",
     "C: a APPEND Drafts CATENATE (URL /INBOX/;UID=1) x", "S: a BAD ...",
     "C: a APPEND Drafts CATENATE (TEXT {0+}",
     "C: )", "S: a NO [CANNOT] ...",
     "C: a APPEND Drafts CATENATE (TEXT {99999999}", "S: a NO [TOOBIG] ...",
     "C: b NOOP", "S: b OK ...", NULL}},
    {"4469 with 3502: several messages of pieces", 1, {
     "C: a APPEND Drafts CATENATE (TEXT {1+}",
     "C: x URL /INBOX/;UID=1/;PARTIAL=0.4) (\\Flagged) {1+}",
     "C: y CATENATE (URL /INBOX/;UID=1/;PARTIAL=0.1)", "S: a OK [APPENDUID ~ 1:3] ...",
     SELECT_DRAFTS(3),
     "C: c FETCH 1:3 (FLAGS RFC822.SIZE)", "S: * 1 FETCH (FLAGS (\\Recent) RFC822.SIZE 5)",
         "S: * 2 FETCH (FLAGS (\\Flagged \\Recent) RFC822.SIZE 1)", "S: * 3 FETCH (FLAGS (\\Recent) RFC822.SIZE 1)", "S: c OK ...", NULL}},
    {"6855 section 4: UTF8 data", 1, {
     "C: a APPEND Drafts (\\Draft) UTF8 (~{14}", "S: + OK",
     "C: Subject: \xc4\x8d\xc4\x8d\xc4\x8d)", "S: a BAD ...", /* the literal ends within the last letter */
     "C: a APPEND Drafts (\\Draft) UTF8 (~{15+}",
     "C: Subject: \xc4\x8d\xc4\x8d\xc4\x8d)", "S: a OK [APPENDUID ~ 1] ...",
     "C: a APPEND Drafts CATENATE (UTF8 (~{2+}",
     "C: \xc4\x8d) URL /INBOX/;UID=1/;PARTIAL=0.4)", "S: a OK [APPENDUID ~ 2] ...",
     "C: a APPEND Drafts UTF8 {2+}",
     "C: xx", "S: a BAD ...", NULL}},

    {"8508 section 3.3: REPLACE", 4, {
     SELECT_INBOX,
     "C: A003 REPLACE 4 Drafts (\\Seen \\Draft $MDNSent) {11}", "S: + OK",
     "C: Subject: xyz", "S: A003 BAD ...", /* longer than announced: nothing is replaced */
     "C: A003 REPLACE 4 Drafts (\\Seen \\Draft $MDNSent) {12}", "S: + OK",
     "C: Subject: x",
     "C: ", "S: * OK [APPENDUID ~ 1] ...", "S: * 4 EXPUNGE", "S: A003 OK ...",
     "C: b UID REPLACE 2 INBOX {10+}",
     "C: Subject: y", "S: * OK [APPENDUID ~ 5] ...", "S: * 2 EXPUNGE", "S: * 3 EXISTS", "S: * 3 RECENT", "S: b OK ...",
     "C: c REPLACE * INBOX CATENATE (URL ;UID=5 TEXT {1+}",
     "C: .)", "S: * OK [APPENDUID ~ 6] ...", "S: * 3 EXPUNGE", "S: * 3 EXISTS", "S: * 3 RECENT", "S: c OK ...",
     "C: d FETCH 3 (UID BODY.PEEK[])", "S: * 3 FETCH (UID 6 BODY[] {11}", "S: Subject: y.)", "S: d OK ...", NULL}},
    {"8508 what cannot be replaced", 2, {
     "C: a REPLACE 1 Drafts {3+}",
     "C: abc", "S: a BAD No mailbox ...",
     SELECT_INBOX,
     "C: a REPLACE 3 Drafts {3}", "S: a BAD ...",
     "C: a REPLACE 1:2 Drafts {3}", "S: a BAD ...",
     "C: a UID REPLACE 9 Drafts {3}", "S: a NO [NONEXISTENT] ...",
     "C: a UID REPLACE 9 Drafts {3+}",
     "C: abc", "S: a NO [NONEXISTENT] ...",
     "C: a REPLACE 1 nowhere {3}", "S: a NO [TRYCREATE] ...",
     "C: a REPLACE 1 Drafts {3+}",
     "C: abc {3+}",
     "C: def", "S: a BAD ...", /* one message, not several */
     "C: a REPLACE 1 Drafts x", "S: a BAD ...",
     "C: a REPLACE 1 Drafts CATENATE (URL ;UID=9)", "S: a NO [BADURL ...",
     "C2: s SELECT INBOX", "S2: * FLAGS ...", "S2: * OK ...", "S2: * 2 EXISTS", "S2: * 0 RECENT", "S2: * OK [UNSEEN ...",
         "S2: * OK [UIDVALIDITY ...", "S2: * OK [UIDNEXT ...", "S2> s OK ...",
     "C2: a UID REPLACE 1 Trash {3+}",
     "C2: abc", "S2: * OK [APPENDUID ~ 1] ...", "S2: * 1 EXPUNGE", "S2: a OK ...",
     "C: b REPLACE 1 Drafts {3}", "S: * 1 EXPUNGE", "S: b NO [NONEXISTENT] ...", /* gone, but not told yet */
     "C: c EXAMINE INBOX", "S> * FLAGS ...", "S: * OK ...", "S: * 1 EXISTS", "S: * 0 RECENT", "S: * OK [UNSEEN ...",
         "S: * OK [UIDVALIDITY ...", "S: * OK [UIDNEXT ...", "S> c OK ...",
     "C: d REPLACE 1 Drafts {3}", "S: d NO [READ-ONLY] ...", NULL}},
};
// clang-format on

static void scripts_by_rfc(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(SCRIPTS); i++)
        imap_run_script(&SCRIPTS[i]);
}

/* Of a URL's mailbox with its real UIDVALIDITY. */
static void uidvalidity_is_compared(void **state)
{
    (void)state;
    struct imap_fixture f;
    imap_open_fixture(&f);
    imap_deliver(&f, STR("Subject: x\r\n\r\ny"));
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct err e = ERR_INIT;
    struct mailbox inbox;
    assert_int_equal(store_mailbox_find(f.store, STR("INBOX"), &a, &inbox, &e), STORE_OK);
    char line[200];
    snprintf(line, sizeof line, "C: a APPEND Drafts CATENATE (URL /INBOX;UIDVALIDITY=%u/;UID=1)",
             inbox.uidvalidity);
    imap_run_line(&f, "uidvalidity", line);
    imap_run_line(&f, "uidvalidity", "S: a OK ...");
    snprintf(line, sizeof line, "C: a APPEND Drafts CATENATE (URL /INBOX;UIDVALIDITY=%u/;UID=1)",
             inbox.uidvalidity + 1);
    imap_run_line(&f, "uidvalidity", line);
    imap_run_line(&f, "uidvalidity", "S: a NO [BADURL ...");
    imap_close_fixture(&f);
}

/* What is put together may not pass the bound that a message has, whatever it is made of. */
static void catenate_is_bounded(void **state)
{
    (void)state;
    struct imap_fixture f;
    imap_open_fixture(&f);
    CLEAN_FREE char *text = mem_new(IMAP_MESSAGE_SIZE, 1);
    memset(text, 'x', IMAP_MESSAGE_SIZE);
    imap_deliver(&f, str_from(text, IMAP_MESSAGE_SIZE - 10));
    imap_run_line(&f, "bound", "C: a APPEND Drafts CATENATE (URL /INBOX/;UID=1 TEXT {10+}");
    imap_run_line(&f, "bound", "C: 1234567890)");
    imap_run_line(&f, "bound", "S: a OK ...");
    imap_run_line(&f, "bound", "C: a APPEND Drafts CATENATE (URL /INBOX/;UID=1 TEXT {11}");
    imap_run_line(&f, "bound", "S: a NO [TOOBIG] ...");
    imap_run_line(&f, "bound", "C: a APPEND Drafts CATENATE (TEXT {11+}");
    imap_run_line(&f, "bound", "C: 12345678901 URL /INBOX/;UID=1)");
    imap_run_line(&f, "bound", "S: a NO [TOOBIG] ...");
    imap_close_fixture(&f);
}

/* So many that the bound on messages is passed; nothing of them is stored. */
static void appends_are_bounded(void **state)
{
    (void)state;
    struct imap_fixture f;
    imap_open_fixture(&f);
    imap_run_line(&f, "many", "C: a NOOP");
    imap_run_line(&f, "many", "S: a OK ...");
    struct stream *s = &f.clients[0].stream;
    stream_write(s, STR("b APPEND Drafts"));
    for (size_t i = 0; i < 1001; i++)
        stream_write(s, STR(" {1+}\r\nx"));
    stream_write(s, STR("\r\n"));
    stream_flush(s, deadline_in(IMAP_WAIT_MS));
    imap_run_line(&f, "many", "S: b NO [LIMIT] ...");
    imap_run_line(&f, "many", "C: c STATUS Drafts (MESSAGES)");
    imap_run_line(&f, "many", "S: * STATUS Drafts (MESSAGES 0)");
    imap_run_line(&f, "many", "S: c OK ...");
    imap_close_fixture(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scripts_by_rfc),
        cmocka_unit_test(uidvalidity_is_compared),
        cmocka_unit_test(catenate_is_bounded),
        cmocka_unit_test(appends_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
