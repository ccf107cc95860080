/* TLS with another mail server: what its certificate proves, at the first handshake and when a session is
 * resumed. */
#include "certificates.h"
#include "check.h"

#include "config/config.h"
#include "relay/tls.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A server's chain: one certificate for mx.example by an authority of its own. */
struct chain {
    EVP_PKEY *ca_key, *key;
    X509 *ca, *leaf;
    char ca_path[40];
};

static struct chain known; /* whose authority relay trusts */

static X509 *make_leaf(const struct chain *c, const char *name, long ends_in)
{
    X509 *x = test_issue("leaf", c->key, c->ca, c->ca_key);
    char names[200];
    snprintf(names, sizeof names, "DNS:%s", name);
    X509_EXTENSION *san = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, names);
    X509_add_ext(x, san, -1);
    X509_EXTENSION_free(san);
    X509_gmtime_adj(X509_getm_notBefore(x), -7200);
    X509_gmtime_adj(X509_getm_notAfter(x), ends_in);
    assert_true(X509_sign(x, c->ca_key, EVP_sha256()) > 0);
    return x;
}

static void chain_open(struct chain *c)
{
    c->ca_key = EVP_EC_gen("P-256");
    c->key = EVP_EC_gen("P-256");
    c->ca = test_issue("authority", c->ca_key, NULL, NULL);
    strcpy(c->ca_path, "/tmp/golub-test-ca-XXXXXX");
    int fd = mkstemp(c->ca_path);
    FILE *f = fdopen(fd, "w");
    assert_true(f && PEM_write_X509(f, c->ca) == 1 && fclose(f) == 0);
}

static void chain_close(struct chain *c)
{
    unlink(c->ca_path);
    X509_free(c->ca);
    EVP_PKEY_free(c->ca_key);
    EVP_PKEY_free(c->key);
}

static int set_up(void **state)
{
    struct config config = {0};
    struct err e = ERR_INIT;
    (void)state;
    signal(SIGPIPE, SIG_IGN); /* as relay does */
    chain_open(&known);
    config.tls_authorities = str_from_c(known.ca_path);
    assert_true(tls_start(&config, &e));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    chain_close(&known);
    return 0;
}

struct side {
    SSL_CTX *context;
    int fd;
};

static SSL_CTX *server_of(const struct chain *c, X509 *leaf)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    assert_true(SSL_CTX_use_certificate(context, leaf) == 1 && SSL_CTX_use_PrivateKey(context, c->key) == 1 &&
                SSL_CTX_add1_chain_cert(context, c->ca) == 1);
    return context;
}

static void *serve(void *context)
{
    struct side *s = context;
    SSL *ssl = SSL_new(s->context);
    char byte;
    SSL_set_fd(ssl, s->fd);
    if (SSL_accept(ssl) == 1 && SSL_write(ssl, "x", 1) == 1)
        SSL_read(ssl, &byte, 1); /* until the client leaves */
    ERR_clear_error();
    SSL_free(ssl);
    close(s->fd);
    return NULL;
}

/* What comes first from the server brings its session tickets along: RFC 8446 section 4.6.1. */
static void take_tickets(struct tls *t, int fd)
{
    char byte;
    short wants = POLLIN;
    struct pollfd p = {.fd = fd, .events = POLLIN};
    while (TLS_TRANSPORT.read(t, &byte, 1, &wants) != 1)
        assert_int_equal(poll(&p, 1, 20000), 1);
}

struct outcome {
    enum tls_rpt_result result;
    bool stands, is_resumed;
};

static struct outcome shake_with(SSL_CTX *context, const struct tls_demand *demand)
{
    int ends[2];
    pthread_t thread;
    struct err e = ERR_INIT;
    struct outcome o = {0};
    struct side server = {.context = context};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    server.fd = ends[1];
    assert_int_equal(pthread_create(&thread, NULL, serve, &server), 0);
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    struct tls *t = tls_connect(ends[0], demand, deadline_in(20000), &o.result, &e);
    o.stands = t != NULL;
    o.is_resumed = t && str_ends(tls_description(t), STR(" resumed"));
    if (t)
        take_tickets(t, ends[0]);
    else if (e.kind == ERR_NONE)
        fail_msg("a failure without words");
    tls_free(t);
    close(ends[0]);
    pthread_join(thread, NULL);
    return o;
}

/* The result of a handshake with a server of this certificate; SUCCESS and stands say whether it goes on. */
static enum tls_rpt_result shake(const struct chain *c, X509 *leaf, const struct tls_demand *demand,
                                 bool *stands)
{
    SSL_CTX *context = server_of(c, leaf);
    struct outcome o = shake_with(context, demand);
    SSL_CTX_free(context);
    *stands = o.stands;
    return o.result;
}

static void proves(const struct chain *c, X509 *leaf, struct tls_demand demand, enum tls_rpt_result expected)
{
    bool stands;
    demand.is_strict = true;
    enum tls_rpt_result got = shake(c, leaf, &demand, &stands);
    if (got != expected)
        fail_msg("check %d, host %.*s, usage %d: \"%.*s\"", demand.check, STR_ARGS(demand.host),
                 demand.records ? demand.records->usage : -1, STR_ARGS(tls_rpt_result_name(got)));
    assert_int_equal(stands, expected == TLS_RPT_SUCCESS);
    demand.is_strict = false;
    assert_int_equal(shake(c, leaf, &demand, &stands), expected);
    assert_true(stands); /* told, but it goes on */
}

static struct dane_record record(uint8_t usage, uint8_t selector, uint8_t matching, X509 *x,
                                 unsigned char *room)
{
    unsigned char *der = NULL;
    unsigned n = 0;
    int size = selector ? i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &der) : i2d_X509(x, &der);
    if (matching == 0)
        memcpy(room, der, n = (unsigned)size);
    else
        EVP_Digest(der, (size_t)size, room, &n, matching == 1 ? EVP_sha256() : EVP_sha512(), NULL);
    OPENSSL_free(der);
    struct dane_record r = {usage, selector, matching, str_from(room, n)};
    assert_true(dane_is_usable(&r));
    return r;
}

static void what_certificates_prove(void **state)
{
    (void)state;
    const struct chain *c = &known;
    unsigned char room[4096];
    X509 *good = make_leaf(c, "mx.test.example", 3600), *old = make_leaf(c, "mx.test.example", -60),
         *wild = make_leaf(c, "*.test.example", 3600);
    X509 *foreign = test_issue("mx.test.example", c->key, NULL, NULL);
    struct tls_demand name = {.check = TLS_CHECK_NAME, .host = STR("mx.test.example")};
    struct tls_demand none = {.host = STR("mx.test.example")};
    proves(c, foreign, none, TLS_RPT_SUCCESS);
    proves(c, good, name, TLS_RPT_SUCCESS);
    proves(c, wild, name, TLS_RPT_SUCCESS);
    proves(c, old, name, TLS_RPT_CERTIFICATE_EXPIRED);
    proves(c, foreign, name, TLS_RPT_CERTIFICATE_NOT_TRUSTED);
    name.host = STR("other.mx.test.example");
    proves(c, good, name, TLS_RPT_CERTIFICATE_HOST_MISMATCH);
    proves(c, wild, name, TLS_RPT_CERTIFICATE_HOST_MISMATCH);

    for (uint8_t selector = 0; selector < 2; selector++)
        for (uint8_t matching = 0; matching < 3; matching++) {
            struct dane_record r = record(DANE_EE, selector, matching, old, room);
            struct tls_demand dane = {
                .check = TLS_CHECK_DANE, .host = STR("else.example"), .records = &r, .record_count = 1};
            proves(c, old, dane, TLS_RPT_SUCCESS); /* neither its dates nor its names count */
            proves(c, good, dane, selector ? TLS_RPT_SUCCESS : TLS_RPT_TLSA_INVALID);
            r = record(DANE_TA, selector, matching, c->ca, room);
            proves(c, good, dane, TLS_RPT_CERTIFICATE_HOST_MISMATCH);
            dane.other = STR("mx.test.example");
            proves(c, good, dane, TLS_RPT_SUCCESS);
            proves(c, old, dane, TLS_RPT_CERTIFICATE_EXPIRED);
            r = record(DANE_EE, selector, matching, c->ca, room);
            proves(c, good, dane, TLS_RPT_TLSA_INVALID);
        }
    X509_free(good);
    X509_free(old);
    X509_free(wild);
    X509_free(foreign);
}

/* --- resumption: RFC 8446 section 2.2 --- */

/* A server whose certificate has `seconds` to live, and a session with it, as far as that was long enough for
 * the handshake. */
static bool has_session(long seconds, const struct tls_demand *demand, SSL_CTX **server)
{
    X509 *leaf = make_leaf(&known, "mx.test.example", seconds);
    *server = server_of(&known, leaf);
    X509_free(leaf);
    struct outcome o = shake_with(*server, demand);
    if (o.stands && !o.is_resumed)
        return true;
    SSL_CTX_free(*server);
    return false;
}

static void a_certificate_that_has_run_out_since_is_refused(void **state)
{
    (void)state;
    SSL_CTX *server;
    struct outcome o;
    struct tls_demand demand = {.check = TLS_CHECK_NAME, .is_strict = true, .host = STR("mx.test.example")};
    long seconds = 1;
    while (!has_session(seconds, &demand, &server)) /* on a machine that has other things to do */
        assert_true((seconds *= 3) < 60);
    for (long i = 0; (o = shake_with(server, &demand)).stands; i++) {
        assert_true(o.is_resumed && o.result == TLS_RPT_SUCCESS);
        usleep(100000);
        assert_true(i < (seconds + 5) * 10); /* it has run out by now */
    }
    assert_int_equal(o.result, TLS_RPT_CERTIFICATE_EXPIRED);
    SSL_CTX_free(server);
}

static void another_demand_is_not_met_by_a_session(void **state)
{
    (void)state;
    SSL_CTX *server;
    unsigned char room[2][4096];
    struct tls_demand none = {.host = STR("mx.test.example")};
    struct tls_demand name = {.check = TLS_CHECK_NAME, .is_strict = true, .host = STR("other.test.example")};
    struct tls_demand dane = {.check = TLS_CHECK_DANE, .is_strict = true, .host = STR("mx.test.example")};
    assert_true(has_session(3600, &none, &server));
    assert_true(shake_with(server, &none).is_resumed);
    struct outcome o = shake_with(server, &name); /* MTA-STS since */
    assert_true(!o.stands && o.result == TLS_RPT_CERTIFICATE_HOST_MISMATCH);
    X509 *leaf = SSL_CTX_get0_certificate(server);
    struct dane_record good = record(DANE_EE, 1, 1, leaf, room[0]);
    struct dane_record wrong = record(DANE_EE, 1, 1, known.ca, room[1]);
    dane.records = &good;
    dane.record_count = 1;
    for (int i = 0; i < 2; i++) { /* the certificate is shown each time */
        o = shake_with(server, &dane);
        assert_true(o.stands && !o.is_resumed);
    }
    dane.records = &wrong; /* they have changed since */
    o = shake_with(server, &dane);
    assert_true(!o.stands && o.result == TLS_RPT_TLSA_INVALID);
    SSL_CTX_free(server);
}

static void a_server_with_another_certificate_is_looked_at_anew(void **state)
{
    (void)state;
    SSL_CTX *server;
    struct tls_demand demand = {.check = TLS_CHECK_NAME, .is_strict = true, .host = STR("mx.test.example")};
    assert_true(has_session(3600, &demand, &server));
    X509 *foreign = test_issue("mx.test.example", known.key, NULL, NULL);
    SSL_CTX *other = server_of(&known, foreign); /* it cannot read the first one's tickets */
    struct outcome o = shake_with(other, &demand);
    assert_true(!o.stands && o.result == TLS_RPT_CERTIFICATE_NOT_TRUSTED);
    SSL_CTX_free(other);
    X509_free(foreign);
    SSL_CTX_free(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_certificates_prove),
        cmocka_unit_test(a_certificate_that_has_run_out_since_is_refused),
        cmocka_unit_test(another_demand_is_not_met_by_a_session),
        cmocka_unit_test(a_server_with_another_certificate_is_looked_at_anew),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
