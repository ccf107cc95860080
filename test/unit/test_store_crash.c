/* What must hold when a process dies in the middle, the disk is full, or many threads work at once. */
#include "store_fixture.h"

#include "base/mem.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS     8
#define NUMBER_MAX 100000

/* Appends numbered messages, in batches of a random size, telling each number in shared memory once it was
 * acknowledged. Until it is killed. */
static void append_until_killed(struct fixture *f, atomic_uint *acknowledged, uint32_t number)
{
    struct err e;
    fixture_open(f);
    struct store *s = f->store;
    if (!s)
        _exit(1);
    uint64_t seed = number + 1;
    while (number < NUMBER_MAX) {
        struct store_append items[4];
        char texts[4][32];
        size_t n = 1 + next_random(&seed) % 4;
        for (size_t i = 0; i < n; i++) {
            snprintf(texts[i], sizeof texts[i], "Subject: %zu\r\n\r\n", number + i);
            items[i] = (struct store_append){.mailbox = 1, .bytes = str_from_c(texts[i])};
        }
        if (store_append(s, items, n, &e) != STORE_OK)
            _exit(1);
        number += (uint32_t)n;
        atomic_store(acknowledged, number);
    }
    _exit(0);
}

static uint32_t number_of(struct fixture *f, uint32_t uid)
{
    CLEAN_BUF struct buf out;
    buf_init(&out, 1000);
    assert_int_equal(read_body(f, 1, uid, 0, 1000, &out), STORE_OK);
    uint32_t number;
    struct str text = str_slice(buf_str(&out), 9, out.n - 13);
    assert_true(str_to_u32(text, &number));
    return number;
}

static void acknowledged_survives_a_kill(void **state)
{
    struct fixture *f = *state;
    atomic_uint *acknowledged = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(acknowledged != MAP_FAILED);
    uint32_t stored = 0;
    for (int round = 0; round < ROUNDS; round++) {
        store_close(f->store);
        uint32_t start = stored;
        atomic_store(acknowledged, start);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0)
            append_until_killed(f, acknowledged, start);
        while (atomic_load(acknowledged) < start + 40 + (uint32_t)round * 13)
            usleep(200);
        usleep((useconds_t)round * 173);
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, NULL, 0), child);
        fixture_open(f);
        assert_non_null(f->store);
        stored = mailbox_named(f, "INBOX").messages;
        /* All that were acknowledged; perhaps a batch more, whose answer was never given. */
        assert_true(stored >= atomic_load(acknowledged));
        assert_true(stored <= atomic_load(acknowledged) + 4);
        assert_int_equal(mailbox_named(f, "INBOX").uidnext, stored + 1);
    }
    for (uint32_t uid = 1; uid <= stored; uid++)
        assert_int_equal(number_of(f, uid), uid - 1);
    munmap(acknowledged, 4096);
}

/* Three come and all of INBOX is expunged, again and again. */
static void expunge_until_killed(struct fixture *f, atomic_uint *times)
{
    struct err e;
    fixture_open(f);
    if (!f->store)
        _exit(1);
    store_keep_deleted(f->store, true);
    for (int i = 0; i < NUMBER_MAX; i++) {
        CLEAN_ARENA struct arena a = ARENA_INIT;
        struct store_append items[3];
        uint32_t *gone;
        size_t n;
        for (int j = 0; j < 3; j++)
            items[j] = (struct store_append){.mailbox = 1, .bytes = STR("Subject: x\r\n\r\n")};
        if (store_append(f->store, items, 3, &e) != STORE_OK ||
            store_expunge(f->store, 1, NULL, 0, true, &a, &gone, &n, &e) != STORE_OK)
            _exit(1);
        atomic_fetch_add(times, 1);
    }
    _exit(0);
}

static void check_that_nothing_is_lost(struct fixture *f)
{
    struct mailbox inbox = mailbox_named(f, "INBOX"), deleted = mailbox_named(f, RECENTLY_DELETED);
    struct store_lost *v;
    struct quota q;
    struct view view = {0};
    size_t n;
    assert_int_equal(inbox.messages + deleted.messages, inbox.uidnext - 1);
    assert_int_equal(deleted.messages, deleted.uidnext - 1);
    assert_int_equal(deleted.size, 14 * (uint64_t)deleted.messages);
    assert_int_equal(store_lost_list(f->store, INT64_MIN, &f->arena, &v, &n, &f->e), STORE_OK);
    assert_int_equal(n, deleted.messages);
    assert_int_equal(store_quota(f->store, &q, &f->e), STORE_OK);
    assert_int_equal(q.used[QUOTA_MESSAGES], inbox.messages);
    assert_int_equal(store_view_load(f->store, deleted.id, false, &view, &f->e), STORE_OK);
    assert_int_equal(view.n, deleted.messages);
    view_free(&view);
}

static void a_kill_leaves_no_message_without_its_copy(void **state)
{
    struct fixture *f = *state;
    atomic_uint *times = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(times != MAP_FAILED);
    for (int round = 0; round < ROUNDS; round++) {
        store_close(f->store);
        atomic_store(times, 0);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0)
            expunge_until_killed(f, times);
        while (atomic_load(times) < 5)
            usleep(200);
        usleep((useconds_t)round * 173);
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, NULL, 0), child);
        fixture_open(f);
        assert_non_null(f->store);
        check_that_nothing_is_lost(f);
    }
    munmap(times, 4096);
}

static void a_full_disk_is_temporary_and_passes(void **state)
{
    struct fixture *f = *state;
    enum { LARGE = 2 * 1024 * 1024 };
    char *large = mem_new(LARGE, 1);
    uint64_t seed = 3;
    for (size_t i = 0; i < LARGE; i++)
        large[i] = (char)next_random(&seed);
    int64_t inbox = id_of(f, "INBOX");
    append(f, inbox, STR("before"), 0, "");
    struct rlimit was, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
    small = (struct rlimit){1024 * 1024, was.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    struct store_append alone = {.mailbox = inbox, .bytes = str_from(large, LARGE)};
    assert_int_equal(store_append(f->store, &alone, 1, &f->e), STORE_FAILED);
    assert_int_equal(alone.result, STORE_FAILED);
    assert_int_equal(alone.err.kind, ERR_TEMPORARY);
    assert_int_equal(f->e.kind, ERR_TEMPORARY);
    /* What does fit does not suffer with it. */
    struct store_append batch[] = {{.mailbox = inbox, .bytes = STR("one")},
                                   alone,
                                   {.mailbox = 999, .bytes = STR("x")},
                                   {.mailbox = inbox, .bytes = STR("two")}};
    assert_int_equal(store_append(f->store, batch, 4, &f->e), STORE_OK);
    assert_int_equal(batch[0].result, STORE_OK);
    assert_int_equal(batch[1].result, STORE_FAILED);
    assert_int_equal(batch[1].err.kind, ERR_TEMPORARY);
    assert_int_equal(batch[2].result, STORE_NONE);
    assert_int_equal(batch[3].result, STORE_OK);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
    assert_int_equal(mailbox_named(f, "INBOX").messages, 3);
    assert_int_equal(store_append(f->store, &alone, 1, &f->e), STORE_OK);
    CLEAN_BUF struct buf out;
    buf_init(&out, BUF_MAX_DEFAULT);
    assert_int_equal(read_body(f, inbox, alone.uid, 0, UINT64_MAX, &out), STORE_OK);
    assert_true(str_eq(buf_str(&out), alone.bytes));
    free(large);
}

/* --- many threads --- */

#define PER_THREAD 120

static void *appender(void *state)
{
    struct fixture *f = state;
    for (int i = 0; i < PER_THREAD; i++) {
        struct store_append item = {.mailbox = 1, .bytes = STR("Subject: threads\r\n\r\nbody")};
        struct err e;
        if (store_append(f->store, &item, 1, &e) != STORE_OK)
            return "append";
    }
    return NULL;
}

static void *flagger(void *state)
{
    struct fixture *f = state;
    for (uint32_t i = 1; i <= PER_THREAD; i++) {
        CLEAN_ARENA struct arena a = ARENA_INIT;
        struct flag_store flags = {FLAGS_ADD, FLAG_SEEN, STR("k"), UINT64_MAX};
        struct view_changes changed;
        struct err e;
        if (store_flags(f->store, 1, &i, 1, &flags, &a, &changed, NULL, NULL, &e) != STORE_OK)
            return "flags";
    }
    return NULL;
}

static const char *read_all(struct store *s)
{
    struct store_fetch *fetch;
    const struct fetch_row *row;
    struct err e;
    if (store_fetch_open(s, 1, NULL, 0, WANT_ENVELOPE, &fetch, &e) != STORE_OK)
        return "fetch open";
    while (store_fetch_next(fetch, &row)) {
        CLEAN_BUF struct buf out;
        buf_init(&out, 1000);
        if (store_fetch_body(fetch, 0, 100, &out, &e) != STORE_OK || out.n != row->row.size)
            return "fetch body";
    }
    return store_fetch_close(fetch, &e) == STORE_OK ? NULL : "fetch close";
}

static void *reader(void *state)
{
    struct fixture *f = state;
    struct view v = {0};
    const char *failed = NULL;
    for (int i = 0; i < PER_THREAD / 10 && !failed; i++) {
        CLEAN_ARENA struct arena a = ARENA_INIT;
        struct err e;
        struct view_changes changes;
        if (store_view_load(f->store, 1, i % 2, &v, &e) != STORE_OK ||
            store_view_changes(f->store, 1, v.modseq / 2, &a, &changes, &e) != STORE_OK)
            failed = "view";
        else
            failed = read_all(f->store);
    }
    view_free(&v);
    return (void *)failed;
}

static void threads_work_beside_each_other(void **state)
{
    struct fixture *f = *state;
    void *(*const ROLES[])(void *) = {appender, appender, flagger, reader, reader, reader, reader, flagger};
    enum { N = sizeof ROLES / sizeof *ROLES };
    pthread_t threads[N];
    for (size_t i = 0; i < N; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ROLES[i], f), 0);
    for (size_t i = 0; i < N; i++) {
        void *failed;
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        if (failed)
            fail_msg("%s", (const char *)failed);
    }
    assert_int_equal(mailbox_named(f, "INBOX").messages, 2 * PER_THREAD);
    assert_int_equal(mailbox_named(f, "INBOX").uidnext, 2 * PER_THREAD + 1);
    assert_int_equal(store_highestmodseq(f->store, 1), mailbox_named(f, "INBOX").highestmodseq);
}

int main(void)
{
    const struct CMUnitTest everywhere[] = {
        STORE_TEST(acknowledged_survives_a_kill),
        STORE_TEST(a_kill_leaves_no_message_without_its_copy),
        STORE_TEST(threads_work_beside_each_other),
    };
    const struct CMUnitTest in_a_file[] = {
        STORE_TEST(a_full_disk_is_temporary_and_passes),
    };
    int failed = cmocka_run_group_tests(everywhere, NULL, NULL);
    return engine() != ENGINE_SQLITE ? failed : failed + cmocka_run_group_tests(in_a_file, NULL, NULL);
}
