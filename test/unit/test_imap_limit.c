/* MESSAGELIMIT (RFC 9738): at most three messages in one command. */
#include "check.h"
#include "imap_fixture.h"
#include "imap_messages.h"

static const char *const LINES[] = {
    "C: s SELECT INBOX",
    "S> s OK ...",
    "C: a CAPABILITY",
    "S: * CAPABILITY IMAP4rev1 ...",
    "S: a OK ...",
    "C: a FETCH 1:* UID",
    "S: * 3 FETCH (UID 3)",
    "S: * 4 FETCH (UID 4)",
    "S: * 5 FETCH (UID 5)",
    "S: a OK [MESSAGELIMIT 3 3] Fetched, but only the newest",
    "C: a FETCH 1:3 UID",
    "S: * 1 FETCH (UID 1)",
    "S: * 2 FETCH (UID 2)",
    "S: * 3 FETCH (UID 3)",
    "S: a OK Fetched",
    "C: a UID STORE 1:4 +FLAGS (\\Deleted)",
    "S: * 2 FETCH (UID 2 FLAGS (\\Deleted \\Recent))",
    "S: * 3 FETCH (UID 3 FLAGS (\\Deleted \\Recent))",
    "S: * 4 FETCH (UID 4 FLAGS (\\Deleted \\Recent))",
    "S: a OK [MESSAGELIMIT 3 2] Flags stored, but only the newest",
    "C: a COPY 1:4 Trash",
    "S: a NO [MESSAGELIMIT 3] ...",
    "C: a UID MOVE 1:* Trash",
    "S: a NO [MESSAGELIMIT 3] ...",
    "C: a COPY 1:3 Trash",
    "S: a OK [COPYUID ~ 1:3 1:3] ...",
    "C: a SEARCH ALL",
    "S: * SEARCH 3 4 5",
    "S: a OK [MESSAGELIMIT 3 3] ...",
    "C: a UID SEARCH RETURN (MIN COUNT) ALL",
    "S: * ESEARCH (TAG \"a\") UID MIN 3 COUNT 3",
    "S: a OK [MESSAGELIMIT 3 3] ...",
    "C: a UID SEARCH UIDBEFORE 3",
    "S: * SEARCH 1 2",
    "S: a OK Searched",
    "C: a UID SEARCH UIDAFTER 2 UIDBEFORE 5",
    "S: * SEARCH 3 4",
    "S: a OK Searched",
    "C: a SEARCH OR UIDBEFORE 1 UIDAFTER 4294967295",
    "S: * SEARCH",
    "S: a OK Searched",
    "C: a SEARCH UIDAFTER 0",
    "S: a BAD ...",
    /* the code of another answer goes first */
    "C: a UID STORE 1:5 (UNCHANGEDSINCE 6) +FLAGS.SILENT (\\Seen)",
    "S> * OK [MESSAGELIMIT 3 3] ...",
    "S: a OK [MODIFIED 3:4] ...",
    "C: a UID STORE 1:2 +FLAGS.SILENT (\\Deleted)",
    "S> a OK ...",
    "C: a UID EXPUNGE 1:*",
    "S: * 3 EXPUNGE",
    "S: * 3 EXPUNGE",
    "S: a OK [MESSAGELIMIT 3 3] Expunged, but only the newest",
    "C: a EXPUNGE",
    "S: * 1 EXPUNGE",
    "S: * 1 EXPUNGE",
    "S: a OK Expunged",
};

static void more_than_the_limit(void **state)
{
    (void)state;
    struct imap_fixture f;
    imap_open_fixture(&f);
    f.config.imap_message_limit = 3;
    for (int i = 0; i < 5; i++)
        imap_deliver(&f, MESSAGE_PLAIN);
    for (size_t i = 0; i < sizeof LINES / sizeof *LINES; i++)
        imap_run_line(&f, "limit", LINES[i]);
    imap_send_line(&f.clients[0], "z CAPABILITY");
    struct str line = imap_read_answer(&f.clients[0]);
    assert_true(str_ends(line, STR(" MESSAGELIMIT=3")));
    imap_close_fixture(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(more_than_the_limit)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
