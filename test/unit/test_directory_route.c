/* Which way mail leaves: routes by sender and by domain, those of golub.conf, and what one leaves unsaid. */
#include "directory/frames.h"
#include "directory/trail.h"
#include "directory_fixture.h"

#include <string.h>

static void add_route(struct here *h, const struct directory_route_entry *r)
{
    struct err e = ERR_INIT;
    good(directory_route_set(h->db, r, &e), &e);
}

/* A route to a host, for `sender` and `domain`. */
static void lead(struct here *h, const char *sender, const char *domain, const char *host)
{
    add_route(h, &(struct directory_route_entry){.sender = str_from_c(sender),
                                                 .domain = str_from_c(domain),
                                                 .route = {.host = str_from_c(host)}});
}

static const struct config *config_with(const char *routes)
{
    char text[600];
    struct err e = ERR_INIT;
    snprintf(text, sizeof text,
             "[server]\nhostname = mx.example.org\ndata = /nowhere\n[tls]\ncertificate = x\nkey = x\n%s",
             routes);
    const struct config *c = config_parse(str_from_c(text), "/nowhere/golub.conf", &e);
    good(c != NULL, &e);
    return c;
}

/* "host:port user/password tls 4:source 6:source", with what is set. */
static const char *route_with(struct here *h, const struct config *c, const char *sender, const char *domain)
{
    static char text[600];
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct directory_route r;
    struct err e = ERR_INIT;
    good(directory_db_route(h->db, c, str_from_c(sender), str_from_c(domain), &a, &r, NULL, &e), &e);
    if (!r.is_set)
        return "none";
    snprintf(text, sizeof text, "%s%s%.*s:%u %.*s/%.*s %s 4:%.*s 6:%.*s", r.is_lmtp ? "lmtp " : "",
             r.by_mx ? "mx " : "", STR_ARGS(r.host), r.port, STR_ARGS(r.user), STR_ARGS(r.password),
             directory_tls_name(r.tls), STR_ARGS(r.source_ipv4), STR_ARGS(r.source_ipv6));
    return text;
}

static const char *route(struct here *h, const char *sender, const char *domain)
{
    return route_with(h, NULL, sender, domain);
}

static void the_more_exact_route_goes_first(void **state)
{
    struct here *h = *state;
    assert_string_equal(route(h, "ana@example.org", "elsewhere.example"), "none");
    lead(h, "", "*", "smarthost");
    assert_string_equal(route(h, "ana@example.org", "elsewhere.example"), "smarthost:0 / any 4: 6:");
    assert_string_equal(route(h, "", "elsewhere.example"), "smarthost:0 / any 4: 6:");
    lead(h, "", "Elsewhere.Example", "of-domain");
    assert_string_equal(route(h, "ana@example.org", "ELSEWHERE.example"), "of-domain:0 / any 4: 6:");
    assert_string_equal(route(h, "ana@example.org", "sub.elsewhere.example"), "smarthost:0 / any 4: 6:");
    lead(h, "@Example.org", "*", "of-senders");
    assert_string_equal(route(h, "ana@example.org", "elsewhere.example"), "of-senders:0 / any 4: 6:");
    assert_string_equal(route(h, "", "elsewhere.example"), "of-domain:0 / any 4: 6:");
    assert_string_equal(route(h, "ana@other.example", "elsewhere.example"), "of-domain:0 / any 4: 6:");
    lead(h, "@example.org", "elsewhere.example", "of-both");
    assert_string_equal(route(h, "ana@example.org", "elsewhere.example"), "of-both:0 / any 4: 6:");
    lead(h, "Ana@example.org", "*", "of-ana");
    assert_string_equal(route(h, "ANA@example.org", "elsewhere.example"), "of-ana:0 / any 4: 6:");
    assert_string_equal(route(h, "bob@example.org", "elsewhere.example"), "of-both:0 / any 4: 6:");
    assert_string_equal(route(h, "bob@example.org", "third.example"), "of-senders:0 / any 4: 6:");
    assert_string_equal(route(h, "",
                              "b\xc3\xbc"
                              "cher.example"),
                        "smarthost:0 / any 4: 6:");
    assert_string_equal(route(h, "", "not a domain"), "none");
}

static void what_a_route_leaves_unsaid_the_next_one_says(void **state)
{
    struct here *h = *state;
    add_route(h, &(struct directory_route_entry){.domain = STR("*"),
                                                 .has_tls = true,
                                                 .route = {.host = STR("smarthost"),
                                                           .port = 587,
                                                           .tls = DIRECTORY_TLS_VERIFY,
                                                           .user = STR("me"),
                                                           .password = STR("secret"),
                                                           .source_ipv4 = STR("192.0.2.1"),
                                                           .source_ipv6 = STR("2001:db8::1")}});
    add_route(h, &(struct directory_route_entry){.sender = STR("@example.org"),
                                                 .domain = STR("*"),
                                                 .route = {.source_ipv4 = STR("192.0.2.2")}});
    assert_string_equal(route(h, "ana@example.org", "x.example"),
                        "smarthost:587 me/secret verify 4:192.0.2.2 6:2001:db8::1");
    add_route(h, &(struct directory_route_entry){
                     .domain = STR("x.example"), .has_tls = true, .route = {.tls = DIRECTORY_TLS_ANY}});
    assert_string_equal(route(h, "ana@example.org", "x.example"),
                        "smarthost:587 me/secret any 4:192.0.2.2 6:2001:db8::1");
    /* a login is its host's */
    lead(h, "", "y.example", "internal");
    assert_string_equal(route(h, "", "y.example"), "internal:0 / verify 4:192.0.2.1 6:2001:db8::1");
    add_route(h, &(struct directory_route_entry){.domain = STR("z.example"),
                                                 .route = {.host = STR("other.example"), .by_mx = true}});
    assert_string_equal(route(h, "", "z.example"), "mx other.example:0 / verify 4:192.0.2.1 6:2001:db8::1");
    add_route(h, &(struct directory_route_entry){
                     .domain = STR("z.example"),
                     .has_tls = true,
                     .route = {.host = STR("/run/lmtp"), .is_lmtp = true, .tls = DIRECTORY_TLS_NONE}});
    assert_string_equal(route(h, "", "z.example"), "lmtp /run/lmtp:0 / none 4:192.0.2.1 6:2001:db8::1");
}

static void lines_of_the_config_go_first(void **state)
{
    struct here *h = *state;
    const struct config *c =
        config_with("[route *]\nhost = conf-any\n[route x.example]\nhost = conf-x\nport = 26\n");
    lead(h, "ana@example.org", "*", "of-ana");
    lead(h, "", "x.example", "of-x");
    lead(h, "", "y.example", "of-y");
    lead(h, "", "*", "any");
    assert_string_equal(route_with(h, c, "ana@example.org", "x.example"), "conf-x:26 / any 4: 6:");
    assert_string_equal(route_with(h, c, "ana@example.org", "y.example"), "of-ana:0 / any 4: 6:");
    assert_string_equal(route_with(h, c, "", "y.example"), "of-y:0 / any 4: 6:");
    assert_string_equal(route_with(h, c, "", "z.example"), "conf-any:25 / any 4: 6:");
    config_free(c);
}

static void routes_that_say_nothing_or_contradict_themselves_are_refused(void **state)
{
    struct here *h = *state;
    static const struct directory_route_entry BAD[] = {
        {.domain = STR_INIT("*")},
        {.domain = STR_INIT("no domain"), .route = {.host = STR_INIT("h")}},
        {.domain = STR_INIT("*"), .sender = STR_INIT("nobody"), .route = {.host = STR_INIT("h")}},
        {.domain = STR_INIT("*"), .route = {.by_mx = true}},
        {.domain = STR_INIT("*"), .route = {.host = STR_INIT("h"), .by_mx = true, .is_lmtp = true}},
        {.domain = STR_INIT("*"), .has_tls = true, .route = {.port = 25}},
        {.domain = STR_INIT("*"), .route = {.host = STR_INIT("/run/socket")}},
        {.domain = STR_INIT("*"), .route = {.host = STR_INIT("h"), .user = STR_INIT("me")}},
        {.domain = STR_INIT("*"), .route = {.host = STR_INIT("h"), .password = STR_INIT("me")}},
        {.domain = STR_INIT("*"), .route = {.source_ipv4 = STR_INIT("here")}},
        {.domain = STR_INIT("*"), .route = {.source_ipv6 = STR_INIT("192.0.2.1")}},
    };
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        struct err e = ERR_INIT;
        if (directory_route_set(h->db, &BAD[i], &e) || e.kind != ERR_PERMANENT || !e.text[0])
            fail_msg("route %zu was taken", i);
    }
}

static void routes_are_listed_replaced_and_removed(void **state)
{
    struct here *h = *state;
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct directory_route_entry *v;
    struct err e = ERR_INIT;
    size_t n;
    lead(h, "", "b.example", "one");
    lead(h, "@x.example", "a.example", "two");
    lead(h, "", "b.example", "three");
    good(directory_route_list(h->db, &a, &v, &n, &e), &e);
    assert_int_equal(n, 2);
    assert_true(str_eq(v[0].domain, STR("a.example")) && str_eq(v[0].sender, STR("@x.example")));
    assert_true(str_eq(v[1].route.host, STR("three")));
    assert_false(directory_route_remove(h->db, STR(""), STR("a.example"), &e));
    assert_int_equal(e.kind, ERR_PERMANENT);
    good(directory_route_remove(h->db, STR("@X.example"), STR("A.example"), &e), &e);
    assert_string_equal(route(h, "a@x.example", "a.example"), "none");
}

static void the_trail_names_the_routes(void **state)
{
    struct here *h = *state;
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct directory_trail trail = {.arena = &a};
    struct directory_route r;
    struct err e = ERR_INIT;
    lead(h, "@example.org", "*", "of-senders");
    lead(h, "", "*", "any");
    good(directory_db_route(h->db, NULL, STR("ana@example.org"), STR("x.example"), &a, &r, &trail, &e), &e);
    assert_int_equal(trail.count, 2);
    assert_true(str_eq(trail.lines[0], STR("route * for mail from @example.org")));
    assert_true(str_eq(trail.lines[1], STR("route *")));
}

static void a_route_travels_whole_or_not_at_all(void **state)
{
    (void)state;
    CLEAN_ARENA struct arena a = ARENA_INIT;
    CLEAN_FRAME struct ipc_frame f;
    const struct directory_route r = {.is_set = true,
                                      .is_lmtp = true,
                                      .tls = DIRECTORY_TLS_DANE,
                                      .port = 2525,
                                      .host = STR("host"),
                                      .user = STR("me"),
                                      .password = STR("secret"),
                                      .source_ipv4 = STR("192.0.2.1"),
                                      .source_ipv6 = STR("")};
    struct directory_route read;
    ipc_frame_init(&f, DIRECTORY_FRAME_ROUTE_SET);
    directory_route_put(&f, &r);
    assert_true(directory_route_get(&f, &a, &read));
    assert_true(read.is_set && read.is_lmtp && !read.by_mx && read.tls == DIRECTORY_TLS_DANE &&
                read.port == 2525);
    assert_true(str_eq(read.host, r.host) && str_eq(read.password, r.password) &&
                str_eq(read.source_ipv4, r.source_ipv4));
    size_t whole = f.payload.n;
    for (size_t n = 0; n < whole; n++) {
        f.payload.n = n;
        assert_false(directory_route_get(&f, &a, &read));
    }
    f.payload.n = whole;
    f.payload.p[3] = 9; /* no such level */
    assert_false(directory_route_get(&f, &a, &read));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_more_exact_route_goes_first, make, clear),
        cmocka_unit_test_setup_teardown(what_a_route_leaves_unsaid_the_next_one_says, make, clear),
        cmocka_unit_test_setup_teardown(lines_of_the_config_go_first, make, clear),
        cmocka_unit_test_setup_teardown(routes_that_say_nothing_or_contradict_themselves_are_refused, make,
                                        clear),
        cmocka_unit_test_setup_teardown(routes_are_listed_replaced_and_removed, make, clear),
        cmocka_unit_test_setup_teardown(the_trail_names_the_routes, make, clear),
        cmocka_unit_test(a_route_travels_whole_or_not_at_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
