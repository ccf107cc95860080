/* gate's TLS: certificates, handshakes and relaying, driven by an OpenSSL client in a thread. */
#include "gate/tunnel.h"

#include "base/log.h"
#include "gate/tls.h"

#include "certificates.h"
#include "check.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char TICKETS[TLS_TICKET_KEY_BYTES] = "a ticket key";
static struct loop *loop;
static struct tunnels *tunnels;
static SSL_CTX *server;
static struct test_certificate own;
static atomic_int delivered_fd;
static struct connection delivered;
static atomic_int ended;

/* --- the gate around it --- */

/* What a service says that leaves at once; 0: it stays. */
static size_t last_words;

static bool deliver(void *context, const struct connection *c)
{
    (void)context;
    if (last_words > 0) {
        char *words = calloc(1, last_words);
        bool fits = send(c->fd, words, last_words, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)last_words;
        free(words);
        return fits;
    }
    delivered = *c;
    delivered_fd = dup(c->fd);
    return true;
}

static void on_end(void *context, const char *peer)
{
    (void)context;
    assert_string_equal(peer, "192.0.2.7");
    ended++;
    loop_stop(loop);
}

static int setup_group(void **state)
{
    (void)state;
    log_configure(LOG_LEVEL_WARNING, LOG_FORMAT_TEXT);
    signal(SIGPIPE, SIG_IGN); /* as gate does */
    own = test_certificate_make("mail.example.org");
    return 0;
}

static int teardown_group(void **state)
{
    (void)state;
    test_certificate_free(&own);
    return 0;
}

static SSL_CTX *make_context(struct err *e)
{
    return tls_context(str_from_c(own.certificate), str_from_c(own.key), str_from(TICKETS, sizeof TICKETS),
                       e);
}

static int setup(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    loop = loop_new();
    tunnels = tunnels_new(loop, &(struct tunnels_user){deliver, on_end, NULL});
    server = make_context(&e);
    ended = 0;
    delivered_fd = -1;
    return server ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    tunnels_free(tunnels);
    loop_free(loop);
    SSL_CTX_free(server);
    return 0;
}

/* --- what gate sends to a client --- */

static atomic_int gate_end = -1;
static struct {
    char pieces[64]; /* each 'm', held back for what follows, or 'p', on its way at once */
    size_t n;
} gate_sent;

/* In the place of libc's. */
ssize_t send(int fd, const void *p, size_t n, int flags)
{
    if (fd == gate_end && gate_sent.n < sizeof gate_sent.pieces - 1)
        gate_sent.pieces[gate_sent.n++] = flags & MSG_MORE ? 'm' : 'p';
    return syscall(SYS_sendto, fd, p, n, flags, NULL, 0);
}

static void watch_gate_end(int fd)
{
    memset(&gate_sent, 0, sizeof gate_sent);
    gate_end = fd;
}

/* A client's socket, whose other end the gate serves from now on. */
static int connect_client(void)
{
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    watch_gate_end(ends[1]);
    struct connection c = {
        .fd = ends[1], .service = SERVICE_IMAPS, .peer = "192.0.2.7", .local = "192.0.2.1"};
    assert_int_equal(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
    tunnel_accept(tunnels, server, &c);
    return ends[0];
}

/* --- the client --- */

struct client {
    pthread_t thread;
    void *(*main)(void *client); /* NULL: client_main */
    int fd;
    int max_version;      /* 0: any */
    SSL_SESSION *session; /* in: to resume; out: the last ticket */
    size_t bytes;         /* to send, and to get back */
    bool impolite;        /* closes without close_notify */
    bool ok, resumed, said_goodbye;
    struct channel_bindings bindings; /* as the client sees them */
};

static SSL_SESSION *last_session;

static int keep_session(SSL *ssl, SSL_SESSION *session)
{
    (void)ssl;
    SSL_SESSION_free(last_session);
    last_session = session;
    return 1;
}

static bool exchange(SSL *ssl, size_t bytes)
{
    char *out = malloc(bytes), *in = malloc(bytes);
    for (size_t i = 0; i < bytes; i++)
        out[i] = (char)(i * 7 + i / 1000);
    bool ok = true;
    for (size_t at = 0; ok && at < bytes;) {
        int n = SSL_write(ssl, out + at, (int)(bytes - at > 3000 ? 3000 : bytes - at));
        ok = n > 0;
        at += ok ? (size_t)n : 0;
    }
    for (size_t at = 0; ok && at < bytes;) {
        int n = SSL_read(ssl, in + at, (int)(bytes - at));
        ok = n > 0;
        at += ok ? (size_t)n : 0;
    }
    ok = ok && memcmp(in, out, bytes) == 0;
    free(in);
    free(out);
    return ok;
}

/* RFC 9266 and RFC 5929, on the other side of what tls_describe does. */
static void see_bindings(SSL *ssl, struct channel_bindings *b)
{
    struct channel_binding *unique = &b->v[BINDING_TLS_UNIQUE], *end = &b->v[BINDING_TLS_SERVER_END_POINT];
    unsigned n = 0;
    *b = (struct channel_bindings){0};
    SSL_export_keying_material(ssl, b->v[BINDING_TLS_EXPORTER].bytes, 32, "EXPORTER-Channel-Binding", 24,
                               (const unsigned char *)"", 0, 1);
    b->v[BINDING_TLS_EXPORTER].n = 32;
    if (SSL_version(ssl) == TLS1_2_VERSION)
        unique->n = (uint8_t)(SSL_session_reused(ssl)
                                  ? SSL_get_peer_finished(ssl, unique->bytes, sizeof unique->bytes)
                                  : SSL_get_finished(ssl, unique->bytes, sizeof unique->bytes));
    X509 *certificate = SSL_get1_peer_certificate(ssl);
    X509_digest(certificate, EVP_sha256(), end->bytes, &n);
    end->n = (uint8_t)n;
    X509_free(certificate);
}

static void *client_main(void *context)
{
    struct client *c = context;
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_security_level(ctx, 0);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ctx, keep_session);
    if (c->max_version)
        SSL_CTX_set_max_proto_version(ctx, c->max_version);
    SSL *ssl = SSL_new(ctx);
    SSL_set_fd(ssl, c->fd);
    if (c->session)
        SSL_set_session(ssl, c->session);
    c->ok = SSL_connect(ssl) == 1;
    if (c->ok) {
        c->resumed = SSL_session_reused(ssl);
        see_bindings(ssl, &c->bindings);
        c->ok = exchange(ssl, c->bytes);
        if (!c->impolite) {
            SSL_shutdown(ssl);
            char rest[100];
            int n = SSL_read(ssl, rest, sizeof rest); /* "bye" and then the end */
            c->said_goodbye = n == 3 && SSL_read(ssl, rest, sizeof rest) == 0 &&
                              SSL_get_error(ssl, 0) == SSL_ERROR_ZERO_RETURN;
        }
    }
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    close(c->fd);
    return NULL;
}

static void client_start(struct client *c)
{
    pthread_create(&c->thread, NULL, c->main ? c->main : client_main, c);
}

/* --- the service: sends everything back, and says "bye" when the client is done --- */

static void echo(int fd, size_t bytes)
{
    char *all = malloc(bytes + 1);
    size_t n = 0;
    while (n < bytes) { /* reads everything before it answers, so that both directions fill up */
        ssize_t got = recv(fd, all + n, bytes - n, 0);
        if (got <= 0)
            break;
        n += (size_t)got;
    }
    for (size_t at = 0; at < n;) {
        ssize_t gone = send(fd, all + at, n - at, MSG_NOSIGNAL);
        if (gone <= 0)
            break;
        at += (size_t)gone;
    }
    ssize_t end = recv(fd, all, 1, 0);
    if (end == 0)
        send(fd, "bye", 3, MSG_NOSIGNAL);
    free(all);
    close(fd);
}

static size_t service_bytes;

static void *service_main(void *context)
{
    int ended_before = *(int *)context;
    while (delivered_fd < 0) {
        if (ended > ended_before) /* the handshake has failed */
            return NULL;
        usleep(1000);
    }
    int flags = fcntl(delivered_fd, F_GETFL);
    assert_true(flags & O_NONBLOCK);
    fcntl(delivered_fd, F_SETFL, flags & ~O_NONBLOCK);
    echo(delivered_fd, service_bytes);
    return NULL;
}

static void run_one(struct client *c)
{
    pthread_t service;
    int ended_before = ended;
    delivered_fd = -1;
    c->fd = connect_client();
    service_bytes = c->bytes;
    client_start(c);
    pthread_create(&service, NULL, service_main, &ended_before);
    loop_run(loop);
    pthread_join(c->thread, NULL);
    pthread_join(service, NULL);
}

/* --- tests --- */

static void bytes_go_both_ways_whatever_their_number(void **state)
{
    (void)state;
    static const size_t SIZES[] = {1, 100, 16384, 70000, 3000000};
    static const int VERSIONS[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    for (size_t v = 0; v < 2; v++)
        for (size_t i = 0; i < 5; i++) {
            struct client c = {.bytes = SIZES[i], .max_version = VERSIONS[v]};
            run_one(&c);
            assert_true(c.ok);
            assert_true(c.said_goodbye);
            assert_true(delivered.tls.on);
            assert_string_equal(delivered.tls.version, v ? "TLSv1.3" : "TLSv1.2");
            assert_memory_equal(&delivered.tls.bindings, &c.bindings, sizeof c.bindings);
            assert_string_equal(delivered.peer, "192.0.2.7");
        }
    assert_int_equal(ended, 10);
    assert_int_equal(tunnels_count(tunnels), 0);
}

static void an_impolite_client_ends_too(void **state)
{
    (void)state;
    struct client c = {.bytes = 1000, .impolite = true};
    run_one(&c);
    assert_true(c.ok);
    assert_int_equal(ended, 1);
}

static void old_versions_are_refused(void **state)
{
    (void)state;
    struct client c = {.bytes = 1, .max_version = TLS1_1_VERSION};
    c.fd = connect_client();
    client_start(&c);
    loop_run(loop);
    pthread_join(c.thread, NULL);
    assert_false(c.ok);
    assert_int_equal(ended, 1);
    assert_int_equal(delivered_fd, -1);
}

static void a_session_resumes_on_another_gate(void **state)
{
    (void)state;
    static const int VERSIONS[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    for (size_t v = 0; v < 2; v++) {
        struct client first = {.bytes = 10, .max_version = VERSIONS[v]};
        run_one(&first);
        assert_false(first.resumed);
        assert_non_null(last_session);
        SSL_CTX_free(server);
        server = make_context(NULL); /* as another process, with the same ticket key, would have */
        struct client again = {.bytes = 10, .max_version = VERSIONS[v], .session = last_session};
        SSL_SESSION_up_ref(last_session);
        run_one(&again);
        assert_true(again.ok);
        assert_true(again.resumed);
        assert_memory_equal(&delivered.tls.bindings, &again.bindings, sizeof again.bindings);
        SSL_SESSION_free(again.session);
        SSL_SESSION_free(last_session);
        last_session = NULL;
    }
}

/* --- pieces that travel together --- */

/* The handshake, the ticket and the echo, "bye" and close_notify: who is quick closes before gate has read
 * its "bye". */
static void a_ticket_travels_with_the_first_word_and_goodbye_with_the_end(void **state)
{
    (void)state;
    struct client c = {.bytes = 10, .max_version = TLS1_3_VERSION};
    run_one(&c);
    assert_true(c.ok && c.said_goodbye);
    assert_true(strcmp(gate_sent.pieces, "pmppm") == 0 || strcmp(gate_sent.pieces, "pmpmm") == 0);
}

/* With TLS 1.2 the ticket is in the middle of the handshake. */
static void no_piece_of_a_handshake_waits(void **state)
{
    (void)state;
    struct client c = {.bytes = 10, .max_version = TLS1_2_VERSION};
    run_one(&c);
    assert_true(c.ok && c.said_goodbye);
    assert_true(strcmp(gate_sent.pieces, "ppppm") == 0 || strcmp(gate_sent.pieces, "pppmm") == 0);
}

static void *listener_main(void *context)
{
    struct client *c = context;
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL *ssl = SSL_new(ctx);
    static char words[1 << 14];
    SSL_set_fd(ssl, c->fd);
    int n = SSL_connect(ssl);
    while (n > 0 && (n = SSL_read(ssl, words, sizeof words)) > 0)
        c->bytes += (size_t)n;
    c->said_goodbye = SSL_get_error(ssl, n) == SSL_ERROR_ZERO_RETURN;
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    close(c->fd);
    return NULL;
}

/* The service has hung up before gate reads from it; 64 KiB are what gate reads at a time. */
static void the_last_words_of_a_service_that_has_left_arrive(void **state)
{
    (void)state;
    static const size_t SIZES[] = {1, (64 << 10) - 1, 64 << 10, (64 << 10) + 1, 100000};
    for (size_t i = 0; i < sizeof SIZES / sizeof *SIZES; i++) {
        struct client c = {.main = listener_main};
        last_words = SIZES[i];
        c.fd = connect_client();
        client_start(&c);
        loop_run(loop);
        pthread_join(c.thread, NULL);
        last_words = 0;
        assert_int_equal(c.bytes, SIZES[i]);
        assert_true(c.said_goodbye);
    }
}

/* --- records in two pieces --- */

static atomic_int acknowledged;

/* In the place of libc's: what gate does about acknowledgements is test_acks.c's subject; here it is counted.
 */
int setsockopt(int fd, int level, int name, const void *value, socklen_t n)
{
    if (level == IPPROTO_TCP && name == TCP_QUICKACK)
        acknowledged++;
    return (int)syscall(SYS_setsockopt, fd, level, name, value, n);
}

/* The second half is sent when the first was acknowledged, as Nagle's algorithm would have it. */
static bool send_halves(int fd, BIO *record)
{
    struct deadline patience = deadline_in(20 * 1000);
    int before = acknowledged;
    char *bytes;
    size_t n = (size_t)BIO_get_mem_data(record, &bytes), half = n / 2;
    if (n == 0 || send(fd, bytes, half, MSG_NOSIGNAL) != (ssize_t)half)
        return false;
    while (acknowledged == before && !deadline_passed(patience))
        usleep(100);
    return acknowledged > before && send(fd, bytes + half, n - half, MSG_NOSIGNAL) == (ssize_t)(n - half);
}

static bool connect_with_halves(SSL *ssl, int fd)
{
    BIO *hello = BIO_new(BIO_s_mem());
    SSL_set_bio(ssl, BIO_new(BIO_s_mem()), hello);
    bool ok = SSL_connect(ssl) < 0 && send_halves(fd, hello); /* less than 0: no answer yet */
    SSL_set_fd(ssl, fd);
    return ok && SSL_connect(ssl) == 1;
}

static bool write_halves(SSL *ssl, int fd)
{
    BIO *record = BIO_new(BIO_s_mem());
    SSL_set0_wbio(ssl, record);
    return SSL_write(ssl, "x", 1) == 1 && send_halves(fd, record);
}

static void *halves_main(void *context)
{
    struct client *c = context;
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL *ssl = SSL_new(ctx);
    char echoed;
    c->ok = connect_with_halves(ssl, c->fd) && write_halves(ssl, c->fd) && SSL_read(ssl, &echoed, 1) == 1 &&
            echoed == 'x';
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    close(c->fd);
    return NULL;
}

static void half_a_record_is_acknowledged(void **state)
{
    (void)state;
    struct client c = {.bytes = 1, .main = halves_main};
    run_one(&c);
    assert_true(c.ok);
}

/* --- STARTTLS --- */

struct starttls {
    int channel;
    struct connection c;
    struct err e;
    bool ok;
};

static void *starttls_main(void *context)
{
    struct starttls *s = context;
    s->ok = connection_starttls(s->channel, &s->c, deadline_in(20 * 1000), &s->e);
    if (s->ok) {
        fcntl(s->c.fd, F_SETFL, 0);
        echo(s->c.fd, service_bytes);
    } else {
        close(s->c.fd);
    }
    return NULL;
}

static void on_frame(void *context, struct loop_channel *channel, struct ipc_frame *f)
{
    (void)context;
    (void)channel;
    assert_int_equal(f->type, GATE_FRAME_STARTTLS);
    assert_int_equal(f->nfds, 2);
    int client = ipc_frame_take_fd(f, 0), service = ipc_frame_take_fd(f, 1);
    fcntl(client, F_SETFL, O_NONBLOCK);
    watch_gate_end(client);
    tunnel_starttls(tunnels, server, client, service, "192.0.2.7");
}

static struct starttls run_starttls(int peer_of_client)
{
    int ends[2];
    pthread_t service;
    assert_true(ipc_pair(ends));
    struct loop_channel *c = loop_channel(loop, ends[0], on_frame, NULL, NULL);
    struct starttls s = {.channel = ends[1], .c = {.fd = peer_of_client}};
    pthread_create(&service, NULL, starttls_main, &s);
    loop_run(loop);
    pthread_join(service, NULL);
    loop_channel_close(c);
    close(ends[1]);
    return s;
}

static void starttls_hands_a_socketpair_out(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    struct client c = {.fd = ends[0], .bytes = 200000};
    service_bytes = c.bytes;
    client_start(&c);
    struct starttls s = run_starttls(ends[1]);
    pthread_join(c.thread, NULL);
    assert_memory_equal(gate_sent.pieces, "pp", 2); /* the client goes first: the ticket waits for nothing */
    assert_true(s.ok);
    assert_true(c.ok);
    assert_true(c.said_goodbye);
    assert_string_equal(s.c.tls.version, "TLSv1.3");
    assert_memory_equal(&s.c.tls.bindings, &c.bindings, sizeof c.bindings);
}

static void a_failed_handshake_is_told(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    assert_int_equal(send(ends[0], "NOOP\r\nNOOP\r\n", 12, 0), 12); /* injected before the handshake */
    struct starttls s = run_starttls(ends[1]);
    assert_false(s.ok);
    assert_int_equal(s.e.kind, ERR_PERMANENT);
    assert_int_equal(ended, 1);
    close(ends[0]);
}

static void a_gate_that_is_gone_is_told(void **state)
{
    (void)state;
    int ends[2];
    assert_true(ipc_pair(ends));
    close(ends[0]);
    struct err e = ERR_INIT;
    struct connection c = {.fd = dup(STDIN_FILENO)};
    assert_false(connection_starttls(ends[1], &c, deadline_in(1000), &e));
    assert_int_equal(e.kind, ERR_TEMPORARY);
    close(c.fd);
    close(ends[1]);
}

/* --- certificates --- */

static int memfd_with(const char *text)
{
    int fd = memfd_create("pem", MFD_CLOEXEC);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    return fd;
}

static bool loads(const char *chain, const char *keys, struct err *e)
{
    int chain_fd = memfd_with(chain), keys_fd = memfd_with(keys);
    SSL_CTX *c = tls_context_from_files(chain_fd, keys_fd, str_from(TICKETS, sizeof TICKETS), e);
    SSL_CTX_free(c);
    close(chain_fd);
    close(keys_fd);
    return c != NULL;
}

static void wrong_certificates_are_told(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    assert_true(loads(own.certificate, own.key, &e));
    EVP_PKEY *other = EVP_EC_gen("P-256");
    char *other_pem = test_key_pem(other);
    EVP_PKEY_free(other);
    assert_false(loads(own.certificate, other_pem, &e));
    assert_string_equal(e.text, "the key file holds a key that no certificate belongs to");
    free(other_pem);
    assert_false(loads("", own.key, &e));
    assert_false(loads(own.certificate, "", &e));
    assert_false(loads(own.key, own.certificate, &e));
    assert_false(loads("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", own.key, &e));
    assert_null(tls_context_from_files(-1, -1, str_from(TICKETS, sizeof TICKETS), &e));
    assert_null(tls_context(str_from_c(own.certificate), str_from_c(own.key), STR("short"), &e));
}

/* Two leaves of different key types, their issuer and the root, in the wrong order. */
static void two_keys_share_a_file(void **state)
{
    (void)state;
    EVP_PKEY *ca = EVP_EC_gen("P-256"), *ec = EVP_EC_gen("P-256"), *rsa = EVP_RSA_gen(2048);
    X509 *root = test_issue("root", ca, NULL, NULL);
    X509 *middle = test_issue("middle", ca, root, ca);
    X509 *order[] = {root, test_issue("mail.example.org", rsa, middle, ca), middle,
                     test_issue("mail.example.org", ec, middle, ca)};
    BIO *certificates = BIO_new(BIO_s_mem()), *keys = BIO_new(BIO_s_mem());
    for (size_t i = 0; i < 4; i++)
        PEM_write_bio_X509(certificates, order[i]);
    PEM_write_bio_PrivateKey(keys, ec, NULL, NULL, 0, NULL, NULL);
    PEM_write_bio_PrivateKey(keys, rsa, NULL, NULL, 0, NULL, NULL);
    char *chain = test_pem(certificates), *key = test_pem(keys);
    struct err e = ERR_INIT;
    SSL_CTX *c = tls_context(str_from_c(chain), str_from_c(key), str_from(TICKETS, sizeof TICKETS), &e);
    assert_non_null(c);
    STACK_OF(X509) * sent;
    int leaves = 0;
    for (long which = SSL_CERT_SET_FIRST; SSL_CTX_set_current_cert(c, which); which = SSL_CERT_SET_NEXT) {
        SSL_CTX_get0_chain_certs(c, &sent);
        assert_int_equal(sk_X509_num(sent), 1); /* the middle; not the root */
        assert_int_equal(X509_cmp(sk_X509_value(sent, 0), middle), 0);
        leaves++;
    }
    assert_int_equal(leaves, 2);
    SSL_CTX_free(c);
    free(chain);
    free(key);
    for (size_t i = 0; i < 4; i++)
        X509_free(order[i]);
    EVP_PKEY_free(ca);
    EVP_PKEY_free(ec);
    EVP_PKEY_free(rsa);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(bytes_go_both_ways_whatever_their_number, setup, teardown),
        cmocka_unit_test_setup_teardown(an_impolite_client_ends_too, setup, teardown),
        cmocka_unit_test_setup_teardown(old_versions_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_session_resumes_on_another_gate, setup, teardown),
        cmocka_unit_test_setup_teardown(a_ticket_travels_with_the_first_word_and_goodbye_with_the_end, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(no_piece_of_a_handshake_waits, setup, teardown),
        cmocka_unit_test_setup_teardown(the_last_words_of_a_service_that_has_left_arrive, setup, teardown),
        cmocka_unit_test_setup_teardown(half_a_record_is_acknowledged, setup, teardown),
        cmocka_unit_test_setup_teardown(starttls_hands_a_socketpair_out, setup, teardown),
        cmocka_unit_test_setup_teardown(a_failed_handshake_is_told, setup, teardown),
        cmocka_unit_test(a_gate_that_is_gone_is_told),
        cmocka_unit_test(wrong_certificates_are_told),
        cmocka_unit_test(two_keys_share_a_file),
    };
    return cmocka_run_group_tests(tests, setup_group, teardown_group);
}
