/* Expunged messages that come back. */
#include "store_fixture.h"

#include "base/clock.h"

#include <sys/eventfd.h>
#include <unistd.h>

static size_t lost(struct fixture *f, struct store_lost **v)
{
    size_t n;
    assert_int_equal(store_lost_list(f->store, INT64_MIN, &f->arena, v, &n, &f->e), STORE_OK);
    return n;
}

static void expunge(struct fixture *f, int64_t mailbox, uint32_t uid)
{
    uint32_t *gone;
    size_t n;
    assert_int_equal(store_expunge(f->store, mailbox, &uid, 1, true, &f->arena, &gone, &n, &f->e), STORE_OK);
    assert_int_equal(n, 1);
}

static uint32_t transfer(struct fixture *f, int64_t from, uint32_t uid, int64_t to, unsigned how)
{
    uint32_t *from_uids, *to_uids, validity;
    size_t n;
    assert_int_equal(store_copy(f->store, from, &uid, 1, to, how, NULL, &f->arena, &from_uids, &to_uids, &n,
                                &validity, &f->e),
                     STORE_OK);
    return to_uids[0];
}

static void they_come_back_as_they_were(void **state)
{
    struct fixture *f = *state;
    struct store_lost *v;
    size_t restored;
    int64_t inbox = id_of(f, "INBOX");
    CLEAN_BUF struct buf bytes;
    buf_init(&bytes, 1000);
    uint32_t first = append(f, inbox, STR("Subject: 1\r\n\r\none"), FLAG_SEEN | FLAG_DELETED, "$Label");
    append(f, inbox, STR("Subject: 2\r\n\r\ntwo"), 0, "");
    assert_int_equal(lost(f, &v), 0);
    expunge(f, inbox, first);
    assert_int_equal(lost(f, &v), 1);
    assert_true(str_eq(v[0].name, STR("INBOX")) && v[0].row.uid == first && v[0].row.size == 17);
    assert_true(v[0].expunged_at >= clock_wall() - 60);
    assert_int_equal(store_lost_bytes(f->store, &v[0], 10, &bytes, &f->e), STORE_OK);
    assert_true(str_eq(buf_str(&bytes), STR("Subject: 1")));
    assert_int_equal(store_undelete(f->store, v, 1, &restored, &f->e), STORE_OK);
    assert_int_equal(restored, 1);
    struct message_row row = message_at(f, inbox, 3);
    assert_int_equal(row.flags, FLAG_SEEN);
    assert_true(str_eq(row.keywords, STR("$Label")));
    assert_int_equal(row.received, 1700000000);
    assert_int_equal(row.zone, 60);
    buf_reset(&bytes);
    assert_int_equal(read_body(f, inbox, 3, 0, 100, &bytes), STORE_OK);
    assert_true(str_eq(buf_str(&bytes), STR("Subject: 1\r\n\r\none")));
    struct mailbox m = mailbox_named(f, "INBOX");
    assert_true(m.messages == 2 && m.unseen == 1 && m.deleted == 0 && m.uidnext == 4 && m.size == 34);
    assert_int_equal(lost(f, &v), 0); /* though its tombstone is there: QRESYNC needs it */
    assert_int_equal(store_purge(f->store, clock_wall() + 60, 0, &f->e), STORE_OK);
    buf_reset(&bytes);
    assert_int_equal(read_body(f, inbox, 3, 0, 100, &bytes), STORE_OK);
    assert_true(str_eq(buf_str(&bytes), STR("Subject: 1\r\n\r\none")));
}

static void only_what_is_nowhere_else_is_lost(void **state)
{
    struct fixture *f = *state;
    struct store_lost *v;
    int64_t inbox = id_of(f, "INBOX"), trash = id_of(f, "Trash"), archive = id_of(f, "Archive");
    uint32_t a = append(f, inbox, STR("a"), 0, ""), b = append(f, inbox, STR("b"), 0, ""),
             c = append(f, inbox, STR("c"), 0, "");
    uint32_t in_trash = transfer(f, inbox, a, trash, COPY_MOVE);
    transfer(f, inbox, b, archive, 0);
    expunge(f, inbox, b);
    assert_int_equal(lost(f, &v), 0);
    expunge(f, trash, in_trash);
    expunge(f, inbox, c);
    assert_int_equal(lost(f, &v), 2); /* a once, though it was expunged twice: from where it was last */
    assert_true(str_eq(v[0].name, STR("Trash")) && v[0].row.uid == in_trash);
    assert_true(str_eq(v[1].name, STR("INBOX")) && v[1].row.uid == c);
    size_t n;
    assert_int_equal(store_lost_list(f->store, clock_wall() + 100, &f->arena, &v, &n, &f->e), STORE_OK);
    assert_int_equal(n, 0);
}

static void where_the_mailbox_is_gone_inbox_takes_them(void **state)
{
    struct fixture *f = *state;
    struct store_lost *v;
    size_t restored;
    assert_int_equal(store_mailbox_create(f->store, STR("Work"), MAILBOX_NO_ROLE, &f->e), STORE_OK);
    int64_t work = id_of(f, "Work");
    append(f, work, STR("w"), 0, "");
    expunge(f, work, 1);
    assert_int_equal(store_mailbox_delete(f->store, STR("Work"), &f->e), STORE_OK);
    assert_int_equal(lost(f, &v), 1);
    assert_int_equal(v[0].name.n, 0);
    assert_int_equal(store_undelete(f->store, v, 1, &restored, &f->e), STORE_OK);
    assert_int_equal(message_at(f, id_of(f, "INBOX"), 1).size, 1);
}

static void all_or_none_and_not_what_was_purged(void **state)
{
    struct fixture *f = *state;
    struct store_lost *v;
    size_t restored;
    int64_t inbox = id_of(f, "INBOX");
    for (int i = 0; i < 3; i++)
        expunge(f, inbox, append(f, inbox, STR("x"), 0, ""));
    assert_int_equal(lost(f, &v), 3);
    assert_int_equal(store_set_quota(f->store, QUOTA_NONE, 2, &f->e), STORE_OK);
    assert_int_equal(store_undelete(f->store, v, 3, &restored, &f->e), STORE_OVERQUOTA);
    assert_int_equal(mailbox_named(f, "INBOX").messages, 0);
    assert_int_equal(store_purge(f->store, clock_wall() + 60, 0, &f->e), STORE_OK);
    assert_int_equal(store_undelete(f->store, v, 3, &restored, &f->e), STORE_OK);
    assert_int_equal(restored, 0);
    assert_int_equal(lost(f, &v), 0);
}

/* More than a page of each table. */
static void many(void **state)
{
    struct fixture *f = *state;
    enum { N = 2300 };
    static struct store_append items[N];
    struct store_lost *v;
    size_t n, restored;
    uint32_t *gone;
    int64_t inbox = id_of(f, "INBOX"), archive = id_of(f, "Archive");
    for (int i = 0; i < N; i++)
        items[i] =
            (struct store_append){.mailbox = i % 2 ? inbox : archive, .bytes = STR("Subject: x\r\n\r\ny")};
    assert_int_equal(store_append(f->store, items, N, &f->e), STORE_OK);
    transfer(f, inbox, N / 2, archive, 0); /* the last of INBOX lives on */
    assert_int_equal(store_expunge(f->store, inbox, NULL, 0, true, &f->arena, &gone, &n, &f->e), STORE_OK);
    assert_int_equal(n, N / 2);
    assert_int_equal(lost(f, &v), N / 2 - 1);
    assert_int_equal(store_undelete(f->store, v, N / 2 - 1, &restored, &f->e), STORE_OK);
    assert_int_equal(restored, N / 2 - 1);
    assert_int_equal(mailbox_named(f, "INBOX").messages, N / 2 - 1);
}

/* A second store on the same account is a command beside the server. */
static void watchers_learn_of_other_processes(void **state)
{
    struct fixture *f = *state;
    int64_t inbox = id_of(f, "INBOX");
    int fd = eventfd(0, EFD_NONBLOCK);
    uint64_t woken;
    append(f, inbox, STR("x"), 0, "");
    store_watch(f->store, fd);
    assert_false(store_look_around(f->store));
    assert_true(store_highestmodseq(f->store, inbox) > 0);
    struct store *other =
        engine() == ENGINE_SQLITE ? store_open(f->path, &f->e) : store_open_at(&f->beside, &f->e);
    assert_non_null(other);
    struct store_append item = {.mailbox = inbox, .bytes = STR("y")};
    assert_int_equal(store_append(other, &item, 1, &f->e), STORE_OK);
    assert_true(read(fd, &woken, sizeof woken) < 0);
    assert_true(store_look_around(f->store));
    assert_int_equal(read(fd, &woken, sizeof woken), sizeof woken);
    assert_int_equal(store_highestmodseq(f->store, inbox), 0); /* unknown: sessions ask */
    assert_false(store_look_around(f->store));
    store_unwatch(f->store, fd);
    store_close(other);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(they_come_back_as_they_were),
        STORE_TEST(only_what_is_nowhere_else_is_lost),
        STORE_TEST(where_the_mailbox_is_gone_inbox_takes_them),
        STORE_TEST(all_or_none_and_not_what_was_purged),
        STORE_TEST(many),
        STORE_TEST(watchers_learn_of_other_processes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
