#include "base/loop.h"

#include "check.h"

#include <pthread.h>
#include <sys/epoll.h>
#include <unistd.h>

static struct loop *loop;

static int setup(void **state)
{
    (void)state;
    loop = loop_new();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    loop_free(loop);
    return 0;
}

static void stop(void *context)
{
    (void)context;
    loop_stop(loop);
}

/* --- timers --- */

static int fired[64];
static int fired_count;

static void note(void *context)
{
    fired[fired_count++] = (int)(intptr_t)context;
}

static void timers_fire_in_order(void **state)
{
    (void)state;
    static const int DELAYS[] = {30, 5, 25, 10, 20, 15, 0, 35};
    struct loop_timer *cancelled[8];
    fired_count = 0;
    for (int i = 0; i < 8; i++) {
        cancelled[i] = loop_timer(loop, DELAYS[i] + 1, note, (void *)(intptr_t)1000);
        loop_timer(loop, DELAYS[i], note, (void *)(intptr_t)DELAYS[i]);
    }
    for (int i = 0; i < 8; i++)
        loop_timer_cancel(cancelled[i]);
    loop_timer(loop, 60, stop, NULL);
    int64_t start = clock_ms();
    loop_run(loop);
    assert_in_range(clock_ms() - start, 55, 5000);
    assert_int_equal(fired_count, 8);
    for (int i = 0; i < 8; i++)
        assert_int_equal(fired[i], i * 5);
}

static void again(void *context)
{
    if (++*(int *)context == 50)
        loop_stop(loop);
    loop_timer(loop, 0, again, context);
}

static int rounds;

static void count_round(void *context)
{
    (void)context;
    rounds++;
}

static void a_timer_may_set_itself_again(void **state)
{
    (void)state;
    int times = 0;
    rounds = 0;
    loop_after_round(loop, count_round, NULL);
    loop_timer(loop, 0, again, &times);
    loop_run(loop);
    assert_int_equal(times, 50);
    assert_true(rounds >= 50);
}

/* --- descriptors --- */

struct watched {
    struct loop_watch *watch;
    int fds[2];
    struct watched *other;
    int calls;
};

static void unwatch_both(void *context, uint32_t events)
{
    struct watched *w = context;
    assert_true(events & EPOLLIN);
    w->calls++;
    loop_unwatch(w->watch);
    loop_unwatch(w->other->watch);
    loop_timer(loop, 10, stop, NULL);
}

static void a_callback_may_unwatch_any_watch(void **state)
{
    (void)state;
    struct watched a = {0}, b = {0};
    a.other = &b;
    b.other = &a;
    for (struct watched *w = &a; w; w = w == &a ? &b : NULL) {
        assert_int_equal(pipe(w->fds), 0);
        assert_int_equal(write(w->fds[1], "x", 1), 1);
        w->watch = loop_watch(loop, w->fds[0], EPOLLIN, unwatch_both, w);
    }
    loop_run(loop); /* both are ready in one round: the second must not be called */
    assert_int_equal(a.calls + b.calls, 1);
    for (int i = 0; i < 2; i++) {
        close(a.fds[i]);
        close(b.fds[i]);
    }
}

static void changes_then_stops(void *context, uint32_t events)
{
    struct watched *w = context;
    if (w->calls++ == 0) {
        assert_true(events & EPOLLIN);
        loop_watch_change(w->watch, 0);
        loop_timer(loop, 20, stop, NULL);
    }
}

static void a_watch_can_be_silenced(void **state)
{
    (void)state;
    struct watched w = {0};
    assert_int_equal(pipe(w.fds), 0);
    assert_int_equal(write(w.fds[1], "x", 1), 1);
    w.watch = loop_watch(loop, w.fds[0], EPOLLIN, changes_then_stops, &w);
    loop_run(loop);
    assert_int_equal(w.calls, 1);
    loop_unwatch(w.watch);
    close(w.fds[0]);
    close(w.fds[1]);
}

/* --- posts --- */

static int posted;

static void count_post(void *context)
{
    (void)context;
    if (++posted == 4000)
        loop_stop(loop);
}

static void *poster(void *context)
{
    (void)context;
    for (int i = 0; i < 1000; i++)
        loop_post(loop, count_post, NULL);
    return NULL;
}

static void posts_from_other_threads_all_run(void **state)
{
    (void)state;
    pthread_t threads[4];
    posted = 0;
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, poster, NULL);
    loop_run(loop);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(posted, 4000);
}

/* --- channels --- */

struct service {
    int frames, closed, in_this_round, most_in_a_round;
    uint64_t serial;
    int taken_fd;
};

static void on_frame(void *context, struct loop_channel *c, struct ipc_frame *f)
{
    struct service *s = context;
    s->frames++;
    if (++s->in_this_round > s->most_in_a_round)
        s->most_in_a_round = s->in_this_round;
    assert_ptr_equal(loop_channel_find(loop, loop_channel_serial(c)), c);
    if (f->nfds > 0)
        s->taken_fd = ipc_frame_take_fd(f, 0);
    if (f->type == 9) {
        loop_channel_close(c);
        loop_channel_close(c); /* twice is once */
    }
}

static void on_closed(void *context, struct loop_channel *c)
{
    struct service *s = context;
    s->closed++;
    assert_null(loop_channel_find(loop, loop_channel_serial(c)));
    loop_stop(loop);
}

static void new_round(void *context)
{
    ((struct service *)context)->in_this_round = 0;
}

static void send_type(int channel, uint16_t type, int fd)
{
    CLEAN_FRAME struct ipc_frame f;
    ipc_frame_init(&f, type);
    if (fd >= 0)
        ipc_put_fd(&f, fd);
    assert_int_equal(ipc_send(channel, &f, deadline_in(1000)), IPC_OK);
}

static void frames_that_came_together_share_a_round(void **state)
{
    (void)state;
    int ends[2];
    assert_true(ipc_pair(ends));
    struct service s = {.taken_fd = -1};
    struct loop_channel *c = loop_channel(loop, ends[0], on_frame, on_closed, &s);
    uint64_t serial = loop_channel_serial(c);
    loop_after_round(loop, new_round, &s);
    for (int i = 0; i < 20; i++)
        send_type(ends[1], 1, i == 7 ? 0 : -1);
    close(ends[1]);
    loop_run(loop);
    assert_int_equal(s.frames, 20);
    assert_int_equal(s.most_in_a_round, 20);
    assert_int_equal(s.closed, 1);
    assert_null(loop_channel_find(loop, serial));
    assert_true(s.taken_fd >= 0);
    close(s.taken_fd);
}

static void one_who_asks_has_one_frame_a_round(void **state)
{
    (void)state;
    int ends[2];
    assert_true(ipc_pair(ends));
    struct service s = {0};
    loop_channel_asks(loop_channel(loop, ends[0], on_frame, on_closed, &s));
    loop_after_round(loop, new_round, &s);
    for (int i = 0; i < 20; i++)
        send_type(ends[1], 1, -1);
    close(ends[1]);
    loop_run(loop);
    assert_int_equal(s.frames, 20);
    assert_int_equal(s.most_in_a_round, 1);
    assert_int_equal(s.closed, 1);
}

/* What was taken out of the frames, and what they held. */
struct keeper {
    struct ipc_frame taken[3];
    size_t n;
};

static void keep_frame(void *context, struct loop_channel *c, struct ipc_frame *f)
{
    struct keeper *k = context;
    (void)c;
    k->taken[k->n++] = *f;
    *f = (struct ipc_frame){0};
}

static void keep_end(void *context, struct loop_channel *c)
{
    (void)context;
    (void)c;
    loop_stop(loop);
}

static void a_frame_that_is_kept_is_not_the_next_ones(void **state)
{
    (void)state;
    int ends[2];
    assert_true(ipc_pair(ends));
    struct keeper k = {.n = 0};
    loop_channel(loop, ends[0], keep_frame, keep_end, &k);
    for (uint32_t i = 0; i < 3; i++) {
        CLEAN_FRAME struct ipc_frame f;
        ipc_frame_init(&f, 1);
        ipc_put_u32(&f, i);
        ipc_put_fd(&f, 0);
        assert_int_equal(ipc_send(ends[1], &f, deadline_in(1000)), IPC_OK);
    }
    close(ends[1]);
    loop_run(loop);
    assert_int_equal(k.n, 3);
    for (uint32_t i = 0; i < 3; i++) {
        struct ipc_reader r = ipc_read(&k.taken[i]);
        assert_int_equal(ipc_get_u32(&r), i);
        assert_true(ipc_done(&r));
        assert_int_equal(k.taken[i].nfds, 1);
        ipc_frame_free(&k.taken[i]);
    }
}

static void a_frame_may_close_its_channel(void **state)
{
    (void)state;
    int ends[2];
    assert_true(ipc_pair(ends));
    struct service s = {0};
    loop_channel(loop, ends[0], on_frame, on_closed, &s);
    send_type(ends[1], 9, -1);
    send_type(ends[1], 1, -1);
    loop_run(loop);
    assert_int_equal(s.frames, 1);
    assert_int_equal(s.closed, 1);
    close(ends[1]);
}

static void what_is_no_frame_closes_the_channel(void **state)
{
    (void)state;
    int ends[2];
    assert_true(ipc_pair(ends));
    struct service s = {0};
    loop_channel(loop, ends[0], on_frame, on_closed, &s);
    assert_int_equal(write(ends[1], "rubbish", 7), 7);
    loop_run(loop);
    assert_int_equal(s.frames, 0);
    assert_int_equal(s.closed, 1);
    close(ends[1]);
}

static void every_channel_is_found_by_its_serial(void **state)
{
    (void)state;
    enum { MANY = 100 };
    struct loop_channel *channels[MANY];
    int peers[MANY];
    uint64_t serials[MANY];
    for (int i = 0; i < MANY; i++) {
        int ends[2];
        assert_true(ipc_pair(ends));
        channels[i] = loop_channel(loop, ends[0], on_frame, NULL, NULL);
        assert_int_equal(loop_channel_fd(channels[i]), ends[0]);
        serials[i] = loop_channel_serial(channels[i]);
        peers[i] = ends[1];
    }
    for (int i = 0; i < MANY; i += 2)
        loop_channel_close(channels[i]);
    for (int i = 0; i < MANY; i++) {
        assert_ptr_equal(loop_channel_find(loop, serials[i]), i % 2 ? channels[i] : NULL);
        close(peers[i]);
    }
    assert_null(loop_channel_find(loop, 0)); /* loop_free closes the others */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(timers_fire_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(a_timer_may_set_itself_again, setup, teardown),
        cmocka_unit_test_setup_teardown(a_callback_may_unwatch_any_watch, setup, teardown),
        cmocka_unit_test_setup_teardown(a_watch_can_be_silenced, setup, teardown),
        cmocka_unit_test_setup_teardown(posts_from_other_threads_all_run, setup, teardown),
        cmocka_unit_test_setup_teardown(frames_that_came_together_share_a_round, setup, teardown),
        cmocka_unit_test_setup_teardown(one_who_asks_has_one_frame_a_round, setup, teardown),
        cmocka_unit_test_setup_teardown(a_frame_that_is_kept_is_not_the_next_ones, setup, teardown),
        cmocka_unit_test_setup_teardown(a_frame_may_close_its_channel, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_no_frame_closes_the_channel, setup, teardown),
        cmocka_unit_test_setup_teardown(every_channel_is_found_by_its_serial, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
