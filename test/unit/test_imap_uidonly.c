/* Sessions without sequence numbers: UIDONLY (RFC 9586) and UIDBATCHES. */
#include "check.h"
#include "imap_fixture.h"
#include "imap_messages.h"

#define COUNT(table) (sizeof(table) / sizeof *(table))

#define ENABLE_UIDONLY "C: e ENABLE UIDONLY", "S: * ENABLED UIDONLY", "S: e OK ..."

// clang-format off
static const struct imap_script SCRIPTS[] = {
    {"9586 3 what speaks of numbers is refused", 3, {
     ENABLE_UIDONLY,
     "C: s SELECT INBOX", "S: * FLAGS ...", "S: * OK [PERMANENTFLAGS ...", "S: * 3 EXISTS", "S: * 3 RECENT",
         "S: * OK [UIDVALIDITY ~] ...", "S> s OK ...", /* no UNSEEN: it is a number */
     "C: a FETCH 1 FLAGS", "S: a BAD [UIDREQUIRED] ...",
     "C: a STORE 1 FLAGS ()", "S: a BAD [UIDREQUIRED] ...",
     "C: a COPY 1 Trash", "S: a BAD [UIDREQUIRED] ...",
     "C: a MOVE 1 Trash", "S: a BAD [UIDREQUIRED] ...",
     "C: a SEARCH ALL", "S: a BAD [UIDREQUIRED] ...",
     "C: a UID SEARCH OR 1:2 SEEN", "S: a BAD [UIDREQUIRED] ...",
     "C: a UID SEARCH UID 1:2", "S: * SEARCH 1 2", "S: a OK ...",
     "C: a FETCH foo", "S: a BAD [UIDREQUIRED] ...", NULL}},
    {"9586 3.3 UIDFETCH", 3, {
     ENABLE_UIDONLY,
     "C: s SELECT INBOX", "S> s OK ...",
     "C: a UID STORE 1 FLAGS (\\Deleted)", "S: * 1 UIDFETCH (FLAGS (\\Deleted \\Recent))", "S: a OK ...",
     "C: a EXPUNGE", "S: * VANISHED 1", "S: a OK Expunged",
     "C: a UID FETCH 1:* FLAGS", "S: * 2 UIDFETCH (FLAGS (\\Recent))", "S: * 3 UIDFETCH (FLAGS (\\Recent))", "S: a OK ...",
     "C: a UID FETCH 3 (UID RFC822.SIZE)", "S: * 3 UIDFETCH (UID 3 RFC822.SIZE 299)", "S: a OK ...",
     "C: a UID FETCH 3 BODY[]<0.4>", "S: * 3 UIDFETCH (FLAGS (\\Seen \\Recent) BODY[]<0> {4}", "S: From)", "S: a OK ...",
     "C: a UID SEARCH ALL", "S: * SEARCH 2 3", "S: a OK ...",
     "C: a UID COPY 2 Trash", "S: a OK [COPYUID ~ 2 1] ...",
     "C: a UID MOVE 2 Trash", "S: * OK [COPYUID ~ 2 2] ...", "S: * VANISHED 2", "S: a OK ...",
     "C2: s SELECT INBOX", "S2> s OK ...",
     "C2: a STORE 1 +FLAGS.SILENT (\\Deleted)", "S2: a OK ...",
     "C: a NOOP", "S: * 3 UIDFETCH (FLAGS (\\Deleted \\Seen \\Recent))", "S: a OK ...",
     "C2: a EXPUNGE", "S2: * 1 EXPUNGE", "S2: a OK ...",
     "C: a UID FETCH 1:* UID", "S: * VANISHED 3", "S: a OK ...", NULL}},
    {"9586 3.5 with CONDSTORE and QRESYNC", 4, {
     "C: e ENABLE UIDONLY QRESYNC IMAP4rev2", "S: * ENABLED ...", "S: e OK ...",
     "C: s SELECT INBOX", "S> s OK ...",
     "C: a UID STORE 2:3 (UNCHANGEDSINCE 3) +FLAGS.SILENT (\\Deleted)", "S: * 2 UIDFETCH (MODSEQ (6))",
         "S: * 3 UIDFETCH (FLAGS () MODSEQ (4))", "S: a OK [MODIFIED 3] ...",
     "C: a UID EXPUNGE 2", "S: * VANISHED 2", "S: a OK [HIGHESTMODSEQ 7] ...",
     "C: s SELECT INBOX (QRESYNC ($UIDVALIDITY 4 1:4 (1:2 1:2)))", "S: s BAD [UIDREQUIRED] ...",
     "C: s SELECT INBOX (QRESYNC ($UIDVALIDITY 4 1:4))", "S> * VANISHED (EARLIER) 2",
         "S: * 4 UIDFETCH (FLAGS () MODSEQ (5))", "S: s OK ...",
     "C: a UID FETCH 1:* FLAGS (CHANGEDSINCE 4 VANISHED)", "S: * VANISHED (EARLIER) 2",
         "S: * 4 UIDFETCH (FLAGS () MODSEQ (5))", "S: a OK ...", NULL}},
    {"enabled while a mailbox is selected", 2, {
     "C: s SELECT INBOX", "S> s OK ...",
     ENABLE_UIDONLY,
     "C: a UID FETCH 2 FLAGS", "S: * 2 UIDFETCH (FLAGS (\\Recent))", "S: a OK ...",
     "C: a FETCH 2 FLAGS", "S: a BAD [UIDREQUIRED] ...", NULL}},
    {"UIDBATCHES", 7, {
     "C: s SELECT INBOX", "S> s OK ...",
     "C: a STORE 3,5 +FLAGS.SILENT (\\Deleted)", "S: a OK ...",
     "C: a EXPUNGE", "S: * 3 EXPUNGE", "S: * 4 EXPUNGE", "S: a OK ...", /* left: 1 2 4 6 7 */
     "C: A143 UIDBATCHES 2", "S: * UIDBATCHES (TAG \"A143\") 7:6,4:2,1", "S: A143 OK ...",
     "C: b UIDBATCHES 2 2:3", "S: * UIDBATCHES (TAG \"b\") 4:2,1", "S: b OK ...",
     "C: b UIDBATCHES 2 2:2", "S: * UIDBATCHES (TAG \"b\") 4:2", "S: b OK ...",
     "C: b UIDBATCHES 2 3:9", "S: * UIDBATCHES (TAG \"b\") 1", "S: b OK ...",
     "C: b UIDBATCHES 2 4:9", "S: * UIDBATCHES (TAG \"b\")", "S: b OK ...",
     "C: b UIDBATCHES 500", "S: * UIDBATCHES (TAG \"b\") 7:1", "S: b OK ...",
     "C: b UIDBATCHES 4294967295 4294967295:4294967295", "S: * UIDBATCHES (TAG \"b\")", "S: b OK ...",
     "C: b UIDBATCHES 5", "S: * UIDBATCHES (TAG \"b\") 7:1", "S: b OK ...",
     "C: b UIDBATCHES 0", "S: b BAD ...",
     "C: b UIDBATCHES", "S: b BAD ...",
     "C: b UIDBATCHES 2 3:2", "S: b BAD ...",
     "C: b UIDBATCHES 2 0:2", "S: b BAD ...",
     "C: b UIDBATCHES 2 1", "S: b BAD ...",
     "C: s SELECT Trash", "S> s OK ...",
     "C: b UIDBATCHES 2", "S: * UIDBATCHES (TAG \"b\")", "S: b OK ...",
     "C: b UNSELECT", "S: b OK ...",
     "C: b UIDBATCHES 2", "S: b BAD ...", NULL}},
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
    const struct CMUnitTest tests[] = {cmocka_unit_test(scripts_by_section)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
