/* Rights and annotations as the store keeps them. */
#include "store_fixture.h"

#include "mailbox/metadata.h"
#include "mailbox/rights.h"

static const struct str ANA = STR_INIT("ana@x.test"), BEN = STR_INIT("ben@x.test");

static unsigned rights(struct fixture *f, int64_t mailbox, struct str user, bool is_owner)
{
    unsigned has;
    assert_int_equal(store_rights(f->store, mailbox, user, is_owner, &has, &f->e), STORE_OK);
    return has;
}

static enum store_result set(struct fixture *f, int64_t mailbox, enum rights_change how, unsigned what)
{
    return store_rights_set(f->store, mailbox, BEN, how, what, 0, &f->e);
}

static void rights_are_kept(void **state)
{
    struct fixture *f = *state;
    int64_t drafts = id_of(f, "Drafts");
    uint64_t version = store_rights_version(f->store);
    assert_int_equal(rights(f, drafts, BEN, false), 0);
    assert_int_equal(rights(f, drafts, ANA, true), RIGHTS_ALL);
    assert_int_equal(set(f, drafts, RIGHTS_ADD, RIGHT_LOOKUP | RIGHT_READ), STORE_OK);
    assert_int_equal(set(f, drafts, RIGHTS_ADD, RIGHT_WRITE), STORE_OK);
    assert_int_equal(set(f, drafts, RIGHTS_REMOVE, RIGHT_READ | RIGHT_POST), STORE_OK);
    assert_int_equal(rights(f, drafts, BEN, false), RIGHT_LOOKUP | RIGHT_WRITE);
    assert_true(store_rights_version(f->store) > version);
    assert_int_equal(set(f, drafts, RIGHTS_REPLACE, RIGHT_INSERT), STORE_OK);
    assert_int_equal(rights(f, drafts, BEN, false), RIGHT_INSERT);
    assert_int_equal(store_rights_set(f->store, drafts, ANA, RIGHTS_REMOVE, RIGHT_EXPUNGE, RIGHTS_ALL, &f->e),
                     STORE_OK);
    assert_int_equal(rights(f, drafts, ANA, true), RIGHTS_ALL & ~(unsigned)RIGHT_EXPUNGE);
    assert_int_equal(set(f, 99, RIGHTS_ADD, RIGHT_READ), STORE_NONE);
    assert_int_equal(set(f, 0, RIGHTS_ADD, RIGHT_READ), STORE_NONE);
    struct rights_list l;
    assert_int_equal(store_rights_list(f->store, 0, &f->arena, &l, &f->e), STORE_OK);
    assert_int_equal(l.n, 2);
    assert_true(str_eq(l.v[0].identifier, ANA) && str_eq(l.v[1].identifier, BEN) && l.v[1].mailbox == drafts);
    assert_int_equal(store_rights_delete(f->store, drafts, BEN, &f->e), STORE_OK);
    assert_int_equal(rights(f, drafts, BEN, false), 0);
}

static void rights_are_inherited(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(set(f, id_of(f, "Sent"), RIGHTS_ADD, RIGHT_READ), STORE_OK);
    assert_int_equal(store_mailbox_create(f->store, STR("Sent/a/b"), MAILBOX_NO_ROLE, &f->e), STORE_OK);
    assert_int_equal(rights(f, id_of(f, "Sent/a/b"), BEN, false), RIGHT_READ);
    assert_int_equal(store_mailbox_delete(f->store, STR("Sent/a"), &f->e), STORE_OK); /* stays for Sent/a/b */
    assert_int_equal(rights(f, id_of(f, "Sent/a"), BEN, false), 0);
    int64_t id = id_of(f, "Sent/a/b");
    assert_int_equal(store_mailbox_delete(f->store, STR("Sent/a/b"), &f->e), STORE_OK);
    assert_int_equal(rights(f, id, BEN, false), 0);
}

static size_t entries(struct fixture *f, int64_t mailbox, struct str user)
{
    struct metadata_list l;
    assert_int_equal(store_metadata_list(f->store, mailbox, user, &f->arena, &l, &f->e), STORE_OK);
    return l.n;
}

static size_t changes(struct fixture *f, uint64_t since, struct str user)
{
    struct metadata_list l, later;
    uint64_t now, still;
    assert_int_equal(store_metadata_changes(f->store, since, user, &f->arena, &l, &now, &f->e), STORE_OK);
    assert_int_equal(store_metadata_changes(f->store, now, user, &f->arena, &later, &still, &f->e), STORE_OK);
    assert_true(later.n == 0 && still == now);
    return l.n;
}

/* What NOTIFY asks for. */
static void annotations_are_kept_and_their_changes_told(void **state)
{
    struct fixture *f = *state;
    const struct metadata_entry two[] = {{.name = STR("/private/a"), .value = STR("1")},
                                         {.name = STR("/shared/b"), .value = STR("2\0\xff")}};
    const struct metadata_entry none = {.name = STR("/shared/b"), .value = STR(""), .is_nil = true};
    int64_t sent = id_of(f, "Sent");
    struct metadata_list l;
    assert_int_equal(store_metadata_set(f->store, sent, ANA, two, 2, &f->e), STORE_OK);
    assert_int_equal(store_metadata_set(f->store, METADATA_SERVER, ANA, two, 1, &f->e), STORE_OK);
    assert_int_equal(store_metadata_list(f->store, sent, ANA, &f->arena, &l, &f->e), STORE_OK);
    assert_int_equal(l.n, 2);
    assert_true(str_eq(l.v[1].name, STR("/shared/b")) && str_eq(l.v[1].value, STR("2\0\xff")));
    assert_int_equal(entries(f, sent, BEN), 1);
    assert_int_equal(entries(f, METADATA_SERVER, ANA), 1);
    assert_int_equal(entries(f, METADATA_SERVER, BEN), 0);
    assert_int_equal(entries(f, METADATA_ALL, ANA), 3);
    assert_int_equal(changes(f, 0, ANA), 3);
    assert_int_equal(changes(f, 0, BEN), 1);
    assert_int_equal(changes(f, 3, ANA), 0);
    assert_int_equal(store_metadata_set(f->store, sent, ANA, &none, 1, &f->e), STORE_OK);
    assert_int_equal(changes(f, 3, ANA), 1);
    assert_int_equal(entries(f, sent, ANA), 1);
    assert_int_equal(store_metadata_set(f->store, 99, ANA, two, 2, &f->e), STORE_NONE);
}

static void annotations_stay_with_their_mailbox(void **state)
{
    struct fixture *f = *state;
    const struct metadata_entry one = {.name = STR("/private/a"), .value = STR("1")};
    assert_int_equal(store_metadata_set(f->store, id_of(f, "Sent"), ANA, &one, 1, &f->e), STORE_OK);
    assert_int_equal(store_metadata_set(f->store, id_of(f, "INBOX"), ANA, &one, 1, &f->e), STORE_OK);
    assert_int_equal(store_mailbox_rename(f->store, STR("Sent"), STR("Gone"), &f->e), STORE_OK);
    assert_int_equal(entries(f, id_of(f, "Gone"), ANA), 1);
    assert_int_equal(store_mailbox_rename(f->store, STR("INBOX"), STR("Old"), &f->e), STORE_OK);
    assert_int_equal(entries(f, id_of(f, "Old"), ANA), 1);
    assert_int_equal(entries(f, id_of(f, "INBOX"), ANA), 1);
    int64_t gone = id_of(f, "Gone");
    assert_int_equal(store_mailbox_delete(f->store, STR("Gone"), &f->e), STORE_OK);
    assert_int_equal(entries(f, gone, ANA), 0);
    assert_int_equal(entries(f, METADATA_ALL, ANA), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(rights_are_kept),
        STORE_TEST(rights_are_inherited),
        STORE_TEST(annotations_are_kept_and_their_changes_told),
        STORE_TEST(annotations_stay_with_their_mailbox),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
