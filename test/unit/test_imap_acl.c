/* ACL (RFC 4314): the commands, and what every other command does with rights. */
#include "check.h"
#include "imap/rights.h"
#include "imap_fixture.h"

#define COUNT(table) (sizeof(table) / sizeof *(table))

static void rights_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum rights_change how;
        const char *again; /* NULL: refused */
    } CASES[] = {
        {"lrswipkxtea", RIGHTS_REPLACE, "lrswipkxtecda"},
        {"", RIGHTS_REPLACE, "\"\""},
        {"+cda", RIGHTS_ADD, "kxtecda"},
        {"-d", RIGHTS_REMOVE, "ted"},
        {"c", RIGHTS_REPLACE, "kxc"},
        {"k", RIGHTS_REPLACE, "kc"},
        {"-", RIGHTS_REMOVE, "\"\""},
        {"lrQswicda", RIGHTS_REPLACE, NULL},
        {"lrqswicda", RIGHTS_REPLACE, NULL},
        {"l+", RIGHTS_REPLACE, NULL},
        {"lr0", RIGHTS_REPLACE, NULL},
    };
    for (size_t i = 0; i < COUNT(CASES); i++) {
        enum rights_change how;
        unsigned rights;
        CLEAN_BUF struct buf out;
        buf_init(&out, BUF_MAX_DEFAULT);
        bool good = imap_read_rights(str_from_c(CASES[i].text), &how, &rights);
        assert_int_equal(good, CASES[i].again != NULL);
        if (!good)
            continue;
        assert_int_equal(how, CASES[i].how);
        imap_add_rights(&out, rights);
        if (!str_eq(buf_str(&out), str_from_c(CASES[i].again)))
            fail_msg("%s: %.*s", CASES[i].text, STR_ARGS(buf_str(&out)));
    }
}

static void rights_are_combined(void **state)
{
    (void)state;
    static const struct rights_entry LIST[] = {
        {1, STR_INIT("-anyone"), RIGHT_POST},
        {1, STR_INIT("-ben@x.test"), RIGHT_WRITE},
        {1, STR_INIT("anyone"), RIGHT_LOOKUP | RIGHT_POST},
        {1, STR_INIT("ben@x.test"), RIGHT_READ | RIGHT_WRITE},
    };
    assert_int_equal(rights_of(LIST, 4, STR("ben@x.test"), false), RIGHT_LOOKUP | RIGHT_READ);
    assert_int_equal(rights_of(LIST, 4, STR("eva@x.test"), false), RIGHT_LOOKUP);
    assert_int_equal(rights_of(LIST, 4, STR("ana@x.test"), true), RIGHTS_ALL & ~(unsigned)RIGHT_POST);
    assert_int_equal(rights_of(LIST, 4, STR("ben@x.test"), true),
                     RIGHT_LOOKUP | RIGHT_READ | RIGHT_ADMINISTER);
    assert_int_equal(rights_of(LIST, 0, STR("ana@x.test"), true), RIGHTS_ALL);
    assert_int_equal(rights_of(LIST, 0, STR("ben@x.test"), false), 0);
}

#define BEN   "ben@example.test"
#define OWNER "ana@example.test lrswipkxtecda"

// clang-format off
static const struct imap_script SCRIPTS[] = {
    {"3.1 SETACL, 3.2 DELETEACL, 3.3 GETACL", 0, {
     "C: a CREATE Drafts/x", "S: a OK ...",
     "C: a GETACL INBOX", "S: * ACL INBOX " OWNER, "S: a OK ...",
     "C: a SETACL Drafts David@Example.TEST lrswida", "S: a OK ...",
     "C: a GETACL Drafts", "S: * ACL Drafts " OWNER " david@example.test lrswiteda", "S: a OK ...",
     "C: a SETACL Drafts Byron@example.test lrswikda", "S: a OK ...",
     "C: a GETACL Drafts",
         "S: * ACL Drafts " OWNER " byron@example.test lrswiktecda david@example.test lrswiteda", "S: a OK ...",
     "C: a SETACL Drafts david@example.test -da", "S: a OK ...",
     "C: a SETACL Drafts ANYONE l", "S: a OK ...",
     "C: a SETACL Drafts -anyone p", "S: a OK ...",
     "C: a DELETEACL Drafts byron@EXAMPLE.test", "S: a OK ...",
     "C: a DELETEACL Drafts nobody@example.test", "S: a OK ...",
     "C: a GETACL Drafts", "S: * ACL Drafts " OWNER " -anyone p anyone l david@example.test lrswi",
         "S: a OK ...",
     "C: a SETACL Drafts john@example.test lrQswicda", "S: a BAD ...",
     "C: a SETACL Drafts john@example.test lrqswicda", "S: a BAD ...",
     "C: a SETACL Drafts john lr", "S: a BAD ...",
     "C: a SETACL Drafts \"\" lr", "S: a BAD ...",
     "C: a SETACL Drafts john@example.test", "S: a BAD ...",
     "C: a SETACL nowhere john@example.test lr", "S: a NO [NONEXISTENT] ...",
     "C: a GETACL nowhere", "S: a NO [NONEXISTENT] ...",
     /* the owner keeps l and a, whatever is said */
     "C: a SETACL INBOX ana@example.test \"\"", "S: a OK ...",
     "C: a GETACL INBOX", "S: * ACL INBOX ana@example.test la", "S: a OK ...",
     "C: a MYRIGHTS INBOX", "S: * MYRIGHTS INBOX la", "S: a OK ...",
     "C: a SELECT INBOX", "S: a NO [NOPERM] ...",
     "C: a SETACL INBOX ana@example.test +r", "S: a OK ...",
     "C: a MYRIGHTS INBOX", "S: * MYRIGHTS INBOX lra", "S: a OK ...",
     "C: a DELETEACL INBOX ana@example.test", "S: a OK ...",
     "C: a MYRIGHTS INBOX", "S: * MYRIGHTS INBOX lrswipkxtecda", "S: a OK ...",
     "C: a SETACL INBOX ana@example.test -x", "S: a OK ...",
     "C: a MYRIGHTS INBOX", "S: * MYRIGHTS INBOX lrswipktecda", "S: a OK ...", NULL}},
    {"3.4 LISTRIGHTS, 3.5 MYRIGHTS", 0, {
     "C: a LISTRIGHTS Drafts Smith@example.test",
         "S: * LISTRIGHTS Drafts Smith@example.test \"\" l r s w i p k x t e a c d", "S: a OK ...",
     "C: a LISTRIGHTS Drafts anyone", "S: * LISTRIGHTS Drafts anyone \"\" l r s w i p k x t e a c d",
         "S: a OK ...",
     "C: a LISTRIGHTS INBOX ana@example.test", "S: * LISTRIGHTS INBOX ana@example.test la r s w i p k x t e c d",
         "S: a OK ...",
     "C: a LISTRIGHTS INBOX smith", "S: a BAD ...",
     "C: a MYRIGHTS inbox", "S: * MYRIGHTS INBOX lrswipkxtecda", "S: a OK ...",
     "C: a MYRIGHTS nowhere", "S: a NO [NONEXISTENT] ...", NULL}},
    {"4 rights are inherited, and go with the mailbox", 0, {
     "C: a SETACL Archive " BEN " lr", "S: a OK ...",
     "C: a CREATE Archive/2026/11", "S: a OK ...",
     "C: a GETACL Archive/2026/11", "S: * ACL Archive/2026/11 " OWNER " " BEN " lr", "S: a OK ...",
     "C: a SETACL Archive " BEN " lrs", "S: a OK ...",
     "C: a RENAME Archive/2026 Old", "S: a OK ...",
     "C: a GETACL Old/11", "S: * ACL Old/11 " OWNER " " BEN " lr", "S: a OK ...",
     "C: a DELETE Old", "S: a OK ...",
     "C: a CREATE Old", "S: a OK ...",
     "C: a GETACL Old", "S: * ACL Old " OWNER, "S: a OK ...", NULL}},
    {"6 a guest who may not look up sees nothing at all", 1, {
     "U2: " BEN,
     "C2: a LIST \"\" *", "S2: a OK ...",
     "C2: a SELECT INBOX", "S2: a NO [NONEXISTENT] ...",
     "C2: a SELECT nowhere", "S2: a NO [NONEXISTENT] ...",
     "C2: a STATUS INBOX (MESSAGES)", "S2: a NO [NONEXISTENT] ...",
     "C2: a GETACL INBOX", "S2: a NO [NONEXISTENT] ...",
     "C2: a SETACL INBOX " BEN " a", "S2: a NO [NONEXISTENT] ...",
     "C2: a LISTRIGHTS INBOX " BEN, "S2: a NO [NONEXISTENT] ...",
     "C2: a MYRIGHTS INBOX", "S2: a NO [NONEXISTENT] ...",
     "C2: a DELETE Sent", "S2: a NO [NONEXISTENT] ...",
     "C2: a RENAME Sent Mine", "S2: a NO [NONEXISTENT] ...",
     "C2: a APPEND INBOX {5}", "S2: a NO [TRYCREATE] ...",
     "C2: a CREATE Mine", "S2: a NO [NOPERM] ...",
     "C2: a CREATE Sent/x", "S2: a NO [NOPERM] ...",
     "C2: a SUBSCRIBE INBOX", "S2: a NO [NOPERM] ...",
     "C2: a LSUB \"\" *", "S2: a OK ...", NULL}},
    {"4 each command wants its rights", 2, {
     "U2: " BEN,
     "C: a SETACL INBOX " BEN " l", "S: a OK ...",
     "C2: a LIST \"\" *", "S2: * LIST (\\HasNoChildren) \"/\" INBOX", "S2: a OK ...",
     "C2: a SELECT INBOX", "S2: a NO [NOPERM] ...",
     "C2: a STATUS INBOX (MESSAGES)", "S2: a NO [NOPERM] ...",
     "C2: a GETACL INBOX", "S2: a NO [NOPERM] ...",
     "C2: a LISTRIGHTS INBOX " BEN, "S2: a NO [NOPERM] ...",
     "C2: a MYRIGHTS INBOX", "S2: * MYRIGHTS INBOX l", "S2: a OK ...",
     "C2: a DELETE INBOX", "S2: a NO [NOPERM] ...",
     "C2: a CREATE INBOX/x", "S2: a NO [NOPERM] ...",
     "C2: a APPEND INBOX {5}", "S2: a NO [NOPERM] ...",
     "C: a SETACL INBOX " BEN " +r", "S: a OK ...",
     "C2: a STATUS INBOX (MESSAGES)", "S2: * STATUS INBOX (MESSAGES 2)", "S2: a OK ...",
     "C2: a SELECT INBOX", "S2: * FLAGS ...", "S2: * OK [PERMANENTFLAGS ()] ...", "S2: * 2 EXISTS",
         "S2: * 2 RECENT", "S2: * OK [UNSEEN 1] ...", "S2: * OK ...", "S2: * OK ...", "S2: * OK [HIGHESTMODSEQ ...", "S2: * OK [MAILBOXID ...", "S2: a OK [READ-ONLY] ...",
     "C2: a STORE 1 +FLAGS (\\Seen)", "S2: a NO ...",
     "C2: a EXPUNGE", "S2: a NO [NOPERM] ...",
     "C2: a FETCH 1 BODY[TEXT]<9999.1>", "S2: * 1 FETCH (BODY[TEXT]<9999> {0}", "S2: )", "S2: a OK ...",
     "C: a SETACL INBOX " BEN " lrik", "S: a OK ...",
     "C2: a CREATE INBOX/u (USE (\\Junk))", "S2: * FLAGS ...", "S2: * OK [PERMANENTFLAGS ()] ...", "S2: a NO [NOPERM] ...",
     "C2: a CREATE INBOX/x", "S2: a OK ...",
     "C2: a LIST \"\" *", "S2: * LIST (\\HasChildren) \"/\" INBOX",
         "S2: * LIST (\\HasNoChildren) \"/\" INBOX/x", "S2: a OK ...",
     "C2: a RENAME INBOX/x INBOX/y", "S2: a NO [NOPERM] ...",
     "C: a SETACL INBOX/x " BEN " x", "S: a OK ...",
     "C2: a LIST \"\" *", "S2: * LIST (\\HasNoChildren) \"/\" INBOX", "S2: a OK ...",
     "C2: a RENAME INBOX/x y", "S2: a NO [NOPERM] ...",
     "C2: a RENAME INBOX/x INBOX/y", "S2: a OK ...",
     "C2: a DELETE INBOX/y", "S2: a OK ...", NULL}},
    {"4 flags by rights", 2, {
     "U2: " BEN,
     "C: a SETACL INBOX " BEN " lrst", "S: a OK ...",
     "C2: a SELECT INBOX", "S2: * FLAGS ...", "S2: * OK [PERMANENTFLAGS (\\Deleted \\Seen)] ...",
         "S2: * 2 EXISTS", "S2: * 2 RECENT", "S2: * OK [UNSEEN 1] ...", "S2: * OK ...", "S2: * OK ...",
         "S2: * OK [HIGHESTMODSEQ ...",
         "S2: * OK [MAILBOXID ...", "S2: a OK [READ-WRITE] ...",
     "C2: a STORE 1 +FLAGS (\\Seen \\Flagged x)", "S2: * 1 FETCH (FLAGS (\\Seen \\Recent))", "S2: a OK ...",
     "C2: a STORE 1 +FLAGS (\\Flagged)", "S2: a NO [NOPERM] ...",
     "C2: a STORE 1 -FLAGS (x)", "S2: a NO [NOPERM] ...",
     "C: b SELECT INBOX", "S: * FLAGS ...", "S: * OK [PERMANENTFLAGS (~ ~ ~ ~ ~ \\*)] ...", "S: * 2 EXISTS",
         "S: * 0 RECENT", "S: * OK [UNSEEN 2] ...", "S: * OK ...", "S: * OK ...", "S: * OK [HIGHESTMODSEQ ...", "S: * OK [MAILBOXID ...", "S: b OK [READ-WRITE] ...",
     "C: b STORE 1 +FLAGS (\\Answered keep)", "S: * FLAGS ...", "S: * 1 FETCH (FLAGS (\\Answered \\Seen keep))",
         "S: b OK ...",
     "C2: a NOOP", "S2: * FLAGS ...", "S2: * 1 FETCH (FLAGS (\\Answered \\Seen \\Recent keep))", "S2: a OK ...",
     "C2: a STORE 1 FLAGS (\\Deleted \\Flagged other)", "S2: * 1 FETCH (FLAGS (\\Answered \\Deleted \\Recent keep))",
         "S2: a OK ...",
     "C2: a STORE 1 FLAGS.SILENT ()", "S2: a OK ...",
     "C2: a FETCH 1 FLAGS", "S2: * 1 FETCH (FLAGS (\\Answered \\Recent keep))", "S2: a OK ...",
     "C2: a EXPUNGE", "S2: a NO [NOPERM] ...",
     "C2: a MOVE 1 INBOX", "S2: a NO [NOPERM] ...",
     "C2: a COPY 1 INBOX", "S2: a NO [NOPERM] ...",
     "C2: a COPY 1 Sent", "S2: a NO [TRYCREATE] ...",
     "C2: a CLOSE", "S2: a OK ...",
     "C: b SETACL INBOX " BEN " lrw", "S: * 1 FETCH (FLAGS (\\Answered keep))", "S: b OK ...",
     "C2: a SELECT INBOX", "S2: * FLAGS ...",
         "S2: * OK [PERMANENTFLAGS (\\Answered \\Flagged \\Draft \\*)] ...", "S2: * 2 EXISTS", "S2: * 0 RECENT",
         "S2: * OK [UNSEEN 1] ...", "S2: * OK ...", "S2: * OK ...", "S2: * OK [HIGHESTMODSEQ ...", "S2: * OK [MAILBOXID ...", "S2: a OK [READ-WRITE] ...",
     "C2: a FETCH 2 BODY[TEXT]<9999.1>", "S2: * 2 FETCH (BODY[TEXT]<9999> {0}", "S2: )", "S2: a OK ...", NULL}},
    {"4 COPY and APPEND leave out the flags that one may not set", 1, {
     "U2: " BEN,
     "C: a CREATE T", "S: a OK ...",
     "C: a SETACL T " BEN " lrwis", "S: a OK ...",
     "C: a SETACL INBOX " BEN " lr", "S: a OK ...",
     "C: a SELECT INBOX", "S: * FLAGS ...", "S: * OK ...", "S: * 1 EXISTS", "S: * 1 RECENT", "S: * OK ...",
         "S: * OK ...", "S: * OK ...", "S: * OK [HIGHESTMODSEQ ...", "S: * OK [MAILBOXID ...", "S: a OK ...",
     "C: a STORE 1 FLAGS.SILENT (\\Draft \\Deleted \\Seen k)", "S: * FLAGS ...", "S: a OK ...",
     "C2: s SELECT INBOX", "S2: * FLAGS ...", "S2: * OK ...", "S2: * 1 EXISTS", "S2: * 0 RECENT",
         "S2: * OK ...", "S2: * OK ...", "S2: * OK [HIGHESTMODSEQ ...", "S2: * OK [MAILBOXID ...", "S2: s OK [READ-ONLY] ...",
     "C2: s COPY 1 T", "S2: s OK [COPYUID ~ 1 1] ...",
     "C: a SETACL T " BEN " rsti", "S: a OK ...",
     "C2: s COPY 1 T", "S2: s OK [COPYUID ~ 1 2] ...",
     "C2: s APPEND T (\\Seen \\Answered \\Deleted k) {1+}", "C2: x", "S2: s OK [APPENDUID ~ 3] ...",
     "C: a SETACL T " BEN " i", "S: a OK ...",
     "C2: s APPEND T (\\Seen \\Answered \\Deleted k) {1+}", "C2: x", "S2: s OK [APPENDUID ~ 4] ...",
     "C: a EXAMINE T", "S: * OK [CLOSED] ...", "S: * FLAGS ...", "S: * OK ...", "S: * 4 EXISTS", "S: * 4 RECENT", "S: * OK ...",
         "S: * OK ...", "S: * OK ...", "S: * OK [HIGHESTMODSEQ ...", "S: * OK [MAILBOXID ...", "S: a OK [READ-ONLY] ...",
     "C: a FETCH 1:* FLAGS", "S: * 1 FETCH (FLAGS (\\Seen \\Draft \\Recent k))",
         "S: * 2 FETCH (FLAGS (\\Deleted \\Seen \\Recent))", "S: * 3 FETCH (FLAGS (\\Deleted \\Seen \\Recent))",
         "S: * 4 FETCH (FLAGS (\\Recent))", "S: a OK ...",
     "C: a STORE 1 +FLAGS (\\Seen)", "S: a NO [READ-ONLY] ...", NULL}},
    {"4 MOVE, EXPUNGE and CLOSE", 3, {
     "U2: " BEN,
     "C: a SETACL INBOX " BEN " lrti", "S: a OK ...",
     "C: a SETACL Trash " BEN " i", "S: a OK ...",
     "C2: s SELECT INBOX", "S2: * FLAGS ...", "S2: * OK ...", "S2: * 3 EXISTS", "S2: * 3 RECENT",
         "S2: * OK ...", "S2: * OK ...", "S2: * OK ...", "S2: * OK [HIGHESTMODSEQ ...", "S2: * OK [MAILBOXID ...", "S2: s OK [READ-WRITE] ...",
     "C2: a STORE 1 +FLAGS.SILENT (\\Deleted)", "S2: a OK ...",
     "C2: a MOVE 2 Trash", "S2: a NO [NOPERM] ...",
     "C2: a CLOSE", "S2: a OK ...",
     "C: a STATUS INBOX (MESSAGES)", "S: * STATUS INBOX (MESSAGES 3)", "S: a OK ...",
     "C: a SETACL INBOX " BEN " lrte", "S: a OK ...",
     "C2: s SELECT INBOX", "S2: * FLAGS ...", "S2: * OK ...", "S2: * 3 EXISTS", "S2: * 0 RECENT",
         "S2: * OK ...", "S2: * OK ...", "S2: * OK ...", "S2: * OK [HIGHESTMODSEQ ...", "S2: * OK [MAILBOXID ...", "S2: s OK [READ-WRITE] ...",
     "C2: a MOVE 2 Trash", "S2: * OK [COPYUID ~ 2 1] ...", "S2: * 2 EXPUNGE", "S2: a OK ...",
     "C2: a EXPUNGE", "S2: * 1 EXPUNGE", "S2: a OK ...", NULL}},
    {"5.1.1 a session whose rights change", 1, {
     "U2: " BEN,
     "C: a SETACL INBOX " BEN " lrsw", "S: a OK ...",
     "C2: s SELECT INBOX", "S2: * FLAGS ...", "S2: * OK [PERMANENTFLAGS (\\Answered \\Flagged \\Seen \\Draft \\*)] ...",
         "S2: * 1 EXISTS", "S2: * 1 RECENT", "S2: * OK ...", "S2: * OK ...", "S2: * OK ...", "S2: * OK [HIGHESTMODSEQ ...", "S2: * OK [MAILBOXID ...", "S2: s OK ...",
     "C: a SETACL INBOX " BEN " -w", "S: a OK ...",
     "C2: a NOOP", "S2: * FLAGS ...", "S2: * OK [PERMANENTFLAGS (\\Seen)] ...", "S2: a OK ...",
     "C2: a STORE 1 +FLAGS (\\Flagged)", "S2: a NO [NOPERM] ...",
     "C2: i IDLE", "S2: + idling",
     "C: a DELETEACL INBOX " BEN, "S: a OK ...",
     "S2: * BYE ...", "S2: <closed>", NULL}},
};
// clang-format on

static void scripts_by_section(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(SCRIPTS); i++)
        imap_run_script(&SCRIPTS[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rights_are_read),
        cmocka_unit_test(rights_are_combined),
        cmocka_unit_test(scripts_by_section),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
