/* The sockets that the supervisor binds, and what a reload of the config does to them. */
#include "supervisor/listeners.h"

#include "check.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const struct config_listener SMTP = {
    .service = SERVICE_SMTP, .address = {"127.0.0.1", 9}, .port = 0}; /* any that is free */
static const struct config_listener LMTP = {.service = SERVICE_LMTP, .address = {"127.0.0.2", 9}, .port = 0};

static struct sockaddr_in address_of(int fd)
{
    struct sockaddr_in at;
    socklen_t n = sizeof at;
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &n), 0);
    return at;
}

static int dial(int listener)
{
    struct sockaddr_in at = address_of(listener);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
    return fd;
}

static void a_connection_does_not_wait_for_more_to_send(void **state)
{
    (void)state;
    struct config c = {.listeners = {SMTP}, .listener_count = 1};
    struct listeners l;
    struct err e = ERR_INIT;
    assert_true(listeners_bind(&l, NULL, &c, &e));
    assert_int_equal(l.n, 1);
    int client = dial(l.v[0].fd), server = accept(l.v[0].fd, NULL, NULL), on = 0;
    socklen_t n = sizeof on;
    assert_int_equal(getsockopt(server, IPPROTO_TCP, TCP_NODELAY, &on, &n), 0);
    assert_true(on);
    close(client);
    close(server);
    listeners_close(&l);
}

static void a_reload_keeps_what_is_still_asked_for(void **state)
{
    (void)state;
    struct config before = {.listeners = {SMTP, LMTP}, .listener_count = 2};
    struct config after = {.listeners = {LMTP}, .listener_count = 1};
    struct listeners old, l;
    struct err e = ERR_INIT;
    assert_true(listeners_bind(&old, NULL, &before, &e));
    int gone = old.v[0].fd, kept = old.v[1].fd;
    int waiting = dial(kept); /* not accepted yet: it must not be lost */
    assert_true(listeners_bind(&l, &old, &after, &e));
    assert_int_equal(l.n, 1);
    assert_int_equal(l.v[0].fd, kept);
    assert_int_equal(getsockname(gone, &(struct sockaddr){0}, &(socklen_t){sizeof(struct sockaddr)}), -1);
    int taken = accept(kept, NULL, NULL);
    assert_true(taken >= 0);
    close(taken);
    close(waiting);
    listeners_close(&l);
}

static void what_another_has_is_told_and_nothing_changes(void **state)
{
    (void)state;
    struct config c = {.listeners = {SMTP}, .listener_count = 1};
    struct listeners old, l;
    struct err e = ERR_INIT;
    assert_true(listeners_bind(&old, NULL, &c, &e));
    struct config_listener taken = SMTP;
    taken.port = ntohs(address_of(old.v[0].fd).sin_port);
    struct config more = {.listeners = {SMTP, taken}, .listener_count = 2};
    assert_false(listeners_bind(&l, &old, &more, &e));
    assert_non_null(strstr(e.text, "another server has it"));
    close(dial(old.v[0].fd)); /* it still listens */
    listeners_close(&old);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connection_does_not_wait_for_more_to_send),
        cmocka_unit_test(a_reload_keeps_what_is_still_asked_for),
        cmocka_unit_test(what_another_has_is_told_and_nothing_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
