/* When gate acknowledges what a client sent, with the system call that asks the kernel for it played here. */
#include "gate/acks.h"

#include "check.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

static struct loop *loop;
static struct acks *acks;

struct client {
    struct ack ack;
    int acknowledged; /* since it was looked at */
};
static struct client one, other, third;
static struct client *const CLIENTS[] = {&one, &other, &third}; /* by descriptor */

int setsockopt(int fd, int level, int name, const void *value, socklen_t n)
{
    assert_int_equal(level, IPPROTO_TCP);
    assert_int_equal(name, TCP_QUICKACK);
    assert_int_equal(n, sizeof(int));
    assert_int_equal(*(const int *)value, 1);
    CLIENTS[fd]->acknowledged++;
    return 0;
}

static bool was_acknowledged(struct client *c)
{
    int times = c->acknowledged;
    c->acknowledged = 0;
    assert_in_range(times, 0, 1);
    return times == 1;
}

static void piece(struct client *c)
{
    ack_came(&c->ack);
}

static void answer(struct client *c)
{
    ack_sent(&c->ack);
}

static void stop(void *context)
{
    (void)context;
    loop_stop(loop);
}

static void let_time_pass(void)
{
    loop_timer(loop, 2 * ACKS_MS, stop, NULL);
    loop_run(loop);
}

static int setup(void **state)
{
    (void)state;
    loop = loop_new();
    acks = acks_new(loop);
    for (int i = 0; i < 3; i++) {
        CLIENTS[i]->acknowledged = 0;
        ack_start(&CLIENTS[i]->ack, acks, i);
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++)
        ack_end(&CLIENTS[i]->ack);
    acks_free(acks);
    loop_free(loop);
    return 0;
}

/* --- tests --- */

static void an_answer_needs_no_acknowledgement(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        piece(&one);
        assert_false(was_acknowledged(&one));
        answer(&one);
        let_time_pass();
        assert_false(was_acknowledged(&one));
    }
}

static void without_an_answer_it_is_sent_after_a_moment(void **state)
{
    (void)state;
    piece(&one);
    assert_false(was_acknowledged(&one));
    let_time_pass();
    assert_true(was_acknowledged(&one));
    let_time_pass(); /* and once only */
    assert_false(was_acknowledged(&one));
}

static void who_goes_on_after_it_is_acknowledged_at_once(void **state)
{
    (void)state;
    piece(&one);
    let_time_pass();
    assert_true(was_acknowledged(&one));
    piece(&one);
    assert_true(was_acknowledged(&one));
    for (int i = 1; i < ACKS_EAGER_PIECES; i++) {
        answer(&one);
        piece(&one);
        assert_true(was_acknowledged(&one));
    }
    piece(&one); /* no answer in between: as many again */
    assert_true(was_acknowledged(&one));
    for (int i = 1; i < ACKS_EAGER_PIECES; i++) {
        answer(&one);
        piece(&one);
        assert_true(was_acknowledged(&one));
    }
    answer(&one);
    piece(&one); /* takes turns with us again */
    assert_false(was_acknowledged(&one));
}

static void who_does_not_wait_is_not_hurried(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++)
        piece(&one);
    assert_false(was_acknowledged(&one));
    let_time_pass();
    assert_true(was_acknowledged(&one));
}

static void part_of_a_record_is_acknowledged_at_once(void **state)
{
    (void)state;
    ack_part(&one.ack);
    assert_true(was_acknowledged(&one));
    piece(&one); /* the rest of it: no sign of a client that waits */
    assert_false(was_acknowledged(&one));
    ack_part(&one.ack);
    assert_true(was_acknowledged(&one));
    let_time_pass();
    assert_false(was_acknowledged(&one));
}

static void each_connection_waits_by_itself(void **state)
{
    (void)state;
    piece(&one);
    piece(&third);
    piece(&other);
    answer(&one); /* the first of those that wait */
    ack_end(&third.ack);
    let_time_pass();
    assert_false(was_acknowledged(&one));
    assert_false(was_acknowledged(&third));
    assert_true(was_acknowledged(&other));
    piece(&other);
    piece(&one);
    answer(&other);
    let_time_pass();
    assert_true(was_acknowledged(&one));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_answer_needs_no_acknowledgement, setup, teardown),
        cmocka_unit_test_setup_teardown(without_an_answer_it_is_sent_after_a_moment, setup, teardown),
        cmocka_unit_test_setup_teardown(who_goes_on_after_it_is_acknowledged_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(who_does_not_wait_is_not_hurried, setup, teardown),
        cmocka_unit_test_setup_teardown(part_of_a_record_is_acknowledged_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(each_connection_waits_by_itself, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
