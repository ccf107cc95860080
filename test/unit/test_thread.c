/* Threads that stay for the next work: that they do, that work never waits for one, and that what is asked of
 * them is done once. */
#include "base/thread.h"

#include "check.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_MS 5000 /* for what takes microseconds */
#define MANY        40   /* more than wait at once */
#define ROUNDS      2000

static void nap(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 1000 * 1000}, NULL);
}

static void await(atomic_int *counter, int value)
{
    for (int ms = 0; atomic_load(counter) != value && ms < PATIENCE_MS; ms++)
        nap();
    assert_int_equal(atomic_load(counter), value);
}

struct visit {
    atomic_int done;
    pid_t thread;
};

static void note_thread(void *visit)
{
    struct visit *v = visit;
    v->thread = gettid();
    atomic_fetch_add(&v->done, 1);
}

static void test_the_next_work_finds_the_thread_of_the_last(void **state)
{
    struct threads *all = *state;
    struct visit first = {0};
    bool again = false;
    assert_true(threads_start(all, note_thread, &first));
    await(&first.done, 1);
    for (int i = 0; i < PATIENCE_MS && !again; i++) {
        struct visit next = {0};
        nap(); /* it may not wait yet */
        assert_true(threads_start(all, note_thread, &next));
        await(&next.done, 1);
        again = next.thread == first.thread;
    }
    assert_true(again);
}

static void meet(void *barrier)
{
    pthread_barrier_wait(barrier);
}

/* Each of them needs all others to run: one that waited for another's thread would wait for ever. */
static void test_work_never_waits_for_a_thread(void **state)
{
    struct threads *all = *state;
    static pthread_barrier_t barrier; /* a thread may still be leaving it when the test is over */
    pthread_barrier_init(&barrier, NULL, MANY + 1);
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < MANY; i++)
            assert_true(threads_start(all, meet, &barrier));
        pthread_barrier_wait(&barrier);
    }
}

static void count(void *counter)
{
    atomic_fetch_add((atomic_int *)counter, 1);
}

static void test_all_work_is_done_once(void **state)
{
    struct threads *all = *state;
    static atomic_int counter;
    atomic_store(&counter, 0);
    for (int i = 0; i < ROUNDS; i++) {
        assert_true(threads_start(all, count, &counter));
        if (i % 50 == 0) /* threads wait now and then */
            nap();
    }
    await(&counter, ROUNDS);
    nap();
    assert_int_equal(atomic_load(&counter), ROUNDS);
}

static void test_a_thread_that_waited_long_ends(void **state)
{
    struct threads *all = *state;
    struct visit first = {0}, later = {0};
    assert_true(threads_start(all, note_thread, &first));
    await(&first.done, 1);
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%d", first.thread);
    for (int ms = 0; access(path, F_OK) == 0 && ms < PATIENCE_MS; ms++)
        nap();
    assert_int_not_equal(access(path, F_OK), 0);
    assert_true(threads_start(all, note_thread, &later)); /* and is not asked any more */
    await(&later.done, 1);
}

static int setup(void **state)
{
    *state = threads_new();
    return 0;
}

int main(void)
{
    /* They last as long as the process: one for all tests. */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_next_work_finds_the_thread_of_the_last),
        cmocka_unit_test(test_work_never_waits_for_a_thread),
        cmocka_unit_test(test_all_work_is_done_once),
        cmocka_unit_test(test_a_thread_that_waited_long_ends),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
