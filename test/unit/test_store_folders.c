#include "store_fixture.h"

#include "base/sql.h"

#include <sys/stat.h>

static enum store_result create(struct fixture *f, const char *name)
{
    return store_mailbox_create(f->store, str_from_c(name), MAILBOX_NO_ROLE, &f->e);
}

static enum store_result delete (struct fixture *f, const char *name) {
    return store_mailbox_delete(f->store, str_from_c(name), &f->e);
}

static enum store_result rename_to(struct fixture *f, const char *from, const char *to)
{
    return store_mailbox_rename(f->store, str_from_c(from), str_from_c(to), &f->e);
}

static bool is_there(struct fixture *f, const char *name)
{
    struct mailbox m;
    enum store_result r = store_mailbox_find(f->store, str_from_c(name), &f->arena, &m, &f->e);
    assert_true(r == STORE_OK || r == STORE_NONE);
    return r == STORE_OK;
}

/* "INBOX,Archive,..." of all mailboxes; "-" stands before those that cannot be selected. */
static const char *names(struct fixture *f)
{
    struct mailbox_list l;
    assert_int_equal(store_mailbox_list(f->store, &f->arena, &l, &f->e), STORE_OK);
    struct str all = STR("");
    for (size_t i = 0; i < l.n; i++)
        all = arena_printf(&f->arena, "%.*s%s%s%.*s", STR_ARGS(all), i ? "," : "",
                           l.v[i].selectable ? "" : "-", STR_ARGS(l.v[i].name));
    return arena_copy_c(&f->arena, all);
}

static const char *subscriptions(struct fixture *f)
{
    struct str *v, all = STR("");
    size_t n;
    assert_int_equal(store_subscriptions(f->store, &f->arena, &v, &n, &f->e), STORE_OK);
    for (size_t i = 0; i < n; i++)
        all = arena_printf(&f->arena, "%.*s%s%.*s", STR_ARGS(all), i ? "," : "", STR_ARGS(v[i]));
    return arena_copy_c(&f->arena, all);
}

static void a_new_account_has_its_mailboxes(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(names(f), "INBOX,Archive,Drafts,Junk,Sent,Trash");
    assert_string_equal(subscriptions(f), "INBOX,Archive,Drafts,Junk,Sent,Trash");
    struct mailbox inbox = mailbox_named(f, "inBox"), junk = mailbox_named(f, "Junk/");
    assert_true(str_eq(inbox.name, STR("INBOX")));
    assert_int_equal(inbox.role, MAILBOX_INBOX);
    assert_int_equal(junk.role, MAILBOX_JUNK);
    assert_true(inbox.selectable && inbox.subscribed && !inbox.has_children);
    assert_int_equal(inbox.uidnext, 1);
    assert_int_equal(inbox.messages, 0);
    assert_true(inbox.uidvalidity > 1000000000);
    assert_true(inbox.highestmodseq >= 1);
    struct stat st;
    if (engine() == ENGINE_SQLITE) {
        assert_int_equal(stat(f->path, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0700);
    }
    struct mailbox m;
    assert_int_equal(store_mailbox_by_id(f->store, inbox.id, &f->arena, &m, &f->e), STORE_OK);
    assert_int_equal(store_mailbox_by_id(f->store, 0, &f->arena, &m, &f->e), STORE_NONE); /* the root */
    assert_int_equal(store_mailbox_by_id(f->store, 999, &f->arena, &m, &f->e), STORE_NONE);
    assert_false(is_there(f, "sent")); /* INBOX alone knows no case */
    assert_false(is_there(f, ""));
}

static void opens_again_as_it_was(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(create(f, "Work/2026"), STORE_OK);
    append(f, id_of(f, "Work/2026"), STR("Subject: x\r\n\r\n"), 0, "");
    store_close(f->store);
    fixture_open(f);
    assert_non_null(f->store);
    assert_int_equal(mailbox_named(f, "Work/2026").messages, 1);
    assert_null(store_open("/no-such-folder/account", &f->e));
    assert_int_equal(f->e.kind, ERR_TEMPORARY);
}

static void a_newer_schema_is_refused(void **state)
{
    struct fixture *f = *state;
    static const struct sql_statement NEWER = {"PRAGMA user_version=1000",
                                               .pgsql = "UPDATE schema_version SET number = 1000"},
                                      AS_IT_WAS = {"", .pgsql = "UPDATE schema_version SET number = $1"};
    store_close(f->store);
    struct sql *db = fixture_sql(f);
    assert_true(sql_exec(db, &NEWER, SQL_NONE, NULL, &f->e));
    f->store = store_open_at(&f->beside, &f->e);
    assert_null(f->store);
    assert_int_equal(f->e.kind, ERR_INTERNAL);
    assert_non_null(strstr(f->e.text, "number 1000"));
    if (engine() != ENGINE_SQLITE) /* other tests' accounts are in there too */
        assert_true(sql_exec(db, &AS_IT_WAS, SQL(sql_int((int64_t)MAIL_SCHEMA.count)), NULL, &f->e));
    sql_close(db);
}

static void parents_are_made(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(create(f, "a/b/c/"), STORE_OK);
    assert_string_equal(names(f), "INBOX,Archive,Drafts,Junk,Sent,Trash,a,a/b,a/b/c");
    assert_true(mailbox_named(f, "a").has_children && mailbox_named(f, "a/b").has_children);
    assert_false(mailbox_named(f, "a/b/c").has_children);
    assert_false(mailbox_named(f, "a").subscribed);
    assert_int_equal(create(f, "a/b"), STORE_EXISTS);
    assert_int_equal(create(f, "inbox"), STORE_EXISTS);
    assert_int_equal(create(f, "inbox/sub"), STORE_OK);
    assert_true(is_there(f, "INBOX/sub"));
    assert_true(mailbox_named(f, "INBOX").has_children);
    assert_true(mailbox_named(f, "a").uidvalidity < mailbox_named(f, "a/b").uidvalidity);
    /* Names that only begin alike are no children. */
    assert_int_equal(create(f, "b-c"), STORE_OK);
    assert_int_equal(create(f, "b"), STORE_OK);
    assert_int_equal(create(f, "b.c"), STORE_OK);
    assert_int_equal(create(f, "b0"), STORE_OK);
    assert_false(mailbox_named(f, "b").has_children);
}

static void names_have_rules(void **state)
{
    struct fixture *f = *state;
    static const char *const BAD[] = {"",
                                      "/",
                                      "/a",
                                      "a//b",
                                      "a//",
                                      "//",
                                      "tab\there",
                                      "nul\x01",
                                      "del\x7f",
                                      "c1\xc2\x85",
                                      "bad\xff",
                                      "cut\xe2\x80",
                                      "ls\xe2\x80\xa8",
                                      "long\xc0\xaf",
                                      "cr\r\n"};
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        assert_int_equal(create(f, BAD[i]), STORE_INVALID);
        assert_int_equal(f->e.kind, ERR_PERMANENT);
        assert_int_equal(delete (f, BAD[i]), STORE_NONE);
        assert_int_equal(rename_to(f, BAD[i], "good"), STORE_NONE);
        assert_int_equal(rename_to(f, "Sent", BAD[i]), STORE_INVALID);
        assert_int_equal(store_subscribe(f->store, str_from_c(BAD[i]), true, &f->e), STORE_INVALID);
        assert_false(is_there(f, BAD[i]));
    }
    assert_int_equal(store_mailbox_create(f->store, STR("nul\0x"), MAILBOX_NO_ROLE, &f->e), STORE_INVALID);
    char name[MAILBOX_NAME_MAX + 2];
    memset(name, 'x', sizeof name);
    name[MAILBOX_NAME_MAX + 1] = '\0';
    assert_int_equal(create(f, name), STORE_LIMIT);
    name[MAILBOX_NAME_MAX] = '\0';
    assert_int_equal(create(f, name), STORE_OK);
    char deep[2 * MAILBOX_DEPTH_MAX + 2] = "";
    for (int i = 0; i < MAILBOX_DEPTH_MAX; i++)
        memcpy(deep + 2 * i, "d/", 3);
    assert_int_equal(create(f, deep), STORE_OK);
    memcpy(deep + 2 * MAILBOX_DEPTH_MAX, "d", 2);
    assert_int_equal(create(f, deep), STORE_LIMIT);
    assert_int_equal(rename_to(f, "d", "Sent/d"), STORE_LIMIT); /* a child would be too deep */
    assert_true(is_there(f, "d/d"));
    assert_false(is_there(f, "Sent/d"));
    /* One name, however it is composed. */
    assert_int_equal(create(f, "Entwu\xcc\x88rfe"), STORE_OK);
    assert_int_equal(create(f, "Entw\xc3\xbcrfe"), STORE_EXISTS);
    assert_true(str_eq(mailbox_named(f, "Entwu\xcc\x88rfe").name, STR("Entw\xc3\xbcrfe")));
    assert_int_equal(create(f, "100%*"), STORE_OK);
}

static void deleting(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(delete (f, "INBOX"), STORE_INVALID);
    assert_int_equal(delete (f, "inbox"), STORE_INVALID);
    assert_int_equal(delete (f, "nowhere"), STORE_NONE);
    assert_int_equal(create(f, "a/b"), STORE_OK);
    struct mailbox a = mailbox_named(f, "a");
    append(f, a.id, STR("x"), 0, "");
    assert_int_equal(delete (f, "a"), STORE_OK);
    assert_false(mailbox_named(f, "a").selectable);
    assert_int_equal(mailbox_named(f, "a").messages, 0);
    assert_int_equal(mailbox_named(f, "a").size, 0);
    assert_int_equal(delete (f, "a"), STORE_INVALID);

    struct view_changes changes;
    assert_int_equal(store_view_changes(f->store, a.id, 0, &f->arena, &changes, &f->e), STORE_NONE);
    struct store_append item = {.mailbox = a.id, .bytes = STR("x")};
    assert_int_equal(store_append(f->store, &item, 1, &f->e), STORE_OK);
    assert_int_equal(item.result, STORE_NONE);

    assert_int_equal(create(f, "a"), STORE_OK); /* it comes back, its uids going on */
    assert_true(mailbox_named(f, "a").selectable);
    assert_true(append(f, id_of(f, "a"), STR("x"), 0, "") == 2);
    assert_int_equal(delete (f, "a"), STORE_OK);
    assert_int_equal(delete (f, "a/b"), STORE_OK);
    assert_int_equal(delete (f, "a"), STORE_OK);
    assert_false(is_there(f, "a"));

    uint32_t before = mailbox_named(f, "Drafts").uidvalidity;
    int64_t id = id_of(f, "Drafts");
    uint64_t known = store_highestmodseq(f->store, id);
    append(f, id, STR("x"), 0, "");
    assert_int_not_equal(store_highestmodseq(f->store, id), known);
    assert_int_equal(delete (f, "Drafts"), STORE_OK);
    assert_int_equal(store_highestmodseq(f->store, id), 0);
    assert_int_equal(store_view_changes(f->store, id, 0, &f->arena, &changes, &f->e), STORE_NONE);
    assert_int_equal(store_mailbox_create(f->store, STR("Drafts"), MAILBOX_DRAFTS, &f->e), STORE_OK);
    struct mailbox made = mailbox_named(f, "Drafts");
    assert_true(made.uidvalidity > before);
    assert_int_not_equal(made.id, id);
    assert_int_equal(made.role, MAILBOX_DRAFTS);
    assert_int_equal(store_mailbox_create(f->store, STR("Other"), MAILBOX_DRAFTS, &f->e), STORE_EXISTS);
}

static void renaming(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(create(f, "\xc3\xa4/b/c"), STORE_OK);
    assert_int_equal(create(f, "\xc3\xa4-b"), STORE_OK);
    uint32_t uid = append(f, id_of(f, "\xc3\xa4/b"), STR("body"), 0, "");
    int64_t id = id_of(f, "\xc3\xa4/b");
    assert_int_equal(rename_to(f, "nowhere", "x"), STORE_NONE);
    assert_int_equal(rename_to(f, "\xc3\xa4", "Sent"), STORE_EXISTS);
    assert_int_equal(rename_to(f, "\xc3\xa4", "INBOX"), STORE_EXISTS);
    assert_int_equal(rename_to(f, "\xc3\xa4", "\xc3\xa4"), STORE_EXISTS);
    assert_int_equal(rename_to(f, "\xc3\xa4", "\xc3\xa4/x"), STORE_INVALID);
    assert_int_equal(rename_to(f, "\xc3\xa4", "new/place/here"), STORE_OK);
    assert_string_equal(names(f), "INBOX,Archive,Drafts,Junk,Sent,Trash,new,new/place,new/place/here,"
                                  "new/place/here/b,new/place/here/b/c,\xc3\xa4-b");
    assert_int_equal(id_of(f, "new/place/here/b"), id);
    assert_int_equal(message_at(f, id, uid).size, 4);
    assert_int_equal(rename_to(f, "new/place/here/b", "b"), STORE_OK);
    assert_true(is_there(f, "b/c"));
    assert_int_equal(rename_to(f, "Sent", "Gesendet"), STORE_OK);
    assert_int_equal(mailbox_named(f, "Gesendet").role, MAILBOX_SENT);
}

static void renaming_inbox_moves_its_messages(void **state)
{
    struct fixture *f = *state;
    int64_t inbox = id_of(f, "INBOX");
    assert_int_equal(create(f, "INBOX/child"), STORE_OK);
    for (int i = 0; i < 5; i++)
        append(f, inbox, STR("Subject: one\r\n\r\nbody"), i % 2 ? FLAG_SEEN : 0, i == 3 ? "blue" : "");
    uint64_t since = mailbox_named(f, "INBOX").highestmodseq;
    assert_int_equal(rename_to(f, "inbox", "Old/mail"), STORE_OK);
    struct mailbox old = mailbox_named(f, "Old/mail"), now = mailbox_named(f, "INBOX");
    assert_int_equal(now.id, inbox);
    assert_int_equal(now.messages, 0);
    assert_int_equal(now.unseen, 0);
    assert_int_equal(now.size, 0);
    assert_int_equal(now.uidnext, 6);
    assert_int_equal(old.messages, 5);
    assert_int_equal(old.unseen, 3);
    assert_true(is_there(f, "INBOX/child"));
    assert_true(str_eq(message_at(f, old.id, 4).keywords, STR("blue")));
    struct view_changes changes;
    assert_int_equal(store_view_changes(f->store, inbox, since, &f->arena, &changes, &f->e), STORE_OK);
    assert_int_equal(changes.expunged_count, 5);
    assert_int_equal(changes.changed_count, 0);
    assert_int_equal(rename_to(f, "INBOX", "Old/mail"), STORE_EXISTS);
    assert_int_equal(rename_to(f, "INBOX", "INBOX/again"), STORE_OK);
}

static void subscriptions_outlive_mailboxes(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(store_subscribe(f->store, STR("not/there"), true, &f->e), STORE_OK);
    assert_int_equal(store_subscribe(f->store, STR("not/there"), true, &f->e), STORE_OK);
    assert_int_equal(delete (f, "Sent"), STORE_OK);
    assert_string_equal(subscriptions(f), "INBOX,Archive,Drafts,Junk,Sent,Trash,not/there");
    assert_int_equal(create(f, "not/there"), STORE_OK);
    assert_true(mailbox_named(f, "not/there").subscribed);
    assert_int_equal(store_subscribe(f->store, STR("inbox"), false, &f->e), STORE_OK);
    assert_int_equal(store_subscribe(f->store, STR("never"), false, &f->e), STORE_OK);
    assert_false(mailbox_named(f, "INBOX").subscribed);
    assert_string_equal(subscriptions(f), "Archive,Drafts,Junk,Sent,Trash,not/there");
}

static void there_is_a_most_mailboxes(void **state)
{
    struct fixture *f = *state;
    /* As if they had been made one by one, which would take a while under the sanitizers. */
    static const struct sql_statement FILL = {
        "WITH RECURSIVE n(i) AS (VALUES(100) UNION ALL SELECT i + 1 FROM n WHERE i < 100 + $1)"
        " INSERT INTO mailbox(id, name, role, selectable, uidvalidity, uidnext, first_recent, highestmodseq,"
        " messages, unseen, deleted, size) SELECT i, 'm' || i, 0, 1, 1, 1, 1, 1, 0, 0, 0, 0 FROM n"};
    static const struct sql_statement COUNT_THEM = {
        "UPDATE mailbox SET unseen = (SELECT count(*) FROM mailbox b WHERE b.id > 0) WHERE id = 0"};
    CLEAN_SQL struct sql *db = fixture_sql(f);
    assert_true(sql_exec(db, &FILL, SQL(sql_int(MAILBOX_COUNT_MAX - 6 - 3)), NULL, &f->e));
    assert_true(sql_exec(db, &COUNT_THEM, SQL_NONE, NULL, &f->e));
    assert_int_equal(create(f, "x/y/z"), STORE_LIMIT);
    assert_false(is_there(f, "x")); /* all or nothing */
    assert_int_equal(create(f, "x/y"), STORE_OK);
    assert_int_equal(create(f, "z"), STORE_LIMIT);
    assert_int_equal(f->e.kind, ERR_PERMANENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(a_new_account_has_its_mailboxes),
        STORE_TEST(opens_again_as_it_was),
        STORE_TEST(a_newer_schema_is_refused),
        STORE_TEST(parents_are_made),
        STORE_TEST(names_have_rules),
        STORE_TEST(deleting),
        STORE_TEST(renaming),
        STORE_TEST(renaming_inbox_moves_its_messages),
        STORE_TEST(subscriptions_outlive_mailboxes),
        STORE_TEST(there_is_a_most_mailboxes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
