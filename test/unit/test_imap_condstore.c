/* CONDSTORE and QRESYNC, by section of RFC 7162, and what IMAP4rev2 changes in a session (RFC 9051).
 *
 * A new account's modseq is 1, and every delivery takes the next one. */
#include "base/clock.h"
#include "imap/qresync.h"

#include "check.h"
#include "imap_fixture.h"
#include "imap_messages.h"

#include <stdio.h>

#define COUNT(table) (sizeof(table) / sizeof *(table))

// clang-format off
static const struct imap_script SCRIPTS[] = {
    {"7162 3.1.2.1 HIGHESTMODSEQ on SELECT", 2, {
     "C: s SELECT INBOX", "S> * OK [HIGHESTMODSEQ 3] ...", "S: * OK [MAILBOXID ...", "S: s OK ...",
     "C: s EXAMINE Trash", "S: * OK [CLOSED] ...", "S> * OK [HIGHESTMODSEQ 1] ...", "S: * OK [MAILBOXID ...", "S: s OK [READ-ONLY] ...", NULL}},
    {"7162 3.1 what enables CONDSTORE tells where one stands", 1, {
     "C: s SELECT INBOX", "S> s OK ...",
     "C: a ENABLE CONDSTORE", "S: * OK [HIGHESTMODSEQ 2] ...", "S: * ENABLED CONDSTORE", "S: a OK ...",
     "C: a ENABLE CONDSTORE", "S: * ENABLED CONDSTORE", "S: a OK ...",
     "C: b FETCH 1 FLAGS", "S: * 1 FETCH (FLAGS (\\Recent) MODSEQ (2))", "S: b OK ...",
     "C: b FETCH 1 UID", "S: * 1 FETCH (UID 1)", "S: b OK ...", NULL}},
    {"7162 3.1.5 FETCH MODSEQ enables", 2, {
     "C: s SELECT INBOX", "S> s OK ...",
     "C: a STORE 1 +FLAGS (\\Seen)", "S: * 1 FETCH (FLAGS (\\Seen \\Recent))", "S: a OK ...",
     "C: a UID FETCH 1:* (MODSEQ)", "S: * OK [HIGHESTMODSEQ 4] ...", "S: * 1 FETCH (UID 1 MODSEQ (4))",
         "S: * 2 FETCH (UID 2 MODSEQ (3))", "S: a OK ...",
     "C: a STORE 1 -FLAGS (\\Seen)", "S: * 1 FETCH (FLAGS (\\Recent) MODSEQ (5))", "S: a OK ...",
     "C: a STORE 1 +FLAGS.SILENT (\\Seen)", "S: * 1 FETCH (MODSEQ (6))", "S: a OK ...",
     "C: a FETCH 1 (BODY.PEEK[]<0.4> MODSEQ)", "S: * 1 FETCH (MODSEQ (6) BODY[]<0> {4}", "S: From)", "S: a OK ...",
     "C: a FETCH 1 (MODSEQ FOO)", "S: a BAD ...", NULL}},
    {"7162 3.1.3 a conditional STORE", 3, {
     "C: s SELECT INBOX (CONDSTORE)", "S> s OK ...",
     "C: a UID STORE 1:3 (UNCHANGEDSINCE 3) +FLAGS.SILENT (\\Deleted)",
         "S: * 1 FETCH (UID 1 MODSEQ (5))", "S: * 2 FETCH (UID 2 MODSEQ (5))",
         "S: * 3 FETCH (UID 3 FLAGS (\\Recent) MODSEQ (4))", "S: a OK [MODIFIED 3] ...",
     "C: a STORE 1,3 (UNCHANGEDSINCE 4) FLAGS (\\Seen)",
         "S: * 1 FETCH (FLAGS (\\Deleted \\Recent) MODSEQ (5))", "S: * 3 FETCH (FLAGS (\\Seen \\Recent) MODSEQ (6))",
         "S: a OK [MODIFIED 1] ...",
     "C: a STORE 2 (UNCHANGEDSINCE 6) FLAGS.SILENT ($x)", "S: * FLAGS ...", "S: * 2 FETCH (MODSEQ (7))", "S: a OK ...",
     "C: a STORE 2 (UNCHANGEDSINCE 0) FLAGS ($x)", "S: * 2 FETCH (FLAGS (\\Recent $x) MODSEQ (7))",
         "S: a OK [MODIFIED 2] ...",
     "C: a STORE 2 (UNCHANGEDSINCE 9223372036854775807) FLAGS ($x)",
         "S: * 2 FETCH (FLAGS (\\Recent $x) MODSEQ (7))", "S: a OK ...",
     "C: a STORE 2 (UNCHANGEDSINCE 9223372036854775808) FLAGS ($x)", "S: a BAD ...",
     "C: a STORE 2 (UNCHANGEDSINCE) FLAGS ($x)", "S: a BAD ...",
     "C: a STORE 2 (FOO 1) FLAGS ($x)", "S: a BAD ...", NULL}},
    {"7162 3.1.3 UNCHANGEDSINCE enables", 1, {
     "C: s SELECT INBOX", "S> s OK ...",
     "C: a STORE 1 (UNCHANGEDSINCE 2) +FLAGS.SILENT (\\Seen)", "S: * OK [HIGHESTMODSEQ 2] ...",
         "S: * 1 FETCH (MODSEQ (3))", "S: a OK ...", NULL}},
    {"7162 3.1.3 another session was faster", 2, {
     "C: s SELECT INBOX (CONDSTORE)", "S> s OK ...",
     "C2: s SELECT INBOX", "S2> s OK ...",
     "C2: a STORE 1 +FLAGS (\\Flagged)", "S2: * 1 FETCH (FLAGS (\\Flagged))", "S2: a OK ...",
     "C: a STORE 1:2 (UNCHANGEDSINCE 3) +FLAGS.SILENT (\\Seen)",
         "S: * 1 FETCH (FLAGS (\\Flagged \\Recent) MODSEQ (4))",
         "S: * 1 FETCH (FLAGS (\\Flagged \\Recent) MODSEQ (4))", "S: * 2 FETCH (MODSEQ (5))",
         "S: a OK [MODIFIED 1] ...",
     /* what has become what it was still has a new modseq */
     "C2: a STORE 1 FLAGS ()", "S2: * 2 FETCH (FLAGS (\\Seen))", "S2: * 1 FETCH (FLAGS ())", "S2: a OK ...",
     "C2: a STORE 1 FLAGS (\\Flagged)", "S2: * 1 FETCH (FLAGS (\\Flagged))", "S2: a OK ...",
     "C: a NOOP", "S: * 1 FETCH (FLAGS (\\Flagged \\Recent) MODSEQ (7))", "S: a OK ...", NULL}},
    {"7162 3.1.7, 3.1.6: STATUS and SEARCH enable too", 2, {
     "C: s SELECT INBOX", "S> s OK ...",
     "C: a STATUS INBOX (HIGHESTMODSEQ)", "S: * OK [HIGHESTMODSEQ 3] ...", "S: * STATUS INBOX (HIGHESTMODSEQ 3)",
         "S: a OK ...",
     "C2: s SELECT INBOX", "S2> s OK ...",
     "C2: a SEARCH MODSEQ 3", "S2: * OK [HIGHESTMODSEQ 3] ...", "S2: * SEARCH 2 (MODSEQ 3)", "S2: a OK ...",
     "C2: a CREATE new", "S2: a OK ...",
     "C2: a STATUS new (HIGHESTMODSEQ)", "S2: * STATUS new (HIGHESTMODSEQ ~)", "S2: a OK ...", NULL}},
    {"7162 3.1.4 CHANGEDSINCE", 4, {
     "C: s SELECT INBOX", "S> s OK ...",
     "C: a STORE 2 +FLAGS.SILENT (\\Flagged)", "S: a OK ...",
     "C: a FETCH 1:* (FLAGS) (CHANGEDSINCE 4)", "S: * OK [HIGHESTMODSEQ 6] ...",
         "S: * 2 FETCH (FLAGS (\\Flagged \\Recent) MODSEQ (6))", "S: * 4 FETCH (FLAGS (\\Recent) MODSEQ (5))",
         "S: a OK ...",
     "C: a UID FETCH 3:* (UID) (CHANGEDSINCE 4)", "S: * 4 FETCH (UID 4 MODSEQ (5))", "S: a OK ...",
     "C: a FETCH 1:* RFC822.SIZE (CHANGEDSINCE 5)", "S: * 2 FETCH (MODSEQ (6) RFC822.SIZE ~)", "S: a OK ...",
     "C: a FETCH 1:* (FLAGS) (CHANGEDSINCE 6)", "S: a OK ...",
     "C: a FETCH 1:* (FLAGS) (CHANGEDSINCE x)", "S: a BAD ...",
     "C: a FETCH 1:* (FLAGS) (FOO)", "S: a BAD ...",
     "C: a FETCH 1:* (FLAGS) ()", "S: a BAD ...", NULL}},
    {"7162 3.1 \\Seen by FETCH is told with its modseq", 1, {
     "C: s SELECT INBOX (CONDSTORE)", "S> s OK ...",
     "C: a FETCH 1 (FLAGS BODY[]<0.4>)", "S: * 1 FETCH (FLAGS (\\Recent) MODSEQ (2) BODY[]<0> {4}", "S: From)",
         "S: * 1 FETCH (FLAGS (\\Seen \\Recent) MODSEQ (3))", "S: a OK ...",
     "C: a NOOP", "S: a OK ...", NULL}},
    {"7162 3.2.3 QRESYNC brings CONDSTORE, VANISHED and UIDs", 5, {
     "C: a ENABLE QRESYNC", "S: * ENABLED QRESYNC", "S: a OK ...",
     "C: s SELECT INBOX", "S> * OK [HIGHESTMODSEQ 6] ...", "S: * OK [MAILBOXID ...", "S: s OK ...",
     "C: a STORE 2:4 +FLAGS.SILENT (\\Deleted)", "S: * 2 FETCH (UID 2 MODSEQ (7))",
         "S: * 3 FETCH (UID 3 MODSEQ (7))", "S: * 4 FETCH (UID 4 MODSEQ (7))", "S: a OK ...",
     "C: a UID EXPUNGE 3", "S: * VANISHED 3", "S: a OK [HIGHESTMODSEQ 8] ...",
     "C: a EXPUNGE", "S: * VANISHED 2,4", "S: a OK [HIGHESTMODSEQ 9] ...",
     "C: a EXPUNGE", "S: a OK Expunged",
     "C: a MOVE 2 Trash", "S: * OK [COPYUID ~ 5 1] Moved", "S: * VANISHED 5", "S: a OK [HIGHESTMODSEQ 10] ...",
     "C: a FETCH 1:* UID", "S: * 1 FETCH (UID 1)", "S: a OK ...", NULL}},
    {"7162 3.2.5 QRESYNC must be enabled first", 1, {
     "C: a SELECT INBOX (QRESYNC (1 1))", "S: a BAD ...",
     "C: a ENABLE QRESYNC", "S: * ENABLED QRESYNC", "S: a OK ...",
     "C: a SELECT INBOX (QRESYNC (1 0))", "S> * OK [HIGHESTMODSEQ 2] ...", "S: * OK [MAILBOXID ...", "S: a OK ...", /* another UIDVALIDITY */
     "C: a SELECT INBOX (QRESYNC (0 1))", "S: a BAD ...",
     "C: a SELECT INBOX (QRESYNC (1 1 1:*))", "S: a BAD ...",
     "C: a SELECT INBOX (QRESYNC (1 1 1:9 (1 1,2)))", "S: a BAD ...",
     "C: a SELECT INBOX (QRESYNC (1 1 1:9 (1:* 1:5)))", "S: a BAD ...",
     "C: a SELECT INBOX (QRESYNC (1))", "S: a BAD ...",
     "C: a SELECT INBOX (FOO)", "S: a BAD ...",
     "C: a SELECT INBOX ()", "S: a BAD ...", NULL}},
    {"7162 3.2.5.1 what happened since", 6, {
     "C: a ENABLE QRESYNC", "S: * ENABLED QRESYNC", "S: a OK ...",
     "C: s SELECT INBOX", "S> * OK [HIGHESTMODSEQ 7] ...", "S: * OK [MAILBOXID ...", "S: s OK ...",
     "C: a UID STORE 2,4,5 FLAGS.SILENT (\\Deleted)", "S> a OK ...",
     "C: a EXPUNGE", "S: * VANISHED 2,4:5", "S: a OK [HIGHESTMODSEQ 9] ...",
     "C: a UID STORE 3 FLAGS.SILENT (\\Seen)", "S> a OK ...",
     "C: s SELECT INBOX (QRESYNC ($UIDVALIDITY 7))", "S: * OK [CLOSED] ...", "S> * OK [HIGHESTMODSEQ 10] ...", "S: * OK [MAILBOXID ...",
         "S: * VANISHED (EARLIER) 2,4:5", "S: * 2 FETCH (UID 3 FLAGS (\\Seen) MODSEQ (10))", "S: s OK ...",
     "C: s SELECT INBOX (QRESYNC ($UIDVALIDITY 9))", "S> * OK [HIGHESTMODSEQ 10] ...", "S: * OK [MAILBOXID ...",
         "S: * 2 FETCH (UID 3 FLAGS (\\Seen) MODSEQ (10))", "S: s OK ...",
     "C: s SELECT INBOX (QRESYNC ($UIDVALIDITY 7 1:2,5 (1,2 1,2)))", "S> * OK [HIGHESTMODSEQ 10] ...", "S: * OK [MAILBOXID ...",
         "S: * VANISHED (EARLIER) 2,5", "S: s OK ...",
     "C: s EXAMINE INBOX (CONDSTORE QRESYNC ($UIDVALIDITY 1 4:6))", "S> * OK [HIGHESTMODSEQ 10] ...", "S: * OK [MAILBOXID ...",
         "S: * VANISHED (EARLIER) 4:5", "S: * 3 FETCH (UID 6 FLAGS () MODSEQ (7))", "S: s OK ...",
     "C: s SELECT INBOX (QRESYNC ($UIDVALIDITY 10))", "S> * OK [HIGHESTMODSEQ 10] ...", "S: * OK [MAILBOXID ...", "S: s OK ...", NULL}},
    {"7162 3.2.6 UID FETCH with VANISHED", 6, {
     "C: s SELECT INBOX", "S> s OK ...",
     "C: a UID FETCH 1:* (FLAGS) (CHANGEDSINCE 7 VANISHED)", "S: a BAD ...",
     "C: a ENABLE QRESYNC", "S: * OK [HIGHESTMODSEQ 7] ...", "S: * ENABLED QRESYNC", "S: a OK ...",
     "C: a UID STORE 2,4,5 FLAGS.SILENT (\\Deleted)", "S> a OK ...",
     "C: a EXPUNGE", "S: * VANISHED 2,4:5", "S: a OK ...",
     "C: a UID FETCH 3:* (FLAGS) (CHANGEDSINCE 6 VANISHED)", "S: * VANISHED (EARLIER) 4:5",
         "S: * 3 FETCH (UID 6 FLAGS (\\Recent) MODSEQ (7))", "S: a OK ...",
     "C: a FETCH 1:* (FLAGS) (CHANGEDSINCE 6 VANISHED)", "S: a BAD ...",
     "C: a UID FETCH 1:* (FLAGS) (VANISHED)", "S: a BAD ...", NULL}},
    {"7162 3.2 an EXPUNGE that waits keeps HIGHESTMODSEQ low", 3, {
     "C: a ENABLE QRESYNC", "S: * ENABLED QRESYNC", "S: a OK ...",
     "C: s SELECT INBOX", "S> s OK ...",
     "C2: s SELECT INBOX", "S2> s OK ...",
     "C2: a STORE 2 +FLAGS.SILENT (\\Deleted)", "S2: a OK ...",
     "C2: a EXPUNGE", "S2: * 2 EXPUNGE", "S2: a OK ...",
     "C: a STORE 3 +FLAGS (\\Seen)", "S: * 3 FETCH (UID 3 FLAGS (\\Seen \\Recent) MODSEQ (7))",
         "S: * OK [HIGHESTMODSEQ 4] ...", "S: a OK ...",
     "C: a NOOP", "S: * VANISHED 2", "S: a OK ...",
     "C: a FETCH 1:2 UID", "S: * 1 FETCH (UID 1)", "S: * 2 FETCH (UID 3)", "S: a OK ...", NULL}},
    {"9051 no RECENT, LIST on SELECT", 2, {
     "C: a ENABLE IMAP4rev2", "S: * ENABLED IMAP4rev2", "S: a OK ...",
     "C: a CREATE \"&\"", "S: a OK ...",
     "C: s SELECT \"&\"", "S: * FLAGS ...", "S: * OK [PERMANENTFLAGS ...", "S: * 0 EXISTS",
         "S: * OK [UIDVALIDITY ~] ...", "S: * OK [UIDNEXT 1] ...", "S> * LIST () \"/\" &", "S: s OK ...",
     "C: s SELECT inbox", "S: * OK [CLOSED] ...", "S: * FLAGS ...", "S: * OK [PERMANENTFLAGS ...", "S: * 2 EXISTS",
         "S: * OK [UIDVALIDITY ~] ...", "S: * OK [UIDNEXT 3] ...", "S> * LIST () \"/\" INBOX",
         "S: s OK [READ-WRITE] ...",
     "C: a FETCH 1:2 FLAGS", "S: * 1 FETCH (FLAGS ())", "S: * 2 FETCH (FLAGS ())", "S: a OK ...",
     "C: a SEARCH ALL", "S: * ESEARCH (TAG \"a\") ALL 1:2", "S: a OK ...",
     "C: a UID SEARCH SEEN", "S: * ESEARCH (TAG \"a\") UID", "S: a OK ...",
     "C: a STATUS INBOX (MESSAGES DELETED SIZE)", "S: * STATUS INBOX (MESSAGES 2 DELETED 0 SIZE ~)", "S: a OK ...",
     "C: a COPY 1 INBOX", "S: * 3 EXISTS", "S: a OK ...",
     "C: a FETCH 3 FLAGS", "S: * 3 FETCH (FLAGS ())", "S: a OK ...",
     /* nothing was claimed: the next session of IMAP4rev1 finds all of it new */
     "C2: s SELECT INBOX", "S2> * 3 RECENT", "S2> s OK ...",
     "C2: a ENABLE IMAP4rev2", "S2: * ENABLED IMAP4rev2", "S2: a OK ...",
     "C2: a FETCH 1 FLAGS", "S2: * 1 FETCH (FLAGS ())", "S2: a OK ...",
     "C: a CREATE \"z\xcc\x8c\"", "S: * LIST () \"/\" \"\xc5\xbe\" (\"OLDNAME\" (\"z\xcc\x8c\"))", "S: a OK ...",
     "C: s SELECT \"z\xcc\x8c\"", "S> * LIST () \"/\" \"\xc5\xbe\" (\"OLDNAME\" (\"z\xcc\x8c\"))", "S> s OK ...", NULL}},
};
// clang-format on

static void scripts_by_section(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(SCRIPTS); i++)
        imap_run_script(&SCRIPTS[i]);
}

static void play(struct imap_fixture *f, const char *const *lines)
{
    for (; *lines; lines++)
        imap_run_line(f, "purged", *lines);
}

/* Beyond the days for which expunged messages are kept, what is missing is found by what the client knows. */
static void purged_messages_vanish_too(void **state)
{
    (void)state;
    static const char *const BEFORE[] = {"C: a ENABLE QRESYNC",
                                         "S> a OK ...",
                                         "C: s SELECT INBOX",
                                         "S> s OK ...",
                                         "C: a UID STORE 2,4:5,8 FLAGS.SILENT (\\Deleted)",
                                         "S> a OK ...",
                                         "C: a EXPUNGE",
                                         "S: * VANISHED 2,4:5,8",
                                         "S: a OK [HIGHESTMODSEQ 11] ...",
                                         NULL};
    static const char *const AFTER[] = {
        "C: s SELECT INBOX (QRESYNC ($UIDVALIDITY 10))", "S> * VANISHED (EARLIER) 2,4:5,8", "S: s OK ...",
        "C: s SELECT INBOX (QRESYNC ($UIDVALIDITY 10 1:4,7:8))", "S> * VANISHED (EARLIER) 2,4,8",
        "S: s OK ...", "C: s SELECT INBOX (QRESYNC ($UIDVALIDITY 10 1:100))",
        "S> * VANISHED (EARLIER) 2,4:5,8", "S: s OK ...",
        /* the second message is the third by now: up to there the client knows what is left */
        "C: s SELECT INBOX (QRESYNC ($UIDVALIDITY 10 1:8 (1:2 1,3)))", "S> * VANISHED (EARLIER) 4:5,8",
        "S: s OK ...", "C: s SELECT INBOX (QRESYNC ($UIDVALIDITY 10 1:8 (1,3,5 1,5,7)))",
        "S> * VANISHED (EARLIER) 2,4:5,8", "S: s OK ...",
        "C: s SELECT INBOX (QRESYNC ($UIDVALIDITY 10 (1:4 1,3,6:7)))", "S> * VANISHED (EARLIER) 8",
        "S: s OK ...",
        /* the client was there when they went */
        "C: s SELECT INBOX (QRESYNC ($UIDVALIDITY 11))", "S> * OK [HIGHESTMODSEQ 11] ...",
        "S: * OK [MAILBOXID ...", "S: s OK ...", "C: a UID FETCH 1:100 (FLAGS) (CHANGEDSINCE 10 VANISHED)",
        "S: * VANISHED (EARLIER) 2,4:5,8", "S: a OK ...",
        "C: a UID FETCH 6:* (FLAGS) (CHANGEDSINCE 10 VANISHED)", "S: a OK ...", NULL};
    struct imap_fixture f;
    imap_open_fixture(&f);
    for (int i = 0; i < 8; i++)
        imap_deliver(&f, MESSAGE_PLAIN);
    play(&f, BEFORE);
    struct err e = ERR_INIT;
    assert_int_equal(store_purge(f.store, clock_wall() + EXPUNGED_KEPT_S + 60, EXPUNGED_KEPT_S, &e),
                     STORE_OK);
    play(&f, AFTER);
    imap_close_fixture(&f);
}

static void parameters_of_select(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool is_good;
    } CASES[] = {
        {"(CONDSTORE)", true},
        {"(qresync (67890007 20050715194045000 41,43:211,214:541))", true},
        {"(QRESYNC (67890007 90060115194045000 41:211,214:541))", true},
        {"(QRESYNC (67890007 90060115194045000 1:29997 (5000,7500,9000,9990:9999 "
         "15000,22500,27000,29970,29973,"
         "29976,29979,29982,29985,29988,29991,29994,29997)))",
         true},
        {"(QRESYNC (67890007 9223372036854775807))", true},
        {"(QRESYNC (67890007 9223372036854775808))", false},
        {"(QRESYNC (4294967296 1))", false},
        {"(QRESYNC (1 1 (1 1)", false},
        {"(QRESYNC (1 1 (1 1) 1:2))", false},
        {"(QRESYNC 1 1)", false},
        {"CONDSTORE", false},
        {"", false},
    };
    for (size_t i = 0; i < COUNT(CASES); i++) {
        CLEAN_ARENA struct arena a = ARENA_INIT;
        struct imap_cursor c = {.in = str_from_c(CASES[i].text)};
        struct select_parameters p;
        bool is_good = imap_take_select_parameters(&c, &a, &p) && imap_take_end(&c);
        if (is_good != CASES[i].is_good)
            fail_msg("%s", CASES[i].text);
        assert_true(is_good || c.problem);
    }
}

/* Lists of keywords are kept once each, and those that nobody has any more are dropped. */
static void rows_share_their_keywords(void **state)
{
    (void)state;
    struct view v = {0};
    char text[64];
    for (uint32_t i = 0; i < 20000; i++) {
        struct changed_row row = {.uid = i + 1, .flags = FLAG_SEEN, .keywords = STR("")};
        if (i % 3 > 0)
            row.keywords = i % 3 == 1 ? STR("one") : STR("one two");
        view_add(&v, &row);
    }
    assert_int_equal(view_list_count(&v), 2);
    v.v[7].flags |= VIEW_OWN_FLAG(0) | VIEW_OWN_FLAG(2);
    for (uint32_t i = 0; i < 20000; i++) {
        snprintf(text, sizeof text, "a-keyword-that-is-only-used-once-%u", i);
        struct changed_row other = {.uid = 8, .flags = FLAG_DRAFT, .keywords = str_from_c(text)};
        assert_true(view_change(&v, 7, &other));
        assert_false(view_change(&v, 7, &other));
        view_pack(&v);
    }
    assert_true(view_list_count(&v) < 20000);
    assert_true(str_eq(view_keywords(&v, 7), str_from_c(text)));
    assert_int_equal(v.v[7].flags & (FLAG_ALL | VIEW_OWN_FLAG(0) | VIEW_OWN_FLAG(1) | VIEW_OWN_FLAG(2)),
                     FLAG_DRAFT | VIEW_OWN_FLAG(0) | VIEW_OWN_FLAG(2));
    for (uint32_t i = 8; i < 20000; i++) {
        static const char *const WANT[] = {"", "one", "one two"};
        assert_true(str_eq(view_keywords(&v, i), str_from_c(WANT[i % 3])));
    }
    assert_int_equal(view_place(&v, 0), 0);
    assert_int_equal(view_place(&v, 8), 7);
    assert_int_equal(view_place(&v, UINT32_MAX), 20000);
    view_free(&v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scripts_by_section),
        cmocka_unit_test(purged_messages_vanish_too),
        cmocka_unit_test(parameters_of_select),
        cmocka_unit_test(rows_share_their_keywords),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
