/* Connecting to one of several addresses (RFC 8305), and what is remembered of them. Addresses that answer,
 * refuse and say nothing: 127.0.0.1 and its neighbours. */
#include "check.h"

#include "relay/dial.h"
#include "relay/memory.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MANY 4 /* connections that fill the shortest queue of a listener */

static int listen_at(const char *address, uint16_t *port, int backlog)
{
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(*port)};
    socklen_t size = sizeof here;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    inet_pton(AF_INET, address, &here.sin_addr);
    if (bind(fd, (struct sockaddr *)&here, size) != 0 || listen(fd, backlog) != 0 ||
        getsockname(fd, (struct sockaddr *)&here, &size) != 0)
        abort();
    *port = ntohs(here.sin_port);
    return fd;
}

/* A listener whose queue is full: the kernel drops what comes, and a connection is never answered. */
struct silent {
    int listener, fillers[MANY];
};

static void silent_open(struct silent *s, const char *address, uint16_t port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    s->listener = listen_at(address, &port, 0);
    inet_pton(AF_INET, address, &to.sin_addr);
    for (size_t i = 0; i < MANY; i++) {
        s->fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        (void)connect(s->fillers[i], (struct sockaddr *)&to, sizeof to); /* those after the first hang */
    }
}

static void silent_close(struct silent *s)
{
    for (size_t i = 0; i < MANY; i++)
        close(s->fillers[i]);
    close(s->listener);
}

static size_t dial_to(struct dial_address *list, size_t n, uint16_t port, int ms, char local[INET_ADDRSTRLEN])
{
    size_t which;
    struct sockaddr_in here;
    socklen_t size = sizeof here;
    int fd = dial(list, n, port, deadline_in(ms), &which);
    assert_int_equal(fd >= 0, which < n);
    if (fd >= 0 && local) {
        assert_int_equal(getsockname(fd, (struct sockaddr *)&here, &size), 0);
        inet_ntop(AF_INET, &here.sin_addr, local, INET_ADDRSTRLEN);
    }
    if (fd >= 0)
        close(fd);
    return which;
}

static void the_first_that_answers(void **state)
{
    (void)state;
    uint16_t port = 0;
    int listener = listen_at("127.0.0.1", &port, 10);
    struct dial_address list[] = {{.address = "127.0.0.1"}, {.address = "127.0.0.3"}};
    assert_int_equal(dial_to(list, 2, port, 5000, NULL), 0);
    assert_true(list[0].was_tried && !list[1].was_tried);
    close(listener);
}

static void one_that_refuses_costs_no_time(void **state)
{
    (void)state;
    uint16_t port = 0;
    int listener = listen_at("127.0.0.1", &port, 10);
    struct dial_address list[] = {
        {.address = "127.0.0.3"}, {.address = "no address"}, {.address = "127.0.0.1"}};
    int64_t began = clock_ms();
    assert_int_equal(dial_to(list, 3, port, 5000, NULL), 2);
    assert_true(clock_ms() - began < DIAL_DELAY_MS);
    assert_string_equal(list[0].failure, "Connection refused");
    assert_string_equal(list[1].failure, "it is not an address");
    assert_string_equal(list[2].failure, "");
    close(listener);
}

static void one_that_says_nothing_has_a_head_start_only(void **state)
{
    (void)state;
    uint16_t port = 0;
    struct silent silent;
    int listener = listen_at("127.0.0.1", &port, 10);
    silent_open(&silent, "127.0.0.2", port);
    struct dial_address list[] = {{.address = "127.0.0.2"}, {.address = "127.0.0.1"}};
    int64_t began = clock_ms();
    assert_int_equal(dial_to(list, 2, port, 20000, NULL), 1);
    assert_true(clock_ms() - began >= DIAL_DELAY_MS);
    assert_true(clock_ms() - began < 10000);
    assert_false(list[0].was_tried); /* it may be slow, and no more */
    assert_true(list[1].was_tried);
    close(listener);
    silent_close(&silent);
}

static void nobody_answers(void **state)
{
    (void)state;
    uint16_t port = 0;
    struct silent silent;
    int listener = listen_at("127.0.0.1", &port, 10);
    close(listener);
    silent_open(&silent, "127.0.0.2", port);
    struct dial_address list[] = {{.address = "127.0.0.1"}, {.address = "127.0.0.2"}};
    assert_int_equal(dial_to(list, 2, port, 300, NULL), 2);
    assert_string_equal(list[0].failure, "Connection refused");
    assert_string_equal(list[1].failure, "Connection timed out");
    assert_int_equal(dial_to(list, 1, port, 300, NULL), 1);
    assert_int_equal(dial_to(list, 0, port, 300, NULL), 0);
    silent_close(&silent);
}

static void from_an_address_of_ours(void **state)
{
    (void)state;
    uint16_t port = 0;
    char local[INET_ADDRSTRLEN] = "";
    int listener = listen_at("127.0.0.1", &port, 10);
    struct dial_address list[] = {{.address = "127.0.0.1", .source = "127.0.0.9"}};
    assert_int_equal(dial_to(list, 1, port, 5000, local), 0);
    assert_string_equal(local, "127.0.0.9");
    list[0].source = "192.0.2.1";
    assert_int_equal(dial_to(list, 1, port, 5000, NULL), 1);
    assert_string_equal(list[0].failure, "Cannot assign requested address");
    close(listener);
}

static void families(void **state)
{
    (void)state;
    assert_int_equal(dial_family("192.0.2.1"), 4);
    assert_int_equal(dial_family("2001:db8::1"), 6);
    assert_int_equal(dial_family("mail.example.org"), 0);
}

static void what_is_remembered(void **state)
{
    (void)state;
    struct memory *m = memory_new();
    assert_int_equal(memory_get(m, MEMORY_FAMILY, STR("mx.example")), 0);
    memory_put(m, MEMORY_FAMILY, STR("mx.example"), 4, 60000);
    memory_put(m, MEMORY_BAD_ADDRESS, STR("192.0.2.1"), 1, 0);
    assert_int_equal(memory_get(m, MEMORY_FAMILY, STR("MX.example")), 4);
    assert_int_equal(memory_get(m, MEMORY_NO_BDAT, STR("mx.example")), 0);
    assert_int_equal(memory_get(m, MEMORY_BAD_ADDRESS, STR("192.0.2.1")), 0); /* its time is over */
    memory_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_that_answers),
        cmocka_unit_test(one_that_refuses_costs_no_time),
        cmocka_unit_test(one_that_says_nothing_has_a_head_start_only),
        cmocka_unit_test(nobody_answers),
        cmocka_unit_test(from_an_address_of_ours),
        cmocka_unit_test(families),
        cmocka_unit_test(what_is_remembered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
