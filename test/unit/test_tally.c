/* Counts that processes share. */
#include "base/tally.h"
#include "base/thread.h"
#include "check.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOW 1000000

static struct tally *table;

static uint64_t key_of(const char *name)
{
    return tally_key(table, 1, name, strlen(name));
}

static int setup(void **state)
{
    (void)state;
    table = tally_new();
    assert_non_null(table);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tally_free(table);
    return 0;
}

static void keys_differ(void **state)
{
    (void)state;
    assert_true(key_of("192.0.2.1") == key_of("192.0.2.1"));
    assert_true(key_of("192.0.2.1") != key_of("192.0.2.2"));
    assert_true(tally_key(table, 1, "a", 1) != tally_key(table, 2, "a", 1));
    struct tally *other = tally_new();
    assert_true(tally_key(table, 1, "a", 1) != tally_key(other, 1, "a", 1));
    tally_free(other);
}

static void only_so_many_are_held_at_once(void **state)
{
    (void)state;
    uint64_t a = key_of("a"), b = key_of("b");
    assert_true(tally_hold(table, 0, a, 3, NOW));
    assert_true(tally_hold(table, 1, a, 3, NOW));
    assert_true(tally_hold(table, 0, a, 3, NOW));
    assert_false(tally_hold(table, 2, a, 3, NOW));
    assert_true(tally_hold(table, 2, b, 3, NOW));
    assert_true(tally_hold(table, 2, a, 0, NOW)); /* no limit */
    tally_let_go(table, 2, a);
    assert_false(tally_hold(table, 1, a, 3, NOW));
    tally_let_go(table, 0, a);
    assert_true(tally_hold(table, 1, a, 3, NOW));
    tally_let_go(table, 9, b); /* it held none */
    assert_false(tally_hold(table, 9, b, 1, NOW));
}

static void a_process_that_died_holds_nothing(void **state)
{
    (void)state;
    uint64_t a = key_of("a");
    pid_t child = fork();
    if (child == 0) {
        for (int i = 0; i < 3; i++)
            tally_hold(table, 1, a, 3, NOW);
        _exit(0);
    }
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_false(tally_hold(table, 0, a, 3, NOW));
    tally_join(table, 0); /* another one: that was not its own */
    assert_false(tally_hold(table, 0, a, 3, NOW));
    tally_join(table, 1);
    assert_true(tally_hold(table, 0, a, 3, NOW));
}

static void a_burst_and_then_evenly(void **state)
{
    (void)state;
    uint64_t a = key_of("a");
    struct tally_limit six_a_minute = {6, 60};
    for (int i = 0; i < 6; i++)
        assert_true(tally_take(table, a, 0, 1, six_a_minute, NOW));
    assert_false(tally_take(table, a, 0, 1, six_a_minute, NOW));
    assert_true(tally_take(table, a, 1, 1, six_a_minute, NOW)); /* another rate */
    assert_false(tally_take(table, a, 0, 1, six_a_minute, NOW + 9999));
    assert_true(tally_take(table, a, 0, 1, six_a_minute, NOW + 10000));
    assert_false(tally_take(table, a, 0, 1, six_a_minute, NOW + 10000));
    assert_false(tally_take(table, a, 0, 3, six_a_minute, NOW + 30000));
    assert_true(
        tally_take(table, a, 0, 2, six_a_minute, NOW + 30000)); /* what was refused had cost nothing */
    assert_true(tally_take(table, a, 0, 6, six_a_minute, NOW + 3600000));
    assert_false(tally_take(table, key_of("b"), 0, 7, six_a_minute, NOW));
    assert_true(tally_take(table, a, 0, 1000000, (struct tally_limit){0, 0}, NOW));
}

static void marks_stay(void **state)
{
    (void)state;
    uint64_t a = key_of("a");
    assert_int_equal(tally_mark(table, a, 0), 0);
    assert_int_equal(tally_set_mark(table, a, 0, 7, NOW), 0);
    assert_int_equal(tally_set_mark(table, a, 0, 8, NOW), 7);
    assert_int_equal(tally_mark(table, a, 0), 8);
    assert_int_equal(tally_mark(table, a, 1), 0);
}

/* Far more than there are places: the newest are there, and so are those that are held. */
static void the_longest_quiet_is_forgotten(void **state)
{
    (void)state;
    assert_true(tally_hold(table, 0, key_of("held"), 1, NOW));
    for (int i = 0; i < 300000; i++) {
        char name[20];
        snprintf(name, sizeof name, "%d", i);
        tally_set_mark(table, key_of(name), 0, 1, NOW + i);
    }
    assert_int_equal(tally_mark(table, key_of("0"), 0), 0);
    assert_int_equal(tally_mark(table, key_of("299999"), 0), 1);
    assert_int_equal(tally_mark(table, key_of("299000"), 0), 1);
    assert_false(tally_hold(table, 1, key_of("held"), 1, NOW));
}

#define THREADS 8
#define EACH    2000
static _Atomic unsigned taken, ended;

static void take_many(void *holder)
{
    for (int i = 0; i < EACH; i++) {
        taken += tally_take(table, key_of("a"), 0, 1, (struct tally_limit){1000, 86400}, NOW);
        if (tally_hold(table, (unsigned)(uintptr_t)holder, key_of("b"), 2, NOW))
            tally_let_go(table, (unsigned)(uintptr_t)holder, key_of("b"));
    }
    ended++;
}

static void nothing_is_lost_between_threads(void **state)
{
    (void)state;
    for (uintptr_t i = 0; i < THREADS; i++)
        assert_true(thread_start(take_many, (void *)i));
    while (ended < THREADS)
        usleep(1000);
    assert_int_equal(taken, 1000);
    assert_true(tally_hold(table, 0, key_of("b"), 1, NOW));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* --- kept --- */

static struct str saved(struct buf *out, int64_t now_ms, int64_t wall_ms)
{
    buf_init(out, TALLY_SAVED_MAX);
    tally_save(table, out, now_ms, wall_ms);
    return buf_str(out);
}

/* The machine has been started again meanwhile: its monotonic clock begins anew, and an hour has passed. */
static void what_was_counted_is_there_after_a_restart(void **state)
{
    (void)state;
    CLEAN_BUF struct buf bytes;
    const struct tally_limit by_hour = {4, 3600}, by_day = {2, 86400};
    int64_t wall = 1800000000000, later = wall + 3600 * 1000, reborn = 5000;
    uint64_t a = key_of("a"), b = key_of("b");
    for (int i = 0; i < 4; i++)
        assert_true(tally_take(table, a, 0, 1, by_hour, NOW));
    assert_false(tally_take(table, a, 0, 1, by_hour, NOW));
    for (int i = 0; i < 2; i++)
        assert_true(tally_take(table, a, 1, 1, by_day, NOW));
    assert_true(tally_hold(table, 3, b, 1, NOW));
    tally_set_mark(table, b, 1, 4711, NOW);
    struct str text = saved(&bytes, NOW, wall);
    struct tally *other = tally_new();
    assert_true(tally_restore(other, text, reborn, later));
    assert_true(tally_key(other, 1, "a", 1) == a);
    assert_false(tally_take(other, a, 1, 1, by_day, reborn));
    for (int i = 0; i < 4; i++) /* an hour has emptied that one */
        assert_true(tally_take(other, a, 0, 1, by_hour, reborn));
    assert_false(tally_take(other, a, 0, 1, by_hour, reborn));
    assert_int_equal(tally_mark(other, b, 1), 4711);
    assert_true(tally_hold(other, 0, b, 1, reborn)); /* nobody holds it any more */
    tally_free(other);
}

static void what_is_no_table_is_not_taken(void **state)
{
    (void)state;
    CLEAN_BUF struct buf bytes;
    const struct tally_limit limit = {1, 3600};
    assert_true(tally_take(table, key_of("a"), 0, 1, limit, NOW));
    struct str text = saved(&bytes, NOW, NOW);
    struct tally *other = tally_new();
    for (size_t n = 0; n < text.n; n++)
        if (n != 32) /* a head alone, of an empty table */
            assert_false(tally_restore(other, str_slice(text, 0, n), NOW, NOW));
    bytes.p[0] ^= 1;
    assert_false(tally_restore(other, text, NOW, NOW));
    bytes.p[0] ^= 1;
    /* Numbers that cannot be refuse nobody for longer than the longest period. */
    memset(bytes.p + 32 + 8, 0x7f, 40);
    assert_true(tally_restore(other, text, NOW, NOW));
    assert_true(tally_take(other, key_of("a"), 0, 1, limit, NOW + 86400 * 1000 + 3600 * 1000));
    tally_free(other);
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        TEST(keys_differ),
        TEST(only_so_many_are_held_at_once),
        TEST(a_process_that_died_holds_nothing),
        TEST(a_burst_and_then_evenly),
        TEST(marks_stay),
        TEST(the_longest_quiet_is_forgotten),
        TEST(nothing_is_lost_between_threads),
        TEST(what_was_counted_is_there_after_a_restart),
        TEST(what_is_no_table_is_not_taken),
    };
    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
