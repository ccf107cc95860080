#include "config/config.h"

#include "check.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define LEAST "[server]\nhostname = mail.example.org\n[tls]\ncertificate = tls/server.pem\nkey = /etc/k.pem\n"

static const struct config *parse(const char *text, struct err *e)
{
    return config_parse(str_from_c(text), "/srv/golub/golub.conf", e);
}

static void ten_lines_are_enough(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    const struct config *c = parse(LEAST, &e);
    assert_non_null(c);
    assert_true(str_eq(c->data, STR("/srv/golub")));
    assert_true(str_eq(c->tls_certificate, STR("/srv/golub/tls/server.pem")));
    assert_true(str_eq(c->tls_key, STR("/etc/k.pem")));
    /* The two unix sockets apart: one for local programs, and LMTP's only where it is asked for. */
    assert_int_equal(c->listener_count, 2 * (SERVICE_COUNT - 2) + 1);
    assert_int_equal(c->listeners[0].port, 25);
    assert_int_equal(c->listeners[c->listener_count - 1].service, SERVICE_LOCAL);
    assert_true(str_eq(c->submission_socket, STR("/srv/golub/run/submission.sock")));
    assert_true(str_eq(c->maildrop, STR("/srv/golub/maildrop")));
    assert_true(str_eq(c->origin, c->hostname));
    assert_false(c->local_senders_any);
    assert_int_equal(c->trace_days, 30);
    assert_true(c->trace_bytes == (uint64_t)1 << 30);
    assert_false(c->plain_on_loopback);
    assert_int_equal(c->queue_lifetime_s, 5 * 86400);
    assert_null(config_route_for(c, STR("example.net")));
    config_free(c);
}

static void sections_come_again_and_later_values_win(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    const struct config *c = parse(LEAST "[listen]\nport_base = 23000\nsmtp = 2525 ; odd\npop3 = none\n"
                                         "[login]\nplain_on_loopback = no\n"
                                         "[login]\nplain_on_loopback = yes        # passwords without TLS\n"
                                         "[route Sink.test]\nhost = 127.0.0.1\nport = 2527\n"
                                         "[route *]\nhost = smart.example.org\n[queue]\nretry = 90s\n"
                                         "[listen]\nsubmission_socket = none\n[server]\norigin = x.test\n"
                                         "[trace]\ndays = 7\nsize = 2t\n[smtp]\nlocal_senders = any\n"
                                         "[smtp]\nmessage_size = 10m\n[log]\nformat = json\nlevel = debug\n",
                                   &e);
    assert_non_null(c);
    assert_int_equal(c->listener_count, SERVICE_COUNT - 3);
    assert_int_equal(c->submission_socket.n, 0);
    assert_true(str_eq(c->origin, STR("x.test")));
    assert_true(c->local_senders_any);
    assert_int_equal(c->trace_days, 7);
    assert_true(c->trace_bytes == (uint64_t)2 << 40);
    assert_true(str_eq(c->listeners[0].address, STR("127.0.0.1")));
    assert_int_equal(c->listeners[0].port, 2525);
    assert_int_equal(c->listeners[1].port, 23587);
    assert_true(c->plain_on_loopback);
    assert_int_equal(config_route_for(c, STR("sink.test"))->port, 2527);
    assert_true(str_eq(config_route_for(c, STR("other.test"))->host, STR("smart.example.org")));
    assert_int_equal(c->queue_retry_first_s, 90);
    assert_int_equal(c->message_size_max, 10 << 20);
    assert_int_equal(c->log_format, LOG_FORMAT_JSON);
    config_free(c);
}

static void lmtp_listens_where_it_is_asked_to(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    char words[CONFIG_LISTENER_WORDS_MAX];
    struct sockaddr_storage at;
    const struct config *c = parse(
        LEAST "[listen]\naddress = 192.0.2.1\nlmtp = /run/l unix:x/y.sock 24 ::1@2424\nlmtp_mode = 600\n"
              "lmtp_group = mail\n",
        &e);
    assert_non_null(c);
    static const char *const WHERE[] = {"/run/l", "/srv/golub/x/y.sock", "127.0.0.1 port 24",
                                        "::1 port 2424"};
    assert_int_equal(c->listener_count, SERVICE_COUNT - 1 + 4);
    for (size_t i = 0; i < 4; i++) {
        const struct config_listener *l = &c->listeners[SERVICE_COUNT - 1 + i];
        config_listener_words(l, words);
        assert_string_equal(words, WHERE[i]);
        assert_int_equal(l->service, SERVICE_LMTP);
        assert_true(config_listener_address(l, &at) > 0);
        assert_int_equal(at.ss_family, i < 2 ? AF_UNIX : i == 2 ? AF_INET : AF_INET6);
    }
    assert_int_equal(c->lmtp_mode, 0600);
    assert_true(str_eq(c->lmtp_group, STR("mail")));
    config_free(c);
    static const char *const BAD[] = {
        "lmtp =",
        "lmtp = x",
        "lmtp = 70000",
        "lmtp = 0",
        "lmtp = mail.test@24",
        "lmtp = unix:",
        "lmtp_mode = 66",
        "lmtp_mode = 0888",
        "lmtp_mode = 1660",
        "lmtp = /a/path/that/is/longer/than/what/the/kernel/takes/for/the/name/of/a/unix/socket/which/is/one/"
        "hundred/and/eight/bytes"};
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        char text[600];
        snprintf(text, sizeof text, "%s[listen]\n%s\n", LEAST, BAD[i]);
        if (parse(text, &e))
            fail_msg("%s", BAD[i]);
    }
}

static void a_route_for_a_long_domain_is_not_cut(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    char text[2000];
    char label[64];
    memset(label, 'a', 63);
    label[63] = '\0';
    snprintf(text, sizeof text, "%s[route %s.%s.%s.test]\nhost = 127.0.0.1\n", LEAST, label, label, label);
    const struct config *c = parse(text, &e);
    assert_non_null(c);
    assert_int_equal(c->routes[0].domain.n, 3 * 64 + 4);
    config_free(c);
}

static void errors_name_the_line_and_the_way_out(void **state)
{
    (void)state;
    static const struct {
        const char *text, *words;
    } BAD[] = {
        {"[server]\nhostname mail\n", "golub.conf: line 2: expected \"key = value\""},
        {"[server]\n\nhostnam = x\n", "line 3: [server] hostnam: golub has no such setting"},
        {"[sever]\n", "line 1: [sever]: golub has no such section"},
        {"[server\n", "line 1: a section ends with ']'"},
        {"[tls]\ncertificate = a\nkey = b\n", "[server] hostname is missing"},
        {"[server]\nhostname = a\n", "[tls] needs certificate and key"},
        {LEAST "[smtp]\nrecipients = many\n", "line 7: [smtp] recipients: it is a number"},
        {LEAST "[smtp]\nmessage_size = 5000000000g\n", "up to 2g"},
        {LEAST "[queue]\nlifetime = 400d\n", "at most a year"},
        {LEAST "[listen]\naddress = localhost\n", "no numeric address"},
        {LEAST "[listen]\nimap = 70000\n", "it is a port from 1 to 65535, or none"},
        {LEAST "[route a.test]\nport = 25\n", "[route a.test] needs a host"},
        {LEAST "[dns]\nserver = ns.example.org\n", "numeric address"},
        {LEAST "[login]\nplain_on_loopback = maybe\n", "it is yes or no"},
    };
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        struct err e = ERR_INIT;
        assert_null(parse(BAD[i].text, &e));
        if (!strstr(e.text, BAD[i].words))
            fail_msg("case %zu: expected \"%s\" in \"%s\"", i, BAD[i].words, e.text);
    }
    struct err e = ERR_INIT;
    assert_null(config_parse(STR("[server]\nhost\0name = x\n"), "x", &e));
    assert_non_null(strstr(e.text, "NUL"));
}

static void listeners_have_socket_addresses(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    struct sockaddr_storage at;
    const struct config *c = parse(LEAST "[listen]\naddress = 192.0.2.1 2001:db8::1\n", &e);
    assert_non_null(c);
    assert_int_equal(config_listener_address(&c->listeners[0], &at), sizeof(struct sockaddr_in));
    struct sockaddr_in *v4 = (struct sockaddr_in *)&at;
    assert_int_equal(v4->sin_family, AF_INET);
    assert_int_equal(ntohs(v4->sin_port), 25);
    assert_int_equal(ntohl(v4->sin_addr.s_addr), 0xc0000201);
    assert_int_equal(config_listener_address(&c->listeners[1], &at), sizeof(struct sockaddr_in6));
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&at;
    assert_int_equal(v6->sin6_family, AF_INET6);
    assert_int_equal(ntohs(v6->sin6_port), 25);
    assert_memory_equal(&v6->sin6_addr, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1", 16);
    config_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ten_lines_are_enough),
        cmocka_unit_test(sections_come_again_and_later_values_win),
        cmocka_unit_test(lmtp_listens_where_it_is_asked_to),
        cmocka_unit_test(a_route_for_a_long_domain_is_not_cut),
        cmocka_unit_test(errors_name_the_line_and_the_way_out),
        cmocka_unit_test(listeners_have_socket_addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
