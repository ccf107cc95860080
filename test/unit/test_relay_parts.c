/* The pure parts of relay and dns: replies, dot-stuffing, rdata, and where mail for a domain goes. */
#include "check.h"

#include "dns/rdata.h"
#include "relay/body.h"
#include "relay/ehlo.h"
#include "relay/reply.h"
#include "relay/route.h"

#include <string.h>

/* --- replies --- */

static enum reply_step read_lines(struct reply *r, const char *const *lines)
{
    enum reply_step step = REPLY_MORE;
    struct str words;
    *r = (struct reply)REPLY_INIT;
    for (; *lines && step == REPLY_MORE; lines++)
        step = reply_add_line(r, str_from_c(*lines), &words);
    assert_null(*lines);
    return step;
}

static void reply_reads(const char *const *lines, unsigned code, enum queue_fate fate, const char *text)
{
    struct reply r;
    assert_int_equal(read_lines(&r, lines), REPLY_DONE);
    assert_int_equal(r.code, code);
    assert_int_equal(reply_fate(&r), fate);
    assert_true(str_eq(reply_text(&r), str_from_c(text)));
}

#define LINES(...) ((const char *const[]){__VA_ARGS__, NULL})

static void replies_of_one_and_more_lines(void **state)
{
    (void)state;
    reply_reads(LINES("250 OK"), 250, QUEUE_SENT, "250 OK");
    reply_reads(LINES("250"), 250, QUEUE_SENT, "250");
    reply_reads(LINES("250 "), 250, QUEUE_SENT, "250");
    reply_reads(LINES("354 go ahead"), 354, QUEUE_DEFERRED, "354 go ahead");
    reply_reads(LINES("451 4.7.1 Try again later"), 451, QUEUE_DEFERRED, "451 4.7.1 Try again later");
    reply_reads(LINES("550-5.1.1 The account", "550-5.1.1 does not", "550 5.1.1 exist"), 550, QUEUE_FAILED,
                "550 5.1.1 The account does not exist");
    reply_reads(LINES("550-First", "550 5.1.1 second"), 550, QUEUE_FAILED, "550 First 5.1.1 second");
    reply_reads(LINES("550 tab\there \x01\xff"), 550, QUEUE_FAILED, "550 tab here ??");
}

static void what_is_no_reply(void **state)
{
    (void)state;
    struct reply r;
    assert_int_equal(read_lines(&r, LINES("")), REPLY_BAD);
    assert_int_equal(read_lines(&r, LINES("25")), REPLY_BAD);
    assert_int_equal(read_lines(&r, LINES("250OK")), REPLY_BAD);
    assert_int_equal(read_lines(&r, LINES("150 no")), REPLY_BAD);
    assert_int_equal(read_lines(&r, LINES("600 no")), REPLY_BAD);
    assert_int_equal(read_lines(&r, LINES("HTTP/1.1 200 OK")), REPLY_BAD);
    assert_int_equal(read_lines(&r, LINES("250-one", "550 other")), REPLY_BAD);
    struct str words;
    r = (struct reply)REPLY_INIT;
    for (int i = 0; i < REPLY_LINES_MAX; i++)
        assert_int_equal(reply_add_line(&r, STR("250-more"), &words), REPLY_MORE);
    assert_int_equal(reply_add_line(&r, STR("250-more"), &words), REPLY_BAD);
    assert_int_equal(r.n, QUEUE_REPLY_MAX);
}

static void keywords_of_ehlo(void **state)
{
    (void)state;
    struct ehlo e = {0};
    ehlo_add_line(&e, STR("pipelining"));
    ehlo_add_line(&e, STR("SIZE 1000"));
    ehlo_add_line(&e, STR("STARTTLS"));
    ehlo_add_line(&e, STR("8BITMIME"));
    ehlo_add_line(&e, STR("X-UNKNOWN with words"));
    ehlo_add_line(&e, STR(""));
    assert_int_equal(e.offers, EHLO_PIPELINING | EHLO_SIZE | EHLO_STARTTLS | EHLO_8BITMIME);
    assert_int_equal(e.size_max, 1000);
    e = (struct ehlo){0};
    ehlo_add_line(&e, STR("SIZE"));
    assert_true(ehlo_has(&e, EHLO_SIZE) && e.size_max == 0);
    ehlo_add_line(&e, STR("SIZE 99999999999999999999999"));
    assert_true(e.size_max == 0);
}

static void parameters_of_ehlo(void **state)
{
    (void)state;
    struct ehlo e = {0};
    ehlo_add_line(&e, STR("AUTH  SCRAM-SHA-256 plain GSSAPI"));
    assert_true(ehlo_has(&e, EHLO_AUTH) && e.mechanisms == (EHLO_SCRAM | EHLO_PLAIN));
    ehlo_add_line(&e, STR("AUTH=LOGIN SCRAM-SHA-256-PLUS"));
    assert_int_equal(e.mechanisms, EHLO_SCRAM | EHLO_PLAIN | EHLO_LOGIN | EHLO_SCRAM_PLUS);
    ehlo_add_line(&e,
                  STR("LIMITS MAILMAX=5 rcptmax=20 RCPTDOMAINMAX=1 RCPTMAX 7 X")); /* RFC 9422 section 3 */
    assert_true(ehlo_has(&e, EHLO_LIMITS) && e.mail_max == 5 && e.rcpt_max == 20);
    ehlo_add_line(&e, STR("DELIVERBY 240")); /* RFC 2852 section 3 */
    assert_true(ehlo_has(&e, EHLO_DELIVERBY) && e.by_min == 240);
    ehlo_add_line(&e, STR("MT-PRIORITY MIXER"));
    ehlo_add_line(&e, STR("DSN"));
    ehlo_add_line(&e, STR("SMTPUTF8"));
    ehlo_add_line(&e, STR("CHUNKING"));
    ehlo_add_line(&e, STR("BINARYMIME"));
    ehlo_add_line(&e, STR("REQUIRETLS"));
    assert_int_equal(e.offers, EHLO_AUTH | EHLO_LIMITS | EHLO_DELIVERBY | EHLO_MT_PRIORITY | EHLO_DSN |
                                   EHLO_SMTPUTF8 | EHLO_CHUNKING | EHLO_BINARYMIME | EHLO_REQUIRETLS);
}

/* --- dot-stuffing --- */

static void body_is(struct str in, const char *expected)
{
    CLEAN_BUF struct buf out;
    struct str piece;
    struct body b = body_of(in);
    buf_init(&out, BUF_MAX_DEFAULT);
    for (size_t pieces = 0; body_next(&b, &piece); pieces++) {
        assert_true(pieces < 3 * in.n + 3);
        buf_add(&out, piece);
    }
    assert_true(str_eq(buf_str(&out), str_from_c(expected)));
}

static void bodies_are_made_safe(void **state)
{
    (void)state;
    body_is(STR(""), "");
    body_is(STR("a\r\nb\r\n"), "a\r\nb\r\n");
    body_is(STR("no end"), "no end\r\n");
    body_is(STR(".\r\n"), "..\r\n");
    body_is(STR("."), "..\r\n");
    body_is(STR("a\r\n.\r\n..b\r\n.c"), "a\r\n..\r\n...b\r\n..c\r\n");
    body_is(STR("a\n.\nb"), "a\r\n..\r\nb\r\n");
    body_is(STR("a\r.\rb\r"), "a\r\n..\r\nb\r\n");
    body_is(STR("a\r\r\nb"), "a\r\n\r\nb\r\n");
    body_is(STR("\n\n"), "\r\n\r\n");
    body_is(STR("\r\n\r\n"), "\r\n\r\n");
    body_is(STR("a\r\n.\r.\n.\r\n"), "a\r\n..\r\n..\r\n..\r\n");
}

static void long_bodies_leave_in_long_pieces(void **state)
{
    (void)state;
    static char text[100000];
    for (size_t i = 0; i < sizeof text; i += 10)
        memcpy(text + i, "12345678\r\n", 10);
    struct body b = body_of(str_from(text, sizeof text));
    struct str piece;
    assert_true(body_next(&b, &piece));
    assert_int_equal(piece.n, sizeof text);
    assert_false(body_next(&b, &piece));
}

/* --- rdata --- */

static void rdata_is(enum dns_type type, struct str rdata, const char *expected, uint16_t preference)
{
    CLEAN_BUF struct buf out;
    uint16_t got;
    buf_init(&out, 100000);
    bool ok = rdata_add(type, rdata, &out, &got);
    assert_int_equal(ok, expected != NULL);
    assert_true(str_eq(buf_str(&out), str_from_c(expected)));
    if (ok)
        assert_int_equal(got, preference);
}

static void records_become_text(void **state)
{
    (void)state;
    rdata_is(DNS_A, STR("\xc0\x00\x02\x01"), "192.0.2.1", 0);
    rdata_is(DNS_A, STR("\xc0\x00\x02"), NULL, 0);
    rdata_is(DNS_AAAA, STR("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1"), "2001:db8::1", 0);
    rdata_is(DNS_MX, STR("\x01\x0a\3MX1\7example\0"), "mx1.example", 266);
    rdata_is(DNS_CNAME, STR("\3Www\7example\0"), "www.example", 0);
    rdata_is(DNS_SRV, STR("\0\12\0\1\3\xe1\2mx\7example\0"), "1 993 mx.example", 10);
    rdata_is(DNS_SRV, STR("\0\12\0\1\3\xe1"), NULL, 0);
    rdata_is(DNS_MX, STR("\0\0\0"), "", 0);
    rdata_is(DNS_MX, STR("\0\0"), NULL, 0);
    rdata_is(DNS_MX, STR("\0\1\3mx1"), NULL, 0);
    rdata_is(DNS_MX, STR("\0\1\3m.1\0"), NULL, 0);
    rdata_is(DNS_MX, STR("\0\1\3mx1\0x"), NULL, 0);
    rdata_is(DNS_PTR, STR("\1a\1b\0"), "a.b", 0);
    rdata_is(DNS_TXT, STR("\3abc\2de\0"), "abcde", 0);
    rdata_is(DNS_TXT, STR("\4abc"), NULL, 0);
}

static void names_that_may_be_asked_for(void **state)
{
    (void)state;
    assert_true(rdata_is_name(STR("example.org")));
    assert_true(rdata_is_name(STR("_dmarc.example.org.")));
    assert_true(rdata_is_name(STR("a")));
    assert_false(rdata_is_name(STR("")));
    assert_false(rdata_is_name(STR(".")));
    assert_false(rdata_is_name(STR("a..b")));
    assert_false(rdata_is_name(STR("a b")));
    assert_false(rdata_is_name(STR("a\0b")));
    assert_false(rdata_is_name(STR("1234567890123456789012345678901234567890123456789012345678901234.org")));
}

/* --- routes --- */

/* Zones of a test: a name, a type, the answer. */
struct zone_line {
    const char *name;
    enum dns_type type;
    enum dns_status status;
    uint16_t preference;
    const char *data;
};
static const struct zone_line ZONE[] = {
    {"example.net", DNS_MX, DNS_FOUND, 20, "mx2.example.net"},
    {"example.net", DNS_MX, DNS_FOUND, 10, "mx1.example.net"},
    {"example.net", DNS_MX, DNS_FOUND, 20, "mx3.example.net"},
    {"mx1.example.net", DNS_A, DNS_FOUND, 0, "192.0.2.1"},
    {"mx1.example.net", DNS_AAAA, DNS_FOUND, 0, "2001:db8::1"},
    {"plain.example", DNS_A, DNS_FOUND, 0, "192.0.2.2"},
    {"null.example", DNS_MX, DNS_FOUND, 0, ""},
    {"gone.example", DNS_MX, DNS_NO_NAME, 0, ""},
    {"broken.example", DNS_MX, DNS_TEMPORARY, 0, ""},
    {"broken.example", DNS_A, DNS_TEMPORARY, 0, ""},
    {"backup.example", DNS_MX, DNS_FOUND, 10, "best.example"},
    {"backup.example", DNS_MX, DNS_FOUND, 20, "MAIL.example.org"},
    {"backup.example", DNS_MX, DNS_FOUND, 20, "same.example"},
    {"backup.example", DNS_MX, DNS_FOUND, 30, "worse.example"},
    {"loop.example", DNS_MX, DNS_FOUND, 10, "mail.example.org"},
};

static unsigned rounds; /* of questions that were waited for */

static void answer(enum dns_type type, struct str name, struct arena *a, struct dns_answer *out)
{
    *out = (struct dns_answer){.status = DNS_NO_DATA, .records = ARENA_ARRAY(a, struct dns_record, 10)};
    for (size_t i = 0; i < sizeof ZONE / sizeof *ZONE; i++)
        if (ZONE[i].type == type && str_eq(name, str_from_c(ZONE[i].name))) {
            out->status = ZONE[i].status;
            if (out->status == DNS_FOUND)
                out->records[out->count++] =
                    (struct dns_record){str_from_c(ZONE[i].data), ZONE[i].preference};
        }
}

static void look_up(void *context, const struct dns_question *questions, size_t n, struct arena *a,
                    struct dns_answer *out)
{
    (void)context;
    rounds++;
    for (size_t i = 0; i < n; i++)
        answer(questions[i].type, questions[i].name, a, &out[i]);
}

static const struct route_resolver DNS = {look_up, NULL};

static const struct config *config(void)
{
    static const struct config c = {.hostname = STR_INIT("mail.example.org")};
    return &c;
}

#define BY_MX ((struct directory_route){.host = STR(""), .user = STR("")})

static struct route find_way(struct arena *a, const char *domain, struct directory_route way)
{
    struct route r;
    route_find(config(), &DNS, &way, str_from_c(domain), a, &r);
    return r;
}

static struct route find(struct arena *a, const char *domain)
{
    return find_way(a, domain, BY_MX);
}

static void servers_come_in_order(void **state)
{
    (void)state;
    CLEAN_ARENA struct arena a = ARENA_INIT;
    bool second_was_2 = false, second_was_3 = false;
    for (int i = 0; i < 200; i++) {
        struct route r = find(&a, "example.net");
        assert_int_equal(r.status, ROUTE_FOUND);
        assert_int_equal(r.port, 25);
        assert_int_equal(r.count, 3);
        assert_true(str_eq(r.hosts[0], STR("mx1.example.net")));
        second_was_2 |= str_eq(r.hosts[1], STR("mx2.example.net"));
        second_was_3 |= str_eq(r.hosts[1], STR("mx3.example.net"));
    }
    assert_true(second_was_2 && second_was_3); /* equals share the work */
    struct route r = find(&a, "plain.example");
    assert_true(r.count == 1 && str_eq(r.hosts[0], STR("plain.example")));
    r = find(&a, "backup.example"); /* only better ones than ourselves */
    assert_true(r.count == 1 && str_eq(r.hosts[0], STR("best.example")));
    r = find(&a, "[192.0.2.7]");
    assert_true(r.count == 1 && str_eq(r.hosts[0], STR("192.0.2.7")));
    r = find(&a, "[IPv6:2001:db8::7]");
    assert_true(r.count == 1 && str_eq(r.hosts[0], STR("2001:db8::7")));
}

static void what_the_administrator_says_goes_first(void **state)
{
    (void)state;
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct route r =
        find_way(&a, "null.example", (struct directory_route){.host = STR("127.0.0.1"), .port = 2527});
    assert_true(r.count == 1 && str_eq(r.hosts[0], STR("127.0.0.1")) && r.port == 2527 && r.is_secure);
    r = find_way(&a, "x.example", (struct directory_route){.host = STR("smart.example")});
    assert_true(r.count == 1 && str_eq(r.hosts[0], STR("smart.example")) && r.port == 25 && !r.is_lmtp);
    r = find_way(&a, "x.example", (struct directory_route){.host = STR("store.example"), .is_lmtp = true});
    assert_true(r.port == 24 && r.is_lmtp);
    r = find_way(&a, "x.example", (struct directory_route){.host = STR("/run/lmtp"), .is_lmtp = true});
    assert_true(r.count == 1 && route_is_socket(r.hosts[0]));
    r = find_way(&a, "x.example",
                 (struct directory_route){.host = STR("example.net"), .by_mx = true, .port = 26});
    assert_true(r.count == 3 && str_eq(r.hosts[0], STR("mx1.example.net")) && r.port == 26);
    assert_true(str_eq(r.domain, STR("example.net")));
}

static void not_routed(struct arena *a, const char *domain, enum route_status status, const char *code)
{
    struct route r = find(a, domain);
    assert_int_equal(r.status, status);
    assert_true(str_starts(r.reason, str_from_c(code)));
}

static void domains_that_take_no_mail(void **state)
{
    (void)state;
    CLEAN_ARENA struct arena a = ARENA_INIT;
    not_routed(&a, "null.example", ROUTE_PERMANENT, "5.1.10 ");
    not_routed(&a, "gone.example", ROUTE_PERMANENT, "5.1.2 ");
    not_routed(&a, "broken.example", ROUTE_TEMPORARY, "4.4.3 ");
    not_routed(&a, "loop.example", ROUTE_PERMANENT, "5.4.6 ");
    not_routed(&a, "[not an address]", ROUTE_PERMANENT, "5.1.3 ");
    not_routed(&a, "[]", ROUTE_PERMANENT, "5.1.3 ");
}

static void addresses_of_both_families(void **state)
{
    (void)state;
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct route_addresses f;
    rounds = 0;
    route_addresses(&DNS, STR("mx1.example.net"), &a, &f);
    assert_int_equal(f.count, 2);
    assert_int_equal(rounds, 1); /* RFC 8305 section 3 */
    assert_true(str_eq(f.addresses[0], STR("2001:db8::1")) && str_eq(f.addresses[1], STR("192.0.2.1")));
    route_addresses(&DNS, STR("::1"), &a, &f);
    assert_true(f.count == 1 && str_eq(f.addresses[0], STR("::1")));
    route_addresses(&DNS, STR("nowhere.example"), &a, &f);
    assert_int_equal(f.status, ROUTE_PERMANENT);
    route_addresses(&DNS, STR("broken.example"), &a, &f);
    assert_int_equal(f.status, ROUTE_TEMPORARY);
}

static bool is_shared(struct directory_route left, const char *left_domain, struct directory_route right,
                      const char *right_domain)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    return str_eq(route_key(&left, str_from_c(left_domain), &a),
                  route_key(&right, str_from_c(right_domain), &a));
}

static void domains_of_one_route_share_connections(void **state)
{
    (void)state;
    struct directory_route smart = {.host = STR("smart.example"), .port = 587, .user = STR("u")},
                           other = smart;
    assert_true(is_shared(BY_MX, "a.example", BY_MX, "a.example"));
    assert_false(is_shared(BY_MX, "a.example", BY_MX, "b.example"));
    assert_true(is_shared(smart, "a.example", smart, "b.example"));
    assert_false(is_shared(smart, "a.example", BY_MX, "smart.example"));
    other.user = STR("v");
    assert_false(is_shared(smart, "a.example", other, "a.example"));
    other = smart;
    other.source_ipv4 = STR("192.0.2.1");
    assert_false(is_shared(smart, "a.example", other, "a.example"));
    other = smart;
    other.tls = DIRECTORY_TLS_VERIFY;
    assert_false(is_shared(smart, "a.example", other, "a.example"));
    other = smart;
    other.is_lmtp = true;
    assert_false(is_shared(smart, "a.example", other, "a.example"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replies_of_one_and_more_lines),
        cmocka_unit_test(what_is_no_reply),
        cmocka_unit_test(keywords_of_ehlo),
        cmocka_unit_test(parameters_of_ehlo),
        cmocka_unit_test(bodies_are_made_safe),
        cmocka_unit_test(long_bodies_leave_in_long_pieces),
        cmocka_unit_test(records_become_text),
        cmocka_unit_test(names_that_may_be_asked_for),
        cmocka_unit_test(servers_come_in_order),
        cmocka_unit_test(what_the_administrator_says_goes_first),
        cmocka_unit_test(domains_that_take_no_mail),
        cmocka_unit_test(addresses_of_both_families),
        cmocka_unit_test(domains_of_one_route_share_connections),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
