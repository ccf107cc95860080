/* The mailbox Recently Deleted: what goes into it, how it comes out, and when it goes. */
#include "store_fixture.h"

#include "base/clock.h"
#include "mailbox/rights.h"

static const char NAME[] = RECENTLY_DELETED;
static const struct sql_statement BODIES = {"SELECT count(*) FROM body"};
static const struct sql_statement FULLY_KEPT = {"SELECT count(*) FROM expunged WHERE body > 0"};
static const struct sql_statement AGE_ROWS = {"UPDATE message SET saved = saved - $1"};
static const struct sql_statement AGE_TOMBSTONES = {"UPDATE expunged SET expunged_at = expunged_at - $1"};

static size_t expunge(struct fixture *f, int64_t mailbox, const uint32_t *uids, size_t n, bool regardless)
{
    uint32_t *gone;
    size_t count;
    assert_int_equal(store_expunge(f->store, mailbox, uids, n, regardless, &f->arena, &gone, &count, &f->e),
                     STORE_OK);
    return count;
}

static enum store_result transfer(struct fixture *f, int64_t from, const uint32_t *uids, size_t n, int64_t to,
                                  unsigned how)
{
    uint32_t *from_uids, *to_uids, validity;
    return store_copy(f->store, from, uids, n, to, how, NULL, &f->arena, &from_uids, &to_uids, &n, &validity,
                      &f->e);
}

static bool is_there(struct fixture *f, const char *name)
{
    struct mailbox m;
    return store_mailbox_find(f->store, str_from_c(name), &f->arena, &m, &f->e) == STORE_OK;
}

static size_t lost(struct fixture *f, struct store_lost **v)
{
    size_t n;
    assert_int_equal(store_lost_list(f->store, INT64_MIN, &f->arena, v, &n, &f->e), STORE_OK);
    return n;
}

static struct quota quota_of(struct fixture *f)
{
    struct quota q;
    assert_int_equal(store_quota(f->store, &q, &f->e), STORE_OK);
    return q;
}

static int64_t count(struct fixture *f, const struct sql_statement *of)
{
    struct sql *db = fixture_sql(f);
    int64_t n = -1;
    assert_int_equal(sql_one_int(db, of, SQL_NONE, &n, &f->e), 1);
    sql_close(db);
    return n;
}

/* As if so much time had passed. */
static void age(struct fixture *f, int64_t seconds)
{
    struct sql *db = fixture_sql(f);
    assert_true(sql_exec(db, &AGE_ROWS, SQL(sql_int(seconds)), NULL, &f->e));
    assert_true(sql_exec(db, &AGE_TOMBSTONES, SQL(sql_int(seconds)), NULL, &f->e));
    sql_close(db);
}

/* Two runs of INBOX, expunged together. */
static int64_t five_of_which_three_are_expunged(struct fixture *f)
{
    int64_t inbox = id_of(f, "INBOX");
    for (int i = 1; i <= 5; i++) {
        char text[30];
        snprintf(text, sizeof text, "Subject: %d\r\n\r\nbody", i);
        append(f, inbox, str_from_c(text), i == 3 ? 0 : FLAG_DELETED | FLAG_SEEN, i == 4 ? "$Label" : "");
    }
    store_keep_deleted(f->store, true);
    assert_int_equal(expunge(f, inbox, (uint32_t[]){1, 2, 3, 4}, 4, false), 3);
    return inbox;
}

static void off_there_is_none(void **state)
{
    struct fixture *f = *state;
    int64_t inbox = id_of(f, "INBOX");
    append(f, inbox, STR("x"), FLAG_DELETED, "");
    assert_int_equal(expunge(f, inbox, NULL, 0, false), 1);
    assert_false(is_there(f, NAME));
}

static void what_is_expunged_is_copied(void **state)
{
    struct fixture *f = *state;
    int64_t inbox = five_of_which_three_are_expunged(f);
    struct mailbox m = mailbox_named(f, NAME);
    assert_int_equal(m.role, MAILBOX_RECENTLY_DELETED);
    assert_true(m.subscribed && m.selectable && !m.has_children);
    assert_true(m.messages == 3 && m.unseen == 0 && m.deleted == 0 && m.size == 54 && m.uidnext == 4);
    assert_int_equal(m.highestmodseq, mailbox_named(f, "INBOX").highestmodseq);
    struct message_row row = message_at(f, m.id, 3);
    assert_int_equal(row.flags, FLAG_SEEN);
    assert_int_equal(row.modseq, m.highestmodseq);
    assert_true(str_eq(row.keywords, STR("$Label")));
    assert_int_equal(row.received, 1700000000);
    assert_int_equal(row.zone, 60);
    assert_true(row.saved >= clock_wall() - 60);
    CLEAN_BUF struct buf bytes;
    buf_init(&bytes, 1000);
    assert_int_equal(read_body(f, m.id, 3, 0, 100, &bytes), STORE_OK);
    assert_true(str_eq(buf_str(&bytes), STR("Subject: 4\r\n\r\nbody")));
    assert_int_equal(mailbox_named(f, "INBOX").messages, 2);
    uint32_t *uids;
    size_t n;
    bool is_complete;
    assert_int_equal(store_view_expunged(f->store, inbox, 1, &f->arena, &uids, &n, &is_complete, &f->e),
                     STORE_OK);
    assert_true(n == 3 && is_complete && uids[0] == 1 && uids[1] == 2 && uids[2] == 4);
    struct view_changes changes;
    append(f, inbox, STR("z"), FLAG_DELETED, "");
    assert_int_equal(expunge(f, inbox, NULL, 0, false), 2);
    assert_int_equal(store_view_changes(f->store, m.id, m.highestmodseq, &f->arena, &changes, &f->e),
                     STORE_OK);
    assert_true(changes.changed_count == 2 && changes.changed[0].uid == 4 && changes.expunged_count == 0);
}

static void moves_and_other_mailboxes_that_go(void **state)
{
    struct fixture *f = *state;
    int64_t inbox = id_of(f, "INBOX");
    store_keep_deleted(f->store, true);
    append(f, inbox, STR("a"), 0, "");
    assert_int_equal(transfer(f, inbox, NULL, 0, id_of(f, "Archive"), COPY_MOVE), STORE_OK);
    assert_int_equal(store_mailbox_rename(f->store, STR("INBOX"), STR("Old"), &f->e), STORE_OK);
    assert_false(is_there(f, NAME)); /* nothing was lost yet */
    assert_int_equal(store_mailbox_delete(f->store, STR("Archive"), &f->e), STORE_OK);
    assert_int_equal(mailbox_named(f, NAME).messages, 1);
    int64_t drafts = id_of(f, "Drafts");
    struct store_replaced old = {.mailbox = drafts, .uid = append(f, drafts, STR("draft"), 0, "")};
    struct store_append new = {.mailbox = drafts, .bytes = STR("better draft")};
    assert_int_equal(store_append_all(f->store, &new, 1, &old, &f->e), STORE_OK);
    assert_int_equal(message_at(f, id_of(f, NAME), 2).size, 5);
}

static void moved_out_it_is_back(void **state)
{
    struct fixture *f = *state;
    struct store_lost *v;
    int64_t inbox = five_of_which_three_are_expunged(f), deleted = id_of(f, NAME);
    assert_int_equal(lost(f, &v), 3);
    assert_int_equal(transfer(f, deleted, (uint32_t[]){2}, 1, inbox, COPY_MOVE), STORE_OK);
    assert_int_equal(transfer(f, deleted, (uint32_t[]){3}, 1, inbox, COPY_ONLY), STORE_OK);
    assert_int_equal(mailbox_named(f, "INBOX").messages, 4);
    assert_int_equal(mailbox_named(f, NAME).messages, 2);
    assert_int_equal(lost(f, &v), 1);
    assert_true(str_eq(v[0].name, STR("INBOX")) && v[0].row.uid == 1);
    CLEAN_BUF struct buf bytes;
    buf_init(&bytes, 1000);
    assert_int_equal(store_purge(f->store, clock_wall() + 60, 0, &f->e), STORE_OK);
    assert_int_equal(read_body(f, inbox, 6, 0, 100, &bytes), STORE_OK);
    assert_true(str_eq(buf_str(&bytes), STR("Subject: 2\r\n\r\nbody")));
}

static void undelete_takes_it_out(void **state)
{
    struct fixture *f = *state;
    struct store_lost *v;
    size_t restored;
    five_of_which_three_are_expunged(f);
    assert_int_equal(lost(f, &v), 3);
    assert_int_equal(store_undelete(f->store, v + 1, 2, &restored, &f->e), STORE_OK);
    assert_int_equal(restored, 2);
    struct mailbox m = mailbox_named(f, NAME);
    assert_int_equal(m.messages, 1);
    assert_int_equal(message_at(f, m.id, 1).size, 18);
    assert_int_equal(mailbox_named(f, "INBOX").messages, 4);
    assert_int_equal(lost(f, &v), 1);
}

static void expunged_there_it_stays_lost_and_leaves_no_copy(void **state)
{
    struct fixture *f = *state;
    struct store_lost *v;
    size_t restored;
    five_of_which_three_are_expunged(f);
    int64_t deleted = id_of(f, NAME);
    assert_int_equal(expunge(f, deleted, NULL, 0, true), 3);
    assert_int_equal(mailbox_named(f, NAME).messages, 0);
    assert_int_equal(lost(f, &v), 3);
    for (int i = 0; i < 3; i++)
        assert_true(str_eq(v[i].name, STR("INBOX")));
    uint32_t *uids;
    size_t n;
    bool is_complete;
    assert_int_equal(store_view_expunged(f->store, deleted, 1, &f->arena, &uids, &n, &is_complete, &f->e),
                     STORE_OK);
    assert_true(n == 3 && is_complete);
    assert_int_equal(store_undelete(f->store, v, 3, &restored, &f->e), STORE_OK);
    assert_int_equal(restored, 3);
}

static void nothing_is_put_into_it(void **state)
{
    struct fixture *f = *state;
    store_keep_deleted(f->store, true);
    assert_int_equal(store_mailbox_create(f->store, STR("Recently Deleted/"), MAILBOX_NO_ROLE, &f->e),
                     STORE_INVALID);
    assert_int_equal(store_mailbox_rename(f->store, STR("Junk"), STR("Recently Deleted"), &f->e),
                     STORE_INVALID);
    int64_t inbox = five_of_which_three_are_expunged(f), deleted = id_of(f, NAME);
    struct store_append item = {.mailbox = deleted, .bytes = STR("x")};
    assert_int_equal(store_append(f->store, &item, 1, &f->e), STORE_OK);
    assert_int_equal(item.result, STORE_FORBIDDEN);
    assert_int_equal(transfer(f, inbox, NULL, 0, deleted, COPY_ONLY), STORE_FORBIDDEN);
    assert_int_equal(transfer(f, inbox, NULL, 0, deleted, COPY_MOVE), STORE_FORBIDDEN);
    assert_int_equal(transfer(f, deleted, NULL, 0, deleted, COPY_ONLY), STORE_FORBIDDEN);
    assert_int_equal(store_mailbox_delete(f->store, STR(RECENTLY_DELETED), &f->e), STORE_INVALID);
    assert_int_equal(store_mailbox_rename(f->store, STR(RECENTLY_DELETED), STR("Mine"), &f->e),
                     STORE_INVALID);
    assert_int_equal(store_mailbox_create(f->store, STR("Recently Deleted/a/b"), MAILBOX_NO_ROLE, &f->e),
                     STORE_INVALID);
    assert_int_equal(store_mailbox_rename(f->store, STR("Junk"), STR("Recently Deleted/Junk"), &f->e),
                     STORE_INVALID);
    unsigned rights;
    assert_int_equal(store_rights(f->store, deleted, STR("ana@x.test"), true, &rights, &f->e), STORE_OK);
    assert_int_equal(rights, RIGHTS_RECENTLY_DELETED);
    assert_int_equal(mailbox_named(f, NAME).messages, 3);
    assert_int_equal(mailbox_named(f, "INBOX").messages, 2);
}

static void a_users_mailbox_of_that_name_stays_the_users(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(store_mailbox_create(f->store, STR(RECENTLY_DELETED), MAILBOX_NO_ROLE, &f->e), STORE_OK);
    append(f, id_of(f, NAME), STR("mine"), 0, "");
    five_of_which_three_are_expunged(f);
    assert_int_equal(mailbox_named(f, NAME).messages, 1);
    assert_int_equal(mailbox_named(f, "Recently Deleted 2").messages, 3);
    assert_int_equal(mailbox_named(f, "Recently Deleted 2").role, MAILBOX_RECENTLY_DELETED);
    assert_int_equal(expunge(f, id_of(f, NAME), NULL, 0, true), 1);
    assert_int_equal(mailbox_named(f, "Recently Deleted 2").messages, 4);
}

static void it_counts_for_no_quota(void **state)
{
    struct fixture *f = *state;
    uint64_t mailboxes = quota_of(f).used[QUOTA_MAILBOXES];
    assert_int_equal(store_set_own_quota(f->store, (uint64_t[]){QUOTA_NONE, QUOTA_NONE, mailboxes}, &f->e),
                     STORE_OK);
    int64_t inbox = five_of_which_three_are_expunged(f), deleted = id_of(f, NAME);
    assert_int_equal(quota_of(f).used[QUOTA_MESSAGES], 2);
    assert_int_equal(quota_of(f).used[QUOTA_BYTES], 36);
    assert_int_equal(quota_of(f).used[QUOTA_MAILBOXES], mailboxes);
    assert_int_equal(store_set_quota(f->store, QUOTA_NONE, 3, &f->e), STORE_OK);
    assert_int_equal(transfer(f, deleted, (uint32_t[]){1}, 1, inbox, COPY_MOVE), STORE_OK);
    assert_int_equal(quota_of(f).used[QUOTA_MESSAGES], 3);
    assert_int_equal(transfer(f, deleted, (uint32_t[]){2}, 1, inbox, COPY_MOVE), STORE_OVERQUOTA);
    assert_int_equal(mailbox_named(f, NAME).messages, 2);
    assert_int_equal(expunge(f, inbox, NULL, 0, true), 3);
    assert_int_equal(quota_of(f).used[QUOTA_BYTES], 0);
    assert_int_equal(expunge(f, deleted, NULL, 0, true), 5);
    store_keep_deleted(f->store, false);
    assert_int_equal(store_purge(f->store, clock_wall() + 60, 0, &f->e), STORE_OK);
    assert_false(is_there(f, NAME));
    assert_int_equal(quota_of(f).used[QUOTA_MESSAGES], 0);
    assert_int_equal(quota_of(f).used[QUOTA_MAILBOXES], mailboxes);
}

static void purge_empties_it(void **state)
{
    struct fixture *f = *state;
    int64_t inbox = five_of_which_three_are_expunged(f), deleted = id_of(f, NAME);
    assert_int_equal(store_purge(f->store, clock_wall(), EXPUNGED_KEPT_S, &f->e), STORE_OK);
    struct mailbox before = mailbox_named(f, NAME);
    assert_int_equal(before.messages, 3);
    assert_int_equal(count(f, &BODIES), 5);
    age(f, EXPUNGED_KEPT_S + 60);
    assert_int_equal(store_purge(f->store, clock_wall(), EXPUNGED_KEPT_S, &f->e), STORE_OK);
    struct mailbox m = mailbox_named(f, NAME);
    assert_true(m.messages == 0 && m.size == 0 && m.uidnext == 4 && m.highestmodseq > before.highestmodseq);
    assert_int_equal(count(f, &BODIES), 2); /* at once */
    assert_int_equal(count(f, &FULLY_KEPT), 0);
    struct view_changes changes; /* a client that knew them is told that they are gone */
    assert_int_equal(store_view_changes(f->store, deleted, before.highestmodseq, &f->arena, &changes, &f->e),
                     STORE_OK);
    assert_int_equal(changes.expunged_count, 3);
    struct store_lost *v;
    assert_int_equal(lost(f, &v), 0);
    assert_int_equal(store_purge(f->store, clock_wall() + 60, 0, &f->e), STORE_OK); /* what it left itself */
    assert_int_equal(count(f, &BODIES), 2);
    assert_int_equal(expunge(f, inbox, NULL, 0, true), 2); /* the same mailbox goes on */
    assert_int_equal(message_at(f, deleted, 4).size, 18);
}

static void switched_off_it_stays_until_it_is_empty(void **state)
{
    struct fixture *f = *state;
    int64_t inbox = five_of_which_three_are_expunged(f), deleted = id_of(f, NAME);
    store_close(f->store);
    fixture_open(f);
    assert_int_equal(expunge(f, inbox, (uint32_t[]){5}, 1, true), 1);
    assert_int_equal(store_purge(f->store, clock_wall(), EXPUNGED_KEPT_S, &f->e), STORE_OK);
    assert_int_equal(mailbox_named(f, NAME).messages, 3);
    struct store_append item = {.mailbox = deleted, .bytes = STR("x")};
    assert_int_equal(store_append(f->store, &item, 1, &f->e), STORE_OK);
    assert_int_equal(item.result, STORE_FORBIDDEN);
    age(f, EXPUNGED_KEPT_S + 60);
    assert_int_equal(store_purge(f->store, clock_wall(), EXPUNGED_KEPT_S, &f->e), STORE_OK);
    assert_false(is_there(f, NAME));
    struct str *names;
    size_t n;
    assert_int_equal(store_subscriptions(f->store, &f->arena, &names, &n, &f->e), STORE_OK);
    for (size_t i = 0; i < n; i++)
        assert_false(str_eq(names[i], STR(RECENTLY_DELETED)));
    store_keep_deleted(f->store, true); /* and on again */
    assert_int_equal(expunge(f, inbox, NULL, 0, true), 1);
    assert_true(id_of(f, NAME) > deleted);
    assert_int_equal(mailbox_named(f, NAME).messages, 1);
}

/* More than a batch of every kind, with holes, and what a command does beside the server. */
static void many(void **state)
{
    struct fixture *f = *state;
    enum { N = 2500 };
    static struct store_append items[N];
    struct store_lost *v;
    size_t restored;
    int64_t inbox = id_of(f, "INBOX");
    for (int i = 0; i < N; i++)
        items[i] = (struct store_append){
            .mailbox = inbox, .bytes = STR("Subject: x\r\n\r\ny"), .flags = i % 7 ? FLAG_DELETED : 0};
    assert_int_equal(store_append(f->store, items, N, &f->e), STORE_OK);
    store_keep_deleted(f->store, true);
    size_t n = expunge(f, inbox, NULL, 0, false);
    assert_int_equal(n, N - (N + 6) / 7);
    struct mailbox m = mailbox_named(f, NAME);
    assert_true(m.messages == n && m.uidnext == n + 1 && m.deleted == 0 && m.unseen == n);
    assert_int_equal(lost(f, &v), n);
    struct store *other =
        engine() == ENGINE_SQLITE ? store_open(f->path, &f->e) : store_open_at(&f->beside, &f->e);
    assert_non_null(other);
    assert_int_equal(store_undelete(other, v, 100, &restored, &f->e), STORE_OK);
    store_close(other);
    assert_int_equal(restored, 100);
    assert_int_equal(mailbox_named(f, NAME).messages, n - 100);
    assert_int_equal(store_purge(f->store, clock_wall() + 60, 0, &f->e), STORE_OK);
    assert_int_equal(mailbox_named(f, NAME).messages, 0);
    assert_int_equal(count(f, &BODIES), N - n + 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(off_there_is_none),
        STORE_TEST(what_is_expunged_is_copied),
        STORE_TEST(moves_and_other_mailboxes_that_go),
        STORE_TEST(moved_out_it_is_back),
        STORE_TEST(undelete_takes_it_out),
        STORE_TEST(expunged_there_it_stays_lost_and_leaves_no_copy),
        STORE_TEST(nothing_is_put_into_it),
        STORE_TEST(a_users_mailbox_of_that_name_stays_the_users),
        STORE_TEST(it_counts_for_no_quota),
        STORE_TEST(purge_empties_it),
        STORE_TEST(switched_off_it_stays_until_it_is_empty),
        STORE_TEST(many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
