/* Sender rewriting: the addresses that postsrsd's own tests expect, there and back, and forgeries. */
#include "check.h"
#include "directory/directory.h"
#include "directory/srs.h"

#include <stdio.h>
#include <string.h>

#define DAY 86400

/* postsrsd's key and day: 2020-01-01 00:01:00 UTC. */
static const struct srs POSTSRSD = {STR_INIT("tops3cr3t"), 4, 1577836860};

static const char *forward(const struct srs *s, const char *sender)
{
    static char text[ADDRESS_MAX + 1];
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct str out;
    if (!srs_forward(s, str_from_c(sender), STR("example.com"), &a, &out))
        return "none";
    snprintf(text, sizeof text, "%.*s", STR_ARGS(out));
    return text;
}

static const char *reverse(const struct srs *s, const char *local)
{
    static char text[ADDRESS_MAX + 1];
    static const char *const RESULTS[] = {"none", "", "forged", "expired"};
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct str out;
    enum srs_result r = srs_reverse(s, str_from_c(local), &a, &out);
    snprintf(text, sizeof text, "%.*s", STR_ARGS(out));
    return r == SRS_GOOD ? text : RESULTS[r];
}

static void the_addresses_are_those_of_postsrsd(void **state)
{
    (void)state;
    const struct srs *s = &POSTSRSD;
    assert_string_equal(forward(s, "test@otherdomain.com"), "SRS0=vmyz=2W=otherdomain.com=test@example.com");
    assert_string_equal(forward(s, "testing@otherdomain.com"),
                        "SRS0=rNNq=2W=otherdomain.com=testing@example.com");
    assert_string_equal(forward(s, "SRS0=opaque+string@otherdomain.com"),
                        "SRS1=chaI=otherdomain.com==opaque+string@example.com");
    assert_string_equal(forward(s, "SRS1=X=thirddomain.com==opaque+string@otherdomain.com"),
                        "SRS1=JIBX=thirddomain.com==opaque+string@example.com");
    assert_string_equal(forward(s, "foo"), "none");
    assert_string_equal(forward(s, "@otherdomain.com"), "none");
    assert_string_equal(forward(s, "test@"), "none");
    assert_string_equal(forward(s, "test@a=b.com"), "none");
    assert_string_equal(reverse(s, "SRS0=XjO9=2V=otherdomain.com=test"), "test@otherdomain.com");
    assert_string_equal(reverse(s, "SRS0=vmyz=2W=otherdomain.com=test"), "test@otherdomain.com");
    assert_string_equal(reverse(s, "SRS1=JIBX=thirddomain.com==opaque+string"),
                        "SRS0=opaque+string@thirddomain.com");
    assert_string_equal(reverse(s, "test"), "none");
    assert_string_equal(reverse(s, "SRS0=te87=T7=otherdomain.com=test"), "expired");
}

static void some_servers_lower_the_case(void **state)
{
    (void)state;
    assert_string_equal(reverse(&POSTSRSD, "srs0=vmyz=2w=otherdomain.com=test"), "test@otherdomain.com");
    assert_string_equal(reverse(&POSTSRSD, "srs0+VMYZ=2W=OTHERDOMAIN.com=Test"), "Test@OTHERDOMAIN.com");
}

static void nobody_else_makes_one(void **state)
{
    (void)state;
    static const char *const FORGED[] = {
        "SRS0=vmyz=2W=otherdomain.com=tess",
        "SRS0=vmyz=2W=otherdomain.org=test",
        "SRS0=vmyz=2X=otherdomain.com=test",
        "SRS0=aaaa=2W=otherdomain.com=test",
        "SRS0==2W=otherdomain.com=test",
        "SRS0=v=2W=otherdomain.com=test",
        "SRS0=vmyzz=2W=otherdomain.com=test",
        "SRS0===",
        "SRS0=====",
        "SRS0=vmyz",
        "SRS0=vmyz=2W=otherdomain.com",
        "SRS1=JIBX=thirddomain.org==opaque",
        "SRS1=JIBX=thirddomain.com==opaque+strinh",
        "SRS1=JIBX==opaque",
    };
    const struct srs other = {STR_INIT("another key"), 4, 1577836860};
    for (size_t i = 0; i < sizeof FORGED / sizeof FORGED[0]; i++)
        assert_string_equal(reverse(&POSTSRSD, FORGED[i]), "forged");
    assert_string_equal(reverse(&other, "SRS0=vmyz=2W=otherdomain.com=test"), "forged");
    assert_string_equal(reverse(&POSTSRSD, "SRS0"), "none");
    assert_string_equal(reverse(&POSTSRSD, "SRS0="), "none");
    assert_string_equal(reverse(&POSTSRSD, "SRS1="), "none");
    assert_string_equal(reverse(&POSTSRSD, "SRS0x=vmyz"), "none");
    assert_string_equal(reverse(&POSTSRSD, ""), "none");
}

static void an_address_is_good_for_three_weeks(void **state)
{
    (void)state;
    struct srs s = {STR_INIT("key"), SRS_HASH_CHARS, 1577836860};
    char made[ADDRESS_MAX + 1];
    snprintf(made, sizeof made, "%s", forward(&s, "Ana+tag=x@First.example"));
    char *at = strrchr(made, '@');
    assert_non_null(at);
    *at = '\0';
    for (int days = 0; days <= 1024; days++) {
        s.now = 1577836860 + (int64_t)days * DAY;
        assert_string_equal(reverse(&s, made),
                            days <= SRS_DAYS || days == 1024 ? "Ana+tag=x@First.example" : "expired");
    }
    s.now = 1577836860 - DAY; /* a clock that goes wrong makes no address of tomorrow good */
    assert_string_equal(reverse(&s, made), "expired");
}

static void a_chain_of_forwarders_comes_back_to_the_first(void **state)
{
    (void)state;
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct srs one = {STR_INIT("one"), 6, 1577836860}, two = {STR_INIT("two"), 6, 1577836860},
               three = {STR_INIT("three"), 6, 1577836860};
    struct str first, second, third, back;
    assert_true(srs_forward(&one, STR("ana@home.example"), STR("one.example"), &a, &first));
    assert_true(srs_forward(&two, first, STR("two.example"), &a, &second));
    assert_true(srs_forward(&three, second, STR("three.example"), &a, &third));
    assert_true(str_starts(second, STR("SRS1=")) && str_starts(third, STR("SRS1=")));
    /* three sends it straight to one, which knows the way */
    assert_int_equal(srs_reverse(&three, str_slice(third, 0, str_rfind_byte(third, '@')), &a, &back),
                     SRS_GOOD);
    assert_true(str_eq(back, first));
    assert_int_equal(srs_reverse(&one, str_slice(back, 0, str_rfind_byte(back, '@')), &a, &back), SRS_GOOD);
    assert_true(str_eq(back, STR("ana@home.example")));
}

static void what_would_be_too_long_stays_as_it_is(void **state)
{
    (void)state;
    char sender[ADDRESS_MAX + 1];
    memset(sender, 'a', sizeof sender);
    memcpy(sender + 64, "@", 1);
    sender[ADDRESS_MAX] = '\0';
    assert_string_equal(forward(&POSTSRSD, sender), "none");
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct str out;
    assert_false(srs_forward(&POSTSRSD, STR("a\0b@otherdomain.com"), STR("example.com"), &a, &out));
    sender[64 + 1 + 200] = '\0';
    assert_string_not_equal(forward(&POSTSRSD, sender), "none");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_addresses_are_those_of_postsrsd),
        cmocka_unit_test(some_servers_lower_the_case),
        cmocka_unit_test(nobody_else_makes_one),
        cmocka_unit_test(an_address_is_good_for_three_weeks),
        cmocka_unit_test(a_chain_of_forwarders_comes_back_to_the_first),
        cmocka_unit_test(what_would_be_too_long_stays_as_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
