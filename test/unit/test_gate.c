/* The gate as a process in its sandbox: listeners and certificates from the supervisor, connections to
 * services that are played here. */
#include "gate/gate.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/stream.h"
#include "base/thread.h"
#include "gate/connection.h"

#include "certificates.h"
#include "check.h"
#include "roles.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- a service that greets with what it knows, echoes lines, does STARTTLS, and ends at QUIT --- */

struct session {
    struct connection c;
    int gate;
};

static struct deadline later(void)
{
    return deadline_in(20 * 1000);
}

static void greet(struct stream *s, const struct connection *c)
{
    stream_writef(s, "%s %s %s\r\n", service_name(c->service), c->peer, c->tls.on ? c->tls.version : "plain");
}

static void serve(void *context)
{
    struct session *s = context;
    struct stream stream;
    struct str line;
    stream_open(&stream, s->c.fd, STR(""));
    greet(&stream, &s->c);
    while (stream_read_line(&stream, 1000, later(), &line, NULL) == STREAM_OK && !str_eq(line, STR("QUIT"))) {
        if (!str_eq(line, STR("STARTTLS"))) {
            stream_writef(&stream, "%.*s\r\n", STR_ARGS(line));
            continue;
        }
        stream_write(&stream, STR("go ahead\r\n"));
        stream_flush(&stream, later());
        stream.fd = -1; /* goes to the gate */
        stream_close(&stream);
        struct err e = ERR_INIT;
        if (!connection_starttls(s->gate, &s->c, later(), &e)) {
            close(s->c.fd);
            free(s);
            return;
        }
        stream_open(&stream, s->c.fd, STR(""));
        greet(&stream, &s->c);
    }
    stream_write(&stream, STR("bye\r\n"));
    stream_flush(&stream, later());
    stream_close(&stream);
    free(s);
}

static void take_connection(void *context, struct loop_channel *channel, struct ipc_frame *f)
{
    (void)context;
    struct session *s = MEM_NEW(struct session);
    struct ipc_reader r = ipc_read(f);
    if (f->type != GATE_FRAME_CONNECTION || !connection_get(f, &r, &s->c) || !ipc_done(&r))
        abort();
    s->gate = loop_channel_fd(channel);
    if (!thread_start(serve, s))
        abort();
}

static void take_channel(void *context, int channel, enum role_kind client, uint32_t index)
{
    (void)client;
    (void)index;
    loop_channel(context, channel, take_connection, NULL, NULL);
}

static int service_main(struct role *r)
{
    struct loop *l = loop_new();
    role_attach(r, l, &(struct role_handlers){.channel = take_channel}, l);
    loop_run(l);
    return 0;
}

/* --- the supervisor's part --- */

static struct tree tree;
static uint16_t ports[SERVICE_COUNT];

static int memfd_with(const char *text)
{
    int fd = memfd_create("pem", MFD_CLOEXEC);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    return fd;
}

static void send_to_gate(struct ipc_frame *f)
{
    assert_int_equal(ipc_send(tree.controls[0], f, later()), IPC_OK);
    for (size_t i = 0; i < f->nfds; i++)
        close(f->fds[i]);
    ipc_frame_free(f);
}

static void send_certificate(const char *name)
{
    static const char TICKET_KEY[80] = "secret";
    struct test_certificate c = test_certificate_make(name);
    struct ipc_frame f;
    ipc_frame_init(&f, ROLE_FRAME_TLS);
    ipc_put_str(&f, str_from(TICKET_KEY, sizeof TICKET_KEY));
    ipc_put_fd(&f, memfd_with(c.certificate));
    ipc_put_fd(&f, memfd_with(c.key));
    send_to_gate(&f);
    test_certificate_free(&c);
}

static void send_listeners(void)
{
    static const enum service SERVICES[] = {SERVICE_SMTP, SERVICE_SUBMISSION, SERVICE_IMAP, SERVICE_IMAPS};
    struct ipc_frame f;
    ipc_frame_init(&f, ROLE_FRAME_LISTENERS);
    ipc_put_u8(&f, 1);
    ipc_put_u32(&f, 4);
    for (size_t i = 0; i < 4; i++) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t n = sizeof at;
        assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
        assert_int_equal(listen(fd, 100), 0);
        assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &n), 0);
        ports[SERVICES[i]] = ntohs(at.sin_port);
        ipc_put_u32(&f, SERVICES[i]);
        ipc_put_fd(&f, fd);
    }
    send_to_gate(&f);
}

static int setup(void **state)
{
    (void)state;
    tree_init(&tree, "[server]\nworkers = 1\n");
    tree_fork(&tree, ROLE_GATE, gate_main);
    tree_fork(&tree, ROLE_SMTP, service_main);
    tree_fork(&tree, ROLE_LOGIN, service_main);
    tree_run(&tree);
    send_certificate("first.example.org");
    send_listeners();
    return 0;
}

/* --- the client --- */

static int dial(enum service service)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(ports[service]), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

static void expect(int fd, SSL *ssl, const char *want)
{
    char got[200];
    size_t n = 0, end = strlen(want);
    while (n < end) {
        ssize_t more = ssl ? SSL_read(ssl, got + n, (int)(end - n)) : recv(fd, got + n, end - n, 0);
        assert_true(more > 0);
        n += (size_t)more;
    }
    assert_memory_equal(got, want, end);
}

static SSL_CTX *client_context;

static SSL *handshake(int fd)
{
    SSL *ssl = SSL_new(client_context);
    SSL_set_fd(ssl, fd);
    assert_int_equal(SSL_connect(ssl), 1);
    return ssl;
}

static void quit(int fd, SSL *ssl)
{
    char rest[10];
    assert_int_equal(SSL_write(ssl, "QUIT\r\n", 6), 6);
    expect(fd, ssl, "bye\r\n");
    assert_int_equal(SSL_read(ssl, rest, sizeof rest), 0);
    SSL_free(ssl);
    assert_int_equal(recv(fd, rest, sizeof rest, 0), 0);
    close(fd);
}

/* --- tests, in this order: each goes on with the gate of the one before --- */

static void plain_connections_go_on_as_they_are(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        int fd = dial(i % 2 ? SERVICE_SMTP : SERVICE_IMAP);
        expect(fd, NULL, i % 2 ? "smtp 127.0.0.1 plain\r\n" : "imap 127.0.0.1 plain\r\n");
        assert_int_equal(send(fd, "hello\r\nQUIT\r\n", 13, 0), 13);
        expect(fd, NULL, "hello\r\nbye\r\n");
        assert_int_equal(recv(fd, (char[1]){0}, 1, 0), 0);
        close(fd);
    }
}

static void tls_from_the_first_byte(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        int fd = dial(SERVICE_IMAPS);
        SSL *ssl = handshake(fd);
        expect(fd, ssl, "imaps 127.0.0.1 TLSv1.3\r\n");
        assert_int_equal(SSL_write(ssl, "hello\r\n", 7), 7);
        expect(fd, ssl, "hello\r\n");
        quit(fd, ssl);
    }
}

static void starttls_comes_back_to_the_gate(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        int fd = dial(SERVICE_SUBMISSION);
        expect(fd, NULL, "submission 127.0.0.1 plain\r\n");
        assert_int_equal(send(fd, "STARTTLS\r\n", 10, 0), 10);
        expect(fd, NULL, "go ahead\r\n");
        SSL *ssl = handshake(fd);
        expect(fd, ssl, "submission 127.0.0.1 TLSv1.3\r\n");
        quit(fd, ssl);
    }
}

static void a_client_that_speaks_no_tls_is_closed(void **state)
{
    (void)state;
    int fd = dial(SERVICE_IMAPS);
    assert_int_equal(send(fd, "a1 LOGIN ana secret\r\n", 21, 0), 21);
    char rest[100];
    ssize_t n;
    while ((n = recv(fd, rest, sizeof rest, 0)) > 0) /* an alert */
        continue;
    close(fd);
    fd = dial(SERVICE_SUBMISSION);
    expect(fd, NULL, "submission 127.0.0.1 plain\r\n");
    assert_int_equal(send(fd, "STARTTLS\r\n", 10, 0), 10);
    expect(fd, NULL, "go ahead\r\n");
    assert_int_equal(send(fd, "MAIL FROM:<x@y>\r\n", 17, 0), 17);
    while ((n = recv(fd, rest, sizeof rest, 0)) > 0)
        continue;
    close(fd);
}

static void a_new_certificate_serves_new_connections(void **state)
{
    (void)state;
    int old = dial(SERVICE_IMAPS);
    SSL *old_ssl = handshake(old);
    expect(old, old_ssl, "imaps 127.0.0.1 TLSv1.3\r\n");
    send_certificate("second.example.org");
    char name[100] = "";
    for (int i = 0; i < 500 && strcmp(name, "second.example.org") != 0; i++) { /* until the frame was read */
        int fd = dial(SERVICE_IMAPS);
        SSL *ssl = handshake(fd);
        expect(fd, ssl, "imaps 127.0.0.1 TLSv1.3\r\n");
        X509 *x = SSL_get1_peer_certificate(ssl);
        X509_NAME_get_text_by_NID(X509_get_subject_name(x), NID_commonName, name, sizeof name);
        X509_free(x);
        quit(fd, ssl);
    }
    assert_string_equal(name, "second.example.org");
    quit(old, old_ssl);
}

static void without_its_service_a_connection_is_closed(void **state)
{
    (void)state;
    pid_t smtp = tree_pid(&tree, ROLE_SMTP);
    kill(smtp, SIGKILL);
    while (waitpid(smtp, NULL, WNOHANG) == 0)
        usleep(1000);
    tree.pids[1] = 0;
    int fd = dial(SERVICE_SMTP);
    assert_true(recv(fd, (char[1]){0}, 1, 0) <= 0);
    close(fd);
    fd = dial(SERVICE_IMAP);
    expect(fd, NULL, "imap 127.0.0.1 plain\r\n"); /* the others go on */
    close(fd);
}

static void a_stopping_gate_finishes_what_is_under_way(void **state)
{
    (void)state;
    int fd = dial(SERVICE_IMAPS);
    SSL *ssl = handshake(fd);
    expect(fd, ssl, "imaps 127.0.0.1 TLSv1.3\r\n");
    struct ipc_frame f;
    ipc_frame_init(&f, ROLE_FRAME_STOP);
    send_to_gate(&f);
    for (;;) { /* until nobody listens any more */
        int late = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct sockaddr_in to = {.sin_family = AF_INET,
                                 .sin_port = htons(ports[SERVICE_SMTP]),
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        int r = connect(late, (struct sockaddr *)&to, sizeof to);
        close(late);
        if (r < 0)
            break;
        usleep(1000);
    }
    assert_int_equal(waitpid(tree_pid(&tree, ROLE_GATE), NULL, WNOHANG), 0);
    assert_int_equal(SSL_write(ssl, "still here\r\n", 12), 12);
    expect(fd, ssl, "still here\r\n");
    quit(fd, ssl);
    int status;
    assert_int_equal(waitpid(tree_pid(&tree, ROLE_GATE), &status, 0), tree_pid(&tree, ROLE_GATE));
    assert_int_equal(status, 0);
    tree.pids[0] = 0;
}

static int teardown(void **state)
{
    (void)state;
    int bad = tree_stop(&tree);
    for (size_t i = 0; i < 2; i++) /* ended above; tree_free takes them for clients */
        tree.clients[i] = (struct role){.control = -1, .broker = -1};
    tree_free(&tree);
    SSL_CTX_free(client_context);
    return bad;
}

static int setup_all(void **state)
{
    client_context = SSL_CTX_new(TLS_client_method());
    return setup(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_connections_go_on_as_they_are),
        cmocka_unit_test(tls_from_the_first_byte),
        cmocka_unit_test(starttls_comes_back_to_the_gate),
        cmocka_unit_test(a_client_that_speaks_no_tls_is_closed),
        cmocka_unit_test(a_new_certificate_serves_new_connections),
        cmocka_unit_test(without_its_service_a_connection_is_closed),
        cmocka_unit_test(a_stopping_gate_finishes_what_is_under_way),
    };
    return cmocka_run_group_tests(tests, setup_all, teardown);
}
