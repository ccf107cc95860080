/* Networks: what is one, and what lies in it. */
#include "base/network.h"
#include "check.h"

static bool holds(const char *networks, const char *address)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct network_list l;
    struct str bad;
    if (!networks_read(str_from_c(networks), &a, &l, &bad))
        fail_msg("not a network: %.*s", STR_ARGS(bad));
    return networks_hold(&l, address);
}

static bool is_network(const char *text)
{
    struct network n;
    return network_read(str_from_c(text), &n);
}

static void test_what_is_one(void **state)
{
    (void)state;
    static const char *const GOOD[] = {"192.0.2.0/24", "0.0.0.0/0", "10.0.0.0/8",     "192.0.2.1",
                                       "192.0.2.1/32", "::/0",      "2001:db8::/32",  "2001:db8::1",
                                       "::1/128",      "fe80::/10", "192.0.2.128/25", "::ffff:192.0.2.0/120"};
    static const char *const BAD[] = {"",
                                      "192.0.2",
                                      "192.0.2.0/33",
                                      "192.0.2.1/24",
                                      "10.0.0.0/",
                                      "10.0.0.0/-1",
                                      "2001:db8::/129",
                                      "2001:db8::1/32",
                                      "/8",
                                      "example.org",
                                      "1.2.3.4/8/8",
                                      "10.0.0.0/08x",
                                      "192.0.2.192/25",
                                      "[192.0.2.1]"};
    for (size_t i = 0; i < sizeof GOOD / sizeof *GOOD; i++)
        if (!is_network(GOOD[i]))
            fail_msg("refused: %s", GOOD[i]);
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++)
        if (is_network(BAD[i]))
            fail_msg("taken: %s", BAD[i]);
    struct network n;
    assert_false(network_read(STR("10.0.0.0\0/8"), &n));
}

static void test_what_lies_in_it(void **state)
{
    (void)state;
    assert_true(holds("192.0.2.0/24", "192.0.2.255"));
    assert_false(holds("192.0.2.0/24", "192.0.3.0"));
    assert_true(holds("192.0.2.128/25", "192.0.2.128"));
    assert_false(holds("192.0.2.128/25", "192.0.2.127"));
    assert_true(holds("192.0.2.7", "192.0.2.7"));
    assert_false(holds("192.0.2.7", "192.0.2.6"));
    assert_true(holds("2001:db8::/33", "2001:db8:7fff::1"));
    assert_false(holds("2001:db8::/33", "2001:db8:8000::1"));
    assert_true(holds("10.0.0.0/8", "::ffff:10.1.2.3")); /* the same address, written otherwise */
    assert_true(holds("0.0.0.0/0", "203.0.113.9"));
    assert_false(holds("0.0.0.0/0", "2001:db8::1"));
    assert_true(holds("::/0", "2001:db8::1"));
    assert_false(holds("::/0", "203.0.113.9"));
    assert_false(holds("0.0.0.0/0", "unknown"));
    assert_false(holds("0.0.0.0/0", ""));
}

static void test_lists(void **state)
{
    (void)state;
    static const char LIST[] = " 127.0.0.0/8,::1  192.0.2.0/24, ";
    assert_true(holds(LIST, "127.9.9.9"));
    assert_true(holds(LIST, "::1"));
    assert_true(holds(LIST, "192.0.2.1"));
    assert_false(holds(LIST, "::2"));
    assert_false(holds("", "127.0.0.1"));
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct network_list l;
    struct str bad;
    assert_false(networks_read(STR("127.0.0.0/8 here 10.0.0.0/8"), &a, &l, &bad));
    assert_true(str_eq(bad, STR("here")));
}

static void test_the_network_of_an_address(void **state)
{
    (void)state;
    struct ip_address a, b;
    assert_true(ip_address_read(STR("192.0.2.77"), &a) && ip_address_read(STR("192.0.2.0"), &b));
    struct ip_address of = ip_address_network(&a, 24, 64);
    assert_memory_equal(&of, &b, sizeof b);
    of = ip_address_network(&a, 32, 64);
    assert_memory_equal(&of, &a, sizeof a);
    assert_true(ip_address_read(STR("2001:db8:1:2:3:4:5:6"), &a) &&
                ip_address_read(STR("2001:db8:1:2::"), &b));
    of = ip_address_network(&a, 24, 64);
    assert_memory_equal(&of, &b, sizeof b);
    assert_true(ip_address_read(STR("127.3.2.1"), &a) && ip_address_is_loopback(&a));
    assert_true(ip_address_read(STR("::1"), &a) && ip_address_is_loopback(&a));
    assert_true(ip_address_read(STR("128.0.0.1"), &a) && !ip_address_is_loopback(&a));
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(test_what_is_one),
        cmocka_unit_test(test_what_lies_in_it),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_the_network_of_an_address),
    };
    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
