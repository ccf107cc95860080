/* The smtp role in its sandbox with a real directory and a real queue, as a gate and a client see it. */
#include "base/mem.h"
#include "base/str.h"
#include "check.h"
#include "directory/db.h"
#include "directory/directory_role.h"
#include "directory/password.h"
#include "gate/connection.h"
#include "queue/queue.h"
#include "roles.h"
#include "smtp/smtp.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define WAIT_MS 20000

struct here {
    struct tree tree;
    int gate; /* our channel to smtp, as a gate */
};

static void add_account(struct tree *t, const char *address, const char *password)
{
    struct err e = ERR_INIT;
    char hash[PASSWORD_HASH_MAX];
    int64_t id;
    struct directory_db *db = directory_db_open(str_from_c(t->folder.path), '+', &e);
    assert_non_null(db);
    assert_true(password_hash(str_from_c(password), hash, &e));
    assert_true(directory_domain_add(db, STR("example.org"), &e));
    if (!directory_account_add(db, str_from_c(address), str_from_c(hash), &id, &e))
        fail_msg("%s", e.text);
    directory_db_close(db);
}

static int make(void **state)
{
    struct here *h = MEM_NEW(struct here);
    tree_init(&h->tree, "[server]\nworkers = 1\n[smtp]\nsessions = 3\n[login]\nplain_on_loopback = yes\n");
    add_account(&h->tree, "ana@example.org", "correct horse");
    tree_fork(&h->tree, ROLE_DIRECTORY, directory_main);
    tree_fork(&h->tree, ROLE_QUEUE, queue_main);
    tree_fork(&h->tree, ROLE_SMTP, smtp_main);
    tree_run(&h->tree);
    h->gate = tree_connect(&h->tree, ROLE_GATE, ROLE_SMTP);
    *state = h;
    return 0;
}

static int clear(void **state)
{
    struct here *h = *state;
    close(h->gate);
    int bad = tree_stop(&h->tree);
    tree_free(&h->tree);
    free(h);
    return bad;
}

static int dial_through(int gate, enum service service)
{
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    struct connection c = {.fd = ends[1],
                           .service = service,
                           .peer = "127.0.0.1",
                           .peer_port = 4711,
                           .local = "127.0.0.1",
                           .local_port = 25};
    CLEAN_FRAME struct ipc_frame f;
    ipc_frame_init(&f, GATE_FRAME_CONNECTION);
    connection_put(&f, &c);
    assert_int_equal(ipc_send(gate, &f, deadline_in(WAIT_MS)), IPC_OK);
    close(ends[1]);
    return ends[0];
}

static void say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* Reads up to the end of a line that begins like this. */
static void hear(int fd, const char *wanted)
{
    char text[4096] = "\r\n", pattern[200];
    size_t n = 2;
    struct deadline d = deadline_in(WAIT_MS);
    snprintf(pattern, sizeof pattern, "\r\n%s", wanted);
    for (;;) {
        const char *found = strstr(text, pattern);
        if (found && strstr(found + 2, "\r\n"))
            return;
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (poll(&p, 1, deadline_left_ms(d)) <= 0)
            fail_msg("waited for '%s', got '%s'", wanted, text);
        ssize_t got = recv(fd, text + n, sizeof text - n - 1, 0);
        if (got <= 0)
            fail_msg("waited for '%s', closed after '%s'", wanted, text);
        n += (size_t)got;
        text[n] = '\0';
    }
}

/* A session that has its place. One that ended a moment ago may still be counted: its client sees the end
 * before the process does. */
static int dial_in(int gate, enum service service)
{
    struct deadline d = deadline_in(WAIT_MS);
    for (;;) {
        char text[200] = "";
        int fd = dial_through(gate, service);
        struct pollfd p = {.fd = fd, .events = POLLIN};
        assert_true(poll(&p, 1, WAIT_MS) > 0);
        assert_true(recv(fd, text, sizeof text - 1, MSG_PEEK) > 0);
        if (strncmp(text, "421 4.3.2 Too many", 18) != 0)
            return fd;
        if (deadline_passed(d))
            fail_msg("no place for a session: %s", text);
        close(fd);
        poll(NULL, 0, 10);
    }
}

static void hear_the_end(int fd)
{
    char text[1000];
    struct pollfd p = {.fd = fd, .events = POLLIN};
    do
        assert_true(poll(&p, 1, WAIT_MS) > 0);
    while (recv(fd, text, sizeof text, 0) > 0);
    close(fd);
}

static void ask(int fd, const char *line, const char *wanted)
{
    say(fd, line);
    say(fd, "\r\n");
    hear(fd, wanted);
}

static void a_user_sends_elsewhere(void **state)
{
    struct here *h = *state;
    int fd = dial_in(h->gate, SERVICE_SUBMISSION);
    hear(fd, "220 mail.example.org");
    ask(fd, "EHLO client.test", "250 ");
    ask(fd, "AUTH PLAIN AGFuYUBleGFtcGxlLm9yZwBjb3JyZWN0IGhvcnNl", "235 2.7.0");
    ask(fd, "MAIL FROM:<x@far.test>", "553 5.7.1");
    ask(fd, "MAIL FROM:<ANA+tag@Example.org>", "250 2.1.0");
    ask(fd, "RCPT TO:<nobody@example.org>", "550 5.1.1");
    ask(fd, "RCPT TO:<x@far.test>", "250 2.1.5");
    ask(fd, "DATA", "354 ");
    ask(fd, "From: ana@example.org\r\n\r\ncoo\r\n.", "250 2.0.0 Accepted");
    ask(fd, "QUIT", "221 ");
    hear_the_end(fd);
}

static void a_stranger_does_not(void **state)
{
    struct here *h = *state;
    int fd = dial_in(h->gate, SERVICE_SMTP);
    ask(fd, "EHLO client.test", "250 ");
    ask(fd, "MAIL FROM:<ana@example.org>", "250 2.1.0");
    ask(fd, "RCPT TO:<x@far.test>", "550 5.7.1");
    ask(fd, "RCPT TO:<\"x@far.test\"@example.org>", "550 5.1.1");
    ask(fd, "RCPT TO:<Postmaster>", "250 2.1.5");
    ask(fd, "QUIT", "221 ");
    hear_the_end(fd);
}

static void sessions_are_counted(void **state)
{
    struct here *h = *state;
    int fds[3];
    for (size_t i = 0; i < 3; i++) {
        fds[i] = dial_in(h->gate, SERVICE_SMTP);
        hear(fds[i], "220 ");
    }
    int fourth = dial_through(h->gate, SERVICE_SMTP);
    hear(fourth, "421 4.3.2");
    hear_the_end(fourth);
    for (size_t i = 0; i < 3; i++) {
        ask(fds[i], "QUIT", "221 ");
        hear_the_end(fds[i]);
    }
}

static void a_gate_that_sends_nonsense_is_cut_off_and_its_sessions_go_on(void **state)
{
    struct here *h = *state;
    int gate = tree_connect(&h->tree, ROLE_GATE, ROLE_SMTP);
    int fd = dial_in(gate, SERVICE_SMTP);
    hear(fd, "220 ");
    int wrong = dial_through(gate, SERVICE_IMAP);
    struct ipc_frame f;
    assert_int_equal(ipc_receive(gate, &f, deadline_in(WAIT_MS)), IPC_EOF);
    hear_the_end(wrong);
    close(gate);
    ask(fd, "NOOP", "250 ");
    ask(fd, "QUIT", "221 ");
    hear_the_end(fd);
}

/* The last test: the role ends in it. tree_stop then waits for status 0. */
static void stopping_lets_a_message_in(void **state)
{
    struct here *h = *state;
    int quiet = dial_in(h->gate, SERVICE_SMTP), busy = dial_in(h->gate, SERVICE_SUBMISSION_ALT);
    hear(quiet, "220 ");
    ask(busy, "EHLO client.test", "250 ");
    ask(busy, "AUTH PLAIN AGFuYUBleGFtcGxlLm9yZwBjb3JyZWN0IGhvcnNl", "235 2.7.0");
    ask(busy, "MAIL FROM:<ana@example.org>", "250 ");
    for (size_t i = 0; i < h->tree.n; i++) {
        CLEAN_FRAME struct ipc_frame f;
        ipc_frame_init(&f, ROLE_FRAME_STOP);
        if (h->tree.kinds[i] == ROLE_SMTP)
            assert_int_equal(ipc_send(h->tree.controls[i], &f, deadline_in(WAIT_MS)), IPC_OK);
    }
    hear(quiet, "421 4.3.2");
    hear_the_end(quiet);
    int late = dial_through(h->gate, SERVICE_SMTP);
    hear(late, "421 4.3.2");
    hear_the_end(late);
    ask(busy, "RCPT TO:<x@far.test>", "250 ");
    ask(busy, "DATA", "354 ");
    ask(busy, ".", "250 ");
    hear_the_end(busy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_user_sends_elsewhere),
        cmocka_unit_test(a_stranger_does_not),
        cmocka_unit_test(sessions_are_counted),
        cmocka_unit_test(a_gate_that_sends_nonsense_is_cut_off_and_its_sessions_go_on),
        cmocka_unit_test(stopping_lets_a_message_in),
    };
    return cmocka_run_group_tests(tests, make, clear);
}
