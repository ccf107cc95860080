/* What an account holds, and may hold. */
#include "store_fixture.h"

#include "mailbox/schema.h"

#include <sys/stat.h>

static const uint64_t NONE = QUOTA_NONE;

static struct quota quota_of(struct fixture *f)
{
    struct quota q;
    assert_int_equal(store_quota(f->store, &q, &f->e), STORE_OK);
    return q;
}

/* The counters, against what the mailboxes say. */
static void check_use(struct fixture *f)
{
    struct quota q = quota_of(f);
    struct mailbox_list l;
    uint64_t messages = 0, size = 0;
    assert_int_equal(store_mailbox_list(f->store, &f->arena, &l, &f->e), STORE_OK);
    for (size_t i = 0; i < l.n; i++) {
        messages += l.v[i].messages;
        size += l.v[i].size;
    }
    assert_int_equal(q.used[QUOTA_MESSAGES], messages);
    assert_int_equal(q.used[QUOTA_BYTES], size);
    assert_int_equal(q.used[QUOTA_MAILBOXES], l.n);
}

static enum store_result try_append(struct fixture *f, const char *mailbox, const char *bytes, bool beyond)
{
    struct store_append item = {
        .mailbox = id_of(f, mailbox), .bytes = str_from_c(bytes), .beyond_quota = beyond};
    assert_int_equal(store_append(f->store, &item, 1, &f->e), STORE_OK);
    f->e = item.err;
    return item.result;
}

static enum store_result copy_all(struct fixture *f, const char *from, const char *to, bool move)
{
    uint32_t *a, *b, uidvalidity;
    size_t n;
    return store_copy(f->store, id_of(f, from), NULL, 0, id_of(f, to), move, NULL, &f->arena, &a, &b, &n,
                      &uidvalidity, &f->e);
}

static void use_is_counted(void **state)
{
    struct fixture *f = *state;
    check_use(f);
    append(f, id_of(f, "INBOX"), STR("0123456789"), 0, "");
    append(f, id_of(f, "INBOX"), STR("01234"), FLAG_DELETED, "");
    check_use(f);
    assert_int_equal(quota_of(f).used[QUOTA_BYTES], 15);
    assert_int_equal(copy_all(f, "INBOX", "Archive", false), STORE_OK);
    check_use(f);
    assert_int_equal(quota_of(f).used[QUOTA_BYTES], 30);
    assert_int_equal(copy_all(f, "Archive", "Trash", true), STORE_OK);
    check_use(f);
    assert_int_equal(store_mailbox_create(f->store, STR("a/b"), MAILBOX_NO_ROLE, &f->e), STORE_OK);
    check_use(f);
    assert_int_equal(store_mailbox_delete(f->store, STR("Trash"), &f->e), STORE_OK);
    assert_int_equal(store_mailbox_delete(f->store, STR("a"), &f->e), STORE_OK); /* stays for a/b */
    check_use(f);
    assert_int_equal(store_mailbox_delete(f->store, STR("a/b"), &f->e), STORE_OK);
    assert_int_equal(store_mailbox_rename(f->store, STR("INBOX"), STR("Old"), &f->e), STORE_OK);
    check_use(f);
    uint32_t *gone;
    size_t n;
    assert_int_equal(store_expunge(f->store, id_of(f, "Old"), NULL, 0, true, &f->arena, &gone, &n, &f->e),
                     STORE_OK);
    check_use(f);
    assert_int_equal(quota_of(f).used[QUOTA_MESSAGES], 0);
}

static void what_is_deleted_is_counted(void **state)
{
    struct fixture *f = *state;
    int64_t inbox = id_of(f, "INBOX");
    uint32_t *gone;
    size_t n;
    append(f, inbox, STR("0123456789"), 0, "");
    append(f, inbox, STR("01234"), FLAG_DELETED, "");
    assert_int_equal(mailbox_named(f, "INBOX").deleted_size, 5);
    const struct flag_store delete = {.how = FLAGS_ADD, .flags = FLAG_DELETED, .unchanged_since = UINT64_MAX};
    assert_int_equal(store_flags(f->store, inbox, NULL, 0, &delete, &f->arena, NULL, NULL, NULL, &f->e),
                     STORE_OK);
    assert_int_equal(mailbox_named(f, "INBOX").deleted_size, 15);
    const struct flag_store keep = {
        .how = FLAGS_REMOVE, .flags = FLAG_DELETED, .unchanged_since = UINT64_MAX};
    assert_int_equal(
        store_flags(f->store, inbox, (uint32_t[]){2}, 1, &keep, &f->arena, NULL, NULL, NULL, &f->e),
        STORE_OK);
    assert_int_equal(mailbox_named(f, "INBOX").deleted_size, 10);
    assert_int_equal(store_expunge(f->store, inbox, NULL, 0, false, &f->arena, &gone, &n, &f->e), STORE_OK);
    assert_int_equal(mailbox_named(f, "INBOX").deleted_size, 0);
    assert_int_equal(mailbox_named(f, "INBOX").size, 5);
}

static void a_full_account_takes_no_more(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(quota_of(f).limit[QUOTA_BYTES], NONE);
    assert_int_equal(quota_of(f).limit[QUOTA_MAILBOXES], MAILBOX_COUNT_MAX);
    assert_int_equal(store_set_quota(f->store, 20, NONE, &f->e), STORE_OK);
    assert_int_equal(try_append(f, "INBOX", "0123456789", false), STORE_OK);
    assert_int_equal(try_append(f, "Sent", "0123456789x", false), STORE_OVERQUOTA);
    assert_string_equal(f->e.text, "the account has 10 bytes and may have 20: no room for 11 more");
    assert_false(store_quota_is_near(f->store));
    assert_int_equal(try_append(f, "Sent", "0123456789", false), STORE_OK);
    assert_true(store_quota_is_near(f->store));
    assert_int_equal(try_append(f, "INBOX", "0", false), STORE_OVERQUOTA);
    assert_int_equal(copy_all(f, "INBOX", "Archive", false), STORE_OVERQUOTA);
    assert_int_equal(mailbox_named(f, "Archive").messages, 0);
    /* what makes it no fuller goes on */
    assert_int_equal(copy_all(f, "INBOX", "Archive", true), STORE_OK);
    assert_int_equal(try_append(f, "INBOX", "0123456789", true), STORE_OK);
    check_use(f);
    assert_int_equal(store_set_quota(f->store, 1000, 4, &f->e), STORE_OK);
    assert_int_equal(try_append(f, "INBOX", "0", false), STORE_OK);
    assert_false(store_quota_is_near(f->store) && quota_of(f).used[QUOTA_MESSAGES] < 4);
    assert_int_equal(try_append(f, "INBOX", "0", false), STORE_OVERQUOTA);
    assert_int_equal(store_set_quota(f->store, NONE, NONE, &f->e), STORE_OK);
    assert_int_equal(try_append(f, "INBOX", "0", false), STORE_OK);
    assert_false(store_quota_is_near(f->store));
}

/* Of several that come together, those that fit are stored. */
static void each_of_a_batch_is_judged(void **state)
{
    struct fixture *f = *state;
    struct store_append items[3] = {0};
    assert_int_equal(store_set_quota(f->store, 10, NONE, &f->e), STORE_OK);
    for (int i = 0; i < 3; i++)
        items[i] = (struct store_append){.mailbox = id_of(f, i == 1 ? "Sent" : "INBOX"),
                                         .prefix = STR("ab"),
                                         .bytes = i == 1 ? STR("0123456789") : STR("012")};
    assert_int_equal(store_append(f->store, items, 3, &f->e), STORE_OK);
    assert_int_equal(items[0].result, STORE_OK);
    assert_int_equal(items[1].result, STORE_OVERQUOTA);
    assert_int_equal(items[2].result, STORE_OK);
    assert_int_equal(quota_of(f).used[QUOTA_BYTES], 10);
}

static void an_owner_may_want_less(void **state)
{
    struct fixture *f = *state;
    uint64_t own[QUOTA_RESOURCES] = {[QUOTA_BYTES] = 10, [QUOTA_MESSAGES] = NONE, [QUOTA_MAILBOXES] = 7};
    assert_int_equal(store_set_quota(f->store, 20, 100, &f->e), STORE_OK);
    assert_int_equal(store_set_own_quota(f->store, own, &f->e), STORE_OK);
    assert_int_equal(quota_of(f).limit[QUOTA_BYTES], 10);
    assert_int_equal(quota_of(f).given[QUOTA_BYTES], 20);
    assert_int_equal(quota_of(f).limit[QUOTA_MESSAGES], 100);
    assert_int_equal(try_append(f, "INBOX", "0123456789x", false), STORE_OVERQUOTA);
    assert_int_equal(store_mailbox_create(f->store, STR("x"), MAILBOX_NO_ROLE, &f->e), STORE_OK);
    assert_int_equal(store_mailbox_create(f->store, STR("y"), MAILBOX_NO_ROLE, &f->e), STORE_OVERQUOTA);
    own[QUOTA_BYTES] = 21;
    assert_int_equal(store_set_own_quota(f->store, own, &f->e), STORE_LIMIT);
    assert_int_equal(quota_of(f).limit[QUOTA_BYTES], 10);
    /* the administrator takes some away */
    assert_int_equal(store_set_quota(f->store, 5, 100, &f->e), STORE_OK);
    assert_int_equal(quota_of(f).limit[QUOTA_BYTES], 5);
    own[QUOTA_BYTES] = own[QUOTA_MAILBOXES] = NONE;
    assert_int_equal(store_set_own_quota(f->store, own, &f->e), STORE_OK);
    assert_int_equal(quota_of(f).limit[QUOTA_MAILBOXES], MAILBOX_COUNT_MAX);
}

/* An account of the first release: its counters are made when it is opened. */
static void an_old_account_is_counted_once(void **state)
{
    struct fixture *f = *state;
    static const struct sql_statement MESSAGES = {
        .text = "INSERT INTO message(id, flags, modseq, keywords, received, zone, size, body)"
                " SELECT $1 * 4294967296 + column1, column2, 2, '', 0, 0, column3, 1"
                " FROM (VALUES(1, 8, 100), (2, 0, 20), (3, 9, 3))"};
    static const struct sql_statement COUNTERS = {.text =
                                                      "UPDATE mailbox SET messages = 3, unseen = 2, deleted "
                                                      "= 2, size = 123, uidnext = 4 WHERE id = $1"};
    const struct sql_schema first = {"mail", MAIL_SCHEMA.migrations, 1};
    char dir[256], path[300];
    snprintf(dir, sizeof dir, "%s/old", f->folder.path);
    snprintf(path, sizeof path, "%s/mail.db", dir);
    assert_int_equal(mkdir(dir, 0700), 0);
    struct sql *db = sql_open(path, &first, &f->e);
    assert_non_null(db);
    for (int64_t mailbox = 1; mailbox <= 2; mailbox++) {
        assert_true(sql_exec(db, &MESSAGES, SQL(sql_int(mailbox)), NULL, &f->e));
        assert_true(sql_exec(db, &COUNTERS, SQL(sql_int(mailbox)), NULL, &f->e));
    }
    sql_close(db);
    store_close(f->store);
    f->store = store_open(dir, &f->e);
    assert_non_null(f->store);
    check_use(f);
    assert_int_equal(quota_of(f).used[QUOTA_BYTES], 246);
    assert_int_equal(quota_of(f).used[QUOTA_MAILBOXES], 6);
    assert_int_equal(mailbox_named(f, "Drafts").deleted_size, 103);
    assert_int_equal(mailbox_named(f, "Sent").deleted_size, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(use_is_counted),
        STORE_TEST(what_is_deleted_is_counted),
        STORE_TEST(a_full_account_takes_no_more),
        STORE_TEST(each_of_a_batch_is_judged),
        STORE_TEST(an_owner_may_want_less),
        STORE_TEST(an_old_account_is_counted_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
