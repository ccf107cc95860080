/* What keeps SMTP clients within bounds, piece by piece: names, XCLIENT's argument, counts, and who gets in
 * when there is little room. */
#include "check.h"
#include "smtp/admission.h"
#include "smtp/helo.h"
#include "smtp/incoming.h"
#include "smtp/xclient.h"

#include <stdio.h>
#include <string.h>

#define LEAST "[server]\nhostname = mail.ours.test\n[tls]\ncertificate = a\nkey = b\n"

static const struct config *config_of(const char *more)
{
    char text[2000];
    struct err e = ERR_INIT;
    snprintf(text, sizeof text, LEAST "%s", more);
    const struct config *c = config_parse(str_from_c(text), "/golub.conf", &e);
    if (!c)
        fail_msg("%s", e.text);
    return c;
}

/* --- names --- */

static void names_that_cannot_be_the_clients(void **state)
{
    (void)state;
    static const struct {
        const char *helo;
        bool certain, strict; /* refused by */
    } CASES[] = {
        {"client.test", false, false},
        {"mx-1.client.test", false, false},
        {"_odd.client.test", false, false},
        {"xn--bcher-kva.example", false, false},
        {"b\xc3\xbc"
         "cher.example",
         false, false},
        {"client.test.", false, false},
        {"[192.0.2.1]", false, false},
        {"[IPv6:2001:db8::1]", false, false},
        {"localhost", false, true},
        {"WIN-7PC", false, true},
        {"mail.ours.test", true, true},
        {"MAIL.Ours.Test", true, true},
        {"192.0.2.1", true, true},
        {"2001:db8::1", true, true},
        {"[client.test]", true, true},
        {"[192.0.2.1", true, true},
        {"-client.test", true, true},
        {"client..test", true, true},
        {".client.test", true, true},
        {"cli(ent.test", true, true},
        {"user@client.test", true, true},
    };
    const struct config *any = config_of("[smtp]\nhelo = any\n");
    const struct config *certain = config_of("");
    const struct config *strict = config_of("[smtp]\nhelo = strict\n");
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct str helo = str_from_c(CASES[i].helo);
        if ((helo_fault(helo, certain) != NULL) != CASES[i].certain ||
            (helo_fault(helo, strict) != NULL) != CASES[i].strict || helo_fault(helo, any))
            fail_msg("%s", CASES[i].helo);
    }
    config_free(any);
    config_free(certain);
    config_free(strict);
}

/* --- XCLIENT --- */

static struct arena arena;

static bool parses(const char *argument, struct xclient *x)
{
    const char *why;
    bool good = xclient_parse(str_from_c(argument), &arena, x, &why);
    assert_true(good == !why);
    return good;
}

static void is_value(const struct xclient *x, enum xclient_attribute i, const char *want)
{
    assert_int_equal(x->v[i].state, XCLIENT_SAID);
    if (!str_eq(x->v[i].value, str_from_c(want)))
        fail_msg("%.*s instead of %s", STR_ARGS(x->v[i].value), want);
}

/* The conversation of XCLIENT_README, and every attribute. */
static void xclient_attributes(void **state)
{
    (void)state;
    struct xclient x;
    assert_true(parses("NAME=spike.porcupine.org ADDR=168.100.189.2", &x));
    is_value(&x, XCLIENT_NAME, "spike.porcupine.org");
    is_value(&x, XCLIENT_ADDR, "168.100.189.2");
    assert_int_equal(x.v[XCLIENT_HELO].state, XCLIENT_UNSAID);
    assert_true(
        parses("name=[UNAVAILABLE]  addr=IPV6:2001:db8::1 PORT=65535 PROTO=esmtp HELO=a+2Bb LOGIN=ana@x.test "
               "DESTADDR=192.0.2.1 DESTPORT=25 REVERSE_NAME=[tempunavail]",
               &x));
    assert_int_equal(x.v[XCLIENT_NAME].state, XCLIENT_UNAVAILABLE);
    assert_int_equal(x.v[XCLIENT_REVERSE_NAME].state, XCLIENT_TEMPUNAVAIL);
    is_value(&x, XCLIENT_ADDR, "2001:db8::1");
    is_value(&x, XCLIENT_PORT, "65535");
    is_value(&x, XCLIENT_PROTO, "esmtp");
    is_value(&x, XCLIENT_HELO, "a+b");
    is_value(&x, XCLIENT_LOGIN, "ana@x.test");
    is_value(&x, XCLIENT_DESTADDR, "192.0.2.1");
    is_value(&x, XCLIENT_DESTPORT, "25");
    arena_free(&arena);
}

static void xclient_that_is_none(void **state)
{
    (void)state;
    static const char *const BAD[] = {
        "",
        " ",
        "ADDR",
        "ADDR=",
        "ADDR=1.2.3",
        "ADDR=1.2.3.4 ADDR=1.2.3.5",
        "PORT=65536",
        "PORT=-1",
        "PROTO=LMTP",
        "HELO=a+20b",
        "HELO=a+0D+0Ab",
        "NAME=a+0Ab",
        "COLOR=red",
        "NAME=a b",
        "LOGIN=a+00",
        "LOGIN=+2",
        "=x",
        "ADDR=IPV6:",
        "DESTPORT=x",
        "HELO=a=b",
        "NAME=\xc3\xbc",
        "ADDR=[NOTHERE]",
    };
    struct xclient x;
    char endless[400];
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++)
        if (parses(BAD[i], &x))
            fail_msg("taken: %s", BAD[i]);
    memset(endless, 'a', sizeof endless);
    memcpy(endless, "NAME=", 5);
    endless[5 + 256] = '\0';
    assert_false(parses(endless, &x));
    endless[5 + 255] = '\0';
    assert_true(parses(endless, &x));
    arena_free(&arena);
}

/* --- counts --- */

static struct tally *table;

static struct limits client(const struct config *c, const char *peer)
{
    struct limits l;
    limits_init(&l, table, 0, c, peer);
    return l;
}

static void an_address_and_its_network_are_counted(void **state)
{
    (void)state;
    const struct config *c =
        config_of("[limit address]\nmessage_rate = 2/h\n[limit network]\nmessage_rate = 3/h\n");
    table = tally_new();
    struct limits a = client(c, "192.0.2.1"), again = client(c, "192.0.2.1"), b = client(c, "192.0.2.2"),
                  far = client(c, "192.0.3.1"), ours = client(c, "127.0.0.1");
    assert_null(limits_take(&a, LIMIT_MESSAGES));
    assert_null(limits_take(&again, LIMIT_MESSAGES));
    assert_string_equal(limits_take(&a, LIMIT_MESSAGES), "your address");
    assert_null(limits_take(&b, LIMIT_MESSAGES));
    assert_string_equal(limits_take(&b, LIMIT_MESSAGES), "your network");
    assert_null(limits_take(&far, LIMIT_MESSAGES));
    for (int i = 0; i < 10; i++)
        assert_null(limits_take(&ours, LIMIT_MESSAGES));
    /* an IPv6 customer has a /64 */
    struct limits six = client(c, "2001:db8:1:2::1"), same = client(c, "2001:db8:1:2:3::9"),
                  other = client(c, "2001:db8:1:3::1");
    assert_null(limits_take(&six, LIMIT_MESSAGES));
    assert_null(limits_take(&same, LIMIT_MESSAGES));
    assert_string_equal(limits_take(&six, LIMIT_MESSAGES), "your address");
    assert_null(limits_take(&other, LIMIT_MESSAGES));
    tally_free(table);
    config_free(c);
}

static void an_account_is_counted_wherever_it_is(void **state)
{
    (void)state;
    const struct config *c =
        config_of("[limit address]\nmessage_rate = 1/h\n[limit account]\nmessage_rate = 2/h\n"
                  "connections = 2\nnetworks = 2/h\n");
    table = tally_new();
    struct limits a = client(c, "192.0.2.1"), b = client(c, "198.51.100.1"), d = client(c, "203.0.113.1");
    limits_set_account(&a, 7, NULL);
    limits_set_account(&b, 7, NULL);
    limits_set_account(&d, 7, NULL);
    assert_null(limits_take(&a, LIMIT_MESSAGES));
    assert_null(limits_take(&b, LIMIT_MESSAGES));
    assert_string_equal(limits_take(&d, LIMIT_MESSAGES), "your account");
    assert_null(limits_hold(&a));
    assert_null(limits_hold(&a)); /* holds one already */
    assert_null(limits_hold(&b));
    assert_string_equal(limits_hold(&d), "your account");
    limits_let_go(&a);
    assert_null(limits_hold(&d));
    assert_false(limits_is_everywhere(&a));
    assert_false(limits_is_everywhere(&a));
    assert_false(limits_is_everywhere(&b));
    assert_true(limits_is_everywhere(&d));
    assert_true(limits_tells_today(&a));
    assert_false(limits_tells_today(&b));
    tally_free(table);
    config_free(c);
}

/* golub account limit: in place of golub.conf's, and from the next message on. */
static void what_is_set_of_an_account_goes_first(void **state)
{
    (void)state;
    const struct config *c = config_of("[limit account]\nmessage_rate = 2/h\nrecipient_rate = 1/h\n");
    struct directory_settings own = DIRECTORY_SETTINGS_INIT;
    bool is_own;
    table = tally_new();
    struct limits a = client(c, "192.0.2.1"), b = client(c, "198.51.100.1");
    limits_set_account(&a, 7, &own);
    limits_set_account(&b, 7, &own);
    assert_null(limits_take(&a, LIMIT_MESSAGES));
    assert_null(limits_take(&b, LIMIT_MESSAGES));
    assert_string_equal(limits_take(&a, LIMIT_MESSAGES), "your account");
    own.rates[LIMIT_MESSAGES].is_set = true;
    own.rates[LIMIT_MESSAGES].limit = (struct tally_limit){3, 3600};
    assert_int_equal(limits_of_account(&a, LIMIT_MESSAGES, &is_own).count, 3);
    assert_true(is_own);
    assert_int_equal(limits_of_account(&a, LIMIT_RECIPIENTS, &is_own).count, 1);
    assert_false(is_own);
    for (int i = 0; i < 3; i++)
        assert_null(limits_take(i == 1 ? &b : &a, LIMIT_MESSAGES));
    assert_string_equal(limits_take(&b, LIMIT_MESSAGES), "your account");
    assert_null(limits_take(&a, LIMIT_RECIPIENTS));
    assert_string_equal(limits_take(&a, LIMIT_RECIPIENTS), "your account");
    own.rates[LIMIT_MESSAGES].limit = (struct tally_limit){1, 86400}; /* a smaller one holds as well */
    assert_null(limits_take(&a, LIMIT_MESSAGES));
    assert_string_equal(limits_take(&a, LIMIT_MESSAGES), "your account");
    own.rates[LIMIT_MESSAGES].limit = (struct tally_limit){0, 0}; /* none */
    for (int i = 0; i < 20; i++)
        assert_null(limits_take(&a, LIMIT_MESSAGES));
    tally_free(table);
    config_free(c);
}

/* --- admission --- */

static struct connection from(const char *peer, enum service service)
{
    struct connection c = {.fd = -1, .service = service};
    snprintf(c.peer, sizeof c.peer, "%s", peer);
    return c;
}

/* What somebody hears as the one after `sessions` of 100; the seat is given back. */
static const char *hears(const struct config *config, const char *peer, enum service service,
                         unsigned sessions)
{
    struct connection c = from(peer, service);
    struct limits seat = client(config, peer);
    const char *why = admission_enter(&seat, &c, sessions, 100);
    if (!why)
        admission_leave(&seat);
    return why;
}

static void known_senders_and_users_go_first(void **state)
{
    (void)state;
    const struct config *c = config_of("");
    table = tally_new();
    struct limits good = client(c, "192.0.2.1");
    limits_make_known(&good);
    assert_false(admission_is_short(74, 100));
    assert_true(admission_is_short(75, 100));
    assert_null(hears(c, "198.51.100.1", SERVICE_SMTP, 74));
    assert_memory_equal(hears(c, "198.51.100.1", SERVICE_SMTP, 75), "421 4.3.2 Busy", 14);
    assert_null(hears(c, "198.51.100.1", SERVICE_SUBMISSIONS, 89));
    assert_memory_equal(hears(c, "198.51.100.1", SERVICE_SUBMISSIONS, 90), "421 4.3.2 Busy", 14);
    assert_null(hears(c, "192.0.2.1", SERVICE_SMTP, 99));
    assert_null(hears(c, "127.0.0.1", SERVICE_SMTP, 99));
    assert_memory_equal(hears(c, "192.0.2.1", SERVICE_SMTP, 100), "421 4.3.2 Too many", 18);
    tally_free(table);
    config_free(c);
}

static void connections_are_counted(void **state)
{
    (void)state;
    const struct config *c =
        config_of("[limit address]\nconnections = 2\nconnect_rate = 5/h\n[limit network]\n"
                  "connections = 3\nconnect_rate = none\n");
    table = tally_new();
    struct limits seats[5];
    static const struct {
        const char *peer, *hears;
    } CASES[] = {{"192.0.2.1", NULL},
                 {"192.0.2.1", NULL},
                 {"192.0.2.1", "421 4.7.0 Too many connections at once"},
                 {"192.0.2.2", NULL},
                 {"192.0.2.3", "421 4.7.0 Too many connections at once"}};
    for (size_t i = 0; i < 5; i++) {
        struct connection at = from(CASES[i].peer, SERVICE_SMTP);
        seats[i] = client(c, CASES[i].peer);
        const char *why = admission_enter(&seats[i], &at, 0, 100);
        if (!CASES[i].hears)
            assert_null(why);
        else
            assert_memory_equal(why, CASES[i].hears, strlen(CASES[i].hears));
    }
    admission_leave(&seats[0]);
    assert_null(hears(c, "192.0.2.3", SERVICE_SMTP, 0)); /* what was refused held nothing */
    assert_null(hears(c, "192.0.2.1", SERVICE_SMTP, 0));
    assert_null(hears(c, "192.0.2.1", SERVICE_SMTP, 0));
    assert_memory_equal(hears(c, "192.0.2.1", SERVICE_SMTP, 0), "421 4.7.0 Too many connections in a short",
                        41);
    tally_free(table);
    config_free(c);
}

/* --- time --- */

static void a_message_that_trickles_in_ends(void **state)
{
    (void)state;
    assert_int_equal(incoming_due(1000, 0).at_ms, 1000 + INCOMING_BLOCK_MS);
    assert_int_equal(incoming_due(1000, 10 * INCOMING_RATE_LEAST).at_ms, 1000 + INCOMING_BLOCK_MS + 10000);
    assert_int_equal(incoming_due(1000, 50 << 20).at_ms, 1000 + INCOMING_ALL_MS);
    assert_int_equal(incoming_due(1000, UINT64_MAX).at_ms, 1000 + INCOMING_ALL_MS);
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(names_that_cannot_be_the_clients),
        cmocka_unit_test(xclient_attributes),
        cmocka_unit_test(xclient_that_is_none),
        cmocka_unit_test(an_address_and_its_network_are_counted),
        cmocka_unit_test(an_account_is_counted_wherever_it_is),
        cmocka_unit_test(what_is_set_of_an_account_goes_first),
        cmocka_unit_test(known_senders_and_users_go_first),
        cmocka_unit_test(connections_are_counted),
        cmocka_unit_test(a_message_that_trickles_in_ends),
    };
    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
