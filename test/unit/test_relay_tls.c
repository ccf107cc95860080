/* What TLS a connection must have, by what DNS says (RFC 7672), the route and the message (RFC 8689). */
#include "check.h"

#include "relay/tls_policy.h"

#include <stdlib.h>

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

static void answer(enum dns_type type, struct str name, struct arena *a, struct dns_answer *out)
{
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

static void look_up(void *context, const struct dns_question *questions, size_t n, struct arena *a,
                    struct dns_answer *out)
{
    (void)context;
    for (size_t i = 0; i < n; i++)
        answer(questions[i].type, questions[i].name, a, &out[i]);
}

static struct tls_policies *policies;

static int set_up(void **state)
{
    (void)state;
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
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
