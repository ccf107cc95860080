/* Bodies that are packed together behind delivery come back byte for byte, and go one by one. */
#include "store_fixture.h"

#include "base/mem.h"
#include "mailbox/body_ahead.h"
#include "mailbox/body_pack.h"
#include "mailbox/search.h"

#include <sys/stat.h>
#include <time.h>

enum { MESSAGES = 400, LARGEST = 40000 };

/* Like mail: lines that are alike. Number and size tell all of it. */
static struct str letter(struct fixture *f, unsigned number)
{
    uint64_t seed = number * 77 + 1;
    CLEAN_BUF struct buf b;
    buf_init(&b, BUF_MAX_DEFAULT);
    size_t size = number % 50 == 7 ? LARGEST : next_random(&seed) % (number % 9 == 0 ? 20000 : 3000);
    for (buf_addf(&b, "Subject: %u\r\n\r\n", number); b.n < size;)
        buf_addf(&b, "line %u of %u\r\n", next_random(&seed) % 1000, number);
    return arena_copy(&f->arena, buf_str(&b));
}

static void fill(struct fixture *f)
{
    for (unsigned i = 1; i <= MESSAGES; i++)
        append(f, 1, i == 30 ? STR("") : letter(f, i), 0, "");
}

static void catch_up(struct fixture *f)
{
    for (bool more = true; more;)
        assert_int_equal(store_catch_up(f->store, &more, &f->e), STORE_OK);
}

static int64_t rows(struct fixture *f)
{
    static const struct sql_statement COUNT = {"SELECT count(*) FROM body_chunk", .schema = "mail"};
    CLEAN_SQL struct sql *db = fixture_sql(f);
    int64_t n = -1;
    assert_int_equal(sql_one_int(db, &COUNT, SQL_NONE, &n, &f->e), 1);
    return n;
}

static void check(struct fixture *f, uint32_t uid)
{
    struct str expected = uid == 30 ? STR("") : letter(f, uid);
    CLEAN_BUF struct buf out;
    buf_init(&out, BUF_MAX_DEFAULT);
    assert_int_equal(read_body(f, 1, uid, 0, UINT64_MAX, &out), STORE_OK);
    assert_true(str_eq(buf_str(&out), expected));
    uint64_t seed = uid;
    size_t at = next_random(&seed) % (expected.n + 1), n = next_random(&seed) % 500;
    buf_reset(&out);
    assert_int_equal(read_body(f, 1, uid, at, n, &out), STORE_OK);
    assert_true(str_eq(buf_str(&out), str_slice(expected, at, n)));
}

static void packed_bodies_come_back(void **state)
{
    struct fixture *f = *state;
    fill(f);
    int64_t before = rows(f);
    catch_up(f);
    assert_true(rows(f) < before / 4);
    for (uint32_t uid = 1; uid <= MESSAGES; uid++)
        check(f, uid);
    /* In a row, by one reader. */
    struct store_fetch *fetch;
    const struct fetch_row *row;
    CLEAN_BUF struct buf out;
    buf_init(&out, BUF_MAX_DEFAULT);
    assert_int_equal(store_fetch_open(f->store, 1, NULL, 0, 0, &fetch, &f->e), STORE_OK);
    while (store_fetch_next(fetch, &row)) {
        struct str expected = row->row.uid == 30 ? STR("") : letter(f, row->row.uid);
        buf_reset(&out);
        assert_int_equal(store_fetch_body(fetch, 0, 10, &out, &f->e), STORE_OK);
        assert_int_equal(store_fetch_body(fetch, 10, UINT64_MAX, &out, &f->e), STORE_OK);
        assert_true(str_eq(buf_str(&out), expected));
    }
    assert_int_equal(store_fetch_close(fetch, &f->e), STORE_OK);
}

/* A burst's bodies stand in the file as they came until they are packed: it does not stay that large. With
 * PostgreSQL its autovacuum sees to that. */
static void a_burst_leaves_no_large_file(void **state)
{
    struct fixture *f = *state;
    struct stat st;
    if (engine() != ENGINE_SQLITE)
        return;
    for (int i = 0; i < 4; i++)
        fill(f);
    catch_up(f);
    store_close(f->store);
    assert_int_equal(stat(f->file, &st), 0);
    assert_in_range(st.st_size, 1, 3 * 1024 * 1024); /* over 5 with all that was free */
    fixture_open(f);
    assert_non_null(f->store);
    for (uint32_t uid = 1; uid <= MESSAGES; uid += 7)
        check(f, uid);
}

static void a_few_wait_for_more(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 1; i <= 3; i++)
        append(f, 1, STR("small"), 0, "");
    catch_up(f);
    assert_int_equal(rows(f), 3);
    for (unsigned i = 4; i <= 130; i++)
        append(f, 1, STR("small"), 0, "");
    catch_up(f);
    assert_int_equal(rows(f), 2 + 130 % 64);
    catch_up(f);
    assert_int_equal(rows(f), 2 + 130 % 64);
}

/* A third of the messages, the last of a pack among them, and then all. */
static void packed_bodies_are_purged(void **state)
{
    struct fixture *f = *state;
    fill(f);
    catch_up(f);
    uint32_t uids[MESSAGES], *gone;
    size_t n = 0, expunged;
    for (uint32_t uid = 1; uid <= MESSAGES; uid++)
        if (uid % 3 == 0)
            uids[n++] = uid;
    assert_int_equal(store_expunge(f->store, 1, uids, n, true, &f->arena, &gone, &expunged, &f->e), STORE_OK);
    assert_int_equal(store_purge(f->store, (int64_t)time(NULL) + 15 * 24 * 3600, EXPUNGED_KEPT_S, &f->e),
                     STORE_OK);
    for (uint32_t uid = 1; uid <= MESSAGES; uid++)
        if (uid % 3 != 0)
            check(f, uid);
    append(f, 1, letter(f, MESSAGES + 1), 0, "");
    catch_up(f);
    check(f, MESSAGES + 1);
    assert_int_equal(store_expunge(f->store, 1, NULL, 0, true, &f->arena, &gone, &expunged, &f->e), STORE_OK);
    assert_int_equal(store_purge(f->store, (int64_t)time(NULL) + 15 * 24 * 3600, EXPUNGED_KEPT_S, &f->e),
                     STORE_OK);
    assert_int_equal(rows(f), 0);
}

static void a_damaged_pack_is_told(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 1; i <= 64; i++)
        append(f, 1, letter(f, 1), 0, "");
    append(f, 1, letter(f, 1), 0, "");
    catch_up(f);
    static const struct sql_statement BREAK = {
        "UPDATE body_chunk SET data = substr(data, 1, 100) WHERE id IN (SELECT min(id) FROM body_chunk)",
        .schema = "mail"};
    fixture_exec(f, &BREAK, SQL_NONE);
    CLEAN_BUF struct buf out;
    buf_init(&out, BUF_MAX_DEFAULT);
    assert_int_equal(read_body(f, 1, 5, 0, 10, &out), STORE_FAILED);
    assert_int_equal(f->e.kind, ERR_INTERNAL);
    assert_int_equal(out.n, 0);
}

/* --- the pack behind the one that is being read --- */

/* A pack with the one body 5. */
static struct str make_pack(struct fixture *f, struct str bytes)
{
    struct pack p;
    CLEAN_BUF struct buf out;
    buf_init(&out, BUF_MAX_DEFAULT);
    pack_init(&p);
    pack_add(&p, 5, bytes.n);
    buf_add(&p.bytes, bytes);
    assert_true(pack_make(&p, &out, &f->e));
    pack_free(&p);
    return arena_copy(&f->arena, buf_str(&out));
}

static void a_pack_is_expanded_beside(void **state)
{
    struct fixture *f = *state;
    struct str packed = make_pack(f, letter(f, 11)), bytes;
    atomic_uint count = 0;
    CLEAN_BUF struct buf out;
    buf_init(&out, BODY_CHUNK);
    buf_add(&out, STR("the last pack"));
    struct body_ahead *a = ahead_new(&count);
    assert_int_equal(ahead_take(a, chunk_id(5, 0), &out), 0); /* nothing was begun */
    for (int i = 0; i < 200; i++) {                           /* both the thread and the reader come first */
        ahead_begin(a, pack_id(3), pack_id(5), packed);
        assert_int_equal(ahead_take(a, chunk_id(3, 0), &out), 0);
        assert_int_equal(ahead_take(a, chunk_id(6, 0), &out), 0);
        assert_int_equal(ahead_take(a, chunk_id(5, 0), &out), pack_id(5));
        assert_true(pack_find(buf_str(&out), 5, &bytes));
        assert_true(str_eq(bytes, letter(f, 11)));
        assert_int_equal(ahead_take(a, chunk_id(5, 0), &out), 0); /* it is the reader's now */
    }
    ahead_begin(a, pack_id(3), pack_id(5), packed); /* nobody wants it */
    ahead_begin(a, pack_id(5), pack_id(6), str_slice(packed, 0, packed.n - 5));
    buf_reset(&out);
    buf_add(&out, STR("the last pack"));
    assert_int_equal(ahead_take(a, chunk_id(6, 0), &out), 0); /* damaged */
    assert_true(str_eq(buf_str(&out), STR("the last pack")));
    ahead_begin(a, pack_id(3), pack_id(5), packed);
    ahead_free(a); /* with the thread at work */
    assert_int_equal(count, 0);
}

static void few_read_ahead(void **state)
{
    struct body_ahead *a[AHEAD_MAX];
    atomic_uint count = 0;
    (void)state;
    for (size_t i = 0; i < AHEAD_MAX; i++)
        assert_non_null(a[i] = ahead_new(&count));
    assert_null(ahead_new(&count));
    ahead_free(a[0]);
    assert_non_null(a[0] = ahead_new(&count));
    for (size_t i = 0; i < AHEAD_MAX; i++)
        ahead_free(a[i]);
    assert_int_equal(count, 0);
}

enum { SMALL = 200 }; /* three packs and more */

static void fill_small(struct fixture *f)
{
    for (unsigned i = 1; i <= SMALL; i++)
        append(f, 1, letter(f, i % 9 ? 10 : 11), 0, "");
    catch_up(f);
}

/* The bodies of the next `n` rows are those that were filled in. */
static void read_small(struct fixture *f, struct store_fetch *fetch, size_t n)
{
    const struct fetch_row *row;
    CLEAN_BUF struct buf out;
    buf_init(&out, BUF_MAX_DEFAULT);
    while (n-- > 0) {
        assert_true(store_fetch_next(fetch, &row));
        buf_reset(&out);
        assert_int_equal(store_fetch_body(fetch, 0, UINT64_MAX, &out, &f->e), STORE_OK);
        assert_true(str_eq(buf_str(&out), letter(f, row->row.uid % 9 ? 10 : 11)));
    }
}

/* All readers are right, also the one too many, and they leave no thread. */
static void readers_in_a_row(void **state)
{
    struct fixture *f = *state;
    struct store_fetch *fetch[AHEAD_MAX + 1];
    fill_small(f);
    for (size_t i = 0; i < AHEAD_MAX + 1; i++)
        assert_int_equal(store_fetch_open(f->store, 1, NULL, 0, WANT_BODY, &fetch[i], &f->e), STORE_OK);
    assert_int_equal(f->store->aheads, 0); /* not before it is seen that one pack follows the other */
    for (size_t at = 0; at < SMALL / 2; at += 20)
        for (size_t i = 0; i < AHEAD_MAX + 1; i++)
            read_small(f, fetch[i], 20);
    assert_int_equal(f->store->aheads, AHEAD_MAX);
    for (size_t i = 0; i < AHEAD_MAX + 1; i++)
        assert_int_equal(store_fetch_close(fetch[i], &f->e), STORE_OK); /* in the middle of it */
    assert_int_equal(f->store->aheads, 0);
}

/* Others take out and purge messages of the pack that has been read ahead: the rest comes as it was. */
static void read_ahead_and_purged(void **state)
{
    struct fixture *f = *state;
    struct store_fetch *fetch;
    const struct fetch_row *row;
    uint32_t uids[SMALL], *gone;
    size_t n = 0, expunged, left = 0;
    CLEAN_BUF struct buf out;
    buf_init(&out, BUF_MAX_DEFAULT);
    fill_small(f);
    assert_int_equal(store_fetch_open(f->store, 1, NULL, 0, WANT_BODY, &fetch, &f->e), STORE_OK);
    read_small(f, fetch, SMALL / 2);
    assert_int_equal(f->store->aheads, 1);
    for (uint32_t uid = SMALL / 2 + 1; uid <= SMALL; uid++)
        if (uid % 2 == 0)
            uids[n++] = uid;
    assert_int_equal(store_expunge(f->store, 1, uids, n, true, &f->arena, &gone, &expunged, &f->e), STORE_OK);
    assert_int_equal(store_purge(f->store, (int64_t)time(NULL) + 15 * 24 * 3600, EXPUNGED_KEPT_S, &f->e),
                     STORE_OK);
    while (store_fetch_next(fetch, &row)) {
        buf_reset(&out);
        enum store_result r = store_fetch_body(fetch, 0, UINT64_MAX, &out, &f->e);
        assert_true(r == STORE_OK || row->row.uid % 2 == 0); /* a row of the batch that is gone by now */
        if (r == STORE_OK)
            assert_true(str_eq(buf_str(&out), letter(f, row->row.uid % 9 ? 10 : 11)));
        left += row->row.uid % 2;
    }
    assert_int_equal(left, SMALL / 4);
    assert_int_equal(store_fetch_close(fetch, &f->e), STORE_OK);
}

static void a_damaged_pack_ahead_is_told(void **state)
{
    struct fixture *f = *state;
    struct store_fetch *fetch;
    const struct fetch_row *row;
    fill_small(f);
    static const struct sql_statement BREAK = {
        "UPDATE body_chunk SET data = substr(data, 1, 100)"
        " WHERE id IN (SELECT max(id) FROM body_chunk WHERE id % 1048576 = 1048575)",
        .schema = "mail"};
    fixture_exec(f, &BREAK, SQL_NONE);
    CLEAN_BUF struct buf out;
    buf_init(&out, BUF_MAX_DEFAULT);
    assert_int_equal(store_fetch_open(f->store, 1, NULL, 0, WANT_BODY, &fetch, &f->e), STORE_OK);
    read_small(f, fetch, SMALL / 2);
    assert_int_equal(f->store->aheads, 1);
    enum store_result r = STORE_OK;
    while (r == STORE_OK && store_fetch_next(fetch, &row)) {
        buf_reset(&out);
        r = store_fetch_body(fetch, 0, UINT64_MAX, &out, &f->e);
    }
    assert_int_equal(r, STORE_FAILED);
    assert_int_equal(f->e.kind, ERR_INTERNAL);
    assert_int_equal(out.n, 0);
    assert_int_equal(store_fetch_close(fetch, &f->e), STORE_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(packed_bodies_come_back), STORE_TEST(a_burst_leaves_no_large_file),
        STORE_TEST(a_few_wait_for_more),     STORE_TEST(packed_bodies_are_purged),
        STORE_TEST(a_damaged_pack_is_told),  STORE_TEST(a_pack_is_expanded_beside),
        STORE_TEST(few_read_ahead),          STORE_TEST(readers_in_a_row),
        STORE_TEST(read_ahead_and_purged),   STORE_TEST(a_damaged_pack_ahead_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
