/* LIST and what it can tell: RFC 5258, 5819, 6154, 8440; and an account with ten thousand mailboxes. */
#include "imap/list_parse.h"

#include "base/sql.h"
#include "check.h"
#include "imap_fixture.h"

#include <stdio.h>

#define COUNT(table) (sizeof(table) / sizeof *(table))

static void requests_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned selects, returns;
        size_t patterns, entries;
        const char *status;
        bool is_extended;
    } CASES[] = {
        {" \"\" *", 0, 0, 1, 0, "", false},
        {" \"\" \"\"", 0, 0, 1, 0, "", false},
        {" () \"\" *", 0, 0, 1, 0, "", true},
        {" (subscribed) ref (\"a\" b% {1}\r\nc)", LIST_SUBSCRIBED, LIST_RETURN_SUBSCRIBED, 3, 0, "", true},
        {" (RECURSIVEMATCH SUBSCRIBED REMOTE) \"\" %", LIST_RECURSIVEMATCH | LIST_SUBSCRIBED | LIST_REMOTE,
         LIST_RETURN_SUBSCRIBED, 1, 0, "", true},
        {" \"\" * RETURN ()", 0, 0, 1, 0, "", true},
        {" \"\" (*) RETURN (CHILDREN SPECIAL-USE STATUS (MESSAGES UIDNEXT) MYRIGHTS)", 0,
         LIST_RETURN_CHILDREN | LIST_RETURN_SPECIAL_USE | LIST_RETURN_MYRIGHTS, 1, 0, "(MESSAGES UIDNEXT)",
         true},
        {" \"\" % RETURN (METADATA (\"/shared/a\" /private/b) METADATA /shared/c)", 0, 0, 1, 3, "", true},
    };
    for (size_t i = 0; i < COUNT(CASES); i++) {
        CLEAN_ARENA struct arena a = ARENA_INIT;
        struct imap_cursor c = {.in = str_from_c(CASES[i].text)};
        struct list_request q;
        if (!imap_take_list_request(&c, &a, &q))
            fail_msg("%s: %s at %zu", CASES[i].text, c.problem, c.at);
        assert_int_equal(q.selects, CASES[i].selects);
        assert_int_equal(q.returns, CASES[i].returns);
        assert_int_equal(q.pattern_count, CASES[i].patterns);
        assert_int_equal(q.entry_count, CASES[i].entries);
        assert_true(str_eq(q.status, str_from_c(CASES[i].status)));
        assert_int_equal(q.is_extended, CASES[i].is_extended);
    }
}

static void what_is_no_request_is_refused(void **state)
{
    (void)state;
    static const char *const CASES[] = {
        "",
        " \"\"",
        " \"\" ()",
        " (RECURSIVEMATCH) \"\" *",
        " (RECURSIVEMATCH REMOTE) \"\" *",
        " (RECURSIVEMATCH SPECIAL-USE) \"\" *",
        " (FOO) \"\" *",
        " (SUBSCRIBED ) \"\" *",
        " ( SUBSCRIBED) \"\" *",
        " (SUBSCRIBED)\"\" *",
        " \"\" * RETURN",
        " \"\" * RETURN (FOO)",
        " \"\" * RETURN (CHILDREN )",
        " \"\" * RETURN (STATUS)",
        " \"\" * RETURN (STATUS (MESSAGES)",
        " \"\" * RETURN (CHILDREN)x",
        " \"\" * RETURN (METADATA)",
        " \"\" * RETURN (METADATA ())",
        " \"\" (a  b)",
        " \"\" * RETURNS (CHILDREN)",
    };
    for (size_t i = 0; i < COUNT(CASES); i++) {
        CLEAN_ARENA struct arena a = ARENA_INIT;
        struct imap_cursor c = {.in = str_from_c(CASES[i])};
        struct list_request q;
        if (imap_take_list_request(&c, &a, &q))
            fail_msg("\"%s\" was taken", CASES[i]);
        assert_non_null(c.problem);
    }
}

/* The mailboxes of RFC 5258 section 5: examples 1 to 7. */
#define FRUIT                                                                                         \
    "C: a DELETE Archive", "S: a OK ...", "C: a DELETE Drafts", "S: a OK ...", "C: a DELETE Junk",    \
        "S: a OK ...", "C: a DELETE Sent", "S: a OK ...", "C: a DELETE Trash", "S: a OK ...",         \
        "C: a UNSUBSCRIBE Archive", "S: a OK ...", "C: a UNSUBSCRIBE Drafts", "S: a OK ...",          \
        "C: a UNSUBSCRIBE Junk", "S: a OK ...", "C: a UNSUBSCRIBE Sent", "S: a OK ...",               \
        "C: a UNSUBSCRIBE Trash", "S: a OK ...", "C: a CREATE Fruit/Apple", "S: a OK ...",            \
        "C: a CREATE Fruit/Banana", "S: a OK ...", "C: a CREATE Tofu", "S: a OK ...",                 \
        "C: a CREATE Vegetable/Broccoli", "S: a OK ...", "C: a CREATE Vegetable/Corn", "S: a OK ...", \
        "C: a SUBSCRIBE Fruit/Banana", "S: a OK ...", "C: a SUBSCRIBE Fruit/Peach", "S: a OK ...",    \
        "C: a SUBSCRIBE Vegetable", "S: a OK ...", "C: a SUBSCRIBE Vegetable/Broccoli", "S: a OK ..."

// clang-format off
static const struct imap_script SCRIPTS[] = {
    {"5258 section 5, examples 1 to 7", 0, {
     FRUIT,
     "C: a LIST \"\" \"*\"", "S: * LIST (\\HasNoChildren) \"/\" INBOX", "S: * LIST (\\HasChildren) \"/\" Fruit",
         "S: * LIST (\\HasNoChildren) \"/\" Fruit/Apple", "S: * LIST (\\HasNoChildren) \"/\" Fruit/Banana",
         "S: * LIST (\\HasNoChildren) \"/\" Tofu", "S: * LIST (\\HasChildren) \"/\" Vegetable",
         "S: * LIST (\\HasNoChildren) \"/\" Vegetable/Broccoli",
         "S: * LIST (\\HasNoChildren) \"/\" Vegetable/Corn", "S: a OK ...", NULL}},
    {"5258 section 5, SUBSCRIBED", 0, {
     FRUIT,
     "C: a LIST (SUBSCRIBED) \"\" \"*\"", "S: * LIST (\\HasNoChildren \\Subscribed) \"/\" INBOX",
         "S: * LIST (\\HasNoChildren \\Subscribed) \"/\" Fruit/Banana",
         "S: * LIST (\\HasNoChildren \\NonExistent \\Subscribed) \"/\" Fruit/Peach",
         "S: * LIST (\\HasChildren \\Subscribed) \"/\" Vegetable",
         "S: * LIST (\\HasNoChildren \\Subscribed) \"/\" Vegetable/Broccoli", "S: a OK ...", NULL}},
    {"5258 section 5, CHILDREN, several patterns, RETURN SUBSCRIBED", 0, {
     FRUIT,
     "C: a LIST () \"\" \"%\" RETURN (CHILDREN)", "S: * LIST (\\HasNoChildren) \"/\" INBOX",
         "S: * LIST (\\HasChildren) \"/\" Fruit", "S: * LIST (\\HasNoChildren) \"/\" Tofu",
         "S: * LIST (\\HasChildren) \"/\" Vegetable", "S: a OK ...",
     "C: a LIST (REMOTE) \"\" \"%\" RETURN (SUBSCRIBED)", "S: * LIST (\\HasNoChildren \\Subscribed) \"/\" INBOX",
         "S: * LIST (\\HasChildren) \"/\" Fruit", "S: * LIST (\\HasNoChildren) \"/\" Tofu",
         "S: * LIST (\\HasChildren \\Subscribed) \"/\" Vegetable", "S: a OK ...",
     "C: a LIST \"\" (\"INBOX\" \"Tofu\" \"Fruit/%\")", "S: * LIST (\\HasNoChildren) \"/\" INBOX",
         "S: * LIST (\\HasNoChildren) \"/\" Fruit/Apple", "S: * LIST (\\HasNoChildren) \"/\" Fruit/Banana",
         "S: * LIST (\\HasNoChildren) \"/\" Tofu", "S: a OK ...",
     "C: a LIST \"Fruit/\" (A* *a)", "S: * LIST (\\HasNoChildren) \"/\" Fruit/Apple",
         "S: * LIST (\\HasNoChildren) \"/\" Fruit/Banana", "S: a OK ...",
     "C: a LIST (SUBSCRIBED) \"\" \"%\"", "S: * LIST (\\HasNoChildren \\Subscribed) \"/\" INBOX",
         "S: * LIST (\\HasChildren \\Subscribed) \"/\" Vegetable", "S: a OK ...", NULL}},
    {"5258 section 5, RECURSIVEMATCH", 0, {
     FRUIT,
     "C: a LIST (SUBSCRIBED RECURSIVEMATCH) \"\" \"%\"",
         "S: * LIST (\\HasNoChildren \\Subscribed) \"/\" INBOX",
         "S: * LIST (\\HasChildren) \"/\" Fruit (\"CHILDINFO\" (\"SUBSCRIBED\"))",
         "S: * LIST (\\HasChildren \\Subscribed) \"/\" Vegetable (\"CHILDINFO\" (\"SUBSCRIBED\"))", "S: a OK ...",
     "C: a UNSUBSCRIBE Fruit/Banana", "S: a OK ...",
     "C: a UNSUBSCRIBE Fruit/Peach", "S: a OK ...",
     "C: a LIST (SUBSCRIBED RECURSIVEMATCH) \"\" (F% T*)", "S: a OK ...",
     "C: a LIST (RECURSIVEMATCH) \"\" %", "S: a BAD ...",
     "C: a LIST (SUBSCRIBED) \"\" \"\"", "S: a OK ...",
     "C: a LIST \"\" \"\"", "S: * LIST (\\Noselect) \"/\" \"\"", "S: a OK ...",
     "C: a LIST \"\" (\"\")", "S: a OK ...",
     "C: a LIST \"\" * RETURN (FOO)", "S: a BAD ...", NULL}},
    {"5258 section 5, example 9", 0, {
     "C: a UNSUBSCRIBE INBOX", "S: a OK ...",
     "C: a CREATE foo2/bar1", "S: a OK ...", "C: a SUBSCRIBE foo2/bar1", "S: a OK ...",
     "C: a CREATE foo2/bar2", "S: a OK ...", "C: a SUBSCRIBE foo2/bar2", "S: a OK ...",
     "C: a CREATE baz2/bar2", "S: a OK ...", "C: a SUBSCRIBE baz2/bar2", "S: a OK ...",
     "C: a CREATE baz2/bar22", "S: a OK ...", "C: a SUBSCRIBE baz2/bar22", "S: a OK ...",
     "C: a CREATE baz2/bar222", "S: a OK ...", "C: a SUBSCRIBE baz2/bar222", "S: a OK ...",
     "C: a CREATE eps2/mamba", "S: a OK ...", "C: a SUBSCRIBE eps2/mamba", "S: a OK ...",
     "C: a SUBSCRIBE eps2", "S: a OK ...", "C: a SUBSCRIBE qux2/bar2", "S: a OK ...",
     "C: a LIST (RECURSIVEMATCH SUBSCRIBED) \"\" \"*2\"",
         "S: * LIST (\\HasNoChildren \\Subscribed) \"/\" baz2/bar2",
         "S: * LIST (\\HasNoChildren \\Subscribed) \"/\" baz2/bar22",
         "S: * LIST (\\HasNoChildren \\Subscribed) \"/\" baz2/bar222",
         "S: * LIST (\\HasChildren \\Subscribed) \"/\" eps2 (\"CHILDINFO\" (\"SUBSCRIBED\"))",
         "S: * LIST (\\HasChildren) \"/\" foo2 (\"CHILDINFO\" (\"SUBSCRIBED\"))",
         "S: * LIST (\\HasNoChildren \\Subscribed) \"/\" foo2/bar2",
         "S: * LIST (\\HasNoChildren \\NonExistent \\Subscribed) \"/\" qux2/bar2", "S: a OK ...",
     "C: a LIST (RECURSIVEMATCH SUBSCRIBED) \"\" \"?2%\"", "S: a OK ...",
     "C: a LIST (RECURSIVEMATCH SUBSCRIBED) \"\" \"%2\"",
         "S: * LIST (\\HasChildren) \"/\" baz2 (\"CHILDINFO\" (\"SUBSCRIBED\"))",
         "S: * LIST (\\HasChildren \\Subscribed) \"/\" eps2 (\"CHILDINFO\" (\"SUBSCRIBED\"))",
         "S: * LIST (\\HasChildren) \"/\" foo2 (\"CHILDINFO\" (\"SUBSCRIBED\"))",
         "S: * LIST (\\HasNoChildren \\NonExistent) \"/\" qux2 (\"CHILDINFO\" (\"SUBSCRIBED\"))", "S: a OK ...",
     "C: a LSUB \"\" \"%2\"", "S: * LSUB (\\Noselect) \"/\" baz2", "S: * LSUB (\\HasChildren) \"/\" eps2",
         "S: * LSUB (\\Noselect) \"/\" foo2", "S: * LSUB (\\Noselect) \"/\" qux2", "S: a OK ...",
     "C: a LSUB \"\" \"*2\"", "S: * LSUB (\\HasNoChildren) \"/\" baz2/bar2",
         "S: * LSUB (\\HasNoChildren) \"/\" baz2/bar22", "S: * LSUB (\\HasNoChildren) \"/\" baz2/bar222",
         "S: * LSUB (\\HasChildren) \"/\" eps2", "S: * LSUB (\\Noselect) \"/\" foo2",
         "S: * LSUB (\\HasNoChildren) \"/\" foo2/bar2", "S: * LSUB () \"/\" qux2/bar2", "S: a OK ...",
     "C: a LSUB (SUBSCRIBED) \"\" *", "S: a BAD ...", NULL}},
    {"5819 LIST-STATUS", 2, {
     "C: a CREATE foo/bar", "S: a OK ...",
     "C: a DELETE foo", "S: a OK ...",
     "C: a LIST \"\" (INBOX f%) RETURN (STATUS (MESSAGES UNSEEN))", "S: * LIST (\\HasNoChildren) \"/\" INBOX",
         "S: * STATUS INBOX (MESSAGES 2 UNSEEN 2)", "S: * LIST (\\HasChildren \\Noselect) \"/\" foo", "S: a OK ...",
     "C: a SUBSCRIBE foo/bar", "S: a OK ...",
     "C: a SUBSCRIBE gone", "S: a OK ...",
     "C: a LIST (SUBSCRIBED RECURSIVEMATCH) \"\" (f% g% I%) RETURN (STATUS (MESSAGES))",
         "S: * LIST (\\HasNoChildren \\Subscribed) \"/\" INBOX", "S: * STATUS INBOX (MESSAGES 2)",
         "S: * LIST (\\HasChildren \\Noselect) \"/\" foo (\"CHILDINFO\" (\"SUBSCRIBED\"))",
         "S: * LIST (\\HasNoChildren \\NonExistent \\Subscribed) \"/\" gone", "S: a OK ...",
     "C: a LIST \"\" * RETURN (STATUS (MESSAGES COLOUR))", "S: a BAD ...",
     "C: a LIST \"\" * RETURN (STATUS ())", "S: a BAD ...", NULL}},
    {"STATUS, every item", 3, {
     "C: a SELECT INBOX", "S: * FLAGS ...", "S: * OK ...", "S: * 3 EXISTS", "S: * 3 RECENT", "S: * OK ...",
         "S: * OK ...", "S: * OK ...", "S: * OK ...", "S: * OK ...", "S: a OK ...",
     "C: a STORE 1 +FLAGS.SILENT (\\Deleted \\Seen)", "S: a OK ...",
     "C: a APPEND Archive {5+}", "C: 12345", "S: a OK ...",
     "C: a STATUS INBOX (DELETED SIZE DELETED-STORAGE MAILBOXID)",
         "S: * STATUS INBOX (DELETED 1 SIZE ~ DELETED-STORAGE 299 MAILBOXID (F1))", "S: a OK ...",
     "C: a STATUS Archive (SIZE APPENDLIMIT RECENT MESSAGES DELETED-STORAGE)",
         "S: * STATUS Archive (MESSAGES 1 RECENT 1 SIZE 5 DELETED-STORAGE 0 APPENDLIMIT 100000)", "S: a OK ...",
     "C: a STATUS Archive (HIGHESTMODSEQ)", "S: * OK [HIGHESTMODSEQ ~] ...", "S: * STATUS Archive (HIGHESTMODSEQ ~)",
         "S: a OK ...", NULL}},
    {"6154 SPECIAL-USE in LIST", 0, {
     "C: a LIST (SPECIAL-USE) \"\" *", "S: * LIST (\\HasNoChildren \\Archive) \"/\" Archive",
         "S: * LIST (\\HasNoChildren \\Drafts) \"/\" Drafts", "S: * LIST (\\HasNoChildren \\Junk) \"/\" Junk",
         "S: * LIST (\\HasNoChildren \\Sent) \"/\" Sent", "S: * LIST (\\HasNoChildren \\Trash) \"/\" Trash",
         "S: a OK ...",
     "C: a UNSUBSCRIBE Junk", "S: a OK ...",
     "C: a LIST (SUBSCRIBED SPECIAL-USE) \"\" (J* S*) RETURN (SPECIAL-USE)",
         "S: * LIST (\\HasNoChildren \\Sent \\Subscribed) \"/\" Sent", "S: a OK ...", NULL}},
    {"8440 LIST-MYRIGHTS, and what a guest sees", 1, {
     "U2: ben@example.test",
     "C: a SETACL INBOX ben@example.test lrs", "S: a OK ...",
     "C: a CREATE foo/bar", "S: a OK ...",
     "C: a SETACL foo/bar ben@example.test l", "S: a OK ...",
     "C: a SUBSCRIBE none", "S: a OK ...",
     "C: a LIST (SUBSCRIBED) \"\" (none INBOX) RETURN (MYRIGHTS)",
         "S: * LIST (\\HasNoChildren \\Subscribed) \"/\" INBOX", "S: * MYRIGHTS INBOX lrswipkxtecda",
         "S: * LIST (\\HasNoChildren \\NonExistent \\Subscribed) \"/\" none", "S: a OK ...",
     "C2: a LIST \"\" * RETURN (MYRIGHTS STATUS (MESSAGES) SUBSCRIBED)", "S2: * LIST (\\HasNoChildren) \"/\" INBOX",
         "S2: * MYRIGHTS INBOX lrs", "S2: * STATUS INBOX (MESSAGES 1)", "S2: * LIST (\\HasNoChildren) \"/\" foo/bar",
         "S2: * MYRIGHTS foo/bar l", "S2: a OK ...",
     /* the level above is no mailbox for the guest */
     "C2: a LIST \"\" %", "S2: * LIST (\\HasNoChildren) \"/\" INBOX", "S2: * LIST (\\HasChildren \\Noselect) \"/\" foo",
         "S2: a OK ...",
     "C2: a LIST \"\" (%)", "S2: * LIST (\\HasNoChildren) \"/\" INBOX",
         "S2: * LIST (\\HasChildren \\NonExistent) \"/\" foo", "S2: a OK ...",
     "C2: a LIST (SUBSCRIBED) \"\" *", "S2: a OK ...", NULL}},
};
// clang-format on

static void scripts_by_section(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(SCRIPTS); i++)
        imap_run_script(&SCRIPTS[i]);
}

#define MANY 10000

/* As if they had been made one by one: n mailboxes "m/00001" and so on, subscribed. */
static void make_many(struct imap_fixture *f)
{
    static const struct sql_statement FILL = {
        .pgsql = "INSERT INTO mailbox(id, name, role, selectable, uidvalidity, uidnext, first_recent, "
                 "highestmodseq,"
                 " messages, unseen, deleted, size)"
                 " SELECT i, 'm/' || lpad(i::text, 5, '0'), 0, 1, 1, 1, 1, 1, 0, 0, 0, 0"
                 " FROM generate_series(100, 99 + $1) AS i",
        .text = "WITH RECURSIVE n(i) AS (VALUES(100) UNION ALL SELECT i + 1 FROM n WHERE i < 99 + $1)"
                " INSERT INTO mailbox(id, name, role, selectable, uidvalidity, uidnext, first_recent, "
                "highestmodseq,"
                " messages, unseen, deleted, size)"
                " SELECT i, printf('m/%05d', i), 0, 1, 1, 1, 1, 1, 0, 0, 0, 0 FROM n"};
    static const struct sql_statement SUBSCRIBE = {
        "INSERT INTO subscription(name) SELECT name FROM mailbox WHERE id >= 100"};
    struct err e = ERR_INIT;
    assert_int_equal(store_mailbox_create(f->store, STR("m"), MAILBOX_NO_ROLE, &e), STORE_OK);
    CLEAN_SQL struct sql *db = imap_open_sql(f);
    assert_true(sql_exec(db, &FILL, SQL(sql_int(MANY)), NULL, &e));
    assert_true(sql_exec(db, &SUBSCRIBE, SQL_NONE, NULL, &e));
}

/* How many untagged lines come before the tagged one. */
static size_t count_lines(struct imap_fixture *f, const char *command)
{
    struct imap_client *c = &f->clients[0];
    imap_run_line(f, "many", command);
    for (size_t n = 0;; n++)
        if (!str_starts(imap_read_answer(c), STR("* ")))
            return n;
}

static void ten_thousand_mailboxes_are_listed(void **state)
{
    (void)state;
    struct imap_fixture f;
    imap_open_fixture(&f);
    make_many(&f);
    assert_int_equal(count_lines(&f, "C: a LIST \"\" *"), MANY + 7);
    assert_int_equal(count_lines(&f, "C: a LIST \"\" %"), 7);
    assert_int_equal(count_lines(&f, "C: a LIST \"\" m/% RETURN (STATUS (MESSAGES UIDNEXT SIZE))"), 2 * MANY);
    assert_int_equal(count_lines(&f, "C: a LIST (SUBSCRIBED RECURSIVEMATCH) \"\" *"), MANY + 6);
    assert_int_equal(count_lines(&f, "C: a LSUB \"\" %"), 7);
    imap_close_fixture(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_read),
        cmocka_unit_test(what_is_no_request_is_refused),
        cmocka_unit_test(scripts_by_section),
        cmocka_unit_test(ten_thousand_mailboxes_are_listed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
