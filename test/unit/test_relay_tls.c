/* What TLS a connection must have, by what DNS says (RFC 7672), the route and the message (RFC 8689); and
 * what certificates prove, in handshakes with a server made on the spot. */
#include "certificates.h"
#include "check.h"

#include "config/config.h"
#include "relay/tls_policy.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- policies --- */

#define HASH "0123456789abcdef0123456789abcdef" /* 32 bytes, as a SHA-256 is */

static const struct zone_line {
    const char *name;
    enum dns_type type;
    enum dns_status status;
    bool secure;
    struct str data;
} ZONE[] = {
    {"_25._tcp.dane.example", DNS_TLSA, DNS_FOUND, true, STR_INIT("\3\1\1" HASH)},
    {"_25._tcp.dane.example", DNS_TLSA, DNS_FOUND, true, STR_INIT("\1\1\1" HASH)},
    {"_25._tcp.dane.example", DNS_TLSA, DNS_FOUND, true, STR_INIT("\2\0\1" HASH)},
    {"_2525._tcp.dane.example", DNS_TLSA, DNS_FOUND, true, STR_INIT("\2\0\1" HASH)},
    {"_25._tcp.pkix.example", DNS_TLSA, DNS_FOUND, true, STR_INIT("\1\1\1" HASH)},
    {"_25._tcp.short.example", DNS_TLSA, DNS_FOUND, true, STR_INIT("\3\1\1" HASH "x")},
    {"_25._tcp.unsigned.example", DNS_TLSA, DNS_FOUND, false, STR_INIT("\3\1\1" HASH)},
    {"_25._tcp.bogus.example", DNS_TLSA, DNS_TEMPORARY, false, STR_INIT("")},
    {"alias.example", DNS_CNAME, DNS_FOUND, true, STR_INIT("elsewhere.example")},
    {"_25._tcp.alias.example", DNS_TLSA, DNS_FOUND, true, STR_INIT("\3\1\1" HASH)},
    {"loose.example", DNS_CNAME, DNS_FOUND, false, STR_INIT("elsewhere.example")},
    {"_25._tcp.loose.example", DNS_TLSA, DNS_FOUND, true, STR_INIT("\3\1\1" HASH)},
};

static unsigned asked; /* TLSA questions */

static void look_up(void *context, enum dns_type type, struct str name, struct arena *a,
                    struct dns_answer *out)
{
    (void)context;
    *out = (struct dns_answer){
        .status = DNS_NO_DATA, .secure = true, .records = ARENA_ARRAY(a, struct dns_record, 10)};
    asked += type == DNS_TLSA;
    for (size_t i = 0; i < sizeof ZONE / sizeof *ZONE; i++)
        if (ZONE[i].type == type && str_eq(name, str_from_c(ZONE[i].name))) {
            out->status = ZONE[i].status;
            out->secure = ZONE[i].secure;
            if (out->status == DNS_FOUND)
                out->records[out->count++] = (struct dns_record){.data = ZONE[i].data};
        }
}

static struct tls_policies *policies;

static int set_up(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN); /* as relay does */
    struct route_resolver dns = {look_up, NULL};
    policies = tls_policies_new(&dns, NULL, NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    free(policies);
    return 0;
}

struct question {
    const char *host;
    bool mx_is_insecure, address_is_insecure, is_route; /* set by the administrator */
    const char *canonical;
    uint16_t port;
    enum directory_tls least;
    enum tls_wish wish;
};

static bool find(const struct question *q, struct arena *a, struct tls_policy *p, struct str *reason)
{
    struct route route = {.is_secure = !q->mx_is_insecure,
                          .domain = q->is_route ? STR("") : STR("domain.example"),
                          .port = q->port ? q->port : 25};
    struct tls_destination to = {.route = &route, .least = q->least, .wish = q->wish};
    struct route_addresses at = {.is_secure = !q->address_is_insecure, .canonical = str_from_c(q->canonical)};
    *reason = STR("");
    return tls_policy_find(policies, &to, str_from_c(q->host), &at, a, p, reason);
}

static void policy_is(const struct question *q, enum tls_level level, enum tls_check check)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct tls_policy p;
    struct str reason;
    if (!find(q, &a, &p, &reason))
        fail_msg("%s is refused: %.*s", q->host, STR_ARGS(reason));
    assert_int_equal(p.level, level);
    assert_int_equal(p.demand.check, check);
    assert_int_equal(p.demand.is_strict, level == TLS_LEVEL_PROVEN);
    assert_int_equal(p.wants_requiretls, q->wish == TLS_WISH_REQUIRE);
}

static void is_refused(const struct question *q, const char *code)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct tls_policy p;
    struct str reason;
    assert_false(find(q, &a, &p, &reason));
    assert_true(str_starts(reason, str_from_c(code)));
}

#define Q(...) (&(struct question){__VA_ARGS__})

static void dane_holds_where_everything_is_signed(void **state)
{
    (void)state;
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct tls_policy p;
    struct str reason;
    assert_true(find(Q("dane.example"), &a, &p, &reason));
    assert_int_equal(p.level, TLS_LEVEL_PROVEN);
    assert_int_equal(p.demand.check, TLS_CHECK_DANE);
    assert_int_equal(p.demand.record_count, 2); /* PKIX-EE is not for SMTP */
    assert_true(str_eq(p.demand.other, STR("domain.example")));
    policy_is(Q("dane.example", .mx_is_insecure = true), TLS_LEVEL_MAY, TLS_CHECK_NONE);
    asked = 0;
    policy_is(Q("dane.example", .address_is_insecure = true), TLS_LEVEL_MAY, TLS_CHECK_NONE);
    policy_is(Q("192.0.2.1"), TLS_LEVEL_MAY, TLS_CHECK_NONE);
    assert_int_equal(asked, 0); /* RFC 7672 section 2.1.1: servers that hang at TLSA must not matter then */
    policy_is(Q("nothing.example"), TLS_LEVEL_MAY, TLS_CHECK_NONE);
    policy_is(Q("unsigned.example"), TLS_LEVEL_MAY, TLS_CHECK_NONE);
    policy_is(Q("dane.example", .port = 26), TLS_LEVEL_MAY, TLS_CHECK_NONE);
    policy_is(Q("dane.example", .port = 2525, .is_route = true), TLS_LEVEL_PROVEN, TLS_CHECK_DANE);
}

static void records_that_nobody_can_use_demand_encryption(void **state)
{
    (void)state;
    policy_is(Q("pkix.example"), TLS_LEVEL_ENCRYPT, TLS_CHECK_NONE);
    policy_is(Q("short.example"), TLS_LEVEL_ENCRYPT, TLS_CHECK_NONE);
}

static void a_host_whose_records_are_hidden_is_not_used(void **state)
{
    (void)state;
    is_refused(Q("bogus.example"), "4.7.5 ");
}

/* RFC 7672 section 2.2.2. */
static void aliases(void **state)
{
    (void)state;
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct tls_policy p;
    struct str reason;
    assert_true(find(Q("alias.example", .canonical = "dane.example"), &a, &p, &reason));
    assert_true(p.demand.check == TLS_CHECK_DANE && str_eq(p.demand.host, STR("dane.example")));
    assert_true(find(Q("alias.example", .canonical = "nothing.example"), &a, &p, &reason));
    assert_true(p.demand.check == TLS_CHECK_DANE && str_eq(p.demand.host, STR("alias.example")));
    is_refused(Q("alias.example", .canonical = "bogus.example"), "4.7.5 ");
    /* It leads out of what is signed: its own name counts if it is signed itself. */
    assert_true(
        find(Q("alias.example", .canonical = "dane.example", .address_is_insecure = true), &a, &p, &reason));
    assert_true(p.demand.check == TLS_CHECK_DANE && str_eq(p.demand.host, STR("alias.example")));
    policy_is(Q("loose.example", .canonical = "dane.example", .address_is_insecure = true), TLS_LEVEL_MAY,
              TLS_CHECK_NONE);
}

static void what_a_route_demands(void **state)
{
    (void)state;
    policy_is(Q("nothing.example", .least = DIRECTORY_TLS_ENCRYPT), TLS_LEVEL_ENCRYPT, TLS_CHECK_NONE);
    policy_is(Q("dane.example", .least = DIRECTORY_TLS_ENCRYPT), TLS_LEVEL_PROVEN, TLS_CHECK_DANE);
    policy_is(Q("dane.example", .least = DIRECTORY_TLS_VERIFY), TLS_LEVEL_PROVEN, TLS_CHECK_NAME);
    policy_is(Q("dane.example", .least = DIRECTORY_TLS_DANE), TLS_LEVEL_PROVEN, TLS_CHECK_DANE);
    is_refused(Q("nothing.example", .least = DIRECTORY_TLS_DANE), "4.7.5 ");
    is_refused(Q("pkix.example", .least = DIRECTORY_TLS_DANE), "4.7.5 ");
    policy_is(Q("dane.example", .least = DIRECTORY_TLS_NONE), TLS_LEVEL_NEVER, TLS_CHECK_NONE);
}

static void what_a_message_demands(void **state)
{
    (void)state;
    policy_is(Q("dane.example", .wish = TLS_WISH_REQUIRE), TLS_LEVEL_PROVEN, TLS_CHECK_DANE);
    policy_is(Q("nothing.example", .wish = TLS_WISH_REQUIRE), TLS_LEVEL_PROVEN, TLS_CHECK_NAME);
    policy_is(Q("pkix.example", .wish = TLS_WISH_REQUIRE), TLS_LEVEL_PROVEN, TLS_CHECK_NAME);
    is_refused(Q("nothing.example", .mx_is_insecure = true, .wish = TLS_WISH_REQUIRE), "5.7.30 ");
    is_refused(Q("dane.example", .least = DIRECTORY_TLS_NONE, .wish = TLS_WISH_REQUIRE), "5.7.30 ");
    is_refused(Q("bogus.example", .wish = TLS_WISH_REQUIRE), "4.7.5 ");
    policy_is(Q("dane.example", .wish = TLS_WISH_WAIVE), TLS_LEVEL_MAY, TLS_CHECK_NONE);
    policy_is(Q("bogus.example", .wish = TLS_WISH_WAIVE), TLS_LEVEL_MAY, TLS_CHECK_NONE);
    policy_is(Q("dane.example", .wish = TLS_WISH_WAIVE, .least = DIRECTORY_TLS_ENCRYPT), TLS_LEVEL_ENCRYPT,
              TLS_CHECK_NONE); /* the administrator's word stands */
    policy_is(Q("dane.example", .wish = TLS_WISH_WAIVE, .least = DIRECTORY_TLS_DANE), TLS_LEVEL_PROVEN,
              TLS_CHECK_DANE);
}

static void wishes_of_messages(void **state)
{
    (void)state;
    assert_int_equal(tls_wish_of(false, STR("Subject: x\r\n\r\nTLS-Required: No\r\n")), TLS_WISH_NONE);
    assert_int_equal(tls_wish_of(false, STR("tls-required:  no \r\n\r\n")), TLS_WISH_WAIVE);
    assert_int_equal(tls_wish_of(false, STR("TLS-Required: yes\r\n\r\n")), TLS_WISH_NONE);
    assert_int_equal(tls_wish_of(true, STR("TLS-Required: No\r\n\r\n")), TLS_WISH_REQUIRE);
}

/* --- handshakes --- */

/* A server's chain: one certificate for mx.example by an authority of its own. */
struct chain {
    EVP_PKEY *ca_key, *key;
    X509 *ca, *leaf;
    char ca_path[40];
};

static X509 *make_leaf(struct chain *c, const char *name, long ends_in)
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

struct side {
    SSL_CTX *context;
    int fd;
};

static void *serve(void *context)
{
    struct side *s = context;
    SSL *ssl = SSL_new(s->context);
    char byte;
    SSL_set_fd(ssl, s->fd);
    if (SSL_accept(ssl) == 1)
        SSL_read(ssl, &byte, 1); /* until the client leaves */
    ERR_clear_error();
    SSL_free(ssl);
    close(s->fd);
    return NULL;
}

/* The result of a handshake with a server of this certificate; SUCCESS and stands say whether it goes on. */
static enum tls_rpt_result shake(const struct chain *c, X509 *leaf, const struct tls_demand *demand,
                                 bool *stands)
{
    int ends[2];
    pthread_t thread;
    struct err e = ERR_INIT;
    enum tls_rpt_result result;
    struct side server = {.context = SSL_CTX_new(TLS_server_method())};
    assert_true(SSL_CTX_use_certificate(server.context, leaf) == 1 &&
                SSL_CTX_use_PrivateKey(server.context, c->key) == 1 &&
                SSL_CTX_add1_chain_cert(server.context, c->ca) == 1);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    server.fd = ends[1];
    assert_int_equal(pthread_create(&thread, NULL, serve, &server), 0);
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    struct tls *t = tls_connect(ends[0], demand, deadline_in(20000), &result, &e);
    *stands = t != NULL;
    if (!t && e.kind == ERR_NONE)
        fail_msg("a failure without words");
    tls_free(t);
    close(ends[0]);
    pthread_join(thread, NULL);
    SSL_CTX_free(server.context);
    return result;
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
    struct chain c;
    struct err e = ERR_INIT;
    struct config config = {0};
    unsigned char room[4096];
    chain_open(&c);
    config.tls_authorities = str_from_c(c.ca_path);
    assert_true(tls_start(&config, &e));
    X509 *good = make_leaf(&c, "mx.test.example", 3600), *old = make_leaf(&c, "mx.test.example", -60),
         *wild = make_leaf(&c, "*.test.example", 3600);
    X509 *foreign = test_issue("mx.test.example", c.key, NULL, NULL);
    struct tls_demand name = {.check = TLS_CHECK_NAME, .host = STR("mx.test.example")};
    struct tls_demand none = {.host = STR("mx.test.example")};
    proves(&c, foreign, none, TLS_RPT_SUCCESS);
    proves(&c, good, name, TLS_RPT_SUCCESS);
    proves(&c, wild, name, TLS_RPT_SUCCESS);
    proves(&c, old, name, TLS_RPT_CERTIFICATE_EXPIRED);
    proves(&c, foreign, name, TLS_RPT_CERTIFICATE_NOT_TRUSTED);
    name.host = STR("other.mx.test.example");
    proves(&c, good, name, TLS_RPT_CERTIFICATE_HOST_MISMATCH);
    proves(&c, wild, name, TLS_RPT_CERTIFICATE_HOST_MISMATCH);

    for (uint8_t selector = 0; selector < 2; selector++)
        for (uint8_t matching = 0; matching < 3; matching++) {
            struct dane_record r = record(DANE_EE, selector, matching, old, room);
            struct tls_demand dane = {
                .check = TLS_CHECK_DANE, .host = STR("else.example"), .records = &r, .record_count = 1};
            proves(&c, old, dane, TLS_RPT_SUCCESS); /* neither its dates nor its names count */
            proves(&c, good, dane, selector ? TLS_RPT_SUCCESS : TLS_RPT_TLSA_INVALID);
            r = record(DANE_TA, selector, matching, c.ca, room);
            proves(&c, good, dane, TLS_RPT_CERTIFICATE_HOST_MISMATCH);
            dane.other = STR("mx.test.example");
            proves(&c, good, dane, TLS_RPT_SUCCESS);
            proves(&c, old, dane, TLS_RPT_CERTIFICATE_EXPIRED);
            r = record(DANE_EE, selector, matching, c.ca, room);
            proves(&c, good, dane, TLS_RPT_TLSA_INVALID);
        }
    X509_free(good);
    X509_free(old);
    X509_free(wild);
    X509_free(foreign);
    chain_close(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dane_holds_where_everything_is_signed),
        cmocka_unit_test(records_that_nobody_can_use_demand_encryption),
        cmocka_unit_test(a_host_whose_records_are_hidden_is_not_used),
        cmocka_unit_test(aliases),
        cmocka_unit_test(what_a_route_demands),
        cmocka_unit_test(what_a_message_demands),
        cmocka_unit_test(wishes_of_messages),
        cmocka_unit_test(what_certificates_prove),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
